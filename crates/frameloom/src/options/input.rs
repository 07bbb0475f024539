use std::time::Duration;

use super::{
    AvOption, Live, Size, Specifier, check_format, misplaced, parse_rate, parse_span, pixel_format,
};
use crate::av::{self, Direction};
use crate::error::{Error, Result, did_you_mean};
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
    pub(crate) duration: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    /// Times to read it again; `None` for ever.
    pub(crate) loops: Option<u64>,
    pub(crate) no_audio: bool,
    pub(crate) no_video: bool,
    pub(crate) video_decoder: Option<String>,
    pub(crate) audio_decoder: Option<String>,
    pub(crate) av: Vec<AvOption>,
    pub(crate) open_timeout: Duration,
    pub(crate) rtmp_by_libav: bool,
    pub(crate) live: Live,
    /// Where the pipeline's zero lies in the input; where reading starts, if it isn't given.
    pub(crate) origin: Option<Timestamp>,
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
            duration: None,
            end: None,
            loops: Some(0),
            no_audio: false,
            no_video: false,
            video_decoder: None,
            audio_decoder: None,
            av: Vec::new(),
            open_timeout: Duration::from_secs(10),
            rtmp_by_libav: false,
            live: Live::Auto,
            origin: None,
        }
    }
}

impl InputOptions {
    /// FFmpeg's defaults.
    pub fn new() -> InputOptions {
        InputOptions::default()
    }

    /// Sets an option by FFmpeg's name, without the dash; `value` is ignored where the option
    /// takes none. A name Frameloom doesn't know is an AVOption of the protocol, the demuxer or
    /// the decoder.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that nothing knows and for a value
    /// that can't be, with the nearest that can.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "f" => {
                check_format(value, Direction::Input)?;
                self.format = Some(value.to_owned());
            }
            "s" => self.size = Some(Size::parse(value)?),
            "pix_fmt" => self.pixel_format = Some(pixel_format(value)?.name().to_owned()),
            "r" => self.rate = Some(parse_rate(value)?),
            "re" => self.realtime = true,
            "ss" => self.start = Some(parse_span(value)?),
            "t" => self.duration = Some(parse_span(value)?),
            "to" => self.end = Some(parse_span(value)?),
            "stream_loop" => self.loops = parse_loops(value)?,
            "an" => self.no_audio = true,
            "vn" => self.no_video = true,
            "c:v" | "vcodec" | "codec:v" => self.video_decoder = Some(decoder(value)?),
            "c:a" | "acodec" | "codec:a" => self.audio_decoder = Some(decoder(value)?),
            "vf" | "filter:v" | "frames:v" | "vframes" | "b:v" | "b:a" | "g" | "c" | "codec" => {
                return Err(misplaced(name, Direction::Input));
            }
            _ => self.av.push(AvOption::new(name, value, Direction::Input)?),
        }
        Ok(())
    }

    /// As [`InputOptions::set`], for chains.
    pub fn with(mut self, name: &str, value: &str) -> Result<InputOptions> {
        self.set(name, value)?;
        Ok(self)
    }

    /// The longest that opening a network input may take; 10 s by default.
    #[must_use]
    pub fn open_timeout(mut self, limit: Duration) -> InputOptions {
        self.open_timeout = limit;
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

    /// Refuses options that contradict each other.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub fn check(&self) -> Result<()> {
        if self.no_audio && self.no_video {
            return Err(Error::usage("-an and -vn together leave nothing of the input"));
        }
        if let (Some(start), Some(end)) = (self.start, self.end) {
            if end <= start && self.duration.is_none() {
                return Err(Error::usage("-to is not after -ss"));
            }
        }
        if self.duration.is_some_and(|d| d <= Timestamp::ZERO) {
            return Err(Error::usage("-t must be more than 0"));
        }
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
        self.length()
    }

    /// Has reading begin at `at` on the clock that these options give the pipeline.
    pub(crate) fn beginning_at(mut self, at: Timestamp) -> InputOptions {
        let origin = self.origin.or(self.start).unwrap_or(Timestamp::ZERO);
        // The end stays where it was.
        self.duration = self.length();
        self.end = None;
        self.origin = Some(origin);
        self.start = Some(origin.plus(at));
        self
    }

    /// The options meant for decoders of a kind.
    pub(crate) fn decoder_options(&self, kind: av::MediaKind) -> impl Iterator<Item = &AvOption> {
        self.av.iter().filter(move |o| o.is_for(kind))
    }

    /// The options meant for the protocol and the demuxer.
    pub(crate) fn format_options(&self) -> impl Iterator<Item = &AvOption> {
        self.av.iter().filter(|o| o.for_format && o.specifier == Specifier::All)
    }
}

fn parse_loops(value: &str) -> Result<Option<u64>> {
    match value.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(n) if n >= 0 => Ok(Some(n.unsigned_abs())),
        _ => Err(Error::usage(format!("'{value}' is not a number of loops"))
            .hint("write how often to read it again, or -1 for ever")),
    }
}

fn decoder(name: &str) -> Result<String> {
    if av::decoder_exists(name) {
        return Ok(name.to_owned());
    }
    let names = [av::MediaKind::Video, av::MediaKind::Audio].map(av::encoder_names).concat();
    let error = Error::usage(format!("there is no decoder '{name}'"));
    Err(match did_you_mean(name, names) {
        Some(near) => error.hint(near),
        None => error,
    })
}
