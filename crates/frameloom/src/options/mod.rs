//! Validated settings.
//!
//! [`InputOptions`], [`OutputOptions`] and [`LiveOptions`] have a method for each setting. At the
//! edges, where settings come as text, `set(name, value)` takes names and values as FFmpeg's command
//! line does, `set("s", "hd720")`, and refuses at once what can't be: an unknown name, a size of 0x0,
//! a codec that libav lacks. `table.rs` has a row for each name; a name that is in no row is an
//! AVOption for libav.

pub(crate) mod absent;
mod audio;
mod av_option;
mod command;
mod graphs;
mod hardware;
mod input;
mod keyframes;
mod library_option;
mod live;
mod map;
pub(crate) mod metadata;
mod output;
pub(crate) mod row;
mod set;
mod specifier;
mod speed;
pub(crate) mod table;
mod value;

pub use audio::{AudioCommandOptions, AudioFormat};
pub(crate) use av_option::{AvOption, expected, quoted, wrong_value};
pub use command::{CommandAnswer, CommandOptions, FrameTransport};
pub use graphs::FilterGraphs;
pub(crate) use hardware::{DecodeBy, HardwareDevices, StreamDecoding};
pub use input::InputOptions;
pub(crate) use input::JoinedInput;
pub(crate) use keyframes::{KeyframeChoice, NAMES as KEYFRAME_NAMES};
pub use live::{Live, LiveOptions, OnError, OnLoss, OnResize, OnSlow, OnUntouched, WaitForInputs};
pub(crate) use map::{MapSource, StreamMap};
pub use output::OutputOptions;
pub(crate) use specifier::{SpecifiedStream, Specifier, StreamPlace};
pub(crate) use speed::Speed;
pub(crate) use value::{CodecChoice, FrameTimes, PixelFormatChoice};
pub use value::{Size, parse_duration, parse_rate, parse_span};

pub use crate::url::from_os;

#[cfg(test)]
mod tests;
