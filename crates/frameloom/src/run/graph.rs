//! What runs, as plain data: the nodes and the queues between them, laid out from the outputs'
//! plans and from what is known of the inputs. [`spawn`](super::spawn) gives each node its thread.
//!
//! Everything is keyed by (input, stream), or by (filter graph, output of it).

use crate::av::MediaKind;
use crate::codec::audio::AudioPlan;
use crate::codec::encode::VideoPlan;
use crate::codec::subtitle::SubtitlePlan;
use crate::codec::window::{PictureLimit, Window};
use crate::input::streams::InputStreamId;
use crate::options::StreamPlace;
use crate::run::planned::{
    GraphPad, OutputPlan, PlannedGraph, PlannedStream, StreamSource, Treatment,
};

/// Packets between reader and decoder: enough to ride over a slow frame.
const PACKET_QUEUE: usize = 16;
/// Frames between two stages: pictures are large, and each that waits is late.
const FRAME_QUEUE: usize = 1;
/// Frames decoded ahead for a caller who only reads: a thread that wakes late costs nothing then.
const READ_AHEAD: usize = 4;
/// Messages to a writer.
const WRITER_QUEUE: usize = 256;
/// Messages to the writer of a live output, which makes nobody wait: what a server may take ten
/// seconds to read is kept.
const LIVE_WRITER_QUEUE: usize = 1024;
/// Packets to a thread that transcodes audio.
const AUDIO_QUEUE: usize = 256;
/// Frames to an input of a filter graph.
pub(super) const FILTER_QUEUE: usize = 2;
/// Frames of a caller's own that wait for the encoder.
const CALLER_FRAMES: usize = 2;
/// Pieces of a caller's own sound, of a second at the most, that wait for the encoder.
const CALLER_SOUND: usize = 4;
/// Messages to the writer of a caller's own frames. Few: a server that is behind is to be felt by
/// whoever writes, before the stream is seconds late.
const CALLER_WRITER_QUEUE: usize = 16;

/// One stream of one writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// Its place among the graph's writers.
    pub(crate) writer: usize,
    /// The stream's number in the container.
    pub(crate) stream: usize,
}

/// What runs. A node names another by its place in that one's list.
#[derive(Debug, PartialEq)]
pub(crate) struct PipelineGraph {
    pub(crate) code: CodeKind,
    /// The video whose frames the code gets.
    pub(crate) edited: Option<StreamSource>,
    pub(crate) inputs: Vec<InputNode>,
    pub(crate) decoders: Vec<DecoderNode>,
    pub(crate) audio_decoders: Vec<DecoderNode>,
    pub(crate) filters: Vec<FilterNode>,
    pub(crate) edits: Vec<EditNode>,
    /// The sound that code edits: where it comes from.
    pub(crate) audio_edit: Option<EditSource>,
    edited_audio: Option<StreamSource>,
    pub(crate) video_encoders: Vec<VideoEncoderNode>,
    pub(crate) audio_encoders: Vec<AudioEncoderNode>,
    pub(crate) copies: Vec<CopyNode>,
    pub(crate) late_streams: Vec<LateStreamNode>,
    pub(crate) writers: Vec<WriterNode>,
}

/// The kind of code that edits the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeKind {
    /// Nobody: they are only encoded.
    None,
    /// Closures, filter graphs, a COMMAND.
    Stages,
    /// The caller's own thread, which pulls them.
    Pulled,
}

/// An input: a thread that reads packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputNode {
    /// The numbers of its main streams.
    pub(crate) video: Option<usize>,
    pub(crate) audio: Option<usize>,
    /// It was begun somewhere in its middle, so what is decoded begins later than what is read.
    pub(crate) was_sought: bool,
    /// Outputs go on without it while it is lost.
    pub(crate) is_held: bool,
    /// A live output neither waits for it nor makes the others wait.
    pub(crate) reopens_outputs: bool,
}

/// A thread that turns packets into frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecoderNode {
    pub(crate) of: InputStreamId,
    /// Packets that may wait for it.
    pub(crate) queue: usize,
    /// The filter graphs' inputs that get its frames.
    pub(crate) filters: Vec<FilterInput>,
}

