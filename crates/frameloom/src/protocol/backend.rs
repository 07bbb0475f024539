//! What a protocol is: what it takes, and how an input and an output of it are opened, read and
//! written.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use crate::av::metadata::{ContainerMetadata, StreamMetadata};
use crate::av::{AvPacket, CodecId, MediaKind, MuxerInfo, StreamInfo};
use crate::codec::configuration::StreamConfiguration;
use crate::error::{Error, ErrorKind, Hint, Result, Stage};
use crate::options::{InputOptions, OutputOptions};
use crate::time::stop::Stop;
use crate::time::{TimeBase, Timestamp};
use crate::url::scheme;

/// How long one write to a network may take.
pub(crate) const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection to an output may take to open.
pub(crate) const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// A way in which bytes come and go. Which one a URL is for is decided by the list of them,
/// [`PROTOCOLS`](super::PROTOCOLS).
pub(crate) trait Protocol: Debug + Send + Sync {
    /// Its folder's name.
    fn name(&self) -> &'static str;

    /// Whether it reads this URL, with these options.
    fn reads(&self, url: &str, options: &InputOptions) -> bool;

    /// Opens an input and finds out what is in it. A live one may give nothing for `stall_limit`.
    ///
    /// # Errors
    /// Also for options that mean nothing to it.
    fn open(
        &self,
        url: &str,
        options: &InputOptions,
        stall_limit: Duration,
        stop: &Stop,
    ) -> Result<Opened>;

    /// Whether it writes to this URL, with these options.
    fn writes(&self, url: &str, options: &OutputOptions) -> bool;

    /// The container of an output whose options name none, by libav's name; `None` where the
    /// file's name tells it.
    fn container(&self, url: &str) -> Option<&'static str> {
        scheme::of(url).container
    }

    /// Refuses the URL of an input and options that can't be, before anything is opened.
    fn check_input(&self, _url: &str, _options: &InputOptions) -> Result<()> {
        Ok(())
    }

    /// The same of an output.
    fn check_output(&self, _url: &str, _options: &OutputOptions) -> Result<()> {
        Ok(())
    }

    /// The protocols of libav whose options mean something to it, by their names.
    fn option_schemes(&self, url: &str) -> Vec<String>;

    /// Whether it carries a codec; `None` where the container alone decides.
    fn carries(&self, _codec: CodecId, _kind: MediaKind) -> Option<bool> {
        None
    }

    /// Whether two packets of a stream may have the same dts, in a container that allows it.
    fn allows_equal_dts(&self) -> bool {
        true
    }

    /// Whether a stream may be added to an output whose header was written.
    fn takes_late_streams(&self) -> bool {
        false
    }

    /// What packets are written with, not connected yet.
    fn output(
        &self,
        target: &Target,
        options: &OutputOptions,
        stop: &Stop,
    ) -> Result<Box<dyn Output>>;
}

/// Where an output goes, in which container, and who writes it; checked, but not opened.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) muxer: MuxerInfo,
    pub(crate) is_live: bool,
    pub(crate) protocol: &'static dyn Protocol,
}

/// What packets are read from: a container that libav knows, or RTMP.
pub(crate) trait Input: Send {
    /// FFmpeg's name of the format.
    fn format_name(&self) -> &'static str;

    /// Every stream in it, the chosen ones among them, in the order of their indices.
    fn streams(&self) -> Result<Vec<StreamInfo>>;

    /// The next packet, on the input's own clock; `None` at the end.
    fn read(&mut self) -> Result<Option<AvPacket>, Break>;

    /// Whether it can be read from another place, or from its start once more.
    fn is_seekable(&self) -> bool {
        false
    }

    /// Seeks so that the video begins with a keyframe from which what is shown at `target` can be
    /// decoded; returns what was read to be sure of it. `None` where the input has no index of
    /// times: it is then at its start. Both times are on its own clock.
    ///
    /// # Errors
    /// Where it isn't seekable.
    fn seek_to_keyframe(
        &mut self,
        _video: Option<&StreamInfo>,
        _target: Timestamp,
        _begin: Timestamp,
    ) -> Result<Option<VecDeque<AvPacket>>> {
        Err(not_seekable())
    }

    /// Begins at the start again.
    ///
    /// # Errors
    /// Where it isn't seekable.
    fn rewind(&mut self) -> Result<()> {
        Err(not_seekable())
    }

    /// Whether its clock may begin anew in its middle, as that of joined recordings does.
    fn clock_may_restart(&self) -> bool {
        false
    }

    /// Whether its times can't be sought by, because its clock seems to begin anew in its middle.
    fn seems_joined(&mut self) -> bool {
        false
    }

    /// Microseconds, where known.
    fn duration_micros(&self) -> Option<i64>;

    /// Whether the duration is more than an estimate out of the size in bytes.
    fn has_exact_duration(&self) -> bool {
        false
    }

    /// Bits a second; 0 where not known.
    fn bit_rate(&self) -> i64;

