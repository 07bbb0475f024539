//! From a picture to what a model reads, in one pass over the codec's planes.
//!
//! A sample of the tensor is made in three steps, with no rounding between them:
//!
//! 1. Luma and chroma are scaled, each from its own samples, by [`Scaling`]: a chroma sample stands for
//!    all pixels that share it.
//! 2. Red, green and blue come of them by the frame's own matrix and range, as 0 to 255, clipped.
//! 3. `(value * scale - mean) / std`, for each channel.

mod color;
mod element;
mod geometry;
#[cfg(test)]
pub(crate) mod tests;

use std::cell::RefCell;

pub use element::TensorElement;
pub use geometry::{Fit, Transform};

use crate::av::{AvFrame, Component, PixFmt};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::image::picture;
use crate::image::resample::{PlaneComponent, PlaneScaler, PlaneSource, ROWS, Region, Scaling};
use crate::image::simd::{self, Kernel, add_product};
use color::ToRgb;
use geometry::{Placement, place};

/// The order of a tensor's axes. A tensor has one picture, so its first axis, N, is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TensorLayout {
    /// A plane for each channel: what most models in PyTorch and ONNX read.
    #[default]
    Nchw,
    /// The channels of a pixel side by side: what TensorFlow's read.
    Nhwc,
}

/// The order of a tensor's channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red: what models trained with OpenCV read.
    Bgr,
}

/// The widest and highest tensor, in pixels.
const MOST_PIXELS: u32 = 16_384;

/// What a tensor is to be like.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorOptions {
    width: u32,
    height: u32,
    fit: Fit,
    fill: [u8; 3],
    scaling: Scaling,
    layout: TensorLayout,
    order: ChannelOrder,
    scale: Option<f32>,
    mean: [f32; 3],
    std: [f32; 3],
    region: Option<[f64; 4]>,
}

impl TensorOptions {
    /// A tensor of `width` by `height` pixels: the picture in its own shape on gray bars, NCHW, RGB,
    /// with values from 0 to 1 (0 to 255 for `u8`).
    pub fn new(width: u32, height: u32) -> TensorOptions {
        TensorOptions {
            width,
            height,
            fit: Fit::default(),
            fill: [114; 3],
            scaling: Scaling::default(),
            layout: TensorLayout::default(),
            order: ChannelOrder::default(),
            scale: None,
            mean: [0.0; 3],
            std: [1.0; 3],
            region: None,
        }
    }

    /// What becomes of a picture of another shape. The default is [`Fit::Letterbox`].
    pub fn fit(mut self, fit: Fit) -> TensorOptions {
        self.fit = fit;
        self
    }

    /// The colour of the bars, as red, green and blue. The default is 114 of each, which the YOLO
    /// family was trained with. The bars are normalised as the picture is.
    pub fn fill(mut self, fill: [u8; 3]) -> TensorOptions {
        self.fill = fill;
        self
    }

    /// How pixels of another size are made. The default is [`Scaling::Area`].
    pub fn scaling(mut self, scaling: Scaling) -> TensorOptions {
        self.scaling = scaling;
        self
    }

    /// The order of axes. The default is [`TensorLayout::Nchw`].
    pub fn layout(mut self, layout: TensorLayout) -> TensorOptions {
        self.layout = layout;
        self
    }

    /// The order of channels. The default is [`ChannelOrder::Rgb`].
    pub fn order(mut self, order: ChannelOrder) -> TensorOptions {
        self.order = order;
        self
    }

    /// What pixel values of 0 to 255 are multiplied with. The default is
    /// [`TensorElement::SCALE`].
    pub fn scale(mut self, scale: f32) -> TensorOptions {
        self.scale = Some(scale);
        self
    }

    /// What is taken from each channel, in the tensor's order, after the scale. The default is 0.
    pub fn mean(mut self, mean: [f32; 3]) -> TensorOptions {
        self.mean = mean;
        self
    }

    /// What each channel is divided by, in the tensor's order, after the mean was taken from it. The
    /// default is 1.
    pub fn std(mut self, std: [f32; 3]) -> TensorOptions {
        self.std = std;
        self
    }

