use std::time::Duration;

use super::av_option::{AvOption, Specifier};
use super::value::{
    CodecChoice, PixelFormatChoice, Size, bounded, check_format, codec_choice, must_be_more,
    pixel_format_choice, timestamp,
};
use crate::av::{Direction, MediaKind};
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
    pub(crate) size: Option<Size>,
    pub(crate) pixel_format: Option<PixelFormatChoice>,
    pub(crate) rate: Option<Rate>,
    /// Width to height of the picture as it is shown.
    pub(crate) aspect: Option<(i32, i32)>,
    pub(crate) start: Option<Timestamp>,
    pub(crate) duration: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) no_audio: bool,
    pub(crate) no_video: bool,
    pub(crate) video: Option<CodecChoice>,
    pub(crate) audio: Option<CodecChoice>,
    pub(crate) filter: Option<String>,
    pub(crate) video_frames: Option<u64>,
    pub(crate) av: Vec<AvOption>,
    pub(crate) rtmp_by_libav: bool,
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
        self.size = Some(size);
        self
    }

    /// The pixel format that is encoded (`-pix_fmt`), by FFmpeg's name; by default the nearest to
    /// the input's that the encoder has. A `+` before the name makes one that the encoder lacks an
    /// error, and `+` alone asks for the input's own.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that FFmpeg doesn't have.
    pub fn pixel_format(mut self, name: &str) -> Result<OutputOptions> {
        self.pixel_format = Some(pixel_format_choice(name)?);
        Ok(self)
    }

    /// A constant frame rate (`-r`): frames are repeated and left out. By default each keeps its
    /// own time.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> OutputOptions {
        self.rate = Some(rate);
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

    /// Whether the video is left out (`-vn`).
    #[must_use]
    pub fn no_video(mut self, yes: bool) -> OutputOptions {
        self.no_video = yes;
        self
    }

    /// The video encoder or codec (`-c:v`), or `copy`; by default packets are copied where nobody
    /// edits the frames, and encoded with the format's usual codec otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for an encoder that FFmpeg doesn't have.
    pub fn video_codec(mut self, name: &str) -> Result<OutputOptions> {
        self.video = Some(codec_choice(name, MediaKind::Video)?);
        Ok(self)
    }

    /// The audio encoder or codec (`-c:a`), or `copy`; by default packets are copied where the
    /// format can carry them, and encoded with its usual codec otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for an encoder that FFmpeg doesn't have.
    pub fn audio_codec(mut self, name: &str) -> Result<OutputOptions> {
        self.audio = Some(codec_choice(name, MediaKind::Audio)?);
        Ok(self)
    }

    /// Width to height of the picture as it is shown (`-aspect`): the pixels' own shape follows from
    /// it and from the size. By default the input's.
    #[must_use]
    pub fn aspect(mut self, width: i32, height: i32) -> OutputOptions {
        self.aspect = Some((width, height)).filter(|&(width, height)| width > 0 && height > 0);
        self
    }

    /// A filter graph for the video (`-vf`), in FFmpeg's language, such as `hflip,scale=640:-2`.
    #[must_use]
    pub fn filter(mut self, graph: &str) -> OutputOptions {
        self.filter = Some(graph.to_owned());
        self
    }

    /// How many video frames are written (`-frames:v`), 1 or more; by default all.
    #[must_use]
    pub fn frames(mut self, most: u64) -> OutputOptions {
        self.video_frames = Some(most);
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
        if self.no_audio && self.no_video {
            return Err(Error::usage(sentence!(
                "{} and {} together leave nothing to write",
                setting("an"),
                setting("vn")
            )));
        }
        if self.video == Some(CodecChoice::Copy)
            && let Some(name) = self.picture_option()
        {
            let (copy, other) = (setting("c:v").to("copy"), setting(name));
            return Err(Error::usage(sentence!("{} and {} can't go together", copy, other))
                .hint(Hint::NameEncoderOrLeaveOneOut));
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
        if self.video_frames == Some(0) {
            return Err(must_be_more(&setting("frames:v")));
        }
        Ok(())
    }

    /// Adds an option of libav's, where it has one of this name.
    pub(super) fn push(&mut self, name: &str, value: &str) -> Result<()> {
        self.av.extend(AvOption::new(name, value, Direction::Output)?);
        Ok(())
    }

    /// An option given that only means something where pictures are encoded.
    fn picture_option(&self) -> Option<&'static str> {
        [
            (self.filter.is_some(), "vf"),
            (self.size.is_some(), "s"),
            (self.rate.is_some(), "r"),
            (self.pixel_format.is_some(), "pix_fmt"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }

    /// Whether anything was given that asks for the stream to be encoded.
    pub(crate) fn asks_to_encode(&self, kind: MediaKind) -> bool {
        let choice = match kind {
            MediaKind::Video if self.picture_option().is_some() => return true,
            // A copy has it in its container alone: that is only done where a copy is asked for.
            MediaKind::Video if self.aspect.is_some() && self.video.is_none() => return true,
            MediaKind::Video => &self.video,
            MediaKind::Audio => &self.audio,
            MediaKind::Other => return false,
        };
        match choice {
            Some(CodecChoice::Copy) => false,
            Some(CodecChoice::Encoder(_)) => true,
            // Without a specifier, only what can mean nothing else asks for an encoder.
            None => self.av.iter().any(|o| {
                let named = o.specifier != Specifier::All;
                o.is_for(kind) && (named || o.only == Some(kind) && !o.for_format)
            }),
        }
    }

    /// The options meant for the encoder of a kind.
    pub(crate) fn encoder_options(&self, kind: MediaKind) -> impl Iterator<Item = &AvOption> {
        self.av.iter().filter(move |o| o.is_for(kind))
    }

    /// The options meant for the muxer and the protocol.
    pub(crate) fn format_options(&self) -> impl Iterator<Item = &AvOption> {
        self.av.iter().filter(|o| o.for_format && o.specifier == Specifier::All)
    }

    /// Where to stop, counted from where the output starts; `-t` wins over `-to`, as in FFmpeg.
    pub(crate) fn length(&self) -> Option<Timestamp> {
        self.duration
            .or_else(|| self.end.map(|end| end.minus(self.start.unwrap_or(Timestamp::ZERO))))
    }
}