/// An input of a filter graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FilterInput {
    pub(crate) filter: usize,
    pub(crate) pad: usize,
}

/// A thread that runs a filter graph across streams.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FilterNode {
    pub(crate) plan: PlannedGraph,
}

/// Where an edit's frames come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EditSource {
    Decoder(usize),
    Filter(GraphPad),
}

/// Your code, or nobody's, before the encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EditNode {
    pub(crate) code: CodeKind,
    pub(crate) from: EditSource,
    /// Frames that may wait for it.
    pub(crate) queue: usize,
}

/// Where an encoder's frames come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramesFrom {
    Edit(usize),
    /// The caller makes them.
    Caller,
}

/// A thread that encodes video.
#[derive(Debug, PartialEq)]
pub(crate) struct VideoEncoderNode {
    pub(crate) from: FramesFrom,
    pub(crate) plan: VideoPlan,
    /// Its headers stand outside the packets. That suits every container: those that want them
    /// inside put them there themselves.
    pub(crate) global_header: bool,
    pub(crate) users: Vec<Port>,
    /// The number of the first output that uses it.
    pub(crate) output: usize,
    /// Frames that may wait for it.
    pub(crate) queue: usize,
    /// It shows its last picture, or a slate, while the input is lost.
    pub(crate) holds: bool,
}

/// A thread that decodes audio and encodes it again, or encodes what a filter graph or the caller makes.
#[derive(Debug, PartialEq)]
pub(crate) struct AudioEncoderNode {
    pub(crate) of: StreamSource,
    /// It gets what code made of it.
    pub(crate) is_edited: bool,
    pub(crate) plan: AudioPlan,
    pub(crate) global_header: bool,
    pub(crate) users: Vec<Port>,
    /// Packets that may wait for it.
    pub(crate) queue: usize,
}

/// A stream that is copied to an output, by the thread that reads it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CopyNode {
    pub(crate) of: InputStreamId,
    pub(crate) kind: MediaKind,
    pub(crate) to: Port,
    pub(crate) window: Window,
    /// It ends after so many packets.
    pub(crate) frames: Option<PictureLimit>,
    /// Beside video that is encoded, and so begins where it is wanted: what comes before is
    /// dropped.
    pub(crate) drops_before_floor: bool,
    /// Subtitles are encoded on their way: that is too little work for a thread.
    pub(crate) subtitles: Option<SubtitlePlan>,
}

/// A place for a stream that the input hasn't got yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LateStreamNode {
    pub(crate) input: usize,
    pub(crate) kind: MediaKind,
    pub(crate) to: Port,
    pub(crate) window: Window,
}

/// A thread that writes an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WriterNode {
    /// The output's number, as its user counts.
    pub(crate) output: usize,
    /// Messages that may wait for it.
    pub(crate) queue: usize,
    /// Packets that it has no room for are dropped, to its next keyframe: it makes nobody wait.
    pub(crate) drops_when_full: bool,
    /// It is opened again where it is lost.
    pub(crate) reopens: bool,
    /// It is a file that is lost by itself, and begun again, where a live output is beside it.
    is_recording: bool,
    /// The encoders of its video.
    pub(crate) video_encoders: Vec<usize>,
}

impl PipelineGraph {
    /// The queues of a decoder, and of what gets its frames, that are begun later.
    pub(super) const DECODING: [usize; 2] = [PACKET_QUEUE, FRAME_QUEUE];

    /// Nothing yet.
    pub(crate) fn new(code: CodeKind, edited: Option<StreamSource>) -> PipelineGraph {
        PipelineGraph {
            code,
            edited,
            inputs: Vec::new(),
            decoders: Vec::new(),
            audio_decoders: Vec::new(),
            filters: Vec::new(),
            edits: Vec::new(),
            audio_edit: None,
            edited_audio: None,
            video_encoders: Vec::new(),
            audio_encoders: Vec::new(),
            copies: Vec::new(),
            late_streams: Vec::new(),
            writers: Vec::new(),
        }
    }

