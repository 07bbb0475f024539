//! The pixel formats a frame can be viewed as, and the geometry of each.

use std::fmt;

/// How the bytes of an [`Image`](crate::image::Image) are laid out, 8 bits a sample.
///
/// The names are FFmpeg's. The YUV formats carry no colour matrix and no range of their own; those
/// are properties of the frame. [`Gray`](Self::Gray) as a view is always full range (0 is black,
/// 255 is white), as in FFmpeg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Red, green, blue: 3 bytes a pixel.
    Rgb24,
    /// Blue, green, red: 3 bytes a pixel, the order OpenCV works in.
    Bgr24,
    /// Red, green, blue, alpha: 4 bytes a pixel.
    Rgba,
    /// Blue, green, red, alpha: 4 bytes a pixel.
    Bgra,
    /// Full-range luma: 1 byte a pixel.
    Gray,
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
}

/// What stands in the planes of a format, chroma subsampling as divisors of the luma size.
enum FormatLayout {
    Packed { pixel_bytes: usize },
    Planar { across: usize, down: usize },
    SemiPlanar { across: usize, down: usize },
}

impl PixelFormat {
    /// Every format, in declaration order.
    pub const ALL: &'static [Self] = &[
        Self::Rgb24,
        Self::Bgr24,
        Self::Rgba,
        Self::Bgra,
        Self::Gray,
        Self::Yuv420p,
        Self::Yuv422p,
        Self::Yuv444p,
        Self::Nv12,
        Self::Nv21,
        Self::Nv16,
        Self::Nv24,
    ];

    /// FFmpeg's name of the format, as `-pix_fmt` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb24 => "rgb24",
            Self::Bgr24 => "bgr24",
            Self::Rgba => "rgba",
            Self::Bgra => "bgra",
            Self::Gray => "gray",
            Self::Yuv420p => "yuv420p",
            Self::Yuv422p => "yuv422p",
            Self::Yuv444p => "yuv444p",
            Self::Nv12 => "nv12",
            Self::Nv21 => "nv21",
            Self::Nv16 => "nv16",
            Self::Nv24 => "nv24",
        }
    }

    /// The format FFmpeg knows by `name` (exact, lower case; `gray8` and `y8` are FFmpeg's other
    /// names for `gray`), or `None` where it is none of these formats.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gray8" | "y8" => Some(Self::Gray),
            _ => Self::ALL.iter().copied().find(|format| format.name() == name),
        }
    }

    const fn shape(self) -> FormatLayout {
        match self {
            Self::Rgb24 | Self::Bgr24 => FormatLayout::Packed { pixel_bytes: 3 },
            Self::Rgba | Self::Bgra => FormatLayout::Packed { pixel_bytes: 4 },
            Self::Gray => FormatLayout::Packed { pixel_bytes: 1 },
            Self::Yuv420p => FormatLayout::Planar { across: 2, down: 2 },
            Self::Yuv422p => FormatLayout::Planar { across: 2, down: 1 },
            Self::Yuv444p => FormatLayout::Planar { across: 1, down: 1 },
            Self::Nv12 | Self::Nv21 => FormatLayout::SemiPlanar { across: 2, down: 2 },
            Self::Nv16 => FormatLayout::SemiPlanar { across: 2, down: 1 },
            Self::Nv24 => FormatLayout::SemiPlanar { across: 1, down: 1 },
        }
    }

    /// Bytes from one pixel to the next in the first plane: 3, 4 or 1 for the packed formats, 1
    /// (the luma sample) for the YUV formats.
    pub const fn pixel_bytes(self) -> usize {
        match self.shape() {
            FormatLayout::Packed { pixel_bytes } => pixel_bytes,
            FormatLayout::Planar { .. } | FormatLayout::SemiPlanar { .. } => 1,
        }
    }

    /// Whether chroma stands in planes of its own, so that the picture needs a colour matrix and a
    /// range to be shown.
    pub const fn is_yuv(self) -> bool {
        !matches!(self.shape(), FormatLayout::Packed { .. })
    }

    /// Rows of the picture for one row of its chroma.
    pub(crate) const fn rows_a_chroma_row(self) -> u32 {
        match self.shape() {
            FormatLayout::Planar { down: 2, .. } | FormatLayout::SemiPlanar { down: 2, .. } => 2,
            _ => 1,
        }
    }

    /// The number of planes, 1 to 3.
    pub const fn plane_count(self) -> usize {
        match self.shape() {
            FormatLayout::Packed { .. } => 1,
            FormatLayout::SemiPlanar { .. } => 2,
            FormatLayout::Planar { .. } => 3,
        }
    }

    /// `(row_bytes, rows)` of plane number `plane` of a picture of `width` x `height` pixels,
    /// without padding. Chroma is rounded up for odd sizes, as FFmpeg does. `(0, 0)` for a plane
    /// that the format lacks.
    pub const fn plane_size(self, plane: usize, width: u32, height: u32) -> (usize, usize) {
        let (width, height) = (width as usize, height as usize);
        match (plane, self.shape()) {
            (0, _) => (width.saturating_mul(self.pixel_bytes()), height),
            (1 | 2, FormatLayout::Planar { across, down }) => {
                (width.div_ceil(across), height.div_ceil(down))
            }
            (1, FormatLayout::SemiPlanar { across, down }) => {
                (width.div_ceil(across).saturating_mul(2), height.div_ceil(down))
            }
            _ => (0, 0),
        }
    }

    /// Bytes of a picture of `width` x `height` pixels with no padding between rows or planes;
    /// `usize::MAX` where that doesn't fit. It is what
    /// [`Image::packed`](crate::image::Image::packed) takes and what FFmpeg's `rawvideo` writes
    /// for each frame.
    pub const fn frame_bytes(self, width: u32, height: u32) -> usize {
        let mut total = 0_usize;
        let mut plane = 0;
        while plane < self.plane_count() {
            let (row_bytes, rows) = self.plane_size(plane, width, height);
            total = total.saturating_add(row_bytes.saturating_mul(rows));
            plane += 1;
        }
        total
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
