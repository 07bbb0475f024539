//! Colours, and what they are in the samples of a picture.

use std::fmt;
use std::str::FromStr;

use crate::av::{Component, parse_color};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::convert::{ColorSpec, Range};

/// A colour with its opacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Color {
    /// 0 to 255.
    pub red: u8,
    /// 0 to 255.
    pub green: u8,
    /// 0 to 255.
    pub blue: u8,
    /// From 0, which shows nothing, to 255.
    pub alpha: u8,
}

impl Color {
    /// Black.
    pub const BLACK: Color = Color::rgb(0, 0, 0);
    /// White.
    pub const WHITE: Color = Color::rgb(255, 255, 255);

    /// An opaque colour.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Color {
        Color { red, green, blue, alpha: 255 }
    }

    /// The same with another opacity, 0 to 255.
    pub const fn with_alpha(self, alpha: u8) -> Color {
        Color { alpha, ..self }
    }

    /// Black or white, whichever is easier to read on this colour.
    #[must_use]
    pub fn readable(self) -> Color {
        // By ITU-R BT.601, in thousandths.
        let luma =
            299 * u32::from(self.red) + 587 * u32::from(self.green) + 114 * u32::from(self.blue);
        if luma > 140_000 { Color::BLACK } else { Color::WHITE }
    }
}

impl From<[u8; 3]> for Color {
    fn from([red, green, blue]: [u8; 3]) -> Color {
        Color::rgb(red, green, blue)
    }
}

impl From<[u8; 4]> for Color {
    fn from([red, green, blue, alpha]: [u8; 4]) -> Color {
        Color { red, green, blue, alpha }
    }
}

/// By FFmpeg's syntax of colours (ffmpeg-utils(1), "Color"): a name as `red`, or `#RRGGBB`, or
/// `0xRRGGBBAA`, with an opacity behind as in `red@0.5`. `random` is a colour of chance.
impl FromStr for Color {
    type Err = Error;

    fn from_str(text: &str) -> Result<Color> {
        parse_color(text).map(Color::from).ok_or_else(|| {
            let cause = format!("'{text}' is no colour: a name as red, or #RRGGBB, or red@0.5");
            Error::new(ErrorKind::Usage, Stage::Process, cause)
        })
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}{:02x}", self.red, self.green, self.blue, self.alpha)
    }
}

/// What the samples of a picture mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Model {
    Rgb,
    /// Luma, or luma and chroma.
    Yuv(ColorSpec),
}

impl Model {
    /// The sample of each component for a colour, as far below 1 as black is above 0 in limited range:
    /// alpha is the fourth.
    pub(super) fn samples(self, color: [f32; 3], component: Component, role: usize) -> f32 {
        let most = ((1u32 << component.depth) - 1) as f32;
        let [red, green, blue] = color.map(|value| value / 255.0);
        let spec = match self {
            _ if role == 3 => return most,
            Model::Rgb => return [red, green, blue][role.min(2)] * most,
            Model::Yuv(spec) => spec,
        };
        let (kr, kb) = spec.matrix.weights();
        let (kr, kb) = (kr as f32, kb as f32);
        let luma = kr * red + (1.0 - kr - kb) * green + kb * blue;
        let step = (1u32 << (component.depth - 8)) as f32;
        let (black, of_luma, of_chroma) = match spec.range {
            Range::Limited => (16.0 * step, 219.0 * step, 224.0 * step),
            Range::Full => (0.0, most, most),
        };
        match role {
            0 => black + of_luma * luma,
            1 => 128.0 * step + of_chroma * (blue - luma) / (2.0 * (1.0 - kb)),
            _ => 128.0 * step + of_chroma * (red - luma) / (2.0 * (1.0 - kr)),
        }
        .clamp(0.0, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::convert::Matrix;

    #[test]
    fn colours_are_written_as_ffmpeg_writes_them() {
        for (text, expected) in [
            ("red", [255, 0, 0, 255]),
            ("#00ff80", [0, 255, 128, 255]),
            ("0x10203040", [16, 32, 48, 64]),
            ("white@0.5", [255, 255, 255, 127]),
        ] {
            assert_eq!(text.parse::<Color>().unwrap(), Color::from(expected), "{text}");
        }
        for text in ["", "no colour", "#12", "red@7", "a\0b"] {
            let error = text.parse::<Color>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{text}: {error}");
        }
        assert_eq!(Color::from([1, 2, 3]).to_string(), "#010203ff");
    }

    #[test]
    fn text_is_readable_on_any_colour() {
        assert_eq!(Color::rgb(255, 255, 0).readable(), Color::BLACK);
        assert_eq!(Color::rgb(0, 0, 200).readable(), Color::WHITE);
    }

    #[test]
    fn colours_have_the_samples_that_the_standards_say() {
        let component = |depth| Component { plane: 0, step: 1, offset: 0, shift: 0, depth };
        let limited = Model::Yuv(ColorSpec::new(Matrix::Bt709, Range::Limited));
        let of = |model: Model, color: [f32; 3], depth| {
            [0, 1, 2].map(|role| model.samples(color, component(depth), role).round() as u32)
        };
        assert_eq!(of(limited, [255.0; 3], 8), [235, 128, 128]);
        assert_eq!(of(limited, [0.0; 3], 8), [16, 128, 128]);
        assert_eq!(of(limited, [255.0, 0.0, 0.0], 8), [63, 102, 240]);
        assert_eq!(of(limited, [255.0; 3], 10), [940, 512, 512]);
        let full = Model::Yuv(ColorSpec::new(Matrix::Bt601, Range::Full));
        assert_eq!(of(full, [0.0, 0.0, 255.0], 8), [29, 255, 107]);
        assert_eq!(of(Model::Rgb, [1.0, 2.0, 3.0], 8), [1, 2, 3]);
    }
}
