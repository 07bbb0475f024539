//! Packets → frames.

mod on_device;
mod order;

use std::collections::VecDeque;

use self::on_device::{DecodingDevice, described};
use self::order::DecodeOrder;
use crate::av::{
    AvFrame, DecodeOn, Decoder, DecoderSetup, Dict, MediaKind, Received, StreamInfo, decoder_exists,
};
use crate::codec::packet::Packet;
use crate::edit::FilterGraph;
use crate::error::{End, Error, Result, Stage, sentence, were};
use crate::image::BufferPool;
use crate::image::Frame;
use crate::options::{InputOptions, StreamPlace};
use crate::stats::Stats;
use crate::time::arrival::Arrival;
use crate::time::{Rate, TimeBase, Timestamp};

/// Views kept for the next frames; as many as are in use at once in a pipeline.
const IDLE_VIEWS: usize = 2;

/// How many packets of a stream may fail before one frame came out, until the stream is given up.
const MAX_FAILED_PACKETS: u64 = 1000;

/// Decodes the video stream: right way up, every frame with a pts, on the pipeline's clock.
pub(crate) struct VideoDecoder {
    decoder: Decoder,
    time_base: TimeBase,
    frame_rate: Option<Rate>,
    /// With `-r` on an input that has clocks of its own: frames are numbered at this rate.
    renumber: Option<Rate>,
    /// Frames that got a number so.
    renumbered: i64,
    /// Gives the times, where packets say only in which order they are decoded.
    order: Option<DecodeOrder>,
    /// Packets may say only that: it is so if the first one does.
    may_lack_pts: bool,
    /// A packet was sent.
    has_begun: bool,
    sought: bool,
    /// Behind a seek of the reader: its floor, in place of the packets'.
    wanted_from: Option<Timestamp>,
    floor: Timestamp,
    limit: Option<Timestamp>,
    /// Where the last picture ends, where that is known.
    ends_at: Option<Timestamp>,
    /// Nothing more was sent.
    is_drained: bool,
    rotate: Option<FilterGraph>,
    /// `None` where the processor decodes.
    device: Option<OpenDevice>,
    ready: VecDeque<Frame>,
    arrivals: VecDeque<(Option<i64>, Arrival)>,
    next_pts: i64,
    last_pts: Option<i64>,
    /// Where the input's start lies on the pipeline's clock: the time of a first frame without one.
    first_pts: i64,
    decoded: u64,
    failures: Failures,
    pool: BufferPool,
    stats: Stats,
}

/// The device that decodes, and what is said where it can't.
struct OpenDevice {
    device: DecodingDevice,
    stream: String,
    options: InputOptions,
    /// It can't, which was said.
    is_out: bool,
}

#[derive(Default)]
struct Failures {
    count: u64,
    last: Option<Error>,
}

impl VideoDecoder {
    pub(crate) fn open(
        (stream, place): (&StreamInfo, StreamPlace),
        options: &InputOptions,
        is_live: bool,
        stats: Stats,
    ) -> Result<VideoDecoder> {
        let name = options.decoder_for(stream).or_else(|| alpha_decoder(stream));
        let device = DecodingDevice::choose((stream, place), options, name)?;
        VideoDecoder::open_on((stream, name), device, options, is_live, stats)
    }

    /// By a decoder of this name, or by a device's.
    fn open_on(
        (stream, name): (&StreamInfo, Option<&str>),
        device: Option<DecodingDevice>,
        options: &InputOptions,
        is_live: bool,
        stats: Stats,
    ) -> Result<VideoDecoder> {
        let on = device.as_ref().map(DecodingDevice::on);
        let name = device.as_ref().map(DecodingDevice::decoder).or(name);
        let decoder = open_by_name((stream, name), options, is_live, on)?;
        let device = device.map(|device| OpenDevice {
            device,
            stream: described(stream),
            options: options.clone(),
            is_out: false,
        });
        let raw = stream.params.codec().is_raw();
        let rotate = stream.display_matrix.as_ref().and_then(rotation_filter);
        let origin = options.origin.or(options.start).unwrap_or(Timestamp::ZERO);
        let origin = origin.minus(options.offset);
        let first_pts = origin.rescale(stream.time_base).ticks().saturating_neg();
        Ok(VideoDecoder {
            decoder,
            time_base: stream.time_base,
            frame_rate: options.rate.or(stream.frame_rate),
            renumber: options.rate.filter(|_| !raw),
            renumbered: 0,
            order: None,
            may_lack_pts: false,
            has_begun: false,
            sought: options.start.is_some(),
            wanted_from: None,
            floor: Timestamp::ZERO,
            limit: options.limit(),
            ends_at: None,
            is_drained: false,
            rotate: rotate.map(|spec| FilterGraph::new(spec, stream.frame_rate)),
            device,
            ready: VecDeque::new(),
            arrivals: VecDeque::new(),
            next_pts: first_pts,
            last_pts: None,
            first_pts,
            decoded: 0,
            failures: Failures::default(),
            pool: BufferPool::new(IDLE_VIEWS),
            stats,
        })
    }

