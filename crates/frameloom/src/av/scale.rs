use std::ptr;

use ffmpeg_sys_next as ff;

use super::{AvError, AvFrame, ColorTags, PixFmt};

/// bicubic, accurate_rnd, full_chroma_int and full_chroma_inp, by their bits: the bindings name them
/// otherwise in each FFmpeg version.
const FLAGS: libc::c_int = (1 << 2) | (1 << 18) | (1 << 13) | (1 << 14);

/// swscale between two formats of the same picture size, the context kept from frame to frame.
pub(crate) struct Scaler(*mut ff::SwsContext);

impl Scaler {
    pub(crate) fn new() -> Scaler {
        Scaler(ptr::null_mut())
    }

    /// Converts `from` into `to` (same size), by the colour tags both carry.
    pub(crate) fn convert(&mut self, from: &AvFrame, to: &mut AvFrame) -> Result<(), AvError> {
        let invalid = || AvError::errno(libc::EINVAL);
        let (Some(src), Some(dst)) = (from.format(), to.format()) else { return Err(invalid()) };
        let (w, h) = (from.width() as libc::c_int, from.height() as libc::c_int);
        if (from.width(), from.height()) != (to.width(), to.height()) {
            return Err(invalid());
        }
        // SAFETY: the context is null or ours; it is replaced where it doesn't fit.
        self.0 = unsafe {
            ff::sws_getCachedContext(
                self.0,
                w,
                h,
                src.0,
                w,
                h,
                dst.0,
                FLAGS,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        if self.0.is_null() {
            return Err(invalid());
        }
        let full = |f: &AvFrame, fmt: PixFmt| {
            i32::from(
                // Gray is of full range in FFmpeg, whatever it is tagged.
                fmt.is_gray()
                    || fmt.is_rgb()
                    || fmt.is_full_range_by_name()
                    || f.colors().range == ColorTags::FULL,
            )
        };
        // SAFETY: the tables are static; formats without a matrix make it return an error that
        // means "not needed".
        unsafe {
            let source = ff::sws_getCoefficients(sws_matrix(from));
            let target = ff::sws_getCoefficients(sws_matrix(to));
            ff::sws_setColorspaceDetails(
                self.0,
                source,
                full(from, src),
                target,
                full(to, dst),
                0,
                1 << 16,
                1 << 16,
            );
        }
        to.make_writable()?;
        // SAFETY: both pictures have the size and format the context was made for.
        let rows = unsafe {
            let (f, t) = (&*from.as_ptr(), &mut *to.as_mut_ptr());
            ff::sws_scale(
                self.0,
                f.data.as_ptr().cast(),
                f.linesize.as_ptr(),
                0,
                h,
                t.data.as_ptr(),
                t.linesize.as_ptr(),
            )
        };
        AvError::check(rows).map(drop)
    }
}

/// swscale numbers its matrices as H.273 does, but takes only those it has.
fn sws_matrix(frame: &AvFrame) -> i32 {
    match frame.colors().space {
        space @ (ColorTags::BT709
        | ColorTags::FCC
        | ColorTags::SMPTE240M
        | ColorTags::BT2020_NCL) => space,
        _ => ColorTags::BT470BG,
    }
}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: null or ours.
        unsafe { ff::sws_freeContext(self.0) };
    }
}

// SAFETY: a context is used by one owner at a time and has no tie to a thread.
unsafe impl Send for Scaler {}
