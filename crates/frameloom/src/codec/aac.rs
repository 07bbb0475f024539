//! What AAC says of itself: the headers of ADTS, and AudioSpecificConfig.

/// Bytes of an ADTS header without a checksum.
const ADTS_BYTES: usize = 7;

/// Hertz, by their index (ISO 14496-3, table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
    7350,
];

/// What the header of an AAC packet in ADTS says (ISO 13818-7, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Adts {
    pub(crate) sample_rate: u32,
    /// 0 where the packet itself says it.
    pub(crate) channels: u32,
}

impl Adts {
    /// Of a packet; `None` where it has no such header.
    pub(crate) fn of(packet: &[u8]) -> Option<Adts> {
        let head = adts_head(packet)?;
        let sample_rate = *RATES.get(usize::from(head[2] >> 2 & 0xF))?;
        let channels = match u32::from((head[2] & 1) << 2 | head[3] >> 6) {
            7 => 8,
            few => few,
        };
        Some(Adts { sample_rate, channels })
    }

    /// The header for a packet of AAC-LC of so many bytes; `None` where none can say so.
    pub(crate) fn header(self, bytes: usize) -> Option<[u8; ADTS_BYTES]> {
        let rate = u8::try_from(RATES.iter().position(|rate| *rate == self.sample_rate)?).ok()?;
        let channels = match self.channels {
            8 => 7,
            few @ 1..=6 => u8::try_from(few).ok()?,
            _ => return None,
        };
        let whole = u16::try_from(bytes + ADTS_BYTES).ok().filter(|size| *size < 1 << 13)?;
        let [high, low] = whole.to_be_bytes();
        // MPEG-4, no checksum; LC; a buffer of no known fullness; one frame.
        Some([
            0xFF,
            0xF1,
            1 << 6 | rate << 2 | channels >> 2,
            channels << 6 | high >> 3,
            high << 5 | low >> 3,
            low << 5 | 0x1F,
            0xFC,
        ])
    }
}

/// The header that a packet in ADTS begins with.
fn adts_head(packet: &[u8]) -> Option<&[u8; ADTS_BYTES]> {
    // The sync word, and the layer, which is always 0.
    packet.first_chunk().filter(|head| head[0] == 0xFF && head[1] & 0xF6 == 0xF0)
}

/// The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) that an ADTS header stands for, and how many
/// bytes the header has; `None` where there is none.
pub(crate) fn adts_configuration(data: &[u8]) -> Option<([u8; 2], usize)> {
    let [_, b1, b2, b3, ..] = *adts_head(data)?;
    let object_type = (b2 >> 6) + 1;
    let rate_index = b2 >> 2 & 0x0F;
    let channels = (b2 & 1) << 2 | b3 >> 6;
    let config = [object_type << 3 | rate_index >> 1, rate_index << 7 | channels << 3];
    // Without the protection bit a checksum follows.
    let size = if b1 & 1 == 1 { ADTS_BYTES } else { ADTS_BYTES + 2 };
    (data.len() > size).then_some((config, size))
}

/// Samples a second and channels that an AudioSpecificConfig states (ISO/IEC 14496-3, 1.6.2.1); `None` for
/// what only sound itself tells.
pub(crate) fn audio_specific_config(data: &[u8]) -> Option<(u32, u32)> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_adts_header_says_what_was_put_into_it() {
        for (sample_rate, channels, bytes) in [(44_100, 2, 371), (48_000, 1, 8000), (7350, 6, 1)] {
            let adts = Adts { sample_rate, channels };
            let header = adts.header(bytes).unwrap();
            assert_eq!(Adts::of(&header), Some(adts));
            let size = u32::from_be_bytes([0, header[3] & 3, header[4], header[5]]) >> 5;
            assert_eq!(size as usize, bytes + 7);
        }
        assert_eq!(Adts { sample_rate: 44_100, channels: 2 }.header(9000), None, "too long");
        assert_eq!(Adts { sample_rate: 44_000, channels: 2 }.header(9), None, "no such rate");
        assert_eq!(Adts::of(&[0xFF, 0xFB, 0x90, 0, 0, 0, 0]), None, "MP3");
        assert_eq!(Adts::of(&[0x21, 0x10]), None, "bare AAC");
    }

    #[test]
    fn an_adts_header_is_a_configuration() {
        // AAC LC, 44.1 kHz, two channels, without and with a checksum.
        assert_eq!(
            adts_configuration(&[0xFF, 0xF1, 0x50, 0x80, 0, 0, 0, 1]),
            Some(([0x12, 0x10], 7))
        );
        assert_eq!(
            adts_configuration(&[0xFF, 0xF0, 0x50, 0x80, 0, 0, 0, 0, 0, 1]),
            Some(([0x12, 0x10], 9))
        );
        // 48 kHz, mono.
        assert_eq!(
            adts_configuration(&[0xFF, 0xF1, 0x4C, 0x40, 0, 0, 0, 1]),
            Some(([0x11, 0x88], 7))
        );
        assert_eq!(adts_configuration(&[0xFF, 0xF1, 0x50, 0x80, 0, 0, 0]), None);
        assert_eq!(adts_configuration(&[0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C, 0, 0]), None);
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

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            Adts::of(&bytes);
            adts_configuration(&bytes);
            audio_specific_config(&bytes);
        }
    }
}
