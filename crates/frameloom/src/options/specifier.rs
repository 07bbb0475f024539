//! Which of an end's streams an option is for (ffmpeg(1), "Stream specifiers").

use std::fmt;

use crate::av::{MediaKind, StreamInfo};
use crate::error::{Error, Hint, Result};

/// A stream specifier: what stands behind the first colon of an option's name, and behind an input's
/// number in a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Specifier {
    /// Streams of one kind.
    kind: Option<SpecifiedKind>,
    /// What else holds for them: all of it.
    conditions: Vec<Condition>,
    /// One stream, by its number among those for which this holds.
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

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// `p:`, a program's number.
    Program(i64),
    /// `#` or `i:`, what the container calls the stream's id.
    Id(i64),
    /// `m:`, a tag, and its value where one is given.
    Tag(String, Option<String>),
    /// `u`: enough is known of it to decode it.
    Usable,
}

/// A stream as a specifier sees it.
#[derive(Clone, Copy)]
pub(crate) struct SpecifiedStream<'a> {
    pub(crate) kind: MediaKind,
    /// What an input says of it; `None` for what none has, and before any is open.
    pub(crate) info: Option<&'a StreamInfo>,
}

impl<'a> SpecifiedStream<'a> {
    /// A stream of an input, or what an output makes of it.
    pub(crate) fn of(info: &'a StreamInfo) -> SpecifiedStream<'a> {
        SpecifiedStream { kind: info.kind, info: Some(info) }
    }

    /// A stream of which nothing else is known.
    pub(crate) fn of_kind(kind: MediaKind) -> SpecifiedStream<'a> {
        SpecifiedStream { kind, info: None }
    }

    fn is_cover(self) -> bool {
        self.kind == MediaKind::Cover
    }
}

/// One of the streams of an input or output, among the others.
#[derive(Clone, Copy)]
pub(crate) struct StreamPlace<'a> {
    pub(crate) kind: MediaKind,
    pub(crate) is_cover: bool,
    /// Its number among all streams.
    pub(crate) number: usize,
    stream: SpecifiedStream<'a>,
    /// The streams before it.
    before: &'a [SpecifiedStream<'a>],
}

impl<'a> StreamPlace<'a> {
    /// The only stream of an end.
    pub(crate) fn only(kind: MediaKind) -> StreamPlace<'a> {
        let stream = SpecifiedStream::of_kind(kind);
        StreamPlace { kind, is_cover: false, number: 0, stream, before: &[] }
    }

    /// The places of these streams, in this order.
    pub(crate) fn all(streams: &'a [SpecifiedStream<'a>]) -> Vec<StreamPlace<'a>> {
        let place = |(number, &stream): (usize, &SpecifiedStream<'a>)| StreamPlace {
            kind: stream.kind.of_codec(),
            is_cover: stream.is_cover(),
            number,
            stream,
            before: streams.get(..number).unwrap_or_default(),
        };
        streams.iter().enumerate().map(place).collect()
    }

    /// The place of the stream of this number.
    pub(crate) fn of(streams: &'a [SpecifiedStream<'a>], number: usize) -> StreamPlace<'a> {
        let found = StreamPlace::all(streams).into_iter().nth(number);
        found.unwrap_or(StreamPlace::only(MediaKind::Other))
    }

    /// Its number among the streams of its kind.
    pub(crate) fn number_of_kind(self) -> usize {
        self.before.iter().filter(|stream| stream.kind.of_codec() == self.kind).count()
    }
}

impl Specifier {
    /// Every stream of a kind, or every stream.
    pub(crate) fn of_kind(kind: Option<MediaKind>) -> Specifier {
        let named = |kind| SpecifiedKind::ALL.into_iter().find(|known| known.media() == kind);
        Specifier { kind: kind.and_then(named), ..Specifier::default() }
    }

    pub(crate) fn video() -> Specifier {
        Specifier::of_kind(Some(MediaKind::Video))
    }

    pub(crate) fn audio() -> Specifier {
        Specifier::of_kind(Some(MediaKind::Audio))
    }

    pub(crate) fn subtitles() -> Specifier {
        Specifier::of_kind(Some(MediaKind::Subtitle))
    }

