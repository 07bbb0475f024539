//! Containers and protocols that libav reads. Picture sequences (`%04d.png`, `-loop 1`) are libav's
//! image2, as any other format.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::first_times::{self, FirstTimes};
use super::seek;
use crate::av::metadata::ContainerMetadata;
use crate::av::{self, AvError, AvPacket, Demuxer, Dict, Interrupt, MediaKind, StreamInfo};
use crate::error::{End, Error, ErrorKind, Hint, Result, Setting, Stage, sentence};
use crate::options::InputOptions;
use crate::protocol::backend::{Break, Input, Opened, choose, not_seekable};
use crate::protocol::lookup::{LookupFault, check_host};
use crate::protocol::{discover, live, pipe};
use crate::time::stop::Stop;
use crate::time::{TimeBase, Timestamp};
use crate::url::{self, scheme::Flow};

/// How much of a live stream may be read until its streams are known. A ceiling, not a wait:
/// libavformat returns as soon as it has seen a keyframe of each stream.
const ANALYZE_LIMIT: Duration = Duration::from_secs(15);

struct LibavInput {
    demuxer: Demuxer,
    interrupt: Interrupt,
    /// How long a read may find nothing.
    stall_limit: Option<Duration>,
    /// It ends where its connection is closed: nothing else states its length (RFC 9112, section
    /// 6.3). libavformat calls that an I/O error.
    ends_with_connection: bool,
    /// The latest time read, on the input's own clock, where the connection's end is the input's.
    latest: Option<Timestamp>,
    /// How long what can be read of it is.
    duration: Option<Timestamp>,
    /// For a camera whose pictures have no times: when they come is when they are.
    arrival: Option<ArrivalTimes>,
    /// The unit of each stream's times.
    time_bases: Vec<TimeBase>,
    /// How it is opened again, where it can be read once more.
    again: Option<OpenAgain>,
    /// Whether the clock seems to begin anew in its middle, once that was looked at.
    seems_joined: Option<bool>,
    /// A packet was read.
    has_begun: bool,
    /// The times of the first picture, where it doesn't state them.
    first_times: Option<FirstTimes>,
    /// Pictures may have no times at all.
    has_untimed: bool,
    /// No picture was read since it was opened.
    is_at_start: bool,
    // Libav reads from it, and may or may not have a copy of its own.
    _fifo: Option<OwnedFd>,
}

/// What an input is opened again with.
struct OpenAgain {
    url: String,
    options: InputOptions,
    /// The streams that are read; all, where nobody has said which.
    chosen: Option<Vec<usize>>,
}

impl OpenAgain {
    fn open(&self, interrupt: &Interrupt) -> Result<Demuxer, AvError> {
        let mut dict = format_dict(&self.options, false);
        let (url, format) = (url::for_libav(&self.url, true), self.options.format.as_deref());
        let mut demuxer = Demuxer::open(url, format, &mut dict, interrupt.clone())?;
        demuxer.find_stream_info()?;
        if let Some(chosen) = &self.chosen {
            demuxer.read_only(chosen);
        }
        Ok(demuxer)
    }
}

/// How much of what a container states may be missing at its end: its tracks differ in length.
const MISSING_AT_END: Timestamp = Timestamp::from_micros(1_000_000);

/// The demuxer of what has tags and chapters for others, and no streams.
const METADATA_ALONE: &str = "ffmetadata";

/// Formats without times. libavformat numbers their pictures at 25 a second, whatever the camera's rate.
const WITHOUT_TIMES: [&str; 3] = ["mpjpeg", "mjpeg", "jpeg_pipe"];

/// Times by the machine's clock, in microseconds from the first picture on.
#[derive(Default)]
struct ArrivalTimes {
    first: Option<Instant>,
    last: i64,
}

impl ArrivalTimes {
    fn at(&mut self, now: Instant) -> i64 {
        let Some(first) = self.first else {
            self.first = Some(now);
            return 0;
        };
        let since = now.saturating_duration_since(first).as_micros();
        self.last = i64::try_from(since).unwrap_or(i64::MAX).max(self.last.saturating_add(1));
        self.last
    }
}

impl LibavInput {
    fn note_end(&mut self, packet: &AvPacket) {
        let base = self.time_bases.get(packet.stream());
        let at = packet.dts().or(packet.pts()).and_then(|at| base.map(|base| base.at(at)));
        self.latest = self.latest.max(at);
    }

