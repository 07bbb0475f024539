//! Which streams of the inputs an output has.

use crate::av::metadata::ATTACHED_PICTURE;
use crate::av::{MediaKind, StreamInfo};
use crate::error::{End, Error, ErrorKind, Hint, Result, Setting, Stage, counted};
use crate::input::streams::InputStreamId;
use crate::options::{
    CodecChoice, MapSource, OutputOptions, SpecifiedStream, Specifier, StreamMap, StreamPlace,
};
use crate::output::container::{
    Carriage, carriage, carriage_of_cover, goes_along, has_room_for, is_for_metadata, is_for_sound,
    shows_covers, takes_covers,
};
use crate::protocol::Target;
use crate::run::filters::{of_label, unlabelled};
use crate::run::planned::{GraphPad, PlannedGraph, PlannedInput, StreamSource};
use crate::url;

/// A stream that an output has.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'a> {
    pub(crate) from: StreamSource,
    pub(crate) kind: MediaKind,
    /// As the input describes it; `None` for what a filter graph makes.
    pub(crate) stream: Option<&'a StreamInfo>,
}

impl<'a> Chosen<'a> {
    fn of_input(from: InputStreamId, stream: &'a StreamInfo) -> Chosen<'a> {
        Chosen { from: StreamSource::Input(from), kind: stream.kind, stream: Some(stream) }
    }

    /// What becomes of it where nobody asks for anything.
    pub(super) fn carriage(&self, target: &Target) -> Carriage {
        match self.stream {
            Some(info) if self.is_cover_of(target) => {
                carriage_of_cover(&target.muxer, info.params.codec())
            }
            Some(info) => carriage(target, info),
            None => Carriage::Encode,
        }
    }

    /// Whether it is the cover in the container's own way.
    pub(super) fn is_cover_of(&self, target: &Target) -> bool {
        self.kind == MediaKind::Cover && takes_covers(&target.muxer)
    }

    /// As a specifier sees it.
    pub(crate) fn specified(&self) -> SpecifiedStream<'a> {
        SpecifiedStream { kind: self.kind, info: self.stream }
    }

    fn of_graph((pad, kind): (GraphPad, MediaKind)) -> Chosen<'a> {
        Chosen { from: StreamSource::Graph(pad), kind, stream: None }
    }
}

/// What outputs choose from.
#[derive(Clone, Copy)]
pub(crate) struct Offer<'a, 'b> {
    pub(crate) inputs: &'b [PlannedInput<'a>],
    pub(crate) graphs: &'b [PlannedGraph],
}

/// The streams of an output, in their order. The first output takes what filter graphs give without a
/// label.
///
/// # Errors
/// Where there is none, or one that was asked for can't be had.
pub(crate) fn choose<'a>(
    offer: Offer<'a, '_>,
    target: &Target,
    options: &OutputOptions,
    is_first: bool,
) -> Result<Vec<Chosen<'a>>> {
    let free = if is_first { unlabelled(offer.graphs) } else { Vec::new() };
    let mut chosen: Vec<Chosen<'a>> = free.into_iter().map(Chosen::of_graph).collect();
    match options.has_maps() {
        true => by_maps(&mut chosen, offer, target, options)?,
        false => by_default(&mut chosen, offer.inputs, target, options),
    }
    if options.own_audio.is_some() {
        if !has_room_for(target, MediaKind::Audio) {
            return Err(Error::usage("no sound goes into this format").at(&target.url));
        }
        let (from, kind, stream) = (StreamSource::Caller, MediaKind::Audio, None);
        chosen.push(Chosen { from, kind, stream });
    }
    if chosen.is_empty() && !is_for_metadata(&target.muxer) {
        let format = target.muxer.name();
        let cause = match options.has_maps() {
            true => "no stream is left for it".to_owned(),
            false => format!("nothing of the input goes into format {format}"),
        };
        return Err(Error::new(ErrorKind::Usage, Stage::Options, cause).at(&target.url));
    }
    Ok(chosen)
}