    /// Reads a specifier: `v`, `a:1`, `V`, `0`, `p:3:v`, `#0x101`, `m:language:eng`, `u`, or nothing for
    /// all streams.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for text that is none.
    pub(crate) fn parse(text: &str) -> Result<Specifier> {
        let wrong = || {
            let cause = format!("there is no stream for the specifier ':{text}'");
            Error::usage(cause).hint(Hint::UseSpecifiers)
        };
        let mut specifier = Specifier::default();
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
                (_, Some(kind)) if specifier.kind.is_none() => {
                    specifier.kind = Some(kind);
                    continue;
                }
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
                (number, None) if rest.is_none() => {
                    specifier.number = Some(number.parse().map_err(|_| wrong())?);
                    break;
                }
                _ => return Err(wrong()),
            };
            specifier.conditions.push(condition);
        }
        if text.ends_with(':') {
            return Err(wrong());
        }
        Ok(specifier)
    }

    /// The name of an option, and the specifier behind it; all streams where there is none.
    pub(crate) fn split(name: &str) -> Result<(&str, Specifier)> {
        match name.split_once(':') {
            None => Ok((name, Specifier::default())),
            Some((bare, specifier)) => Ok((bare, Specifier::parse(specifier)?)),
        }
    }

    pub(crate) fn covers(&self, place: StreamPlace<'_>) -> bool {
        let number = || place.before.iter().filter(|stream| self.holds_for(**stream)).count();
        self.holds_for(place.stream) && self.number.is_none_or(|wanted| wanted == number())
    }

    /// The places of those of these streams that it is for.
    pub(crate) fn of<'a>(&self, streams: impl Iterator<Item = &'a StreamInfo>) -> Vec<usize> {
        let streams: Vec<_> = streams.map(SpecifiedStream::of).collect();
        let places = StreamPlace::all(&streams).into_iter();
        places.filter(|place| self.covers(*place)).map(|place| place.number).collect()
    }

    fn holds_for(&self, stream: SpecifiedStream<'_>) -> bool {
        self.kind.is_none_or(|kind| kind.covers(stream.kind, stream.is_cover()))
            && self.conditions.iter().all(|c| stream.info.is_some_and(|info| c.holds(info)))
    }

    /// Whether it is for one stream, by its number.
    pub(crate) fn has_number(&self) -> bool {
        self.number.is_some()
    }

    /// Whether it may be for streams of this kind.
    pub(crate) fn is_for(&self, kind: MediaKind) -> bool {
        self.kind().is_none_or(|own| own == kind)
    }

    /// Whether it may be for this stream, of which the kind alone is known.
    fn may_cover(&self, stream: StreamPlace<'_>) -> bool {
        match self.is_of_kind_alone() {
            true => self.covers(stream),
            false => self.is_for(stream.kind),
        }
    }

    /// Whether it is for every stream.
    pub(crate) fn is_for_all(&self) -> bool {
        *self == Specifier::default()
    }

    /// Whether the streams that it is for are known without an input: all, or those of a kind.
    pub(crate) fn is_of_kind_alone(&self) -> bool {
        self.conditions.is_empty() && (self.number.is_none() || self.kind.is_some())
    }

    /// The one kind that it is for.
    pub(crate) fn kind(&self) -> Option<MediaKind> {
        self.kind.map(SpecifiedKind::media)
    }
}

impl Condition {
    fn holds(&self, stream: &StreamInfo) -> bool {
        match self {
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

/// As it stands behind a name or a number, with its colon.
impl fmt::Display for Specifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, ":{}", kind.letter())?;
        }
        for condition in &self.conditions {
            match condition {
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
    pub(crate) fn of(&self, stream: StreamPlace<'_>) -> Option<&T> {
        self.given_for(stream).map(|(_, value)| value)
    }

    /// As [`of`](PerStream::of), with the specifier that it was given by.
    pub(crate) fn given_for(&self, stream: StreamPlace<'_>) -> Option<&(Specifier, T)> {
        self.0.iter().rev().find(|(specifier, _)| specifier.covers(stream))
    }

    /// The value for the first stream of a kind, before any input is known: `None` where the last value that may
    /// be for it may also be for another.
    pub(crate) fn certain(&self, kind: MediaKind) -> Option<&T> {
        let stream = StreamPlace::only(kind);
        let last = self.0.iter().rev().find(|(specifier, _)| specifier.may_cover(stream));
        last.filter(|(specifier, _)| specifier.is_of_kind_alone()).map(|(_, value)| value)
    }

    /// Whether a value was given for just what the specifier says.
    pub(crate) fn has(&self, specifier: &Specifier) -> bool {
        self.0.iter().any(|(given, _)| given == specifier)
    }

    /// The first specifier that covers none of these streams, though it may be for a kind of them.
    pub(crate) fn unused(&self, streams: &[StreamPlace<'_>]) -> Option<&Specifier> {
        let is_used = |specifier: &Specifier| {
            let is_wanted = streams.iter().any(|stream| specifier.is_for(stream.kind));
            !is_wanted || streams.iter().any(|stream| specifier.covers(*stream))
        };
        self.0.iter().map(|(specifier, _)| specifier).find(|specifier| !is_used(specifier))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vaav() -> [SpecifiedStream<'static>; 4] {
        use MediaKind::{Audio, Video};
        [Video, Audio, Audio, Video].map(SpecifiedStream::of_kind)
    }

    #[test]
    fn specifiers_are_those_of_ffmpeg() {
        let streams = vaav();
        let places = StreamPlace::all(&streams);
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
        for text in ["x", "sv", "v:", "v:x", "v:-1", "a:1:2", "0:v", "v:a", "p:x", "m:", "#v", "u:"]
        {
            assert!(Specifier::parse(text).is_err(), "{text}");
        }
        // Nothing is known of these streams but their kinds.
        for (text, shown) in [
            ("p:1", ":p:1"),
            ("p:0x10:v:1", ":v:p:16:1"),
            ("#0x101", ":#257"),
            ("i:257", ":#257"),
            ("m:language:eng", ":m:language:eng"),
            ("s:m:title:a:b", ":s:m:title:a:b"),
            ("a:u:0", ":a:u:0"),
        ] {
            let specifier = Specifier::parse(text).unwrap();
            assert_eq!(specifier.to_string(), shown, "{text}");
            assert!(!places.iter().any(|place| specifier.covers(*place)), "{text}");
            assert!(!specifier.is_of_kind_alone(), "{text}");
        }
        let with_cover = [MediaKind::Cover, MediaKind::Audio, MediaKind::Video];
        let with_cover = with_cover.map(SpecifiedStream::of_kind);
        let places = StreamPlace::all(&with_cover);
        for (text, covered) in [("v", &[0, 2][..]), ("V", &[2]), ("v:0", &[0]), ("v:1", &[2])] {
            let specifier = Specifier::parse(text).unwrap();
            let found = places.iter().filter(|p| specifier.covers(**p)).map(|p| p.number);
            assert_eq!(found.collect::<Vec<_>>(), covered, "{text}");
        }
    }

    #[test]
    fn the_last_value_that_covers_a_stream_counts() {
        let streams = vaav();
        let places = StreamPlace::all(&streams);
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
        assert_eq!(values.unused(&StreamPlace::all(&streams[..1])).unwrap().to_string(), ":v:1");
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
