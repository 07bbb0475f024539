//! Which of an end's streams an option is for (ffmpeg(1), "Stream specifiers").

use std::fmt;

use crate::av::{MediaKind, StreamInfo};
use crate::error::{Error, Hint, Result};

/// A stream specifier: what stands behind the first colon of an option's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Specifier {
    /// Streams of one kind.
    kind: Option<SpecifiedKind>,
    /// One stream, by its number among those of the kind, or among all.
    number: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpecifiedKind {
    /// `v`.
    Video,
    /// `V`: no cover pictures.
    VideoWithoutCovers,
    /// `a`.
    Audio,
    /// `s`.
    Subtitles,
    /// `d`.
    Data,
    /// `t`.
    Attachments,
}

impl SpecifiedKind {
    const ALL: [SpecifiedKind; 6] = [
        SpecifiedKind::Video,
        SpecifiedKind::VideoWithoutCovers,
        SpecifiedKind::Audio,
        SpecifiedKind::Subtitles,
        SpecifiedKind::Data,
        SpecifiedKind::Attachments,
    ];

    fn letter(self) -> &'static str {
        match self {
            SpecifiedKind::Video => "v",
            SpecifiedKind::VideoWithoutCovers => "V",
            SpecifiedKind::Audio => "a",
            SpecifiedKind::Subtitles => "s",
            SpecifiedKind::Data => "d",
            SpecifiedKind::Attachments => "t",
        }
    }

    fn media(self) -> MediaKind {
        match self {
            SpecifiedKind::Video | SpecifiedKind::VideoWithoutCovers => MediaKind::Video,
            SpecifiedKind::Audio => MediaKind::Audio,
            SpecifiedKind::Subtitles => MediaKind::Subtitle,
            SpecifiedKind::Data => MediaKind::Data,
            SpecifiedKind::Attachments => MediaKind::Attachment,
        }
    }

    /// The kind of this letter.
    fn of(letter: &str) -> Option<SpecifiedKind> {
        SpecifiedKind::ALL.into_iter().find(|kind| kind.letter() == letter)
    }

    fn covers(self, kind: MediaKind, is_cover: bool) -> bool {
        kind.of_codec() == self.media() && !(is_cover && self == SpecifiedKind::VideoWithoutCovers)
    }
}

/// One of the streams of an input or output, as a specifier sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamPlace {
    pub(crate) kind: MediaKind,
    pub(crate) is_cover: bool,
    /// Its number among all streams.
    pub(crate) number: usize,
    /// Its number among the streams of its kind.
    pub(crate) number_of_kind: usize,
}

impl StreamPlace {
    /// The only stream of an end.
    pub(crate) fn only(kind: MediaKind) -> StreamPlace {
        StreamPlace { kind, is_cover: false, number: 0, number_of_kind: 0 }
    }

    /// The places of streams of these kinds, in this order.
    pub(crate) fn all(kinds: &[MediaKind]) -> Vec<StreamPlace> {
        let of_kind = |at: usize, kind: MediaKind| {
            let is_it = |other: &&MediaKind| other.of_codec() == kind.of_codec();
            kinds.iter().take(at).filter(is_it).count()
        };
        let place = |(number, &kind): (usize, &MediaKind)| StreamPlace {
            kind: kind.of_codec(),
            is_cover: kind == MediaKind::Cover,
            number,
            number_of_kind: of_kind(number, kind),
        };
        kinds.iter().enumerate().map(place).collect()
    }
}

impl Specifier {
    /// Every stream.
    pub(crate) const ALL: Specifier = Specifier { kind: None, number: None };
    pub(crate) const VIDEO: Specifier =
        Specifier { kind: Some(SpecifiedKind::Video), number: None };
    pub(crate) const AUDIO: Specifier =
        Specifier { kind: Some(SpecifiedKind::Audio), number: None };
    pub(crate) const SUBTITLES: Specifier =
        Specifier { kind: Some(SpecifiedKind::Subtitles), number: None };

    /// Reads a specifier: `v`, `a:1`, `V`, `0`, or nothing for all streams.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for one that names no kind and no number.
    pub(crate) fn parse(text: &str) -> Result<Specifier> {
        let wrong = || {
            let cause = format!("there is no stream for the specifier ':{text}'");
            Error::usage(cause).hint(Hint::UseSpecifiers)
        };
        let (first, rest) = match text.split_once(':') {
            Some((first, rest)) => (first, Some(rest)),
            None => (text, None),
        };
        let kind = SpecifiedKind::of(first);
        let number = match (kind, rest) {
            (Some(_), rest) => rest,
            (None, None) => Some(first).filter(|first| !first.is_empty()),
            (None, Some(_)) => return Err(wrong()),
        };
        let number = number.map(|number| number.parse().map_err(|_| wrong())).transpose()?;
        Ok(Specifier { kind, number })
    }

    /// The name of an option, and the specifier behind it; all streams where there is none.
    pub(crate) fn split(name: &str) -> Result<(&str, Specifier)> {
        match name.split_once(':') {
            None => Ok((name, Specifier::ALL)),
            Some((bare, specifier)) => Ok((bare, Specifier::parse(specifier)?)),
        }
    }

