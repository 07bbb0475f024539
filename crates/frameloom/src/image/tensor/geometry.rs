//! Where a picture stands in a tensor, and the way back.

use crate::image::resample::Region;

/// How a picture of one shape fills a tensor of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fit {
    /// The whole picture in its own shape, in the middle, with bars of the fill colour: what most
    /// detectors were trained with.
    #[default]
    Letterbox,
    /// The whole picture, stretched to the tensor's shape.
    Stretch,
    /// The middle of the picture in its own shape; what lies beside the tensor's shape is left out.
    Crop,
}

impl Fit {
    /// Every way, in declaration order.
    pub const ALL: [Fit; 3] = [Fit::Letterbox, Fit::Stretch, Fit::Crop];

    /// `letterbox`, `stretch` or `crop`.
    pub const fn name(self) -> &'static str {
        match self {
            Fit::Letterbox => "letterbox",
            Fit::Stretch => "stretch",
            Fit::Crop => "crop",
        }
    }
}

/// Where the picture stands in the tensor: the part that was taken, and the pixels that it fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    pub(super) region: Region,
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Places a part of a picture in a tensor of `width` by `height`.
pub(super) fn place(part: Region, (width, height): (usize, usize), fit: Fit) -> Placement {
    let whole = Placement { region: part, left: 0, top: 0, width, height };
    let (across, down) = (width as f64 / part.width, height as f64 / part.height);
    match fit {
        Fit::Stretch => whole,
        Fit::Letterbox => {
            let factor = across.min(down);
            let filled =
                |length: f64, most: usize| ((length * factor).round() as usize).clamp(1, most);
            let (w, h) = (filled(part.width, width), filled(part.height, height));
            Placement { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h, ..whole }
        }
        Fit::Crop => {
            let factor = across.max(down);
            let taken = |length: f64, outputs: usize| (outputs as f64 / factor).min(length);
            let (w, h) = (taken(part.width, width), taken(part.height, height));
            let region = Region {
                x: part.x + (part.width - w) / 2.0,
                y: part.y + (part.height - h) / 2.0,
                width: w,
                height: h,
            };
            Placement { region, ..whole }
        }
    }
}

/// The way between a picture and the tensor that was made of it: [`Transform::to_frame`] brings what a
/// model found back to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    scale: (f64, f64),
    offset: (f64, f64),
    frame: (u32, u32),
}

impl Transform {
    pub(super) fn of(placed: &Placement, frame: (u32, u32)) -> Transform {
        let scale = (
            placed.width as f64 / placed.region.width,
            placed.height as f64 / placed.region.height,
        );
        let offset = (
            placed.left as f64 - placed.region.x * scale.0,
            placed.top as f64 - placed.region.y * scale.1,
        );
        Transform { scale, offset, frame }
    }

    /// How many pixels of the tensor a pixel of the picture is, across and down.
    pub fn scale(&self) -> (f64, f64) {
        self.scale
    }

    /// Where in the tensor the picture's upper left corner would be, in pixels.
    pub fn offset(&self) -> (f64, f64) {
        self.offset
    }

    /// Width and height of the picture.
    pub fn frame_size(&self) -> (u32, u32) {
        self.frame
    }

    /// A place in the tensor, in pixels, as a place in the picture. It is moved to the picture's edge
    /// where it lies outside; NaN stays NaN.
    pub fn point_to_frame(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let back = |at: f64, offset: f64, scale: f64, most: u32| {
            ((at - offset) / scale).clamp(0.0, f64::from(most))
        };
        [
            back(x, self.offset.0, self.scale.0, self.frame.0),
            back(y, self.offset.1, self.scale.1, self.frame.1),
        ]
    }

    /// A box in the tensor, as left, top, right, bottom in pixels, as a box in the picture: both
    /// corners as [`Transform::point_to_frame`].
    pub fn to_frame(&self, [left, top, right, bottom]: [f64; 4]) -> [f64; 4] {
        let ([left, top], [right, bottom]) =
            (self.point_to_frame([left, top]), self.point_to_frame([right, bottom]));
        [left, top, right, bottom]
    }

    /// A place in the picture, in pixels, as a place in the tensor.
    pub fn point_to_tensor(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [x * self.scale.0 + self.offset.0, y * self.scale.1 + self.offset.1]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn placed(picture: (f64, f64), tensor: (usize, usize), fit: Fit) -> Placement {
        place(Region { x: 0.0, y: 0.0, width: picture.0, height: picture.1 }, tensor, fit)
    }

    #[test]
    fn a_picture_is_placed_as_detectors_expect_it() {
        let p = placed((1920.0, 1080.0), (640, 640), Fit::Letterbox);
        assert_eq!((p.left, p.top, p.width, p.height), (0, 140, 640, 360));
        let p = placed((540.0, 961.0), (640, 640), Fit::Letterbox);
        assert_eq!((p.left, p.top, p.width, p.height), (140, 0, 360, 640));
        let p = placed((1920.0, 1080.0), (640, 640), Fit::Crop);
        let middle = Region { x: 420.0, y: 0.0, width: 1080.0, height: 1080.0 };
        assert_eq!((p.region, p.width, p.height), (middle, 640, 640));
        let p = placed((10_000.0, 1.0), (64, 64), Fit::Letterbox);
        assert_eq!((p.width, p.height, p.top), (64, 1, 31));
    }

    proptest! {
        #[test]
        fn a_point_comes_back_to_where_it_was(
            size in (1..3000u32, 1..3000u32),
            tensor in (1..900usize, 1..900usize),
            part in (0.0..1.0f64, 0.0..1.0f64),
            fit in 0..3usize,
        ) {
            let picture = (f64::from(size.0), f64::from(size.1));
            let placed = placed(picture, tensor, Fit::ALL[fit]);
            prop_assert!(placed.left + placed.width <= tensor.0);
            prop_assert!(placed.top + placed.height <= tensor.1);
            let transform = Transform::of(&placed, size);
            let Region { x, y, width, height } = placed.region;
            let point = [x + width * part.0, y + height * part.1];
            let there = transform.point_to_tensor(point);
            prop_assert!(there[0] >= placed.left as f64 - 1e-6);
            prop_assert!(there[0] <= (placed.left + placed.width) as f64 + 1e-6);
            let back = transform.point_to_frame(there);
            prop_assert!((back[0] - point[0]).abs() < 1e-6 && (back[1] - point[1]).abs() < 1e-6);
        }
    }
}
