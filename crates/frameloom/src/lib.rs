//! Frameloom puts your code in the middle of a live video stream.
//!
//! ```text
//! source ─ packets ─▶ decode ─ frames ─▶ process (your code) ─ frames ─▶ encode ─ packets ─▶ sink
//!    └──────────────────────── audio packets, untouched ─────────────────────────────────────▲
//! ```
//!
//! It pulls a stream, hands every decoded frame to your code as a pixel array, encodes what your
//! code made of it, and publishes the result, with the audio kept in sync.
//!
//! ```no_run
//! use frameloom::{Frame, Pipeline, PixelFormat::Rgb24};
//!
//! # fn main() -> frameloom::Result<()> {
//! Pipeline::from_url("rtmp://localhost/live/camera")?
//!     .process(|frame: &mut Frame| {
//!         frame.image_mut(Rgb24)?.row_mut(0).fill(255);
//!         Ok(())
//!     })
//!     .to_url("rtmp://localhost/live/edited")?
//!     .run()?;
//! # Ok(())
//! # }
//! ```
//!
//! Below [`Pipeline`] are its parts: [`Reader`], an iterator of frames, and [`Writer`].

mod audio;
#[allow(unsafe_code, reason = "libav's pointers need it, and only here are they touched")]
mod av;
mod backoff;
mod clock;
pub mod convert;
mod decode;
mod encode;
mod error;
mod event;
mod frame;
mod image;
pub mod options;
mod outside;
mod packet;
mod picture;
mod pipeline;
mod pipes;
mod plan;
mod process;
mod reader;
pub mod redact;
mod rtmp;
mod silence;
mod sink;
mod slate;
mod source;
mod stats;
mod stop;
mod supervise;
mod time;
mod timeline;
mod url;
mod window;
mod writer;

pub use av::{LogLevel, set_log_level};
pub use backoff::{Backoff, Jitter};
pub use error::{Error, ErrorKind, Result, Stage, nearest};
pub use event::Event;
pub use frame::Frame;
pub use image::{
    BufferPool, Image, ImageError, ImageMut, PixelBuffer, PixelFormat, Plane, PlaneMut,
};
pub use options::Size;
pub use pipeline::{AudioPacket, Feed, FeedBuilder, Frames, Outgoing, Pending, Pipeline, Pulled};
pub use plan::check_outputs;
pub use process::{Command, FrameProcessor, kill_commands};
pub use reader::Reader;
pub use slate::check_slate;
pub use source::probe::{Probe, ProbeAudio, ProbeStream, ProbeVideo, probe};
pub use stats::{EndState, LatencySnapshot, OutputSnapshot, Snapshot, Stats};
pub use stop::Stop;
pub use time::{Rate, Round, TimeBase, Timestamp};
pub use writer::Writer;
