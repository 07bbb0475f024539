//! Which of an end's streams an option is for (ffmpeg(1), "Stream specifiers").

use std::fmt;

use crate::av::MediaKind;
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
        let of_kind = |at: usize, kind| kinds.iter().take(at).filter(|k| **k == kind).count();
        let place = |(number, &kind): (usize, &MediaKind)| StreamPlace {
            kind,
            is_cover: false,
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

    /// Reads a specifier: `v`, `a:1`, `V`, `0`, or nothing for all streams.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for one that names no video or audio.
    pub(crate) fn parse(text: &str) -> Result<Specifier> {
        let wrong = || {
            let cause = format!("there is no stream for the specifier ':{text}'");
            Error::usage(cause).hint(Hint::UseSpecifiers)
        };
        let (first, rest) = match text.split_once(':') {
            Some((first, rest)) => (first, Some(rest)),
            None => (text, None),
        };
        let kind = match first {
            "v" => Some(SpecifiedKind::Video),
            "V" => Some(SpecifiedKind::VideoWithoutCovers),
            "a" => Some(SpecifiedKind::Audio),
            _ => None,
        };
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
        let is_of_kind = match self.kind {
            None => true,
            Some(SpecifiedKind::Video) => stream.kind == MediaKind::Video,
            Some(SpecifiedKind::VideoWithoutCovers) => {
                stream.kind == MediaKind::Video && !stream.is_cover
            }
            Some(SpecifiedKind::Audio) => stream.kind == MediaKind::Audio,
        };
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
        match self.kind? {
            SpecifiedKind::Video | SpecifiedKind::VideoWithoutCovers => Some(MediaKind::Video),
            SpecifiedKind::Audio => Some(MediaKind::Audio),
        }
    }
}

/// As it stands behind a name, with its colon.
impl fmt::Display for Specifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            None => {}
            Some(SpecifiedKind::Video) => f.write_str(":v")?,
            Some(SpecifiedKind::VideoWithoutCovers) => f.write_str(":V")?,
            Some(SpecifiedKind::Audio) => f.write_str(":a")?,
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

    /// The value for a stream: the last that covers it, as in FFmpeg.
    pub(crate) fn of(&self, stream: StreamPlace) -> Option<&T> {
        self.0.iter().rev().find(|(specifier, _)| specifier.covers(stream)).map(|(_, value)| value)
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
        for text in
            ["s", "d", "x", "v:", "v:x", "v:-1", "a:1:2", "0:v", "p:1", "m:language:eng", "#1"]
        {
            assert!(Specifier::parse(text).is_err(), "{text}");
        }
        let cover = StreamPlace { is_cover: true, ..places[0] };
        assert!(!Specifier::parse("V").unwrap().covers(cover));
        assert!(Specifier::parse("v").unwrap().covers(cover));
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
