//! What the thread that reads does while a live input is lost: it opens the input again, and fills the
//! outputs meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::live::LossOutcome;
use super::{DecoderEnd, Preroll, Reading};
use crate::av::{Decoder, MediaKind, StreamInfo};
use crate::codec::decode::{VideoDecoder, open_decoder};
use crate::error::{Error, ErrorKind, Result, Stage, counted};
use crate::input::Source;
use crate::input::streams::InputStreams;
use crate::live::supervise::{PicturePresence, Reopened, due, micros, reopen};
use crate::options::StreamPlace;
use crate::run::stages::{AudioMessage, DecodeMessage, PulledSource};
use crate::run::streams::KnownStreams;
use crate::run::threads::start_thread;
use crate::stats::event::Event;
use crate::time::clock::receive_within;
use crate::time::{TimeBase, Timestamp};

/// How often silence is sent while the input is lost.
const TICK: Duration = Duration::from_millis(20);

type Reopening = Receiver<Result<Reopened<Source>>>;

/// The decoders that follow those in use, in their order; none where one goes on as it is.
pub(super) struct Successors {
    decoders: Vec<Option<VideoDecoder>>,
    sounds: Vec<Option<(Decoder, TimeBase)>>,
    /// For a caller who pulls: it is opened by whoever asks for the sound.
    pulled: Option<Box<PulledSource>>,
}

impl Successors {
    fn is_any(&self) -> bool {
        self.decoders.iter().any(Option::is_some)
            || self.sounds.iter().any(Option::is_some)
            || self.pulled.is_some()
    }
}

impl Reading {
    /// Opens the input again, while the outputs go on without it.
    pub(super) fn reopen_while_filling(&mut self, cause: Error) -> Result<LossOutcome> {
        let outcome = self.reopen_and_fill(cause);
        if !matches!(outcome, Ok(LossOutcome::Back))
            && let Some(live) = &self.live
        {
            live.presence.end(live.clock.now());
        }
        outcome
    }

