//! Frames are written in the order of showing.

use std::collections::BTreeMap;

use crate::error::{Error, Hint, Result};
use crate::image::Frame;
use crate::time::Timestamp;

/// What each output got last.
#[derive(Debug, Default)]
pub(super) struct WriteOrder {
    last: BTreeMap<usize, WrittenFrame>,
}

/// A frame that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrittenFrame {
    index: u64,
    pts: Timestamp,
}

impl WrittenFrame {
    pub(super) fn of(frame: &Frame) -> WrittenFrame {
        WrittenFrame { index: frame.index(), pts: frame.pts() }
    }
}

impl WriteOrder {
    /// Refuses a frame that was read before one that an output has got, and isn't shown behind it:
    /// encoders would show the earlier one for next to no time. A frame that comes later from the
    /// input is never refused, whatever its time.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub(super) fn check(&self, output: Option<usize>, frame: WrittenFrame) -> Result<()> {
        let mut of_output =
            self.last.iter().filter(|(number, _)| output.is_none_or(|o| o == **number));
        let before = of_output.find(|(_, last)| frame.index <= last.index && frame.pts <= last.pts);
        let Some((_, last)) = before else { return Ok(()) };
        let (at, behind) = (frame.pts.as_secs_f64(), last.pts.as_secs_f64());
        if frame.pts == last.pts {
            let cause = format!("two frames are written for {at:.3} s");
            return Err(Error::usage(cause).hint(Hint::GiveTime));
        }
        Err(Error::usage(format!(
            "the frame at {at:.3} s is written behind the one at {behind:.3} s: frames are written in \
             the order of showing"
        )))
    }

    /// Whether an output got any.
    pub(super) fn has(&self, output: usize) -> bool {
        self.last.contains_key(&output)
    }

    /// An output is gone.
    pub(super) fn forget(&mut self, output: usize) {
        self.last.remove(&output);
    }

    /// These outputs got it.
    pub(super) fn note(&mut self, outputs: impl IntoIterator<Item = usize>, frame: WrittenFrame) {
        for output in outputs {
            self.last.insert(output, frame);
        }
    }
}
