//! Whole pictures in a smaller size, in their own format.

use std::cell::RefCell;

use super::{PlaneComponent, PlaneScaler, PlaneSource, ROWS, Scaling};
use crate::av::{AvError, AvFrame, Component, PixFmt};
use crate::image::simd::{self, Kernel, nearest};

thread_local! {
    // Making the tables costs as much as a small picture; a thread scales one stream.
    static SHRINKER: RefCell<Option<Shrinker>> = const { RefCell::new(None) };
}

/// The picture in a size that is not larger in any direction, each pixel the mean of what it covers;
/// `None` for other sizes, and for formats whose samples can't be read as they are.
pub(crate) fn shrunk(
    picture: &AvFrame,
    width: u32,
    height: u32,
) -> Result<Option<AvFrame>, AvError> {
    let grows = width > picture.width() || height > picture.height();
    if grows || width == 0 || height == 0 {
        return Ok(None);
    }
    if !picture.is_plain() {
        return shrunk(&picture.to_plain()?, width, height);
    }
    let Some(format) = picture.format() else { return Ok(None) };
    let Some(components) = format.components() else { return Ok(None) };
    let kind = Kind { format, from: (picture.width(), picture.height()), to: (width, height) };
    let kept = SHRINKER.with(RefCell::take).filter(|kept| kept.kind == kind);
    let mut shrinker = kept.unwrap_or_else(|| Shrinker::new(kind, &components));
    let made = shrinker.shrink(picture);
    SHRINKER.with(|place| place.replace(Some(shrinker)));
    made
}

#[derive(Clone, Copy, PartialEq)]
struct Kind {
    format: PixFmt,
    from: (u32, u32),
    to: (u32, u32),
}

struct Shrinker {
    kind: Kind,
    planes: Vec<ShrunkPlane>,
}

struct ShrunkPlane {
    /// Its number in the picture.
    number: usize,
    scaler: PlaneScaler,
    components: Vec<Component>,
    /// Samples of each component in a row, and rows.
    size: Vec<usize>,
    rows: usize,
}

impl Shrinker {
    fn new(kind: Kind, components: &[Component]) -> Shrinker {
        let shift = kind.format.chroma_shift();
        let is_chroma = |n: usize| (n == 1 || n == 2) && !kind.format.is_rgb();
        let log2 = |n: usize| if is_chroma(n) { shift } else { (0, 0) };
        let samples = |pixels: u32, log2: u32| (pixels as usize).div_ceil(1 << log2);
        let mut planes: Vec<ShrunkPlane> = Vec::new();
        for number in 0..kind.format.plane_count() {
            let within: Vec<(usize, Component)> =
                components.iter().copied().enumerate().filter(|(_, c)| c.plane == number).collect();
            let Some((first, _)) = within.first() else { continue };
            let down = log2(*first).1;
            let rows = samples(kind.to.1, down);
            // The last sample of an odd size stands for a pixel less; the others don't move for it.
            let taken = |from: u32, to: u32, rows: usize, log2: u32| {
                f64::from(from) * ((rows << log2) as f64) / f64::from(to)
            };
            let height = taken(kind.from.1, kind.to.1, rows, down);
            let size = (kind.from.0 as usize, kind.from.1 as usize);
            let columns = |n: usize| {
                let across = log2(n).0;
                let columns = samples(kind.to.0, across);
                (columns, taken(kind.from.0, kind.to.0, columns, across))
            };
            let listed: Vec<PlaneComponent> = within
                .iter()
                .map(|(n, samples)| {
                    let (columns, width) = columns(*n);
                    let (samples, log2) = (*samples, log2(*n));
                    PlaneComponent { samples, log2, part: (0.0, width), columns }
                })
                .collect();
            planes.push(ShrunkPlane {
                number,
                scaler: PlaneScaler::new(&listed, size, (0.0, height), rows, Scaling::Area),
                components: within.iter().map(|(_, component)| *component).collect(),
                size: within.iter().map(|(n, _)| columns(*n).0).collect(),
                rows,
            });
        }
        Shrinker { kind, planes }
    }

    fn shrink(&mut self, picture: &AvFrame) -> Result<Option<AvFrame>, AvError> {
        let (width, height) = self.kind.to;
        let mut target = AvFrame::picture(self.kind.format, width, height)?;
        target.copy_props(picture)?;
        target.set_sample_aspect_ratio(aspect(picture, self.kind.to));
        let mut planes = target.planes_mut()?;
        for plane in &mut self.planes {
            let source = picture.plane(plane.number);
            let (Some((data, stride)), Some((out, out_stride))) =
                (source, planes.get_mut(plane.number))
            else {
                return Ok(None);
            };
            for first in (0..plane.rows).step_by(ROWS) {
                if !plane.scaler.make(PlaneSource { data, stride }, first, false) {
                    return Ok(None);
                }
                for row in 0..ROWS.min(plane.rows - first) {
                    let Some(out) = out.get_mut((first + row) * *out_stride..) else {
                        return Ok(None);
                    };
                    for (n, component) in plane.components.iter().enumerate() {
                        let values = plane.scaler.row(n, row);
                        let values = values.get(..plane.size[n]).unwrap_or_default();
                        simd::run(Stored { values, component: *component, out });
                    }
                }
            }
        }
        drop(planes);
        Ok(Some(target))
    }
}

