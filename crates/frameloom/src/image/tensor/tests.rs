//! Tensors against a second, slow way to make them: pixel by pixel, in 64-bit numbers, by the formula.

use half::f16;
use proptest::prelude::*;

use super::*;
use crate::av::ColorTags;
use crate::image::convert::{ColorSpec, Matrix, Range};
use crate::image::{BufferPool, PixelFormat};
use crate::time::TimeBase;
use crate::time::arrival::Arrival;

const FORMATS: [&str; 24] = [
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "yuv410p",
    "yuvj420p",
    "yuva420p",
    "nv12",
    "nv21",
    "nv16",
    "yuyv422",
    "uyvy422",
    "gray",
    "gray10le",
    "yuv420p10le",
    "yuv422p10le",
    "yuv444p12le",
    "p010le",
    "rgb24",
    "bgr24",
    "rgba",
    "argb",
    "gbrp",
    "gbrp10le",
    "rgb48le",
];

/// Every format of libav whose samples can be read as they are.
pub(crate) fn readable_formats() -> Vec<&'static str> {
    let is_readable = |name: &&str| PixFmt::named(name).unwrap().components().is_some();
    let formats: Vec<&str> = PixFmt::all_names().into_iter().filter(is_readable).collect();
    assert!(FORMATS.iter().all(|format| formats.contains(format)) && formats.len() > 80);
    formats
}

/// A picture of noise, which has no two samples alike. Its rows lie within longer ones.
pub(crate) fn noise(format: &str, width: u32, height: u32, seed: u64) -> AvFrame {
    let format = PixFmt::named(format).unwrap();
    let (across, down) = format.chroma_shift();
    let corner = ((seed % 5) as u32) << across;
    let corner = (corner, ((seed % 3) as u32) << down);
    let (whole_width, whole_height) = (width + corner.0 + (seed % 7) as u32, height + corner.1);
    let mut picture = AvFrame::picture(format, whole_width, whole_height).unwrap();
    let mask = format.components().unwrap().first().map(|c| (c.depth, c.shift, c.bytes()));
    let (depth, shift, bytes) = mask.unwrap();
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (data, _) in picture.planes_mut().unwrap() {
        for sample in data.chunks_mut(bytes) {
            let value = (next() & ((1 << depth) - 1)) << shift;
            let kept = sample.len();
            sample.copy_from_slice(&value.to_ne_bytes()[..kept]);
        }
    }
    picture.cropped(corner, (width, height)).unwrap()
}

/// The same as a frame.
pub(crate) fn noise_frame(format: &str, width: u32, height: u32) -> Frame {
    let (picture, base) = (noise(format, width, height, 11), TimeBase::new(1, 25).unwrap());
    Frame::new(picture, base, 0, Arrival::now(), BufferPool::new(1))
}

/// A component's sample at a place.
fn sample(picture: &AvFrame, component: Component, x: usize, y: usize) -> f64 {
    let (data, stride) = picture.plane(component.plane).unwrap();
    let at = y * stride + component.offset + x * component.step;
    let raw = match component.bytes() {
        1 => u16::from(data[at]),
        _ => u16::from_ne_bytes([data[at], data[at + 1]]),
    };
    f64::from(raw >> component.shift)
}

/// What lies at one pixel of the result, of one component.
struct Reference<'a> {
    picture: &'a AvFrame,
    component: Component,
    /// As powers of two.
    sub: (u32, u32),
    scaling: Scaling,
}

impl Reference<'_> {
    /// The weights of all samples of an axis.
    fn weights(&self, length: u32, sub: u32, from: f64, to: f64) -> Vec<f64> {
        let unit = 1usize << sub;
        let mut weights = vec![0.0; (length as usize).div_ceil(unit)];
        if self.scaling == Scaling::Area && to - from >= 1.0 {
            for pixel in 0..length as usize {
                let covered = to.min(pixel as f64 + 1.0) - from.max(pixel as f64);
                weights[pixel / unit] += covered.max(0.0);
            }
        } else {
            let last = weights.len() - 1;
            let at = ((from + to) / 2.0 / unit as f64 - 0.5).clamp(0.0, last as f64);
            let first = at.floor() as usize;
            weights[first] += 1.0 - (at - first as f64);
            weights[(first + 1).min(last)] += at - first as f64;
        }
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    fn at(&self, (left, right): (f64, f64), (top, bottom): (f64, f64)) -> f64 {
        let across = self.weights(self.picture.width(), self.sub.0, left, right);
        let down = self.weights(self.picture.height(), self.sub.1, top, bottom);
        let mut sum = 0.0;
        for (y, of_row) in down.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            for (x, of_column) in across.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                sum += of_row * of_column * sample(self.picture, self.component, x, y);
            }
        }
        sum
    }
}