    /// Whether it ended well before the end that the container states.
    fn is_cut_short(&self) -> bool {
        let Some(duration) = self.duration else { return false };
        let begin = Timestamp::from_micros(self.demuxer.start_micros().unwrap_or(0));
        let end = begin.plus(duration);
        self.latest.is_none_or(|latest| latest.plus(MISSING_AT_END) < end)
    }
}

impl LibavInput {
    /// The error for bytes of which no packet could be made.
    fn nothing_read(&self) -> Error {
        let has_index = self.demuxer.format_name() == "mov,mp4,m4a,3gp,3g2,mj2";
        if has_index && !self.demuxer.is_seekable() {
            let cause = "its index stands behind its pictures, to which a pipe can't go back";
            let error = Error::new(ErrorKind::InvalidData, Stage::Source, cause);
            return error.hint(Hint::IndexFirst);
        }
        let cause = "it is damaged or ends too early: nothing of it could be read";
        Error::new(ErrorKind::InvalidData, Stage::Source, cause)
    }
}

impl Input for LibavInput {
    fn format_name(&self) -> &'static str {
        self.demuxer.format_name()
    }

    fn streams(&self) -> Result<Vec<StreamInfo>> {
        (0..self.demuxer.stream_count())
            .map(|index| self.demuxer.stream(index).map_err(|e| e.in_stage(Stage::Source)))
            .collect()
    }

    fn read(&mut self) -> Result<Option<AvPacket>, Break> {
        if self.stall_limit.is_some() {
            self.interrupt.set_deadline(self.stall_limit);
        }
        let read = match self.demuxer.read() {
            Err(e) if e.is_io() && self.ends_with_connection && !self.is_cut_short() => Ok(None),
            // Some demuxers take what is missing for the end.
            Ok(None) if self.ends_with_connection && self.is_cut_short() => {
                return Err(Break::Damaged);
            }
            read => read,
        };
        self.has_begun |= matches!(read, Ok(Some(_)));
        if let (Ok(Some(packet)), true) = (&read, self.ends_with_connection) {
            self.note_end(packet);
        }
        let read = read.map(|packet| {
            packet.map(|mut packet| {
                if let Some(first) = self.first_times.filter(|_| self.is_at_start) {
                    self.is_at_start = !first.give(&mut packet);
                }
                if let Some(arrival) = &mut self.arrival {
                    let at = Some(arrival.at(Instant::now()));
                    packet.set_times(at, at, 0);
                }
                packet
            })
        });
        read.map_err(|e| {
            if e.is_interrupted() {
                return match self.stall_limit {
                    Some(limit) if self.interrupt.expired() => Break::Silent(limit),
                    _ => Break::Stopped,
                };
            }
            if e.is_disconnect() {
                return Break::Closed(e.in_stage(Stage::Source));
            }
            if e.is_invalid_data() && !self.has_begun {
                Break::Failed(self.nothing_read())
            } else if e.is_invalid_data() {
                Break::Damaged
            } else {
                Break::Failed(e.in_stage(Stage::Source))
            }
        })
    }

    fn is_seekable(&self) -> bool {
        self.again.is_some()
    }

    fn seek_to_keyframe(
        &mut self,
        video: Option<&StreamInfo>,
        target: Timestamp,
        begin: Timestamp,
    ) -> Result<Option<VecDeque<AvPacket>>> {
        if self.again.is_none() {
            return Err(not_seekable());
        }
        self.is_at_start = false;
        if self.demuxer.seeks_by_time() && !self.has_untimed {
            match seek::to_keyframe(&mut self.demuxer, video, target, begin) {
                Ok(Some(packets)) => return Ok(Some(packets)),
                Err(e) if e.is_interrupted() => return Err(e.in_stage(Stage::Source)),
                // It has no index after all, or no times to go by.
                Ok(None) | Err(_) => {}
            }
        }
        self.rewind().map(|()| None)
    }

    fn rewind(&mut self) -> Result<()> {
        let again = self.again.as_ref().ok_or_else(not_seekable)?;
        self.demuxer = again.open(&self.interrupt).map_err(|e| e.in_stage(Stage::Source))?;
        self.is_at_start = true;
        Ok(())
    }

    fn clock_may_restart(&self) -> bool {
        self.demuxer.clock_may_restart()
    }

    fn seems_joined(&mut self) -> bool {
        let (demuxer, bases) = (&mut self.demuxer, &self.time_bases);
        *self.seems_joined.get_or_insert_with(|| seek::seems_joined(demuxer, bases))
    }

    fn duration_micros(&self) -> Option<i64> {
        self.duration.map(Timestamp::as_micros)
    }

    fn has_exact_duration(&self) -> bool {
        // What stands before the first time is not in it.
        !self.demuxer.estimates_duration() && self.first_times.is_none()
    }

    fn bit_rate(&self) -> i64 {
        self.demuxer.bit_rate()
    }

    fn set_stall_limit(&mut self, limit: Duration) {
        if self.stall_limit.is_some() {
            self.stall_limit = Some(limit);
        }
    }

    fn metadata(&self) -> ContainerMetadata {
        self.demuxer.metadata()
    }

    fn dump(&self, number: usize, url: &str) -> Option<String> {
        Some(self.demuxer.dump(number, url))
    }

    fn read_only(&mut self, streams: &[usize]) {
        self.demuxer.read_only(streams);
        if let Some(again) = &mut self.again {
            again.chosen = Some(streams.to_vec());
        }
    }
}

