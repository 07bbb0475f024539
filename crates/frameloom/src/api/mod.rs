//! What is public: a whole pipeline, and its parts by themselves.

mod audio_frames;
mod batch;
mod builder;
mod control;
mod feed;
mod frames;
mod image_file;
mod latest;
mod media;
mod next_frame;
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
mod turns;
mod write_order;
mod writer;

pub use audio_frames::AudioFrames;
pub use batch::{Batch, StreamFrame, StreamId};
pub use builder::{InputBuilder, OutputBuilder};
pub use control::{Control, OutputId};
pub use feed::Feed;
pub use frames::Frames;
pub use latest::{Latest, LatestBatches};
pub use media::Media;
pub use next_frame::NextFrame;
pub use outgoing::Outgoing;
pub use pending::Pending;
pub use pipeline::Pipeline;
pub use reader::Reader;
pub use stream::{StreamOutput, StreamSettings};
pub use streams::Streams;
pub use writer::Writer;
