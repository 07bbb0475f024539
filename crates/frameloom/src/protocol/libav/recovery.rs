//! How many frames behind a keyframe of H.264 pictures are right only. With intra refresh no picture is
//! whole by itself: a recovery point says after how many frames everything was refreshed (ITU-T H.264,
//! D.2.8).

/// NAL unit types: a slice of another picture, of an IDR picture, supplemental information.
const SLICE: u8 = 1;
const IDR: u8 = 5;
const SEI: u8 = 6;

/// The type of supplemental information that is a recovery point.
const RECOVERY_POINT: u32 = 6;

/// The frames until pictures are right when decoding begins with this packet; 0 where it doesn't say.
pub(super) fn frames_to_recovery(extradata: &[u8], packet: &[u8]) -> u32 {
    let units = match extradata {
        // avcC: units have their length in front.
        [1, _, _, _, lengths, ..] => prefixed(packet, usize::from(lengths & 3) + 1),
        _ => separated(packet),
    };
    for unit in units {
        match unit.first().map(|header| header & 0x1F) {
            Some(SEI) => {
                if let Some(frames) = recovery_of(unit.get(1..).unwrap_or_default()) {
                    return frames;
                }
            }
            Some(SLICE | IDR) => break,
            _ => {}
        }
    }
    0
}

/// The NAL units of a packet in which each has its length in front.
fn prefixed(mut packet: &[u8], size: usize) -> Vec<&[u8]> {
    let mut units = Vec::new();
    while let Some((length, rest)) = packet.split_at_checked(size) {
        let length = length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        let Some((unit, rest)) = rest.split_at_checked(length) else { break };
        units.push(unit);
        packet = rest;
    }
    units
}

/// The NAL units of a packet with start codes between them.
fn separated(packet: &[u8]) -> Vec<&[u8]> {
    let starts = packet.windows(3).enumerate().filter(|(_, bytes)| *bytes == [0, 0, 1]);
    starts.filter_map(|(at, _)| packet.get(at + 3..)).collect()
}

/// The number of frames in the recovery point of supplemental information.
fn recovery_of(mut sei: &[u8]) -> Option<u32> {
    loop {
        let kind = number(&mut sei)?;
        let size = usize::try_from(number(&mut sei)?).ok()?;
        if kind == RECOVERY_POINT {
            return exp_golomb(sei);
        }
        sei = sei.get(size..)?;
    }
}

/// A number in bytes of which all but the last are 255.
fn number(sei: &mut &[u8]) -> Option<u32> {
    let mut sum = 0u32;
    loop {
        let (byte, rest) = sei.split_first()?;
        *sei = rest;
        sum = sum.checked_add(u32::from(*byte))?;
        if *byte != 0xFF {
            return Some(sum);
        }
    }
}

/// The first number of these bits (9.1).
fn exp_golomb(bytes: &[u8]) -> Option<u32> {
    let bit = |n: usize| bytes.get(n / 8).map(|byte| u32::from((byte >> (7 - n % 8)) & 1));
    let zeros = (0..16).find(|n| bit(*n) == Some(1))?;
    (0..=zeros).try_fold(0, |sum, n| Some((sum << 1) | bit(zeros + n)?)).map(|coded| coded - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_point_says_after_how_many_frames() {
        // 15 is 16 in nine bits, 000010000, and then flags.
        let sei = [0x06, 0x06, 0x02, 0x08, 0x44, 0x80];
        let annexb = [&[0, 0, 0, 1][..], &sei[..], &[0, 0, 1, 0x41, 0x9A]].concat();
        assert_eq!(frames_to_recovery(&[], &annexb), 15);
        let avcc = [&[0, 0, 0, 6][..], &sei[..], &[0, 0, 0, 2, 0x41, 0x9A]].concat();
        assert_eq!(frames_to_recovery(&[1, 66, 0, 30, 0xFF, 0xE1], &avcc), 15);
        // Of open GOPs: right from the first frame shown on.
        let at_once = [0, 0, 1, 0x06, 0x06, 0x01, 0xC4, 0x80, 0, 0, 1, 0x41];
        assert_eq!(frames_to_recovery(&[], &at_once), 0);
        assert_eq!(frames_to_recovery(&[], &[0, 0, 1, 0x65, 0x88]), 0);
        assert_eq!(frames_to_recovery(&[1, 66, 0, 30, 0xFF], &[0, 0, 0, 9, 6]), 0);
        assert_eq!(frames_to_recovery(&[], &[0, 0, 1, 6, 6, 255]), 0);
    }
}
