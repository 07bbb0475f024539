//! The parameter sets of H.264 (ITU-T H.264, 7.3.2): what a decoder must know before it decodes a picture. Here
//! those of two encoders stand side by side in one configuration.

use crate::codec::bitstream::{has_start_codes, nal_units};

/// Parameter sets, as they stand in NAL units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    pub(crate) sps: Vec<Vec<u8>>,
    pub(crate) pps: Vec<Vec<u8>>,
}

/// How NAL units stand in packets, and so in the configuration too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NalForm {
    /// Each behind its length in four bytes, as in MP4, FLV and Matroska (ISO/IEC 14496-15).
    Lengths,
    /// Between start codes (ITU-T H.264, annex B), as in MPEG-TS.
    StartCodes,
}

const SPS: u8 = 7;
const PPS: u8 = 8;
const IDR: u8 = 5;

impl ParameterSets {
    /// Those of a configuration; `None` where there are none, and where lengths are not of four bytes.
    pub(crate) fn of(extradata: &[u8]) -> Option<(ParameterSets, NalForm)> {
        let mut sets = ParameterSets::default();
        let form = match extradata {
            [1, _, _, _, length, rest @ ..] => {
                let (count, left) = rest.split_first()?;
                let left = listed(&mut sets.sps, usize::from(count & 0x1F), left)?;
                let (count, left) = left.split_first()?;
                listed(&mut sets.pps, usize::from(*count), left)?;
                (length & 3 == 3).then_some(NalForm::Lengths)?
            }
            bytes if has_start_codes(bytes) => {
                for unit in nal_units(bytes) {
                    match unit.first().map(|first| first & 0x1F) {
                        Some(SPS) => sets.sps.push(unit.to_vec()),
                        Some(PPS) => sets.pps.push(unit.to_vec()),
                        _ => {}
                    }
                }
                NalForm::StartCodes
            }
            _ => return None,
        };
        (!sets.sps.is_empty() && !sets.pps.is_empty()).then_some((sets, form))
    }

    /// A configuration that has these and others; the profile and level of the first stand in front.
    pub(crate) fn beside(&self, others: &ParameterSets, form: NalForm) -> Option<Vec<u8>> {
        let sps: Vec<&Vec<u8>> = self.sps.iter().chain(&others.sps).collect();
        let pps: Vec<&Vec<u8>> = self.pps.iter().chain(&others.pps).collect();
        if form == NalForm::StartCodes {
            let units = sps.into_iter().chain(pps);
            return Some(units.flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect());
        }
        let [_, profile, compatibility, level, ..] = *sps.first()?.as_slice() else { return None };
        // At most 31 and 255 can be listed.
        let count = u8::try_from(sps.len()).ok().filter(|count| *count < 32)?;
        let mut bytes = vec![1, profile, compatibility, level, 0xFF, 0xE0 | count];
        write_listed(&mut bytes, &sps)?;
        bytes.push(u8::try_from(pps.len()).ok()?);
        write_listed(&mut bytes, &pps)?;
        if let Some(high) = Sps::of(sps.first()?).filter(|sps| is_high(sps.profile)) {
            let chroma = 0xFC | high.chroma_format as u8;
            let depths = [high.luma_depth, high.chroma_depth].map(|depth| 0xF8 | (depth - 8) as u8);
            bytes.extend([chroma, depths[0], depths[1], 0]);
        }
        Some(bytes)
    }

    /// The units in front of a picture, as the form has them.
    pub(crate) fn in_front(&self) -> Vec<u8> {
        let units = self.sps.iter().chain(&self.pps);
        units.flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect()
    }

    /// A number that none of these has, which x264 can give to both of its sets.
    pub(crate) fn free_id(&self) -> Option<u32> {
        let sps = self.sps.iter().filter_map(|unit| Sps::of(unit).map(|sps| sps.id));
        let pps = self.pps.iter().filter_map(|unit| {
            let bits = unescaped(unit);
            Bits::new(bits.get(1..)?).golomb()
        });
        let taken: Vec<u32> = sps.chain(pps).collect();
        (0..32).rev().find(|id| !taken.contains(id))
    }
}

