//! Which containers carry which codecs, and what is encoded where nothing was asked for.
//!
//! The one place that decides whether a stream is copied, encoded or left out, judged by what players
//! read and not by what libav can write.

use crate::av::{CodecId, CodecParams, EncoderSetup, MediaKind, MuxerInfo, StreamInfo, muxer_for};
use crate::protocol::Target;

/// FFmpeg 6.1 is the first whose FLV muxer knows the FourCC codecs of Enhanced RTMP.
const ENHANCED_FLV: bool = cfg!(ffmpeg_6_1);

/// What becomes of a stream in a container where nobody asks for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// Players read it there as it is.
    Copy,
    /// The container can't hold it, or players don't read it there: it is encoded.
    Encode,
    /// The container has no room for streams of this kind.
    Refuse,
}

/// What players read in a container, by its muxer's names. Of containers that have no row, what libav
/// says is taken, but for single pictures.
struct CarriageRow {
    muxers: &'static [&'static str],
    video: &'static [&'static str],
    audio: &'static [&'static str],
}

#[rustfmt::skip]
static ROWS: &[CarriageRow] = &[
    CarriageRow {
        muxers: &["mp4", "dash", "ismv"],
        video: &["h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video"],
        audio: &["aac", "mp3", "ac3", "eac3", "dts", "alac", "opus"],
    },
    CarriageRow {
        muxers: &["ipod"],
        video: &["h264", "mpeg4"],
        audio: &["aac", "alac", "ac3"],
    },
    CarriageRow {
        muxers: &["3gp", "3g2"],
        video: &["h264", "mpeg4", "h263"],
        audio: &["aac", "amr_nb", "amr_wb"],
    },
    // QuickTime's own codecs, which editing programs exchange.
    CarriageRow {
        muxers: &["mov"],
        video: &[
            "h264", "hevc", "prores", "dnxhd", "mjpeg", "png", "qtrle", "jpeg2000", "dvvideo",
            "mpeg4", "mpeg2video", "mpeg1video", "h263", "cinepak", "svq1", "svq3", "rpza", "smc",
            "8bps", "v210",
        ],
        audio: &[
            "aac", "alac", "mp3", "mp2", "ac3", "eac3", "amr_nb", "pcm_s16le", "pcm_s16be",
            "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_u8",
            "pcm_alaw", "pcm_mulaw", "adpcm_ima_qt",
        ],
    },
    // Codecs with hidden pictures, or packets of changing length, have no times in AVI. Packets of
    // H.264 come with lengths, where AVI wants start codes.
    CarriageRow {
        muxers: &["avi"],
        video: &[
            "h264", "mpeg4", "msmpeg4v2", "msmpeg4v3", "mjpeg", "mpeg1video", "mpeg2video", "dvvideo",
            "huffyuv", "ffvhuff", "ffv1", "utvideo", "magicyuv", "h263", "cinepak", "wmv1", "wmv2",
        ],
        audio: &[
            "mp3", "mp2", "ac3", "aac", "pcm_s16le", "pcm_s24le", "pcm_u8", "pcm_alaw",
            "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav", "wmav1", "wmav2",
        ],
    },
    CarriageRow { muxers: &["webm"], video: &["vp8", "vp9", "av1"], audio: &["opus", "vorbis"] },
    CarriageRow {
        muxers: &["ogg", "ogv", "oga", "opus", "spx"],
        video: &["theora"],
        audio: &["vorbis", "opus", "flac", "speex"],
    },
    CarriageRow {
        muxers: &["mpeg", "vob", "svcd", "dvd"],
        video: &["mpeg1video", "mpeg2video"],
        audio: &["mp2", "mp3", "ac3"],
    },
    // MPEG-4 part 2 has its headers outside of its packets in most other containers, and libav doesn't
    // put them there.
    CarriageRow {
        muxers: &["mpegts", "srt", "rtp_mpegts"],
        video: &["h264", "hevc", "mpeg2video", "mpeg1video"],
        audio: &["aac", "mp3", "mp2", "ac3", "eac3", "dts", "opus"],
    },
    CarriageRow {
        muxers: &["hls"],
        video: &["h264", "hevc"],
        audio: &["aac", "mp3", "ac3", "eac3"],
    },
    CarriageRow {
        muxers: &["rtsp"],
        video: &["h264", "hevc", "vp8", "vp9", "mjpeg"],
        audio: &["aac", "opus", "mp3", "pcm_alaw", "pcm_mulaw"],
    },
    CarriageRow {
        muxers: &["flv"],
        video: &["h264", "flv1", "vp6f"],
        audio: &["aac", "mp3", "speex", "nellymoser"],
    },
];

