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

mod api;
#[allow(unsafe_code, reason = "libav's pointers need it, and only here are they touched")]
mod av;
mod codec;
mod edit;
mod error;
mod image;
mod input;
mod live;
pub mod options;
mod output;
mod protocol;
mod run;
mod stats;
mod time;
mod url;

pub use api::{
    AudioFrames, Batch, Control, Feed, Frames, InputBuilder, Latest, LatestBatches, Media,
    NextFrame, Outgoing, OutputBuilder, OutputId, Pending, Pipeline, Reader, StreamFrame, StreamId,
    StreamOutput, StreamSettings, Streams, Writer,
};
pub use av::{AvError, LogLevel, set_log_level};
pub use codec::audio_frame::AudioFrame;
pub use edit::{AudioCommand, Command, FrameProcessor};
pub use error::{
    BoxError, CommandLine, End, Error, ErrorDisplay, ErrorKind, ExpectedValue, Hint, Instead,
    Result, Sentence, Setting, Stage, ValueKind, Wording,
};
pub use image::convert;
pub use image::{
    BoxStyle, BufferPool, ChannelOrder, Color, Draw, Fit, Font, Frame, FrameData, Image,
    ImageError, ImageMut, PixelBuffer, PixelFormat, Plane, PlaneMut, Rectangle, Scaling,
    TensorElement, TensorLayout, TensorOptions, TextStyle, Transform,
};
pub use input::probe::{Probe, ProbeAudio, ProbeStream, ProbeVideo, probe};
pub use options::Size;
pub use run::sound::{AudioPacket, NextAudio};
pub use stats::alert::{Alert, AlertKind};
pub use stats::event::Event;
pub use stats::{EndState, InputSnapshot, LatencySnapshot, OutputSnapshot, Snapshot, Stats};
pub use time::stop::Stop;
pub use time::{Rate, Round, TimeBase, Timestamp};

/// What the crates of this workspace share and nobody else should use: it changes without notice.
#[doc(hidden)]
pub mod internal {
    pub use crate::av::{DUMP_TARGET, UrlWriter, allocator, listing, local_time};
    pub use crate::edit::{OpeningFilter, kill_commands, opening_filter};
    pub use crate::error::{ProgramHint, SentencePart, nearest, os_words, set_default_wording};
    pub use crate::input::timeline::dts_on_one_clock;
    pub use crate::live::retry::{Retry, RetryPolicy, Verdict};
    pub use crate::live::slate::check_slate;
    pub use crate::options::absent::{AbsentOption, Outcome, absent, find_absent, takes_value};
    pub use crate::options::row::{Group, Row, Scope, ValueType};
    pub use crate::options::table::{LibraryOption, find_ffmpeg, find_long, library};
    pub use crate::protocol::check_input;
    pub use crate::run::filters::{check_graphs, take_inputs};
    pub use crate::run::plan::{check_outputs, is_written};
    pub use crate::stats::{Written, WrittenVideo};
    pub use crate::time::jitter::Jitter;
    pub use crate::url::redact;

    /// What the ffprobe program tells of an input.
    pub mod ffprobe {
        pub use crate::av::{Fact, FactSection, FactValue};
        pub use crate::input::ffprobe::{Contents, ContentsRequest, IS_SEVEN, contents, not_told};
    }

    /// What a URL tells before it is opened.
    pub mod url {
        pub use crate::url::{Address, is_live, is_network, is_relayed};
    }
}
