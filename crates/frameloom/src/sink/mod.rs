//! Packets → a file or a publish, in the order of their dts.

pub(crate) mod container;
mod interleave;
mod order;

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use interleave::{Interleaver, Limits};
use order::Order;

use crate::av::{AvError, CodecParams, Dict, Interrupt, MediaKind, Muxer, MuxerInfo, muxer_for};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::OutputOptions;
use crate::packet::Packet;
use crate::pipes;
use crate::stats::Stats;
use crate::stop::Stop;
use crate::time::{Rate, TimeBase, Timestamp};
use crate::url;

/// Encoded bytes that may wait for a stream that is behind.
const WAITING_BYTES: usize = 64 << 20;

/// Stream time that may wait in a live output for a stream that is behind.
const WAITING_LIVE: Timestamp = Timestamp::from_micros(10_000_000);

/// How long one write to a network may take.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection to an output may take to open.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// What a muxer must know of a stream before its first packet.
pub(crate) struct StreamHeader {
    pub(crate) params: CodecParams,
    pub(crate) time_base: TimeBase,
    pub(crate) frame_rate: Option<Rate>,
    pub(crate) sample_aspect_ratio: Option<(i32, i32)>,
    pub(crate) display_matrix: Option<[i32; 9]>,
}

impl StreamHeader {
    pub(crate) fn share(&self) -> Result<StreamHeader> {
        let params = self.params.share().map_err(|e| e.in_stage(Stage::Sink))?;
        Ok(StreamHeader { params, ..*self })
    }
}

/// Where an output goes, and in which container; checked, but not opened.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) muxer: MuxerInfo,
    pub(crate) is_live: bool,
}

impl Target {
    /// Finds the container of an output.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where nothing tells it.
    pub(crate) fn resolve(url: &str, options: &OutputOptions) -> Result<Target> {
        crate::redact::remember_url(url);
        let implied = match url::scheme(url).as_deref() {
            Some("rtmp" | "rtmps" | "rtmpt" | "rtmpe" | "rtmpte" | "rtmpts") => Some("flv"),
            Some("srt" | "udp" | "rist" | "tcp") => Some("mpegts"),
            Some("rtp") => Some("rtp_mpegts"),
            Some("rtsp" | "rtsps") => Some("rtsp"),
            _ => None,
        };
        let muxer = muxer_for(options.format.as_deref().or(implied), url).ok_or_else(|| {
            Error::usage("its name doesn't tell the format")
                .at(url)
                .hint("name it with -f, such as -f flv, mp4, matroska or mpegts")
        })?;
        Ok(Target { url: url.to_owned(), muxer, is_live: url::is_live(url) })
    }

    /// Refuses options that neither an encoder nor this container nor its protocol has.
    fn check_options(&self, options: &OutputOptions) -> Result<()> {
        let scheme = url::scheme(&self.url).unwrap_or_else(|| "file".to_owned());
        let stray =
            options.format_options().find(|o| !o.for_codec && !self.muxer.takes(&o.name, &scheme));
        stray.map_or(Ok(()), |option| {
            let (name, format) = (option.written(), self.muxer.name());
            Err(Error::usage(format!("{name} means nothing to an output of format {format}"))
                .at(&self.url))
        })
    }