    /// The part of the picture that is taken, as left, top, right and bottom in pixels: for a second
    /// model that looks at what a first one found. What lies outside the picture is left out. The
    /// default is the whole.
    pub fn region(mut self, region: [f64; 4]) -> TensorOptions {
        self.region = Some(region);
        self
    }

    /// How many numbers the tensor has.
    pub fn length(&self) -> usize {
        3 * self.width as usize * self.height as usize
    }

    /// Its axes: N, C, H, W or N, H, W, C.
    pub fn shape(&self) -> [usize; 4] {
        let (w, h) = (self.width as usize, self.height as usize);
        match self.layout {
            TensorLayout::Nchw => [1, 3, h, w],
            TensorLayout::Nhwc => [1, h, w, 3],
        }
    }

    /// Refuses what can't be a tensor, before there is memory for it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a size of 0 or above 16,384 pixels, and for numbers that are not finite.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Usage, Stage::Convert, what));
        let (w, h) = (self.width, self.height);
        if !(1..=MOST_PIXELS).contains(&w) || !(1..=MOST_PIXELS).contains(&h) {
            return wrong(format!(
                "a tensor is 1 to {MOST_PIXELS} pixels wide and high, not {w}x{h}"
            ));
        }
        let numbers = self.mean.iter().chain(&self.std).chain(&self.scale);
        if !numbers.copied().all(f32::is_finite) || self.std.contains(&0.0) {
            return wrong("scale, mean and std are numbers, and std is not 0".to_owned());
        }
        Ok(())
    }

    /// The part of a picture that is taken.
    fn part(&self, width: u32, height: u32) -> Result<Region> {
        let (w, h) = (f64::from(width), f64::from(height));
        let Some([left, top, right, bottom]) = self.region else {
            return Ok(Region { x: 0.0, y: 0.0, width: w, height: h });
        };
        let (x, y) = (left.clamp(0.0, w), top.clamp(0.0, h));
        let (width, height) = (right.clamp(0.0, w) - x, bottom.clamp(0.0, h) - y);
        if width > 0.0 && height > 0.0 {
            return Ok(Region { x, y, width, height });
        }
        let cause = format!(
            "the region {left}, {top}, {right}, {bottom} has nothing of a frame of {w}x{h}"
        );
        Err(Error::new(ErrorKind::Usage, Stage::Convert, cause))
    }
}

impl Frame {
    /// The picture as a model reads it, and the way back to the picture: scaled, in RGB, normalised and
    /// laid out in one pass over the codec's own planes. Formats whose samples have 8 to 16 bits are
    /// read as they are; others are converted first, which costs more.
    ///
    /// ```no_run
    /// use frameloom::{Reader, TensorOptions};
    ///
    /// # fn main() -> frameloom::Result<()> {
    /// let options = TensorOptions::new(640, 640);
    /// for frame in Reader::open("clip.mp4")? {
    ///     let (tensor, transform) = frame?.tensor::<f32>(&options)?;
    ///     assert_eq!(tensor.len(), 3 * 640 * 640);
    ///     // What a model found at these places of the tensor lies here in the picture.
    ///     println!("{:?}", transform.to_frame([100.0, 200.0, 180.0, 260.0]));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a size of 0 or above 16,384 pixels, numbers that are not finite and a
    /// region outside the picture; [`ErrorKind::InvalidData`] for a picture that can't be converted.
    pub fn tensor<T: TensorElement>(&self, options: &TensorOptions) -> Result<(Vec<T>, Transform)> {
        options.check()?;
        let mut out = vec![T::default(); options.length()];
        let transform = self.tensor_into(options, &mut out)?;
        Ok((out, transform))
    }

    /// As [`Frame::tensor`], into memory of your own, so that a batch is filled in place.
    ///
    /// # Errors
    /// As [`Frame::tensor`], and [`ErrorKind::Usage`] where `out` has not
    /// [`TensorOptions::length`] numbers.
    pub fn tensor_into<T: TensorElement>(
        &self,
        options: &TensorOptions,
        out: &mut [T],
    ) -> Result<Transform> {
        options.check()?;
        if out.len() != options.length() {
            let (length, given) = (options.length(), out.len());
            let cause = format!("the tensor has {length} numbers, and there is room for {given}");
            return Err(Error::new(ErrorKind::Usage, Stage::Convert, cause));
        }
        make(self.current()?, options, out, false)
    }
}

