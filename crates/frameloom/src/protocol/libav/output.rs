//! Files and protocols that libav writes.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::av::metadata::{ContainerMetadata, StreamMetadata};
use crate::av::{AvError, AvPacket, Dict, Interrupt, Muxer};
use crate::codec::bitstream::parameter_sets;
use crate::codec::configuration::StreamConfiguration;
use crate::error::{Error, ErrorKind, Hint, Result, Stage};
use crate::options::OutputOptions;
use crate::protocol::backend::{OPEN_LIMIT, Output, Target, WRITE_LIMIT};
use crate::protocol::lookup::{LookupFault, check_host};
use crate::protocol::pipe;
use crate::time::stop::Stop;
use crate::time::{TimeBase, Timestamp};
use crate::url;

/// How long a live output may take to finish after a stop.
const STOP_TIMEOUT: Duration = Duration::from_millis(1200);

/// How far what is shown lies behind MPEG's clock at the most, in microseconds, and where that clock begins in
/// a program stream: the ffmpeg program's defaults. A live output has neither.
const MAX_DELAY: &str = "700000";
const PRELOAD: &str = "500000";

/// Muxers of program streams.
const MPEG_PROGRAM: [&str; 5] = ["mpeg", "vcd", "svcd", "vob", "dvd"];

pub(crate) struct LibavOutput {
    target: Target,
    muxer: Muxer,
    interrupt: Interrupt,
    /// How long opening the connection may take.
    open_limit: Duration,
    /// How long what is under way may take.
    limit: Duration,
    options: Dict,
    stop: Stop,
    /// What is written to, where that is a named pipe: libav may or may not have a copy of it.
    fifo: Option<OwnedFd>,
    created: bool,
    is_written: bool,
    /// Extradata of streams by their numbers, for the next packet of each.
    renewed: Vec<(usize, Vec<u8>)>,
    /// Parameter sets of streams by their numbers, for every keyframe: they are not those that the
    /// header has.
    parameter_sets: Vec<(usize, Vec<u8>)>,
}

impl LibavOutput {
    /// Opens nothing yet.
    pub(crate) fn new(
        target: &Target,
        options: &OutputOptions,
        stop: &Stop,
    ) -> Result<LibavOutput> {
        let interrupt = Interrupt::new(stop.clone());
        let muxer = Muxer::new(url::for_libav(&target.url, false), target.muxer, interrupt.clone());
        let mut muxer = muxer.map_err(|e| write_error(e, None, target))?;
        let mut dict =
            Dict::from_pairs(options.format_options().map(|o| (o.name.as_str(), o.value.as_str())));
        if target.is_live {
            muxer.flush_every_packet();
            if target.muxer.name() == "flv" {
                // There is no going back to the header of a stream.
                dict.set_default("flvflags", "no_duration_filesize");
            }
        }
        if !target.is_live {
            // The ffmpeg program's own: how far MPEG's clock runs ahead of what is shown.
            dict.set_default("max_delay", MAX_DELAY);
            if MPEG_PROGRAM.contains(&target.muxer.name()) {
                dict.set_default("preload", PRELOAD);
            }
        }
        Ok(LibavOutput {
            target: target.clone(),
            muxer,
            interrupt,
            open_limit: options.open_timeout.unwrap_or(OPEN_LIMIT),
            limit: WRITE_LIMIT,
            options: dict,
            stop: stop.clone(),
            fifo: None,
            created: false,
            is_written: false,
            renewed: Vec::new(),
            parameter_sets: Vec::new(),
        })
    }

    fn limit_write(&mut self) {
        if url::is_network(&self.target.url) {
            self.limit = WRITE_LIMIT;
            self.interrupt.set_deadline(Some(self.limit));
        }
    }

    fn lookup_error(&self, fault: &LookupFault) -> Error {
        let error = match fault {
            LookupFault::TimedOut => {
                let cause = format!("no answer within {} s", self.limit.as_secs_f64());
                Error::new(ErrorKind::TimedOut, Stage::Sink, cause).hint(Hint::CheckHost)
            }
            _ => Error::new(ErrorKind::Interrupted, Stage::Sink, "stopped"),
        };
        error.at(&self.target.url)
    }

    fn fault(&self, e: AvError) -> Error {
        write_error(e, self.interrupt.expired().then_some(self.limit), &self.target)
    }

    fn what_is_left(&self) -> Hint {
        if url::local_path(&self.target.url).is_some() {
            Hint::WrittenIsIncomplete
        } else {
            Hint::BrokeOff
        }
    }

    /// A file that we made and in which no packet stands is not left behind.
    fn remove_unwritten(&self) {
        let path = url::local_path(&self.target.url).filter(|_| self.created && !self.is_written);
        if path.as_ref().is_some_and(|p| std::fs::metadata(p).is_ok_and(|m| m.is_file())) {
            // There is nothing in it either way.
            let _ = path.map(std::fs::remove_file);
        }
    }
}

