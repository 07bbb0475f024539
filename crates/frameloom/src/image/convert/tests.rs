use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;
use crate::image::{ImageError, PixelBuffer};

const MATRICES: [Matrix; 5] =
    [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m, Matrix::Fcc];
const RANGES: [Range; 2] = [Range::Limited, Range::Full];
const RGB_FORMATS: [PixelFormat; 4] =
    [PixelFormat::Rgb24, PixelFormat::Bgr24, PixelFormat::Rgba, PixelFormat::Bgra];
const BT709: ColorSpec = ColorSpec::new(Matrix::Bt709, Range::Limited);

/// The conversion by the book (ITU-T H.273), in floating point.
struct Reference {
    kr: f64,
    kb: f64,
    offset: f64,
    luma: f64,
    chroma: f64,
}

impl Reference {
    fn new(color: ColorSpec) -> Self {
        let (kr, kb) = match color.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
            Matrix::Smpte240m => (0.212, 0.087),
            Matrix::Fcc => (0.30, 0.11),
        };
        let (offset, luma, chroma) = match color.range {
            Range::Limited => (16.0, 219.0, 224.0),
            Range::Full => (0.0, 255.0, 255.0),
        };
        Self { kr, kb, offset, luma, chroma }
    }

    fn to_yuv(&self, [r, g, b]: [f64; 3]) -> [f64; 3] {
        let y = self.kr * r + (1.0 - self.kr - self.kb) * g + self.kb * b;
        let u = (b - y) / (2.0 * (1.0 - self.kb));
        let v = (r - y) / (2.0 * (1.0 - self.kr));
        [
            y * self.luma / 255.0 + self.offset,
            u * self.chroma / 255.0 + 128.0,
            v * self.chroma / 255.0 + 128.0,
        ]
        .map(|value| value.clamp(0.0, 255.0))
    }

    fn to_rgb(&self, [y, u, v]: [u8; 3]) -> [f64; 3] {
        let y = (f64::from(y) - self.offset) * 255.0 / self.luma;
        let u = (f64::from(u) - 128.0) * 255.0 / self.chroma;
        let v = (f64::from(v) - 128.0) * 255.0 / self.chroma;
        let r = y + 2.0 * (1.0 - self.kr) * v;
        let b = y + 2.0 * (1.0 - self.kb) * u;
        let g = (y - self.kr * r - self.kb * b) / (1.0 - self.kr - self.kb);
        [r, g, b].map(|value| value.clamp(0.0, 255.0))
    }
}

/// A picture in planes of their own, with padding that must survive.
#[derive(Debug, Clone)]
struct Planes {
    layout: YuvLayout,
    size: (u32, u32),
    planes: Vec<(Vec<u8>, usize)>,
}

const PADDING: u8 = 0xa5;

impl Planes {
    /// All padding; `whole` says whether the last row has its padding too.
    fn new(layout: YuvLayout, (width, height): (u32, u32), padding: usize, whole: bool) -> Self {
        let format = layout.format();
        let planes = (0..format.plane_count()).map(|plane| {
            let (row_bytes, rows) = format.plane_size(plane, width, height);
            let stride = row_bytes + padding;
            (vec![PADDING; stride * rows - if whole { 0 } else { padding }], stride)
        });
        Self { layout, size: (width, height), planes: planes.collect() }
    }

    fn filled(mut self, mut sample: impl FnMut(usize) -> u8) -> Self {
        let image = &mut self.yuv_mut(BT709);
        for (number, mut plane) in image.image_mut().planes_mut().into_iter().enumerate() {
            plane.iter_rows_mut().flatten().for_each(|byte| *byte = sample(number));
        }
        self
    }

