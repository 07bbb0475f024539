//! What each thread does, between the reader and the writers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, select_biased};

use crate::av::{Decoder, StreamInfo};
use crate::codec::audio::{AudioDecoder, AudioTranscoder};
use crate::codec::audio_frame::AudioFrame;
use crate::codec::configuration::StreamMessage;
use crate::codec::decode::VideoDecoder;
use crate::codec::encode::VideoEncoder;
use crate::codec::packet::Packet;
use crate::edit::complex::MediaFrame;
use crate::error::{Result, Stage};
use crate::image::Frame;
use crate::live::supervise::Hold;
use crate::options::InputOptions;
use crate::run::delivery::{SinkMessage, SinkStream};
use crate::run::threads::is_full;
use crate::stats::Stats;
use crate::time::clock::Clock;
use crate::time::stop::Stop;
use crate::time::{TimeBase, Timestamp};

/// An encoder of video, and who uses it.
pub(super) struct VideoGroup {
    pub(super) encoder: VideoEncoder,
    pub(super) users: Vec<SinkStream>,
    /// Users that leave, each with where its last frame ends.
    pub(super) leaving: Vec<(SinkStream, Timestamp)>,
    /// It may end before the input does.
    pub(super) cuts: bool,
    /// Set by an output that needs a keyframe.
    pub(super) keyframe_request: Arc<AtomicBool>,
}

/// What is sent to the thread that decodes.
pub(super) enum DecodeMessage {
    Packet(Packet),
    /// Nothing more comes of this connection to the source.
    Lost,
    /// What follows is of another connection.
    Source(Box<VideoDecoder>),
}

/// What is sent to a thread that encodes video.
pub(crate) enum EncodeMessage {
    Frame(Frame),
    /// The output of this number gets nothing that comes after this, though others do.
    Leave(usize),
}

/// What is sent to a thread that transcodes audio.
pub(crate) enum AudioMessage {
    Packet(Packet),
    /// Sound that a filter graph made.
    Samples(AudioFrame),
    /// Nothing came for the time up to this.
    Silence(Timestamp),
    /// Nothing more comes of this source.
    Lost,
    /// What follows is of another connection to the source, or of another source.
    Source(Box<Decoder>, TimeBase),
    /// The same for a caller who pulls: there is no decoder yet.
    Pulled(Box<PulledSource>),
    /// The output of this number gets nothing more.
    Leave(usize),
}

/// A source's sound, and what it is to be decoded by.
pub(crate) struct PulledSource {
    pub(super) stream: StreamInfo,
    pub(super) options: InputOptions,
    pub(super) is_live: bool,
}

/// Who gets a decoder's frames.
pub(super) enum FrameTaker {
    /// The code, or whoever hands them to the encoders.
    Edit(Sender<Frame>),
    /// An input of a filter graph.
    Filter(Sender<MediaFrame>),
}

impl FrameTaker {
    /// `false` where it takes no more.
    fn take(&self, frame: Frame) -> bool {
        match self {
            FrameTaker::Edit(frames) => frames.send(frame).is_ok(),
            FrameTaker::Filter(frames) => frames.send(MediaFrame::Video(frame)).is_ok(),
        }
    }
}