/// The shape of a pixel that keeps that of the picture.
fn aspect(picture: &AvFrame, (width, height): (u32, u32)) -> Option<(i32, i32)> {
    let (num, den) = picture.sample_aspect_ratio()?;
    let factor = |a: u32, b: u32| i128::from(a) * i128::from(b);
    let num = i128::from(num) * factor(picture.width(), height);
    let den = i128::from(den) * factor(picture.height(), width);
    let (mut a, mut b) = (num, den);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Some((i32::try_from(num / a.max(1)).ok()?, i32::try_from(den / a.max(1)).ok()?))
}

/// Rounds the values of a component into a row of its plane.
struct Stored<'a> {
    values: &'a [f32],
    component: Component,
    out: &'a mut [u8],
}

impl Kernel for Stored<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Component { step, offset, shift, .. } = self.component;
        let out = self.out.get_mut(offset..).unwrap_or_default();
        match (self.component.bytes(), step) {
            (1, 1) => {
                out.iter_mut().zip(self.values).for_each(|(out, value)| *out = nearest(*value));
            }
            (1, _) => {
                let places = out.iter_mut().step_by(step);
                places.zip(self.values).for_each(|(out, value)| *out = nearest(*value));
            }
            _ => {
                // The bits below a value stay empty.
                let (unit, half) = (1.0 / f32::from(1u16 << shift), 0.5);
                for (out, value) in out.chunks_mut(step).zip(self.values) {
                    let value = ((value * unit + half) as i32 as u16) << shift;
                    out.iter_mut().zip(value.to_ne_bytes()).for_each(|(out, byte)| *out = byte);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::tensor::tests::noise;

    /// The mean of all pixels that a pixel of the result covers, one by one.
    fn mean(
        picture: &AvFrame,
        component: Component,
        sub: (u32, u32),
        across: (f64, f64),
        down: (f64, f64),
    ) -> f64 {
        let (mut sum, mut whole) = (0.0, 0.0);
        for y in 0..picture.height() {
            let rows = down.1.min(f64::from(y) + 1.0) - down.0.max(f64::from(y));
            for x in 0..picture.width() {
                let columns = across.1.min(f64::from(x) + 1.0) - across.0.max(f64::from(x));
                let part = rows.max(0.0) * columns.max(0.0);
                if part > 0.0 {
                    let (x, y) = ((x >> sub.0) as usize, (y >> sub.1) as usize);
                    sum += part * f64::from(sample(picture, component, x, y));
                    whole += part;
                }
            }
        }
        sum / whole
    }

    fn sample(picture: &AvFrame, component: Component, x: usize, y: usize) -> u16 {
        let (data, stride) = picture.plane(component.plane).unwrap();
        let at = y * stride + component.offset + x * component.step;
        let raw = match component.bytes() {
            1 => u16::from(data[at]),
            _ => u16::from_ne_bytes([data[at], data[at + 1]]),
        };
        raw >> component.shift
    }

    proptest! {
        #[test]
        fn a_pixel_is_the_mean_of_what_it_covers(
            format in prop::sample::select(vec![
                "yuv420p", "yuv422p", "yuv444p", "yuva420p", "nv12", "yuyv422", "gray", "rgb24",
                "bgra", "gbrp", "yuv420p10le", "p010le", "gbrp12le",
            ]),
            size in (1..=45u32, 1..=33u32),
            part in (0.01..=1.0f64, 0.01..=1.0f64),
            seed in 1..u64::MAX,
        ) {
            let picture = noise(format, size.0, size.1, seed);
            let to = |length: u32, part: f64| ((f64::from(length) * part).ceil() as u32).max(1);
            let (width, height) = (to(size.0, part.0), to(size.1, part.1));
            let made = shrunk(&picture, width, height).unwrap().unwrap();
            prop_assert_eq!((made.width(), made.height()), (width, height));
            let format = picture.format().unwrap();
            for (n, component) in format.components().unwrap().into_iter().enumerate() {
                let is_chroma = (n == 1 || n == 2) && !format.is_rgb();
                let sub = if is_chroma { format.chroma_shift() } else { (0, 0) };
                let factor = (f64::from(size.0) / f64::from(width), f64::from(size.1) / f64::from(height));
                for y in 0..height.div_ceil(1 << sub.1) {
                    for x in 0..width.div_ceil(1 << sub.0) {
                        let span = |n: u32, log2: u32, factor: f64| {
                            (f64::from(n << log2) * factor, f64::from((n + 1) << log2) * factor)
                        };
                        let expected =
                            mean(&picture, component, sub, span(x, sub.0, factor.0), span(y, sub.1, factor.1));
                        let value = f64::from(sample(&made, component, x as usize, y as usize));
                        prop_assert!(
                            (value - expected).abs() < 0.51,
                            "component {} at {},{}: {} for {}", n, x, y, value, expected
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_it_can_not_shrink_it_leaves_to_others() {
        let picture = noise("yuv420p", 16, 8, 1);
        for (w, h) in [(17, 8), (16, 9), (0, 4)] {
            assert!(shrunk(&picture, w, h).unwrap().is_none(), "{w}x{h}");
        }
    }

    #[test]
    fn the_shape_of_the_picture_stays() {
        let mut picture = noise("yuv420p", 720, 576, 1);
        picture.set_sample_aspect_ratio(Some((16, 11)));
        let made = shrunk(&picture, 360, 576).unwrap().unwrap();
        assert_eq!(made.sample_aspect_ratio(), Some((32, 11)));
    }
}
