//! Filter graphs across streams: which streams of the inputs go into each, and which outputs take what
//! comes out.

use crate::av::{MediaKind, OpenPad, PixFmt};
use crate::edit::check_graph;
use crate::edit::complex::{PadInput, pads_of, rates_of};
use crate::error::{Error, Hint, Result, Setting, Stage, counted};
use crate::image::device::DeviceSpec;
use crate::input::streams::InputStreamId;
use crate::options::{Specifier, StreamPlace};
use crate::run::planned::{
    GraphPad, OutputPlan, PlannedGraph, PlannedGraphInput, PlannedGraphOutput, PlannedInput,
    StreamSource,
};
use crate::time::Rate;

/// The setting that gives a graph.
pub(super) fn setting() -> Setting {
    Setting::ffmpeg("filter_complex")
}

/// Refuses, before anything is opened, a graph that can't be.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
pub fn check_graphs(specs: &[String]) -> Result<()> {
    let mut labels: Vec<String> = Vec::new();
    for spec in specs {
        check_graph(spec).map_err(|error| error.about(setting()))?;
        let pads = pads_of(spec).map_err(|error| error.about(setting()))?;
        for label in pads.outputs.into_iter().filter_map(|pad| pad.label) {
            if labels.contains(&label) {
                let cause = format!("the label [{label}] is given twice");
                return Err(Error::usage(cause).about(setting()));
            }
            labels.push(label);
        }
        for pad in pads.inputs {
            let names_input = |label: &String| label.starts_with(|c: char| c.is_ascii_digit());
            if let Some(label) = pad.label.filter(|label| !names_input(label)) {
                return Err(not_there(&label, "nothing in the graph has that label"));
            }
        }
    }
    Ok(())
}

fn not_there(label: &str, why: &str) -> Error {
    let cause = format!("there is no [{label}]: {why}");
    Error::usage(cause).about(setting()).hint(Hint::UseMaps)
}

