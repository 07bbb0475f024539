use std::time::Duration;

use super::av_option::AvOption;
use super::hardware::HardwareDevices;
use super::keyframes::KeyframeChoice;
use super::map::StreamMap;
use super::metadata::{DispositionChange, GivenTag, MetadataOptions, TagPlace};
use super::specifier::{PerStream, Specifier, StreamPlace};
use super::value::{
    CodecChoice, FrameTimes, PixelFormatChoice, Size, bitstream_filters, bounded, check_format,
    codec_choice, must_be_more, pixel_format_choice, timestamp,
};
use crate::av::{Direction, MediaKind};
use crate::codec::audio_frame::check_sound;
use crate::error::{End, Error, Hint, Result, Setting, sentence};
use crate::time::{Rate, Timestamp};

/// How an output is to be encoded and written: FFmpeg's options that stand before an output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputOptions {
    /// 10 s where not given.
    pub(crate) open_timeout: Option<Duration>,
    pub(crate) format: Option<String>,
    pub(crate) overwrite: bool,
    pub(crate) keep_old: bool,
    pub(crate) size: PerStream<Size>,
    pub(crate) pixel_format: PerStream<PixelFormatChoice>,
    pub(crate) rate: PerStream<Rate>,
    pub(crate) frame_times: PerStream<FrameTimes>,
    /// Width to height of the picture as it is shown.
    pub(crate) aspect: PerStream<(i32, i32)>,
    pub(crate) start: Option<Timestamp>,
    pub(crate) duration: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    /// Which streams of the inputs it has (`-map`), in their order; where there are none, FFmpeg's
    /// default.
    pub(crate) maps: Vec<StreamMap>,
    /// It ends with the first of its streams that ends.
    pub(crate) shortest: bool,
    pub(crate) metadata: MetadataOptions,
    /// The timecode of the first picture, for encoders that write it themselves.
    pub(crate) timecode: Option<String>,
    pub(crate) disposition: PerStream<DispositionChange>,
    pub(crate) no_audio: bool,
    /// Samples a second, and the layout, of sound that the caller writes in place of the input's.
    pub(crate) own_audio: Option<(u32, String)>,
    pub(crate) no_video: bool,
    pub(crate) no_subtitles: bool,
    pub(crate) no_data: bool,
    pub(crate) codec: PerStream<CodecChoice>,
    pub(crate) filter: PerStream<String>,
    /// How the filters scale, where they don't say it themselves.
    pub(crate) scaler_flags: PerStream<String>,
    /// What the container calls the codec.
    pub(crate) codec_tag: PerStream<u32>,
    /// In FFmpeg's language.
    pub(crate) bitstream_filters: PerStream<String>,
    pub(crate) keyframes: PerStream<KeyframeChoice>,
    /// The first of two passes, the second, or both.
    pub(crate) pass: PerStream<u8>,
    /// What the names of the passes' files begin with.
    pub(crate) pass_log: PerStream<String>,
    pub(crate) frames: PerStream<u64>,
    /// In libav's units.
    pub(crate) quality: PerStream<i64>,
    pub(crate) av: Vec<AvOption>,
    /// Those that were made by name.
    pub(crate) devices: HardwareDevices,
    pub(crate) rtmp_by_libav: bool,
    /// It begins with packets that the input keeps.
    pub(crate) preroll: Option<Duration>,
    /// An option that nothing takes is said, and no error.
    pub(crate) allows_untaken: bool,
}

impl OutputOptions {
    /// The defaults: copy what nobody edits, H.264 and AAC where something must be encoded.
    pub fn new() -> OutputOptions {
        OutputOptions::default()
    }

    /// The container or protocol format (`-f`), such as `flv`; by default the output's name tells
    /// it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a format that FFmpeg can't write.
    pub fn format(mut self, name: &str) -> Result<OutputOptions> {
        check_format(name, Direction::Output)?;
        self.format = Some(name.to_owned());
        Ok(self)
    }

    /// Whether a file that is there already is overwritten (`-y`); by default that is an error.
    #[must_use]
    pub fn overwrite(mut self, yes: bool) -> OutputOptions {
        self.overwrite = yes;
        self
    }

    /// Whether the recording of a live input leaves a file of its name alone and gets a name of its
    /// own: with date and time before the ending. This goes before [`OutputOptions::overwrite`]. By
    /// default a file that is there already is an error.
    #[must_use]
    pub fn keep_old(mut self, yes: bool) -> OutputOptions {
        self.keep_old = yes;
        self
    }

