//! What each thread does, from the reader to the writers.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::wiring::{CopyLane, SinkMessage, SinkStream};
use crate::audio::AudioTranscoder;
use crate::av::MediaKind;
use crate::decode::VideoDecoder;
use crate::encode::VideoEncoder;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::packet::Packet;
use crate::sink::{Sink, StreamHeader, nothing_written};
use crate::source::{Pace, Source};
use crate::stats::Stats;
use crate::stop::Stop;
use crate::time::Timestamp;

/// The thread that reads the input.
pub(super) struct Reading {
    pub(super) source: Source,
    pub(super) lanes: Vec<CopyLane>,
    pub(super) decode: Option<Sender<Packet>>,
    pub(super) audio: Vec<Sender<Packet>>,
    pub(super) stats: Stats,
    pub(super) stop: Stop,
}

impl Reading {
    pub(super) fn run(mut self) -> Result<()> {
        self.lanes.iter_mut().for_each(CopyLane::announce);
        let result = self.read_all();
        self.lanes.iter_mut().for_each(CopyLane::close);
        result
    }

    pub(super) fn read_all(&mut self) -> Result<()> {
        let mut pace = self.source.options.realtime.then(Pace::default);
        while !self.stop.is_stopped() && self.has_takers() {
            let Some(packet) = self.source.read()? else { return Ok(()) };
            self.stats.packet_in();
            if let (Some(pace), Some(at)) = (&mut pace, packet.dts().or(packet.pts())) {
                self.stop.wait(pace.wait(Instant::now(), at));
            }
            if packet.kind == MediaKind::Video && self.decode.is_none() {
                self.stats.frame_in();
            }
            for lane in self.lanes.iter_mut().filter(|l| l.open && l.kind == packet.kind) {
                lane.send(&packet)?;
            }
            match packet.kind {
                MediaKind::Video => {
                    if let Some(decode) = self.decode.take() {
                        self.decode = decode.send(packet).is_ok().then_some(decode);
                    }
                }
                _ => {
                    let mut alive = Vec::with_capacity(self.audio.len());
                    for sender in self.audio.drain(..) {
                        if sender.send(packet.share()?).is_ok() {
                            alive.push(sender);
                        }
                    }
                    self.audio = alive;
                }
            }
        }
        Ok(())
    }

    pub(super) fn has_takers(&self) -> bool {
        self.decode.is_some() || !self.audio.is_empty() || self.lanes.iter().any(|l| l.open)
    }
}

pub(super) fn decode_loop(
    mut decoder: VideoDecoder,
    packets: &Receiver<Packet>,
    frames: &Sender<Frame>,
    stop: &Stop,
) -> Result<()> {
    let pass_on = |decoder: &mut VideoDecoder| {
        while let Some(frame) = decoder.receive() {
            if frames.send(frame).is_err() {
                return false;
            }
        }
        true
    };
    for packet in packets {
        // What was read and not decoded when a stop came would only delay the end.
        if stop.is_stopped() {
            break;
        }
        decoder.send(&packet)?;
        if !pass_on(&mut decoder) {
            return Ok(());
        }
    }
    if stop.is_stopped() {
        // A decoder drained in the middle of reordered frames would give them out with holes.
        return Ok(());
    }
    decoder.drain()?;
    pass_on(&mut decoder);
    decoder.finish()
}

/// Hands frames to every encoder.
pub(super) struct Fanout {
    pub(super) encoders: Vec<Sender<Frame>>,
    pub(super) stats: Stats,
}

impl Fanout {
    /// An encoder that takes nothing now.
    pub(super) fn full(&self) -> Option<&Sender<Frame>> {
        self.encoders.iter().find(|encoder| encoder.is_full())
    }

