//! Encoded bytes as FLV wants them: lengths before NAL units, AAC without ADTS, AV1 without
//! temporal delimiters.

/// The NAL units between start codes (ITU-T H.264, annex B), without the zeros around them.
fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        loop {
            let unit = rest?;
            let end = find_start_code(unit);
            rest = end.and_then(|at| after_start_code(unit.get(at..)?));
            let unit = unit.get(..end.unwrap_or(unit.len())).unwrap_or_default();
            let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
            let unit = unit.get(..unit.len() - zeros).unwrap_or_default();
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

fn find_start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|three| three == [0, 0, 1])
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    data.get(find_start_code(data)? + 3..)
}

/// Whether NAL units stand between start codes.
pub(crate) fn has_start_codes(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1])
}

/// Start codes replaced by lengths of four bytes, as MP4 and FLV have them.
pub(crate) fn with_lengths(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 8);
    for unit in nal_units(data) {
        // A packet of 4 GiB can't be.
        out.extend_from_slice(&u32::try_from(unit.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(unit);
    }
    out
}

/// The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) that an ADTS header stands for, and how many
/// bytes the header has; `None` where there is none.
pub(crate) fn adts(data: &[u8]) -> Option<([u8; 2], usize)> {
    let [b0, b1, b2, b3, ..] = *data.first_chunk::<7>()?;
    if b0 != 0xFF || b1 & 0xF6 != 0xF0 {
        return None;
    }
    let object_type = (b2 >> 6) + 1;
    let rate_index = b2 >> 2 & 0x0F;
    let channels = (b2 & 1) << 2 | b3 >> 6;
    let config = [object_type << 3 | rate_index >> 1, rate_index << 7 | channels << 3];
    // Without the protection bit a checksum follows.
    let size = if b1 & 1 == 1 { 7 } else { 9 };
    (data.len() > size).then_some((config, size))
}

/// Samples a second and channels that an AudioSpecificConfig states (ISO/IEC 14496-3, 1.6.2.1); `None` for
/// what only sound itself tells.
pub(crate) fn audio_specific_config(data: &[u8]) -> Option<(u32, u32)> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    let mut bits = Bits { data, at: 0 };
    // 31 means that more bits follow.
    let object_type = match bits.take(5)? {
        31 => 32 + bits.take(6)?,
        object_type => object_type,
    };
    let rate = |bits: &mut Bits<'_>| match bits.take(4)? {
        15 => bits.take(24),
        index => RATES.get(usize::try_from(index).ok()?).copied(),
    };
    let core = rate(&mut bits)?;
    let channels = match bits.take(4)? {
        channels @ 1..=6 => channels,
        7 => 8,
        _ => return None,
    };
    // Spectral band replication says what comes out of it.
    let rate = if matches!(object_type, 5 | 29) { rate(&mut bits)? } else { core };
    Some((rate, channels))
}

/// Bits from the highest of the first byte on.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

/// AV1 without temporal delimiters, which containers leave out (AV1 in ISOBMFF, section 2.4).
pub(crate) fn without_temporal_delimiter(data: &[u8]) -> &[u8] {
    const DELIMITER: [u8; 2] = [0x12, 0];
    data.strip_prefix(&DELIMITER).unwrap_or(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn start_codes_become_lengths() {
        for (given, expected) in [
            (&[0, 0, 0, 1, 0x67, 1, 2][..], &[0, 0, 0, 3, 0x67, 1, 2][..]),
            (&[0, 0, 1, 0x67, 0, 0, 0, 1, 0x68, 9], &[0, 0, 0, 1, 0x67, 0, 0, 0, 2, 0x68, 9]),
            (&[0, 0, 1, 0x65, 8, 0, 0], &[0, 0, 0, 2, 0x65, 8]),
            (&[0, 0, 1, 0, 0, 1, 0x65], &[0, 0, 0, 1, 0x65]),
            (&[], &[]),
            (&[1, 2, 3], &[]),
        ] {
            assert_eq!(with_lengths(given), expected, "{given:?}");
        }
        assert!(has_start_codes(&[0, 0, 0, 1, 9]) && has_start_codes(&[0, 0, 1]));
        assert!(!has_start_codes(&[1, 100, 0, 31]));
    }

    #[test]
    fn an_adts_header_is_a_configuration() {
        // AAC LC, 44.1 kHz, two channels, without and with a checksum.
        assert_eq!(adts(&[0xFF, 0xF1, 0x50, 0x80, 0, 0, 0, 1]), Some(([0x12, 0x10], 7)));
        assert_eq!(adts(&[0xFF, 0xF0, 0x50, 0x80, 0, 0, 0, 0, 0, 1]), Some(([0x12, 0x10], 9)));
        // 48 kHz, mono.
        assert_eq!(adts(&[0xFF, 0xF1, 0x4C, 0x40, 0, 0, 0, 1]), Some(([0x11, 0x88], 7)));
        assert_eq!(adts(&[0xFF, 0xF1, 0x50, 0x80, 0, 0, 0]), None);
        assert_eq!(adts(&[0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C, 0, 0]), None);
    }

    #[test]
    fn a_configuration_states_rate_and_channels() {
        for (bytes, expected) in [
            (&[0x12, 0x10][..], Some((44_100, 2))),
            (&[0x11, 0x88], Some((48_000, 1))),
            // HE-AAC: 22.05 kHz that become 44.1.
            (&[0x2B, 0x92, 0x08, 0x00], Some((44_100, 2))),
            // A rate of its own, 10 kHz.
            (&[0x17, 0x80, 0x13, 0x88, 0x10], Some((10_000, 2))),
            // Channels that are described elsewhere.
            (&[0x12, 0x00], None),
            (&[0x12], None),
            (&[], None),
        ] {
            assert_eq!(audio_specific_config(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_temporal_delimiter_is_left_out() {
        assert_eq!(without_temporal_delimiter(&[0x12, 0, 0x0A, 1]), &[0x0A, 1]);
        assert_eq!(without_temporal_delimiter(&[0x0A, 1]), &[0x0A, 1]);
    }

    proptest! {
        #[test]
        fn every_unit_comes_through(
            units in prop::collection::vec(prop::collection::vec(1_u8..=255, 1..40), 0..6),
            long: bool,
        ) {
            let code: &[u8] = if long { &[0, 0, 0, 1] } else { &[0, 0, 1] };
            let given: Vec<u8> = units.iter().flat_map(|u| [code, u].concat()).collect();
            let expected = units.iter().flat_map(|u| {
                [&u32::try_from(u.len()).unwrap().to_be_bytes()[..], u].concat()
            });
            prop_assert_eq!(with_lengths(&given), expected.collect::<Vec<u8>>());
        }

        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(0_u8..3, 0..60)) {
            with_lengths(&bytes);
            adts(&bytes);
            audio_specific_config(&bytes);
        }
    }
}
