use std::collections::VecDeque;

use super::{FilterGraph, FrameProcessor};
use crate::error::{BoxError, Result};
use crate::image::Frame;

/// Brings frames to one size, with black bars where their shape differs.
pub(crate) struct Fit {
    size: (u32, u32),
    graph: Option<FilterGraph>,
}

impl Fit {
    /// To `size`, width and height in pixels. The graph is made by the first frame that needs it.
    pub(crate) fn new(size: (u32, u32)) -> Fit {
        Fit { size, graph: None }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The frame in that size; as it is where it has it.
    pub(crate) fn fit(&mut self, frame: Frame) -> Result<Option<Frame>> {
        if (frame.width(), frame.height()) == self.size {
            return Ok(Some(frame));
        }
        let (w, h) = self.size;
        let graph = self.graph.get_or_insert_with(|| {
            let spec = format!(
                "scale={w}:{h}:force_original_aspect_ratio=decrease,pad={w}:{h}:(ow-iw)/2:(oh-ih)/2"
            );
            FilterGraph::new(spec, None)
        });
        graph.send(frame)?;
        graph.receive()
    }
}

/// A stage that brings all frames to one size, with black bars where their shape differs.
pub(crate) struct FitAll {
    fit: Fit,
    ready: VecDeque<Frame>,
}

impl FitAll {
    /// To `size`, width and height in pixels.
    pub(crate) fn new(size: (u32, u32)) -> FitAll {
        FitAll { fit: Fit::new(size), ready: VecDeque::new() }
    }
}

impl FrameProcessor for FitAll {
    fn send(&mut self, frame: Frame) -> Result<(), BoxError> {
        let index = frame.index();
        self.ready.extend(self.fit.fit(frame)?.map(|frame| frame.with_index(index)));
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Frame>, BoxError> {
        Ok(self.ready.pop_front())
    }
}