/// Red, green and blue of 0 to 255, by ITU-R BT.601 to BT.2020.
fn rgb(format: PixFmt, color: ColorSpec, depth: u32, samples: &[f64]) -> [f64; 3] {
    let most = f64::from((1u32 << depth) - 1);
    if format.is_rgb() {
        return std::array::from_fn(|n| samples[n] / most * 255.0);
    }
    let step = f64::from(1u32 << (depth - 8));
    let (luma, chroma): (f64, Vec<f64>) = match color.range {
        Range::Limited => (
            (samples[0] - 16.0 * step) / (219.0 * step),
            samples[1..].iter().map(|c| (c - 128.0 * step) / (224.0 * step)).collect(),
        ),
        Range::Full => {
            (samples[0] / most, samples[1..].iter().map(|c| (c - 128.0 * step) / most).collect())
        }
    };
    let [cb, cr] = if chroma.is_empty() { [0.0; 2] } else { [chroma[0], chroma[1]] };
    let (kr, kb) = match color.matrix {
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
        Matrix::Smpte240m => (0.212, 0.087),
        Matrix::Fcc => (0.30, 0.11),
        Matrix::Bt601 => (0.299, 0.114),
    };
    let red = luma + 2.0 * (1.0 - kr) * cr;
    let blue = luma + 2.0 * (1.0 - kb) * cb;
    let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
    [red, green, blue].map(|value| (value * 255.0).clamp(0.0, 255.0))
}

/// The picture's part of a tensor, as rows of pixels of 0 to 255.
fn reference(picture: &AvFrame, placed: &Placement, scaling: Scaling) -> Vec<Vec<[f64; 3]>> {
    let format = picture.format().unwrap();
    let components = format.components().unwrap();
    let components = &components[..if format.is_gray() { 1 } else { 3 }];
    let color = picture::color_of(picture.colors(), format);
    let shift = if format.is_rgb() { (0, 0) } else { format.chroma_shift() };
    let (across, down) =
        (placed.region.width / placed.width as f64, placed.region.height / placed.height as f64);
    let span =
        |begin: f64, step: f64, n: usize| (begin + step * n as f64, begin + step * (n + 1) as f64);
    let pixel = |x: usize, y: usize| {
        let sampled = components.iter().enumerate().map(|(n, component)| {
            let sub = if n == 0 { (0, 0) } else { shift };
            let reference = Reference { picture, component: *component, sub, scaling };
            reference.at(span(placed.region.x, across, x), span(placed.region.y, down, y))
        });
        let samples: Vec<f64> = sampled.collect();
        rgb(format, color, components[0].depth, &samples)
    };
    (0..placed.height).map(|y| (0..placed.width).map(|x| pixel(x, y)).collect()).collect()
}

fn tensor<T: TensorElement>(picture: &AvFrame, options: &TensorOptions, plain: bool) -> Vec<T> {
    let mut out = vec![T::default(); options.length()];
    make(picture, options, &mut out, plain).unwrap();
    out
}

/// The value of a channel at a pixel.
fn value(options: &TensorOptions, tensor: &[f32], channel: usize, x: usize, y: usize) -> f64 {
    let (w, h) = (options.width as usize, options.height as usize);
    f64::from(match options.layout {
        TensorLayout::Nchw => tensor[channel * w * h + y * w + x],
        TensorLayout::Nhwc => tensor[(y * w + x) * 3 + channel],
    })
}