/// What `-map` says, one after the other. What is left of it has a place in the format.
fn by_maps<'a>(
    chosen: &mut Vec<Chosen<'a>>,
    offer: Offer<'a, '_>,
    target: &Target,
    options: &OutputOptions,
) -> Result<()> {
    let inputs = offer.inputs;
    let setting = |map: &StreamMap| Setting::ffmpeg("map").of(End::Output).to(map.to_string());
    let mut asked: Vec<(InputStreamId, &StreamMap)> = Vec::new();
    for map in &options.maps {
        let wrong = |cause: String| Error::usage(cause).at(&target.url).about(setting(map));
        let (number, pick) = match &map.from {
            MapSource::Input(number, pick) => (*number, pick),
            MapSource::Label(label) => {
                let found = of_label(offer.graphs, label);
                let none = || wrong("no filter graph gives anything of that label".to_owned());
                chosen.push(Chosen::of_graph(found.ok_or_else(none)?));
                continue;
            }
        };
        let Some(input) = inputs.get(number) else {
            let count = counted(inputs.len() as u64, "input");
            return Err(wrong(format!("there is no input {number}: there is {count}")));
        };
        let streams: Vec<(usize, &StreamInfo)> = input.streams.iter().collect();
        let places = pick.of(streams.iter().map(|(_, stream)| *stream));
        if map.is_negative {
            let is_meant = |chosen: &Chosen<'_>| {
                let Some(from) = chosen.from.input() else { return false };
                let is_at =
                    |at: &usize| streams.get(*at).is_some_and(|(stream, _)| *stream == from.stream);
                from.input == number && places.iter().any(is_at)
            };
            chosen.retain(|chosen| !is_meant(chosen));
            continue;
        }
        if places.is_empty() && !map.is_optional {
            let error = wrong("no stream of the input is that".to_owned());
            return Err(error.hint(Hint::MayBeMissing(setting(map).to(format!("{map}?")))));
        }
        for (stream, info) in places.iter().filter_map(|place| streams.get(*place).copied()) {
            if options.leaves_out(info.kind) || input.options.leaves_out(info.kind) {
                continue;
            }
            if info.kind == MediaKind::Cover && input.has_begun {
                return Err(wrong("a cover is read at the beginning alone".to_owned()));
            }
            let from = InputStreamId { input: number, stream };
            asked.push((from, map));
            chosen.push(Chosen::of_input(from, info));
        }
    }
    mark_covers(chosen, target, options);
    let known = specified(chosen);
    for (chosen, place) in chosen.iter().zip(StreamPlace::all(&known)) {
        // Subtitles may be encoded as whatever the format has a place for.
        let is_encoded = place.kind == MediaKind::Subtitle
            && matches!(options.codec.of(place), Some(CodecChoice::Encoder(_)));
        let (Some(from), Some(info)) = (chosen.from.input(), chosen.stream) else { continue };
        if is_encoded || chosen.carriage(target) != Carriage::Refuse {
            continue;
        }
        let InputStreamId { input, stream } = from;
        let (format, kind) = (target.muxer.name(), info.kind.name());
        let codec = info.params.codec().name();
        let cause =
            format!("format {format} has no place for stream {input}:{stream}, {kind} ({codec})");
        let error = Error::usage(cause).at(&target.url);
        let map = asked.iter().find(|(asked, _)| *asked == from).map(|(_, map)| setting(map));
        return Err(map.into_iter().fold(error, Error::about));
    }
    Ok(())
}

