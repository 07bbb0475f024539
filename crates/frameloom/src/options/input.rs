use std::time::Duration;

use super::av_option::AvOption;
use super::hardware::HardwareDecoding;
use super::live::{Live, WaitForInputs};
use super::specifier::{PerStream, SpecifiedStream, Specifier, StreamPlace};
use super::speed::Speed;
use super::value::{
    Size, bounded, check_format, decoder, must_be_more, pixel_format, timestamp, usual_layout,
};
use crate::av::{self, Direction, MediaKind, OptionClasses, StreamInfo};
use crate::error::{End, Error, Result, Setting, sentence};
use crate::time::{Rate, Timestamp};

/// How an input is to be read: FFmpeg's options that stand before `-i`.
#[derive(Clone, Debug)]
pub struct InputOptions {
    pub(crate) format: Option<String>,
    pub(crate) size: Option<Size>,
    pub(crate) pixel_format: Option<String>,
    pub(crate) rate: Option<Rate>,
    pub(crate) realtime: bool,
    pub(crate) start: Option<Timestamp>,
    /// The same, counted from the end; not above 0.
    pub(crate) start_from_end: Option<Timestamp>,
    pub(crate) duration: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    /// By how much all its times are moved on the pipeline's clock.
    pub(crate) offset: Timestamp,
    /// Its times are its own, where it is stored: they don't begin at the pipeline's zero.
    pub(crate) keeps_times: bool,
    /// Times to read it again; `None` for ever.
    pub(crate) loops: Option<u64>,
    pub(crate) no_audio: bool,
    pub(crate) no_video: bool,
    pub(crate) no_subtitles: bool,
    pub(crate) no_data: bool,
    pub(crate) decoders: PerStream<String>,
    /// The same by the container's indices, once its streams are known.
    pub(crate) known_decoders: Vec<(usize, String)>,
    pub(crate) hardware: HardwareDecoding,
    /// Of raw sound.
    pub(crate) channels: Option<String>,
    pub(crate) av: Vec<AvOption>,
    pub(crate) open_timeout: Duration,
    /// Where it is live, a run may begin without it.
    pub(crate) wait: WaitForInputs,
    /// How long packets are kept for outputs that are added while it runs.
    pub(crate) preroll: Duration,
    pub(crate) rtmp_by_libav: bool,
    pub(crate) live: Live,
    /// `None` where it is played as it was recorded.
    pub(crate) speed: Option<Speed>,
    /// It is read behind others, or others behind it, as one.
    pub(crate) joined: Option<JoinedInput>,
    /// Inputs that are read behind it, as one with it.
    pub(crate) following: Vec<(String, InputOptions)>,
    /// Where the pipeline's zero lies in the input; where reading starts, if it isn't given.
    pub(crate) origin: Option<Timestamp>,
    /// Whether video, and sound, were there on an earlier connection to a live input: each is waited for.
    pub(crate) expected: [bool; 2],
}

/// What inputs that are read one after the other have in common.
#[derive(Clone, Debug)]
pub(crate) struct JoinedInput {
    /// The rate and the channel layout of the first one's sound; `None` where it has none.
    pub(crate) sound: Option<(u32, String)>,
}

impl Default for InputOptions {
    fn default() -> InputOptions {
        InputOptions {
            format: None,
            size: None,
            pixel_format: None,
            rate: None,
            realtime: false,
            start: None,
            start_from_end: None,
            duration: None,
            end: None,
            offset: Timestamp::ZERO,
            keeps_times: false,
            loops: Some(0),
            no_audio: false,
            no_video: false,
            no_subtitles: false,
            no_data: false,
            decoders: PerStream::default(),
            known_decoders: Vec::new(),
            hardware: HardwareDecoding::default(),
            channels: None,
            av: Vec::new(),
            open_timeout: Duration::from_secs(10),
            wait: WaitForInputs::All,
            preroll: Duration::ZERO,
            rtmp_by_libav: false,
            live: Live::Auto,
            speed: None,
            joined: None,
            following: Vec::new(),
            origin: None,
            expected: [false; 2],
        }
    }
}

impl InputOptions {
    /// FFmpeg's defaults.
    pub fn new() -> InputOptions {
        InputOptions::default()
    }

    /// The container, device or protocol format (`-f`), such as `rawvideo` or `v4l2`; by default the
    /// content tells it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a format that FFmpeg can't read.
    pub fn format(mut self, name: &str) -> Result<InputOptions> {
        check_format(name, Direction::Input)?;
        self.format = Some(name.to_owned());
        Ok(self)
    }

    /// The picture size of raw video or a capture device (`-s`).
    #[must_use]
    pub fn size(mut self, size: Size) -> InputOptions {
        self.size = Some(size);
        self
    }

