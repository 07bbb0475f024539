use std::time::Duration;

use super::{
    AvOption, Size, Specifier, check_format, misplaced, parse_rate, parse_span, pixel_format,
};
use crate::av::{self, Direction, EncoderSetup, MediaKind};
use crate::error::{Error, Result, did_you_mean};
use crate::time::{Rate, Timestamp};

/// What is to become of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CodecChoice {
    Copy,
    /// An encoder's name, or a codec's.
    Encoder(String),
}

/// FFmpeg's `-pix_fmt` on an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PixelFormatChoice {
    /// `None` for the input's own.
    pub(crate) format: Option<String>,
    /// An unsupported format is an error, not the nearest one.
    pub(crate) strict: bool,
}

/// How an output is to be encoded and written: FFmpeg's options that stand before an output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputOptions {
    /// 10 s where not given.
    pub(crate) open_timeout: Option<Duration>,
    pub(crate) format: Option<String>,
    pub(crate) overwrite: bool,
    pub(crate) size: Option<Size>,
    pub(crate) pixel_format: Option<PixelFormatChoice>,
    pub(crate) rate: Option<Rate>,
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

    /// Sets an option by FFmpeg's name, without the dash; `value` is ignored where the option
    /// takes none. A name Frameloom doesn't know is an AVOption of the encoder, the muxer or the
    /// protocol.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that nothing knows and for a value
    /// that can't be, with the nearest that can.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "y" => self.overwrite = true,
            "n" => self.overwrite = false,
            "f" => {
                check_format(value, Direction::Output)?;
                self.format = Some(value.to_owned());
            }
            "s" => self.size = Some(Size::parse(value)?),
            "pix_fmt" => self.pixel_format = Some(pixel_format_choice(value)?),
            "r" => self.rate = Some(parse_rate(value)?),
            "ss" => self.start = Some(parse_span(value)?),
            "t" => self.duration = Some(parse_span(value)?),
            "to" => self.end = Some(parse_span(value)?),
            "an" => self.no_audio = true,
            "vn" => self.no_video = true,
            "c" | "codec" if value == "copy" => {
                self.video = Some(CodecChoice::Copy);
                self.audio = Some(CodecChoice::Copy);
            }
            "c" | "codec" => {
                return Err(Error::usage(format!(
                    "-{name} {value} names one codec for video and audio alike"
                ))
                .hint("use -c:v and -c:a, or -c copy"));
            }
            "c:v" | "vcodec" | "codec:v" => {
                self.video = Some(codec_choice(value, MediaKind::Video)?);
            }
            "c:a" | "acodec" | "codec:a" => {
                self.audio = Some(codec_choice(value, MediaKind::Audio)?);
            }
            "vf" | "filter:v" => self.filter = Some(value.to_owned()),
            "frames:v" | "vframes" => self.video_frames = Some(parse_frames(name, value)?),
            "b:v" | "b:a" => self.av.push(AvOption::new(name, value, Direction::Output)?),
            "b" => self.av.push(AvOption::new("b:v", value, Direction::Output)?),
            "g" => self.av.push(AvOption::new("g:v", value, Direction::Output)?),
            "ac" => {
                let layout = usual_layout(value)?;
                self.av.push(AvOption::new("ch_layout:a", layout, Direction::Output)?);
            }
            "re" | "stream_loop" => return Err(misplaced(name, Direction::Output)),
            _ => self.av.push(AvOption::new(name, value, Direction::Output)?),
        }
        Ok(())
    }

    /// As [`OutputOptions::set`], for chains.
    pub fn with(mut self, name: &str, value: &str) -> Result<OutputOptions> {
        self.set(name, value)?;
        Ok(self)
    }

    /// The longest that opening a network output may take; 10 s by default.
    #[must_use]
    pub fn open_timeout(mut self, limit: Duration) -> OutputOptions {
        self.open_timeout = Some(limit);
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
        if self.no_audio && self.no_video {
            return Err(Error::usage("-an and -vn together leave nothing to write"));
        }
        if self.video == Some(CodecChoice::Copy) {
            if let Some(name) = self.picture_option() {
                return Err(Error::usage(format!("-c:v copy and {name} can't go together"))
                    .hint("packets that are copied are not decoded: name an encoder or leave one of the two out"));
            }
        }
        if let (Some(start), Some(end), None) = (self.start, self.end, self.duration) {
            if end <= start {
                return Err(Error::usage("-to is not after -ss"));
            }
        }
        if self.duration.is_some_and(|d| d <= Timestamp::ZERO) {
            return Err(Error::usage("-t must be more than 0"));
        }
        Ok(())
    }

    /// An option given that only means something where pictures are encoded.
    fn picture_option(&self) -> Option<&'static str> {
        [
            (self.filter.is_some(), "-vf"),
            (self.size.is_some(), "-s"),
            (self.rate.is_some(), "-r"),
            (self.pixel_format.is_some(), "-pix_fmt"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }

    /// Whether anything was given that asks for the stream to be encoded.
    pub(crate) fn asks_to_encode(&self, kind: MediaKind) -> bool {
        let choice = match kind {
            MediaKind::Video if self.picture_option().is_some() => return true,
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

fn codec_choice(name: &str, kind: MediaKind) -> Result<CodecChoice> {
    if name == "copy" {
        return Ok(CodecChoice::Copy);
    }
    let what = if kind == MediaKind::Video { "video" } else { "audio" };
    if EncoderSetup::find(name).is_some_and(|e| e.kind() == kind) {
        return Ok(CodecChoice::Encoder(name.to_owned()));
    }
    let error = Error::usage(format!("there is no {what} encoder '{name}'"));
    Err(match did_you_mean(name, av::encoder_names(kind)) {
        Some(near) => error.hint(near),
        None => error.hint("libx264, libx265, libvpx-vp9 and libsvtav1 are the usual ones for video, aac and libopus for audio"),
    })
}

fn pixel_format_choice(value: &str) -> Result<PixelFormatChoice> {
    let bare = value.strip_prefix('+');
    let strict = bare.is_some();
    let name = bare.unwrap_or(value);
    let format =
        if strict && name.is_empty() { None } else { Some(pixel_format(name)?.name().to_owned()) };
    Ok(PixelFormatChoice { format, strict })
}

/// The usual channel layout for a number of channels. Since FFmpeg 7 its libraries have no option
/// for the bare number.
fn usual_layout(channels: &str) -> Result<&'static str> {
    let layouts = ["mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1"];
    let number = channels.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    number.and_then(|n| layouts.get(n)).copied().ok_or_else(|| {
        Error::usage(format!("-ac takes a number of channels from 1 to 8, not '{channels}'"))
    })
}

fn parse_frames(name: &str, value: &str) -> Result<u64> {
    value.parse().ok().filter(|&n| n > 0).ok_or_else(|| {
        Error::usage(format!("-{name} takes a number of frames above 0, not '{value}'"))
    })
}
