use super::*;
use crate::options::OutputOptions;
use crate::protocol::Target;
use crate::run::plan_writer::{plan_feed, plan_writer};
use crate::run::planned::Treatment;

const FILE: InputNode = InputNode {
    video: Some(0),
    audio: Some(1),
    was_sought: false,
    is_held: false,
    reopens_outputs: false,
};

const LIVE: InputNode = InputNode { is_held: true, reopens_outputs: true, ..FILE };

const MP4: &str = "out.mp4";
const RTMP: &str = "rtmp://localhost/live/out";

fn options(pairs: &[(&str, &str)]) -> OutputOptions {
    pairs.iter().fold(OutputOptions::new(), |all, (name, value)| all.with(name, value).unwrap())
}

/// A plan by hand: `v` and `a` for a stream that is encoded, `V` and `A` for one that is copied.
fn planned(url: &str, streams: &str, pairs: &[(&str, &str)]) -> OutputPlan {
    let options = options(pairs);
    let target = Target::resolve(url, &options).unwrap();
    let window = Window { start: options.start, length: options.length() };
    let video = || plan_writer(&target, &options).unwrap();
    let audio = || AudioPlan {
        filter: None,
        encoder: "aac".to_owned(),
        options: Vec::new(),
        window,
        packets: None,
    };
    let stream = |letter: char| {
        let (kind, number, treatment) = match letter {
            'V' => (MediaKind::Video, 0, Treatment::Copy),
            'v' => (MediaKind::Video, 0, Treatment::Video(Box::new(video()))),
            'A' => (MediaKind::Audio, 1, Treatment::Copy),
            'a' => (MediaKind::Audio, 1, Treatment::Audio(audio())),
            // Further ones of the same input.
            'w' => (MediaKind::Video, 2, Treatment::Video(Box::new(video()))),
            _ => (MediaKind::Subtitle, 3, Treatment::Copy),
        };
        let from = StreamSource::Input(InputStreamId { input: 0, stream: number });
        let (frames, bitstream_filters, aspect) = (None, None, None);
        PlannedStream { from, kind, frames, treatment, bitstream_filters, aspect }
    };
    let streams = streams.chars().map(stream).collect();
    OutputPlan { target, options, window, streams, metadata: Default::default() }
}

fn graph(code: CodeKind, input: InputNode, plans: &[OutputPlan]) -> PipelineGraph {
    let edited = input.video.filter(|_| code != CodeKind::None);
    let edited = edited.map(|stream| StreamSource::Input(InputStreamId { input: 0, stream }));
    let mut graph = PipelineGraph::new(code, edited);
    graph.add_input(input);
    plans.iter().enumerate().for_each(|(n, plan)| graph.add_output(n, plan));
    graph
}

/// A graph in a line: the queues of decoder and edit, then each encoder with its users, each copy,
/// each place for a late stream, and the writers' queues.
fn drawn(graph: &PipelineGraph) -> String {
    let key = |of: InputStreamId| {
        let name = ["v", "a", "w", "s"].get(of.stream).unwrap();
        format!("{}:{name}", of.input)
    };
    let port = |port: &Port| format!("{}.{}", port.writer, port.stream);
    let ports = |ports: &[Port]| ports.iter().map(port).collect::<Vec<_>>().join("+");
    let mut parts = Vec::new();
    for node in &graph.decoders {
        parts.push(format!("decode {} q{}", key(node.of), node.queue));
    }
    for node in &graph.edits {
        let from = match node.from {
            EditSource::Decoder(decoder) => decoder.to_string(),
            EditSource::Filter(pad) => format!("[{}.{}]", pad.graph, pad.pad),
        };
        parts.push(format!("edit {from} q{}", node.queue));
    }
    for node in &graph.video_encoders {
        let hold = if node.holds { " holds" } else { "" };
        parts.push(format!("encode >{} q{}{hold}", ports(&node.users), node.queue));
    }
    for node in &graph.audio_encoders {
        let of = match node.of {
            StreamSource::Input(of) => key(of),
            StreamSource::Graph(pad) => format!("[{}.{}]", pad.graph, pad.pad),
            StreamSource::Caller => "own".to_owned(),
        };
        parts.push(format!("transcode {of} >{} q{}", ports(&node.users), node.queue));
    }
    for node in &graph.copies {
        let drops = if node.drops_before_floor { " floor" } else { "" };
        parts.push(format!("copy {} >{}{drops}", key(node.of), port(&node.to)));
    }
    for node in &graph.late_streams {
        let kind = if node.kind == MediaKind::Video { "v" } else { "a" };
        parts.push(format!("late {}:{kind} >{}", node.input, port(&node.to)));
    }
    for node in &graph.writers {
        let drops_when_full = if node.drops_when_full { " drops_when_full" } else { "" };
        let encoder: String = node.video_encoders.iter().map(|n| format!(" keys{n}")).collect();
        parts.push(format!("write {} q{}{drops_when_full}{encoder}", node.output, node.queue));
    }
    parts.join(", ")
}

