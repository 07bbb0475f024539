//! What is read behind an input, before it is opened.

use std::collections::VecDeque;

use crate::options::InputOptions;
use crate::time::Timestamp;

/// What is read behind an input.
#[derive(Default)]
pub(super) struct Following {
    pub(super) waiting: VecDeque<(String, InputOptions)>,
    /// How long all that waits is, where that is known.
    pub(super) length: Option<Timestamp>,
    /// One has another frame rate than the first, or doesn't say.
    pub(super) rates_differ: bool,
}