    /// `false` once no encoder takes more, where there were any.
    pub(super) fn send(&mut self, mut frame: Frame) -> Result<bool> {
        if frame.is_edited() {
            self.stats.frame_edited();
        }
        if self.encoders.is_empty() {
            self.stats.reached(frame.pts());
            return Ok(true);
        }
        let others = self.encoders.len() - 1;
        let shared = (0..others).map(|_| frame.share()).collect::<Result<Vec<_>>>()?;
        let mut frames = shared.into_iter().chain(std::iter::once(frame));
        self.encoders.retain(|encoder| frames.next().is_some_and(|f| encoder.send(f).is_ok()));
        Ok(!self.encoders.is_empty())
    }
}

pub(super) fn encode_loop(
    mut encoder: VideoEncoder,
    frames: &Receiver<Frame>,
    users: &[SinkStream],
    cuts: bool,
    stop: &Stop,
) -> Result<()> {
    let result = encode_all(&mut encoder, frames, users);
    // Sound that was read ahead of the picture is not to outlast it.
    if cuts && encoder.is_done() || stop.is_stopped() && encoder.end() > Timestamp::ZERO {
        let end = encoder.end();
        users.iter().for_each(|user| {
            user.send(|_| SinkMessage::Cut(end));
        });
    }
    users.iter().for_each(|user| {
        user.send(SinkMessage::End);
    });
    result
}

pub(super) fn encode_all(
    encoder: &mut VideoEncoder,
    frames: &Receiver<Frame>,
    users: &[SinkStream],
) -> Result<()> {
    for frame in frames {
        encoder.send(frame)?;
        let (header, packets) = (encoder.take_header(), std::iter::from_fn(|| encoder.receive()));
        if !deliver(header, packets, users)? {
            return Ok(());
        }
        if encoder.is_done() {
            break;
        }
    }
    encoder.drain()?;
    let header = encoder.take_header();
    deliver(header, std::iter::from_fn(|| encoder.receive()), users).map(drop)
}

pub(super) fn audio_loop(
    mut transcoder: AudioTranscoder,
    packets: &Receiver<Packet>,
    users: &[SinkStream],
) -> Result<()> {
    let result = transcode_all(&mut transcoder, packets, users);
    users.iter().for_each(|user| {
        user.send(SinkMessage::End);
    });
    result
}

pub(super) fn transcode_all(
    transcoder: &mut AudioTranscoder,
    packets: &Receiver<Packet>,
    users: &[SinkStream],
) -> Result<()> {
    for packet in packets {
        transcoder.send(&packet)?;
        let header = transcoder.take_header();
        if !deliver(header, std::iter::from_fn(|| transcoder.receive()), users)? {
            return Ok(());
        }
        if transcoder.is_done() {
            break;
        }
    }
    transcoder.drain()?;
    let header = transcoder.take_header();
    deliver(header, std::iter::from_fn(|| transcoder.receive()), users).map(drop)
}

/// Sends what an encoder gave to every output that uses it; `false` once none takes more.
pub(super) fn deliver(
    header: Option<StreamHeader>,
    packets: impl Iterator<Item = Packet>,
    users: &[SinkStream],
) -> Result<bool> {
    let mut anyone = true;
    if let Some(header) = header {
        for user in users {
            let header = header.share()?;
            user.send(|index| SinkMessage::Header(index, header));
        }
    }
    for packet in packets {
        anyone = false;
        for user in users {
            let packet = packet.share()?;
            anyone |= user.send(|index| SinkMessage::Packet(index, packet));
        }
    }
    Ok(anyone)
}

pub(super) fn write_loop(
    mut sink: Sink,
    messages: &Receiver<SinkMessage>,
    unwritten: &Mutex<Vec<Error>>,
) -> Result<()> {
    for message in messages {
        match message {
            SinkMessage::Header(stream, header) => sink.announce(stream, header)?,
            SinkMessage::Packet(stream, packet) => sink.write(stream, packet)?,
            SinkMessage::Cut(end) => sink.cut_at(end),
            SinkMessage::End(stream) => sink.end(stream)?,
        }
        if sink.is_complete() {
            break;
        }
    }
    let url = sink.url().to_owned();
    if !sink.finish()? {
        unwritten.lock().unwrap_or_else(PoisonError::into_inner).push(nothing_written(&url));
    }
    Ok(())
}