    fn reopen_and_fill(&mut self, cause: Error) -> Result<LossOutcome> {
        let clock = Arc::clone(&self.environment.clock);
        let lost = clock.now();
        let lost_for = || clock.now().saturating_duration_since(lost);
        let Some(live) = &mut self.live else { return Err(cause) };
        live.events.tell(&Event::InputLost { input: live.input, cause: cause.clone() });
        self.stats.input_lost(&cause);
        let from = live.timeline.at(live.now()).unwrap_or(Timestamp::ZERO).minus(live.ahead);
        live.presence.set(PicturePresence::Lost { since: lost, clock: from });
        live.forget_pictures();
        let mut tries = 0;
        let mut cause = cause;
        self.each_decoder(|| Some(DecodeMessage::Lost))?;
        loop {
            let reopening = self.reopen(&cause)?;
            let found = loop {
                self.take_changes()?;
                if self.stop.is_stopped() || !self.has_takers() {
                    return Ok(LossOutcome::Over);
                }
                let at = from.plus(micros(lost_for()));
                if self.live.as_ref().is_some_and(|live| live.is_over(Some(at))) {
                    return Ok(LossOutcome::Over);
                }
                self.fill(MediaKind::Audio, at)?;
                self.fill(MediaKind::Video, at)?;
                match receive_within(&reopening, TICK, &*clock) {
                    Ok(found) => break found,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Error::process("the thread that opens the input is gone"));
                    }
                }
            };
            let Reopened { end, tries: more, retry } = match found {
                Err(_) if self.stop.is_stopped() => return Ok(LossOutcome::Over),
                found => found?,
            };
            tries += more;
            if let Some(live) = &mut self.live {
                live.retry = Some(retry);
            }
            match self.go_on_with(end, from.plus(micros(lost_for()))) {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!("the input is back and can't be used: {error}");
                    cause = error;
                }
            }
        }
        self.stats.input_back();
        if let Some(live) = &self.live {
            let (input, lost_for) = (live.input, lost_for());
            live.events.tell(&Event::InputBack { input, lost_for, tries });
        }
        Ok(LossOutcome::Back)
    }

    /// Starts the thread that opens the input again.
    ///
    /// # Errors
    /// Where it is given up.
    fn reopen(&mut self, cause: &Error) -> Result<Reopening> {
        let (sender, receiver) = bounded(1);
        let (url, mut options) = (self.source.url().to_owned(), self.source.options.clone());
        let (environment, stop) = (self.environment.clone(), self.stop.clone());
        // What has been there is waited for.
        for (expected, seen) in self.expected.iter_mut().zip(self.source.seen()) {
            *expected |= seen;
        }
        options.expected = self.expected;
        let Some(live) = &mut self.live else { return Ok(receiver) };
        let (limit, stall_limit) = (live.reconnect_for, live.stall_limit);
        if let Some(limit) = limit {
            options.open_timeout = options.open_timeout.min(limit);
        }
        let Some(mut retry) = live.retry.take() else { return Ok(receiver) };
        let silence = match cause.kind() {
            ErrorKind::TimedOut => stall_limit,
            _ => Duration::ZERO,
        };
        let (now, random) = (live.clock.now(), live.clock.random());
        let first = due(retry.lost_by_silence(silence, now, random), &retry, cause)?;
        start_thread("frameloom-reopen", move || {
            let open = || Source::open_again(&url, &options, stall_limit, &environment, &stop);
            let found = reopen(open, retry, first, &*environment.clock, &stop);
            // Nobody waits for it any more after a stop.
            let _ = sender.send(found);
        })?;
        Ok(receiver)
    }

    /// Goes on with another connection to the source, whose present is at `now` on the outputs'
    /// clock.
    fn go_on_with(&mut self, mut source: Source, now: Timestamp) -> Result<()> {
        source.streams = std::mem::take(&mut source.streams).following(&self.source.streams)?;
        let successors = self.open_successors(&source, |_| true)?;
        let copies = self.copies_video();
        let changed = changes(&self.source, &source);
        for lane in &mut self.lanes {
            let stream = source.streams.get(lane.from);
            if let Err(error) = lane.go_on_with(stream, &source.options, &self.stats) {
                tracing::warn!("{error}");
            }
        }
        self.use_late_streams(&source.streams)?;
        let has_video = source.video().is_some() || self.source.video().is_none();
        if let Some(live) = &mut self.live {
            let edge = source.edge().unwrap_or(Timestamp::ZERO);
            let begin = source.first_key().filter(|_| copies).unwrap_or(edge);
            live.ahead = edge.minus(begin);
            live.timeline.resume(begin, now, live.now());
            live.floor = now;
            live.connection += 1;
            live.has_audio = source.audio().is_some();
            live.had_audio |= live.has_audio;
            if has_video {
                live.presence.set(PicturePresence::Back(now));
            }
            if let Some(what) = changed {
                live.events.tell(&Event::InputChanged { input: live.input, what });
            }
        }
        self.use_successors(successors)?;
        // What the next connection is opened with is what the user said of the first.
        let first = std::mem::replace(&mut self.source, source);
        // Another connection may have other pictures, and there is a gap before it.
        self.preroll.iter_mut().for_each(Preroll::clear);
        self.source.options = first.options;
        let streams = KnownStreams::of(&self.source)?;
        *self.known_streams() = streams;
        self.source.accept_new_streams();
        Ok(())
    }

    /// Opens decoders for what another connection, or a stream that has come late on it, brings: for those
    /// that read streams of these numbers.
    pub(super) fn open_successors(
        &self,
        source: &Source,
        is_new: impl Fn(usize) -> bool,
    ) -> Result<Successors> {
        let streams = source.streams.specified();
        let stream = |number: usize| source.streams.get(number).filter(|_| is_new(number));
        let video = |end: &DecoderEnd| {
            let place = StreamPlace::of(&streams, end.stream);
            let open = |s| {
                let (options, stats) = (&source.options, self.stats.clone());
                let decoder = VideoDecoder::open((s, place), options, source.is_live, stats)?;
                Ok::<_, Error>(decoder.lacking_pts(source.may_lack_pts()))
            };
            stream(end.stream).map(open).transpose()
        };
        let sound = |number: usize| {
            let open = |s: &StreamInfo| {
                Ok::<_, Error>((open_decoder(s, &source.options, source.is_live)?, s.time_base))
            };
            stream(number).map(open).transpose()
        };
        let described = |stream: &StreamInfo| {
            let stream = stream.share().map_err(|e| e.in_stage(Stage::Source))?;
            let (options, is_live) = (source.options.clone(), source.is_live);
            Ok::<_, Error>(Box::new(PulledSource { stream, options, is_live }))
        };
        let pulled = source.streams.main(MediaKind::Audio).filter(|_| self.sound.is_some());
        Ok(Successors {
            decoders: self.decoders.iter().map(video).collect::<Result<_>>()?,
            sounds: self.audio.iter().map(|end| sound(end.stream)).collect::<Result<_>>()?,
            pulled: pulled.and_then(stream).map(described).transpose()?,
        })
    }

    /// Gives decoders that were opened to the threads that decode.
    pub(super) fn use_successors(&mut self, successors: Successors) -> Result<()> {
        if let (Some(pulled), Some(sound)) = (successors.pulled, &self.sound) {
            sound.send(AudioMessage::Pulled(pulled));
        }
        let mut decoders = successors.decoders.into_iter();
        self.each_decoder(|| {
            let decoder = decoders.next().flatten()?;
            Some(DecodeMessage::Source(Box::new(decoder)))
        })?;
        let mut sounds = successors.sounds.into_iter();
        self.audio.retain(|end| match sounds.next().flatten() {
            Some((decoder, base)) => {
                end.packets.send(AudioMessage::Source(Box::new(decoder), base)).is_ok()
            }
            None => true,
        });
        Ok(())
    }

    /// Takes up a stream that the input hadn't got at first, or that it had before it was lost and that
    /// comes back later than the rest.
    pub(super) fn begin_late_stream(&mut self, kind: MediaKind) -> Result<()> {
        let streams = self.source.streams.share()?;
        let (video, audio) = (streams.video(), streams.audio());
        let is_video = kind == MediaKind::Video;
        let before = (video.filter(|_| !is_video), audio.filter(|_| is_video));
        let what = change(before, (video, audio));
        if let (Some(live), Some(what)) = (&mut self.live, what) {
            live.has_audio |= kind == MediaKind::Audio;
            live.had_audio |= live.has_audio;
            live.events.tell(&Event::InputChanged { input: live.input, what });
        }
        let is_taken_up = self.take_up(streams.main(kind))?;
        if let (true, true, Some(live)) = (is_taken_up, is_video, &mut self.live) {
            let now = live.timeline.at(live.now()).unwrap_or(Timestamp::ZERO);
            live.presence.set(PicturePresence::Back(now));
        }
        if !is_taken_up && !self.late_streams.iter().any(|late| late.kind == kind) {
            let name = kind.name();
            tracing::warn!("{name} came after the outputs had begun; they go on without it");
        }
        self.use_late_streams(&streams)?;
        let streams = KnownStreams::of(&self.source)?;
        *self.known_streams() = streams;
        Ok(())
    }

    /// Goes on with a stream that the outputs had before; false where none had it.
    fn take_up(&mut self, number: Option<usize>) -> Result<bool> {
        let Some(number) = number else { return Ok(false) };
        let successors = self.open_successors(&self.source, |stream| stream == number)?;
        let mut is_taken_up = successors.is_any();
        self.use_successors(successors)?;
        let stream = self.source.streams.get(number);
        for lane in self.lanes.iter_mut().filter(|lane| lane.from == number) {
            is_taken_up = true;
            if let Err(error) = lane.go_on_with(stream, &self.source.options, &self.stats) {
                tracing::warn!("{error}");
            }
        }
        Ok(is_taken_up)
    }

    /// Gives a stream that has come late its place in the outputs.
    fn use_late_streams(&mut self, streams: &InputStreams) -> Result<()> {
        let mut left = Vec::new();
        for late in self.late_streams.drain(..) {
            let number = streams.main(late.kind);
            match number.and_then(|number| Some((number, streams.get(number)?))) {
                None => left.push(late),
                Some(stream) => match late.lane(stream, &self.source.options, &self.stats)? {
                    Some(lane) => self.lanes.push(lane),
                    None => {
                        tracing::warn!("a stream that came late can't be copied; it is left out");
                    }
                },
            }
        }
        self.late_streams = left;
        Ok(())
    }
}

