//! What an output says of itself and of its streams: what the inputs said, and what its options say.

use crate::av::metadata::{ATTACHED_PICTURE, Chapter, DEFAULT, StreamMetadata, Tags};
use crate::av::{MediaKind, StreamInfo};
use crate::codec::window::Window;
use crate::error::{End, Error, Result, Setting, counted};
use crate::options::metadata::{ChapterChoice, MetadataMap, TagPlace, TagSource};
use crate::options::{OutputOptions, SpecifiedStream, Specifier, StreamPlace};
use crate::output::OutputMetadata;
use crate::run::planned::{PlannedInput, PlannedStream, Treatment};
use crate::time::Timestamp;

/// Tags that hold for the input as a file, and for no other one.
const OF_THE_FILE: [&str; 4] = ["creation_time", "company_name", "product_name", "product_version"];

/// Decides for one output.
///
/// # Errors
/// Where an option names an input, a stream or a chapter that isn't there.
pub(super) fn describe(
    inputs: &[PlannedInput<'_>],
    streams: &[PlannedStream],
    places: &[StreamPlace<'_>],
    options: &OutputOptions,
    window: Window,
) -> Result<OutputMetadata> {
    let maps = &options.metadata.maps;
    // Where a map says what goes where, nothing else of that goes by itself.
    let is_taken_over = |place: TagPlace| maps.iter().all(|map| !map.is_about(&place));
    let mut described = OutputMetadata::default();
    if is_taken_over(TagPlace::Container)
        && let Some(first) = inputs.first()
    {
        let is_kept = |name: &str| {
            let is_cut = name == "duration" && window.length.is_some();
            !is_cut && !OF_THE_FILE.contains(&name)
        };
        let tags = first.metadata.tags.iter().filter(|(name, _)| is_kept(name));
        described.container.tags = tags.cloned().collect();
    }
    described.container.chapters = chapters(inputs, options, window)?;
    if !is_taken_over(TagPlace::Chapter(0)) {
        described.container.chapters.iter_mut().for_each(|chapter| chapter.tags.clear());
    }
    let takes_streams = is_taken_over(TagPlace::Streams(Specifier::default()));
    for stream in streams {
        let source = stream_of(inputs, stream);
        let tags = source.filter(|_| takes_streams).map_or_else(Vec::new, |s| s.tags.clone());
        // What encoded it before is not what does now.
        let is_encoded = stream.treatment != Treatment::Copy;
        let tags = tags.into_iter().filter(|(name, _)| !(is_encoded && name == "encoder"));
        described.streams.push(StreamMetadata {
            tags: tags.collect(),
            disposition: source.map_or(0, |source| source.disposition),
            codec_tag: None,
        });
    }
    for map in maps {
        apply_map(map, inputs, places, &mut described)?;
    }
    if options.disposition.is_empty() {
        mark_defaults(&mut described.streams, places);
    }
    given(options, places, &mut described)?;
    Ok(described)
}

/// What the options say, where there is no input.
///
/// # Errors
/// As [`describe`].
pub(crate) fn of_options(options: &OutputOptions, kinds: &[MediaKind]) -> Result<OutputMetadata> {
    let known: Vec<_> = kinds.iter().copied().map(SpecifiedStream::of_kind).collect();
    let places = StreamPlace::all(&known);
    let streams = kinds.iter().map(|_| StreamMetadata::default()).collect();
    let mut described = OutputMetadata { streams, ..OutputMetadata::default() };
    given(options, &places, &mut described)?;
    Ok(described)
}

fn stream_of<'a>(inputs: &[PlannedInput<'a>], stream: &PlannedStream) -> Option<&'a StreamInfo> {
    let from = stream.from.input()?;
    inputs.get(from.input)?.streams.get(from.stream)
}