    /// A caller's own frames and sound into one output, in this order. With `reopens` it is opened again
    /// where it is lost.
    pub(crate) fn of_caller(
        video: Option<VideoPlan>,
        audio: Option<AudioPlan>,
        global_header: bool,
        reopens: bool,
    ) -> PipelineGraph {
        let mut graph = PipelineGraph::new(CodeKind::None, None);
        let audio_port = Port { writer: 0, stream: usize::from(video.is_some()) };
        graph.writers.push(WriterNode {
            output: 0,
            queue: CALLER_WRITER_QUEUE,
            drops_when_full: false,
            reopens,
            is_recording: false,
            video_encoders: video.iter().map(|_| 0).collect(),
        });
        graph.video_encoders.extend(video.map(|plan| VideoEncoderNode {
            from: FramesFrom::Caller,
            plan,
            global_header,
            users: vec![Port { writer: 0, stream: 0 }],
            output: 0,
            queue: CALLER_FRAMES,
            holds: false,
        }));
        graph.audio_encoders.extend(audio.map(|plan| AudioEncoderNode {
            of: StreamSource::Caller,
            is_edited: false,
            plan,
            global_header,
            users: vec![audio_port],
            queue: CALLER_SOUND,
        }));
        graph
    }

    /// Adds an input, decoded where code wants its frames. Gives its number.
    pub(crate) fn add_input(&mut self, node: InputNode) -> usize {
        let input = self.inputs.len();
        self.inputs.push(node);
        let edited = self.edited.and_then(StreamSource::input);
        if let Some(edited) = edited.filter(|edited| edited.input == input) {
            self.edit_of(StreamSource::Input(edited));
        }
        input
    }

    /// Adds a filter graph across streams, with the decoders of what goes into it.
    pub(crate) fn add_filter(&mut self, plan: &PlannedGraph) {
        let filter = self.filters.len();
        for (pad, input) in plan.inputs.iter().enumerate() {
            let (decoders, queue) = match input.kind {
                MediaKind::Audio => (&mut self.audio_decoders, AUDIO_QUEUE),
                _ => (&mut self.decoders, PACKET_QUEUE),
            };
            let place = decoders.iter().position(|node| node.of == input.from);
            let place = place.unwrap_or_else(|| {
                decoders.push(DecoderNode { of: input.from, queue, filters: Vec::new() });
                decoders.len() - 1
            });
            if let Some(node) = decoders.get_mut(place) {
                node.filters.push(FilterInput { filter, pad });
            }
        }
        self.filters.push(FilterNode { plan: plan.clone() });
        if let Some(StreamSource::Graph(edited)) = self.edited
            && edited.graph == filter
        {
            self.edit_of(StreamSource::Graph(edited));
        }
    }

    /// Says that code gets a sound, and what it makes of it goes to the encoders of outputs that are added
    /// after this.
    pub(crate) fn edit_audio(&mut self, source: StreamSource) {
        self.mark_edited_audio(source);
        self.audio_edit = Some(match source {
            // Nobody edits what the caller makes.
            StreamSource::Caller => return,
            StreamSource::Graph(pad) => EditSource::Filter(pad),
            StreamSource::Input(of) => {
                let place = self.audio_decoders.iter().position(|node| node.of == of);
                EditSource::Decoder(place.unwrap_or_else(|| {
                    let (queue, filters) = (AUDIO_QUEUE, Vec::new());
                    self.audio_decoders.push(DecoderNode { of, queue, filters });
                    self.audio_decoders.len() - 1
                }))
            }
        });
    }

    /// The same where the code runs already.
    pub(crate) fn mark_edited_audio(&mut self, source: StreamSource) {
        self.edited_audio = Some(source);
    }

    /// The numbers of the inputs that a stream is made of.
    fn numbers_of(&self, source: StreamSource) -> Vec<usize> {
        match source {
            StreamSource::Caller => Vec::new(),
            StreamSource::Input(of) => vec![of.input],
            StreamSource::Graph(pad) => {
                let inputs = self.filters.get(pad.graph).map(|node| &node.plan.inputs);
                inputs.into_iter().flatten().map(|input| input.from.input).collect()
            }
        }
    }

    /// The inputs that a stream is made of.
    fn inputs_of(&self, source: StreamSource) -> Vec<InputNode> {
        let numbers = self.numbers_of(source).into_iter();
        numbers.filter_map(|number| self.inputs.get(number).copied()).collect()
    }

