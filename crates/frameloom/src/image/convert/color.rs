//! What the samples of a YUV picture mean, and YUV pictures that know it.

use std::fmt;

use yuv::{YuvRange, YuvStandardMatrix};

use crate::image::{Image, ImageError, ImageMut, PixelFormat};

/// How red, green and blue weigh in luma and chroma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601 (also BT.470 BG, SMPTE 170M): standard definition, JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance: ultra-high definition.
    Bt2020,
    /// SMPTE 240M: early high definition.
    Smpte240m,
    /// FCC Title 47 (1953 NTSC).
    Fcc,
}

impl Matrix {
    pub(super) fn to_yuv(self) -> YuvStandardMatrix {
        match self {
            Self::Bt601 => YuvStandardMatrix::Bt601,
            Self::Bt709 => YuvStandardMatrix::Bt709,
            Self::Bt2020 => YuvStandardMatrix::Bt2020,
            // The crate's own table for this one is wrong by up to 40 levels in the mode that
            // targets without SIMD fall back to; given the weights it computes its table.
            Self::Smpte240m => YuvStandardMatrix::Custom(0.212, 0.087),
            Self::Fcc => YuvStandardMatrix::Fcc,
        }
    }
}

impl Matrix {
    /// What red and blue weigh in luma; green has the rest.
    pub(crate) fn weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
            Self::Smpte240m => (0.212, 0.087),
            Self::Fcc => (0.30, 0.11),
        }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bt601 => "bt601",
            Self::Bt709 => "bt709",
            Self::Bt2020 => "bt2020",
            Self::Smpte240m => "smpte240m",
            Self::Fcc => "fcc",
        })
    }
}

/// Which sample values stand for black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240 (FFmpeg: `tv`, `mpeg`). Samples beyond are clipped on the
    /// way to RGB and gray.
    Limited,
    /// 0 to 255 (FFmpeg: `pc`, `jpeg`).
    Full,
}

impl Range {
    pub(super) fn to_yuv(self) -> YuvRange {
        match self {
            Self::Limited => YuvRange::Limited,
            Self::Full => YuvRange::Full,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Limited => "limited",
            Self::Full => "full",
        })
    }
}

/// Matrix and range: all that stands between YUV and RGB samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColorSpec {
    /// How red, green and blue weigh in luma and chroma.
    pub matrix: Matrix,
    /// Which sample values stand for black and white.
    pub range: Range,
}

impl ColorSpec {
    /// Matrix and range together.
    pub const fn new(matrix: Matrix, range: Range) -> Self {
        Self { matrix, range }
    }
}

impl fmt::Display for ColorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.matrix, self.range)
    }
}

/// The YUV layouts that are converted here: the subset of [`PixelFormat`] that codecs work in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum YuvLayout {
    /// Planes Y, U, V; chroma at half the width and half the height.
    Yuv420p,
    /// Planes Y, U, V; chroma at half the width.
    Yuv422p,
    /// Planes Y, U, V, all of full size.
    Yuv444p,
    /// Planes Y and interleaved UV; chroma at half the width and half the height.
    Nv12,
    /// As [`Nv12`](Self::Nv12), with V before U.
    Nv21,
    /// Planes Y and interleaved UV; chroma at half the width.
    Nv16,
    /// Planes Y and interleaved UV, both of full size.
    Nv24,
    /// Luma alone. In contrast to [`PixelFormat::Gray`] it may be in the limited range.
    Gray,
}

/// How many pixels share a chroma sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subsampling {
    S420,
    S422,
    S444,
    Luma,
}

/// Where the two chroma samples of a pixel stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chroma {
    None,
    Planar,
    Uv,
    Vu,
}