#[test]
fn a_graph_has_what_its_plans_take() {
    use CodeKind::{None as Nobody, Pulled, Stages};
    let sought = InputNode { was_sought: true, ..FILE };
    let no_audio = InputNode { audio: None, ..LIVE };
    let no_video = InputNode { video: None, ..LIVE };
    let cut = InputNode { is_held: false, ..no_audio };
    let one = |url, streams| vec![planned(url, streams, &[])];
    let table = [
        ("copied", Nobody, FILE, one(MP4, "VA"), "copy 0:v >0.0, copy 0:a >0.1, write 0 q256"),
        (
            "encoded",
            Nobody,
            FILE,
            one(MP4, "va"),
            "decode 0:v q16, edit 0 q1, encode >0.0 q1, transcode 0:a >0.1 q256, write 0 q256 keys0",
        ),
        (
            "two outputs share the encoders of equal plans",
            Nobody,
            FILE,
            vec![planned(MP4, "va", &[]), planned("b.mp4", "va", &[])],
            "decode 0:v q16, edit 0 q1, encode >0.0+1.0 q1, transcode 0:a >0.1+1.1 q256, \
             write 0 q256 keys0, write 1 q256 keys0",
        ),
        (
            "another plan has an encoder of its own, a copy none",
            Nobody,
            FILE,
            vec![
                planned(MP4, "vA", &[]),
                planned("b.mp4", "vA", &[("s", "64x36")]),
                planned("c.mp4", "VA", &[]),
            ],
            "decode 0:v q16, edit 0 q1, encode >0.0 q1, encode >1.0 q1, copy 0:a >0.1, \
             copy 0:a >1.1, copy 0:v >2.0, copy 0:a >2.1, write 0 q256 keys0, \
             write 1 q256 keys1, write 2 q256",
        ),
        (
            "edited",
            Stages,
            FILE,
            one(MP4, "vA"),
            "decode 0:v q16, edit 0 q1, encode >0.0 q1, copy 0:a >0.1, write 0 q256 keys0",
        ),
        ("edited into nothing", Stages, FILE, vec![], "decode 0:v q16, edit 0 q1"),
        ("pulled and only read", Pulled, FILE, vec![], "decode 0:v q16, edit 0 q4"),
        (
            "pulled: each output's frames may be its own",
            Pulled,
            FILE,
            vec![planned(MP4, "v", &[]), planned("b.mp4", "v", &[])],
            "decode 0:v q16, edit 0 q1, encode >0.0 q1, encode >1.0 q1, write 0 q256 keys0, \
             write 1 q256 keys1",
        ),
        (
            "sound that is copied beside video encoded from the middle on",
            Nobody,
            sought,
            vec![planned(MP4, "vA", &[]), planned("b.mp4", "VA", &[])],
            "decode 0:v q16, edit 0 q1, encode >0.0 q1, copy 0:a >0.1 floor, copy 0:v >1.0 floor, \
             copy 0:a >1.1, write 0 q256 keys0, write 1 q256",
        ),
        (
            "live: held, a live output relieved, a file not",
            Stages,
            LIVE,
            vec![planned(RTMP, "vA", &[]), planned(MP4, "vA", &[])],
            "decode 0:v q16, edit 0 q1, encode >0.0 q1 holds, encode >1.0 q1 holds, \
             copy 0:a >0.1, copy 0:a >1.1, write 0 q1024 drops_when_full keys0, write 1 q256 keys1",
        ),
        (
            "a file into a live output waits for it",
            Nobody,
            FILE,
            one(RTMP, "VA"),
            "copy 0:v >0.0, copy 0:a >0.1, write 0 q256",
        ),
        (
            "a place for sound that may come late",
            Nobody,
            no_audio,
            vec![planned(RTMP, "V", &[]), planned(MP4, "V", &[])],
            "copy 0:v >0.0, copy 0:v >1.0, late 0:a >0.1, write 0 q1024 drops_when_full, write 1 q256",
        ),
        (
            "a place for video that may come late",
            Nobody,
            no_video,
            one(RTMP, "A"),
            "copy 0:a >0.0, late 0:v >0.1, write 0 q1024 drops_when_full",
        ),
        (
            "several streams of a kind, of which code edits one",
            Stages,
            FILE,
            one(MP4, "vwAs"),
            "decode 0:v q16, decode 0:w q16, edit 0 q1, edit 1 q1, encode >0.0 q1, encode >0.1 q1, \
             copy 0:a >0.2, copy 0:s >0.3, write 0 q256 keys0 keys1",
        ),
        (
            "none where it isn't wanted",
            Nobody,
            no_audio,
            vec![planned(RTMP, "V", &[("an", "")])],
            "copy 0:v >0.0, write 0 q1024 drops_when_full",
        ),
        (
            "none where a loss is the end",
            Nobody,
            cut,
            one(RTMP, "V"),
            "copy 0:v >0.0, write 0 q1024 drops_when_full",
        ),
    ];
    for (name, code, input, plans, expected) in table {
        assert_eq!(drawn(&graph(code, input, &plans)), expected, "{name}");
    }
}