thread_local! {
    // Making the tables costs as much as a small tensor; a thread makes tensors of one kind, or of few.
    static MAKERS: RefCell<Vec<TensorMaker>> = const { RefCell::new(Vec::new()) };
}

/// Tables that a thread keeps.
const KEPT: usize = 4;

fn make<T: TensorElement>(
    picture: &AvFrame,
    options: &TensorOptions,
    out: &mut [T],
    plain: bool,
) -> Result<Transform> {
    if !picture.is_plain() {
        let picture = picture.to_plain().map_err(|e| e.in_stage(Stage::Convert))?;
        return make(&picture, options, out, plain);
    }
    let format = picture.format().ok_or_else(crate::image::no_view)?;
    let Some(components) = components(format) else {
        // All that such a format holds goes into it.
        let name = if format.depth() > 8 { "gbrp16le" } else { "rgb24" };
        let whole = PixFmt::named(name).ok_or_else(crate::image::no_view)?;
        return make(&picture::convert(picture, whole)?, options, out, plain);
    };
    let size = (picture.width(), picture.height());
    let placed = place(
        options.part(size.0, size.1)?,
        (options.width as usize, options.height as usize),
        options.fit,
    );
    let kind = Kind { format, size, placed, scaling: options.scaling };
    let mut kept = MAKERS.with(RefCell::take);
    let maker = match kept.iter().position(|maker| maker.kind == kind) {
        Some(place) => kept.remove(place),
        None => TensorMaker::new(kind, &components),
    };
    kept.truncate(KEPT - 1);
    kept.insert(0, maker);
    let made = kept.first_mut().map_or_else(
        || Err(crate::image::no_view()),
        |maker| maker.make(picture, &components, options, out, plain),
    );
    MAKERS.with(|makers| makers.replace(kept));
    made?;
    Ok(Transform::of(&placed, size))
}

/// The components of a format that are colours, where they can be read as they are.
fn components(format: PixFmt) -> Option<Vec<Component>> {
    let mut components = format.components()?;
    let colours = if format.is_gray() { 1 } else { 3 };
    components.truncate(colours);
    let first = *components.first()?;
    let is_even =
        |c: &Component| (c.depth, c.shift, c.bytes()) == (first.depth, first.shift, first.bytes());
    (components.len() == colours && components.iter().all(is_even)).then_some(components)
}

/// Pictures for which the tables are the same.
#[derive(Clone, Debug, PartialEq)]
struct Kind {
    format: PixFmt,
    size: (u32, u32),
    placed: Placement,
    scaling: Scaling,
}

/// Makes tensors of pictures of one kind.
struct TensorMaker {
    kind: Kind,
    /// Each with its number in the picture.
    planes: Vec<(usize, PlaneScaler)>,
    /// Where each component comes from: the place in `planes`, and that within it.
    sources: Vec<(usize, usize)>,
    row: [Vec<f32>; 3],
}

impl TensorMaker {
    fn new(kind: Kind, components: &[Component]) -> TensorMaker {
        let shift = kind.format.chroma_shift();
        let is_rgb = kind.format.is_rgb();
        let log2 = |n: usize| if n == 0 || is_rgb { (0, 0) } else { shift };
        let mut numbers: Vec<usize> = components.iter().map(|c| c.plane).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let region = kind.placed.region;
        let mut sources = vec![(0, 0); components.len()];
        let mut planes = Vec::new();
        for (place, number) in numbers.into_iter().enumerate() {
            let mut within = Vec::new();
            for (n, component) in components.iter().enumerate() {
                if component.plane == number {
                    if let Some(source) = sources.get_mut(n) {
                        *source = (place, within.len());
                    }
                    within.push(PlaneComponent {
                        samples: *component,
                        log2: log2(n),
                        part: (region.x, region.x + region.width),
                        columns: kind.placed.width,
                    });
                }
            }
            let size = (kind.size.0 as usize, kind.size.1 as usize);
            let (part, rows) = ((region.y, region.y + region.height), kind.placed.height);
            let scaler = PlaneScaler::new(&within, size, part, rows, kind.scaling);
            planes.push((number, scaler));
        }
        let row = std::array::from_fn(|_| vec![0.0; kind.placed.width]);
        TensorMaker { kind, planes, sources, row }
    }

