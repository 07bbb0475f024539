//! What the thread that reads is told of outputs that come and go.

use crossbeam_channel::{Sender, TrySendError};

use crate::av::MediaKind;
use crate::codec::subtitle::SubtitleTranscoder;
use crate::codec::window::{PictureLimit, Window};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::protocol::Target;
use crate::run::delivery::SinkStream;
use crate::run::late::LateStream;
use crate::run::stages::{AudioMessage, DecodeMessage, EncoderEnd, FramesChange};
use crate::time::Timestamp;

/// Changes that may wait for a thread. They come one by one.
pub(super) const CHANGES: usize = 64;

/// What the thread that reads is told.
pub(super) enum ReaderChange {
    /// Streams are copied to one more output.
    Copy(NewCopies),
    /// There is one more place for a stream that may come late.
    Late(LateStream),
    /// One more thread transcodes the sound of the stream of this number.
    Audio(usize, Sender<AudioMessage>),
    /// The video of this number is decoded, from its next keyframe on.
    Decode(usize, Sender<DecodeMessage>),
    /// One more encoder gets the frames of what is read from now on, as its sound is what is read
    /// from now on.
    Encode { frames: Sender<FramesChange>, end: EncoderEnd },
    /// The output of this number gets nothing more.
    Leave(usize),
}

/// Streams that are copied to one more output.
pub(super) struct NewCopies {
    pub(super) copies: Vec<NewCopy>,
    /// It begins with packets that are kept, so long ago; `None` where it begins with the next keyframe.
    pub(super) preroll: Option<Timestamp>,
}

/// A stream that is copied to one more output.
pub(super) struct NewCopy {
    /// Its number in the input.
    pub(super) stream: usize,
    /// What it is in the output.
    pub(super) kind: MediaKind,
    pub(super) to: SinkStream,
    pub(super) window: Window,
    pub(super) frames: Option<PictureLimit>,
    pub(super) target: Target,
    /// What encodes it, where it is subtitles.
    pub(super) subtitles: Option<SubtitleTranscoder>,
}

/// Tells a thread of a change.
///
/// # Errors
/// Where the thread has ended, or is told too much at once.
pub(super) fn tell<T>(thread: &Sender<T>, change: T) -> Result<()> {
    let cause = match thread.try_send(change) {
        Ok(()) => return Ok(()),
        Err(TrySendError::Disconnected(_)) => "the pipeline is ending",
        Err(TrySendError::Full(_)) => return Err(too_many_changes()),
    };
    Err(Error::new(ErrorKind::Other, Stage::Sink, cause))
}

/// The error for more changes than the threads have taken in.
pub(super) fn too_many_changes() -> Error {
    let cause = "too many outputs are added and removed at once";
    Error::new(ErrorKind::Other, Stage::Sink, cause)
}