    /// The numbers of the inputs that what is edited is made of.
    pub(crate) fn inputs_before(&self, edit: &EditNode) -> Vec<usize> {
        self.source_of(edit).map_or_else(Vec::new, |source| self.numbers_of(source))
    }

    /// Whether something of an input goes elsewhere than into filter graphs.
    pub(crate) fn has_direct_streams(&self, input: usize) -> bool {
        let is_edited = |edit: &EditNode| {
            let EditSource::Decoder(decoder) = edit.from else { return false };
            self.decoders.get(decoder).is_some_and(|node| node.of.input == input)
        };
        let is_heard =
            |node: &AudioEncoderNode| node.of.input().is_some_and(|of| of.input == input);
        let edited = self.edited_audio.and_then(StreamSource::input);
        edited.is_some_and(|of| of.input == input)
            || self.copies.iter().any(|copy| copy.of.input == input)
            || self.edits.iter().any(is_edited)
            || self.audio_encoders.iter().any(is_heard)
    }

    /// Adds an output of this number.
    pub(crate) fn add_output(&mut self, output: usize, plan: &OutputPlan) {
        let inputs: Vec<_> =
            plan.streams.iter().flat_map(|stream| self.inputs_of(stream.from)).collect();
        let reopens = inputs.iter().any(|input| input.reopens_outputs);
        let is_held = inputs.iter().any(|input| input.is_held);
        let drops_when_full = reopens && plan.target.is_live;
        let writer = self.writers.len();
        self.writers.push(WriterNode {
            output,
            queue: if drops_when_full { LIVE_WRITER_QUEUE } else { WRITER_QUEUE },
            drops_when_full,
            reopens: drops_when_full,
            is_recording: reopens && plan.target.is_file(),
            video_encoders: Vec::new(),
        });
        if self.writers.iter().any(|writer| writer.drops_when_full) {
            self.writers.iter_mut().for_each(|writer| writer.reopens |= writer.is_recording);
        }
        // Nobody only reads any more.
        self.edits.iter_mut().for_each(|edit| edit.queue = FRAME_QUEUE);
        for (number, stream) in plan.streams.iter().enumerate() {
            let to = Port { writer, stream: number };
            match &stream.treatment {
                Treatment::Copy => self.add_copy(stream, None, to, plan),
                Treatment::Video(video) => self.add_video(output, stream.from, video, to, plan),
                Treatment::Audio(audio) => self.add_audio(stream.from, audio, to, plan),
                Treatment::Subtitles(subtitles) => {
                    self.add_copy(stream, Some(subtitles.clone()), to, plan);
                }
            }
        }
        if drops_when_full && is_held {
            self.add_late_stream(plan, writer);
        }
    }

    /// The video whose frames an encoder gets; `None` where the caller makes them.
    pub(crate) fn video_of(&self, from: FramesFrom) -> Option<StreamSource> {
        let FramesFrom::Edit(edit) = from else { return None };
        self.source_of(self.edits.get(edit)?)
    }

    /// The video whose frames are edited.
    fn source_of(&self, edit: &EditNode) -> Option<StreamSource> {
        match edit.from {
            EditSource::Decoder(decoder) => {
                self.decoders.get(decoder).map(|node| StreamSource::Input(node.of))
            }
            EditSource::Filter(pad) => Some(StreamSource::Graph(pad)),
        }
    }

    /// The edit of a video's frames, with its decoder.
    fn edit_of(&mut self, of: StreamSource) -> usize {
        if let Some(place) = self.edits.iter().position(|edit| self.source_of(edit) == Some(of)) {
            return place;
        }
        let code = if self.edited == Some(of) { self.code } else { CodeKind::None };
        let only_read = code == CodeKind::Pulled && self.writers.is_empty();
        let queue = if only_read { READ_AHEAD } else { FRAME_QUEUE };
        let from = match of {
            // Frames of the caller's own are no stream of a pipeline, and have no edit.
            StreamSource::Caller => return self.edits.len(),
            StreamSource::Graph(pad) => EditSource::Filter(pad),
            StreamSource::Input(of) => EditSource::Decoder(self.decoder_of(of)),
        };
        self.edits.push(EditNode { code, from, queue });
        self.edits.len() - 1
    }

