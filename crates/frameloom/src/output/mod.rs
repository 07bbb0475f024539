//! Packets → a file or a publish, in the order of their dts.

mod bitstream;
pub(crate) mod container;
mod interleave;
mod order;

use std::sync::Arc;
use std::time::Duration;

use bitstream::StreamFilter;
use interleave::{InterleaveLimits, Interleaver};
use order::Order;

use crate::av::metadata::{ContainerMetadata, StreamMetadata};
use crate::av::{MediaKind, dump_of_output, is_dump_wanted, tell_dump};
use crate::codec::configuration::StreamConfiguration;
use crate::codec::packet::Packet;
use crate::error::{Error, ErrorKind, Result, Stage, were};
use crate::options::OutputOptions;
use crate::protocol::environment::Environment;
use crate::protocol::{Output, Target};
use crate::stats::Stats;
use crate::time::Timestamp;
use crate::time::clock::Clock;
use crate::time::stop::Stop;
use crate::url;

/// Encoded bytes that may wait for a stream that is behind.
const WAITING_BYTES: usize = 64 << 20;

/// Stream time that may wait in a live output for a stream that is behind.
const WAITING_LIVE: Timestamp = Timestamp::from_micros(10_000_000);

/// How long nothing may come of a stream before the others of a live output go on without it.
const SILENT_LIVE: Duration = Duration::from_secs(1);

/// What an output says of itself and of its streams.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OutputMetadata {
    pub(crate) container: ContainerMetadata,
    /// In the streams' order.
    pub(crate) streams: Vec<StreamMetadata>,
}

/// A stream that an output is opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamSetup {
    pub(crate) kind: MediaKind,
    /// Bitstream filters for its packets, in FFmpeg's language.
    pub(crate) bitstream_filters: Option<String>,
    /// Width to height of the picture as it is shown, where an option says so.
    pub(crate) aspect: Option<(i32, i32)>,
    /// An output of such streams alone is complete without a packet.
    pub(crate) may_be_empty: bool,
}

/// One output: its header is written as soon as every stream is known.
pub(crate) struct Sink {
    target: Target,
    output: Box<dyn Output>,
    streams: Vec<OutputStream>,
    /// What is said of each stream.
    metadata: Vec<StreamMetadata>,
    waiting: Interleaver<WaitingPacket>,
    header_written: bool,
    /// It is not to be begun any more.
    is_given_up: bool,
    /// A packet was written.
    has_begun: bool,
    opened: bool,
    /// Packets.
    written: u64,
    failed: u64,
    cut: Option<Timestamp>,
    /// It is complete without a packet.
    may_be_empty: bool,
    /// It ends with the first stream that ends.
    ends_with_first: bool,
    clock: Arc<dyn Clock>,
    stats: Stats,
    /// Its number among the outputs.
    number: usize,
}

/// A packet that waits for the other streams.
struct WaitingPacket {
    packet: Packet,
    /// What holds from it on, where that is not what held before.
    configuration: Option<Arc<StreamConfiguration>>,
}

struct OutputStream {
    kind: MediaKind,
    /// What the header is written with.
    known: Option<Arc<StreamConfiguration>>,
    /// What holds from the next packet on that is taken.
    next: Option<Arc<StreamConfiguration>>,
    /// Its number in the container, once the header is written.
    number: Option<usize>,
    order: Order,
    filter: Option<StreamFilter>,
    /// The shape in which its pictures are shown, where that is not the input's.
    aspect: Option<(i32, i32)>,
    /// Where what was taken of it ends.
    end: Option<Timestamp>,
}