#[test]
fn each_input_has_nodes_of_its_own() {
    let mut graph = PipelineGraph::new(CodeKind::None, None);
    for _ in 0..2 {
        graph.add_input(FILE);
    }
    for (output, input) in [0, 1, 1].into_iter().enumerate() {
        let mut plan = planned(MP4, "vA", &[]);
        let of = |from: StreamSource| from.input().map_or(0, |of| of.stream);
        plan.streams.iter_mut().for_each(|stream| {
            let stream_number = of(stream.from);
            stream.from = StreamSource::Input(InputStreamId { input, stream: stream_number });
        });
        graph.add_output(output, &plan);
    }
    assert_eq!(
        drawn(&graph),
        "decode 0:v q16, decode 1:v q16, edit 0 q1, edit 1 q1, encode >0.0 q1, \
         encode >1.0+2.0 q1, copy 0:a >0.1, copy 1:a >1.1, copy 1:a >2.1, write 0 q256 keys0, \
         write 1 q256 keys1, write 2 q256 keys1"
    );
}

#[test]
fn a_callers_frames_need_an_encoder_and_a_writer() {
    let plan = |url: &str| {
        let options = options(&[]);
        plan_writer(&Target::resolve(url, &options).unwrap(), &options).unwrap()
    };
    let graph = PipelineGraph::of_caller(Some(plan(RTMP)), None, false, true);
    assert_eq!(drawn(&graph), "encode >0.0 q2, write 0 q16 keys0");
    let ends = |graph: &PipelineGraph| (graph.video_encoders[0].from, graph.writers[0].reopens);
    assert_eq!(ends(&graph), (FramesFrom::Caller, true));
    assert!(!PipelineGraph::of_caller(Some(plan(MP4)), None, true, false).writers[0].reopens);
    let options = options(&[]);
    let sound = |url: &str| {
        let target = Target::resolve(url, &options).unwrap();
        let plan = plan_feed(&target, &options, true).unwrap();
        let kinds: Vec<_> = plan.streams.iter().map(|stream| stream.kind).collect();
        (PipelineGraph::of_caller(plan.video, plan.audio, false, false), kinds)
    };
    let (both, kinds) = sound(MP4);
    assert_eq!(kinds, [MediaKind::Video, MediaKind::Audio]);
    let users = |graph: &PipelineGraph| graph.audio_encoders[0].users[0].stream;
    assert_eq!((users(&both), both.writers[0].video_encoders.len()), (1, 1));
    let (alone, kinds) = sound("made.wav");
    assert_eq!(kinds, [MediaKind::Audio]);
    assert_eq!((users(&alone), alone.writers[0].video_encoders.len()), (0, 0));
}

#[test]
fn a_file_is_lost_by_itself_beside_a_live_output() {
    let reopens = |input, urls: &[&str]| {
        let plans: Vec<_> = urls.iter().map(|url| planned(url, "VA", &[])).collect();
        let graph = graph(CodeKind::None, input, &plans);
        graph.writers.iter().map(|writer| writer.reopens).collect::<Vec<_>>()
    };
    // Whichever comes first.
    assert_eq!(reopens(LIVE, &[RTMP, "out.mkv"]), [true, true]);
    assert_eq!(reopens(LIVE, &["out.mkv", RTMP]), [true, true]);
    assert_eq!(reopens(LIVE, &["out.mkv"]), [false], "its failure is the end");
    assert_eq!(reopens(FILE, &[RTMP, "out.mkv"]), [false, false]);
    // Playlists and pictures have a name that is looked for.
    assert_eq!(reopens(LIVE, &[RTMP, "out.m3u8"]), [true, false]);
}