/// Opens an input by libav as it is: nothing of it is chosen, and nothing is expected in it.
pub(crate) fn open_plainly(url: &str, options: &InputOptions, stop: &Stop) -> Result<Demuxer> {
    check_file(url)?;
    let interrupt = Interrupt::new(stop.clone());
    let fail = |e: AvError| open_error(e, &interrupt, url, options.open_timeout);
    if url == "-" || url.starts_with("pipe:") {
        pipe::prepare_stdin();
    }
    if url::is_network(url) {
        interrupt.set_deadline(Some(options.open_timeout));
    }
    let (mut dict, format) = (format_dict(options, false), options.format.as_deref());
    let name = url::for_libav(url, true);
    let mut demuxer = Demuxer::open(name, format, &mut dict, interrupt.clone()).map_err(fail)?;
    check_taken(&dict, options, demuxer.format_name()).map_err(|e| e.at(url))?;
    demuxer.find_stream_info().map_err(fail)?;
    interrupt.set_deadline(None);
    Ok(demuxer)
}

/// Opens an input by libav.
pub(super) fn open(
    url: &str,
    options: &InputOptions,
    stall_limit: Duration,
    stop: &Stop,
) -> Result<Opened> {
    check_file(url)?;
    let interrupt = Interrupt::new(stop.clone());
    let fail = |e: AvError, i: &Interrupt| open_error(e, i, url, options.open_timeout);
    let mut found = before_opening(url, options);
    let expected = live::is_live(options.live, &found);

    let mut dict = format_dict(options, expected);
    if url == "-" || url.starts_with("pipe:") {
        pipe::prepare_stdin();
    }
    if url::is_network(url) {
        let begun = Instant::now();
        check_host(url, options.open_timeout, stop).map_err(|fault| match fault {
            LookupFault::TimedOut => no_answer(url, options.open_timeout),
            _ => Error::new(ErrorKind::Interrupted, Stage::Source, "stopped").at(url),
        })?;
        interrupt.set_deadline(Some(options.open_timeout.saturating_sub(begun.elapsed())));
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
    check_taken(&dict, options, demuxer.format_name()).map_err(|e| e.at(url))?;
    if demuxer.format_name() == "tty" && options.format.is_none() {
        return Err(Error::new(ErrorKind::InvalidData, Stage::Source, "it is text, not a video")
            .at(url)
            .hint(Hint::NameInputFormat));
    }
    look_at(&demuxer, &mut found);
    let mut is_live = live::is_live(options.live, &found);
    if is_live && !expected {
        limit_probing(&mut demuxer, options);
    }
    let mut pending = VecDeque::new();
    if is_live && demuxer.format_name().ends_with("flv") {
        pending =
            discover::first_packets(&mut demuxer, &interrupt).map_err(|e| fail(e, &interrupt))?;
        // FLV states its duration with its first packets.
        found.has_duration |= demuxer.duration_micros().is_some();
        is_live = live::is_live(options.live, &found);
    } else {
        demuxer.find_stream_info().map_err(|e| fail(e, &interrupt))?;
    }
    interrupt.set_deadline(None);

    let fault = |e: AvError| e.in_stage(Stage::Source).at(url);
    let video = demuxer.best_stream(MediaKind::Video).map_err(fault)?;
    let audio = demuxer.best_stream(MediaKind::Audio).map_err(fault)?;
    let is_subtitle = |index| demuxer.stream(index).is_ok_and(|s| s.kind == MediaKind::Subtitle);
    let has_subtitles = (0..demuxer.stream_count()).any(is_subtitle);
    let (mut video, audio) = match demuxer.format_name() {
        METADATA_ALONE => (None, None),
        _ => choose(video, audio, has_subtitles, options, url)?,
    };
    if let Some(video) = &mut video {
        discover::complete(video, &pending);
    }

    // Where libavformat did not probe, it says 0.
    let probed = || demuxer.start_micros().map(Timestamp::from_micros);
    let streams = |index| demuxer.stream(index).ok().map(|s| s.time_base);
    let begin = discover::start_of(streams, &pending).or_else(probed).unwrap_or(Timestamp::ZERO);
    let has_rate =
        options.rate.is_some() || options.format_options().any(|option| option.name == "framerate");
    let is_timed_by_arrival =
        is_live && !has_rate && WITHOUT_TIMES.contains(&demuxer.format_name());
    let arrival = is_timed_by_arrival.then(ArrivalTimes::default);
    let mut begin = if is_timed_by_arrival { Timestamp::ZERO } else { begin };
    let (mut first_times, mut has_untimed) = (None, false);
    if let Some(video) = video.as_ref().filter(|_| !is_live && demuxer.clock_may_restart()) {
        let beginning = first_times::look(&mut demuxer, video).map_err(fault)?;
        (pending, first_times) = (beginning.packets, beginning.first);
        has_untimed = beginning.has_untimed;
    }
    if let (Some(first), Some(video)) = (first_times, &video) {
        pending.iter_mut().any(|packet| first.give(packet));
        begin = begin.min(video.time_base.at(first.pts()));
    }
    if let Some(video) = video.as_mut().filter(|_| is_timed_by_arrival) {
        (video.time_base, video.frame_rate) = (TimeBase::MICROS, None);
    }
    let duration = readable(demuxer.duration_micros(), begin, [&video, &audio]);
    let stall_limit = is_live.then_some(stall_limit);
    let ends_with_connection = found.flow == Flow::Either && !found.has_length;
    let time_bases = (0..demuxer.stream_count())
        .map(|index| demuxer.stream(index).map(|stream| stream.time_base))
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    let can_open_again =
        fifo.is_none() && !url::is_pipe(url) && !found.is_device && demuxer.is_seekable();
    let again = OpenAgain { url: url.to_owned(), options: options.clone(), chosen: None };
    let input = LibavInput {
        has_begun: !pending.is_empty(),
        is_at_start: false,
        first_times,
        has_untimed,
        again: can_open_again.then_some(again),
        seems_joined: None,
        demuxer,
        interrupt,
        stall_limit,
        ends_with_connection,
        latest: None,
        duration,
        arrival,
        time_bases,
        _fifo: fifo,
    };
    let input = Box::new(input);
    Ok(Opened { input, video, audio, is_live, pending, begin })
}

/// How long what can be read is, from `begin` on. A container may count what is before, as MP4 does where
/// an edit list puts nothing in front.
fn readable(
    stated: Option<i64>,
    begin: Timestamp,
    chosen: [&Option<StreamInfo>; 2],
) -> Option<Timestamp> {
    let stated = stated.map(Timestamp::from_micros);
    let end = |stream: &StreamInfo| {
        let end = stream.start?.saturating_add(stream.duration?);
        Some(stream.time_base.at(end).minus(begin))
    };
    let ends: Option<Vec<Timestamp>> = chosen.into_iter().flatten().map(end).collect();
    let last = ends.into_iter().flatten().max().filter(|last| *last > Timestamp::ZERO);
    stated.into_iter().chain(last).min()
}

/// What is known of an input before it is open.
fn before_opening(url: &str, options: &InputOptions) -> live::Found {
    let device = options.format.as_deref().filter(|name| av::demuxer_is_device(name));
    live::Found {
        flow: url::scheme::of(url).flow,
        // lavfi is a device to libav, but it computes its pictures as fast as they are read.
        is_device: device.is_some_and(|name| name != "lavfi"),
        is_playlist: false,
        has_duration: false,
        // Until it is known, what may be either is taken for stored.
        has_length: true,
    }
}

/// What is known of an input once its header was read.
fn look_at(demuxer: &Demuxer, found: &mut live::Found) {
    found.is_playlist = matches!(demuxer.format_name(), "hls" | "dash");
    found.has_length = demuxer.has_length();
    found.has_duration = demuxer.duration_micros().is_some()
        || !found.is_playlist && demuxer.any_stream_has_duration();
}

/// As [`format_dict`] does it for what is known to be live before it is opened.
fn limit_probing(demuxer: &mut Demuxer, options: &InputOptions) {
    let is_given = |name: &str| options.format_options().any(|option| option.name == name);
    if !is_given("analyzeduration") {
        demuxer.set_analyze_limit(ANALYZE_LIMIT);
    }
    if !is_given("fpsprobesize") {
        demuxer.count_no_frames_for_rate();
    }
}

/// Opens the input where it is a named pipe.
fn open_fifo(url: &str, stop: &Stop) -> Result<Option<OwnedFd>> {
    let Some(path) = url::local_path(url).filter(|p| pipe::is_fifo(p)) else { return Ok(None) };
    match pipe::open_fifo(&path, true, stop) {
        Ok(Some(fd)) => Ok(Some(fd)),
        Ok(None) => Err(Error::new(ErrorKind::Interrupted, Stage::Source, "stopped").at(url)),
        Err(e) => Err(Error::io(Stage::Source, e).at(url)),
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
    let raw_sound = options.raw_sound();
    if let (Some(channels), true) = (&options.channels, raw_sound.is_empty()) {
        let given = Setting::ffmpeg("ac").of(End::Input).to(channels.clone());
        tracing::warn!("{}", sentence!("{} has no effect, as the input is not raw sound", given));
    }
    for (name, value) in raw_sound {
        dict.set_default(name, &value);
    }
    if is_live {
        dict.set_default("analyzeduration", &ANALYZE_LIMIT.as_micros().to_string());
        dict.set_default("fpsprobesize", "0");
    }
    dict
}

/// Refuses options that the demuxer and the protocol left over and no decoder will take.
fn check_taken(left: &Dict, options: &InputOptions, format: &str) -> Result<()> {
    for name in left.names() {
        let what = match name.as_str() {
            "video_size" => Setting::ffmpeg("s"),
            "pixel_format" => Setting::ffmpeg("pix_fmt"),
            // On other inputs -r numbers the decoded frames anew.
            "framerate" => continue,
            "analyzeduration" | "fpsprobesize" => continue,
            other if options.av.iter().any(|o| o.name == other && o.for_codec) => continue,
            other => Setting::ffmpeg(other.to_owned()),
        };
        let what = what.of(End::Input);
        return Err(Error::usage(sentence!(
            "{} means nothing to an input of format {}",
            what,
            format
        ))
        .hint(Hint::BelongsTo(End::Output)));
    }
    Ok(())
}

fn no_answer(url: &str, limit: Duration) -> Error {
    let cause = format!("no answer within {} s", limit.as_secs_f64());
    Error::new(ErrorKind::TimedOut, Stage::Source, cause).at(url).hint(Hint::CheckAddressOrWait)
}

fn open_error(e: AvError, interrupt: &Interrupt, url: &str, limit: Duration) -> Error {
    if e.is_interrupted() && interrupt.expired() {
        return no_answer(url, limit);
    }
    let error = e.in_stage(Stage::Source).at(url);
    match error.kind() {
        ErrorKind::NotFound if url::is_network(url) => error.hint(Hint::NoSuchStream),
        ErrorKind::NotFound => error.hint(Hint::CheckPath),
        ErrorKind::Connection => error.hint(Hint::CheckPublished),
        ErrorKind::InvalidData => error.hint(Hint::DescribeRawInput),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_without_times_are_when_they_come() {
        let (mut times, start) = (ArrivalTimes::default(), Instant::now());
        let came = [500, 600, 600, 600, 703].map(|ms| times.at(start + Duration::from_millis(ms)));
        assert_eq!(came, [0, 100_000, 100_001, 100_002, 203_000]);
    }
}