/// What becomes of a stream where nobody asks for anything.
pub(crate) fn carriage(target: &Target, stream: &StreamInfo) -> Carriage {
    let (muxer, codec, kind) = (&target.muxer, stream.params.codec(), stream.kind.of_codec());
    if kind.is_sparse() {
        return carriage_beside(target, stream);
    }
    if stream.kind == MediaKind::Cover && takes_covers(muxer) {
        return carriage_of_cover(muxer, codec);
    }
    if !has_room_for(target, kind) {
        return Carriage::Refuse;
    }
    // AVI says only in which order pictures are decoded.
    let is_reordered = muxer.name() == "avi" && stream.params.is_reordered();
    // libav's AVI muxer wants start codes, and does not make them of the lengths that most other
    // containers have.
    let needs_start_codes = muxer.name() == "avi" && matches!(codec.name(), "h264" | "hevc");
    let loses_turn = stream.display_matrix.is_some_and(|m| turns(&m)) && !keeps_turn(muxer);
    if is_reordered || needs_start_codes || loses_turn || !carries(target, codec, kind) {
        return Carriage::Encode;
    }
    Carriage::Copy
}

/// What becomes of a picture that is to be the cover.
pub(crate) fn carriage_of_cover(muxer: &MuxerInfo, codec: CodecId) -> Carriage {
    match holds_cover(muxer, codec) {
        true => Carriage::Copy,
        false if codec.has_decoder() => Carriage::Encode,
        false => Carriage::Refuse,
    }
}

/// Whether the container has a place for a cover beside its streams. Others take one as a video.
pub(crate) fn takes_covers(muxer: &MuxerInfo) -> bool {
    is_for_sound(muxer) || QUICKTIME.contains(&muxer.name())
}

/// Whether a cover goes along by itself: players find it there.
pub(crate) fn shows_covers(muxer: &MuxerInfo) -> bool {
    is_for_sound(muxer) || matches!(muxer.name(), "mp4" | "ipod")
}

/// Whether pictures of a container are covers, and nothing else.
pub(crate) fn is_for_sound(muxer: &MuxerInfo) -> bool {
    let png = CodecId::named("png");
    muxer.name() == "flac" || png.is_some_and(|png| muxer.holds_as_cover(png))
}

/// Whether a format has tags and chapters, and no streams.
pub(crate) fn is_for_metadata(muxer: &MuxerInfo) -> bool {
    muxer.name() == "ffmetadata"
}

/// MP4 and its kin.
const QUICKTIME: [&str; 8] = ["mov", "mp4", "ipod", "3gp", "3g2", "psp", "f4v", "ismv"];

/// Whether the container takes pictures of this codec as a cover.
pub(crate) fn holds_cover(muxer: &MuxerInfo, codec: CodecId) -> bool {
    match muxer.name() {
        "flac" => matches!(codec.name(), "png" | "mjpeg" | "gif" | "bmp" | "tiff" | "webp"),
        name if QUICKTIME.contains(&name) => matches!(codec.name(), "png" | "mjpeg" | "bmp"),
        _ => muxer.holds_as_cover(codec),
    }
}

/// Whether it has room for every stream, as it keeps none itself.
fn takes_all(muxer: &MuxerInfo) -> bool {
    matches!(muxer.name(), "null" | "tee")
}