impl Output for LibavOutput {
    fn open(&mut self) -> Result<()> {
        let path = url::local_path(&self.target.url);
        self.created = path.as_ref().is_some_and(|path| !path.exists());
        if url::is_network(&self.target.url) {
            self.limit = self.open_limit;
            let looked_up = check_host(&self.target.url, self.limit, &self.stop);
            looked_up.map_err(|fault| self.lookup_error(&fault))?;
            self.interrupt.set_deadline(Some(self.limit));
        }
        if let Some(path) = path.filter(|path| pipe::is_fifo(path)) {
            let fail =
                |kind, cause: &str| Error::new(kind, Stage::Sink, cause).at(&self.target.url);
            let fd = pipe::open_fifo(&path, false, &self.stop);
            let fd = fd.map_err(|e| Error::io(Stage::Sink, e).at(&self.target.url))?;
            let fd =
                fd.ok_or_else(|| fail(ErrorKind::Interrupted, "stopped before anyone read it"))?;
            self.muxer.set_url(&format!("pipe:{}", fd.as_raw_fd()));
            self.fifo = Some(fd);
        }
        let opened = self.muxer.open(&mut self.options);
        let opened = opened.map_err(|e| self.fault(e));
        // A file is finished, whatever it takes.
        let is_live = self.target.is_live;
        self.interrupt.outlive_stop(is_live.then_some(STOP_TIMEOUT));
        opened
    }

    fn describe(&mut self, metadata: &ContainerMetadata) -> Result<()> {
        self.muxer.describe(metadata).map_err(|e| self.fault(e))
    }

    fn add_stream(&mut self, h: &StreamConfiguration, metadata: &StreamMetadata) -> Result<usize> {
        let added = self.muxer.add_stream(
            &h.params,
            h.time_base,
            h.frame_rate,
            h.sample_aspect_ratio,
            h.display_matrix,
        );
        let number = added.map_err(|e| self.fault(e))?;
        self.muxer.describe_stream(number, metadata);
        Ok(number)
    }

    fn write_header(&mut self) -> Result<()> {
        self.limit_write();
        self.muxer
            .write_header(&mut self.options)
            .map_err(|e| self.fault(e).hint(Hint::CheckCodecs))
    }

    fn time_base(&self, number: usize) -> TimeBase {
        self.muxer.time_base(number)
    }

    fn configure(&mut self, number: usize, configuration: &StreamConfiguration) -> Result<()> {
        let params = &configuration.params;
        self.renewed.retain(|(stream, _)| *stream != number);
        self.parameter_sets.retain(|(stream, _)| *stream != number);
        let sets = parameter_sets(params.codec().name(), params.extradata());
        match sets.filter(|_| self.target.muxer.name() != "flv") {
            Some(sets) => self.parameter_sets.push((number, sets)),
            None if self.target.muxer.takes_new_extradata(params.kind()) => {
                self.renewed.push((number, params.extradata().to_vec()));
            }
            None => {}
        }
        Ok(())
    }

    fn begins_below_zero(&mut self, by: Timestamp) {
        self.muxer.begins_below_zero(by);
    }

    fn write(&mut self, packet: &mut AvPacket) -> Result<()> {
        if let Some(place) = self.renewed.iter().position(|(stream, _)| *stream == packet.stream())
        {
            let (_, extradata) = self.renewed.swap_remove(place);
            packet.set_new_extradata(&extradata).map_err(|e| self.fault(e))?;
        }
        let sets = self.parameter_sets.iter().find(|(stream, _)| *stream == packet.stream());
        if let Some((_, sets)) = sets.filter(|_| packet.is_key()) {
            *packet = packet.with_prefix(sets).map_err(|e| self.fault(e))?;
        }
        self.limit_write();
        self.muxer.write(packet).map_err(|e| self.fault(e).hint(self.what_is_left()))?;
        self.is_written = true;
        Ok(())
    }

    fn size(&self) -> Option<u64> {
        self.muxer.size()
    }

    fn dump(&self, number: usize, url: &str) -> Option<String> {
        Some(self.muxer.dump(number, url))
    }

    fn finish(&mut self) -> Result<()> {
        self.limit_write();
        self.muxer.finish().map_err(|e| self.fault(e).hint(self.what_is_left()))?;
        // A file whose trailer stands is meant to be there, with packets or without.
        self.is_written = true;
        Ok(())
    }
}

impl Drop for LibavOutput {
    fn drop(&mut self) {
        self.remove_unwritten();
    }
}

/// `expired` is the limit that was reached, where that is what ended it.
fn write_error(e: AvError, expired: Option<Duration>, target: &Target) -> Error {
    if let (true, Some(limit)) = (e.is_interrupted(), expired) {
        let cause = format!("no answer within {} s", limit.as_secs_f64());
        return Error::new(ErrorKind::TimedOut, Stage::Sink, cause)
            .at(&target.url)
            .hint(Hint::CheckReading);
    }
    let error = e.in_stage(Stage::Sink).at(&target.url);
    match error.kind() {
        ErrorKind::Connection if url::is_network(&target.url) => error.hint(Hint::CheckPublishing),
        ErrorKind::Connection if target.url == "-" => error.hint(Hint::ReaderIsGone),
        _ => error,
    }
}