    /// Goes on where another decoder, of another connection to the source, ended: frames before
    /// the packets' floor are not wanted.
    pub(crate) fn go_on_from(&mut self, before: &VideoDecoder) {
        self.decoded = before.decoded;
        self.next_pts = before.time_base.at(before.next_pts).rescale(self.time_base).ticks();
        self.pool = before.pool.clone();
        self.sought = true;
    }

    /// Says whether the packets may have no pts, but a place in the order of decoding.
    pub(crate) fn lacking_pts(mut self, may: bool) -> VideoDecoder {
        self.may_lack_pts = may;
        self
    }

    /// Says where the last picture ends. Not every container says how long a picture is shown, and the
    /// distance to the next one is not known of the last.
    pub(crate) fn ending_at(mut self, end: Option<Timestamp>) -> VideoDecoder {
        self.ends_at = end;
        self
    }

    /// Begins anew behind a seek: frames before `floor` are not wanted.
    pub(crate) fn begin_at(&mut self, floor: Timestamp) {
        self.decoder.flush();
        self.ready.clear();
        self.arrivals.clear();
        (self.next_pts, self.renumbered) = (self.first_pts, 0);
        self.last_pts = None;
        self.order = self.order.as_ref().map(|_| DecodeOrder::default());
        self.is_drained = false;
        self.wanted_from = Some(floor);
    }

    /// The source's frame rate, where it has one.
    pub(crate) fn frame_rate(&self) -> Option<Rate> {
        self.frame_rate
    }

    /// Sends one packet. A damaged one is counted, not an error.
    ///
    /// # Errors
    /// Where nothing at all can be decoded.
    pub(crate) fn send(&mut self, packet: &Packet) -> Result<()> {
        if packet.discontinuity {
            self.drain()?;
            self.decoder.flush();
            self.order = self.order.as_ref().map(|_| DecodeOrder::default());
        }
        self.floor = packet.floor;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let is_first = is_first && self.may_lack_pts;
        if is_first && packet.av.pts().is_none() && packet.av.dts().is_some() {
            self.order = Some(DecodeOrder::default());
        }
        let marked = match &mut self.order {
            Some(order) => Some(order.mark(&packet.av).map_err(|e| e.in_stage(Stage::Decode))?),
            None => None,
        };
        let packet_av = marked.as_ref().unwrap_or(&packet.av);
        self.arrivals.push_back((packet_av.pts(), packet.arrived.unwrap_or_else(Arrival::now)));
        // A decoder that outputs nothing for so long has lost them.
        if self.arrivals.len() > 256 {
            self.arrivals.pop_front();
        }
        loop {
            let accepted = match self.decoder.send(Some(packet_av)) {
                Ok(accepted) => accepted,
                Err(e) => {
                    self.failed(e.in_stage(Stage::Decode))?;
                    true
                }
            };
            self.check_device()?;
            self.collect()?;
            if accepted {
                return Ok(());
            }
        }
    }

    /// Says that the device can't decode the stream as it is now, or that nothing else may.
    fn check_device(&mut self) -> Result<()> {
        let Some(open) = self.device.as_mut().filter(|open| !open.is_out) else { return Ok(()) };
        if !self.decoder.lacks_device() {
            return Ok(());
        }
        open.is_out = true;
        open.device.cannot(&open.stream, &open.options)
    }

    /// Makes the decoder give out what it still holds.
    pub(crate) fn drain(&mut self) -> Result<()> {
        while !self.decoder.send(None).map_err(|e| e.in_stage(Stage::Decode))? {
            self.collect()?;
        }
        self.collect()?;
        self.is_drained = true;
        if let (Some(end), Some(last)) = (self.ends_at, self.ready.back_mut()) {
            last.show_until(end);
        }
        Ok(())
    }

    /// The next frame, in the order of showing.
    pub(crate) fn receive(&mut self) -> Option<Frame> {
        // The last one is held back until it is known to be it.
        let held = usize::from(self.ends_at.is_some() && !self.is_drained);
        if self.ready.len() > held { self.ready.pop_front() } else { None }
    }

