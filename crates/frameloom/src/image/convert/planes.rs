//! Moving samples about: copies between strides, and chroma between planar and interleaved.

use crate::image::convert::color::{Chroma, YuvLayout};
use crate::image::{Image, ImageMut, Plane, PlaneMut};

/// Copies the rows, without the padding.
pub(super) fn copy(src: Plane<'_>, dst: &mut PlaneMut<'_>) {
    if src.stride() == src.row_bytes() && dst.stride() == dst.row_bytes() {
        let bytes = src.row_bytes() * src.rows();
        if let (Some(from), Some(to)) = (src.data().get(..bytes), dst.data_mut().get_mut(..bytes)) {
            return to.copy_from_slice(from);
        }
    }
    for (from, to) in src.iter_rows().zip(dst.iter_rows_mut()) {
        to.copy_from_slice(from);
    }
}

/// One row of U and one of V to one of UV.
pub(super) fn interleave(u: &[u8], v: &[u8], uv: &mut [u8]) {
    for ((pair, &u), &v) in uv.chunks_exact_mut(2).zip(u).zip(v) {
        pair.copy_from_slice(&[u, v]);
    }
}

/// One row of UV to one of U and one of V.
pub(super) fn deinterleave(uv: &[u8], u: &mut [u8], v: &mut [u8]) {
    for ((pair, u), v) in uv.chunks_exact(2).zip(u).zip(v) {
        (*u, *v) = (pair[0], pair[1]);
    }
}

/// One row of UV to one of VU, or the other way round.
pub(super) fn swap(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.chunks_exact_mut(2).zip(from.chunks_exact(2)) {
        // Compilers turn the swap of a 16-bit number into SIMD, but not that of two bytes.
        let pair = u16::from_ne_bytes([from[0], from[1]]);
        to.copy_from_slice(&pair.swap_bytes().to_ne_bytes());
    }
}

/// Copies a picture to one of the same size and subsampling.
pub(super) fn repack(src: &Image<'_>, dst: &mut ImageMut<'_>) {
    let arrangement =
        |format| YuvLayout::from_format(format).map_or(Chroma::None, YuvLayout::chroma);
    let from = arrangement(src.format());
    let to = arrangement(dst.format());
    let plane = |number| src.plane(number).unwrap_or_default();
    let [mut y, mut first, mut second, _] = dst.planes_mut();
    copy(plane(0), &mut y);
    match (from, to) {
        (Chroma::None, _) | (_, Chroma::None) => {}
        (Chroma::Planar, Chroma::Planar) => {
            copy(plane(1), &mut first);
            copy(plane(2), &mut second);
        }
        (Chroma::Planar, Chroma::Uv | Chroma::Vu) => {
            let (a, b) = if to == Chroma::Uv { (1, 2) } else { (2, 1) };
            let sources = plane(a).iter_rows().zip(plane(b).iter_rows());
            for (pairs, (a, b)) in first.iter_rows_mut().zip(sources) {
                interleave(a, b, pairs);
            }
        }
        (Chroma::Uv | Chroma::Vu, Chroma::Planar) => {
            let (u, v) = if from == Chroma::Uv {
                (&mut first, &mut second)
            } else {
                (&mut second, &mut first)
            };
            let targets = u.iter_rows_mut().zip(v.iter_rows_mut());
            for (pairs, (u, v)) in plane(1).iter_rows().zip(targets) {
                deinterleave(pairs, u, v);
            }
        }
        _ if from == to => copy(plane(1), &mut first),
        _ => {
            for (from, to) in plane(1).iter_rows().zip(first.iter_rows_mut()) {
                swap(from, to);
            }
        }
    }
}
