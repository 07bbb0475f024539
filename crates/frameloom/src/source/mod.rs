//! URL → packets, on the pipeline's clock.

mod live;
mod pace;
pub(crate) mod probe;
mod seek;

pub(crate) use pace::Pace;

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::av::{self, AvError, AvPacket, Demuxer, Dict, Interrupt, MediaKind, StreamInfo};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::InputOptions;
use crate::packet::Packet;
use crate::pipes;
use crate::stop::Stop;
use crate::time::Timestamp;
use crate::url;

/// An open input: at most one video and one audio stream, chosen as FFmpeg chooses.
pub(crate) struct Source {
    url: String,
    demuxer: Demuxer,
    interrupt: Interrupt,
    pub(crate) video: Option<StreamInfo>,
    pub(crate) audio: Option<StreamInfo>,
    pub(crate) is_live: bool,
    /// What was set before it was opened.
    pub(crate) options: InputOptions,
    // Libav reads from it, and may or may not have a copy of its own.
    _fifo: Option<OwnedFd>,
    /// The input's own first timestamp.
    pub(crate) begin: Timestamp,
    /// Read already, to get to know the streams.
    pending: VecDeque<AvPacket>,
    clock: Clock,
    loops_left: Option<u64>,
    discontinuity: bool,
    cut_short: Option<usize>,
    video_over: bool,
    audio_over: bool,
    ended: bool,
}

/// How long a live input may be silent: servers that lose a publisher often say nothing at all.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// Where the input's own timestamps lie on the pipeline's clock.
#[derive(Debug)]
struct Clock {
    /// The input's timestamp at the pipeline's zero.
    zero: Timestamp,
    /// What loops have added so far.
    looped: Timestamp,
    /// The latest end of any packet of this loop, on the pipeline's clock less `looped`.
    end: Timestamp,
    /// Where reading is to stop, on the pipeline's clock.
    limit: Option<Timestamp>,
}

