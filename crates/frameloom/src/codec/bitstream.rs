//! NAL units, parameter sets and temporal delimiters: how the same video is written in MPEG-TS, and in
//! MP4 and FLV.

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

/// The NAL units between start codes (ITU-T H.264, annex B), without the zeros around them.
pub(crate) fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
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

/// AV1 without temporal delimiters, which containers leave out (AV1 in ISOBMFF, section 2.4).
pub(crate) fn without_temporal_delimiter(data: &[u8]) -> &[u8] {
    const DELIMITER: [u8; 2] = [0x12, 0];
    data.strip_prefix(&DELIMITER).unwrap_or(data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            parameter_sets("h264", &bytes);
            parameter_sets("hevc", &bytes);
        }
    }
}