    fn yuv(&self, color: ColorSpec) -> YuvImage<'_> {
        let planes: Vec<_> =
            self.planes.iter().map(|(data, stride)| (&data[..], *stride)).collect();
        YuvImage::new(self.layout, color, self.size.0, self.size.1, &planes).unwrap()
    }

    fn yuv_mut(&mut self, color: ColorSpec) -> YuvImageMut<'_> {
        let planes = self.planes.iter_mut().map(|(data, stride)| (&mut data[..], *stride));
        YuvImageMut::new(self.layout, color, self.size.0, self.size.1, planes).unwrap()
    }

    fn packed(&self) -> Vec<u8> {
        self.yuv(BT709).image().to_packed_vec()
    }

    /// The samples of a pixel; chroma is that of the pixel's block, 128 for gray.
    fn sample(&self, x: usize, y: usize) -> [u8; 3] {
        let yuv = self.yuv(BT709);
        let plane = |number| yuv.image().plane(number).unwrap();
        let (across, down) = block(self.layout);
        let (cx, cy) = (x / across, y / down);
        let luma = plane(0).row(y)[x];
        match self.layout {
            YuvLayout::Gray => [luma, 128, 128],
            YuvLayout::Yuv420p | YuvLayout::Yuv422p | YuvLayout::Yuv444p => {
                [luma, plane(1).row(cy)[cx], plane(2).row(cy)[cx]]
            }
            YuvLayout::Nv21 => [luma, plane(1).row(cy)[2 * cx + 1], plane(1).row(cy)[2 * cx]],
            _ => [luma, plane(1).row(cy)[2 * cx], plane(1).row(cy)[2 * cx + 1]],
        }
    }

    fn assert_padding_kept(&self) {
        for (plane, (data, stride)) in self.planes.iter().enumerate() {
            let (row_bytes, _) = self.layout.format().plane_size(plane, self.size.0, self.size.1);
            for row in data.chunks(*stride) {
                assert!(row[row_bytes..].iter().all(|&byte| byte == PADDING), "{:?}", self.layout);
            }
        }
    }
}

/// Pixels across and down that share a chroma sample.
fn block(layout: YuvLayout) -> (usize, usize) {
    match layout {
        YuvLayout::Yuv420p | YuvLayout::Nv12 | YuvLayout::Nv21 => (2, 2),
        YuvLayout::Yuv422p | YuvLayout::Nv16 => (2, 1),
        _ => (1, 1),
    }
}

/// Red, green, blue of a pixel of any RGB format.
fn rgb_of(format: PixelFormat, pixel: &[u8]) -> [u8; 3] {
    match format {
        PixelFormat::Rgb24 | PixelFormat::Rgba => [pixel[0], pixel[1], pixel[2]],
        _ => [pixel[2], pixel[1], pixel[0]],
    }
}

/// An RGB picture with padded rows.
#[derive(Debug, Clone)]
struct Rgb {
    format: PixelFormat,
    size: (u32, u32),
    data: Vec<u8>,
    stride: usize,
}

impl Rgb {
    fn new(format: PixelFormat, (width, height): (u32, u32), padding: usize, whole: bool) -> Self {
        let (row_bytes, rows) = format.plane_size(0, width, height);
        let stride = row_bytes + padding;
        let bytes = stride * rows - if whole { 0 } else { padding };
        Self { format, size: (width, height), data: vec![PADDING; bytes], stride }
    }

    fn image(&self) -> Image<'_> {
        Image::new(self.format, self.size.0, self.size.1, &[(&self.data, self.stride)]).unwrap()
    }

    fn image_mut(&mut self) -> ImageMut<'_> {
        let planes = [(&mut self.data[..], self.stride)];
        ImageMut::new(self.format, self.size.0, self.size.1, planes).unwrap()
    }

    fn assert_padding_kept(&self) {
        let (row_bytes, _) = self.format.plane_size(0, self.size.0, self.size.1);
        for row in self.data.chunks(self.stride) {
            assert!(row[row_bytes..].iter().all(|&byte| byte == PADDING), "{:?}", self.format);
        }
    }
}

/// A repeatable stream of samples within `range`.
fn noise(seed: u32, range: RangeInclusive<u8>) -> impl FnMut() -> u8 {
    let mut state = seed | 1;
    let span = u32::from(range.end() - range.start()) + 1;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        range.start() + ((state >> 8) % span) as u8
    }
}

/// A repeatable stream of samples for `Planes::filled`. Luma below black is left out: with chroma
/// beside it, it is no colour, and targets differ in what they make of it.
fn colour_noise(seed: u32, range: Range) -> impl FnMut(usize) -> u8 {
    let black = if range == Range::Limited { 16 } else { 0 };
    let (mut luma, mut chroma) = (noise(seed, black..=255), noise(!seed, 0..=255));
    move |plane| if plane == 0 { luma() } else { chroma() }
}

fn chroma_layouts() -> impl Iterator<Item = YuvLayout> {
    YuvLayout::ALL.iter().copied().filter(|&layout| layout != YuvLayout::Gray)
}