/// What becomes of a stream that is neither video nor audio.
fn carriage_beside(target: &Target, stream: &StreamInfo) -> Carriage {
    let (muxer, codec) = (&target.muxer, stream.params.codec());
    let carries = match (muxer.name(), stream.kind) {
        _ if takes_all(muxer) => true,
        (_, MediaKind::Subtitle) => holds_subtitles(target, codec),
        // What it doesn't know by its codec either, it has as private data.
        ("mpegts", MediaKind::Data) => {
            let known = ["klv", "timed_id3", "scte_35", "smpte_2038", "bin_data"];
            codec.is_none() || known.contains(&codec.name())
        }
        // The track of timecodes, which libav knows by its tag.
        ("mov", MediaKind::Data) => stream.params.tag() == *b"tmcd",
        ("matroska", MediaKind::Attachment) => true,
        (_, MediaKind::Attachment | MediaKind::Other) => false,
        _ => !codec.is_none() && muxer.holds(codec) == Some(true),
    };
    let is_encoded = || stream.kind == MediaKind::Subtitle && can_convert(target, codec);
    match carries {
        true => Carriage::Copy,
        false if is_encoded() => Carriage::Encode,
        false => Carriage::Refuse,
    }
}

/// Whether the container has a place for subtitles of this codec.
pub(crate) fn holds_subtitles(target: &Target, codec: CodecId) -> bool {
    match target.muxer.name() {
        _ if takes_all(&target.muxer) => true,
        // What its parts are, their names say.
        "segment" | "stream_segment" => {
            let part = muxer_for(None, &target.url);
            part.is_some_and(|part| part.holds(codec) == Some(true))
        }
        // What players find in live television.
        "mpegts" => matches!(codec.name(), "dvb_subtitle" | "dvb_teletext"),
        // Text without any markup is a part of its language.
        "srt" if codec.name() == "text" => true,
        _ => !codec.is_none() && target.muxer.holds(codec) == Some(true),
    }
}

/// Whether the container's usual encoder of subtitles takes what is decoded of this codec.
fn can_convert(target: &Target, codec: CodecId) -> bool {
    let encoder = default_encoder(target, MediaKind::Subtitle).and_then(EncoderSetup::find);
    let form = encoder.and_then(|encoder| encoder.codec().subtitle_form());
    form.is_some() && form == codec.subtitle_form() && codec.has_decoder()
}

/// Whether subtitles of this codec go along by themselves: into a container that is usually written with
/// some, which are of the same kind, text or pictures.
pub(crate) fn goes_along(target: &Target, codec: CodecId) -> bool {
    let usual = target.muxer.default_codec(&target.url, MediaKind::Subtitle);
    let usual = usual.filter(|usual| usual.default_encoder().is_some());
    let form = usual.and_then(CodecId::subtitle_form);
    form.is_some() && form == codec.subtitle_form()
}

/// Whether players read streams of this codec in the container.
fn carries(target: &Target, codec: CodecId, kind: MediaKind) -> bool {
    let (muxer, file, name) = (&target.muxer, target.url.as_str(), codec.name());
    if let Some(carries) = target.protocol.carries(codec, kind) {
        return carries;
    }
    if let Some(row) = ROWS.iter().find(|row| row.muxers.contains(&muxer.name())) {
        let enhanced = ENHANCED_FLV && muxer.name() == "flv";
        let played = if kind == MediaKind::Video { row.video } else { row.audio };
        let is_played =
            played.contains(&name) || enhanced && matches!(name, "hevc" | "av1" | "vp9");
        return is_played && muxer.holds(codec) != Some(false);
    }
    let is_default = muxer.default_codec(file, kind) == Some(codec);
    match muxer.name() {
        _ if takes_all(muxer) => true,
        "wav" => name.starts_with("pcm_"),
        // A file of one picture is of the kind that its name says.
        _ if muxer.is_file_per_packet() => is_default,
        // Single pictures one behind the other are no video that a player shows.
        _ if codec.is_raw_video() || codec.is_picture() => is_default,
        _ => muxer.holds(codec).unwrap_or(is_default),
    }
}

/// Whether sound of which something else holds midway, such as its sample rate, goes on as it is: FLV
/// says so beside the packets, and MPEG's containers leave it to packets that state it themselves. The
/// others say once for all what holds.
pub(crate) fn takes_new_sound(target: &Target, sound: &CodecParams) -> bool {
    let states_itself = sound.extradata().is_empty();
    match target.muxer.name() {
        "flv" => !states_itself,
        "mpegts" | "hls" | "srt" | "rtp_mpegts" | "mpeg" | "vob" | "svcd" | "dvd" => states_itself,
        // The packets alone.
        "adts" | "latm" | "ac3" | "eac3" | "dts" | "truehd" | "mlp" | "mp2" => states_itself,
        name => name == "null",
    }
}

