//! What is said of an output beside its streams (ffmpeg(1), `-metadata`, `-map_metadata`,
//! `-map_chapters`, `-disposition`).

use std::fmt;

use super::specifier::Specifier;
use crate::av::metadata::disposition_named;
use crate::error::{Error, Hint, Result};

/// What is said of the output as a whole and of its streams, beside what comes with the inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetadataOptions {
    pub(crate) given: Vec<GivenTag>,
    pub(crate) maps: Vec<MetadataMap>,
    pub(crate) chapters: ChapterChoice,
}

/// Whose chapters an output has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChapterChoice {
    /// Those of the first input that has some.
    #[default]
    First,
    Of(usize),
    None,
}

/// What a tag is said of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagPlace {
    Container,
    Streams(Specifier),
    Chapter(usize),
}

/// One `-metadata`. An empty value takes a tag away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenTag {
    pub(crate) place: TagPlace,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// One `-map_metadata`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetadataMap {
    /// What is meant; all, as far as taking tags over by default goes, where nothing is said.
    pub(crate) to: Option<TagPlace>,
    /// The number of an input, and what of it; nothing is copied without.
    pub(crate) from: Option<(usize, TagSource)>,
}

/// What tags are copied of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagSource {
    Container,
    Stream(Specifier),
    Chapter(usize),
}

fn wrong(what: &str) -> Error {
    Error::usage(format!("'{what}' says nothing that has metadata")).hint(Hint::UseMetadata)
}

impl TagPlace {
    /// Reads what stands behind the first colon of an option's name.
    pub(super) fn parse(text: &str) -> Result<TagPlace> {
        let (first, rest) = text.split_once(':').unwrap_or((text, ""));
        match first {
            "" | "g" if rest.is_empty() => Ok(TagPlace::Container),
            "s" => Specifier::parse(rest).map(TagPlace::Streams),
            "c" => rest.parse().map(TagPlace::Chapter).map_err(|_| wrong(text)),
            _ => Err(wrong(text)),
        }
    }

    /// Whether one stream or chapter is meant, by its number.
    pub(crate) fn names_one(&self) -> bool {
        match self {
            TagPlace::Container => false,
            TagPlace::Streams(specifier) => specifier.has_number(),
            TagPlace::Chapter(_) => true,
        }
    }
}

impl fmt::Display for TagPlace {
    /// As it stands behind an option's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TagPlace::Container => Ok(()),
            TagPlace::Streams(specifier) => write!(f, ":s{specifier}"),
            TagPlace::Chapter(number) => write!(f, ":c:{number}"),
        }
    }
}

impl MetadataOptions {
    /// `-metadata[:place] name=value`.
    pub(super) fn give(&mut self, place: &str, text: &str) -> Result<()> {
        let place = TagPlace::parse(place)?;
        let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let cause = format!("'{text}' is not a name and a value with = between");
            return Err(Error::usage(cause));
        };
        self.given.push(GivenTag { place, name: name.to_owned(), value: value.to_owned() });
        Ok(())
    }

    /// `-map_metadata[:to] input[:from]`.
    pub(super) fn map(&mut self, to: &str, text: &str) -> Result<()> {
        let to = match to {
            "" => None,
            place => Some(TagPlace::parse(place)?),
        };
        let (input, rest) = text.split_once(':').unwrap_or((text, ""));
        let number: i64 = input.parse().map_err(|_| {
            Error::usage(format!("'{text}' does not begin with the number of an input"))
        })?;
        let from = match usize::try_from(number) {
            Err(_) => None,
            Ok(number) => Some((number, TagSource::parse(rest)?)),
        };
        self.maps.push(MetadataMap { to, from });
        Ok(())
    }

    /// `-map_chapters input`.
    pub(super) fn map_chapters(&mut self, text: &str) -> Result<()> {
        let number: i64 = text
            .parse()
            .map_err(|_| Error::usage(format!("'{text}' is not the number of an input, nor -1")))?;
        self.chapters = usize::try_from(number).map_or(ChapterChoice::None, ChapterChoice::Of);
        Ok(())
    }
}

impl MetadataMap {
    /// Whether tags of what stands at such a place don't go along by themselves any more: this map says
    /// what does. A map of no input, with nothing named, is about all.
    pub(crate) fn is_about(&self, place: &TagPlace) -> bool {
        let is_same = |own: &TagPlace| std::mem::discriminant(own) == std::mem::discriminant(place);
        let from = match (&self.from, &self.to) {
            (None, None) => return true,
            (None, Some(_)) => None,
            (Some((_, TagSource::Container)), _) => Some(TagPlace::Container),
            (Some((_, TagSource::Stream(_))), _) => Some(TagPlace::Streams(Specifier::default())),
            (Some((_, TagSource::Chapter(number))), _) => Some(TagPlace::Chapter(*number)),
        };
        is_same(self.to.as_ref().unwrap_or(&TagPlace::Container))
            || from.as_ref().is_some_and(is_same)
    }
}

impl TagSource {
    fn parse(text: &str) -> Result<TagSource> {
        let (first, rest) = text.split_once(':').unwrap_or((text, ""));
        match first {
            "" | "g" if rest.is_empty() => Ok(TagSource::Container),
            "s" => Specifier::parse(rest).map(TagSource::Stream),
            "c" => rest.parse().map(TagSource::Chapter).map_err(|_| wrong(text)),
            _ => Err(wrong(text)),
        }
    }
}

/// A change of what a stream is for: bits that are set, added and taken away, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DispositionChange(Vec<(Change, i32)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Set,
    Add,
    Remove,
}

impl DispositionChange {
    /// Reads `default`, `default+forced`, `+forced`, `-default`, `0` and the like.
    pub(super) fn parse(text: &str) -> Result<DispositionChange> {
        let mut changes = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (change, word) = match rest.as_bytes().first() {
                Some(b'+') => (Change::Add, &rest[1..]),
                Some(b'-') => (Change::Remove, &rest[1..]),
                _ => (Change::Set, rest),
            };
            let end = word.find(['+', '-']).unwrap_or(word.len());
            let (word, behind) = word.split_at(end);
            let bits = word.parse().ok().or_else(|| disposition_named(word));
            let bits = bits.ok_or_else(|| {
                let known = crate::av::listing::dispositions();
                Error::usage(format!("there is no disposition '{word}'"))
                    .hint(Hint::one_of(word, known))
            })?;
            changes.push((change, bits));
            rest = behind;
        }
        if changes.is_empty() {
            return Err(Error::usage("it names nothing"));
        }
        Ok(DispositionChange(changes))
    }

    /// What becomes of these bits.
    pub(crate) fn of(&self, before: i32) -> i32 {
        self.0.iter().fold(before, |bits, (change, named)| match change {
            Change::Set => *named,
            Change::Add => bits | named,
            Change::Remove => bits & !named,
        })
    }
}