#[test]
fn known_colours() {
    use {Matrix::*, Range::*};
    let table = [
        (Bt709, Limited, [255, 0, 0], [63, 102, 240]),
        (Bt709, Limited, [0, 255, 0], [173, 42, 26]),
        (Bt709, Limited, [0, 0, 255], [32, 240, 118]),
        (Bt709, Limited, [255, 255, 255], [235, 128, 128]),
        (Bt709, Limited, [0, 0, 0], [16, 128, 128]),
        (Bt709, Full, [255, 255, 255], [255, 128, 128]),
        (Bt709, Full, [0, 255, 0], [182, 30, 12]),
        (Bt601, Limited, [255, 0, 0], [81, 90, 240]),
        (Bt601, Limited, [0, 255, 0], [145, 54, 34]),
        (Bt601, Limited, [0, 0, 255], [41, 240, 110]),
        (Bt601, Full, [255, 0, 0], [76, 85, 255]),
        (Bt601, Full, [0, 0, 255], [29, 255, 107]),
        (Bt2020, Limited, [255, 0, 0], [74, 97, 240]),
        (Smpte240m, Limited, [255, 0, 0], [62, 102, 240]),
        (Fcc, Limited, [0, 255, 0], [145, 54, 34]),
    ];
    for (matrix, range, rgb, yuv) in table {
        let color = ColorSpec::new(matrix, range);
        for layout in chroma_layouts() {
            for format in RGB_FORMATS {
                let mut picture = Rgb::new(format, (36, 18), 0, true);
                for pixel in picture.data.chunks_exact_mut(format.pixel_bytes()) {
                    let [r, g, b] = rgb_of(format, &rgb);
                    pixel[..3].copy_from_slice(&[r, g, b]);
                }
                let mut planes = Planes::new(layout, (36, 18), 0, true);
                packed_to_yuv(&picture.image(), &mut planes.yuv_mut(color)).unwrap();
                for (x, y) in [(0, 0), (35, 0), (0, 17), (35, 17), (13, 7)] {
                    assert_eq!(planes.sample(x, y), yuv, "{color} {layout} {format} {rgb:?}");
                }
                yuv_to_packed(&planes.yuv(color), &mut picture.image_mut()).unwrap();
                for pixel in picture.data.chunks_exact(format.pixel_bytes()) {
                    let back = rgb_of(format, pixel);
                    let error = back.iter().zip(rgb).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                    assert!(error <= 2, "{color} {layout} {format} {rgb:?} {back:?}");
                    assert!(pixel[3..].iter().all(|&alpha| alpha == 255));
                }
            }
        }
    }
}

/// Checks every pixel of a YUV picture against the reference.
fn assert_rgb_exact(planes: &Planes, color: ColorSpec, rgb: &Rgb) {
    let reference = Reference::new(color);
    for y in 0..rgb.size.1 {
        for x in 0..rgb.size.0 {
            let sample = planes.sample(x as usize, y as usize);
            let actual = rgb_of(rgb.format, rgb.image().pixel(x, y).unwrap());
            for (actual, exact) in actual.into_iter().zip(reference.to_rgb(sample)) {
                let error = (f64::from(actual) - exact).abs();
                let (layout, format) = (planes.layout, rgb.format);
                assert!(
                    error < 0.52,
                    "{color} {layout} {format} {x},{y} {sample:?} {actual} {exact}"
                );
            }
        }
    }
}

/// Checks every sample of a YUV picture against the reference, chroma against the mean of the
/// pixels it covers.
fn assert_yuv_exact(rgb: &Rgb, color: ColorSpec, planes: &Planes) {
    let reference = Reference::new(color);
    let (across, down) = block(planes.layout);
    let (width, height) = (rgb.size.0 as usize, rgb.size.1 as usize);
    let pixel = |x: usize, y: usize| {
        rgb_of(rgb.format, rgb.image().pixel(x as u32, y as u32).unwrap()).map(f64::from)
    };
    for y in 0..height {
        for x in 0..width {
            let actual = planes.sample(x, y).map(f64::from);
            let luma = reference.to_yuv(pixel(x, y))[0];
            assert!((actual[0] - luma).abs() < 0.52, "{color} {} {x},{y} luma", planes.layout);
            if planes.layout == YuvLayout::Gray || x % across != 0 || y % down != 0 {
                continue;
            }
            let covered: Vec<_> = (y..height.min(y + down))
                .flat_map(|y| (x..width.min(x + across)).map(move |x| (x, y)))
                .map(|(x, y)| pixel(x, y))
                .collect();
            let mean = |c: usize| covered.iter().map(|p| p[c]).sum::<f64>() / covered.len() as f64;
            let exact = reference.to_yuv([mean(0), mean(1), mean(2)]);
            // Means are rounded before they are weighed.
            let bound = if covered.len() == 1 { 0.52 } else { 1.3 };
            for c in [1, 2] {
                let error = (actual[c] - exact[c]).abs();
                assert!(error < bound, "{color} {} {x},{y} chroma {error}", planes.layout);
            }
        }
    }
}

