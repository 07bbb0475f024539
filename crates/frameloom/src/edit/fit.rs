use super::FilterGraph;
use crate::error::Result;
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