impl YuvLayout {
    /// Every layout, in declaration order.
    pub const ALL: &'static [Self] = &[
        Self::Yuv420p,
        Self::Yuv422p,
        Self::Yuv444p,
        Self::Nv12,
        Self::Nv21,
        Self::Nv16,
        Self::Nv24,
        Self::Gray,
    ];

    /// The pixel format with these planes, which also knows their sizes.
    pub const fn format(self) -> PixelFormat {
        match self {
            Self::Yuv420p => PixelFormat::Yuv420p,
            Self::Yuv422p => PixelFormat::Yuv422p,
            Self::Yuv444p => PixelFormat::Yuv444p,
            Self::Nv12 => PixelFormat::Nv12,
            Self::Nv21 => PixelFormat::Nv21,
            Self::Nv16 => PixelFormat::Nv16,
            Self::Nv24 => PixelFormat::Nv24,
            Self::Gray => PixelFormat::Gray,
        }
    }

    /// The layout with the planes of `format`, or `None` for the RGB formats.
    pub const fn from_format(format: PixelFormat) -> Option<Self> {
        Some(match format {
            PixelFormat::Yuv420p => Self::Yuv420p,
            PixelFormat::Yuv422p => Self::Yuv422p,
            PixelFormat::Yuv444p => Self::Yuv444p,
            PixelFormat::Nv12 => Self::Nv12,
            PixelFormat::Nv21 => Self::Nv21,
            PixelFormat::Nv16 => Self::Nv16,
            PixelFormat::Nv24 => Self::Nv24,
            PixelFormat::Gray => Self::Gray,
            PixelFormat::Rgb24 | PixelFormat::Bgr24 | PixelFormat::Rgba | PixelFormat::Bgra => {
                return None;
            }
        })
    }

    pub(super) const fn subsampling(self) -> Subsampling {
        match self {
            Self::Yuv420p | Self::Nv12 | Self::Nv21 => Subsampling::S420,
            Self::Yuv422p | Self::Nv16 => Subsampling::S422,
            Self::Yuv444p | Self::Nv24 => Subsampling::S444,
            Self::Gray => Subsampling::Luma,
        }
    }

    pub(super) const fn chroma(self) -> Chroma {
        match self {
            Self::Yuv420p | Self::Yuv422p | Self::Yuv444p => Chroma::Planar,
            Self::Nv12 | Self::Nv16 | Self::Nv24 => Chroma::Uv,
            Self::Nv21 => Chroma::Vu,
            Self::Gray => Chroma::None,
        }
    }
}

impl fmt::Display for YuvLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.format().fmt(f)
    }
}

/// A YUV picture with the meaning of its samples, read-only.
#[derive(Debug, Clone, Copy)]
pub struct YuvImage<'a> {
    image: Image<'a>,
    layout: YuvLayout,
    color: ColorSpec,
}

impl<'a> YuvImage<'a> {
    /// A picture of `width` x `height` pixels over planes given as `(data, stride)`, `data`
    /// starting at the first row and `stride` in bytes: what a decoder hands out.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large, the number of planes isn't the
    /// layout's, or a plane doesn't hold its rows. Padding after the last row is not needed.
    pub fn new(
        layout: YuvLayout,
        color: ColorSpec,
        width: u32,
        height: u32,
        planes: &[(&'a [u8], usize)],
    ) -> Result<Self, ImageError> {
        let image = Image::new(layout.format(), width, height, planes)?;
        Ok(Self { image, layout, color })
    }

    /// `image` taken to be in `color`, or `None` where it is in an RGB format.
    pub fn from_image(image: Image<'a>, color: ColorSpec) -> Option<Self> {
        let layout = YuvLayout::from_format(image.format())?;
        Some(Self { image, layout, color })
    }

    /// Where the samples stand.
    pub fn layout(&self) -> YuvLayout {
        self.layout
    }

    /// What the samples mean.
    pub fn color(&self) -> ColorSpec {
        self.color
    }

    /// The samples.
    pub fn image(&self) -> &Image<'a> {
        &self.image
    }
}

/// A YUV picture with the meaning of its samples, writable.
#[derive(Debug)]
pub struct YuvImageMut<'a> {
    image: ImageMut<'a>,
    layout: YuvLayout,
    color: ColorSpec,
}

impl<'a> YuvImageMut<'a> {
    /// A picture of `width` x `height` pixels over planes given as `(data, stride)`, `data`
    /// starting at the first row and `stride` in bytes: what an encoder takes.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large, the number of planes isn't the
    /// layout's, or a plane doesn't hold its rows. Padding after the last row is not needed.
    pub fn new(
        layout: YuvLayout,
        color: ColorSpec,
        width: u32,
        height: u32,
        planes: impl IntoIterator<Item = (&'a mut [u8], usize)>,
    ) -> Result<Self, ImageError> {
        let image = ImageMut::new(layout.format(), width, height, planes)?;
        Ok(Self { image, layout, color })
    }

    /// `image` taken to be in `color`, or `None` where it is in an RGB format.
    pub fn from_image(image: ImageMut<'a>, color: ColorSpec) -> Option<Self> {
        let layout = YuvLayout::from_format(image.format())?;
        Some(Self { image, layout, color })
    }

    /// Where the samples stand.
    pub fn layout(&self) -> YuvLayout {
        self.layout
    }

    /// What the samples mean.
    pub fn color(&self) -> ColorSpec {
        self.color
    }

    /// The samples.
    pub fn image_mut(&mut self) -> &mut ImageMut<'a> {
        &mut self.image
    }

    /// The picture, read-only.
    pub fn as_yuv(&self) -> YuvImage<'_> {
        YuvImage { image: self.image.as_image(), layout: self.layout, color: self.color }
    }
}