    /// What the container says of itself.
    fn metadata(&self) -> ContainerMetadata {
        ContainerMetadata::default()
    }

    /// What is in it, as the ffmpeg program tells it of the input of this number; `None` where libav
    /// doesn't read it.
    fn dump(&self, _number: usize, _url: &str) -> Option<String> {
        None
    }

    /// How long a live one may give nothing.
    fn set_stall_limit(&mut self, limit: Duration);

    /// The indices of the only streams whose packets are wanted.
    fn read_only(&mut self, _streams: &[usize]) {}

    /// Passes on a stream that comes late. False where such a stream is not noticed.
    fn accept_new_streams(&mut self) -> bool {
        false
    }

    /// The stream that came late whose first packet was read last.
    fn new_stream(&mut self) -> Option<StreamInfo> {
        None
    }

    /// Whether it only stands in for an input that isn't there yet.
    fn is_stand_in(&self) -> bool {
        false
    }

    /// Whether it has seen video, and sound, that may be used; also what can't be decoded yet.
    fn seen(&self) -> [bool; 2] {
        [false; 2]
    }
}

/// Why reading can't go on.
pub(crate) enum Break {
    /// A stop was asked for.
    Stopped,
    /// Nothing came for so long.
    Silent(Duration),
    /// The other end closed the connection, or it broke.
    Closed(Error),
    /// The bytes make no sense, or end too early.
    Damaged,
    /// Anything else.
    Failed(Error),
}

/// An input that was opened, and what is known of it.
pub(crate) struct Opened {
    pub(crate) input: Box<dyn Input>,
    pub(crate) video: Option<StreamInfo>,
    pub(crate) audio: Option<StreamInfo>,
    pub(crate) is_live: bool,
    /// Read already, to get to know the streams.
    pub(crate) pending: VecDeque<AvPacket>,
    /// The input's own first timestamp.
    pub(crate) begin: Timestamp,
}

pub(crate) fn not_seekable() -> Error {
    Error::new(ErrorKind::Usage, Stage::Source, "it can't be sought in").hint(Hint::OnlyFilesSeek)
}

/// The streams that are wanted of the best of each kind. An input that has subtitles needs neither.
pub(crate) fn choose(
    video: Option<StreamInfo>,
    audio: Option<StreamInfo>,
    has_subtitles: bool,
    options: &InputOptions,
    url: &str,
) -> Result<(Option<StreamInfo>, Option<StreamInfo>)> {
    let audio = audio.filter(|_| !options.no_audio);
    let video = video.filter(|_| !options.no_video);
    // A cover picture is shown only where there is nothing to hear.
    let video = video.filter(|v| !v.is_attached_picture || audio.is_none());
    let video = video.map(|video| StreamInfo { kind: MediaKind::Video, ..video });
    let is_enough = has_subtitles && !options.leaves_out(MediaKind::Subtitle);
    if video.is_none() && audio.is_none() && !is_enough {
        return Err(Error::new(
            ErrorKind::InvalidData,
            Stage::Source,
            "there is no video and no audio stream in it",
        )
        .at(url));
    }
    Ok((video, audio))
}

/// What packets are written with: a muxer of libav, or RTMP.
pub(crate) trait Output: Send {
    /// Opens the file or connection; called once.
    fn open(&mut self) -> Result<()>;

    /// What the container says of itself, before the header is written. What has no place for it leaves
    /// it out.
    fn describe(&mut self, _metadata: &ContainerMetadata) -> Result<()> {
        Ok(())
    }

    /// Adds a stream before the header is written; returns its number.
    fn add_stream(
        &mut self,
        configuration: &StreamConfiguration,
        metadata: &StreamMetadata,
    ) -> Result<usize>;

    fn write_header(&mut self) -> Result<()>;

    /// The time base that packets of a stream must come in, valid after the header.
    fn time_base(&self, number: usize) -> TimeBase;

    /// Says what holds from a stream's next packet on, in place of what it was added with. A
    /// container that can't say so goes on with the packets.
    fn configure(&mut self, number: usize, configuration: &StreamConfiguration) -> Result<()>;

    /// Says, before the first packet is written, how far below 0 the first pts of all streams lies.
    fn begins_below_zero(&mut self, _by: Timestamp) {}

    /// Writes one packet, with its stream's number and its times in that stream's time base.
    fn write(&mut self, packet: &mut AvPacket) -> Result<()>;

    /// What it adds to the times of packets, where it writes them as they come but for that; known
    /// with its first packet at the latest.
    fn shift(&self) -> Option<Timestamp> {
        None
    }

    /// How many bytes were written, where that is known; after the end the size of the whole.
    fn size(&self) -> Option<u64> {
        None
    }

    /// What goes into it, as the ffmpeg program tells it of the output of this number once the header is
    /// written; `None` where libav doesn't write it.
    fn dump(&self, _number: usize, _url: &str) -> Option<String> {
        None
    }

    /// Writes the trailer, if the header was written, and closes the file or connection.
    fn finish(&mut self) -> Result<()>;
}