impl Sink {
    /// Opens the file or connection for these streams, in this order. A stop ends the
    /// wait for the connection; once it is there, the output is to be finished all the same.
    pub(crate) fn open(
        target: Target,
        options: &OutputOptions,
        setups: &[StreamSetup],
        metadata: &OutputMetadata,
        stats: Stats,
        environment: &Environment,
        stop: &Stop,
    ) -> Result<Sink> {
        target.check_writable(options)?;
        target.check_options(options)?;
        let mut output = environment.opener.output(&target, options, stop)?;
        output.describe(&metadata.container)?;
        let limits = InterleaveLimits {
            bytes: WAITING_BYTES,
            span: target.is_live.then_some(WAITING_LIVE),
            silence: target.is_live.then_some(SILENT_LIVE),
        };
        let allows_equal = target.allows_equal_dts();
        let stream = |setup: &StreamSetup| OutputStream {
            kind: setup.kind,
            known: None,
            next: None,
            number: None,
            order: Order::new(allows_equal),
            filter: setup.bitstream_filters.clone().map(StreamFilter::new),
            aspect: setup.aspect,
            end: None,
        };
        let streams = setups.iter().map(stream).collect();
        let mut sink = Sink {
            target,
            output,
            streams,
            metadata: metadata.streams.clone(),
            waiting: Interleaver::new(setups.iter().map(|setup| setup.kind.is_sparse()), limits),
            header_written: false,
            is_given_up: false,
            has_begun: false,
            opened: false,
            written: 0,
            failed: 0,
            cut: None,
            may_be_empty: setups.iter().all(|setup| setup.may_be_empty),
            ends_with_first: options.shortest,
            clock: Arc::clone(&environment.clock),
            stats,
            number: 0,
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
        self.output.open()
    }

    /// It is the output of this number.
    pub(crate) fn number(&mut self, number: usize) {
        self.number = number;
    }

    pub(crate) fn url(&self) -> &str {
        &self.target.url
    }

    /// What is added to the times of packets, where that is known.
    pub(crate) fn shift(&self) -> Option<Timestamp> {
        self.output.shift()
    }

    /// Says what holds for a stream's packets from the next one on. The header is written once
    /// that is known of all streams that have not ended.
    pub(crate) fn configure(
        &mut self,
        stream: usize,
        configuration: Arc<StreamConfiguration>,
    ) -> Result<()> {
        let configuration = match self.streams.get(stream).and_then(|s| s.aspect) {
            Some(aspect) => configuration.shown_as(aspect)?,
            None => configuration,
        };
        if stream == self.streams.len() {
            self.add_late(&configuration)?;
        }
        let filter = self.streams.get_mut(stream).and_then(|s| s.filter.as_mut());
        let configuration = match filter.map(|filter| filter.configure(&configuration)) {
            None => configuration,
            Some(configured) => {
                let (held, configuration) = configured?;
                held.into_iter().try_for_each(|packet| self.queue(stream, packet))?;
                configuration
            }
        };
        if let Some(s) = self.streams.get_mut(stream) {
            // Packets for which the first one holds may wait, or be written already.
            let is_used = self.header_written || !self.waiting.is_idle(stream);
            match s.known {
                Some(_) if is_used => s.next = Some(configuration),
                _ => s.known = Some(configuration),
            }
        }
        self.advance()
    }

    /// Adds a stream that nobody knew of at first.
    fn add_late(&mut self, configuration: &StreamConfiguration) -> Result<()> {
        let number = match self.header_written {
            true => Some(self.output.add_stream(configuration, &StreamMetadata::default())?),
            false => None,
        };
        let order = Order::new(self.target.allows_equal_dts());
        let kind = configuration.params.kind();
        self.streams.push(OutputStream {
            kind,
            known: None,
            next: None,
            number,
            order,
            filter: None,
            aspect: None,
            end: None,
        });
        self.waiting.add_lane();
        Ok(())
    }

    /// Takes a packet of a stream; what it writes of it and when is its own business.
    pub(crate) fn write(&mut self, stream: usize, packet: Packet) -> Result<()> {
        if self.waiting.has_ended(stream) {
            return Ok(());
        }
        match self.streams.get_mut(stream).and_then(|s| s.filter.as_mut()) {
            None => self.queue(stream, packet),
            Some(filter) => {
                let mut filtered = filter.filter(packet)?.into_iter();
                filtered.try_for_each(|packet| self.queue(stream, packet))
            }
        }
    }

    /// Takes a packet as it is to be written.
    fn queue(&mut self, stream: usize, packet: Packet) -> Result<()> {
        let at = packet.pts().or(packet.dts());
        let dts = packet.dts().or(at).unwrap_or(Timestamp::ZERO);
        // Pictures that are shown before the cut may come behind one that is shown after it, which they need.
        if self.cut.is_some_and(|cut| dts >= cut) {
            return self.close(stream);
        }
        let configuration = self.streams.get_mut(stream).and_then(|s| s.next.take());
        if let (Some(stream), Some(at)) = (self.streams.get_mut(stream), at) {
            stream.end = stream.end.max(Some(at.plus(packet.duration())));
        }
        let size = packet.av.size();
        let now = self.clock.now();
        self.waiting.push(stream, dts, size, WaitingPacket { packet, configuration }, now);
        self.advance()
    }

    /// A stream will not come, as its maker failed: an output that hasn't begun stays what it was.
    pub(crate) fn give_up_without(&mut self, stream: usize) {
        self.is_given_up |= !self.knows(stream);
    }

    /// No more packets of a stream will come.
    pub(crate) fn end(&mut self, stream: usize) -> Result<()> {
        self.drain_filter(stream)?;
        let is_first = self.ends_with_first && !self.waiting.has_ended(stream);
        let ended = self.streams.get(stream).filter(|s| is_first && !s.kind.is_sparse());
        if let Some(end) = ended.and_then(|s| s.end) {
            self.cut_at(end);
        }
        self.close(stream)
    }

    /// Takes no more packets of a stream.
    fn close(&mut self, stream: usize) -> Result<()> {
        self.drain_filter(stream)?;
        self.waiting.end(stream);
        self.advance()
    }

    /// Takes what the filters of a stream still hold. It has none any more.
    fn drain_filter(&mut self, stream: usize) -> Result<()> {
        let filter = self.streams.get_mut(stream).and_then(|s| s.filter.take());
        let held = filter.map(|mut filter| filter.drain()).transpose()?;
        held.into_iter().flatten().try_for_each(|packet| self.queue(stream, packet))
    }

    /// The streams still running are to end where this one did.
    pub(crate) fn cut_at(&mut self, end: Timestamp) {
        self.cut = Some(self.cut.map_or(end, |cut| cut.min(end)));
    }

    /// Packets that were taken and not written: those that wait for others, and one whose writing
    /// failed.
    pub(crate) fn unwritten_packets(&self) -> u64 {
        self.waiting.packets() + self.failed
    }

    /// Whether every stream has ended.
    pub(crate) fn is_complete(&self) -> bool {
        self.waiting.all_ended()
    }

    fn advance(&mut self) -> Result<()> {
        if self.is_given_up && !self.header_written {
            return Ok(());
        }
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
                    crate::url::redact::url(&self.target.url)
                );
            }
            self.write_header()?;
        }
        while let Some((stream, WaitingPacket { packet, configuration })) = self.waiting.pop() {
            let at = packet.dts().or(packet.pts());
            if self.cut.zip(at).is_none_or(|(cut, at)| at < cut) {
                if !std::mem::replace(&mut self.has_begun, true) {
                    self.tell_begin(stream, &packet);
                }
                self.renew(stream, configuration)?;
                self.write_packet(stream, packet)?;
            }
        }
        Ok(())
    }

    /// Tells the output where it begins: with `first`, of this stream, or before that with what comes behind.
    fn tell_begin(&mut self, stream: usize, first: &Packet) {
        let shown = |(stream, packet): (usize, &Packet)| {
            let base = self.output.time_base(self.streams.get(stream)?.number?);
            Some(packet.pts().or(packet.dts())?.rescale(base))
        };
        let heads = self.waiting.heads().map(|(lane, waiting)| (lane, &waiting.packet));
        let lowest = heads.chain([(stream, first)]).filter_map(shown).min();
        if let Some(lowest) = lowest.filter(|lowest| *lowest < Timestamp::ZERO) {
            self.output.begins_below_zero(Timestamp::ZERO.minus(lowest));
        }
    }

    /// Says on the output what holds from here on.
    fn renew(&mut self, stream: usize, to: Option<Arc<StreamConfiguration>>) -> Result<()> {
        let number = self.streams.get(stream).and_then(|s| s.number);
        match (number, to) {
            (Some(number), Some(configuration)) => self.output.configure(number, &configuration),
            _ => Ok(()),
        }
    }

    fn knows(&self, stream: usize) -> bool {
        self.streams.get(stream).is_some_and(|s| s.known.is_some())
    }

    /// An output that was to have video is nothing without it. One of metadata alone has no streams.
    fn is_worth_writing(&self) -> bool {
        if self.streams.is_empty() {
            return true;
        }
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
            let metadata = self.metadata.get(i).cloned().unwrap_or_default();
            let number = self.output.add_stream(h, &metadata)?;
            if let Some(stream) = self.streams.get_mut(i) {
                stream.number = Some(number);
            }
        }
        self.output.write_header()?;
        self.header_written = true;
        if is_dump_wanted() {
            self.tell_contents();
        }
        Ok(())
    }

    /// Says what is in it, in the ffmpeg program's layout.
    fn tell_contents(&self) {
        let url = url::redact::url(&self.target.url);
        let known = || {
            let streams = self.streams.iter().filter_map(|s| Some(&s.known.as_ref()?.params));
            let streams: Vec<_> = streams.collect();
            dump_of_output(self.number, &url, self.target.muxer.name(), &streams).ok()
        };
        let told = self.output.dump(self.number, &url).or_else(known);
        told.iter().for_each(|told| tell_dump(told));
    }

    fn write_packet(&mut self, index: usize, mut packet: Packet) -> Result<()> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        let Some(number) = stream.number else { return Ok(()) };
        let base = self.output.time_base(number);
        packet.av.rescale(packet.time_base, base);
        let duration = packet.av.duration();
        let (pts, dts) = stream.order.place(packet.av.pts(), packet.av.dts(), duration);
        packet.av.set_times(Some(pts), Some(dts), duration);
        packet.av.set_stream(number);
        let (bytes, video) = (packet.av.size(), stream.kind == MediaKind::Video);
        let written = video.then_some((number, packet.quality));
        self.output.write(&mut packet.av).inspect_err(|_| self.failed += 1)?;
        self.written += 1;
        let output = (self.number, self.target.is_live);
        self.stats.packet_out(
            output,
            bytes,
            video,
            Some(base.at(pts)),
            packet.arrived.map(|a| a.at),
        );
        let end = base.at(pts.saturating_add(duration.max(0)));
        self.stats.written(self.number, written, end, self.output.size());
        Ok(())
    }

    /// Writes what still waits and the trailer, and closes the file or connection; `false` where
    /// nothing was written, because nothing came.
    pub(crate) fn finish(mut self) -> Result<bool> {
        for i in 0..self.streams.len() {
            self.drain_filter(i)?;
            self.waiting.end(i);
        }
        self.advance()?;
        if !self.header_written || self.written == 0 && !self.may_be_empty {
            return Ok(false);
        }
        let finished = self.output.finish();
        self.stats.finished(self.number, self.output.size());
        for s in self.streams.iter().filter(|s| s.order.moved > 0) {
            let moved = were(s.order.moved, &format!("{} packet", s.kind.name()));
            tracing::warn!("{moved} moved, for dts that did not increase");
        }
        finished.map(|()| true)
    }
}

/// The error for an output of which nothing was written.
pub(crate) fn nothing_written(url: &str) -> Error {
    Error::new(ErrorKind::InvalidData, Stage::Sink, "nothing was written: no frame came").at(url)
}