/// Where there are several streams of a kind, and none is the default one, the first is.
fn mark_defaults(streams: &mut [StreamMetadata], places: &[StreamPlace<'_>]) {
    for kind in [MediaKind::Video, MediaKind::Audio, MediaKind::Subtitle] {
        let is_it = |at: &usize| places.get(*at).is_some_and(|place| place.kind == kind);
        let all: Vec<usize> = (0..streams.len()).filter(is_it).collect();
        let has = |at: usize, bit: i32| streams.get(at).is_some_and(|s| s.disposition & bit != 0);
        if all.len() < 2 || all.iter().any(|at| has(*at, DEFAULT)) {
            continue;
        }
        let first = all.into_iter().find(|at| !has(*at, ATTACHED_PICTURE));
        if let Some(stream) = first.and_then(|at| streams.get_mut(at)) {
            stream.disposition |= DEFAULT;
        }
    }
}

/// What `-metadata` and `-disposition` say.
fn given(
    options: &OutputOptions,
    places: &[StreamPlace<'_>],
    described: &mut OutputMetadata,
) -> Result<()> {
    for tag in &options.metadata.given {
        let found = tags_at(&tag.place, places, described);
        if found.is_empty() && tag.place.names_one() {
            let setting = Setting::ffmpeg(format!("metadata{}", tag.place)).of(End::Output);
            let cause = "there is nothing of that number in the output";
            return Err(Error::usage(cause).about(setting));
        }
        found.into_iter().for_each(|tags| set(tags, &tag.name, &tag.value));
    }
    for (place, stream) in places.iter().zip(&mut described.streams) {
        if let Some(change) = options.disposition.of(*place) {
            stream.disposition = change.of(stream.disposition);
        }
        stream.codec_tag = options.codec_tag.of(*place).copied();
    }
    Ok(())
}

/// The tags that are meant.
fn tags_at<'a>(
    place: &TagPlace,
    places: &[StreamPlace<'_>],
    described: &'a mut OutputMetadata,
) -> Vec<&'a mut Tags> {
    match place {
        TagPlace::Container => vec![&mut described.container.tags],
        TagPlace::Streams(specifier) => {
            let streams = described.streams.iter_mut().zip(places);
            let meant = streams.filter(|(_, place)| specifier.covers(**place));
            meant.map(|(stream, _)| &mut stream.tags).collect()
        }
        TagPlace::Chapter(number) => {
            let chapter = described.container.chapters.get_mut(*number);
            chapter.into_iter().map(|chapter| &mut chapter.tags).collect()
        }
    }
}

/// Sets a tag; an empty value takes it away.
fn set(tags: &mut Tags, name: &str, value: &str) {
    tags.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    if !value.is_empty() {
        tags.push((name.to_owned(), value.to_owned()));
    }
}

fn apply_map(
    map: &MetadataMap,
    inputs: &[PlannedInput<'_>],
    places: &[StreamPlace<'_>],
    described: &mut OutputMetadata,
) -> Result<()> {
    let Some((input, source)) = &map.from else { return Ok(()) };
    let setting = || Setting::ffmpeg("map_metadata").of(End::Output);
    let known =
        inputs.get(*input).ok_or_else(|| no_input(*input, inputs.len()).about(setting()))?;
    let tags: Option<&Tags> = match source {
        TagSource::Container => Some(&known.metadata.tags),
        TagSource::Stream(pick) => {
            let streams: Vec<&StreamInfo> = known.streams.iter().map(|(_, s)| s).collect();
            let first = pick.of(streams.iter().copied()).first().copied();
            first.and_then(|place| streams.get(place)).map(|stream| &stream.tags)
        }
        TagSource::Chapter(number) => {
            known.metadata.chapters.get(*number).map(|chapter| &chapter.tags)
        }
    };
    let missing = || Error::usage("the input has nothing there that has metadata").about(setting());
    let tags = tags.ok_or_else(missing)?.clone();
    let to = map.to.as_ref().unwrap_or(&TagPlace::Container);
    for own in tags_at(to, places, described) {
        tags.iter().for_each(|(name, value)| set(own, name, value));
    }
    Ok(())
}

fn no_input(number: usize, count: usize) -> Error {
    let count = counted(count as u64, "input");
    Error::usage(format!("there is no input {number}: there is {count}"))
}

/// The chapters, cut to what the output has of the input, at their times in the output.
///
/// # Errors
/// Where an option names an input that isn't there.
pub(super) fn chapters(
    inputs: &[PlannedInput<'_>],
    options: &OutputOptions,
    window: Window,
) -> Result<Vec<Chapter>> {
    let from = match options.metadata.chapters {
        ChapterChoice::None => return Ok(Vec::new()),
        ChapterChoice::First => inputs.iter().find(|input| !input.metadata.chapters.is_empty()),
        ChapterChoice::Of(number) => Some(inputs.get(number).ok_or_else(|| {
            let setting = Setting::ffmpeg("map_chapters").of(End::Output);
            no_input(number, inputs.len()).about(setting)
        })?),
    };
    let Some(from) = from else { return Ok(Vec::new()) };
    // What moves the input's streams moves its chapters.
    let zero = from.zero.minus(from.options.offset);
    let start = zero.plus(window.start.unwrap_or(Timestamp::ZERO));
    let length = window.length;
    let mut cut = Vec::new();
    for chapter in &from.metadata.chapters {
        let base = chapter.start.base();
        let (begin, end) = (chapter.start.minus(start), chapter.end.minus(start));
        if end < Timestamp::ZERO || length.is_some_and(|length| begin > length) {
            continue;
        }
        let end = length.map_or(end, |length| end.min(length));
        let start = begin.max(Timestamp::ZERO).rescale(base);
        cut.push(Chapter { start, end: end.rescale(base), ..chapter.clone() });
    }
    Ok(cut)
}