    pub(crate) fn covers(self, stream: StreamPlace) -> bool {
        let is_of_kind = self.kind.is_none_or(|kind| kind.covers(stream.kind, stream.is_cover));
        let own = if self.kind.is_some() { stream.number_of_kind } else { stream.number };
        is_of_kind && self.number.is_none_or(|number| number == own)
    }

    /// Whether it may be for streams of this kind.
    pub(crate) fn is_for(self, kind: MediaKind) -> bool {
        self.kind().is_none_or(|own| own == kind)
    }

    /// Whether the streams that it is for are known without the numbers of others: all, or those of a
    /// kind.
    pub(crate) fn is_of_kind_alone(self) -> bool {
        self.number.is_none() || self.kind.is_some()
    }

    /// The one kind that it is for.
    pub(crate) fn kind(self) -> Option<MediaKind> {
        self.kind.map(SpecifiedKind::media)
    }
}

/// As it stands behind a name, with its colon.
impl fmt::Display for Specifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, ":{}", kind.letter())?;
        }
        self.number.map_or(Ok(()), |number| write!(f, ":{number}"))
    }
}

/// Which of an input's streams a map is about: a specifier in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamPick {
    /// All of them hold.
    conditions: Vec<Condition>,
    /// The number among those for which they do.
    number: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Kind(SpecifiedKind),
    /// `p:`, a program's number.
    Program(i64),
    /// `#` or `i:`, what the container calls the stream's id.
    Id(i64),
    /// `m:`, a tag, and its value where one is given.
    Tag(String, Option<String>),
    /// `u`: enough is known of it to decode it.
    Usable,
}

impl StreamPick {
    /// Reads what stands behind an input's number: `v`, `a:1`, `p:3:v`, `#0x101`, `m:language:eng`, `u`,
    /// or nothing for all.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub(crate) fn parse(text: &str) -> Result<StreamPick> {
        let wrong = || {
            let cause = format!("there is no stream for the specifier ':{text}'");
            Error::usage(cause).hint(Hint::UseMaps)
        };
        let mut pick = StreamPick::default();
        let mut rest = Some(text).filter(|text| !text.is_empty());
        let next = |rest: &mut Option<&str>| -> Option<String> {
            let text = (*rest)?;
            let (first, behind) = match text.split_once(':') {
                Some((first, behind)) => (first, Some(behind)),
                None => (text, None),
            };
            *rest = behind;
            Some(first.to_owned())
        };
        while let Some(word) = next(&mut rest) {
            let condition = match (word.as_str(), SpecifiedKind::of(&word)) {
                (_, Some(kind)) => Condition::Kind(kind),
                ("u", _) => Condition::Usable,
                ("p", _) => {
                    let id = next(&mut rest).and_then(|id| whole(&id));
                    Condition::Program(id.ok_or_else(wrong)?)
                }
                ("i", _) => {
                    let id = next(&mut rest).and_then(|id| whole(&id));
                    Condition::Id(id.ok_or_else(wrong)?)
                }
                ("m", _) => {
                    let key = next(&mut rest).filter(|key| !key.is_empty()).ok_or_else(wrong)?;
                    // A value may have colons in it.
                    Condition::Tag(key, rest.take().map(str::to_owned))
                }
                (word, _) if word.starts_with('#') => {
                    Condition::Id(whole(&word[1..]).ok_or_else(wrong)?)
                }
                (number, _) if rest.is_none() => {
                    pick.number = Some(number.parse().map_err(|_| wrong())?);
                    break;
                }
                _ => return Err(wrong()),
            };
            pick.conditions.push(condition);
        }
        if text.ends_with(':') {
            return Err(wrong());
        }
        Ok(pick)
    }

    /// The places of those that it is about.
    pub(crate) fn of<'a>(&self, streams: impl Iterator<Item = &'a StreamInfo>) -> Vec<usize> {
        let holds = |stream: &StreamInfo| self.conditions.iter().all(|c| c.holds(stream));
        let mut found = streams.enumerate().filter(|(_, s)| holds(s)).map(|(place, _)| place);
        match self.number {
            None => found.collect(),
            Some(number) => found.nth(number).into_iter().collect(),
        }
    }
}

impl Condition {
    fn holds(&self, stream: &StreamInfo) -> bool {
        match self {
            Condition::Kind(kind) => kind.covers(stream.kind, stream.is_attached_picture),
            Condition::Program(id) => stream.programs.contains(id),
            Condition::Id(id) => stream.id == *id,
            Condition::Tag(key, value) => stream.tags.iter().any(|(own, said)| {
                own.eq_ignore_ascii_case(key) && value.as_ref().is_none_or(|value| value == said)
            }),
            Condition::Usable => stream.params.is_usable(),
        }
    }
}

/// A number as C writes them: decimal, octal or, with `0x`, hexadecimal.
fn whole(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0').filter(|digits| !digits.is_empty()) {
        Some(digits) => i64::from_str_radix(digits, 8).ok(),
        None => text.parse().ok(),
    }
}