/// Makes tensors of noise, and holds them against the formula.
fn assert_as_the_formula(
    format: &str,
    size: (u32, u32),
    options: &TensorOptions,
    tags: (i32, i32),
    seed: u64,
) {
    let mut picture = noise(format, size.0, size.1, seed);
    if !picture.format().unwrap().is_rgb() {
        picture.set_matrix_and_range(tags.0, tags.1);
    }
    let made: Vec<f32> = tensor(&picture, options, false);
    let plain: Vec<f32> = tensor(&picture, options, true);
    for (a, b) in made.iter().zip(&plain) {
        assert!((a - b).abs() < 1e-3, "with this processor's vectors {a}, without {b}");
    }
    let bytes: Vec<u8> = tensor(&picture, options, false);
    for (a, b) in made.iter().zip(&bytes) {
        assert!((a - f32::from(*b)).abs() <= 0.501, "{a} became {b}");
    }

    let output = (options.width as usize, options.height as usize);
    let part = options.part(size.0, size.1).unwrap();
    let placed = place(part, output, options.fit);
    let expected = reference(&picture, &placed, options.scaling);
    for y in 0..output.1 {
        for x in 0..output.0 {
            let inside = y.checked_sub(placed.top).and_then(|y| expected.get(y));
            let inside = x.checked_sub(placed.left).and_then(|x| inside?.get(x));
            let pixel = inside.copied().unwrap_or([10.0, 20.0, 30.0]);
            for channel in 0..3 {
                let of = if options.order == ChannelOrder::Bgr { 2 - channel } else { channel };
                let value = value(options, &made, channel, x, y);
                assert!(
                    (value - pixel[of]).abs() < 0.05,
                    "{format} {size:?} to {output:?}: {value} for {} at {x},{y} of {channel}",
                    pixel[of],
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_format_size_and_fit_is_as_the_formula_says(
        format in prop::sample::select(readable_formats()),
        size in (1..=67u32, 1..=35u32),
        output in (1..=40u32, 1..=40u32),
        (fit, bilinear, nhwc, bgr) in (0..3usize, any::<bool>(), any::<bool>(), any::<bool>()),
        tags in (0..6usize, any::<bool>()),
        seed in 1..u64::MAX,
    ) {
        let space = [2, ColorTags::BT709, 5, ColorTags::BT2020_NCL, ColorTags::SMPTE240M, ColorTags::FCC][tags.0];
        let range = if tags.1 { ColorTags::FULL } else { ColorTags::LIMITED };
        let options = TensorOptions::new(output.0, output.1)
            .fit(Fit::ALL[fit])
            .scaling(if bilinear { Scaling::Bilinear } else { Scaling::Area })
            .layout(if nhwc { TensorLayout::Nhwc } else { TensorLayout::Nchw })
            .order(if bgr { ChannelOrder::Bgr } else { ChannelOrder::Rgb })
            .fill([10, 20, 30])
            .scale(1.0);
        assert_as_the_formula(format, size, &options, (space, range), seed);
    }
}

/// These have loops of their own.
#[test]
fn simple_ratios_are_as_the_formula_says() {
    for format in readable_formats() {
        for (n, (size, output)) in [
            ((60, 36), (20, 12)),
            ((60, 36), (20, 20)),
            ((48, 24), (24, 12)),
            ((48, 24), (8, 4)),
            ((40, 20), (8, 4)),
            ((36, 18), (24, 12)),
            ((33, 21), (11, 7)),
            ((20, 12), (20, 12)),
        ]
        .into_iter()
        .enumerate()
        {
            for scaling in Scaling::ALL {
                let options = TensorOptions::new(output.0, output.1)
                    .scaling(scaling)
                    .fit(if n == 2 { Fit::Crop } else { Fit::Letterbox })
                    .fill([10, 20, 30])
                    .scale(1.0);
                let tags = (ColorTags::BT709, ColorTags::LIMITED);
                assert_as_the_formula(format, size, &options, tags, n as u64 + 1);
            }
        }
    }
}

/// The picture with no sample beyond what limited range has: what becomes of those depends on when they
/// are clipped.
fn nominal(mut picture: AvFrame) -> AvFrame {
    let format = picture.format().unwrap();
    let component = format.components().unwrap()[0];
    let (low, high) = (16u16 << (component.depth - 8), 235u16 << (component.depth - 8));
    for (data, _) in picture.planes_mut().unwrap() {
        for sample in data.chunks_exact_mut(component.bytes()) {
            match sample {
                [byte] => *byte = (*byte).clamp(16, 235),
                [a, b] => {
                    let value = u16::from_ne_bytes([*a, *b]) >> component.shift;
                    [*a, *b] = (value.clamp(low, high) << component.shift).to_ne_bytes();
                }
                _ => {}
            }
        }
    }
    picture
}

/// Of the picture's own size it is the picture that everybody else sees.
#[test]
fn of_the_same_size_it_is_the_rgb_image() {
    let others = ["monow", "rgb565le", "yuv420p10be"];
    for format in FORMATS.into_iter().chain(others) {
        let (w, h) = (38, 22);
        let picture = match format {
            // For these libswscale makes the image, and mixes chroma from far away.
            "yuv410p" | "yuva420p" | "yuyv422" | "uyvy422" | "yuv420p10le" | "yuv422p10le"
            | "p010le" => {
                let format = PixFmt::named(format).unwrap();
                picture::convert(&nominal(noise("gray", w, h, 7)), format).unwrap()
            }
            _ if FORMATS.contains(&format) => nominal(noise(format, w, h, 7)),
            _ => {
                let format = PixFmt::named(format).unwrap();
                picture::convert(&noise("rgb24", w, h, 7), format).unwrap()
            }
        };
        let base = TimeBase::new(1, 25).unwrap();
        let frame = Frame::new(picture, base, 0, Arrival::now(), BufferPool::new(1));
        let options = TensorOptions::new(w, h).layout(TensorLayout::Nhwc);
        let (tensor, _) = frame.tensor::<u8>(&options).unwrap();
        let image = frame.image(PixelFormat::Rgb24).unwrap();
        let rows: Vec<u8> = image.planes()[0].iter_rows().flatten().copied().collect();
        // swscale, which makes the image of most of these formats, is off by a level or two.
        let off = tensor.iter().zip(&rows).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(off <= 3, "{format}: off by {off}");
    }
}

#[test]
fn values_are_normalised_channel_by_channel() {
    let picture = noise("rgb24", 8, 8, 3);
    let options =
        TensorOptions::new(8, 8).scale(1.0 / 255.0).mean([0.5, 0.4, 0.3]).std([0.1, 0.2, 0.4]);
    let plain: Vec<f32> = tensor(&picture, &TensorOptions::new(8, 8).scale(1.0), false);
    let made: Vec<f32> = tensor(&picture, &options, false);
    let halves: Vec<f16> = tensor(&picture, &options, false);
    for (n, ((plain, made), half)) in plain.iter().zip(&made).zip(&halves).enumerate() {
        let channel = n / 64;
        let expected = (plain / 255.0 - [0.5, 0.4, 0.3][channel]) / [0.1, 0.2, 0.4][channel];
        assert!((made - expected).abs() < 1e-5, "{made} for {expected}");
        assert!((half.to_f32() - expected).abs() < 5e-3, "{half} for {expected}");
    }
}

#[test]
fn a_region_is_what_a_second_model_looks_at() {
    let picture = noise("yuv444p", 32, 16, 5);
    let whole: Vec<f32> = tensor(&picture, &TensorOptions::new(32, 16), false);
    let options = TensorOptions::new(8, 4).region([4.0, 6.0, 12.0, 10.0]);
    let part: Vec<f32> = tensor(&picture, &options, false);
    for y in 0..4 {
        for x in 0..8 {
            assert!((part[y * 8 + x] - whole[(y + 6) * 32 + x + 4]).abs() < 1e-4);
        }
    }
    let transform = make(&picture, &options, &mut vec![0.0f32; 96], false).unwrap();
    assert_eq!(transform.to_frame([0.0, 0.0, 8.0, 4.0]), [4.0, 6.0, 12.0, 10.0]);
    assert_eq!(transform.to_frame([-900.0, 1.0, 900.0, 900.0]), [0.0, 7.0, 32.0, 16.0]);
    assert!(transform.point_to_frame([f64::NAN, 1.0])[0].is_nan());
}

#[test]
fn what_can_not_be_is_an_error() {
    let picture = noise("yuv420p", 16, 16, 1);
    let base = TimeBase::new(1, 25).unwrap();
    let frame = Frame::new(picture, base, 0, Arrival::now(), BufferPool::new(1));
    for (options, mentions) in [
        (TensorOptions::new(0, 4), "0x4"),
        (TensorOptions::new(4, 20_000), "4x20000"),
        (TensorOptions::new(4, 4).std([1.0, 0.0, 1.0]), "std is not 0"),
        (TensorOptions::new(4, 4).mean([f32::NAN, 0.0, 0.0]), "mean"),
        (TensorOptions::new(4, 4).scale(f32::INFINITY), "scale"),
        (TensorOptions::new(4, 4).region([20.0, 0.0, 30.0, 10.0]), "has nothing of a frame"),
        (TensorOptions::new(4, 4).region([f64::NAN, 0.0, 30.0, 10.0]), "has nothing of a frame"),
        (TensorOptions::new(4, 4).region([5.0, 5.0, 5.0, 9.0]), "has nothing of a frame"),
    ] {
        let error = frame.tensor::<f32>(&options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(mentions), "{error}");
    }
    let error = frame.tensor_into(&TensorOptions::new(4, 4), &mut [0u8; 47]).unwrap_err();
    assert!(error.to_string().contains("48 numbers, and there is room for 47"), "{error}");
}
