//! A place in an output for a stream that the input hasn't got yet.

use crate::av::{MediaKind, StreamInfo};
use crate::codec::window::Window;
use crate::error::Result;
use crate::output::container::{Carriage, carriage};
use crate::protocol::Target;
use crate::run::delivery::SinkStream;
use crate::run::lane::CopyLane;

/// A place in an output for a stream that the input hasn't got yet.
pub(super) struct LateStream {
    pub(super) kind: MediaKind,
    pub(super) to: SinkStream,
    pub(super) window: Window,
    pub(super) target: Target,
}

impl LateStream {
    /// The lane for it, now that it is there; `None` where it can't be carried as it is.
    pub(super) fn lane(&self, stream: &StreamInfo) -> Result<Option<CopyLane>> {
        if carriage(&self.target, stream) != Carriage::Copy {
            return Ok(None);
        }
        let mut lane = CopyLane::new(stream, self.to.clone(), self.window, None)?;
        lane.prepare_to_fill();
        lane.announce();
        Ok(Some(lane.dropping_before_floor(self.kind == MediaKind::Audio)))
    }
}