    /// Refuses to overwrite what may not be, and what can't be written at all.
    pub(crate) fn check_writable(&self, overwrite: bool) -> Result<()> {
        let fail = |kind, cause: &str| Error::new(kind, Stage::Sink, cause).at(&self.url);
        let Some(path) = url::local_path(&self.url).map(Path::new) else { return Ok(()) };
        if matches!(self.muxer.name(), "null") {
            return Ok(());
        }
        let numbered = self.muxer.is_file_per_packet() && self.url.contains('%');
        if let Ok(found) = std::fs::metadata(path) {
            if found.is_dir() {
                return Err(fail(ErrorKind::InvalidData, "it is a directory"));
            }
            if found.is_file() && !overwrite && !numbered {
                return Err(
                    fail(ErrorKind::AlreadyExists, "it exists already").hint("-y overwrites it")
                );
            }
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        match folder {
            Some(folder) if !folder.is_dir() => {
                Err(fail(ErrorKind::NotFound, "its folder does not exist")
                    .hint(format!("mkdir -p {}", folder.display())))
            }
            _ => Ok(()),
        }
    }
}

/// One output: its header is written as soon as every stream is known.
pub(crate) struct Sink {
    target: Target,
    muxer: Muxer,
    interrupt: Interrupt,
    /// How long opening the connection may take.
    open_limit: Duration,
    /// How long what is under way may take.
    limit: Duration,
    options: Dict,
    streams: Vec<Stream>,
    waiting: Interleaver<Packet>,
    header_written: bool,
    stop: Stop,
    /// What is written to, where that is a named pipe: libav may or may not have a copy of it.
    fifo: Option<OwnedFd>,
    opened: bool,
    created: bool,
    /// Packets.
    written: u64,
    cut: Option<Timestamp>,
    stats: Stats,
}

struct Stream {
    kind: MediaKind,
    known: Option<StreamHeader>,
    /// Its number in the container, once the header is written.
    number: Option<usize>,
    order: Order,
}

impl Sink {
    /// Opens the file or connection for streams of these kinds, in this order. A stop ends the
    /// wait for the connection; once it is there, the output is to be finished all the same.
    pub(crate) fn open(
        target: Target,
        options: &OutputOptions,
        kinds: &[MediaKind],
        stats: Stats,
        stop: &Stop,
    ) -> Result<Sink> {
        target.check_writable(options.overwrite)?;
        target.check_options(options)?;
        let interrupt = Interrupt::new(stop.clone());
        let muxer = Muxer::new(url::for_libav(&target.url, false), target.muxer, interrupt.clone());
        let mut muxer = muxer.map_err(|e| write_error(e, None, &target))?;
        let mut dict =
            Dict::from_pairs(options.format_options().map(|o| (o.name.as_str(), o.value.as_str())));
        if target.is_live {
            muxer.flush_every_packet();
            if target.muxer.name() == "flv" {
                // There is no going back to the header of a stream.
                dict.set_default("flvflags", "no_duration_filesize");
            }
        }
        let limits = Limits { bytes: WAITING_BYTES, span: target.is_live.then_some(WAITING_LIVE) };
        let allows_equal = target.muxer.allows_equal_dts();
        let stream = |&kind: &MediaKind| Stream {
            kind,
            known: None,
            number: None,
            order: Order::new(allows_equal),
        };
        let streams = kinds.iter().map(stream).collect();
        let mut sink = Sink {
            target,
            muxer,
            interrupt,
            open_limit: options.open_timeout.unwrap_or(OPEN_LIMIT),
            limit: WRITE_LIMIT,
            options: dict,
            streams,
            waiting: Interleaver::new(kinds.len(), limits),
            header_written: false,
            stop: stop.clone(),
            fifo: None,
            opened: false,
            created: false,
            written: 0,
            cut: None,
            stats,
        };
        if url::is_network(&sink.target.url) {
            sink.open_target()?;
        }
        Ok(sink)
    }

    /// A connection is opened at once, so that a server that isn't there is known before anything
    /// starts; a file not before there is something to write, so that nothing is left or lost
    /// where nothing comes.
    fn open_target(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.opened, true) {
            return Ok(());
        }
        let path = url::local_path(&self.target.url);
        self.created = path.is_some_and(|p| !Path::new(p).exists());
        if url::is_network(&self.target.url) {
            self.limit = self.open_limit;
            self.interrupt.set_deadline(Some(self.limit));
        }
        if let Some(path) = path.filter(|p| pipes::is_fifo(p)) {
            let fail =
                |kind, cause: &str| Error::new(kind, Stage::Sink, cause).at(&self.target.url);
            let fd = pipes::open_fifo(path, false, &self.stop);
            let fd = fd.map_err(|e| fail(ErrorKind::Other, &e.to_string()))?;
            let fd =
                fd.ok_or_else(|| fail(ErrorKind::Interrupted, "stopped before anyone read it"))?;
            self.muxer.set_url(&format!("pipe:{}", fd.as_raw_fd()));
            self.fifo = Some(fd);
        }
        let opened = self.muxer.open(&mut self.options);
        let opened = opened.map_err(|e| self.fault(e));
        self.interrupt.outlive_stop();
        opened
    }

