//! When what a frame was made of came in.

use std::time::Instant;

/// When an input's packet was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// On this machine's monotonic clock.
    pub(crate) at: Instant,
    /// It came in a burst, faster than the stream's own clock runs: it is older than what is live.
    pub(crate) in_burst: bool,
    /// The number of the connection that it came by: an input that was lost comes by another one.
    pub(crate) connection: u64,
}

impl Arrival {
    /// Something that came at this moment, at the stream's own speed.
    pub(crate) fn at(at: Instant) -> Arrival {
        Arrival { at, in_burst: false, connection: 0 }
    }

    /// Something that is made now.
    pub(crate) fn now() -> Arrival {
        Arrival::at(Instant::now())
    }
}
