//! A stream played by our own RTMP. What is in it is known from metadata and sequence headers,
//! without probing; packets go straight on.

mod streams;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use frameloom_rtmp::{ClientEvent, ClientRole};

use self::streams::{AUDIO, FlvStreams, VIDEO, frame_ms, no_memory, stream_info};
use crate::av::{AvError, AvPacket, StreamInfo};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::InputOptions;
use crate::protocol::backend::{Break, Input, Opened, choose};
use crate::protocol::rtmp::connection::ClientConnection;
use crate::protocol::rtmp::endpoint::Endpoint;
use crate::protocol::rtmp::fault::ConnectionFault;
use crate::protocol::{discover, live};
use crate::time::stop::Stop;
use crate::time::{TimeBase, Timestamp};

/// As [`VIDEO_WAIT_MS`], on the real clock.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Opens a stream and reads until it is clear what is in it.
pub(super) fn open(
    endpoint: &Endpoint,
    url: &str,
    options: &InputOptions,
    stall_limit: Duration,
    stop: &Stop,
) -> Result<Opened> {
    let fail = |fault: ConnectionFault| fault.into_error(Stage::Source, url);
    let begun = Instant::now();
    let role = ClientRole::Play { buffer_ms: endpoint.buffer_ms };
    let mut connection =
        ClientConnection::open(endpoint, role, options.open_timeout, stop).map_err(fail)?;
    let mut streams = FlvStreams::new(options);
    let mut pending = VecDeque::new();
    let mut over = false;
    while !streams.are_known() && !over {
        let limit = if streams.first.is_none() { options.open_timeout } else { OPEN_TIMEOUT };
        match connection.next(limit.saturating_sub(begun.elapsed())) {
            Ok(Some(ClientEvent::Media(media))) => {
                pending.extend(streams.take(&media).map_err(|e| no_memory(&e).at(url))?);
            }
            Ok(Some(ClientEvent::Ended { .. }) | None) => over = true,
            Ok(Some(_)) => {}
            Err(ConnectionFault::TimedOut(_)) if streams.first.is_some() => break,
            Err(ConnectionFault::TimedOut(_)) => {
                return Err(fail(ConnectionFault::TimedOut(options.open_timeout)));
            }
            Err(fault) => return Err(fail(fault)),
        }
    }
    if pending.is_empty() {
        return Err(streams.nothing().at(url));
    }

    let (mut video, mut audio) =
        choose(streams.info(VIDEO)?, streams.info(AUDIO)?, false, options, url)?;
    if let Some(video) = &mut video {
        discover::complete(video, &pending);
        video.frame_rate = video.frame_rate.or(streams.frame_rate);
        streams.video_ms = video.frame_rate.map_or(0, frame_ms);
    }
    if let Some(audio) = &mut audio {
        discover::complete_sound(audio, &pending);
        streams.sound = audio.params.share().ok();
    }
    pending.retain(|packet| match packet.stream() {
        VIDEO => video.is_some(),
        _ => audio.is_some(),
    });
    for packet in &mut pending {
        let duration = streams.duration(packet.stream(), packet.size());
        packet.set_times(packet.pts(), packet.dts(), duration);
    }
    streams.is_open = [video.is_some(), audio.is_some()];
    let begin = discover::start_of(|_| Some(TimeBase::MILLIS), &pending).unwrap_or(Timestamp::ZERO);
    let known = [&video, &audio].into_iter().flatten().map(|s| (s.index, s.params.share()));
    let known = known
        .map(|(index, params)| Ok(stream_info(index, params?)))
        .collect::<Result<Vec<_>, AvError>>()
        .map_err(|e| no_memory(&e))?;
    let idle_limit = endpoint.idle_limit;
    let stall_limit = idle_limit.unwrap_or(stall_limit);
    let input = Box::new(RtmpInput {
        connection,
        streams,
        known,
        stall_limit,
        idle_limit,
        accepts_new: false,
        new: None,
        over,
    });
    let is_live = live::is_live(options.live, &live::Found::LIVE_PROTOCOL);
    Ok(Opened { input, video, audio, is_live, pending, begin })
}

