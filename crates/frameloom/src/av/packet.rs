use std::ptr;

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

    /// A packet with a copy of `data`: libav wants room behind the bytes that nobody else has.
    pub(crate) fn of_bytes(data: &[u8], stream: usize, is_key: bool) -> Result<AvPacket, AvError> {
        let mut packet = AvPacket::new()?;
        let size = libc::c_int::try_from(data.len()).map_err(|_| AvError::no_memory())?;
        // SAFETY: a blank packet, which gets `size` bytes and the padding that libav wants.
        AvError::check(unsafe { ff::av_new_packet(packet.0, size) })?;
        // SAFETY: the packet's own bytes, just made, as many as `data` has.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), packet.get_mut().data, data.len()) };
        packet.set_stream(stream);
        if is_key {
            packet.get_mut().flags |= ff::AV_PKT_FLAG_KEY;
        }
        Ok(packet)
    }

    /// The same packet with other bytes before its own.
    pub(crate) fn with_prefix(&self, prefix: &[u8]) -> Result<AvPacket, AvError> {
        self.with_data(&[prefix, self.data()].concat())
    }

    /// The same packet with other bytes.
    pub(crate) fn with_data(&self, data: &[u8]) -> Result<AvPacket, AvError> {
        let mut packet = AvPacket::of_bytes(data, self.stream(), false)?;
        // SAFETY: both are valid packets; what the new one gets of properties it had none of.
        AvError::check(unsafe { ff::av_packet_copy_props(packet.0, self.0) })?;
        packet.clear_position();
        Ok(packet)
    }

    /// The encoded bytes.
    pub(crate) fn data(&self) -> &[u8] {
        let p = self.get();
        if p.data.is_null() {
            return &[];
        }
        // SAFETY: the packet holds as many bytes as it says, as long as it lives unchanged.
        unsafe { std::slice::from_raw_parts(p.data, self.size()) }
    }

    /// Tells the decoder, and a muxer that can, that from here on other extradata holds.
    pub(crate) fn set_new_extradata(&mut self, extradata: &[u8]) -> Result<(), AvError> {
        let kind = ff::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA;
        // SAFETY: a valid packet; null is checked, and what is not null has the size asked for.
        unsafe {
            let to = ff::av_packet_new_side_data(self.0, kind, extradata.len() as _);
            if to.is_null() {
                return Err(AvError::no_memory());
            }
            ptr::copy_nonoverlapping(extradata.as_ptr(), to, extradata.len());
        }
        Ok(())
    }

    /// The extradata that holds from this packet on, where it changed.
    pub(crate) fn new_extradata(&self) -> Option<&[u8]> {
        let kind = ff::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA;
        let mut size = 0;
        // SAFETY: a valid packet; what is not null has the size it says and lives as long as it.
        unsafe {
            let data = ff::av_packet_get_side_data(self.0, kind, &mut size);
            (!data.is_null()).then(|| std::slice::from_raw_parts(data, size))
        }
    }

    /// What the encoder says of its quality, where it says something.
    pub(crate) fn quality(&self) -> Option<i32> {
        let kind = ff::AVPacketSideDataType::AV_PKT_DATA_QUALITY_STATS;
        let mut size = 0;
        // SAFETY: a valid packet; what is not null has the size it says and lives as long as it.
        let stats = unsafe {
            let data = ff::av_packet_get_side_data(self.0, kind, &mut size);
            (!data.is_null()).then(|| std::slice::from_raw_parts(data, size))
        };
        stats?.first_chunk().copied().map(i32::from_le_bytes)
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
    pub(super) fn position(&self) -> Option<i64> {
        Some(self.get().pos).filter(|position| *position >= 0)
    }

    /// ffprobe's letters for it: a keyframe, to be discarded, and damaged, as far as its FFmpeg has them.
    pub(super) fn flag_letters(&self) -> String {
        let flag = |bits: i32, letter| if self.get().flags & bits != 0 { letter } else { '_' };
        let damaged = flag(ff::AV_PKT_FLAG_CORRUPT, 'C');
        let letters = [flag(ff::AV_PKT_FLAG_KEY, 'K'), flag(ff::AV_PKT_FLAG_DISCARD, 'D')];
        letters.into_iter().chain(cfg!(ffmpeg_6_0).then_some(damaged)).collect()
    }

    /// Forgets where in the file its bytes start.
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