    fn make<T: TensorElement>(
        &mut self,
        picture: &AvFrame,
        components: &[Component],
        options: &TensorOptions,
        out: &mut [T],
        plain: bool,
    ) -> Result<()> {
        let first = components.first().ok_or_else(crate::image::no_view)?;
        let to_rgb = match self.kind.format.is_rgb() {
            true => ToRgb::of_rgb(*first),
            false => {
                let color = picture::color_of(picture.colors(), self.kind.format);
                ToRgb::of_yuv(color, *first, components.len() == 1)
            }
        };
        let normal = Normalise::of::<T>(options);
        let channels = normal.channels(&to_rgb, options.order);
        let mut target = Target { out, options, normal, placed: self.kind.placed };
        target.fill();
        let mut y = 0;
        while y < self.kind.placed.height {
            for (number, scaler) in &mut self.planes {
                let (data, stride) = picture.plane(*number).ok_or_else(crate::image::no_view)?;
                if !scaler.make(PlaneSource { data, stride }, y, plain) {
                    return Err(crate::image::no_view());
                }
            }
            for row in 0..ROWS.min(self.kind.placed.height - y) {
                let samples = std::array::from_fn(|n| {
                    let source = self.sources.get(n).or(self.sources.first());
                    let (plane, within) = source.copied().unwrap_or_default();
                    self.planes.get(plane).map_or(&[][..], |(_, plane)| plane.row(within, row))
                });
                let job =
                    Row { samples, channels, row: &mut self.row, target: &mut target, y: y + row };
                if plain { simd::run_plain(job) } else { simd::run(job) }
            }
            y += ROWS;
        }
        Ok(())
    }
}

/// What becomes of red, green and blue of 0 to 255.
#[derive(Clone, Copy)]
struct Normalise {
    factor: [f32; 3],
    add: [f32; 3],
}

impl Normalise {
    fn of<T: TensorElement>(options: &TensorOptions) -> Normalise {
        let scale = options.scale.unwrap_or(T::SCALE);
        let each = |n: usize| (scale / options.std[n], -options.mean[n] / options.std[n]);
        Normalise {
            factor: std::array::from_fn(|n| each(n).0),
            add: std::array::from_fn(|n| each(n).1),
        }
    }

    /// The same of the codec's samples.
    fn channels(&self, to_rgb: &ToRgb, order: ChannelOrder) -> [Channel; 3] {
        std::array::from_fn(|n| {
            let (factor, offset) = (self.factor[n], self.add[n]);
            let of = match order {
                ChannelOrder::Rgb => n,
                ChannelOrder::Bgr => 2 - n,
            };
            let (black, white) = (offset, offset + 255.0 * factor);
            Channel {
                factors: to_rgb.factors[of].map(|of_sample| of_sample * factor),
                add: to_rgb.add[of] * factor + offset,
                low: black.min(white),
                high: black.max(white),
            }
        })
    }
}

/// How a channel of the tensor is made of the codec's samples.
#[derive(Clone, Copy)]
struct Channel {
    factors: [f32; 3],
    add: f32,
    /// What black and white become, the lower one first: nothing lies beyond.
    low: f32,
    high: f32,
}

impl Channel {
    #[inline(always)]
    fn of<const FUSED: bool>(&self, samples: [f32; 3]) -> f32 {
        let mut value = self.add;
        for (factor, sample) in self.factors.into_iter().zip(samples) {
            value = add_product::<FUSED>(value, factor, sample);
        }
        // In contrast to `clamp` this can't panic, whatever numbers the caller gave; `max` and `min` take
        // longer.
        let value = if value < self.low { self.low } else { value };
        if value > self.high { self.high } else { value }
    }
}