pub(super) fn decode_loop(
    mut decoder: VideoDecoder,
    messages: &Receiver<DecodeMessage>,
    mut takers: Vec<FrameTaker>,
    stop: &Stop,
) -> Result<()> {
    let mut pass_on = |decoder: &mut VideoDecoder| -> Result<bool> {
        while let Some(mut frame) = decoder.receive() {
            let others = takers.len().saturating_sub(1);
            let shared = (0..others).map(|_| frame.share()).collect::<Result<Vec<_>>>()?;
            let mut frames = shared.into_iter().chain(std::iter::once(frame));
            takers.retain(|taker| frames.next().is_some_and(|frame| taker.take(frame)));
            if takers.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    for message in messages {
        // What was read and not decoded when a stop came would only delay the end.
        if stop.is_stopped() {
            break;
        }
        match message {
            DecodeMessage::Packet(packet) => decoder.send(&packet)?,
            // What can't be had any more is counted as damaged.
            DecodeMessage::Lost => decoder.drain()?,
            DecodeMessage::Source(mut next) => {
                next.go_on_from(&decoder);
                decoder = *next;
            }
        }
        if !pass_on(&mut decoder)? {
            return Ok(());
        }
    }
    if stop.is_stopped() {
        // A decoder drained in the middle of reordered frames would give them out with holes.
        return Ok(());
    }
    decoder.drain()?;
    pass_on(&mut decoder)?;
    decoder.finish()
}

/// The thread that decodes sound for filter graphs.
pub(super) fn decode_audio_loop(
    mut decoder: AudioDecoder,
    messages: &Receiver<AudioMessage>,
    mut takers: Vec<Sender<MediaFrame>>,
    stop: &Stop,
) -> Result<()> {
    let mut pass_on = |decoder: &mut AudioDecoder| -> Result<bool> {
        while let Some(frame) = decoder.receive()?.map(AudioFrame::in_samples) {
            let others = takers.len().saturating_sub(1);
            let shared = (0..others).map(|_| frame.share()).collect::<Result<Vec<_>, _>>();
            let shared = shared.map_err(|e| e.in_stage(Stage::Decode))?;
            let mut frames = shared.into_iter().chain(std::iter::once(frame));
            takers.retain(|taker| {
                frames.next().is_some_and(|frame| taker.send(MediaFrame::Audio(frame)).is_ok())
            });
            if takers.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    for message in messages {
        send_to_decoder(&mut decoder, message)?;
        if stop.is_stopped() || !pass_on(&mut decoder)? {
            return Ok(());
        }
    }
    decoder.drain()?;
    pass_on(&mut decoder).map(drop)
}

/// Does what a message says to a decoder of sound.
pub(super) fn send_to_decoder(decoder: &mut AudioDecoder, message: AudioMessage) -> Result<()> {
    match message {
        AudioMessage::Packet(packet) => decoder.send(&packet)?,
        AudioMessage::Silence(until) => decoder.fill(until),
        AudioMessage::Lost => decoder.drain()?,
        AudioMessage::Source(next, time_base) => decoder.replace_source(*next, time_base),
        // It is not for one output, and who pulls opens decoders by itself.
        AudioMessage::Leave(_) | AudioMessage::Samples(_) | AudioMessage::Pulled(_) => {}
    }
    Ok(())
}

/// What the thread that hands frames to the encoders is told of outputs that come and go.
pub(super) enum FramesChange {
    /// Asks whether it is still there.
    Nothing,
    Add(EncoderEnd),
    /// The output of this number gets nothing more.
    Leave(usize),
}

/// The way to an encoder.
pub(super) struct EncoderEnd {
    pub(super) frames: Sender<EncodeMessage>,
    /// The numbers of the outputs that use it.
    pub(super) outputs: Vec<usize>,
    /// It gets no frame that is earlier.
    pub(super) from: Option<Timestamp>,
}

/// Hands frames to every encoder, or to the one of the output that they are for.
pub(super) struct Fanout {
    pub(super) encoders: Vec<EncoderEnd>,
    /// Outputs that come and go.
    pub(super) changes: Receiver<FramesChange>,
    /// There is code that wants the frames, whoever else does.
    pub(super) has_code: bool,
    pub(super) stats: Stats,
}

impl Fanout {
    /// An encoder that takes nothing now.
    pub(super) fn full(&self) -> Option<&Sender<EncodeMessage>> {
        self.encoders.iter().map(|encoder| &encoder.frames).find(|frames| is_full(frames))
    }

    /// Does what came of outputs that come and go; `false` where nobody wants frames any more.
    pub(super) fn update(&mut self) -> bool {
        while let Ok(change) = self.changes.try_recv() {
            self.change(change);
        }
        self.has_code || !self.encoders.is_empty()
    }

    pub(super) fn change(&mut self, change: FramesChange) {
        match change {
            FramesChange::Nothing => {}
            FramesChange::Add(encoder) => self.encoders.push(encoder),
            FramesChange::Leave(output) => self.encoders.retain_mut(|encoder| {
                if !encoder.outputs.contains(&output) {
                    return true;
                }
                encoder.outputs.retain(|other| *other != output);
                // An encoder that nobody else uses ends, and gives out what it holds.
                !encoder.outputs.is_empty()
                    && encoder.frames.send(EncodeMessage::Leave(output)).is_ok()
            }),
        }
    }

    /// `false` once no encoder takes more, where there were any.
    pub(super) fn send(&mut self, mut frame: Frame) -> Result<bool> {
        if !self.update() {
            return Ok(false);
        }
        if frame.is_edited() {
            self.stats.frame_edited();
        }
        if self.encoders.is_empty() {
            self.stats.reached(frame.pts());
            return Ok(true);
        }
        let is_for = frame.output();
        let pts = frame.pts();
        let takes = |encoder: &EncoderEnd| {
            encoder.from.is_none_or(|from| pts >= from)
                && is_for.is_none_or(|output| encoder.outputs.contains(&output))
        };
        let takers = self.encoders.iter().filter(|encoder| takes(encoder)).count();
        let others = takers.saturating_sub(1);
        let shared = (0..others).map(|_| frame.share()).collect::<Result<Vec<_>>>()?;
        let mut frames = shared.into_iter().chain(std::iter::once(frame));
        self.encoders.retain(|encoder| {
            !takes(encoder)
                || frames
                    .next()
                    .is_some_and(|f| encoder.frames.send(EncodeMessage::Frame(f)).is_ok())
        });
        Ok(!self.encoders.is_empty())
    }
}

/// The thread that encodes video.
pub(super) struct Encoding {
    pub(super) group: VideoGroup,
    /// Of a live input: what is shown while none comes.
    pub(super) hold: Option<Hold>,
    /// The first of all encoders counts for all.
    pub(super) counts: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stats: Stats,
    pub(super) stop: Stop,
}

impl Encoding {
    pub(super) fn run(mut self, frames: &Receiver<EncodeMessage>) -> Result<()> {
        let result = self.encode_all(frames);
        let VideoGroup { encoder, cuts, .. } = &self.group;
        let end = encoder.end();
        let is_cut = *cuts && encoder.is_done() || self.stop.is_stopped() && end > Timestamp::ZERO;
        self.group.end(&result, is_cut.then_some(end));
        result
    }

    fn encode_all(&mut self, frames: &Receiver<EncodeMessage>) -> Result<()> {
        loop {
            let next = match &self.hold {
                None => frames.recv().ok().map(Some),
                Some(hold) => {
                    let due = self.clock.after(hold.time_until_next(self.clock.now()));
                    select_biased! {
                        recv(frames) -> frame => frame.ok().map(Some),
                        recv(hold.changes()) -> _ => Some(None),
                        recv(due) -> _ => Some(None),
                    }
                }
            };
            let frame = match next {
                Some(Some(EncodeMessage::Frame(frame))) => frame,
                Some(Some(EncodeMessage::Leave(output))) => {
                    self.group.leave(output);
                    continue;
                }
                Some(None) if self.hold_on(None)? => continue,
                Some(None) => return Ok(()),
                None => break,
            };
            if !self.hold_on(Some(frame.pts()))? || !self.encode(frame)? {
                return Ok(());
            }
            if self.group.encoder.is_done() {
                break;
            }
        }
        // What was held while the input was lost ends for all alike.
        self.hold_on(None)?;
        self.group.encoder.drain()?;
        self.deliver().map(drop)
    }

    fn encode(&mut self, frame: Frame) -> Result<bool> {
        let encoder = &mut self.group.encoder;
        if let Some(hold) = &mut self.hold {
            let is_late = hold.held_until().is_some_and(|until| frame.pts() < until);
            if !is_late && hold.saw(frame.pts(), frame.duration(), self.clock.now()) {
                encoder.want_key();
            }
        }
        take_keyframe_request(&self.group.keyframe_request, encoder);
        encoder.send(frame)?;
        self.stats.frames_late(encoder.take_late());
        self.deliver()
    }

    /// Shows what is held, for as long as that is due: up to a frame at `before`, or up to now.
    /// `false` once nobody takes it.
    fn hold_on(&mut self, before: Option<Timestamp>) -> Result<bool> {
        loop {
            let Some(hold) = &mut self.hold else { return Ok(true) };
            let due = match before {
                Some(at) => hold.due_before(at),
                None => hold.due(self.clock.now()),
            };
            let Some((at, length)) = due else { return Ok(true) };
            let encoder = &mut self.group.encoder;
            take_keyframe_request(&self.group.keyframe_request, encoder);
            if encoder.repeat(at, length)? && self.counts {
                self.stats.frame_held();
            }
            if !self.deliver()? || self.group.encoder.is_done() {
                return Ok(false);
            }
        }
    }

    fn deliver(&mut self) -> Result<bool> {
        let VideoGroup { encoder, users, leaving, .. } = &mut self.group;
        let messages = std::iter::from_fn(|| encoder.receive());
        if leaving.is_empty() {
            return deliver(messages, users);
        }
        let messages: Vec<StreamMessage> = messages.collect();
        deliver_rest(&messages, leaving)?;
        deliver(messages.into_iter(), users)
    }
}

impl VideoGroup {
    /// Says to the users that nothing more comes, and where sound that was read ahead of the picture is cut.
    pub(super) fn end(&self, result: &Result<()>, cut: Option<Timestamp>) {
        if let Some(at) = cut {
            self.users.iter().for_each(|user| {
                user.send(|_| SinkMessage::Cut(at));
            });
        }
        self.users.iter().chain(self.leaving.iter().map(|(user, _)| user)).for_each(|user| {
            user.send(SinkMessage::end_by(result));
        });
    }

    /// Gives a user nothing that comes after the last frame.
    fn leave(&mut self, output: usize) {
        let end = self.encoder.end();
        let (leaving, users) =
            std::mem::take(&mut self.users).into_iter().partition(|user| user.output == output);
        self.users = users;
        let leaving: Vec<SinkStream> = leaving;
        self.leaving.extend(leaving.into_iter().map(|user| (user, end)));
    }
}

/// Sends users that leave what still belongs to them.
fn deliver_rest(
    messages: &[StreamMessage],
    leaving: &mut Vec<(SinkStream, Timestamp)>,
) -> Result<()> {
    for message in messages {
        let packet = match message {
            StreamMessage::Packet(packet) => packet,
            StreamMessage::Configuration(to) => {
                for (user, _) in &mut *leaving {
                    user.send_configuration(Arc::clone(to));
                }
                continue;
            }
        };
        for (user, end) in &mut *leaving {
            if packet.pts().is_some_and(|pts| pts < *end) {
                user.send_packet(packet.share()?);
            }
        }
        // In the order of decoding, nothing of it can follow.
        let at = packet.dts().or(packet.pts());
        leaving.retain(|(user, end)| {
            let is_over = at.is_some_and(|at| at >= *end);
            if is_over {
                user.send(SinkMessage::End);
            }
            !is_over
        });
    }
    Ok(())
}

fn take_keyframe_request(keyframe_request: &Arc<AtomicBool>, encoder: &mut VideoEncoder) {
    if keyframe_request.swap(false, Ordering::Relaxed) {
        encoder.want_key();
    }
}

pub(super) fn audio_loop(
    mut transcoder: AudioTranscoder,
    messages: &Receiver<AudioMessage>,
    users: &mut Vec<SinkStream>,
    stop: &Stop,
) -> Result<()> {
    let result = transcode_all(&mut transcoder, messages, users, stop);
    users.iter().for_each(|user| {
        user.send(SinkMessage::end_by(&result));
    });
    result
}

fn transcode_all(
    transcoder: &mut AudioTranscoder,
    messages: &Receiver<AudioMessage>,
    users: &mut Vec<SinkStream>,
    stop: &Stop,
) -> Result<()> {
    for message in messages {
        match message {
            AudioMessage::Packet(packet) => transcoder.send(&packet)?,
            AudioMessage::Samples(frame) => transcoder.send_samples(frame)?,
            AudioMessage::Silence(until) => transcoder.fill(until)?,
            AudioMessage::Lost => transcoder.finish_source()?,
            AudioMessage::Source(decoder, time_base) => {
                transcoder.replace_source(*decoder, time_base);
            }
            // It is for a caller who pulls.
            AudioMessage::Pulled(_) => {}
            AudioMessage::Leave(output) => {
                users.retain(|user| {
                    let stays = user.output != output;
                    if !stays {
                        user.send(SinkMessage::End);
                    }
                    stays
                });
                if users.is_empty() {
                    return Ok(());
                }
            }
        }
        if !deliver(std::iter::from_fn(|| transcoder.receive()), users)? {
            return Ok(());
        }
        if transcoder.is_done() {
            break;
        }
    }
    // A filter may make sound without end: it is given out for as long as anyone takes it.
    while transcoder.drain()? && !stop.is_stopped() {
        if !deliver(std::iter::from_fn(|| transcoder.receive()), users)? {
            return Ok(());
        }
    }
    deliver(std::iter::from_fn(|| transcoder.receive()), users).map(drop)
}

/// Sends what an encoder gave to every output that uses it; `false` once none takes more.
pub(super) fn deliver(
    messages: impl Iterator<Item = StreamMessage>,
    users: &mut [SinkStream],
) -> Result<bool> {
    let mut anyone = true;
    for message in messages {
        anyone = false;
        for user in &mut *users {
            anyone |= match &message {
                StreamMessage::Configuration(to) => user.send_configuration(Arc::clone(to)),
                StreamMessage::Packet(packet) => user.send_packet(packet.share()?),
            };
        }
    }
    Ok(anyone)
}
