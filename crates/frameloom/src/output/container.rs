//! Which containers carry which codecs, and what is encoded where nothing was asked for.

use crate::av::{CodecId, MediaKind, MuxerInfo};
use crate::protocol::Target;

/// FFmpeg 6.1 is the first whose FLV muxer knows the FourCC codecs of Enhanced RTMP.
const ENHANCED_FLV: bool = cfg!(ffmpeg_6_1);

/// Whether packets of this codec can be copied into the container as they are.
pub(crate) fn can_copy(target: &Target, codec: CodecId, kind: MediaKind) -> bool {
    // libav's AVI muxer wants start codes, and does not make them of the lengths that most other
    // containers have.
    let needs_start_codes = target.muxer.name() == "avi" && matches!(codec.name(), "h264" | "hevc");
    !needs_start_codes && carries(target, codec, kind)
}

/// Whether the container carries streams of this codec that others can read.
fn carries(target: &Target, codec: CodecId, kind: MediaKind) -> bool {
    let (muxer, file, name) = (&target.muxer, target.url.as_str(), codec.name());
    if let Some(carries) = target.protocol.carries(codec, kind) {
        return carries;
    }
    match muxer.name() {
        // libav calls these possible, but no player expects them there.
        "flv" => match name {
            "h264" | "flv1" | "vp6f" | "aac" | "mp3" | "speex" | "nellymoser" => true,
            "hevc" | "av1" | "vp9" => ENHANCED_FLV,
            _ => false,
        },
        // libav doesn't say for these.
        "mpegts" | "hls" | "srt" | "rtp_mpegts" => {
            matches!(
                name,
                "h264"
                    | "hevc"
                    | "mpeg2video"
                    | "mpeg1video"
                    | "mpeg4"
                    | "aac"
                    | "mp3"
                    | "mp2"
                    | "ac3"
                    | "eac3"
                    | "dts"
                    | "opus"
            )
        }
        "rtsp" => matches!(
            name,
            "h264"
                | "hevc"
                | "vp8"
                | "vp9"
                | "mjpeg"
                | "aac"
                | "opus"
                | "mp3"
                | "pcm_alaw"
                | "pcm_mulaw"
        ),
        "null" => true,
        "wav" => name.starts_with("pcm_"),
        _ if codec.is_raw() => muxer.default_codec(file, kind) == Some(codec),
        _ => muxer.holds(codec).unwrap_or_else(|| muxer.default_codec(file, kind) == Some(codec)),
    }
}

/// Whether the container counts frames instead of timing them.
pub(crate) fn counts_frames(muxer: &MuxerInfo) -> bool {
    matches!(muxer.name(), "avi" | "yuv4mpegpipe" | "mxf")
}

/// Whether the container has room for streams of this kind at all.
pub(crate) fn has_room_for(target: &Target, kind: MediaKind) -> bool {
    let (muxer, file) = (&target.muxer, target.url.as_str());
    matches!(muxer.name(), "mpegts" | "hls" | "rtsp" | "null" | "rtp_mpegts")
        || muxer.default_codec(file, kind).is_some_and(|codec| !muxer.holds_as_cover(codec))
}

/// The encoder to use where none was named: H.264 and AAC where the container carries them, else
/// what libav would take.
pub(crate) fn default_encoder(target: &Target, kind: MediaKind) -> Option<&'static str> {
    let (muxer, file) = (&target.muxer, target.url.as_str());
    let (usual, codec) = match kind {
        MediaKind::Video => ("libx264", "h264"),
        MediaKind::Audio => ("aac", "aac"),
        MediaKind::Other => return None,
    };
    let setup =
        crate::av::EncoderSetup::find(usual).or_else(|| crate::av::EncoderSetup::find(codec));
    let libavs = muxer.default_codec(file, kind);
    // A single-codec container (gif, mp3, image2, rawvideo) says so by holding its default alone.
    let picky = muxer.is_file_per_packet()
        || matches!(muxer.name(), "image2pipe" | "rawvideo" | "gif" | "yuv4mpegpipe" | "null");
    match setup {
        Some(setup) if !picky && carries(target, setup.codec(), kind) => Some(setup.name()),
        _ => libavs.and_then(CodecId::default_encoder),
    }
}