    /// The pixel format of raw video or a capture device (`-pix_fmt`), by FFmpeg's name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that FFmpeg doesn't have.
    pub fn pixel_format(mut self, name: &str) -> Result<InputOptions> {
        self.pixel_format = Some(pixel_format(name)?.name().to_owned());
        Ok(self)
    }

    /// The frame rate of raw video or a capture device (`-r`).
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> InputOptions {
        self.rate = Some(rate);
        self
    }

    /// Whether a file is read at its own speed (`-re`); by default it is read as fast as what
    /// comes behind it allows.
    #[must_use]
    pub fn realtime(mut self, yes: bool) -> InputOptions {
        self.realtime = yes;
        self
    }

    /// Where reading starts (`-ss`), counted from the input's first timestamp; 0 by default.
    #[must_use]
    pub fn start(mut self, start: Duration) -> InputOptions {
        self.start = Some(timestamp(start));
        self
    }

    /// How long before the input's end reading starts (`-sseof`), where that end is known.
    /// [`InputOptions::start`] wins over it.
    #[must_use]
    pub fn start_before_end(mut self, before: Duration) -> InputOptions {
        self.start_from_end = Some(Timestamp::ZERO.minus(timestamp(before)));
        self
    }

    /// How much is read (`-t`); by default all of it. It wins over [`InputOptions::end`].
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> InputOptions {
        self.duration = Some(timestamp(duration));
        self
    }

    /// Where reading ends (`-to`), counted as [`InputOptions::start`]; by default at the input's
    /// own end.
    #[must_use]
    pub fn end(mut self, end: Duration) -> InputOptions {
        self.end = Some(timestamp(end));
        self
    }

    /// By how much the input's times are moved against those of the other inputs (`-itsoffset`); 0 by
    /// default.
    #[must_use]
    pub fn offset(mut self, by: Duration) -> InputOptions {
        self.offset = timestamp(by);
        self
    }

    /// Whether the times of a stored input are left as they are (`-copyts`); by default they begin at 0.
    #[must_use]
    pub fn keep_times(mut self, yes: bool) -> InputOptions {
        self.keeps_times = yes;
        self
    }

    /// How many times more the input is read (`-stream_loop`); 0 by default. It needs an input
    /// that can be sought in.
    #[must_use]
    pub fn loops(mut self, times: u64) -> InputOptions {
        self.loops = Some(times);
        self
    }

    /// Reads the input again for ever (`-stream_loop -1`).
    #[must_use]
    pub fn loop_forever(mut self) -> InputOptions {
        self.loops = None;
        self
    }

    /// Whether the audio is left out (`-an`).
    #[must_use]
    pub fn no_audio(mut self, yes: bool) -> InputOptions {
        self.no_audio = yes;
        self
    }

    /// Whether the video is left out (`-vn`).
    #[must_use]
    pub fn no_video(mut self, yes: bool) -> InputOptions {
        self.no_video = yes;
        self
    }

    /// Whether subtitles are left out (`-sn`).
    #[must_use]
    pub fn no_subtitles(mut self, yes: bool) -> InputOptions {
        self.no_subtitles = yes;
        self
    }

    /// Whether data streams are left out (`-dn`).
    #[must_use]
    pub fn no_data(mut self, yes: bool) -> InputOptions {
        self.no_data = yes;
        self
    }

    /// The video decoder (`-c:v`), by FFmpeg's name; by default the codec's usual one.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a decoder that FFmpeg doesn't have.
    pub fn video_codec(mut self, name: &str) -> Result<InputOptions> {
        self.decoders.set(Specifier::video(), decoder(name)?);
        Ok(self)
    }

    /// The audio decoder (`-c:a`), by FFmpeg's name; by default the codec's usual one.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a decoder that FFmpeg doesn't have.
    pub fn audio_codec(mut self, name: &str) -> Result<InputOptions> {
        self.decoders.set(Specifier::audio(), decoder(name)?);
        Ok(self)
    }

    /// The decoder of subtitles (`-c:s`), by FFmpeg's name; by default the codec's usual one.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a decoder that FFmpeg doesn't have.
    pub fn subtitle_codec(mut self, name: &str) -> Result<InputOptions> {
        self.decoders.set(Specifier::subtitles(), decoder(name)?);
        Ok(self)
    }