#[test]
fn every_pair_is_exact_in_every_colour_space() {
    for matrix in MATRICES {
        for color in RANGES.map(|range| ColorSpec::new(matrix, range)) {
            for layout in YuvLayout::ALL.iter().copied() {
                for format in RGB_FORMATS {
                    let size = (101, 35);
                    let planes =
                        Planes::new(layout, size, 3, false).filled(colour_noise(7, color.range));
                    let mut rgb = Rgb::new(format, size, 5, false);
                    yuv_to_packed(&planes.yuv(color), &mut rgb.image_mut()).unwrap();
                    assert_rgb_exact(&planes, color, &rgb);

                    let mut back = Planes::new(layout, size, 3, false);
                    let mut next = noise(5, 0..=255);
                    rgb.data.iter_mut().for_each(|byte| *byte = next());
                    packed_to_yuv(&rgb.image(), &mut back.yuv_mut(color)).unwrap();
                    assert_yuv_exact(&rgb, color, &back);
                }
            }
        }
    }
}

#[test]
fn gray_is_the_luma_in_full_range() {
    let limited = Planes::new(YuvLayout::Nv12, (6, 1), 0, true);
    let mut luma = [16, 235, 0, 255, 126, 86].into_iter();
    let limited = limited.filled(|plane| if plane == 0 { luma.next().unwrap() } else { 20 });
    let mut gray = PixelBuffer::new(PixelFormat::Gray, 6, 1).unwrap();
    yuv_to_packed(&limited.yuv(BT709), &mut gray.image_mut()).unwrap();
    assert_eq!(gray.as_slice(), [0, 255, 0, 255, 128, 82]);

    let full = ColorSpec::new(Matrix::Bt709, Range::Full);
    yuv_to_packed(&limited.yuv(full), &mut gray.image_mut()).unwrap();
    assert_eq!(gray.as_slice(), [16, 235, 0, 255, 126, 86]);

    let mut back = Planes::new(YuvLayout::Yuv420p, (6, 1), 0, true);
    gray.as_mut_slice().copy_from_slice(&[0, 255, 1, 254, 128, 82]);
    packed_to_yuv(&gray.image(), &mut back.yuv_mut(BT709)).unwrap();
    assert_eq!(back.planes[0].0, [16, 235, 17, 234, 126, 86]);
    assert_eq!((&back.planes[1].0[..], &back.planes[2].0[..]), (&[128; 3][..], &[128; 3][..]));
    packed_to_yuv(&gray.image(), &mut back.yuv_mut(full)).unwrap();
    assert_eq!(back.planes[0].0, [0, 255, 1, 254, 128, 82]);
}

#[test]
fn interleaved_layouts_look_like_planar_ones() {
    use YuvLayout::*;
    let pairs = [(Yuv420p, Nv12), (Yuv420p, Nv21), (Nv12, Nv21), (Yuv422p, Nv16), (Yuv444p, Nv24)];
    for (a, b) in pairs {
        let mut next = noise(3, 0..=255);
        let one = Planes::new(a, (37, 19), 4, false).filled(|_| next());
        let mut other = Planes::new(b, (37, 19), 9, true);
        repack(&one.yuv(BT709), &mut other.yuv_mut(BT709)).unwrap();
        other.assert_padding_kept();
        let views = [&one, &other].map(|planes| {
            let mut view = PixelBuffer::new(PixelFormat::Rgb24, 37, 19).unwrap();
            yuv_to_packed(&planes.yuv(BT709), &mut view.image_mut()).unwrap();
            view
        });
        assert_eq!(views[0].as_slice(), views[1].as_slice(), "{a} {b}");

        // The YUV view of a frame is the same repacking, there and back.
        let mut view = PixelBuffer::new(b.format(), 37, 19).unwrap();
        yuv_to_packed(&one.yuv(BT709), &mut view.image_mut()).unwrap();
        assert_eq!(view.as_slice(), other.packed());
        let mut again = Planes::new(a, (37, 19), 1, false);
        packed_to_yuv(&view.image(), &mut again.yuv_mut(BT709)).unwrap();
        assert_eq!(again.packed(), one.packed());
    }
}

