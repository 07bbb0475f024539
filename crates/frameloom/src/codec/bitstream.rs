//! What packets and decoders' configurations say of themselves, as far as copies need it.

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
        let head: &[u8; ADTS_BYTES] = packet.first_chunk()?;
        // The sync word, and the layer, which is always 0.
        if head[0] != 0xFF || head[1] & 0xF6 != 0xF0 {
            return None;
        }
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

/// The parameter sets of H.264 (`avcC`) or HEVC (`hvcC`), as they stand within packets, each behind
/// its length. `None` for what is no such configuration.
pub(crate) fn parameter_sets(codec: &str, configuration: &[u8]) -> Option<Vec<u8>> {
    let mut sets = Vec::new();
    match (codec, configuration) {
        ("h264", [1, _, _, _, length, rest @ ..]) => {
            let (count, left) = rest.split_first()?;
            let left = sets_of(&mut sets, usize::from(count & 0x1F), left, length & 3)?;
            let (count, left) = left.split_first()?;
            sets_of(&mut sets, usize::from(*count), left, length & 3)?;
        }
        ("hevc", [1, rest @ ..]) => {
            let length = rest.get(20)? & 3;
            let (arrays, mut left) = rest.get(21..)?.split_first()?;
            for _ in 0..*arrays {
                let ([_, high, low], after) = left.split_first_chunk()?;
                let count = usize::from(u16::from_be_bytes([*high, *low]));
                left = sets_of(&mut sets, count, after, length)?;
            }
        }
        _ => return None,
    }
    (!sets.is_empty()).then_some(sets)
}

/// Adds so many of the sets that `from` begins with, each behind its length in `length + 1` bytes;
/// gives what follows them.
fn sets_of<'a>(
    sets: &mut Vec<u8>,
    count: usize,
    mut from: &'a [u8],
    length: u8,
) -> Option<&'a [u8]> {
    for _ in 0..count {
        let (size, after) = from.split_first_chunk()?;
        let size = usize::from(u16::from_be_bytes(*size));
        let (set, rest) = after.split_at_checked(size)?;
        let size = u32::try_from(size).ok()?.to_be_bytes();
        sets.extend_from_slice(size.get(3 - usize::from(length)..)?);
        sets.extend_from_slice(set);
        from = rest;
    }
    Some(from)
}

#[cfg(test)]
mod tests {
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
    fn parameter_sets_stand_behind_their_lengths() {
        let avc = [1, 66, 0, 30, 0xFF, 0xE1, 0, 2, 0x67, 1, 1, 0, 3, 0x68, 2, 3];
        let sets = [0, 0, 0, 2, 0x67, 1, 0, 0, 0, 3, 0x68, 2, 3];
        assert_eq!(parameter_sets("h264", &avc).unwrap(), sets);
        let mut hevc = vec![1; 21];
        hevc.extend([0xF3, 2, 0x20, 0, 1, 0, 1, 9, 0x21, 0, 1, 0, 2, 8, 7]);
        assert_eq!(parameter_sets("hevc", &hevc).unwrap(), [0, 0, 0, 1, 9, 0, 0, 0, 2, 8, 7]);
        assert_eq!(parameter_sets("h264", &[0, 0, 0, 1, 0x67]), None, "start codes");
        assert_eq!(parameter_sets("h264", &avc[..9]), None, "cut short");
        assert_eq!(parameter_sets("av1", &[0x81, 0]), None);
    }
}
