use ffmpeg_sys_next as ff;

/// The colour tags of a picture, as libav numbers them (ITU-T H.273).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColorTags {
    pub(crate) space: i32,
    pub(crate) range: i32,
    pub(crate) primaries: i32,
    pub(crate) transfer: i32,
    pub(crate) chroma_location: i32,
}

impl ColorTags {
    /// ITU-T H.273 matrix coefficients.
    pub(crate) const BT709: i32 = 1;
    pub(crate) const UNSPECIFIED: i32 = 2;
    pub(crate) const FCC: i32 = 4;
    pub(crate) const BT470BG: i32 = 5;
    pub(crate) const SMPTE170M: i32 = 6;
    pub(crate) const SMPTE240M: i32 = 7;
    pub(crate) const BT2020_NCL: i32 = 9;
    /// AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG.
    pub(crate) const LIMITED: i32 = 1;
    pub(crate) const FULL: i32 = 2;

    /// The range in words, where tagged.
    pub(crate) fn range_name(self) -> Option<&'static str> {
        match self.range {
            ColorTags::LIMITED => Some("limited"),
            ColorTags::FULL => Some("full"),
            _ => None,
        }
    }

    /// The matrix in words, where tagged.
    pub(crate) fn matrix_name(self) -> Option<&'static str> {
        Some(match self.space {
            0 => "rgb",
            ColorTags::BT709 => "bt709",
            ColorTags::FCC => "fcc",
            ColorTags::BT470BG | ColorTags::SMPTE170M => "bt601",
            ColorTags::SMPTE240M => "smpte240m",
            ColorTags::BT2020_NCL => "bt2020",
            ColorTags::UNSPECIFIED => return None,
            _ => "other",
        })
    }

    /// Reads the five tags.
    ///
    /// # Safety
    /// The pointers are valid for reads.
    pub(super) unsafe fn read(
        space: *const ff::AVColorSpace,
        range: *const ff::AVColorRange,
        primaries: *const ff::AVColorPrimaries,
        transfer: *const ff::AVColorTransferCharacteristic,
        chroma_location: *const ff::AVChromaLocation,
    ) -> ColorTags {
        // Containers hand through whatever number a file holds, so these are read as the integers
        // that they are in C: a Rust enum of an unknown number must never exist.
        // SAFETY: valid by this function's contract; a C enum has the size of an int.
        unsafe {
            ColorTags {
                space: known(space.cast(), 14, Self::UNSPECIFIED),
                range: known(range.cast(), 2, 0),
                primaries: known(primaries.cast(), 22, Self::UNSPECIFIED),
                transfer: known(transfer.cast(), 18, Self::UNSPECIFIED),
                chroma_location: known(chroma_location.cast(), 6, 0),
            }
        }
    }

    /// Writes the five tags.
    ///
    /// # Safety
    /// The pointers are valid for writes.
    pub(super) unsafe fn write(
        self,
        space: *mut ff::AVColorSpace,
        range: *mut ff::AVColorRange,
        primaries: *mut ff::AVColorPrimaries,
        transfer: *mut ff::AVColorTransferCharacteristic,
        chroma_location: *mut ff::AVChromaLocation,
    ) {
        // SAFETY: valid by this function's contract; written as integers, as they are read.
        unsafe {
            space.cast::<i32>().write(self.space);
            range.cast::<i32>().write(self.range);
            primaries.cast::<i32>().write(self.primaries);
            transfer.cast::<i32>().write(self.transfer);
            chroma_location.cast::<i32>().write(self.chroma_location);
        }
    }
}

/// A tag's number, or `otherwise` where it is none that FFmpeg has had since 5.1.
///
/// # Safety
/// `field` is valid for reads.
unsafe fn known(field: *const i32, most: i32, otherwise: i32) -> i32 {
    // SAFETY: by this function's contract.
    let number = unsafe { field.read() };
    if (0..=most).contains(&number) { number } else { otherwise }
}