#[test]
fn alpha_is_opaque_and_then_ignored() {
    let planes = Planes::new(YuvLayout::Nv12, (33, 3), 0, true).filled(|_| 100);
    for format in [PixelFormat::Rgba, PixelFormat::Bgra] {
        let mut rgba = PixelBuffer::new(format, 33, 3).unwrap();
        yuv_to_packed(&planes.yuv(BT709), &mut rgba.image_mut()).unwrap();
        assert!(rgba.as_slice().iter().skip(3).step_by(4).all(|&alpha| alpha == 255));
        let encode = |rgba: &PixelBuffer| {
            let mut back = Planes::new(YuvLayout::Yuv420p, (33, 3), 0, true);
            packed_to_yuv(&rgba.image(), &mut back.yuv_mut(BT709)).unwrap();
            back.packed()
        };
        let opaque = encode(&rgba);
        rgba.as_mut_slice().iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 0);
        assert_eq!(encode(&rgba), opaque);
    }
}

#[test]
fn wrong_sizes_and_pairs_are_errors() {
    let planes = Planes::new(YuvLayout::Yuv420p, (8, 8), 0, true);
    let mut rgb = Rgb::new(PixelFormat::Rgb24, (8, 7), 0, true);
    let size = ConvertError::Size { from: (8, 8), to: (8, 7) };
    assert_eq!(yuv_to_packed(&planes.yuv(BT709), &mut rgb.image_mut()), Err(size.clone()));
    assert_eq!(size.to_string(), "can't convert 8x8 pixels to 8x7: nothing is scaled here");

    let mut other = Planes::new(YuvLayout::Yuv444p, (8, 8), 0, true);
    let subsampling =
        ConvertError::Unsupported { from: PixelFormat::Yuv420p, to: PixelFormat::Yuv444p };
    assert_eq!(repack(&planes.yuv(BT709), &mut other.yuv_mut(BT709)), Err(subsampling.clone()));
    let mut view = PixelBuffer::new(PixelFormat::Yuv444p, 8, 8).unwrap();
    assert_eq!(yuv_to_packed(&planes.yuv(BT709), &mut view.image_mut()), Err(subsampling));

    let full = ColorSpec::new(Matrix::Bt709, Range::Full);
    let mut nv12 = Planes::new(YuvLayout::Nv12, (8, 8), 0, true);
    let color = ConvertError::Color { from: BT709, to: full };
    assert_eq!(repack(&planes.yuv(BT709), &mut nv12.yuv_mut(full)), Err(color));

    let short = YuvImage::new(YuvLayout::Nv12, BT709, 4, 4, &[(&[0; 16], 4), (&[0; 7], 4)]);
    let needed = ImageError::PlaneLength { plane: 1, needed: 8, actual: 7 };
    assert_eq!(short.unwrap_err(), needed);
    assert!(YuvImage::from_image(rgb.image(), BT709).is_none());
    assert!(YuvImageMut::from_image(rgb.image_mut(), BT709).is_none());
}

#[test]
fn support_is_what_works() {
    for layout in YuvLayout::ALL.iter().copied() {
        assert_eq!(YuvLayout::from_format(layout.format()), Some(layout));
        for format in PixelFormat::ALL.iter().copied() {
            let mut planes = Planes::new(layout, (5, 3), 0, true);
            let mut view = PixelBuffer::new(format, 5, 3).unwrap();
            let there = yuv_to_packed(&planes.yuv(BT709), &mut view.image_mut());
            let back = packed_to_yuv(&view.image(), &mut planes.yuv_mut(BT709));
            let expected = supports(layout, format);
            assert_eq!((there.is_ok(), back.is_ok()), (expected, expected), "{layout} {format}");
        }
    }
}

/// Widths on both sides of the SIMD steps and heights on both sides of the bands.
fn sizes() -> impl Strategy<Value = (u32, u32)> {
    (1..=67_u32, 1..=67_u32)
}

fn colors() -> impl Strategy<Value = ColorSpec> {
    (prop::sample::select(&MATRICES[..]), prop::sample::select(&RANGES[..]))
        .prop_map(|(matrix, range)| ColorSpec::new(matrix, range))
}