/// As it stands behind an input's number, with its colon.
impl fmt::Display for StreamPick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for condition in &self.conditions {
            match condition {
                Condition::Kind(kind) => write!(f, ":{}", kind.letter())?,
                Condition::Program(id) => write!(f, ":p:{id}")?,
                Condition::Id(id) => write!(f, ":#{id}")?,
                Condition::Tag(key, None) => write!(f, ":m:{key}")?,
                Condition::Tag(key, Some(value)) => write!(f, ":m:{key}:{value}")?,
                Condition::Usable => f.write_str(":u")?,
            }
        }
        self.number.map_or(Ok(()), |number| write!(f, ":{number}"))
    }
}

/// Values of one option for an end's streams, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PerStream<T>(Vec<(Specifier, T)>);

impl<T> Default for PerStream<T> {
    fn default() -> PerStream<T> {
        PerStream(Vec::new())
    }
}

impl<T> PerStream<T> {
    pub(crate) fn set(&mut self, specifier: Specifier, value: T) {
        self.0.retain(|(given, _)| *given != specifier);
        self.0.push((specifier, value));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value for a stream: the last that covers it, as in FFmpeg.
    pub(crate) fn of(&self, stream: StreamPlace) -> Option<&T> {
        self.0.iter().rev().find(|(specifier, _)| specifier.covers(stream)).map(|(_, value)| value)
    }

    /// Whether a value was given for just what the specifier says.
    pub(crate) fn has(&self, specifier: Specifier) -> bool {
        self.0.iter().any(|(given, _)| *given == specifier)
    }

    /// The first specifier that covers none of these streams, though it may be for a kind of them.
    pub(crate) fn unused(&self, streams: &[StreamPlace]) -> Option<Specifier> {
        let is_used = |specifier: Specifier| {
            let is_wanted = streams.iter().any(|stream| specifier.is_for(stream.kind));
            !is_wanted || streams.iter().any(|stream| specifier.covers(*stream))
        };
        self.0.iter().map(|(specifier, _)| *specifier).find(|specifier| !is_used(*specifier))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VAAV: [MediaKind; 4] =
        [MediaKind::Video, MediaKind::Audio, MediaKind::Audio, MediaKind::Video];

    #[test]
    fn specifiers_are_those_of_ffmpeg() {
        let places = StreamPlace::all(&VAAV);
        for (text, covered) in [
            ("", &[0, 1, 2, 3][..]),
            ("v", &[0, 3]),
            ("V", &[0, 3]),
            ("a", &[1, 2]),
            ("v:0", &[0]),
            ("v:1", &[3]),
            ("v:2", &[]),
            ("a:1", &[2]),
            ("0", &[0]),
            ("3", &[3]),
            ("4", &[]),
        ] {
            let specifier = Specifier::parse(text).unwrap();
            let found: Vec<usize> =
                places.iter().filter(|p| specifier.covers(**p)).map(|p| p.number).collect();
            assert_eq!(found, covered, "{text}");
            let shown = specifier.to_string();
            assert_eq!(shown.strip_prefix(':').unwrap_or_default(), text);
        }
        for text in ["x", "sv", "v:", "v:x", "v:-1", "a:1:2", "0:v", "p:1", "m:language:eng", "#1"]
        {
            assert!(Specifier::parse(text).is_err(), "{text}");
        }
        let cover = StreamPlace { is_cover: true, ..places[0] };
        assert!(!Specifier::parse("V").unwrap().covers(cover));
        assert!(Specifier::parse("v").unwrap().covers(cover));
        // A cover is counted as a video.
        let places = StreamPlace::all(&[MediaKind::Cover, MediaKind::Audio, MediaKind::Video]);
        for (text, covered) in [("v", &[0, 2][..]), ("V", &[2]), ("v:0", &[0]), ("v:1", &[2])] {
            let specifier = Specifier::parse(text).unwrap();
            let found = places.iter().filter(|p| specifier.covers(**p)).map(|p| p.number);
            assert_eq!(found.collect::<Vec<_>>(), covered, "{text}");
        }
    }

    #[test]
    fn the_last_value_that_covers_a_stream_counts() {
        let places = StreamPlace::all(&VAAV);
        let mut values = PerStream::default();
        for (text, value) in [("v:1", 1), ("v", 2), ("a:1", 3), ("v:1", 4)] {
            values.set(Specifier::parse(text).unwrap(), value);
        }
        let found: Vec<_> = places.iter().map(|place| values.of(*place).copied()).collect();
        assert_eq!(found, [Some(2), None, Some(3), Some(4)]);
        assert_eq!(values.unused(&places), None);
        values.set(Specifier::parse("a:2").unwrap(), 5);
        assert_eq!(values.unused(&places).unwrap().to_string(), ":a:2");
        // What is for sound alone says nothing about an output without any.
        assert_eq!(
            values.unused(&StreamPlace::all(&[MediaKind::Video])).unwrap().to_string(),
            ":v:1"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,12}") {
            if let Ok(specifier) = Specifier::parse(&text) {
                let shown = specifier.to_string();
                prop_assert_eq!(Specifier::parse(shown.trim_start_matches(':')).unwrap(), specifier);
            }
        }
    }
}
