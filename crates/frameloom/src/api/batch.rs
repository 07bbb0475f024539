//! Frames of several streams, and what a model reads of them.

use crate::error::Result;
use crate::image::{Frame, TensorElement, TensorOptions, Transform};

/// One of [`Streams`](crate::Streams). Its number counts from 0 in the order in which streams were added, and is not used
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub(super) usize);

impl StreamId {
    /// Its number.
    pub fn number(self) -> usize {
        self.0
    }
}

/// A frame, and the stream that it is of.
#[derive(Debug)]
pub struct StreamFrame {
    /// The stream.
    pub stream: StreamId,
    /// The frame.
    pub frame: Frame,
}

/// Frames of different streams, at most one of each.
#[derive(Debug)]
pub struct Batch {
    /// The frames. Those whose stream waited longest come first.
    pub frames: Vec<StreamFrame>,
}

impl Batch {
    /// What a model reads of all frames, one behind the other, and the way back for each: as
    /// [`Frame::tensor`].
    ///
    /// # Errors
    /// As [`Frame::tensor`].
    pub fn tensor<T: TensorElement>(
        &self,
        options: &TensorOptions,
    ) -> Result<(Vec<T>, Vec<Transform>)> {
        options.check()?;
        let mut numbers = vec![T::default(); self.frames.len() * options.length()];
        let pieces = numbers.chunks_exact_mut(options.length());
        let made = self.frames.iter().zip(pieces);
        let transforms =
            made.map(|(f, piece)| f.frame.tensor_into(options, piece)).collect::<Result<_>>()?;
        Ok((numbers, transforms))
    }
}