fn listed<'a>(sets: &mut Vec<Vec<u8>>, count: usize, from: &'a [u8]) -> Option<&'a [u8]> {
    let mut left = from;
    for _ in 0..count {
        let (size, after) = left.split_first_chunk()?;
        let (set, rest) = after.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
        sets.push(set.to_vec());
        left = rest;
    }
    Some(left)
}

fn write_listed(bytes: &mut Vec<u8>, sets: &[&Vec<u8>]) -> Option<()> {
    for set in sets {
        bytes.extend(u16::try_from(set.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(set);
    }
    Some(())
}

/// Whether a packet has a picture with which everything begins anew, so that nothing behind it refers to
/// what is before it.
pub(crate) fn has_idr(packet: &[u8], form: NalForm) -> bool {
    let is_idr = |unit: &[u8]| unit.first().is_some_and(|first| first & 0x1F == IDR);
    match form {
        NalForm::StartCodes => nal_units(packet).any(is_idr),
        NalForm::Lengths => {
            let mut rest = packet;
            std::iter::from_fn(|| {
                let (length, after) = rest.split_first_chunk()?;
                let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
                let (unit, left) = after.split_at_checked(length)?;
                rest = left;
                Some(unit)
            })
            .any(is_idr)
        }
    }
}

/// What is needed of a sequence parameter set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sps {
    pub(crate) profile: u8,
    /// Ten times the level's number.
    pub(crate) level: u8,
    pub(crate) id: u32,
    pub(crate) chroma_format: u32,
    pub(crate) luma_depth: u32,
    pub(crate) chroma_depth: u32,
    /// Most pictures that one may refer to.
    pub(crate) reference_frames: u32,
    pub(crate) is_interlaced: bool,
    /// What it says of the buffer of decoded pictures.
    pub(crate) buffer: Option<PictureBuffer>,
    /// Where it says that, in bits, and the bits before the two numbers.
    place: Option<(usize, usize)>,
}

/// How many pictures a decoder keeps (E.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PictureBuffer {
    /// `max_num_reorder_frames`
    pub(crate) reordered: u32,
    /// `max_dec_frame_buffering`
    pub(crate) kept: u32,
}

impl Sps {
    /// Reads a NAL unit; `None` where it is cut short or no such set.
    pub(crate) fn of(unit: &[u8]) -> Option<Sps> {
        let bytes = unescaped(unit);
        let [header, profile, _, level, rest @ ..] = bytes.as_slice() else { return None };
        if header & 0x1F != SPS {
            return None;
        }
        // Bits are counted from the unit's beginning.
        let mut bits = Bits::new(rest);
        let id = bits.golomb()?;
        let (mut chroma_format, mut luma_depth, mut chroma_depth) = (1, 8, 8);
        if is_high(*profile) {
            chroma_format = bits.golomb()?;
            if chroma_format == 3 {
                bits.skip(1)?;
            }
            luma_depth = 8 + bits.golomb()?;
            chroma_depth = 8 + bits.golomb()?;
            bits.skip(1)?;
            if bits.flag()? {
                skip_scaling_lists(&mut bits, if chroma_format == 3 { 12 } else { 8 })?;
            }
        }
        bits.golomb()?;
        match bits.golomb()? {
            0 => {
                bits.golomb()?;
            }
            1 => {
                bits.skip(1)?;
                bits.golomb()?;
                bits.golomb()?;
                let count = bits.golomb()?;
                if count > 255 {
                    return None;
                }
                (0..count).try_for_each(|_| bits.golomb().map(drop))?;
            }
            _ => {}
        }
        let reference_frames = bits.golomb()?;
        bits.skip(1)?;
        bits.golomb()?;
        bits.golomb()?;
        let is_interlaced = !bits.flag()?;
        if is_interlaced {
            bits.skip(1)?;
        }
        bits.skip(1)?;
        if bits.flag()? {
            (0..4).try_for_each(|_| bits.golomb().map(drop))?;
        }
        let (mut buffer, mut place) = (None, None);
        if bits.flag()? {
            skip_usability(&mut bits)?;
            let begin = bits.at;
            if bits.flag()? {
                bits.skip(1)?;
                (0..4).try_for_each(|_| bits.golomb().map(drop))?;
                let before = bits.at;
                let (reordered, kept) = (bits.golomb()?, bits.golomb()?);
                buffer = Some(PictureBuffer { reordered, kept });
                place = Some((begin, before));
            }
        }
        Some(Sps {
            profile: *profile,
            level: *level,
            id,
            chroma_format,
            luma_depth,
            chroma_depth,
            reference_frames,
            is_interlaced,
            buffer,
            place,
        })
    }