/// Whether any of the graphs takes something of an input.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
pub fn take_inputs(specs: &[String]) -> Result<bool> {
    for spec in specs {
        if !pads_of(spec).map_err(|error| error.about(setting()))?.inputs.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Decides what goes into the graphs.
///
/// # Errors
/// Where a graph can't be, or asks for a stream that isn't there.
pub(crate) fn plan_graphs(
    specs: &[String],
    inputs: &[PlannedInput<'_>],
) -> Result<Vec<PlannedGraph>> {
    check_graphs(specs)?;
    let mut used: Vec<InputStreamId> = Vec::new();
    let mut graphs = Vec::new();
    for spec in specs {
        let pads = pads_of(spec).map_err(|error| error.about(setting()))?;
        let mut sources = Vec::new();
        for pad in &pads.inputs {
            let from = match &pad.label {
                Some(label) => labelled(label, pad.kind, inputs)?,
                None => unused(pad, &used, inputs)?,
            };
            used.push(from);
            let is_live = inputs.get(from.input).is_some_and(|input| input.is_live);
            sources.push(PlannedGraphInput { from, kind: pad.kind, is_live });
        }
        let ticks = tick_rate(&sources, inputs);
        let known = sources.iter().map(|source| pad_input(*source, ticks, inputs));
        let known = known.collect::<Result<Vec<_>>>()?;
        let device = device_for(&sources, inputs);
        let opened = device.as_ref().map(|device| device.open(Stage::Process)).transpose()?;
        let rates =
            rates_of(spec, &known, opened.as_deref()).map_err(|error| error.about(setting()))?;
        let outputs = pads.outputs.into_iter().zip(rates).map(|(pad, frame_rate)| {
            PlannedGraphOutput { label: pad.label, kind: pad.kind, frame_rate }
        });
        graphs.push(PlannedGraph {
            spec: spec.clone(),
            inputs: sources,
            outputs: outputs.collect(),
            ticks,
            device,
        });
    }
    Ok(graphs)
}

/// The stream that a label names: `0:v`, `1:a:0`.
fn labelled(label: &str, kind: MediaKind, inputs: &[PlannedInput<'_>]) -> Result<InputStreamId> {
    let (number, pick) = label.split_once(':').unwrap_or((label, ""));
    let pick = Specifier::parse(pick).map_err(|error| error.about(setting()))?;
    let input = number.parse().ok().and_then(|number: usize| Some((number, inputs.get(number)?)));
    let Some((input, known)) = input else {
        let count = counted(inputs.len() as u64, "input");
        return Err(not_there(label, &format!("there is {count}")));
    };
    let streams: Vec<_> = known.streams.iter().collect();
    let meant = pick.of(streams.iter().map(|(_, info)| *info));
    let mut meant = meant.into_iter().filter_map(|place| streams.get(place));
    let found = meant.find(|(_, info)| info.kind == kind && !known.options.leaves_out(kind));
    let is_subtitles = || pick.kind() == Some(MediaKind::Subtitle);
    let none = || match is_subtitles() {
        true => {
            let cause = format!("there is no [{label}]: a graph takes no subtitles");
            Error::usage(cause).about(setting()).hint(Hint::DrawSubtitles)
        }
        false => not_there(label, &format!("the input has no such {}", kind.name())),
    };
    found.map(|(stream, _)| InputStreamId { input, stream: *stream }).ok_or_else(none)
}

/// The first stream of its kind that no graph has yet.
fn unused(
    pad: &OpenPad,
    used: &[InputStreamId],
    inputs: &[PlannedInput<'_>],
) -> Result<InputStreamId> {
    let all = inputs.iter().enumerate().flat_map(|(input, known)| {
        let is_read = |kind| kind == pad.kind && !known.options.leaves_out(kind);
        let streams = known.streams.iter().filter(move |(_, info)| is_read(info.kind));
        streams.map(move |(stream, _)| InputStreamId { input, stream })
    });
    let none = || {
        let kind = pad.kind.name();
        let cause = format!("the inputs have no further {kind} for filter {}", pad.filter);
        Error::usage(cause).about(setting())
    };
    all.into_iter().find(|stream| !used.contains(stream)).ok_or_else(none)
}

/// The rate of live pictures of which nothing is known, and the highest that a graph is given.
const PLAIN_RATE: Rate = Rate::whole(25);
const HIGHEST_RATE: Rate = Rate::whole(60);

/// Ticks of a graph that gets live sound alone.
const SOUND_RATE: Rate = Rate::whole(50);

/// How often a graph is given frames of its live inputs: as often as the fastest of them has pictures.
fn tick_rate(sources: &[PlannedGraphInput], inputs: &[PlannedInput<'_>]) -> Option<Rate> {
    let live = || sources.iter().filter(|source| source.is_live);
    live().next()?;
    let pictures = live().filter(|source| source.kind == MediaKind::Video);
    let rates = pictures.map(|source| frame_rate(source.from, inputs).unwrap_or(PLAIN_RATE));
    let fastest = rates.max_by(|a, b| a.as_f64().total_cmp(&b.as_f64()));
    let is_too_high = |rate: Rate| rate.as_f64() > HIGHEST_RATE.as_f64();
    Some(match fastest {
        None => SOUND_RATE,
        Some(rate) if is_too_high(rate) => HIGHEST_RATE,
        Some(rate) => rate,
    })
}

fn frame_rate(from: InputStreamId, inputs: &[PlannedInput<'_>]) -> Option<Rate> {
    let input = inputs.get(from.input)?;
    input.options.rate.or(input.streams.get(from.stream)?.frame_rate)
}

/// The device that a graph's filters use.
fn device_for(sources: &[PlannedGraphInput], inputs: &[PlannedInput<'_>]) -> Option<DeviceSpec> {
    let of_source = |source: &PlannedGraphInput| {
        let input = inputs.get(source.from.input)?;
        let streams = input.streams.specified();
        let place = StreamPlace::of(&streams, source.from.stream);
        let devices = input.options.hardware.devices_for(place);
        devices.for_filters().cloned()
    };
    let named = |input: &PlannedInput<'_>| input.options.hardware.devices.for_filters().cloned();
    sources.iter().find_map(of_source).or_else(|| inputs.iter().find_map(named))
}

/// What is known of a graph's input before its first frame. Live ones come at the graph's `ticks`.
pub(super) fn pad_input(
    source: PlannedGraphInput,
    ticks: Option<Rate>,
    inputs: &[PlannedInput<'_>],
) -> Result<PadInput> {
    let from = source.from;
    let input = inputs.get(from.input);
    let stream = input.and_then(|input| input.streams.get(from.stream));
    let stream = stream.ok_or_else(|| Error::usage("a stream of a filter graph is not there"))?;
    let like = stream.params.blank_frame().map_err(|e| e.in_stage(Stage::Process))?;
    let ticks = ticks.filter(|_| source.is_live);
    Ok(PadInput {
        source: from.input,
        like,
        time_base: stream.time_base,
        frame_rate: ticks.or(frame_rate(from, inputs)),
        follows_clock: source.is_live,
        stays_on_device: input.is_some_and(|input| {
            let streams = input.streams.specified();
            let decoding = input.options.hardware.of(StreamPlace::of(&streams, from.stream));
            decoding.output.is_some_and(PixFmt::is_hardware)
        }),
    })
}

/// What the graphs give that the first output takes by itself: what has no label.
pub(super) fn unlabelled(graphs: &[PlannedGraph]) -> Vec<(GraphPad, MediaKind)> {
    let all = graphs.iter().enumerate().flat_map(|(graph, planned)| {
        let outputs = planned.outputs.iter().enumerate();
        outputs.map(move |(pad, output)| (GraphPad { graph, pad }, output))
    });
    let free = all.filter(|(_, output)| output.label.is_none());
    free.map(|(pad, output)| (pad, output.kind)).collect()
}

/// What has a label.
pub(super) fn of_label(graphs: &[PlannedGraph], label: &str) -> Option<(GraphPad, MediaKind)> {
    graphs.iter().enumerate().find_map(|(graph, planned)| {
        let is_it = |output: &PlannedGraphOutput| output.label.as_deref() == Some(label);
        let pad = planned.outputs.iter().position(is_it)?;
        let kind = planned.outputs.get(pad)?.kind;
        Some((GraphPad { graph, pad }, kind))
    })
}

/// Refuses graphs of which something is taken by no output, or by two.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
pub(super) fn check_taken(graphs: &[PlannedGraph], plans: &[OutputPlan]) -> Result<()> {
    let streams = plans.iter().flat_map(|plan| &plan.streams);
    let taken: Vec<_> = streams.map(|stream| stream.from).collect();
    for (graph, planned) in graphs.iter().enumerate() {
        for (pad, output) in planned.outputs.iter().enumerate() {
            let source = StreamSource::Graph(GraphPad { graph, pad });
            let label = output.label.as_deref().map(|label| format!("[{label}]"));
            let shown = label.clone().unwrap_or_else(|| "an output without a label".to_owned());
            let wrong = |cause: String| Error::usage(cause).about(setting());
            return match taken.iter().filter(|from| **from == source).count() {
                1 => continue,
                0 => {
                    let error = wrong(format!("no output takes {shown}"));
                    let map = |label| Hint::MapLabel(Setting::ffmpeg("map").to(label));
                    Err(label.into_iter().fold(error, |error, label| error.hint(map(label))))
                }
                _ => Err(wrong(format!("{shown} is taken twice")).hint(Hint::SplitFirst)),
            };
        }
    }
    Ok(())
}
