//! The stages of your code, run so that a panic in them is an error.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::edit::FrameProcessor;
use crate::error::{Error, Result};
use crate::image::Frame;

/// The stages of your code, one behind the other.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) stages: Vec<Box<dyn FrameProcessor>>,
}

impl Chain {
    /// Sends a frame in at stage `from`, and what comes out at the end to `out`; `false` once
    /// `out` takes no more.
    pub(crate) fn feed(
        &mut self,
        from: usize,
        frame: Frame,
        out: &mut dyn FnMut(Frame) -> Result<bool>,
    ) -> Result<bool> {
        let Some(stage) = self.stages.get_mut(from) else { return out(frame) };
        stage.send(frame)?;
        self.collect(from, out)
    }

    fn collect(&mut self, from: usize, out: &mut dyn FnMut(Frame) -> Result<bool>) -> Result<bool> {
        while let Some(frame) =
            self.stages.get_mut(from).map(|s| s.receive()).transpose()?.flatten()
        {
            if !self.feed(from + 1, frame, out)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn drain(&mut self, out: &mut dyn FnMut(Frame) -> Result<bool>) -> Result<bool> {
        for i in 0..self.stages.len() {
            if let Some(stage) = self.stages.get_mut(i) {
                stage.drain()?;
            }
            if !self.collect(i, out)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Runs your code: its panic is an error like any other.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    // A stage whose state a panic spoilt is its owner's to judge: it was told of the policies.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(text) => Error::process(format!("your code panicked: {text}")),
        None => Error::process("your code panicked"),
    }
}