/// Whether the display matrix turns or mirrors the picture.
fn turns(matrix: &[i32; 9]) -> bool {
    let (a, b, c, d) = (matrix[0], matrix[1], matrix[3], matrix[4]);
    (a, b, c, d) != (0, 0, 0, 0) && (b != 0 || c != 0 || a < 0 || d < 0)
}

/// Whether players turn a picture as the container says. The others can't say it, or not with every
/// FFmpeg.
fn keeps_turn(muxer: &MuxerInfo) -> bool {
    matches!(muxer.name(), "mov" | "mp4" | "ipod" | "3gp" | "3g2" | "psp" | "f4v" | "null")
}

/// Whether the container says in which shape a picture is shown, above what its codec says.
pub(crate) fn keeps_aspect(muxer: &MuxerInfo) -> bool {
    let matroska = ["matroska", "webm", "null"];
    keeps_turn(muxer) || matroska.contains(&muxer.name())
}

/// Whether transparency that is encoded with this codec is there again when the container is read.
/// Of the lossy codecs these alone have players that show it.
pub(crate) fn keeps_alpha(muxer: &MuxerInfo, codec: &str) -> bool {
    match codec {
        "vp8" | "vp9" => matches!(muxer.name(), "webm" | "matroska"),
        "webp" => true,
        _ => false,
    }
}

/// The pixel formats of pictures that aren't coded, where the container has room for these alone.
pub(crate) fn pixel_formats(muxer: &MuxerInfo) -> &'static [&'static str] {
    match muxer.name() {
        "yuv4mpegpipe" => &["yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuvj420p", "gray"],
        _ => &[],
    }
}

/// Whether the container counts frames instead of timing them.
pub(crate) fn counts_frames(muxer: &MuxerInfo) -> bool {
    matches!(muxer.name(), "avi" | "yuv4mpegpipe" | "mxf")
}

/// Whether the container has room for streams of this kind at all.
pub(crate) fn has_room_for(target: &Target, kind: MediaKind) -> bool {
    let (muxer, file) = (&target.muxer, target.url.as_str());
    takes_all(muxer)
        || matches!(muxer.name(), "mpegts" | "hls" | "rtsp" | "rtp_mpegts")
        || muxer.default_codec(file, kind).is_some()
            && !(kind == MediaKind::Video && is_for_sound(muxer))
}

/// The encoder to use where none was named: H.264 and AAC where the container carries them, else
/// what libav would take; of subtitles always that.
pub(crate) fn default_encoder(target: &Target, kind: MediaKind) -> Option<&'static str> {
    let (muxer, file) = (&target.muxer, target.url.as_str());
    let (usual, codec) = match kind {
        MediaKind::Video => ("libx264", "h264"),
        MediaKind::Audio => ("aac", "aac"),
        MediaKind::Cover => return CodecId::named("png").and_then(CodecId::default_encoder),
        MediaKind::Subtitle => {
            let usual = muxer.default_codec(file, kind).and_then(CodecId::default_encoder);
            // MP4's own, which libav takes only where it is named.
            let own = EncoderSetup::find("mov_text");
            let own = own.filter(|own| muxer.holds(own.codec()) == Some(true));
            return usual.or(own.map(|own| own.name()));
        }
        _ => return None,
    };
    let setup = EncoderSetup::find(usual).or_else(|| EncoderSetup::find(codec));
    let libavs = muxer.default_codec(file, kind);
    // A single-codec container (gif, mp3, image2, rawvideo) says so by holding its default alone.
    let picky = muxer.is_file_per_packet()
        || matches!(muxer.name(), "image2pipe" | "rawvideo" | "gif" | "yuv4mpegpipe" | "null");
    match setup {
        Some(setup) if !picky && carries(target, setup.codec(), kind) => Some(setup.name()),
        _ => libavs.and_then(CodecId::default_encoder),
    }
}
