//! A whole pipeline, described and run.

use std::sync::Arc;

use crate::api::audio_frames::AudioFrames;
use crate::api::builder::InputBuilder;
use crate::api::control::Control;
use crate::api::frames::Frames;
use crate::api::media::{Media, stages_of};
use crate::api::opening::open_inputs;
use crate::api::outgoing::Outgoing;
use crate::api::pending::Pending;
use crate::av::{Device, MediaKind, StreamInfo, is_dump_wanted};
use crate::codec::audio_frame::AudioFrame;
use crate::codec::decode::upright_size;
use crate::edit::{AudioCommand, Closure, Command, FilterGraph, FitAll, FrameProcessor, Resize};
use crate::error::{BoxError, Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::input::Source;
use crate::input::probe::{self, Probe};
use crate::options::{
    HardwareDevices, InputOptions, LiveOptions, OutputOptions, Size, StreamPlace,
};
use crate::protocol::environment::Environment;
use crate::run::audio_messages::AudioStage;
use crate::run::control::OutputsOwner;
use crate::run::filters::{check_graphs, plan_graphs};
use crate::run::outputs::{NewOutput, OpenSink};
use crate::run::plan::plan;
use crate::run::planned::{Edited, PlannedInput};
use crate::run::selection::{Offer, choose, edited};
use crate::run::sound::SoundPull;
use crate::run::threads::Failure;
use crate::run::writing::SinkOpener;
use crate::run::{Setup, Started};
use crate::stats::event::{Event, Events};
use crate::stats::{Snapshot, Stats};
use crate::time::Timestamp;
use crate::time::stop::Stop;

/// A live stream in, every frame through your code, a live stream out.
///
/// ```no_run
/// use frameloom::{Frame, Pipeline, PixelFormat::Rgb24};
///
/// # fn main() -> frameloom::Result<()> {
/// Pipeline::from_url("rtmp://localhost/live/camera")?
///     .process(|frame: &mut Frame| {
///         frame.image_mut(Rgb24)?.row_mut(0).fill(255);
///         Ok(())
///     })
///     .to_url("rtmp://localhost/live/edited")?
///     .run()?;
/// # Ok(())
/// # }
/// ```
pub struct Pipeline {
    sources: Vec<Source>,
    /// Kept open for whoever uses one.
    _devices: Vec<Arc<Device>>,
    /// Filter graphs across streams.
    graphs: Vec<String>,
    environment: Environment,
    stages: Vec<Box<dyn FrameProcessor>>,
    command: Option<Command>,
    audio_stages: Vec<AudioStage>,
    audio_command: Option<AudioCommand>,
    outputs: OutputsOwner,
    live: LiveOptions,
    events: Events,
    stats: Stats,
    /// The caller's wish to stop.
    asked: Stop,
    /// Stopped with it, and by a stage that fails.
    stop: Stop,
}

impl InputBuilder<Pipeline> {
    /// One more input, whose streams an output takes by [`OutputOptions::map`]; inputs are numbered in
    /// their order, from 0. All are opened at once. Stored ones begin together and are read side by
    /// side; live ones are put on one clock by when they come, and each is lost and comes back by itself.
    pub fn and(mut self, url: &str, options: InputOptions) -> InputBuilder<Pipeline> {
        self.more.push((url.to_owned(), options));
        self
    }

    /// One more input behind the first, which is read when the one before it has ended, as one with it:
    /// its times go on where those ended. Frames are brought to the first one's size, with black bars where
    /// the shape differs, and to its frame rate, and sound to its rate and channels; one without sound is
    /// silent. Everything is encoded. Each is opened once at the start, to be known, and again when its
    /// turn comes, so it can't be live or a pipe. What can be sought in is each by itself: `start` and
    /// `duration` of its options cut it.
    ///
    /// ```no_run
    /// use frameloom::{Pipeline, options::InputOptions};
    ///
    /// # fn main() -> frameloom::Result<()> {
    /// let joined = Pipeline::builder("monday.mp4").followed_by("tuesday.mkv", InputOptions::new());
    /// joined.open()?.to_url("both.mp4")?.run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn followed_by(mut self, url: &str, options: InputOptions) -> InputBuilder<Pipeline> {
        self.following.push((url.to_owned(), options));
        self
    }

    /// Opens the inputs.
    ///
    /// # Errors
    /// Where one can't be opened, holds neither video nor audio, or can't be sought in though it is
    /// to begin later; where one that follows is live or a pipe.
    pub fn open(self) -> Result<Pipeline> {
        let first = (self.url, InputOptions { following: self.following, ..self.options });
        let inputs = std::iter::once(first).chain(self.more).collect();
        Pipeline::open_all(Environment::real(), inputs, &self.stop)
    }

    /// Opens the input on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread. [`Pending::wait`] gives all other errors.
    pub fn open_pending(self) -> Result<Pending<Pipeline>> {
        Pending::start(move || self.open())
    }
}

