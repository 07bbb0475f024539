//! What AC-3 and E-AC-3 say of themselves (ETSI TS 102 366, 4.3 and annex E).

/// By the audio coding mode: 1+1, 1/0, 2/0, 3/0, 2/1, 3/1, 2/2, 3/2.
const FULL_BAND_CHANNELS: [u32; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// Samples a second and channels of the first frame in a packet, without channels that a dependent frame
/// behind it adds; `None` where it is no such packet.
pub(crate) fn sound(packet: &[u8]) -> Option<(u32, u32)> {
    let [0x0B, 0x77, _, _, b4, b5, b6, b7, ..] = *packet else { return None };
    let (sizes, version) = (b4 >> 6, b5 >> 3);
    let full_rate = [48_000, 44_100, 32_000].get(usize::from(sizes)).copied();
    let (sample_rate, mode, low_frequencies) = match version {
        0..=10 => {
            let mode = b6 >> 5;
            // Levels that only some modes have stand before it.
            let mut at = 3;
            if mode & 1 != 0 && mode != 1 {
                at += 2;
            }
            if mode & 4 != 0 {
                at += 2;
            }
            if mode == 2 {
                at += 2;
            }
            let low_frequencies = u16::from_be_bytes([b6, b7]) >> (15 - at) & 1;
            // Versions 9 and 10 have a half and a quarter of the rate.
            (full_rate? >> version.saturating_sub(8), mode, u32::from(low_frequencies))
        }
        11..=16 => {
            let half_rate = [24_000, 22_050, 16_000].get(usize::from(b4 >> 4 & 3)).copied();
            (full_rate.or(half_rate)?, b4 >> 1 & 7, u32::from(b4 & 1))
        }
        _ => return None,
    };
    let full_band = FULL_BAND_CHANNELS.get(usize::from(mode))?;
    Some((sample_rate, full_band + low_frequencies))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_states_rate_and_channels() {
        for (head, expected) in [
            // AC-3: stereo and 5.1 of 48 kHz, stereo of 44.1 kHz, mono of 32 kHz.
            ([0x14, 0x40, 0x43, 0xE0], Some((48_000, 2))),
            ([0x1E, 0x40, 0xE1, 0xFC], Some((48_000, 6))),
            ([0x1E, 0x40, 0xE0, 0xFC], Some((48_000, 5))),
            ([0x54, 0x40, 0x41, 0xE0], Some((44_100, 2))),
            ([0x94, 0x40, 0x2F, 0xE0], Some((32_000, 1))),
            // Half and a quarter of the rate, and one that is reserved.
            ([0x14, 0x48, 0x43, 0xE0], Some((24_000, 2))),
            ([0x14, 0x50, 0x43, 0xE0], Some((12_000, 2))),
            ([0xD4, 0x40, 0x43, 0xE0], None),
            // E-AC-3: stereo and 5.1, then half of the rate.
            ([0x34, 0x80, 0, 0], Some((48_000, 2))),
            ([0x3F, 0x80, 0, 0], Some((48_000, 6))),
            ([0x74, 0x80, 0, 0], Some((44_100, 2))),
            ([0xD4, 0x80, 0, 0], Some((22_050, 2))),
            ([0xF4, 0x80, 0, 0], None),
            // No version of either.
            ([0x34, 0xF8, 0, 0], None),
        ] {
            assert_eq!(sound(&[&[0x0B, 0x77, 1, 2][..], &head].concat()), expected, "{head:x?}");
        }
        assert_eq!(sound(&[0x77, 0x0B, 1, 2, 0x14, 0x40, 0x43, 0xE0]), None, "in another order");
        assert_eq!(sound(&[0x0B, 0x77, 1, 2, 0x14]), None, "cut short");
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..12), begins_well: bool) {
            sound(&bytes);
            sound(&[if begins_well { &[0x0B, 0x77][..] } else { &[] }, &bytes].concat());
        }
    }
}
