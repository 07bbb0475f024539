use crate::edit::FrameProcessor;
use crate::error::BoxError;
use crate::image::Frame;

/// A closure as a stage: one frame in, the same frame out.
pub(crate) struct Closure<F> {
    edit: F,
    ready: Option<Frame>,
}

impl<F> Closure<F> {
    pub(crate) fn new(edit: F) -> Closure<F> {
        Closure { edit, ready: None }
    }
}

impl<F: FnMut(&mut Frame) -> Result<(), BoxError> + Send> FrameProcessor for Closure<F> {
    fn send(&mut self, mut frame: Frame) -> Result<(), BoxError> {
        (self.edit)(&mut frame)?;
        self.ready = Some(frame);
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Frame>, BoxError> {
        Ok(self.ready.take())
    }
}