    /// The size that the pictures are scaled to (`-s`); by default the frames' own.
    #[must_use]
    pub fn size(mut self, size: Size) -> OutputOptions {
        self.size.set(Specifier::video(), size);
        self
    }

    /// The pixel format that is encoded (`-pix_fmt`), by FFmpeg's name; by default the nearest to
    /// the input's that the encoder has. A `+` before the name makes one that the encoder lacks an
    /// error, and `+` alone asks for the input's own.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that FFmpeg doesn't have.
    pub fn pixel_format(mut self, name: &str) -> Result<OutputOptions> {
        self.pixel_format.set(Specifier::video(), pixel_format_choice(name)?);
        Ok(self)
    }

    /// A constant frame rate (`-r`): frames are repeated and left out. By default each keeps its
    /// own time.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> OutputOptions {
        self.rate.set(Specifier::video(), rate);
        self
    }

    /// A filter graph for the sound (`-af`), in FFmpeg's language, such as `volume=0.5,atempo=2`.
    #[must_use]
    pub fn audio_filter(mut self, graph: &str) -> OutputOptions {
        self.filter.set(Specifier::audio(), graph.to_owned());
        self
    }

    /// Whether the frame rate is constant, at the stream's own (`-fps_mode cfr`): frames are repeated and
    /// left out. By default each keeps its own time.
    #[must_use]
    pub fn constant_rate(mut self, yes: bool) -> OutputOptions {
        let times = if yes { FrameTimes::Constant } else { FrameTimes::Own };
        self.frame_times.set(Specifier::video(), times);
        self
    }

    /// Whether an option of FFmpeg's that nothing in the output takes, such as `-preset` for libvpx, is a
    /// warning, as in the ffmpeg program; by default it is an error.
    #[must_use]
    pub fn allow_untaken(mut self, yes: bool) -> OutputOptions {
        self.allows_untaken = yes;
        self
    }

    /// Where the output starts (`-ss`): what comes before is left out. 0 by default.
    #[must_use]
    pub fn start(mut self, start: Duration) -> OutputOptions {
        self.start = Some(timestamp(start));
        self
    }

    /// How much is written (`-t`); by default all of it. It wins over [`OutputOptions::end`].
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> OutputOptions {
        self.duration = Some(timestamp(duration));
        self
    }

    /// Where the output ends (`-to`), counted as [`OutputOptions::start`].
    #[must_use]
    pub fn end(mut self, end: Duration) -> OutputOptions {
        self.end = Some(timestamp(end));
        self
    }

    /// Whether the audio is left out (`-an`).
    #[must_use]
    pub fn no_audio(mut self, yes: bool) -> OutputOptions {
        self.no_audio = yes;
        self
    }

    /// Replaces the input's sound by your own, in a pipeline whose frames you pull:
    /// [`Frames::write_audio_timeout`](crate::Frames::write_audio_timeout) writes it. Your sound has `sample_rate`
    /// samples a second, and the channels of a layout that FFmpeg knows by this name. By default an output has
    /// the input's sound.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a rate of 0, and a layout that FFmpeg doesn't have.
    pub fn own_audio(mut self, sample_rate: u32, channel_layout: &str) -> Result<OutputOptions> {
        check_sound(sample_rate, channel_layout)?;
        self.own_audio = Some((sample_rate, channel_layout.to_owned()));
        Ok(self)
    }

    /// Whether the video is left out (`-vn`).
    #[must_use]
    pub fn no_video(mut self, yes: bool) -> OutputOptions {
        self.no_video = yes;
        self
    }

    /// Whether subtitles are left out (`-sn`).
    #[must_use]
    pub fn no_subtitles(mut self, yes: bool) -> OutputOptions {
        self.no_subtitles = yes;
        self
    }

    /// Whether data streams are left out (`-dn`).
    #[must_use]
    pub fn no_data(mut self, yes: bool) -> OutputOptions {
        self.no_data = yes;
        self
    }

    /// Whether the output ends with the first of its video and audio streams that ends (`-shortest`); by
    /// default it ends with the last one.
    #[must_use]
    pub fn shortest(mut self, yes: bool) -> OutputOptions {
        self.shortest = yes;
        self
    }

    /// Says something of the output (`-metadata`), such as its `title`; an empty value takes away what an
    /// input said. By default the output has what the first input says of itself.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> OutputOptions {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.metadata.given.push(GivenTag { place: TagPlace::Container, name, value });
        self
    }

    /// Adds streams of an input (`-map`): `0:v:0`, `0:a`, `0:s?`, or takes some away again: `-0:d`; or
    /// what a filter graph gives, by its label: `[wall]`. By default an output has the best video, the best audio and, where the format has a usual codec for
    /// them, the first subtitles of all inputs.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for text that names no streams.
    pub fn map(mut self, streams: &str) -> Result<OutputOptions> {
        self.maps.push(StreamMap::parse(streams)?);
        Ok(self)
    }

    /// The video encoder or codec (`-c:v`), or `copy`; by default packets are copied where nobody
    /// edits the frames, and encoded with the format's usual codec otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for an encoder that FFmpeg doesn't have.
    pub fn video_codec(mut self, name: &str) -> Result<OutputOptions> {
        self.codec.set(Specifier::video(), codec_choice(name, MediaKind::Video)?);
        Ok(self)
    }

    /// The audio encoder or codec (`-c:a`), or `copy`; by default packets are copied where the
    /// format can carry them, and encoded with its usual codec otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for an encoder that FFmpeg doesn't have.
    pub fn audio_codec(mut self, name: &str) -> Result<OutputOptions> {
        self.codec.set(Specifier::audio(), codec_choice(name, MediaKind::Audio)?);
        Ok(self)
    }

    /// The encoder or codec of subtitles (`-c:s`), such as `mov_text`, or `copy`; by default packets are
    /// copied where the format can carry them, and encoded with its usual codec otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for an encoder that FFmpeg doesn't have.
    pub fn subtitle_codec(mut self, name: &str) -> Result<OutputOptions> {
        self.codec.set(Specifier::subtitles(), codec_choice(name, MediaKind::Subtitle)?);
        Ok(self)
    }

    /// Width to height of the picture as it is shown (`-aspect`): the pixels' own shape follows from
    /// it and from the size. By default the input's.
    #[must_use]
    pub fn aspect(mut self, width: i32, height: i32) -> OutputOptions {
        if width > 0 && height > 0 {
            self.aspect.set(Specifier::video(), (width, height));
        }
        self
    }

    /// A filter graph for the video (`-vf`), in FFmpeg's language, such as `hflip,scale=640:-2`.
    #[must_use]
    pub fn filter(mut self, graph: &str) -> OutputOptions {
        self.filter.set(Specifier::video(), graph.to_owned());
        self
    }

    /// Filters for the encoded packets of every stream (`-bsf`), in FFmpeg's language, such as
    /// `noise=drop=10`. By default those alone that the container needs.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for filters or values that there are not.
    pub fn bitstream_filters(mut self, list: &str) -> Result<OutputOptions> {
        self.bitstream_filters.set(Specifier::default(), bitstream_filters(list)?);
        Ok(self)
    }

    /// Where keyframes are, beside those of the encoder's own choice (`-force_key_frames`): times, as
    /// `0,2.5`, `expr:gte(t,n_forced*2)`, or `source`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for text that is none of these.
    pub fn keyframes(mut self, at: &str) -> Result<OutputOptions> {
        self.keyframes.set(Specifier::video(), KeyframeChoice::parse(at)?);
        Ok(self)
    }

    /// How many video frames are written (`-frames:v`), 1 or more; by default all.
    #[must_use]
    pub fn frames(mut self, most: u64) -> OutputOptions {
        self.frames.set(Specifier::video(), most);
        self
    }

    /// Where the output is added while the pipeline runs, it begins so long ago: with the packets that the
    /// input keeps ([`InputOptions::preroll`](crate::options::InputOptions::preroll)), from the last keyframe
    /// that is at least so old, or from the first that is kept. 0, the default, is no pre-roll.
    ///
    /// Packets are kept, not frames: such an output is copied from its beginning to its end, so it shows
    /// the input as it came and nothing that code made of it, and a stream that would be encoded is an error.
    /// Time 0 in the output is its first keyframe.
    #[must_use]
    pub fn preroll(mut self, span: Duration) -> OutputOptions {
        self.preroll = Some(bounded(span)).filter(|span| !span.is_zero());
        self
    }

    /// The longest that opening a network output may take; 10 s by default.
    #[must_use]
    pub fn open_timeout(mut self, limit: Duration) -> OutputOptions {
        self.open_timeout = Some(bounded(limit));
        self
    }

    /// Has libavformat write RTMP instead of Frameloom's own client.
    #[must_use]
    pub fn rtmp_by_libav(mut self, yes: bool) -> OutputOptions {
        self.rtmp_by_libav = yes;
        self
    }

    /// Refuses options that contradict each other.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub fn check(&self) -> Result<()> {
        let setting = |name| Setting::ffmpeg(name).of(End::Output);
        // Data and attachments are there where they are mapped.
        let has_others = self.has_maps() && !self.no_data;
        if self.no_audio && self.no_video && self.no_subtitles && !has_others {
            return Err(Error::usage(sentence!(
                "{}, {} and {} together leave nothing to write",
                setting("an"),
                setting("vn"),
                setting("sn")
            )));
        }
        for (kind, usual) in [(MediaKind::Video, "libx264"), (MediaKind::Audio, "aac")] {
            let Some(other) = self.certain_option_of_frames(kind) else { continue };
            if self.codec.certain(kind) == Some(&CodecChoice::Copy) {
                let codec = if kind == MediaKind::Video { "c:v" } else { "c:a" };
                let copy = setting(codec).to("copy");
                return Err(Error::usage(sentence!("{} and {} can't go together", copy, other))
                    .hint(Hint::AddEncoder(vec![setting(codec).to(usual)])));
            }
        }
        if let (Some(start), Some(end), None) = (self.start, self.end, self.duration)
            && end <= start
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
        if self.frames.certain(MediaKind::Video) == Some(&0) {
            return Err(must_be_more(&setting("frames:v")));
        }
        Ok(())
    }

    /// Adds an option of libav's, where it has one of this name.
    pub(super) fn push(&mut self, name: &str, streams: &Specifier, value: &str) -> Result<()> {
        let name = format!("{name}{streams}");
        self.av.extend(AvOption::new(&name, value, Direction::Output)?);
        Ok(())
    }

    /// An option given that only means something where pictures are encoded.
    fn picture_option(&self, stream: StreamPlace<'_>) -> Option<&'static str> {
        [
            (self.size.of(stream).is_some(), "s"),
            (self.rate.of(stream).is_some(), "r"),
            (self.frame_times.of(stream) == Some(&FrameTimes::Constant), "fps_mode"),
            (self.pixel_format.of(stream).is_some(), "pix_fmt"),
            (self.keyframes.of(stream).is_some(), "force_key_frames"),
            (self.pass.of(stream).is_some(), "pass"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }

    /// An option that only means something where the first stream of a kind is encoded, whatever the inputs
    /// have.
    fn certain_option_of_frames(&self, kind: MediaKind) -> Option<Setting> {
        let setting = |name| Setting::ffmpeg(name).of(End::Output);
        if self.filter.certain(kind).is_some() {
            return self.filter_setting(StreamPlace::only(kind));
        }
        if self.quality.certain(kind).is_some() {
            return Some(setting(if kind == MediaKind::Audio { "q:a" } else { "q:v" }));
        }
        if kind != MediaKind::Video {
            return None;
        }
        [
            (self.size.certain(kind).is_some(), "s"),
            (self.rate.certain(kind).is_some(), "r"),
            (self.frame_times.certain(kind) == Some(&FrameTimes::Constant), "fps_mode"),
            (self.pixel_format.certain(kind).is_some(), "pix_fmt"),
            (self.keyframes.certain(kind).is_some(), "force_key_frames"),
            (self.pass.certain(kind).is_some(), "pass"),
            (self.pass_log.certain(kind).is_some(), "passlogfile"),
            (self.scaler_flags.certain(kind).is_some(), "sws_flags"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then(|| setting(name)))
    }

    /// The option that gives a stream its filters, as it was written.
    pub(crate) fn filter_setting(&self, stream: StreamPlace<'_>) -> Option<Setting> {
        let (specifier, _) = self.filter.given_for(stream)?;
        let setting = if *specifier == Specifier::video() {
            Setting::ffmpeg("vf")
        } else if *specifier == Specifier::audio() {
            Setting::ffmpeg("af")
        } else {
            Setting::ffmpeg(format!("filter{specifier}"))
        };
        Some(setting.of(End::Output))
    }

    /// Whether anything was given that asks for a stream to be encoded.
    pub(crate) fn asks_to_encode(&self, stream: StreamPlace<'_>) -> bool {
        let choice = self.codec.of(stream);
        match stream.kind {
            MediaKind::Video | MediaKind::Audio if self.filter.of(stream).is_some() => return true,
            MediaKind::Video if self.picture_option(stream).is_some() => return true,
            // A copy has it in its container alone: that is only done where a copy is asked for.
            MediaKind::Video if self.aspect.of(stream).is_some() && choice.is_none() => {
                return true;
            }
            MediaKind::Video | MediaKind::Audio => {}
            // What is given for all encoders alike is meant for pictures and sound.
            MediaKind::Subtitle if choice.is_none() => {
                let named = |o: &AvOption| o.specifier.kind() == Some(stream.kind);
                return self.encoder_options(stream).any(named);
            }
            MediaKind::Subtitle => {}
            _ => return false,
        }
        match choice {
            Some(CodecChoice::Copy) => false,
            Some(CodecChoice::Encoder(_)) => true,
            // Without a specifier, only what can mean nothing else asks for an encoder.
            None if self.quality.of(stream).is_some() => true,
            None => self.av.iter().any(|o| {
                let named = !o.specifier.is_for_all();
                o.is_for(stream) && (named || o.only == Some(stream.kind) && !o.for_format)
            }),
        }
    }

    /// The options meant for the encoder of a stream.
    pub(crate) fn encoder_options<'a>(
        &'a self,
        stream: StreamPlace<'a>,
    ) -> impl Iterator<Item = &'a AvOption> {
        self.av.iter().filter(move |o| o.is_for(stream))
    }

    /// An option for one stream of a kind, where these streams have none of that number.
    pub(crate) fn without_stream(&self, streams: &[StreamPlace<'_>]) -> Option<Setting> {
        let unused = [
            ("s", self.size.unused(streams)),
            ("pix_fmt", self.pixel_format.unused(streams)),
            ("r", self.rate.unused(streams)),
            ("fps_mode", self.frame_times.unused(streams)),
            ("aspect", self.aspect.unused(streams)),
            ("c", self.codec.unused(streams)),
            ("filter", self.filter.unused(streams)),
            ("frames", self.frames.unused(streams)),
            ("q", self.quality.unused(streams)),
            ("disposition", self.disposition.unused(streams)),
            ("bsf", self.bitstream_filters.unused(streams)),
            ("force_key_frames", self.keyframes.unused(streams)),
            ("pass", self.pass.unused(streams)),
            ("passlogfile", self.pass_log.unused(streams)),
        ];
        let of_av = || {
            let mut given = PerStream::default();
            self.av.iter().for_each(|option| given.set(option.specifier.clone(), ()));
            let specifier = given.unused(streams)?;
            self.av.iter().find(|option| option.specifier == *specifier).map(AvOption::setting)
        };
        let own = unused.into_iter().find_map(|(name, specifier)| {
            specifier.map(|specifier| Setting::ffmpeg(format!("{name}{specifier}")))
        });
        own.or_else(of_av).map(|setting| setting.of(End::Output))
    }

    /// The options meant for the muxer and the protocol.
    pub(crate) fn format_options(&self) -> impl Iterator<Item = &AvOption> {
        self.av.iter().filter(|o| o.for_format && o.specifier.is_for_all())
    }

    /// Whether streams of this kind are left out of it.
    pub(crate) fn leaves_out(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Video | MediaKind::Cover => self.no_video,
            MediaKind::Audio => self.no_audio || self.own_audio.is_some(),
            MediaKind::Subtitle => self.no_subtitles,
            MediaKind::Data => self.no_data,
            MediaKind::Attachment | MediaKind::Other => false,
        }
    }

    /// Whether it says which streams it has.
    pub(crate) fn has_maps(&self) -> bool {
        !self.maps.is_empty()
    }

    /// Where to stop, counted from where the output starts; `-t` wins over `-to`, as in FFmpeg.
    pub(crate) fn length(&self) -> Option<Timestamp> {
        self.duration
            .or_else(|| self.end.map(|end| end.minus(self.start.unwrap_or(Timestamp::ZERO))))
    }
}