/// Makes pictures that the output is to have as covers such ones: those of a container for sound, and those
/// that `-disposition` says it of.
fn mark_covers(chosen: &mut [Chosen<'_>], target: &Target, options: &OutputOptions) {
    let known = specified(chosen);
    let places = StreamPlace::all(&known);
    for (chosen, place) in chosen.iter_mut().zip(places) {
        let Some(info) = chosen.stream.filter(|_| chosen.kind == MediaKind::Video) else {
            continue;
        };
        let change = options.disposition.of(place);
        let bits = change.map_or(info.disposition, |change| change.of(info.disposition));
        let is_said = takes_covers(&target.muxer) && bits & ATTACHED_PICTURE != 0;
        if is_said || is_for_sound(&target.muxer) {
            chosen.kind = MediaKind::Cover;
        }
    }
}

/// Chosen streams as specifiers see them.
pub(super) fn specified<'a>(chosen: &[Chosen<'a>]) -> Vec<SpecifiedStream<'a>> {
    chosen.iter().map(Chosen::specified).collect()
}

/// The stream of a kind that code gets, where these were chosen for the outputs.
///
/// # Errors
/// Where the outputs have several, and where there is none.
pub(crate) fn edited(
    offer: Offer<'_, '_>,
    outputs: &[Vec<Chosen<'_>>],
    kind: MediaKind,
) -> Result<StreamSource> {
    let mut streams: Vec<StreamSource> = Vec::new();
    for chosen in outputs.iter().flatten() {
        let is_own = chosen.from == StreamSource::Caller;
        if chosen.kind == kind && !is_own && !streams.contains(&chosen.from) {
            streams.push(chosen.from);
        }
    }
    let name = kind.name();
    match streams[..] {
        [only] => Ok(only),
        // It sees the frames, whether anything is made of them or not.
        [] => best(offer.inputs, kind).map(|best| best.from).ok_or_else(|| {
            let cause = format!("there is no {name} in it to edit");
            Error::new(ErrorKind::InvalidData, Stage::Source, cause)
        }),
        [..] => {
            let several = if kind == MediaKind::Audio { "sounds" } else { "videos" };
            let error = format!("the outputs have several {several}, and the code edits one");
            let mut maps = streams.iter().filter_map(|from| map_of(*from, offer, kind));
            let Some(map) = maps.next() else { return Err(Error::usage(error)) };
            let unused = maps.filter(|map| map.starts_with('[')).collect();
            let map = Setting::ffmpeg("map").of(End::Output).to(map);
            Err(Error::usage(error).hint(Hint::MapOne { map, unused }))
        }
    }
}

/// What a map that takes a stream says; `None` where none can.
fn map_of(from: StreamSource, offer: Offer<'_, '_>, kind: MediaKind) -> Option<String> {
    match from {
        StreamSource::Input(of) => {
            let streams = offer.inputs.get(of.input)?.streams.specified();
            let number = StreamPlace::of(&streams, of.stream).number_of_kind();
            let letter = if kind == MediaKind::Audio { 'a' } else { 'v' };
            Some(format!("{}:{letter}:{number}", of.input))
        }
        StreamSource::Graph(pad) => {
            let label = offer.graphs.get(pad.graph)?.outputs.get(pad.pad)?.label.as_ref()?;
            Some(format!("[{label}]"))
        }
        StreamSource::Caller => None,
    }
}

/// The best video and the best audio of all inputs, as far as the container takes them, and where nothing
/// of that kind is there.
fn by_default<'a>(
    chosen: &mut Vec<Chosen<'a>>,
    inputs: &[PlannedInput<'a>],
    target: &Target,
    options: &OutputOptions,
) {
    for (kind, is_off) in
        [MediaKind::Video, MediaKind::Audio].map(|kind| (kind, options.leaves_out(kind)))
    {
        if is_off || chosen.iter().any(|chosen| chosen.kind == kind) {
            continue;
        }
        let goes_along = kind == MediaKind::Video && shows_covers(&target.muxer);
        let along = || cover(inputs, target).filter(|_| goes_along);
        let is_picture = kind == MediaKind::Video && is_for_sound(&target.muxer);
        let best = best(inputs, kind);
        if let Some(cover) = along().filter(|_| is_picture || best.is_none()) {
            chosen.push(cover);
            continue;
        }
        let Some(best) = best else { continue };
        if best.stream.is_some_and(|stream| carriage(target, stream) != Carriage::Refuse) {
            chosen.push(best);
            continue;
        }
        let (name, format) = (kind.name(), target.muxer.name());
        tracing::info!(
            "{}: the {name} is left out, as format {format} has no place for it",
            url::redact::url(&target.url)
        );
    }
    if chosen.is_empty() && !options.no_video && has_room_for(target, MediaKind::Video) {
        // A picture by itself, where nothing else is wanted.
        chosen.extend(cover(inputs, target));
    }
    chosen.extend(subtitles(inputs, target, options));
}

/// The cover that an output has where it says nothing of streams: the largest in a container for sound, in
/// others the first.
fn cover<'a>(inputs: &[PlannedInput<'a>], target: &Target) -> Option<Chosen<'a>> {
    let is_for_sound = is_for_sound(&target.muxer);
    let mut best: Option<(i64, Chosen<'a>)> = None;
    for (input, known) in inputs.iter().enumerate().filter(|(_, known)| !known.has_begun) {
        for (stream, info) in known.streams.iter() {
            let chosen = Chosen::of_input(InputStreamId { input, stream }, info);
            let chosen = Chosen { kind: MediaKind::Cover, ..chosen };
            let is_one = info.is_attached_picture && !known.options.leaves_out(MediaKind::Cover);
            let size = i64::from(info.params.width()) * i64::from(info.params.height());
            let score = if is_for_sound { size } else { 1 };
            if is_one
                && chosen.carriage(target) != Carriage::Refuse
                && best.is_none_or(|(highest, _)| score > highest)
            {
                best = Some((score, chosen));
            }
        }
    }
    best.map(|(_, chosen)| chosen)
}