/// The pairs of a layout and a view of it that `wanted` lets through.
fn pairs(
    wanted: impl Fn(YuvLayout, PixelFormat) -> bool,
) -> impl Strategy<Value = (YuvLayout, PixelFormat)> {
    let formats = |layout| PixelFormat::ALL.iter().map(move |&format| (layout, format));
    let mut pairs: Vec<_> = YuvLayout::ALL.iter().flat_map(|&layout| formats(layout)).collect();
    pairs.retain(|&(layout, format)| wanted(layout, format));
    prop::sample::select(pairs)
}

proptest! {
    #[test]
    fn strides_change_nothing_and_padding_is_kept(
        size in sizes(),
        (layout, format) in pairs(|_, format| !format.is_yuv()),
        color in colors(),
        (padding, whole) in (0..=70_usize, any::<bool>()),
        (view_padding, view_whole) in (0..=70_usize, any::<bool>()),
        seed in any::<u32>(),
    ) {
        let planes =
            Planes::new(layout, size, padding, whole).filled(colour_noise(seed, color.range));
        let mut view = Rgb::new(format, size, view_padding, view_whole);
        yuv_to_packed(&planes.yuv(color), &mut view.image_mut()).unwrap();
        view.assert_padding_kept();
        if format != PixelFormat::Gray {
            assert_rgb_exact(&planes, color, &view);
        }

        let packed = planes.packed();
        let mut tight = PixelBuffer::new(format, size.0, size.1).unwrap();
        let tight_planes = Image::packed(layout.format(), size.0, size.1, &packed).unwrap();
        yuv_to_packed(&YuvImage::from_image(tight_planes, color).unwrap(), &mut tight.image_mut())
            .unwrap();
        prop_assert_eq!(view.image().to_packed_vec(), tight.as_slice());

        let mut back = Planes::new(layout, size, padding, whole);
        packed_to_yuv(&view.image(), &mut back.yuv_mut(color)).unwrap();
        back.assert_padding_kept();
        if format != PixelFormat::Gray {
            assert_yuv_exact(&view, color, &back);
        }
        let mut tight_back = PixelBuffer::new(layout.format(), size.0, size.1).unwrap();
        let mut tight_yuv = YuvImageMut::from_image(tight_back.image_mut(), color).unwrap();
        packed_to_yuv(&tight.image(), &mut tight_yuv).unwrap();
        prop_assert_eq!(back.packed(), tight_back.as_slice());
    }

    #[test]
    fn colours_that_rgb_has_survive_the_round_trip(
        size in sizes(),
        layout in prop::sample::select(YuvLayout::ALL),
        format in prop::sample::select(&RGB_FORMATS[..]),
        color in colors(),
        seed in any::<u32>(),
    ) {
        let (mut luma, mut chroma) = (noise(seed, 60..=195), noise(!seed, 112..=144));
        let planes = Planes::new(layout, size, 0, true)
            .filled(|plane| if plane == 0 { luma() } else { chroma() });
        let mut view = PixelBuffer::new(format, size.0, size.1).unwrap();
        yuv_to_packed(&planes.yuv(color), &mut view.image_mut()).unwrap();
        let mut back = Planes::new(layout, size, 0, true);
        packed_to_yuv(&view.image(), &mut back.yuv_mut(color)).unwrap();
        for (before, after) in planes.packed().into_iter().zip(back.packed()) {
            prop_assert!(before.abs_diff(after) <= 1, "{} {} {}: {} {}", color, layout, format, before, after);
        }
    }

    #[test]
    fn repacking_loses_nothing(
        size in sizes(),
        (from, to) in pairs(|from, to| {
            YuvLayout::from_format(to).is_some_and(|to| to.subsampling() == from.subsampling())
        }),
        (padding, whole) in (0..=70_usize, any::<bool>()),
        seed in any::<u32>(),
    ) {
        let to = YuvLayout::from_format(to).unwrap();
        let mut next = noise(seed, 0..=255);
        let planes = Planes::new(from, size, padding, whole).filled(|_| next());
        let mut there = Planes::new(to, size, 70 - padding, !whole);
        repack(&planes.yuv(BT709), &mut there.yuv_mut(BT709)).unwrap();
        there.assert_padding_kept();
        for (x, y) in [(0, 0), (size.0 as usize - 1, size.1 as usize - 1)] {
            prop_assert_eq!(there.sample(x, y), planes.sample(x, y));
        }
        let mut back = Planes::new(from, size, 1, true);
        repack(&there.yuv(BT709), &mut back.yuv_mut(BT709)).unwrap();
        prop_assert_eq!(back.packed(), planes.packed());
    }
}