    pub(crate) fn url(&self) -> &str {
        &self.target.url
    }

    /// Says what a stream is. The header is written once all are known or ended.
    pub(crate) fn announce(&mut self, stream: usize, header: StreamHeader) -> Result<()> {
        if let Some(s) = self.streams.get_mut(stream) {
            s.known = Some(header);
        }
        self.advance()
    }

    /// Takes a packet of a stream; what it writes of it and when is its own business.
    pub(crate) fn write(&mut self, stream: usize, packet: Packet) -> Result<()> {
        if self.waiting.has_ended(stream) {
            return Ok(());
        }
        let at = packet.pts().or(packet.dts());
        if let (Some(cut), Some(at)) = (self.cut, at) {
            if at >= cut {
                return self.end(stream);
            }
        }
        let dts = packet.dts().or(at).unwrap_or(Timestamp::ZERO);
        self.waiting.push(stream, dts, packet.av.size(), packet);
        self.advance()
    }

    /// No more packets of a stream will come.
    pub(crate) fn end(&mut self, stream: usize) -> Result<()> {
        self.waiting.end(stream);
        self.advance()
    }

    /// The streams still running are to end where this one did.
    pub(crate) fn cut_at(&mut self, end: Timestamp) {
        self.cut = Some(self.cut.map_or(end, |cut| cut.min(end)));
    }

    /// Whether every stream has ended.
    pub(crate) fn is_complete(&self) -> bool {
        self.waiting.all_ended()
    }

    fn advance(&mut self) -> Result<()> {
        if !self.header_written {
            let settled =
                (0..self.streams.len()).all(|i| self.knows(i) || self.waiting.has_ended(i));
            if !settled && !self.waiting.is_over_limit() {
                return Ok(());
            }
            if !self.is_worth_writing() {
                // Nothing is written without the video, and it is not waited for without end.
                return if self.waiting.is_full() {
                    Err(nothing_written(&self.target.url))
                } else {
                    Ok(())
                };
            }
            if !settled {
                tracing::warn!(
                    "{}: written without a stream of which nothing came",
                    crate::redact::url(&self.target.url)
                );
            }
            self.write_header()?;
        }
        while let Some((stream, packet)) = self.waiting.pop() {
            let at = packet.pts().or(packet.dts());
            if self.cut.zip(at).is_none_or(|(cut, at)| at < cut) {
                self.write_packet(stream, packet)?;
            }
        }
        Ok(())
    }

    fn knows(&self, stream: usize) -> bool {
        self.streams.get(stream).is_some_and(|s| s.known.is_some())
    }

    /// An output that was to have video is nothing without it.
    fn is_worth_writing(&self) -> bool {
        let video = self.streams.iter().find(|s| s.kind == MediaKind::Video);
        video.or(self.streams.first()).is_some_and(|s| s.known.is_some())
    }

    fn write_header(&mut self) -> Result<()> {
        self.open_target()?;
        for i in 0..self.streams.len() {
            let Some(h) = self.streams.get(i).and_then(|s| s.known.as_ref()) else {
                self.waiting.end(i);
                continue;
            };
            let added = self.muxer.add_stream(
                &h.params,
                h.time_base,
                h.frame_rate,
                h.sample_aspect_ratio,
                h.display_matrix,
            );
            let number = added.map_err(|e| self.fault(e))?;
            if let Some(stream) = self.streams.get_mut(i) {
                stream.number = Some(number);
            }
        }
        self.limit_write();
        self.muxer.write_header(&mut self.options).map_err(|e| {
            let error = self.fault(e);
            error.hint("does the format carry these codecs?")
        })?;
        self.header_written = true;
        Ok(())
    }