    /// What decodes the video (`-hwaccel`): the processor (`none`, the default), a device of a kind that
    /// FFmpeg knows by this name, such as `vaapi` or `cuda`, or `auto`, which takes the processor where
    /// no device can. Decoded pictures stay on the device until their pixels are asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a kind that FFmpeg's libraries don't have. A device
    /// that can't be opened, or that can't decode the stream, is an error of what opens or reads it.
    pub fn decode_by(mut self, kind: &str) -> Result<InputOptions> {
        self.hardware.decode_by(Specifier::video(), kind)?;
        Ok(self)
    }

    /// The device that decodes (`-hwaccel_device`), as its kind names them: `/dev/dri/renderD129`, or
    /// `1`; by default the kind's usual one.
    #[must_use]
    pub fn decode_on(mut self, device: &str) -> InputOptions {
        self.hardware.decode_on(Specifier::video(), device);
        self
    }

    /// Whether a run may begin without it, where it is live (`--wait-for-inputs`); by default it must be
    /// there.
    #[must_use]
    pub fn wait(mut self, wait: WaitForInputs) -> InputOptions {
        self.wait = wait;
        self
    }

    /// How long its newest packets are kept (`--preroll`), from a keyframe on, for outputs that are added
    /// while it runs and begin with them: [`OutputOptions::preroll`](crate::options::OutputOptions::preroll).
    /// None by default. At most 64 MiB of packets are kept, the newest ones; they are shared with what else
    /// needs them, not copied. When the input was lost, or the codec's configuration changes, what was kept
    /// before is let go.
    #[must_use]
    pub fn preroll(mut self, span: Duration) -> InputOptions {
        self.preroll = bounded(span);
        self
    }

    /// The longest that opening a network input may take; 10 s by default.
    #[must_use]
    pub fn open_timeout(mut self, limit: Duration) -> InputOptions {
        self.open_timeout = bounded(limit);
        self
    }

    /// Has libavformat read RTMP instead of Frameloom's own client.
    #[must_use]
    pub fn rtmp_by_libav(mut self, yes: bool) -> InputOptions {
        self.rtmp_by_libav = yes;
        self
    }

    /// Whether the input counts as live; [`Live::Auto`] by default, which decides by what was
    /// opened. A live input is opened again when it is lost, and frames that your code is too slow
    /// for are dropped; a file is read to its end, and waits for your code.
    #[must_use]
    pub fn live(mut self, live: Live) -> InputOptions {
        self.live = live;
        self
    }

    /// How fast it is played (`--speed`), from 0.1 to 100: with 2, twice as fast as it was recorded. Pictures
    /// are shown sooner or later, and sound keeps its pitch. All times ([`InputOptions::start`], a
    /// frame's pts, the duration) are those of the faster or slower input. Live inputs can't have one.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for what is no such speed.
    pub fn speed(mut self, speed: f64) -> Result<InputOptions> {
        self.speed = Speed::new(speed)?;
        Ok(self)
    }