    /// To be asked after the last drain.
    ///
    /// # Errors
    /// Where there were packets and not one frame.
    pub(crate) fn finish(&mut self) -> Result<()> {
        match self.failures.last.take() {
            // It says all that a warning could.
            Some(error) if self.decoded == 0 => Err(error),
            Some(_) => {
                let left_out = were(self.failures.count, "damaged or undecodable packet");
                tracing::warn!("{left_out} left out of the video");
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn collect(&mut self) -> Result<()> {
        loop {
            match self.decoder.receive() {
                Ok(Received::Item(picture)) => self.accept(picture)?,
                Ok(Received::Again | Received::End) => return Ok(()),
                Err(e) => {
                    self.check_device()?;
                    return self.failed(e.in_stage(Stage::Decode));
                }
            }
        }
    }

    fn failed(&mut self, error: Error) -> Result<()> {
        self.stats.packet_corrupt();
        self.failures.count += 1;
        if self.decoded == 0 && self.failures.count >= MAX_FAILED_PACKETS {
            return Err(error);
        }
        self.failures.last = Some(error);
        Ok(())
    }

    fn accept(&mut self, mut picture: AvFrame) -> Result<()> {
        self.decoded += 1;
        let coded_pts = picture.pts();
        let arrived = self.arrival_of(coded_pts);
        let own = match &mut self.order {
            Some(order) => order.time_of(coded_pts, picture.is_key()),
            None => picture.best_effort_pts(),
        };
        // What libavcodec guesses for one without a pts may lie before the frame before it.
        let is_plausible =
            |at: &i64| coded_pts.is_some() || self.last_pts.is_none_or(|last| *at > last);
        let own = own.filter(is_plausible).unwrap_or(self.next_pts);
        if picture.duration() <= 0 {
            let length = self.frame_rate.map(|rate| rate.time_base().at(1));
            picture.set_duration(length.map_or(0, |one| one.rescale(self.time_base).ticks()));
        }
        self.next_pts = own.saturating_add(picture.duration().max(1));
        self.last_pts = Some(own);
        // After a seek, frames before the floor exist only to decode the first one wanted.
        let is_needed = !self.sought || !self.time_base.at(own).is_before(self.floor);
        let Some((pts, base)) = self.numbered(own, is_needed) else { return Ok(()) };
        picture.set_pts(Some(pts));
        if self.renumber.is_some() {
            picture.set_duration(1);
        }
        let at = base.at(pts);
        let is_early = self.wanted_from.is_some_and(|from| at.is_before(from));
        if is_early || self.limit.is_some_and(|limit| !at.is_before(limit)) {
            return Ok(());
        }
        self.stats.frame_in();
        let device = self.device.as_ref().map(|open| &open.device);
        if let Some(device) = device {
            picture = device.given_out(picture)?;
        }
        let mut frame = Frame::new(picture, base, self.decoded - 1, arrived, self.pool.clone());
        if device.is_some_and(DecodingDevice::keeps_pictures) {
            frame = frame.staying_on_device();
        }
        if self.renumber.is_none() {
            frame = frame.of_packet();
        }
        match &mut self.rotate {
            None => self.ready.push_back(frame),
            Some(graph) => {
                graph.send(frame)?;
                while let Some(frame) = graph.receive()? {
                    self.ready.push_back(frame);
                }
            }
        }
        Ok(())
    }

    /// A frame's time, with `-r` by its number; `None` for one that is not needed.
    fn numbered(&mut self, own: i64, is_needed: bool) -> Option<(i64, TimeBase)> {
        // Behind a seek of the reader its floor holds in place of the packets'.
        if !is_needed && self.wanted_from.is_none() {
            return None;
        }
        let Some(rate) = self.renumber else { return Some((own, self.time_base)) };
        self.renumbered += 1;
        Some((self.renumbered - 1, rate.time_base()))
    }

    fn arrival_of(&mut self, pts: Option<i64>) -> Arrival {
        let found = self.arrivals.iter().position(|(p, _)| *p == pts).unwrap_or(0);
        self.arrivals.remove(found).map_or_else(Arrival::now, |(_, arrival)| arrival)
    }
}

/// Opens the decoder for a stream; options meant for decoders that it doesn't take are refused.
pub(crate) fn open_decoder(
    stream: &StreamInfo,
    options: &InputOptions,
    is_live: bool,
) -> Result<Decoder> {
    let is_video = stream.kind.of_codec() == MediaKind::Video;
    let usual = || is_video.then(|| alpha_decoder(stream)).flatten();
    let name = options.decoder_for(stream).or_else(usual);
    open_by_name((stream, name), options, is_live, None)
}

/// As [`open_decoder`], by an implementation of this name, on a device.
fn open_by_name(
    (stream, name): (&StreamInfo, Option<&str>),
    options: &InputOptions,
    is_live: bool,
    on: Option<DecodeOn<'_>>,
) -> Result<Decoder> {
    let kind = stream.kind.of_codec();
    let mut dict = Dict::from_pairs(
        options.decoder_options(kind).map(|o| (o.name.as_str(), o.value.as_str())),
    );
    let codec = stream.params.codec().name();
    if codec == "dvb_subtitle" {
        // It says how long each event is shown.
        dict.set_default("compute_edt", "1");
    }
    let setup = DecoderSetup {
        params: &stream.params,
        // What it reckons in samples is as long as it was recorded.
        time_base: options.speed.map_or(stream.time_base, |s| s.own_base(stream.time_base)),
        frame_rate: stream.frame_rate,
        name,
        low_delay: is_live,
        on,
    };
    let decoder = Decoder::open(&setup, &mut dict).map_err(|e| {
        let cause = format!("the decoder for {codec} can't be opened: {}", e.cause());
        e.in_stage(Stage::Decode).reworded(cause)
    })?;
    let left = dict.names();
    let stray = options.decoder_options(kind).find(|o| !o.for_format && left.contains(&o.name));
    match stray {
        Some(option) => {
            let setting = option.setting().of(End::Input);
            Err(Error::usage(sentence!("{} means nothing to the decoder for {}", setting, codec)))
        }
        None => Ok(decoder),
    }
}

/// The decoder that sees the transparency of a stream, where libav's own doesn't.
fn alpha_decoder(stream: &StreamInfo) -> Option<&'static str> {
    let name = match stream.params.codec().name() {
        "vp8" => "libvpx",
        "vp9" => "libvpx-vp9",
        _ => return None,
    };
    (stream.params.has_alpha() && decoder_exists(name)).then_some(name)
}

/// The filter that shows a picture the way its display matrix says (ISO 14496-12, 8.3.2), or none
/// where it stands upright.
fn rotation_filter(matrix: &[i32; 9]) -> Option<&'static str> {
    let (a, b, c, d) = (matrix[0], matrix[1], matrix[3], matrix[4]);
    match rotation_degrees(matrix) {
        90 if c > 0 => Some("transpose=cclock_flip"),
        90 => Some("transpose=clock"),
        270 if c < 0 => Some("transpose=clock_flip"),
        270 => Some("transpose=cclock"),
        180 if d < 0 => Some("hflip,vflip"),
        180 => Some("hflip"),
        _ if d < 0 && a > 0 && b == 0 => Some("vflip"),
        _ => None,
    }
}

/// Width and height of a stream's pictures as they are shown, where they are known.
pub(crate) fn upright_size(stream: &StreamInfo) -> Option<(u32, u32)> {
    let (width, height) = (stream.params.width(), stream.params.height());
    let degrees = stream.display_matrix.as_ref().map_or(0, rotation_degrees);
    let size = if degrees % 180 == 90 { (height, width) } else { (width, height) };
    (width > 0 && height > 0).then_some(size)
}

/// Degrees clockwise, to the nearest quarter turn.
pub(crate) fn rotation_degrees(matrix: &[i32; 9]) -> i32 {
    let (a, b) = (i64::from(matrix[0]), i64::from(matrix[1]));
    match (a.abs() >= b.abs(), a >= 0, b >= 0) {
        (true, true, _) => 0,
        (true, false, _) => 180,
        (false, _, true) => 90,
        (false, _, false) => 270,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_matrix_becomes_the_filter_that_undoes_it() {
        const ONE: i32 = 1 << 16;
        const W: i32 = 1 << 30;
        for (a, b, c, d, degrees, filter) in [
            (ONE, 0, 0, ONE, 0, None),
            (0, ONE, -ONE, 0, 90, Some("transpose=clock")),
            (-ONE, 0, 0, -ONE, 180, Some("hflip,vflip")),
            (0, -ONE, ONE, 0, 270, Some("transpose=cclock")),
            (ONE, 0, 0, -ONE, 0, Some("vflip")),
            (-ONE, 0, 0, ONE, 180, Some("hflip")),
            (0, ONE, ONE, 0, 90, Some("transpose=cclock_flip")),
            (0, -ONE, -ONE, 0, 270, Some("transpose=clock_flip")),
            (0, 0, 0, 0, 0, None),
        ] {
            let matrix = [a, b, 0, c, d, 0, 0, 0, W];
            assert_eq!(
                (rotation_degrees(&matrix), rotation_filter(&matrix)),
                (degrees, filter),
                "{matrix:?}"
            );
        }
    }
}
