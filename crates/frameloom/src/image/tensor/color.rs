//! From the codec's samples to what a model reads.

use crate::av::Component;
use crate::image::convert::{ColorSpec, Range};

/// Red, green and blue as 0 to 255, each from the three samples of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ToRgb {
    pub(super) factors: [[f32; 3]; 3],
    pub(super) add: [f32; 3],
}

impl ToRgb {
    /// Of YUV by these colours, or of luma alone. The samples have `component`'s depth.
    pub(super) fn of_yuv(color: ColorSpec, component: Component, is_gray: bool) -> ToRgb {
        let (red, blue) = color.matrix.weights();
        let green = 1.0 - red - blue;
        let step = f64::from(1u32 << (component.depth - 8));
        let most = f64::from((1u32 << component.depth) - 1);
        let (black, luma, chroma) = match color.range {
            Range::Limited => (16.0 * step, 219.0 * step, 224.0 * step),
            Range::Full => (0.0, most, most),
        };
        // ITU-R BT.601 to BT.2020 say how luma and chroma are made; this is the way back.
        let (of_luma, of_chroma) = (255.0 / luma, 255.0 / chroma);
        let (to_red, to_blue) = (2.0 * (1.0 - red) * of_chroma, 2.0 * (1.0 - blue) * of_chroma);
        let (blue_in_green, red_in_green) = (-to_blue * blue / green, -to_red * red / green);
        let rows = if is_gray {
            [[of_luma, 0.0, 0.0]; 3]
        } else {
            [
                [of_luma, 0.0, to_red],
                [of_luma, blue_in_green, red_in_green],
                [of_luma, to_blue, 0.0],
            ]
        };
        let middle = 128.0 * step;
        let add = rows.map(|[y, u, v]| -(y * black + (u + v) * middle));
        ToRgb::shifted(rows, add, component.shift)
    }

    /// Of samples that are red, green and blue.
    pub(super) fn of_rgb(component: Component) -> ToRgb {
        let factor = 255.0 / f64::from((1u32 << component.depth) - 1);
        let rows = [[factor, 0.0, 0.0], [0.0, factor, 0.0], [0.0, 0.0, factor]];
        ToRgb::shifted(rows, [0.0; 3], component.shift)
    }

    /// The same for samples that stand above some empty bits.
    fn shifted(rows: [[f64; 3]; 3], add: [f64; 3], shift: u32) -> ToRgb {
        let unit = f64::from(1u32 << shift);
        ToRgb {
            factors: rows.map(|row| row.map(|factor| (factor / unit) as f32)),
            add: add.map(|add| add as f32),
        }
    }
}