/// In words, what is another kind of picture or sound than before.
fn changes(before: &Source, after: &Source) -> Option<String> {
    change((before.video(), before.audio()), (after.video(), after.audio()))
}

/// The same of video and audio.
fn change(
    before: (Option<&StreamInfo>, Option<&StreamInfo>),
    after: (Option<&StreamInfo>, Option<&StreamInfo>),
) -> Option<String> {
    let video = |s: &StreamInfo| {
        let (name, p) = (s.params.codec().name(), &s.params);
        let rate = s.frame_rate.map_or_else(String::new, |r| format!(" {:.2} fps", r.as_f64()));
        format!("{name} {}x{}{rate}", p.width(), p.height())
    };
    let audio = |s: &StreamInfo| {
        let (name, p) = (s.params.codec().name(), &s.params);
        let channels = counted(p.channels().into(), "channel");
        format!("{name} {} Hz {channels}", p.sample_rate())
    };
    let shown = |s: Option<String>, none: &str| s.unwrap_or_else(|| none.to_owned());
    let pairs = [
        (before.0.map(video), after.0.map(video), "no video"),
        (before.1.map(audio), after.1.map(audio), "no audio"),
    ];
    let changed = pairs.into_iter().filter(|(old, new, _)| old != new);
    let words: Vec<_> = changed
        .map(|(old, new, none)| format!("{}, now {}", shown(old, none), shown(new, none)))
        .collect();
    (!words.is_empty()).then(|| words.join("; "))
}
