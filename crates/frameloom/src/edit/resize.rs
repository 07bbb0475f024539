use std::collections::VecDeque;

use super::{FilterGraph, FrameProcessor};
use crate::error::{BoxError, Result};
use crate::image::{
    ChannelOrder, Fit, Frame, ImageMut, PixelFormat, TensorLayout, TensorOptions, no_view,
};
use crate::options::Size;

/// Brings every frame to one size; its shape is not kept.
pub(crate) struct Resize {
    size: Size,
    larger: Larger,
    ready: VecDeque<Frame>,
}

/// What frames that grow in some direction pass, or whose format is not one of samples in bytes.
#[derive(Default)]
struct Larger(Option<FilterGraph>);

impl Larger {
    fn resize(&mut self, frame: Frame, size: (u32, u32)) -> Result<Option<Frame>> {
        let graph = self
            .0
            .get_or_insert_with(|| FilterGraph::new(format!("scale={}:{}", size.0, size.1), None));
        graph.send(frame)?;
        graph.receive()
    }
}

impl Resize {
    pub(crate) fn new(size: Size) -> Resize {
        Resize { size, larger: Larger::default(), ready: VecDeque::new() }
    }
}

fn resized(frame: Frame, size: (u32, u32), larger: &mut Larger) -> Result<Option<Frame>> {
    if (frame.width(), frame.height()) == size {
        return Ok(Some(frame));
    }
    match frame.shrunk(size.0, size.1)? {
        Some(shrunk) => Ok(Some(shrunk)),
        None => larger.resize(frame, size),
    }
}

impl FrameProcessor for Resize {
    fn send(&mut self, frame: Frame) -> Result<(), BoxError> {
        let size = (self.size.width(), self.size.height());
        self.ready.extend(resized(frame, size, &mut self.larger)?);
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Frame>, BoxError> {
        Ok(self.ready.pop_front())
    }
}

impl Frame {
    /// The frame in another size, in pixels; its shape is not kept. Where it shrinks, a pixel is the
    /// mean of what it covers; where it grows, libswscale makes it (bicubic).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`](crate::ErrorKind::InvalidData) for a picture that can't be converted.
    pub fn scaled(self, width: u32, height: u32) -> Result<Frame> {
        let index = self.index();
        let mut larger = Larger::default();
        if let Some(frame) = resized(self, (width, height), &mut larger)? {
            return Ok(frame.with_index(index));
        }
        let Some(mut graph) = larger.0 else { return Err(no_view()) };
        graph.drain()?;
        graph.receive()?.map(|frame| frame.with_index(index)).ok_or_else(no_view)
    }

    /// Converts the picture into memory of your own of any size; its shape is not kept. RGB that shrinks is
    /// made of the codec's planes at once, so that no colour is lost between pixels that share it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`](crate::ErrorKind::InvalidData) for a picture that can't be converted.
    pub fn copy_scaled_to(&mut self, target: &mut ImageMut<'_>) -> Result<()> {
        let (width, height) = (target.width(), target.height());
        if (width, height) == (self.width(), self.height()) {
            return self.copy_to(target);
        }
        let order = match target.format() {
            PixelFormat::Rgb24 => Some(ChannelOrder::Rgb),
            PixelFormat::Bgr24 => Some(ChannelOrder::Bgr),
            _ => None,
        };
        let shrinks = width <= self.width() && height <= self.height();
        if let (Some(order), true, Some(pixels)) = (order, shrinks, target.as_packed_mut()) {
            let options = TensorOptions::new(width, height)
                .fit(Fit::Stretch)
                .layout(TensorLayout::Nhwc)
                .order(order);
            return self.tensor_into(&options, pixels).map(drop);
        }
        self.share()?.scaled(width, height)?.copy_to(target)
    }
}
