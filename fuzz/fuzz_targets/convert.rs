//! Pictures of any size, stride and length: converted or refused, never a crash.
#![no_main]

use frameloom::convert::{ColorSpec, Matrix, Range, YuvImage, YuvLayout, yuv_to_packed};
use frameloom::{ImageMut, PixelFormat};
use libfuzzer_sys::fuzz_target;

type Case<'a> = (u8, u8, u16, u16, [u16; 3], &'a [u8]);

fuzz_target!(|case: Case<'_>| {
    let (layout, format, width, height, strides, data) = case;
    let layout = YuvLayout::ALL[usize::from(layout) % YuvLayout::ALL.len()];
    let format = PixelFormat::ALL[usize::from(format) % PixelFormat::ALL.len()];
    let (width, height) = (u32::from(width % 300), u32::from(height % 300));
    let planes: Vec<(&[u8], usize)> =
        strides.iter().map(|&s| (data, usize::from(s))).take(layout.format().plane_count()).collect();
    let color = ColorSpec::new(Matrix::Bt709, Range::Limited);
    let Ok(source) = YuvImage::new(layout, color, width, height, &planes) else { return };
    let mut bytes = vec![0; format.frame_bytes(width, height)];
    let Ok(mut target) = ImageMut::packed(format, width, height, &mut bytes) else { return };
    let _ = yuv_to_packed(&source, &mut target);
});