    /// The unit with another buffer, or without a word on it, where it says something: a decoder that gets a
    /// set with another buffer may leave out pictures that it has not shown yet (C.4.4).
    pub(crate) fn with_buffer(unit: &[u8], buffer: Option<PictureBuffer>) -> Option<Vec<u8>> {
        let (begin, before) = Sps::of(unit)?.place?;
        let bytes = unescaped(unit);
        let (head, rest) = bytes.split_at_checked(4)?;
        let mut written = BitWriter::default();
        match buffer {
            Some(PictureBuffer { reordered, kept }) => {
                written.copy(rest, before);
                written.golomb(reordered);
                written.golomb(kept);
            }
            None => {
                written.copy(rest, begin);
                written.bit(false);
            }
        }
        Some(escaped(&[head, &written.finish()].concat()))
    }
}

fn is_high(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// 7.3.2.1.1.1
fn skip_scaling_lists(bits: &mut Bits<'_>, count: usize) -> Option<()> {
    for list in 0..count {
        if !bits.flag()? {
            continue;
        }
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                let code = i64::from(bits.golomb()?);
                let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

/// What stands in the video usability information (E.1.1) before the buffer.
fn skip_usability(bits: &mut Bits<'_>) -> Option<()> {
    // The shape of a pixel.
    if bits.flag()? && bits.number(8)? == 255 {
        bits.skip(32)?;
    }
    // Overscan.
    if bits.flag()? {
        bits.skip(1)?;
    }
    // Colours.
    if bits.flag()? {
        bits.skip(4)?;
        if bits.flag()? {
            bits.skip(24)?;
        }
    }
    // Where chroma samples lie.
    if bits.flag()? {
        bits.golomb()?;
        bits.golomb()?;
    }
    // The rate.
    if bits.flag()? {
        bits.skip(65)?;
    }
    let has_nal = bits.flag()?;
    if has_nal {
        skip_buffering(bits)?;
    }
    let has_vcl = bits.flag()?;
    if has_vcl {
        skip_buffering(bits)?;
    }
    bits.skip(usize::from(has_nal || has_vcl) + 1)
}

/// The hypothetical reference decoder's numbers (E.1.2).
fn skip_buffering(bits: &mut Bits<'_>) -> Option<()> {
    let count = bits.golomb()?;
    if count > 31 {
        return None;
    }
    bits.skip(8)?;
    for _ in 0..=count {
        bits.golomb()?;
        bits.golomb()?;
        bits.skip(1)?;
    }
    bits.skip(20)
}

/// A unit's bytes without those that keep start codes out of it (7.4.1).
fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    out
}

fn escaped(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len() + 4);
    let mut zeros = 0;
    for byte in unit {
        if zeros >= 2 && *byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    out
}

struct Bits<'a> {
    bytes: &'a [u8],
    /// How many were read.
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0 }
    }

    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    fn number(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0, |number, _| Some(number << 1 | u32::from(self.flag()?)))
    }

    /// An unsigned number in Exp-Golomb code (9.1).
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.number(zeros)?;
        Some((1u32 << zeros) - 1 + rest)
    }
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    count: usize,
}