    fn write_packet(&mut self, index: usize, mut packet: Packet) -> Result<()> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        let Some(number) = stream.number else { return Ok(()) };
        let base = self.muxer.time_base(number);
        packet.av.rescale(packet.time_base, base);
        let duration = packet.av.duration();
        let (pts, dts) = stream.order.place(packet.av.pts(), packet.av.dts(), duration);
        packet.av.set_times(Some(pts), Some(dts), duration);
        packet.av.set_stream(number);
        let (bytes, video) = (packet.av.size(), stream.kind == MediaKind::Video);
        self.limit_write();
        self.muxer.write(&mut packet.av).map_err(|e| self.fault(e).hint(self.what_is_left()))?;
        self.written += 1;
        self.stats.packet_out(bytes, video, Some(base.at(pts)), Some(packet.arrived));
        Ok(())
    }

    fn limit_write(&mut self) {
        if url::is_network(&self.target.url) {
            self.limit = WRITE_LIMIT;
            self.interrupt.set_deadline(Some(self.limit));
        }
    }

    fn fault(&self, e: AvError) -> Error {
        write_error(e, self.interrupt.expired().then_some(self.limit), &self.target)
    }

    fn what_is_left(&self) -> &'static str {
        if url::local_path(&self.target.url).is_some() {
            "what was written so far is incomplete"
        } else {
            "the stream broke off"
        }
    }

    /// Writes what still waits and the trailer, and closes the file or connection; `false` where
    /// nothing was written, because nothing came.
    pub(crate) fn finish(mut self) -> Result<bool> {
        for i in 0..self.streams.len() {
            self.waiting.end(i);
        }
        self.advance()?;
        if !self.header_written || self.written == 0 {
            return Ok(false);
        }
        self.limit_write();
        let finished = self.muxer.finish();
        for s in self.streams.iter().filter(|s| s.order.moved > 0) {
            let what = if s.kind == MediaKind::Video { "video" } else { "audio" };
            tracing::warn!(
                "{} {what} packets had to be moved: their dts did not increase",
                s.order.moved
            );
        }
        finished.map(|()| true).map_err(|e| self.fault(e).hint(self.what_is_left()))
    }

    /// A file that we made and in which no packet stands is not left behind.
    fn remove_unwritten(&self) {
        if let (true, 0, Some(path)) =
            (self.created, self.written, url::local_path(&self.target.url))
        {
            if std::fs::metadata(path).is_ok_and(|m| m.is_file()) {
                // There is nothing in it either way.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.remove_unwritten();
    }
}

/// The error for an output of which nothing was written.
pub(crate) fn nothing_written(url: &str) -> Error {
    Error::new(ErrorKind::InvalidData, Stage::Sink, "nothing was written: no frame came").at(url)
}

/// `expired` is the limit that was reached, where that is what ended it.
fn write_error(e: AvError, expired: Option<Duration>, target: &Target) -> Error {
    if let (true, Some(limit)) = (e.is_interrupted(), expired) {
        let cause = format!("no answer within {} s", limit.as_secs_f64());
        return Error::new(ErrorKind::TimedOut, Stage::Sink, cause)
            .at(&target.url)
            .hint("is the address right, and does the server still read?");
    }
    let error = e.in_stage(Stage::Sink).at(&target.url);
    match error.kind() {
        ErrorKind::Connection if url::is_network(&target.url) => {
            error.hint("is a server running there, and does it allow publishing?")
        }
        ErrorKind::Connection if target.url == "-" => error.hint("whoever read the output is gone"),
        _ => error,
    }
}