impl Pipeline {
    /// Opens an input with FFmpeg's defaults.
    ///
    /// # Errors
    /// Where it can't be opened or holds neither video nor audio.
    pub fn from_url(url: &str) -> Result<Pipeline> {
        Pipeline::builder(url).open()
    }

    /// Begins with an input's place; [`InputBuilder::open`] opens it.
    ///
    /// ```no_run
    /// use frameloom::{Pipeline, Stop, Timestamp, options::InputOptions};
    ///
    /// # fn main() -> frameloom::Result<()> {
    /// let stop = Stop::new();
    /// let options = InputOptions::new().with("an", "")?;
    /// let begin = Timestamp::from_micros(60_000_000);
    /// let pipeline =
    ///     Pipeline::builder("clip.mp4").input(options).start_at(begin).stop(&stop).open()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(url: &str) -> InputBuilder<Pipeline> {
        InputBuilder::new(url)
    }

    pub(super) fn open_all(
        environment: Environment,
        inputs: Vec<(String, InputOptions)>,
        stop: &Stop,
    ) -> Result<Pipeline> {
        let asked = stop.child();
        let stop = asked.child();
        // What was asked for by name must be there, whoever uses it.
        let named = inputs.iter().flat_map(|(_, options)| options.hardware.devices.specs());
        let devices = named.map(|device| device.open(Stage::Options));
        let devices = devices.collect::<Result<Vec<_>>>()?;
        let sources = open_inputs(inputs, &environment, &stop)?;
        if is_dump_wanted() {
            sources.iter().enumerate().for_each(|(number, source)| source.tell_contents(number));
        }
        let stages = sources.first().map_or_else(Vec::new, joining_stages);
        let longest = sources.iter().map(Source::duration).max().flatten();
        let stats = Stats::new(longest, Arc::clone(&environment.clock));
        stats.set_inputs(sources.iter().map(|source| (source.url(), source.is_live)));
        Ok(Pipeline {
            sources,
            _devices: devices,
            graphs: Vec::new(),
            environment,
            stages,
            command: None,
            audio_stages: Vec::new(),
            audio_command: None,
            outputs: OutputsOwner::new(),
            live: LiveOptions::new(),
            events: Events::default(),
            stats,
            asked,
            stop,
        })
    }

    /// Sets what it does at losses, with slow code and with failing code.
    #[must_use]
    pub fn live(mut self, options: LiveOptions) -> Pipeline {
        self.live = options;
        self
    }

    /// Calls `listener` at everything that happens while it runs, from whichever thread it happens
    /// in: it must not take long.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Pipeline {
        self.events.listen(listener);
        self
    }

    /// Runs `edit` on every frame, after what was added before. It may fail with any error:
    /// [`LiveOptions`] say what becomes of the frame then.
    #[must_use]
    pub fn process<F>(self, edit: F) -> Pipeline
    where
        F: FnMut(&mut Frame) -> Result<(), BoxError> + Send + 'static,
    {
        self.processor(Closure::new(edit))
    }

    /// Runs a stage on every frame, after what was added before.
    #[must_use]
    pub fn processor(mut self, stage: impl FrameProcessor + 'static) -> Pipeline {
        self.stages.push(Box::new(stage));
        self
    }

    /// Brings every frame to one size, in pixels, after what was added before; its shape is not kept.
    /// As [`Frame::scaled`].
    #[must_use]
    pub fn resize(self, size: Size) -> Pipeline {
        self.processor(Resize::new(size))
    }

    /// Runs a filter graph in FFmpeg's syntax on every frame, after what was added before.
    #[must_use]
    pub fn filter(self, spec: &str) -> Pipeline {
        let rate = self.video().and_then(|v| v.frame_rate);
        let with_video = self.sources.iter().find(|source| source.video().is_some());
        let devices = with_video.map(|source| {
            let number = source.streams.main(MediaKind::Video).unwrap_or(0);
            let streams = source.streams.specified();
            source.options.hardware.devices_for(StreamPlace::of(&streams, number))
        });
        let device = devices.as_ref().and_then(HardwareDevices::for_filters).cloned();
        self.processor(FilterGraph::new(spec, rate).with_device(device.as_ref()))
    }

    /// Runs `edit` on every piece of decoded sound, after what was added before. The outputs' sound is
    /// encoded then; of several sounds [`OutputOptions::map`] says which. It runs beside the code for frames, on
    /// a thread of its own.
    ///
    /// It may fail with any error: [`LiveOptions`] say what becomes of the piece then. In a live pipeline
    /// no sound is lost for slow code: what it hasn't answered within [`LiveOptions::deadline`], 500 ms by
    /// default, goes by unedited.
    ///
    /// ```no_run
    /// use frameloom::{AudioFrame, Pipeline};
    ///
    /// # fn main() -> frameloom::Result<()> {
    /// Pipeline::from_url("rtmp://localhost/live/voice")?
    ///     .process_audio(|sound: &mut AudioFrame| {
    ///         for channel in sound.planar_f32_mut()? {
    ///             channel.iter_mut().for_each(|sample| *sample *= 0.5);
    ///         }
    ///         Ok(())
    ///     })
    ///     .to_url("rtmp://localhost/live/quiet")?
    ///     .run()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn process_audio<F>(mut self, edit: F) -> Pipeline
    where
        F: FnMut(&mut AudioFrame) -> Result<(), BoxError> + Send + 'static,
    {
        self.audio_stages.push(Box::new(edit));
        self
    }

    /// Runs `edit` on every frame and on every piece of decoded sound, after what was added before: for code
    /// that needs both, as subtitles out of speech do. It is [`Pipeline::process`] and
    /// [`Pipeline::process_audio`] in one, with what both say. It is called with one or the other at a
    /// time, each in its own order; how far apart they come depends on the input, and their times
    /// ([`Frame::pts`], [`AudioFrame::pts`]) are of one clock. While it works on a picture, sound waits, and
    /// the other way round.
    ///
    /// ```no_run
    /// use frameloom::{Media, Pipeline, PixelFormat};
    ///
    /// # fn main() -> frameloom::Result<()> {
    /// let mut loudness = 0.0f32;
    /// Pipeline::from_url("rtmp://localhost/live/voice")?
    ///     .process_media(move |media| {
    ///         match media {
    ///             Media::Audio(sound) => {
    ///                 let samples = sound.to_interleaved_f32()?;
    ///                 loudness = samples.iter().fold(0.0, |most, sample| sample.abs().max(most));
    ///             }
    ///             Media::Video(frame) => {
    ///                 let mut image = frame.image_mut(PixelFormat::Rgb24)?;
    ///                 let bar = (loudness * image.width() as f32) as usize * 3;
    ///                 for row in image.rows_mut().take(8) {
    ///                     row.iter_mut().take(bar).for_each(|level| *level = 255);
    ///                 }
    ///             }
    ///             _ => {}
    ///         }
    ///         Ok(())
    ///     })
    ///     .to_url("rtmp://localhost/live/seen")?
    ///     .run()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn process_media<F>(mut self, edit: F) -> Pipeline
    where
        F: FnMut(Media<'_>) -> Result<(), BoxError> + Send + 'static,
    {
        let (video, audio) = stages_of(edit);
        self.audio_stages.push(audio);
        self.processor(video)
    }

    /// Runs a program on all sound, after what [`Pipeline::process_audio`] added.
    #[must_use]
    pub fn audio_command(mut self, command: AudioCommand) -> Pipeline {
        self.audio_command = Some(command);
        self
    }

    /// Adds a filter graph across streams in FFmpeg's syntax (`-filter_complex`):
    /// `[0:v][1:v]hstack[both]`. A label such as `0:v` or `1:a:0` takes a stream of an input; an input
    /// of a filter without a label takes the next stream of its kind that no graph has. An output takes
    /// what comes out by [`OutputOptions::map`] and its label, and what has no label goes to the first
    /// output. Each is taken once. What is edited by code is the video that the outputs have, so it may
    /// be one that a graph makes.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where libav can't make a graph of it.
    pub fn filter_complex(mut self, spec: &str) -> Result<Pipeline> {
        self.graphs.push(spec.to_owned());
        check_graphs(&self.graphs)?;
        Ok(self)
    }

    /// Runs a program on every frame, after everything else.
    #[must_use]
    pub fn command(mut self, command: Command) -> Pipeline {
        self.command = Some(command);
        self
    }

    /// Adds an output with the defaults.
    ///
    /// # Errors
    /// Where the name doesn't tell the format, or the file may not be written.
    pub fn to_url(self, url: &str) -> Result<Pipeline> {
        self.to_url_with(url, OutputOptions::new())
    }

    /// Adds an output.
    ///
    /// # Errors
    /// Where options contradict each other, or the file may not be written.
    pub fn to_url_with(self, url: &str, options: OutputOptions) -> Result<Pipeline> {
        self.outputs.outputs().add(NewOutput::new(url, options)?)?;
        Ok(self)
    }

    /// The counters, which may be looked at while it runs.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// What is in the first input, as [`probe`](crate::probe()) tells it.
    ///
    /// # Errors
    /// Where a stream of it can't be described.
    pub fn info(&self) -> Result<Probe> {
        let first = self.sources.first();
        first.map_or_else(|| Err(Error::usage("there is no input")), probe::of)
    }

    /// The first video of all inputs.
    fn video(&self) -> Option<&StreamInfo> {
        self.sources.iter().find_map(Source::video)
    }

    /// Whether an input runs at its own speed and has no end that is known.
    pub fn is_live(&self) -> bool {
        self.sources.iter().any(|source| source.is_live)
    }

    /// What a decoder of the input's audio needs besides the packets; `None` where there is no
    /// audio, empty where it needs nothing.
    pub fn audio_extradata(&self) -> Option<&[u8]> {
        let audio = self.sources.iter().find_map(Source::audio);
        audio.map(|audio| audio.params.extradata())
    }

    /// How long the longest input is, where that is known.
    pub fn duration(&self) -> Option<Timestamp> {
        self.sources.iter().map(Source::duration).max().flatten()
    }

    /// Asks this pipeline alone to finish.
    pub fn stop_handle(&self) -> Stop {
        self.asked.clone()
    }

    /// Runs to the end of the input, or to a stop, and finishes every output.
    ///
    /// # Errors
    /// The first thing that went wrong. The outputs are finished all the same, as far as they
    /// can be.
    pub fn run(self) -> Result<Snapshot> {
        let stats = self.stats.clone();
        let asked = self.asked.clone();
        let failure = Failure::new(self.stop.clone());
        let Started { mut threads, outputs, .. } = match self.setup(None).start(&failure) {
            // Stopped before anything was begun.
            Err(e) if e.kind() == ErrorKind::Interrupted && asked.is_stopped() => {
                return Ok(stats.snapshot());
            }
            started => started?,
        };
        threads.join();
        drop(outputs);
        failure.take(asked.is_stopped()).map(|()| stats.snapshot())
    }

    /// Starts it for a caller that takes the frames and writes them itself. What was added by
    /// [`Pipeline::process`] and its like runs in the caller's thread, before a frame is given out.
    ///
    /// # Errors
    /// Whatever keeps it from starting: an output that can't be opened, an input without video, a
    /// COMMAND, which takes all frames itself.
    pub fn frames(self) -> Result<Frames> {
        let asked = self.asked.clone();
        Frames::start(self.setup(Some(SoundPull::BesideFrames)), asked)
    }

    /// As [`Pipeline::frames`], on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread; all else is told by [`Pending::wait`].
    pub fn frames_pending(self) -> Result<Pending<Frames>> {
        Pending::start(move || self.frames())
    }

    /// Starts it for a caller that takes the sound alone: no frame is decoded, and outputs that were added
    /// get theirs as without it. See [`Frames::audio_frames`] for the sound beside the frames.
    ///
    /// # Errors
    /// Whatever keeps it from starting: an input without sound, code for frames.
    pub fn audio_frames(self) -> Result<AudioFrames> {
        let asked = self.asked.clone();
        AudioFrames::start(self.setup(Some(SoundPull::Alone)), asked)
    }

    /// As [`Pipeline::audio_frames`], on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread; all else is told by [`Pending::wait`].
    pub fn audio_frames_pending(self) -> Result<Pending<AudioFrames>> {
        Pending::start(move || self.audio_frames())
    }

    /// As [`Pipeline::run`], on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread; all else is told by [`Pending::wait`].
    pub fn run_pending(self) -> Result<Pending<Snapshot>> {
        Pending::start(move || self.run())
    }

    /// Opens an output for edited frames on a thread of its own: a server is connected to. It is
    /// added by [`Pipeline::to`]. One whose streams aren't known yet, because no video has come, is
    /// opened when the pipeline starts.
    ///
    /// # Errors
    /// Where options contradict each other, the file may not be written, or the system gives no
    /// thread; what the server says is told by [`Pending::wait`].
    pub fn outgoing_pending(&self, url: &str, options: OutputOptions) -> Result<Pending<Outgoing>> {
        let mut output = NewOutput::new(url, options)?;
        let opener = match self.video() {
            None => None,
            Some(_) => {
                let (target, options) = (output.target.clone(), output.options.clone());
                let inputs: Vec<_> = self.sources.iter().map(PlannedInput::of).collect();
                let graphs = plan_graphs(&self.graphs, &inputs)?;
                let offer = Offer { inputs: &inputs, graphs: &graphs };
                let chosen = choose(offer, &target, &options, true)?;
                let all = std::slice::from_ref(&chosen);
                let edits_audio = !self.audio_stages.is_empty() || self.audio_command.is_some();
                let audio = edits_audio.then(|| edited(offer, all, MediaKind::Audio));
                let edited = Edited {
                    video: Some(edited(offer, all, MediaKind::Video)?),
                    audio: audio.transpose()?,
                };
                let plan = plan(&inputs, &chosen, target, options, edited)?;
                let reopens = self.is_live() && !self.live.no_reconnect;
                Some(SinkOpener::new(&plan, &self.stats, &self.live, reopens))
            }
        };
        let (environment, stop) = (self.environment.clone(), self.stop.clone());
        Pending::start(move || {
            if let Some(opener) = opener {
                let sink = opener.open(&environment, &stop)?;
                output.open = Some(OpenSink { streams: opener.streams, sink });
            }
            Ok(Outgoing(output))
        })
    }

    /// Adds an output that was opened for this pipeline.
    #[must_use]
    pub fn to(self, output: Outgoing) -> Pipeline {
        // A pipeline that doesn't run takes any.
        let _ = self.outputs.outputs().add(output.0);
        self
    }

    /// Adds and removes outputs while it runs.
    pub fn control(&self) -> Control {
        Control(self.outputs.outputs())
    }

    /// What runs, described.
    pub(super) fn setup(self, pulls: Option<SoundPull>) -> Setup {
        Setup {
            sources: self.sources,
            _devices: self._devices,
            graphs: self.graphs,
            stages: self.stages,
            command: self.command,
            audio_stages: self.audio_stages,
            audio_command: self.audio_command,
            pulls,
            outputs: self.outputs,
            live: self.live,
            events: self.events,
            stats: self.stats,
            environment: self.environment,
            stop: self.stop,
        }
    }
}

/// What brings the frames of inputs that follow each other to the first one's size and rate.
fn joining_stages(source: &Source) -> Vec<Box<dyn FrameProcessor>> {
    let mut stages: Vec<Box<dyn FrameProcessor>> = Vec::new();
    if source.options.joined.is_none() {
        return stages;
    }
    if let Some(size) = source.video().and_then(upright_size) {
        stages.push(Box::new(FitAll::new(size)));
    }
    if let Some(rate) = source.joined_rate() {
        let spec = format!("fps={}/{}", rate.num(), rate.den());
        stages.push(Box::new(FilterGraph::new(spec, Some(rate))));
    }
    stages
}