/// The first subtitles of the kind that the container is usually written with; the first ones at all,
/// where a codec for them is named.
fn subtitles<'a>(
    inputs: &[PlannedInput<'a>],
    target: &Target,
    options: &OutputOptions,
) -> Option<Chosen<'a>> {
    if options.leaves_out(MediaKind::Subtitle) {
        return None;
    }
    let is_named = options.codec.has(&Specifier::subtitles());
    let is_copied =
        options.codec.of(StreamPlace::only(MediaKind::Subtitle)) == Some(&CodecChoice::Copy);
    let has_place = |info: &StreamInfo| match carriage(target, info) {
        Carriage::Copy => true,
        Carriage::Encode => !is_copied,
        Carriage::Refuse => false,
    };
    let all = inputs.iter().enumerate().flat_map(|(input, known)| {
        let streams = known.streams.iter();
        streams.map(move |(stream, info)| (InputStreamId { input, stream }, known, info))
    });
    let fits = |known: &PlannedInput<'_>, info: &StreamInfo| {
        info.kind == MediaKind::Subtitle
            && !known.options.leaves_out(info.kind)
            && (is_named || goes_along(target, info.params.codec()) && has_place(info))
    };
    let mut fitting = all.filter(|(_, known, info)| fits(known, info));
    fitting.next().map(|(from, _, stream)| Chosen::of_input(from, stream))
}

/// The best of the inputs' main streams of a kind; of equals the first.
fn best<'a>(inputs: &[PlannedInput<'a>], kind: MediaKind) -> Option<Chosen<'a>> {
    let mut best: Option<(i64, Chosen<'a>)> = None;
    for (input, known) in inputs.iter().enumerate() {
        let main = known.streams.main(kind);
        let found = main.and_then(|number| Some((number, known.streams.get(number)?)));
        let Some((number, stream)) = found else { continue };
        let score = stream.score_among_inputs();
        if best.is_none_or(|(highest, _)| score > highest) {
            let from = InputStreamId { input, stream: number };
            best = Some((score, Chosen::of_input(from, stream)));
        }
    }
    best.map(|(_, chosen)| chosen)
}
