use ffmpeg_sys_next as ff;

use super::AvError;
use crate::time::{TimeBase, Timestamp};

/// An owned, reference-counted AVPacket.
pub(crate) struct AvPacket(*mut ff::AVPacket);

impl AvPacket {
    pub(crate) fn new() -> Result<AvPacket, AvError> {
        // SAFETY: allocates; null is checked.
        let p = unsafe { ff::av_packet_alloc() };
        if p.is_null() { Err(AvError::no_memory()) } else { Ok(AvPacket(p)) }
    }

    pub(super) fn as_ptr(&self) -> *const ff::AVPacket {
        self.0
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ff::AVPacket {
        self.0
    }

    /// Another reference to the same bytes.
    pub(crate) fn share(&self) -> Result<AvPacket, AvError> {
        let copy = AvPacket::new()?;
        // SAFETY: both are valid packets of ours and the new one is blank.
        AvError::check(unsafe { ff::av_packet_ref(copy.0, self.0) })?;
        Ok(copy)
    }

    fn get(&self) -> &ff::AVPacket {
        // SAFETY: never null, and only reachable through &self.
        unsafe { &*self.0 }
    }

    fn get_mut(&mut self) -> &mut ff::AVPacket {
        // SAFETY: never null, and only reachable through &mut self.
        unsafe { &mut *self.0 }
    }

    pub(crate) fn stream(&self) -> usize {
        usize::try_from(self.get().stream_index).unwrap_or(0)
    }

    pub(crate) fn set_stream(&mut self, index: usize) {
        self.get_mut().stream_index = libc::c_int::try_from(index).unwrap_or(0);
    }

    pub(crate) fn pts(&self) -> Option<i64> {
        super::optional(self.get().pts)
    }

    pub(crate) fn dts(&self) -> Option<i64> {
        super::optional(self.get().dts)
    }

    pub(crate) fn duration(&self) -> i64 {
        self.get().duration
    }

    pub(crate) fn set_times(&mut self, pts: Option<i64>, dts: Option<i64>, duration: i64) {
        let p = self.get_mut();
        p.pts = super::or_no_pts(pts);
        p.dts = super::or_no_pts(dts);
        p.duration = duration;
    }

    pub(crate) fn size(&self) -> usize {
        usize::try_from(self.get().size).unwrap_or(0)
    }

    pub(crate) fn is_key(&self) -> bool {
        self.get().flags & ff::AV_PKT_FLAG_KEY != 0
    }

    pub(crate) fn is_corrupt(&self) -> bool {
        self.get().flags & ff::AV_PKT_FLAG_CORRUPT != 0
    }

    /// Where in the file its bytes start, where known.
    pub(crate) fn clear_position(&mut self) {
        self.get_mut().pos = -1;
    }

    /// Converts every time of the packet to another base, rounding to nearest.
    pub(crate) fn rescale(&mut self, from: TimeBase, to: TimeBase) {
        let ticks = |t: i64| from.at(t).rescale(to).ticks();
        let (pts, dts) = (self.pts().map(ticks), self.dts().map(ticks));
        let duration = Timestamp::rescale(from.at(self.duration()), to).ticks();
        self.set_times(pts, dts, duration);
    }
}

impl Drop for AvPacket {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { ff::av_packet_free(&mut self.0) };
    }
}

// SAFETY: packet data is reference-counted with atomic counts and has no tie to a thread.
unsafe impl Send for AvPacket {}