    /// Refuses options that contradict each other, and values that a decoder of this name doesn't
    /// take.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub fn check(&self) -> Result<()> {
        let setting = |name| Setting::ffmpeg(name).of(End::Input);
        if self.no_audio && self.no_video && self.no_subtitles && self.no_data {
            return Err(Error::usage(sentence!(
                "{}, {}, {} and {} together leave nothing of the input",
                setting("an"),
                setting("vn"),
                setting("sn"),
                setting("dn")
            )));
        }
        if let (Some(start), Some(end)) = (self.start, self.end)
            && end <= start
            && self.duration.is_none()
        {
            return Err(Error::usage(sentence!(
                "{} is not after {}",
                setting("to"),
                setting("ss")
            )));
        }
        if self.duration.is_some_and(|d| d <= Timestamp::ZERO) {
            return Err(must_be_more(&setting("t")));
        }
        for kind in [MediaKind::Video, MediaKind::Audio, MediaKind::Subtitle] {
            let Some(name) = self.decoders.certain(kind) else { continue };
            let classes = OptionClasses::of_decoder(name);
            let mut options = self.decoder_options(kind);
            options.try_for_each(|option| option.check_value(End::Input, &classes))?;
        }
        Ok(())
    }

    /// Takes the decoders that are named for single streams for these, which the container has.
    pub(crate) fn know_streams(&mut self, streams: &[&StreamInfo]) {
        let known: Vec<_> = streams.iter().map(|stream| SpecifiedStream::of(stream)).collect();
        let places = StreamPlace::all(&known).into_iter().zip(streams);
        let named = places
            .filter_map(|(place, stream)| Some((stream.index, self.decoders.of(place)?.clone())));
        self.known_decoders = named.collect();
    }

    /// The decoder that is named for a stream.
    pub(crate) fn decoder_for(&self, stream: &StreamInfo) -> Option<&str> {
        let known = self.known_decoders.iter().find(|(index, _)| *index == stream.index);
        // One that comes later is only known by its kind.
        let of_kind = || self.decoders.certain(stream.kind.of_codec());
        known.map(|(_, name)| name).or_else(of_kind).map(String::as_str)
    }

    /// Whether streams of this kind are left out of it.
    pub(crate) fn leaves_out(&self, kind: av::MediaKind) -> bool {
        match kind {
            av::MediaKind::Video | av::MediaKind::Cover => self.no_video,
            av::MediaKind::Audio => self.no_audio,
            av::MediaKind::Subtitle => self.no_subtitles,
            av::MediaKind::Data => self.no_data,
            av::MediaKind::Attachment | av::MediaKind::Other => false,
        }
    }

    /// Adds an option of libav's, where it has one of this name.
    pub(super) fn push(&mut self, name: &str, value: &str) -> Result<()> {
        self.av.extend(AvOption::new(name, value, Direction::Input)?);
        Ok(())
    }

    /// Where to stop, counted from where reading starts; `-t` wins over `-to`, as in FFmpeg.
    pub(crate) fn length(&self) -> Option<Timestamp> {
        self.duration
            .or_else(|| self.end.map(|end| end.minus(self.start.unwrap_or(Timestamp::ZERO))))
    }

    /// Where the part that is wanted begins, on the pipeline's clock.
    pub(crate) fn floor(&self) -> Timestamp {
        let start = self.start.unwrap_or(Timestamp::ZERO);
        start.minus(self.origin.unwrap_or(start))
    }

    /// Where to stop, on the pipeline's clock.
    pub(crate) fn limit(&self) -> Option<Timestamp> {
        self.length().map(|length| length.plus(self.offset))
    }

    /// Makes reading begin at `at` on the clock that these options give the pipeline.
    pub(crate) fn beginning_at(mut self, at: Timestamp) -> InputOptions {
        let origin = self.origin.or(self.start).unwrap_or(Timestamp::ZERO);
        // The end stays where it was.
        self.duration = self.length();
        self.end = None;
        self.origin = Some(origin);
        // In its own ticks, so that it is exact.
        self.start = Some(if origin == Timestamp::ZERO { at } else { origin.plus(at) });
        self
    }

    /// What is given here and has an effect only where streams of this kind are decoded. How many
    /// threads do that changes nothing of what comes out.
    pub(crate) fn decoding_option(&self, kind: av::MediaKind) -> Option<Setting> {
        if self.speed.is_some() && kind == av::MediaKind::Audio {
            return Some(Setting::own("speed"));
        }
        let rate = self.rate.filter(|_| kind == av::MediaKind::Video);
        let rate = rate.map(|_| Setting::ffmpeg("r").of(End::Input));
        // What is given for all decoders alike is meant for pictures and sound.
        let is_meant = |o: &AvOption| kind != av::MediaKind::Subtitle || o.only == Some(kind);
        let acts = |o: &&AvOption| {
            let named = !o.specifier.is_for_all();
            let is_silent = match o.name.as_str() {
                "threads" | "thread_type" => true,
                "ar" => !self.raw_sound().is_empty(),
                _ => false,
            };
            (named || !o.for_format && is_meant(o)) && !is_silent
        };
        let of_decoder = self.decoder_options(kind).find(acts);
        rate.or_else(|| of_decoder.map(|option| option.setting().of(End::Input)))
    }

    /// What the demuxer of raw sound calls `-ar` and `-ac`.
    pub(crate) fn raw_sound(&self) -> Vec<(&'static str, String)> {
        let Some(format) = self.format.as_deref() else { return Vec::new() };
        let takes = |name: &str| av::demuxer_takes(format, &[""; 0], name);
        let rate = self.av.iter().rfind(|option| option.name == "ar");
        let rate = rate.filter(|_| takes("sample_rate")).map(|o| ("sample_rate", o.value.clone()));
        let channels = self.channels.as_ref().and_then(|channels| {
            if takes("ch_layout") {
                return Some(("ch_layout", usual_layout(channels).ok()?.to_owned()));
            }
            takes("channels").then(|| ("channels", channels.clone()))
        });
        rate.into_iter().chain(channels).collect()
    }

    /// The options meant for decoders of a kind.
    pub(crate) fn decoder_options(&self, kind: av::MediaKind) -> impl Iterator<Item = &AvOption> {
        let stream = StreamPlace::only(kind);
        self.av.iter().filter(move |o| o.is_for(stream))
    }

    /// The options meant for the protocol and the demuxer.
    pub(crate) fn format_options(&self) -> impl Iterator<Item = &AvOption> {
        self.av.iter().filter(|o| o.for_format && o.specifier.is_for_all())
    }
}