    /// The decoder of a video.
    fn decoder_of(&mut self, of: InputStreamId) -> usize {
        let place = self.decoders.iter().position(|node| node.of == of);
        place.unwrap_or_else(|| {
            self.decoders.push(DecoderNode { of, queue: PACKET_QUEUE, filters: Vec::new() });
            self.decoders.len() - 1
        })
    }

    fn add_copy(
        &mut self,
        stream: &PlannedStream,
        subtitles: Option<SubtitlePlan>,
        to: Port,
        plan: &OutputPlan,
    ) {
        let PlannedStream { from, kind, frames, .. } = *stream;
        let StreamSource::Input(of) = from else { return };
        let Some(node) = self.inputs.get(of.input) else { return };
        let is_video = kind == MediaKind::Video;
        let drops_before_floor = node.was_sought && (is_video || plan.encodes_video());
        let window = plan.window;
        let node = CopyNode { of, kind, to, window, frames, drops_before_floor, subtitles };
        self.copies.push(node);
    }

    fn add_video(
        &mut self,
        output: usize,
        of: StreamSource,
        video: &VideoPlan,
        to: Port,
        plan: &OutputPlan,
    ) {
        let edit = self.edit_of(of);
        let global_header = plan.target.muxer.wants_global_header();
        let encoder = self.shared_encoder(edit, video).unwrap_or_else(|| {
            // A filter graph is given frames while its inputs are lost.
            let input = of.input().and_then(|of| self.inputs.get(of.input));
            let holds = input.is_some_and(|node| node.is_held);
            self.video_encoders.push(VideoEncoderNode {
                from: FramesFrom::Edit(edit),
                plan: video.clone(),
                global_header: false,
                users: Vec::new(),
                output,
                queue: FRAME_QUEUE,
                holds,
            });
            self.video_encoders.len() - 1
        });
        if let Some(node) = self.video_encoders.get_mut(encoder) {
            node.users.push(to);
            node.global_header |= global_header;
        }
        if let Some(node) = self.writers.get_mut(to.writer) {
            node.video_encoders.push(encoder);
        }
    }

    /// An encoder that does the same already. Frames that are pulled may be for one output alone,
    /// so each has an encoder of its own.
    fn shared_encoder(&self, edit: usize, plan: &VideoPlan) -> Option<usize> {
        if self.edits.get(edit).is_some_and(|edit| edit.code == CodeKind::Pulled) {
            return None;
        }
        let from = FramesFrom::Edit(edit);
        self.video_encoders.iter().position(|node| node.from == from && node.plan == *plan)
    }

    fn add_audio(&mut self, of: StreamSource, audio: &AudioPlan, to: Port, plan: &OutputPlan) {
        let global = plan.target.muxer.wants_global_header();
        // A caller's own is another one for each output.
        let is_own = of == StreamSource::Caller;
        let same = |n: &&mut AudioEncoderNode| n.of == of && n.plan == *audio && !is_own;
        let same = self.audio_encoders.iter_mut().find(same);
        match same {
            Some(node) => {
                node.users.push(to);
                node.global_header |= global;
            }
            None => self.audio_encoders.push(AudioEncoderNode {
                of,
                is_edited: self.edited_audio == Some(of),
                plan: audio.clone(),
                global_header: global,
                users: vec![to],
                queue: if is_own { CALLER_SOUND } else { AUDIO_QUEUE },
            }),
        }
    }

    /// The place that an output has for a stream that may come late, where it can take it.
    fn add_late_stream(&mut self, plan: &OutputPlan, writer: usize) {
        let [only] = &plan.streams[..] else { return };
        let Some(input) = only.from.input().map(|of| of.input) else { return };
        let Some(node) = self.inputs.get(input) else { return };
        let options = &plan.options;
        let kind = match (node.video, node.audio) {
            (Some(_), None) if !options.no_audio => MediaKind::Audio,
            (None, Some(_)) if !options.no_video => MediaKind::Video,
            _ => return,
        };
        if plan.target.protocol.takes_late_streams()
            && !options.asks_to_encode(StreamPlace::only(kind))
        {
            let (to, window) = (Port { writer, stream: 1 }, plan.window);
            self.late_streams.push(LateStreamNode { input, kind, to, window });
        }
    }
}

#[cfg(test)]
mod tests;