impl BitWriter {
    fn bit(&mut self, bit: bool) {
        if self.count.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.count % 8);
        }
        self.count += 1;
    }

    /// The first bits of some bytes.
    fn copy(&mut self, bytes: &[u8], count: usize) {
        let mut bits = Bits::new(bytes);
        (0..count).for_each(|_| self.bit(bits.flag().unwrap_or_default()));
    }

    fn golomb(&mut self, number: u32) {
        let coded = u64::from(number) + 1;
        let bits = 64 - coded.leading_zeros();
        (1..bits).for_each(|_| self.bit(false));
        (0..bits).rev().for_each(|bit| self.bit(coded >> bit & 1 == 1));
    }

    /// With the bit that ends a unit (7.3.2.11).
    fn finish(mut self) -> Vec<u8> {
        self.bit(true);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of libx264's preset veryfast, 320x240.
    const X264: [u8; 25] = [
        0x67, 0x64, 0x00, 0x0D, 0xAC, 0xD9, 0x41, 0x41, 0xFB, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
        0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xF1, 0x42, 0x99, 0x60,
    ];

    #[test]
    fn a_set_is_read_and_has_another_buffer_then() {
        let sps = Sps::of(&X264).unwrap();
        assert_eq!((sps.profile, sps.level, sps.id), (100, 13, 0));
        assert_eq!((sps.luma_depth, sps.reference_frames, sps.is_interlaced), (8, 4, false));
        assert_eq!(sps.buffer, Some(PictureBuffer { reordered: 2, kept: 4 }));
        assert_eq!(Sps::with_buffer(&X264, sps.buffer).unwrap(), X264);
        let buffer = PictureBuffer { reordered: 0, kept: 9 };
        let changed = Sps::with_buffer(&X264, Some(buffer)).unwrap();
        assert_eq!(Sps::of(&changed).unwrap().buffer, Some(buffer));
    }

    #[test]
    fn numbers_come_back_from_their_code() {
        let mut writer = BitWriter::default();
        let numbers = [0, 1, 2, 7, 254, 255, 70_000];
        numbers.iter().for_each(|number| writer.golomb(*number));
        let bytes = writer.finish();
        let mut bits = Bits::new(&bytes);
        assert_eq!(numbers.map(|_| bits.golomb().unwrap()), numbers);
    }

    #[test]
    fn what_keeps_start_codes_out_is_taken_out_and_put_in() {
        for (plain, kept) in [
            (&[0, 0, 1][..], &[0, 0, 3, 1][..]),
            (&[0, 0, 0, 0, 0], &[0, 0, 3, 0, 0, 3, 0]),
            (&[0, 0, 4], &[0, 0, 4]),
            (&[7, 0, 0, 3], &[7, 0, 0, 3, 3]),
        ] {
            assert_eq!(escaped(plain), kept);
            assert_eq!(unescaped(kept), plain);
        }
    }

    #[test]
    fn a_configuration_of_two_has_the_sets_of_both() {
        let sets =
            |id: u8| ParameterSets { sps: vec![X264.to_vec()], pps: vec![vec![0x68, 0xEB, id]] };
        for form in [NalForm::Lengths, NalForm::StartCodes] {
            let bytes = sets(1).beside(&sets(2), form).unwrap();
            let (both, found) = ParameterSets::of(&bytes).unwrap();
            assert_eq!(found, form);
            assert_eq!((both.sps.len(), both.pps.len()), (2, 2));
            assert_eq!(both.pps[1], [0x68, 0xEB, 2]);
        }
        assert_eq!(ParameterSets::of(&[1, 100, 0, 40, 0xFF, 0xE1, 0, 9]), None);
        assert_eq!(ParameterSets::of(&[]), None);
    }

    #[test]
    fn an_idr_is_found_in_both_forms() {
        let lengths = |unit: u8| [0, 0, 0, 2, 0x06, 5, 0, 0, 0, 2, unit, 9];
        let codes = |unit: u8| [0, 0, 0, 1, 0x06, 5, 0, 0, 1, unit, 9];
        assert!(
            has_idr(&lengths(0x65), NalForm::Lengths) && has_idr(&codes(0x65), NalForm::StartCodes)
        );
        assert!(
            !has_idr(&lengths(0x41), NalForm::Lengths)
                && !has_idr(&codes(0x41), NalForm::StartCodes)
        );
        assert!(!has_idr(&[0, 0, 0, 9, 0x65], NalForm::Lengths), "cut short");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..80), kept in 0..20u32) {
            let unit = [&[0x67][..], &bytes].concat();
            let _ = (Sps::of(&unit), ParameterSets::of(&bytes), has_idr(&bytes, NalForm::Lengths));
            let buffer = PictureBuffer { reordered: kept / 2, kept };
            if let Some(changed) = Sps::with_buffer(&unit, Some(buffer)) {
                let (was, is) = (Sps::of(&unit).unwrap(), Sps::of(&changed).unwrap());
                prop_assert_eq!(is.buffer, Some(buffer));
                prop_assert_eq!(Sps { buffer: was.buffer, place: was.place, ..is }, was);
                let without = Sps::of(&Sps::with_buffer(&unit, None).unwrap()).unwrap();
                prop_assert_eq!(without.buffer, None);
            }
        }
    }
}
