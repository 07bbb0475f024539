//! What is public: a whole pipeline, and its parts by themselves.

mod audio_frames;
mod builder;
mod control;
mod feed;
mod frames;
mod image_file;
mod media;
mod opening;
mod outgoing;
mod own_sound;
mod pending;
mod pipeline;
mod reader;
#[cfg(test)]
mod soak;
mod stream;
mod streams;
mod write_order;
mod writer;

pub use audio_frames::AudioFrames;
pub use builder::{InputBuilder, OutputBuilder};
pub use control::{Control, OutputId};
pub use feed::Feed;
pub use frames::{Frames, NextFrame};
pub use media::Media;
pub use outgoing::Outgoing;
pub use pending::Pending;
pub use pipeline::Pipeline;
pub use reader::Reader;
pub use stream::{StreamId, StreamOutput, StreamSettings};
pub use streams::{Batch, StreamFrame, Streams};
pub use writer::Writer;