struct RtmpInput {
    connection: ClientConnection,
    streams: FlvStreams,
    /// What was found in it.
    known: Vec<StreamInfo>,
    stall_limit: Duration,
    /// `-rw_timeout`, which takes its place.
    idle_limit: Option<Duration>,
    /// A stream that comes late is passed on.
    accepts_new: bool,
    /// One of which the first packet was read.
    new: Option<StreamInfo>,
    over: bool,
}

impl Input for RtmpInput {
    fn format_name(&self) -> &'static str {
        "flv"
    }

    fn streams(&self) -> Result<Vec<StreamInfo>> {
        self.known.iter().map(|s| s.share().map_err(|e| no_memory(&e))).collect()
    }

    fn read(&mut self) -> Result<Option<AvPacket>, Break> {
        while !self.over {
            match self.connection.next(self.stall_limit) {
                Ok(Some(ClientEvent::Media(media))) => {
                    let packet = self.streams.take(&media);
                    let packet = packet.map_err(|e| Break::Failed(no_memory(&e)))?;
                    if let Some(mut packet) = packet {
                        if self.streams.is_open.get(packet.stream()) == Some(&true) {
                            let duration = self.streams.duration(packet.stream(), packet.size());
                            packet.set_times(packet.pts(), packet.dts(), duration);
                            return Ok(Some(packet));
                        }
                        if self.begins(&packet).map_err(Break::Failed)? {
                            let duration = self.streams.duration(packet.stream(), packet.size());
                            packet.set_times(packet.pts(), packet.dts(), duration);
                            return Ok(Some(packet));
                        }
                    }
                }
                Ok(Some(ClientEvent::Ended { .. })) => self.over = true,
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.over = true;
                    let cause = "the other end closed the connection";
                    let error = Error::new(ErrorKind::Connection, Stage::Source, cause);
                    return Err(Break::Closed(error));
                }
                Err(fault) => {
                    self.over = true;
                    return Err(self.broken(fault));
                }
            }
        }
        Ok(None)
    }

    fn duration_micros(&self) -> Option<i64> {
        None
    }

    fn bit_rate(&self) -> i64 {
        0
    }

    fn accept_new_streams(&mut self) -> bool {
        self.accepts_new = true;
        true
    }

    fn new_stream(&mut self) -> Option<StreamInfo> {
        self.new.take()
    }

    fn seen(&self) -> [bool; 2] {
        self.streams.seen()
    }

    fn set_stall_limit(&mut self, limit: Duration) {
        self.stall_limit = self.idle_limit.unwrap_or(limit);
    }
}

impl RtmpInput {
    /// Whether a stream that was not there at first begins with this packet.
    fn begins(&mut self, packet: &AvPacket) -> Result<bool> {
        let stream = packet.stream();
        if !self.accepts_new {
            self.streams.warn_of_late(stream);
            return Ok(false);
        }
        if !self.streams.is_wanted(stream) || stream == VIDEO && !packet.is_key() {
            return Ok(false);
        }
        self.new = self.streams.begin_late(packet)?;
        if let Some(new) = &self.new {
            let params = new.params.share().map_err(|e| no_memory(&e))?;
            self.known.push(stream_info(stream, params));
        }
        Ok(self.new.is_some())
    }

    fn broken(&self, fault: ConnectionFault) -> Break {
        match fault {
            ConnectionFault::Stopped => Break::Stopped,
            ConnectionFault::TimedOut(_) => Break::Silent(self.stall_limit),
            fault @ ConnectionFault::Closed(_) => {
                Break::Closed(fault.into_error(Stage::Source, ""))
            }
            fault => Break::Failed(fault.into_error(Stage::Source, "")),
        }
    }
}