/// Makes a row of each channel.
#[inline(always)]
fn mix<const FUSED: bool>(samples: [&[f32]; 3], channels: &[Channel; 3], out: [&mut [f32]; 3]) {
    let [a, b, c] = out;
    let length = a.len();
    let (b, c) = (&mut b[..length], &mut c[..length]);
    let samples = samples.map(|row| &row[..length]);
    for x in 0..length {
        let samples = [samples[0][x], samples[1][x], samples[2][x]];
        a[x] = channels[0].of::<FUSED>(samples);
        b[x] = channels[1].of::<FUSED>(samples);
        c[x] = channels[2].of::<FUSED>(samples);
    }
}

/// The tensor that is being made.
struct Target<'a, T> {
    out: &'a mut [T],
    options: &'a TensorOptions,
    normal: Normalise,
    placed: Placement,
}

impl<T: TensorElement> Target<'_, T> {
    /// The numbers of the bars.
    fn bars(&self) -> [T; 3] {
        let [red, green, blue] = self.options.fill;
        let fill = match self.options.order {
            ChannelOrder::Rgb => [red, green, blue],
            ChannelOrder::Bgr => [blue, green, red],
        };
        let normal = &self.normal;
        std::array::from_fn(|n| T::of(f32::from(fill[n]) * normal.factor[n] + normal.add[n]))
    }

    /// Fills what the picture leaves free.
    fn fill(&mut self) {
        let (width, bars) = (self.options.width as usize, self.bars());
        let Placement { left, top, width: inner, height, .. } = self.placed;
        let right = left + inner;
        let fill_row = |y: usize, row: &mut [T], step: usize, values: &[T]| {
            let is_bar = y < top || y >= top + height;
            let (before, after) = if is_bar { (width, width) } else { (left, right) };
            if let [value] = values {
                row[..before].fill(*value);
                return row[after..].fill(*value);
            }
            for pixel in row.chunks_exact_mut(step).take(before) {
                pixel.copy_from_slice(values);
            }
            for pixel in row.chunks_exact_mut(step).skip(after) {
                pixel.copy_from_slice(values);
            }
        };
        match self.options.layout {
            TensorLayout::Nchw => {
                let plane = self.options.length() / 3;
                for (plane, value) in self.out.chunks_exact_mut(plane).zip(bars) {
                    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
                        fill_row(y, row, 1, &[value]);
                    }
                }
            }
            TensorLayout::Nhwc => {
                for (y, row) in self.out.chunks_exact_mut(3 * width).enumerate() {
                    fill_row(y, row, 3, &bars);
                }
            }
        }
    }
}

/// One row of the tensor, of the scaled samples.
struct Row<'a, 'b, T> {
    samples: [&'a [f32]; 3],
    channels: [Channel; 3],
    row: &'a mut [Vec<f32>; 3],
    target: &'a mut Target<'b, T>,
    y: usize,
}

impl<T: TensorElement> Kernel for Row<'_, '_, T> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Target { out, options, placed, .. } = self.target;
        let length = placed.width;
        let width = options.width as usize;
        let y = placed.top + self.y;
        let plane = width * options.height as usize;
        let begin = y * width + placed.left;
        let planes = options.layout == TensorLayout::Nchw;
        if let Some(out) = T::floats(out).filter(|_| planes) {
            let (a, out) = out.split_at_mut(plane);
            let (b, c) = out.split_at_mut(plane);
            let rows = [a, b, c].map(|plane| &mut plane[begin..begin + length]);
            return mix::<FUSED>(self.samples, &self.channels, rows);
        }
        let rows = self.row.each_mut().map(|row| &mut row[..length]);
        mix::<FUSED>(self.samples, &self.channels, rows);
        match options.layout {
            TensorLayout::Nchw => {
                for (row, out) in self.row.iter().zip(out.chunks_exact_mut(plane)) {
                    T::write(&row[..length], &mut out[begin..begin + length]);
                }
            }
            TensorLayout::Nhwc => {
                let begin = (y * width + placed.left) * 3;
                let pixels = out[begin..begin + 3 * length].as_chunks_mut::<3>().0;
                let [a, b, c] = self.row.each_ref().map(|row| &row[..length]);
                for (x, pixel) in pixels.iter_mut().enumerate() {
                    *pixel = [T::of(a[x]), T::of(b[x]), T::of(c[x])];
                }
            }
        }
    }
}