impl Source {
    /// Opens the input and gets to know its streams.
    pub(crate) fn open(url: &str, options: InputOptions, stop: &Stop) -> Result<Source> {
        options.check()?;
        crate::redact::remember_url(url);
        check_file(url)?;
        let interrupt = Interrupt::new(stop.clone());
        let fail = |e: AvError, i: &Interrupt| open_error(e, i, url, options.open_timeout);
        let is_device = options.format.as_deref().is_some_and(av::demuxer_is_device);
        // lavfi is a device to libav, but it computes its pictures as fast as they are read.
        let is_live = url::is_live(url) || is_device && options.format.as_deref() != Some("lavfi");

        let mut dict = format_dict(&options, is_live);
        if url == "-" || url.starts_with("pipe:") {
            pipes::prepare_stdin();
        }
        if url::is_network(url) {
            interrupt.set_deadline(Some(options.open_timeout));
        }
        let fifo = open_fifo(url, stop)?;
        let of_fifo = fifo.as_ref().map(|fd| format!("pipe:{}", fd.as_raw_fd()));
        let mut demuxer = Demuxer::open(
            of_fifo.as_deref().unwrap_or_else(|| url::for_libav(url, true)),
            options.format.as_deref(),
            &mut dict,
            interrupt.clone(),
        )
        .map_err(|e| fail(e, &interrupt))?;
        check_taken(&dict, &options, demuxer.format_name()).map_err(|e| e.at(url))?;
        if demuxer.format_name() == "tty" && options.format.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                Stage::Source,
                "it is text, not a video",
            )
            .at(url)
            .hint("name the format with -f where it is one"));
        }
        let mut pending = VecDeque::new();
        if is_live && demuxer.format_name().ends_with("flv") {
            pending =
                live::first_packets(&mut demuxer, &interrupt).map_err(|e| fail(e, &interrupt))?;
        } else {
            demuxer.find_stream_info().map_err(|e| fail(e, &interrupt))?;
        }
        interrupt.set_deadline(None);

        let pick = |wanted: bool, kind| match demuxer.best_stream(kind) {
            Some(index) if wanted => demuxer.stream(index).map(Some),
            _ => Ok(None),
        };
        let fault = |e: AvError| e.in_stage(Stage::Source).at(url);
        let video = pick(!options.no_video, MediaKind::Video).map_err(fault)?;
        let audio = pick(!options.no_audio, MediaKind::Audio).map_err(fault)?;
        let mut video = video.filter(|v| !v.is_attached_picture || audio.is_none());
        if let Some(video) = &mut video {
            live::complete(video, &pending);
        }
        if video.is_none() && audio.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                Stage::Source,
                "there is no video and no audio stream in it",
            )
            .at(url));
        }
        for index in 0..demuxer.stream_count() {
            if ![&video, &audio].into_iter().flatten().any(|s| s.index == index) {
                demuxer.discard(index);
            }
        }

        // Where libavformat did not probe, it says 0.
        let probed = || demuxer.start_micros().map(Timestamp::from_micros);
        let begin = live::start_of(&demuxer, &pending).or_else(probed).unwrap_or(Timestamp::ZERO);
        let start = options.start.unwrap_or(Timestamp::ZERO);
        let zero = begin.plus(start);
        if options.start.is_some() && demuxer.is_seekable() {
            pending = seek::to_keyframe(&mut demuxer, video.as_ref(), zero, begin)
                .map_err(|e| fault(e).hint("it can't be sought in by time"))?;
        }
        let clock =
            Clock { zero, looped: Timestamp::ZERO, end: Timestamp::ZERO, limit: options.length() };
        let loops_left = options.loops;
        Ok(Source {
            url: url.to_owned(),
            demuxer,
            interrupt,
            video,
            audio,
            is_live,
            options,
            _fifo: fifo,
            begin,
            pending,
            clock,
            loops_left,
            discontinuity: false,
            cut_short: None,
            video_over: false,
            audio_over: false,
            ended: false,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn demuxer(&self) -> &Demuxer {
        &self.demuxer
    }

    /// How long what is read will be, where that is known before it is read.
    pub(crate) fn duration(&self) -> Option<Timestamp> {
        let whole = self.demuxer.duration_micros().map(Timestamp::from_micros);
        let rest = whole.map(|d| d.minus(self.options.start.unwrap_or(Timestamp::ZERO)));
        let looped = match (rest, self.options.loops) {
            (Some(d), Some(n)) => Some(d.base().at(
                d.ticks().saturating_mul(i64::try_from(n).unwrap_or(i64::MAX).saturating_add(1)),
            )),
            _ => None,
        };
        match (looped.filter(|_| !self.is_live), self.clock.limit) {
            (Some(d), Some(limit)) => Some(d.min(limit)),
            (known, limit) => known.or(limit),
        }
    }

    /// The next packet of the chosen streams; `None` at the end, or once a stop was asked for.
    ///
    /// # Errors
    /// What the protocol or the demuxer said, also where the input turns out to be cut short.
    pub(crate) fn read(&mut self) -> Result<Option<Packet>> {
        while !self.ended {
            let next = match self.pending.pop_front() {
                Some(packet) => Ok(Some(packet)),
                None => {
                    if self.is_live {
                        self.interrupt.set_deadline(Some(STALL_LIMIT));
                    }
                    self.demuxer.read()
                }
            };
            let packet = match next {
                Ok(Some(packet)) => packet,
                Ok(None) if self.rewind()? => continue,
                Ok(None) => break,
                Err(e) if e.is_interrupted() && self.interrupt.expired() => {
                    self.ended = true;
                    let cause = format!("nothing came for {} s", STALL_LIMIT.as_secs());
                    return Err(Error::new(ErrorKind::TimedOut, Stage::Source, cause)
                        .at(&self.url)
                        .hint("is it still being published?"));
                }
                Err(e) if e.is_interrupted() => break,
                Err(e) if self.is_live && e.is_disconnect() && self.clock.end > Timestamp::ZERO => {
                    tracing::warn!(
                        "{}: the other end closed the connection",
                        crate::redact::url(&self.url)
                    );
                    break;
                }
                Err(e) => {
                    self.ended = true;
                    let cause = if e.is_invalid_data() {
                        Error::new(
                            ErrorKind::InvalidData,
                            Stage::Source,
                            "it is damaged or ends too early; what could be read was kept",
                        )
                    } else {
                        e.in_stage(Stage::Source)
                    };
                    return Err(cause.at(&self.url));
                }
            };
            let stream = [&self.video, &self.audio]
                .into_iter()
                .flatten()
                .find(|s| s.index == packet.stream());
            let Some(stream) = stream else { continue };
            if packet.is_corrupt() && self.ends_at_corruption() {
                self.cut_short = Some(packet.size());
                continue;
            }
            let mut packet = Packet {
                av: packet,
                kind: stream.kind,
                time_base: stream.time_base,
                arrived: Instant::now(),
                floor: self.clock.looped,
                discontinuity: self.discontinuity && stream.kind == MediaKind::Video,
            };
            self.clock.place(&mut packet);
            if self.clock.is_over(&packet) {
                match packet.kind {
                    MediaKind::Video => self.video_over = true,
                    _ => self.audio_over = true,
                }
                self.ended = (self.video.is_none() || self.video_over)
                    && (self.audio.is_none() || self.audio_over);
                continue;
            }
            if packet.discontinuity {
                self.discontinuity = false;
            }
            return Ok(Some(packet));
        }
        self.ended = true;
        match self.cut_short.take() {
            Some(bytes) => Err(Error::new(
                ErrorKind::InvalidData,
                Stage::Source,
                format!("it ends in the middle of a frame; the whole frames were kept, the last {bytes} bytes left out"),
            )
            .at(&self.url)),
            None => Ok(None),
        }
    }

    /// Formats in which a damaged packet can only be one whose rest is missing.
    fn ends_at_corruption(&self) -> bool {
        matches!(self.demuxer.format_name(), "rawvideo" | "mov,mp4,m4a,3gp,3g2,mj2")
    }

    /// Goes back to the start for another loop, where one is due.
    fn rewind(&mut self) -> Result<bool> {
        let stopped = self.clock.end <= Timestamp::ZERO;
        match &mut self.loops_left {
            _ if self.is_live || stopped => return Ok(false),
            Some(0) => return Ok(false),
            Some(n) => *n -= 1,
            None => {}
        }
        self.demuxer.seek(self.clock.zero.as_micros()).map_err(|e| {
            e.in_stage(Stage::Source)
                .at(&self.url)
                .hint("-stream_loop needs an input that can be sought in")
        })?;
        self.clock.looped = self.clock.looped.plus(self.clock.end);
        self.clock.end = Timestamp::ZERO;
        self.discontinuity = true;
        Ok(true)
    }
}

impl Clock {
    /// Moves a packet's times to the pipeline's clock.
    fn place(&mut self, packet: &mut Packet) {
        let base = packet.time_base;
        let shift = self.zero.rescale(base).ticks();
        let looped = self.looped.rescale(base).ticks();
        let duration = packet.av.duration();
        let moved = |t: i64| t.saturating_sub(shift);
        if let Some(end) =
            packet.av.pts().or(packet.av.dts()).map(|t| base.at(moved(t).saturating_add(duration)))
        {
            self.end = self.end.max(end);
        }
        let placed = |t: i64| moved(t).saturating_add(looped);
        let (pts, dts) = (packet.av.pts().map(placed), packet.av.dts().map(placed));
        packet.av.set_times(pts, dts, duration);
        packet.av.clear_position();
    }

    /// Whether the packet, and with it all that follow in its stream, lies behind the limit. That
    /// goes by dts: a packet to be shown later may be needed by one to be shown before.
    fn is_over(&self, packet: &Packet) -> bool {
        match (self.limit, packet.dts().or(packet.pts())) {
            (Some(limit), Some(at)) => at >= limit,
            _ => false,
        }
    }
}

/// Opens the input where it is a named pipe.
fn open_fifo(url: &str, stop: &Stop) -> Result<Option<OwnedFd>> {
    let Some(path) = url::local_path(url).filter(|p| pipes::is_fifo(p)) else { return Ok(None) };
    match pipes::open_fifo(path, true, stop) {
        Ok(Some(fd)) => Ok(Some(fd)),
        Ok(None) => Err(Error::new(ErrorKind::Interrupted, Stage::Source, "stopped").at(url)),
        Err(e) => Err(Error::new(ErrorKind::Other, Stage::Source, e.to_string()).at(url)),
    }
}

/// A path that can't be read is told apart before libav sees it: its own words are vaguer.
fn check_file(url: &str) -> Result<()> {
    let Some(path) = url::local_path(url) else { return Ok(()) };
    let fail = |kind, cause| Err(Error::new(kind, Stage::Source, cause).at(url));
    match std::fs::metadata(path) {
        Ok(m) if m.is_dir() => fail(ErrorKind::InvalidData, "it is a directory"),
        Ok(m) if m.is_file() && m.len() == 0 => fail(ErrorKind::InvalidData, "the file is empty"),
        // A missing file may still be a pattern, a device or lavfi's graph: libav decides.
        _ => Ok(()),
    }
}

fn format_dict(options: &InputOptions, is_live: bool) -> Dict {
    let mut dict =
        Dict::from_pairs(options.format_options().map(|o| (o.name.as_str(), o.value.as_str())));
    if let Some(size) = options.size {
        dict.set("video_size", &format!("{}x{}", size.width(), size.height()));
    }
    if let Some(format) = &options.pixel_format {
        dict.set("pixel_format", format);
    }
    if let Some(rate) = options.rate {
        dict.set("framerate", &rate.to_string());
    }
    if is_live {
        // A ceiling, not a wait: libavformat returns as soon as it has seen a keyframe of each stream.
        dict.set_default("analyzeduration", "15000000");
        dict.set_default("fpsprobesize", "0");
    }
    dict
}

/// Refuses options that the demuxer and the protocol left over and no decoder will take.
fn check_taken(left: &Dict, options: &InputOptions, format: &str) -> Result<()> {
    for name in left.names() {
        let what = match name.as_str() {
            "video_size" => "-s".to_owned(),
            "pixel_format" => "-pix_fmt".to_owned(),
            // On other inputs -r numbers the decoded frames anew.
            "framerate" => continue,
            "analyzeduration" | "fpsprobesize" => continue,
            other if options.av.iter().any(|o| o.name == other && o.for_codec) => continue,
            other => format!("-{other}"),
        };
        return Err(Error::usage(format!("{what} means nothing to an input of format {format}"))
            .hint("put it before the output, or leave it out"));
    }
    Ok(())
}

fn open_error(e: AvError, interrupt: &Interrupt, url: &str, limit: Duration) -> Error {
    if e.is_interrupted() && interrupt.expired() {
        let cause = format!("no answer within {} s", limit.as_secs_f64());
        return Error::new(ErrorKind::TimedOut, Stage::Source, cause).at(url).hint(
            "is the address right, is the stream being published? --open-timeout sets the limit",
        );
    }
    let error = e.in_stage(Stage::Source).at(url);
    match error.kind() {
        ErrorKind::NotFound if url::is_network(url) => error.hint("the server has no such stream"),
        ErrorKind::NotFound => error.hint("is the path right?"),
        ErrorKind::Connection => {
            error.hint("is a server running there, and is the stream being published?")
        }
        ErrorKind::InvalidData => {
            error.hint("is it a media file? raw input needs -f, -s and -pix_fmt")
        }
        _ => error,
    }
}
