//! The library's options: FFmpeg's names that Frameloom understands itself, and Frameloom's own.
//!
//! A new option is a row here and a field of the settings that it sets. The command line, help, the
//! man page, completions, a file's keys, the API's schema and docs/options.md follow from the row.

use super::audio::{AudioFormat, audio_format, count};
use super::command::{CommandAnswer, FrameTransport};
use super::graphs::FilterGraphs;
use super::hardware::output_format;
use super::keyframes::KeyframeChoice;
pub use super::library_option::LibraryOption;
use super::live::{Live, OnError, OnLoss, OnResize, OnSlow, OnUntouched, WaitForInputs};
use super::map::StreamMap;
use super::metadata::DispositionChange;
use super::row::{Group, Row, Scope, ValueType};
use super::speed::Speed;
use super::value::{
    CodecChoice, Size, above_zero, bitstream_filters, check_format, choice, codec_choice,
    codec_choice_of_any_kind, codec_tag, decoder, encoding_pass, filtered_streams, frame_format,
    frame_times, names, parse_duration, parse_frames, parse_loops, parse_rate, parse_ratio,
    parse_span, pixel_format, pixel_format_choice, quality, sample_rate, scaler_flags, timecode,
    usual_layout,
};
use crate::av::{Direction, MediaKind};
use crate::error::{End, Error, Hint, Result, Setting, sentence};
use crate::image::PixelFormat;
use crate::time::Timestamp;

/// The streams that a name without a specifier is for.
const ALL: Option<MediaKind> = None;
const VIDEO: Option<MediaKind> = Some(MediaKind::Video);
const AUDIO: Option<MediaKind> = Some(MediaKind::Audio);
const SUBTITLES: Option<MediaKind> = Some(MediaKind::Subtitle);
const DATA: Option<MediaKind> = Some(MediaKind::Data);

const LIVE: ValueType = ValueType::Choice(&names::<_, 3>(Live::VALUES));
const WAIT_FOR_INPUTS: ValueType = ValueType::Choice(&names::<_, 2>(WaitForInputs::VALUES));
const ON_LOSS: ValueType = ValueType::Choice(&names::<_, 3>(OnLoss::VALUES));
const ON_SLOW: ValueType = ValueType::Choice(&names::<_, 4>(OnSlow::VALUES));
const ON_ERROR: ValueType = ValueType::Choice(&names::<_, 4>(OnError::VALUES));
const AUDIO_FORMAT: ValueType = ValueType::Choice(&names::<_, 2>(AudioFormat::VALUES));
const ON_RESIZE: ValueType = ValueType::Choice(&names::<_, 2>(OnResize::VALUES));
const ON_UNTOUCHED: ValueType = ValueType::Choice(&names::<_, 2>(OnUntouched::VALUES));
const DRAW: ValueType = ValueType::Choice(&names::<_, 2>(CommandAnswer::VALUES));
const FRAME_TRANSPORT: ValueType = ValueType::Choice(&names::<_, 2>(FrameTransport::VALUES));
const FRAME_FORMAT: ValueType = ValueType::Choice(&FRAME_FORMATS);
const FRAME_FORMATS: [&str; PixelFormat::ALL.len()] = {
    let mut names = [""; PixelFormat::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = PixelFormat::ALL[at].name();
        at += 1;
    }
    names
};

const TABLE: &[LibraryOption] = &[
    LibraryOption::new(
        Row::ffmpeg("y", Scope::Global, ValueType::Flag, "overwrite output files")
            .python(&["output", "create"])
            .keyword("overwrite"),
    )
    .output(|o, _| {
        o.overwrite = true;
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg(
        "n",
        Scope::Global,
        ValueType::Flag,
        "never overwrite output files, which is the default",
    ))
    .output(|o, _| {
        o.overwrite = false;
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "f",
            Scope::Both,
            ValueType::Format,
            "the format, in place of the one that the name or the content tells",
        )
        .python(&["open", "probe", "output", "create"])
        .keyword("format"),
    )
    .input(|o, v| {
        check_format(v, Direction::Input)?;
        o.format = Some(v.to_owned());
        Ok(())
    })
    .output(|o, v| {
        check_format(v, Direction::Output)?;
        o.format = Some(v.to_owned());
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "s",
            Scope::Both,
            ValueType::Size,
            "the picture size of raw input; the size that an output is scaled to",
        )
        .python(&["output"])
        .keyword("size"),
    )
    .input(|o, v| Size::parse(v).map(|size| o.size = Some(size)))
    .per_stream(VIDEO, |o, s, v| Size::parse(v).map(|size| o.size.set(s, size))),
    LibraryOption::new(Row::ffmpeg(
        "pix_fmt",
        Scope::Both,
        ValueType::PixelFormat,
        "the pixel format of raw input; the one that an output is encoded in",
    ))
    .input(|o, v| pixel_format(v).map(|format| o.pixel_format = Some(format.name().to_owned())))
    .per_stream(VIDEO, |o, s, v| {
        pixel_format_choice(v).map(|choice| o.pixel_format.set(s, choice))
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "r",
            Scope::Both,
            ValueType::Rate,
            "the frame rate of raw input; the constant rate of an output",
        )
        .python(&["output"])
        .keyword("rate"),
    )
    .input(|o, v| parse_rate(v).map(|rate| o.rate = Some(rate)))
    .per_stream(VIDEO, |o, s, v| parse_rate(v).map(|rate| o.rate.set(s, rate))),
    LibraryOption::new(
        Row::ffmpeg("re", Scope::Input, ValueType::Flag, "read the input at its own speed")
            .python(&["open"])
            .keyword("realtime"),
    )
    .input(|o, _| {
        o.realtime = true;
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg("ss", Scope::Both, ValueType::Time, "start at this time")
            .python(&["open"])
            .keyword("start"),
    )
    .input(|o, v| parse_span(v).map(|time| o.start = Some(time)))
    .output(|o, v| parse_span(v).map(|time| o.start = Some(time))),
    LibraryOption::new(
        Row::ffmpeg("t", Scope::Both, ValueType::Time, "stop after this long")
            .python(&["open"])
            .keyword("duration"),
    )
    .input(|o, v| parse_span(v).map(|time| o.duration = Some(time)))
    .output(|o, v| parse_span(v).map(|time| o.duration = Some(time))),
    LibraryOption::new(Row::ffmpeg(
        "to",
        Scope::Both,
        ValueType::Time,
        "stop at this time; -t wins over it",
    ))
    .input(|o, v| parse_span(v).map(|time| o.end = Some(time)))
    .output(|o, v| parse_span(v).map(|time| o.end = Some(time))),
    LibraryOption::new(Row::ffmpeg(
        "sseof",
        Scope::Input,
        ValueType::Time,
        "begin so long before the end of the input, as -10",
    ))
    .input(|o, v| {
        let from_end = parse_span(v)?;
        if from_end > Timestamp::ZERO {
            return Err(Error::usage("it is behind the end: write a time below 0"));
        }
        o.start_from_end = Some(from_end);
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg(
        "itsoffset",
        Scope::Input,
        ValueType::Time,
        "move the input's times against those of the other inputs",
    ))
    .input(|o, v| parse_span(v).map(|by| o.offset = by)),
    LibraryOption::new(Row::ffmpeg(
        "copyts",
        Scope::Global,
        ValueType::Flag,
        "leave the times of stored inputs as they are, also behind -ss",
    ))
    .input(|o, _| {
        o.keeps_times = true;
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "stream_loop",
            Scope::Input,
            ValueType::Integer,
            "read the input this many times more; -1 for ever",
        )
        .default("0")
        .python(&["open"])
        .keyword("loop"),
    )
    .input(|o, v| parse_loops(v).map(|loops| o.loops = loops)),
    LibraryOption::new(
        Row::ffmpeg("an", Scope::Both, ValueType::Flag, "leave the audio out")
            .python(&["output"])
            .keyword("audio"),
    )
    .input(|o, _| {
        o.no_audio = true;
        Ok(())
    })
    .output(|o, _| {
        o.no_audio = true;
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg("vn", Scope::Both, ValueType::Flag, "leave the video out"))
        .input(|o, _| {
            o.no_video = true;
            Ok(())
        })
        .output(|o, _| {
            o.no_video = true;
            Ok(())
        }),
    LibraryOption::new(Row::ffmpeg("sn", Scope::Both, ValueType::Flag, "leave subtitles out"))
        .input(|o, _| {
            o.no_subtitles = true;
            Ok(())
        })
        .output(|o, _| {
            o.no_subtitles = true;
            Ok(())
        }),
    LibraryOption::new(Row::ffmpeg("dn", Scope::Both, ValueType::Flag, "leave data streams out"))
        .input(|o, _| {
            o.no_data = true;
            Ok(())
        })
        .output(|o, _| {
            o.no_data = true;
            Ok(())
        }),
    LibraryOption::new(
        Row::ffmpeg(
            "map",
            Scope::Output,
            ValueType::Text,
            "take these streams of an input: 0:v:0, 0:a, 0:s?; -0:d takes some away",
        )
    )
    .output(|o, v| StreamMap::parse(v).map(|map| o.maps.push(map))),
    LibraryOption::new(
        Row::ffmpeg(
            "filter_complex",
            Scope::Global,
            ValueType::FilterGraph,
            "a filter graph across streams: [0:v][1:v]hstack[both]; -map [both] takes what comes out",
        )
        .aliases(&["lavfi"]),
    )
    .graphs(|graphs, v| {
        graphs.add(v);
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg(
        "filter_complex_script",
        Scope::Global,
        ValueType::Path,
        "a file with a filter graph across streams",
    ))
    .graphs(FilterGraphs::add_file),
    LibraryOption::new(
        Row::ffmpeg(
            "metadata",
            Scope::Output,
            ValueType::Text,
            "say something of the output, or of its streams with :s: title=Door; an empty value takes \
             away",
        )
        .placeholder("NAME=VALUE"),
    )
    .suffixed(|o, place, v| o.metadata.give(place, v)),
    LibraryOption::new(Row::ffmpeg(
        "map_metadata",
        Scope::Output,
        ValueType::Text,
        "take what an input says of itself, by its number; -1 takes nothing",
    ))
    .suffixed(|o, place, v| o.metadata.map(place, v)),
    LibraryOption::new(Row::ffmpeg(
        "map_chapters",
        Scope::Output,
        ValueType::Text,
        "take the chapters of this input, by its number; -1 takes none",
    ))
    .output(|o, v| o.metadata.map_chapters(v)),
    LibraryOption::new(Row::ffmpeg(
        "disposition",
        Scope::Output,
        ValueType::Text,
        "what a stream is for: default, forced, 0 for nothing; + and - change it",
    ))
    .per_stream(ALL, |o, s, v| {
        DispositionChange::parse(v).map(|change| o.disposition.set(s, change))
    }),
    LibraryOption::new(Row::ffmpeg(
        "tag",
        Scope::Output,
        ValueType::Text,
        "what the container calls a stream's codec: four letters, such as hvc1, or a number",
    ))
    .per_stream(ALL, |o, s, v| codec_tag(v).map(|tag| o.codec_tag.set(s, tag))),
    LibraryOption::new(Row::ffmpeg("vtag", Scope::Output, ValueType::Text, "as -tag:v"))
        .per_stream(VIDEO, |o, s, v| codec_tag(v).map(|tag| o.codec_tag.set(s, tag))),
    LibraryOption::new(Row::ffmpeg("atag", Scope::Output, ValueType::Text, "as -tag:a"))
        .per_stream(AUDIO, |o, s, v| codec_tag(v).map(|tag| o.codec_tag.set(s, tag))),
    LibraryOption::new(Row::ffmpeg("stag", Scope::Output, ValueType::Text, "as -tag:s"))
        .per_stream(SUBTITLES, |o, s, v| codec_tag(v).map(|tag| o.codec_tag.set(s, tag))),
    LibraryOption::new(Row::ffmpeg(
        "bsf",
        Scope::Output,
        ValueType::Text,
        "bitstream filters, which change encoded packets: h264_mp4toannexb, setts=ts=PTS+10",
    ))
    .per_stream(ALL, |o, s, v| {
        bitstream_filters(v).map(|list| o.bitstream_filters.set(s, list))
    }),
    LibraryOption::new(Row::ffmpeg("vbsf", Scope::Output, ValueType::Text, "as -bsf:v"))
        .per_stream(VIDEO, |o, s, v| {
            bitstream_filters(v).map(|list| o.bitstream_filters.set(s, list))
        }),
    LibraryOption::new(Row::ffmpeg("absf", Scope::Output, ValueType::Text, "as -bsf:a"))
        .per_stream(AUDIO, |o, s, v| {
            bitstream_filters(v).map(|list| o.bitstream_filters.set(s, list))
        }),
    LibraryOption::new(Row::ffmpeg(
        "shortest",
        Scope::Output,
        ValueType::Flag,
        "end the output with its first stream that ends",
    ))
    .output(|o, _| {
        o.shortest = true;
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg(
        "timecode",
        Scope::Output,
        ValueType::Text,
        "the timecode of the first picture: hh:mm:ss:ff",
    ))
    .output(|o, v| {
        let timecode = timecode(v)?;
        o.metadata.give("", &format!("timecode={timecode}"))?;
        o.timecode = Some(timecode);
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "c",
            Scope::Both,
            ValueType::Codec,
            "the decoder of every stream of an input; copy, which takes the packets of every stream of an \
             output as they are",
        )
        .aliases(&["codec"]),
    )
    .per_input_stream(ALL, |o, s, v| decoder(v).map(|name| o.decoders.set(s, name)))
    .per_stream(ALL, |o, s, v| {
        let choice = match s.kind() {
            Some(kind) => codec_choice(v, kind)?,
            None if !s.is_for_all() => codec_choice_of_any_kind(v)?,
            None if v == "copy" => CodecChoice::Copy,
            None => {
                let given = Setting::ffmpeg("c").of(End::Output).to(v.to_owned());
                let cause = sentence!("{} names one codec for video and audio alike", given);
                return Err(Error::usage(cause).hint(Hint::CodecForEach));
            }
        };
        o.codec.set(s, choice);
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "c:v",
            Scope::Both,
            ValueType::Codec,
            "the video decoder of an input; the video encoder of an output, or copy",
        )
        .aliases(&["vcodec", "codec:v"])
        .default("copy where nothing edits the frames, else the format's usual one")
        .python(&["output", "create"])
        .keyword("codec"),
    )
    .per_input_stream(VIDEO, |o, s, v| decoder(v).map(|name| o.decoders.set(s, name)))
    .per_stream(VIDEO, |o, s, v| {
        codec_choice(v, MediaKind::Video).map(|choice| o.codec.set(s, choice))
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "c:a",
            Scope::Both,
            ValueType::Codec,
            "the audio decoder of an input; the audio encoder of an output, or copy",
        )
        .aliases(&["acodec", "codec:a"])
        .default("copy where the format can carry it")
        .python(&["output", "create"])
        .keyword("audio_codec"),
    )
    .per_input_stream(AUDIO, |o, s, v| decoder(v).map(|name| o.decoders.set(s, name)))
    .per_stream(AUDIO, |o, s, v| {
        codec_choice(v, MediaKind::Audio).map(|choice| o.codec.set(s, choice))
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "c:s",
            Scope::Both,
            ValueType::Codec,
            "the decoder of an input's subtitles; the encoder of an output's, such as mov_text, or copy",
        )
        .aliases(&["scodec", "codec:s"])
        .default("copy where the format can carry them, else the format's usual one"),
    )
    .per_input_stream(SUBTITLES, |o, s, v| decoder(v).map(|name| o.decoders.set(s, name)))
    .per_stream(SUBTITLES, |o, s, v| {
        codec_choice(v, MediaKind::Subtitle).map(|choice| o.codec.set(s, choice))
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "hwaccel",
            Scope::Input,
            ValueType::Text,
            "what decodes the video: a kind of device, such as vaapi or cuda, auto for any that can, or none",
        )
        .placeholder("KIND")
        .default("none, which is the processor"),
    )
    .per_input_stream(VIDEO, |o, s, v| o.hardware.decode_by(s, v)),
    LibraryOption::new(
        Row::ffmpeg(
            "hwaccel_device",
            Scope::Input,
            ValueType::Text,
            "the device that decodes: a name that -init_hw_device gave, or what opens one, as /dev/dri/renderD128",
        )
        .placeholder("DEVICE")
        .default("the kind's usual one"),
    )
    .per_input_stream(VIDEO, |o, s, v| {
        o.hardware.decode_on(s, v);
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "hwaccel_output_format",
            Scope::Input,
            ValueType::PixelFormat,
            "the pixel format in which filters get what a device decoded; the device's own leaves it there",
        )
        .default("that of the stream, in memory"),
    )
    .per_input_stream(VIDEO, |o, s, v| {
        output_format(v).map(|format| o.hardware.decode_to(s, format))
    }),
    LibraryOption::new(
        Row::ffmpeg(
            "init_hw_device",
            Scope::Global,
            ValueType::Text,
            "open a device for decoders, encoders and filters: vaapi=gpu:/dev/dri/renderD128, or vulkan@gpu",
        )
        .placeholder("KIND[=NAME][:DEVICE]"),
    )
    .input(|o, v| o.hardware.devices.add(v))
    .output(|o, v| o.devices.add(v)),
    LibraryOption::new(
        Row::ffmpeg(
            "filter_hw_device",
            Scope::Global,
            ValueType::Text,
            "the device that filters such as hwupload use, by the name that -init_hw_device gave",
        )
        .placeholder("NAME")
        .default("the last one"),
    )
    .input(|o, v| o.hardware.devices.give_to_filters(v))
    .output(|o, v| o.devices.give_to_filters(v)),
    LibraryOption::new(
        Row::ffmpeg(
            "vaapi_device",
            Scope::Global,
            ValueType::Text,
            "as -init_hw_device vaapi:DEVICE, for filters too",
        )
        .placeholder("DEVICE"),
    )
    .input(|o, v| o.hardware.devices.add_for_filters(&format!("vaapi:{v}")))
    .output(|o, v| o.devices.add_for_filters(&format!("vaapi:{v}"))),
    LibraryOption::new(
        Row::ffmpeg(
            "qsv_device",
            Scope::Global,
            ValueType::Text,
            "as -init_hw_device qsv:hw_any,child_device=DEVICE, for filters too",
        )
        .placeholder("DEVICE"),
    )
    .input(|o, v| o.hardware.devices.add_for_filters(&format!("qsv:hw_any,child_device={v}")))
    .output(|o, v| o.devices.add_for_filters(&format!("qsv:hw_any,child_device={v}"))),
    LibraryOption::new(
        Row::ffmpeg("b:v", Scope::Output, ValueType::BitRate, "the video bit rate, such as 2M")
            .aliases(&["b"])
            .python(&["output", "create"])
            .keyword("bit_rate"),
    )
    .per_stream(VIDEO, |o, s, v| o.push("b", &s, v)),
    LibraryOption::new(Row::ffmpeg(
        "b:a",
        Scope::Output,
        ValueType::BitRate,
        "the audio bit rate, such as 128k",
    ))
    .per_stream(AUDIO, |o, s, v| o.push("b", &s, v)),
    LibraryOption::new(Row::ffmpeg(
        "ac",
        Scope::Both,
        ValueType::Integer,
        "audio channels, 1 to 8: those of raw input; those of an output",
    ))
    .input(|o, v| {
        usual_layout(v)?;
        o.channels = Some(v.to_owned());
        Ok(())
    })
    .per_stream(AUDIO, |o, s, v| o.push("ch_layout", &s, usual_layout(v)?)),
    LibraryOption::new(Row::ffmpeg(
        "ar",
        Scope::Both,
        ValueType::Integer,
        "audio samples a second, such as 44100 or 48k",
    ))
    .input(|o, v| o.push("ar", &sample_rate(v)))
    .per_stream(AUDIO, |o, s, v| o.push("ar", &s, &sample_rate(v))),
    LibraryOption::new(
        Row::ffmpeg("g", Scope::Output, ValueType::Integer, "the most frames between keyframes")
            .default("two seconds of them on a live output"),
    )
    .per_stream(VIDEO, |o, s, v| o.push("g", &s, v)),
    LibraryOption::new(Row::ffmpeg(
        "force_key_frames",
        Scope::Output,
        ValueType::Text,
        "where keyframes are: times as 0,2.5, chapters, expr:gte(t,n_forced*2), or source",
    ))
    .per_stream(VIDEO, |o, s, v| KeyframeChoice::parse(v).map(|at| o.keyframes.set(s, at))),
    LibraryOption::new(Row::ffmpeg(
        "pass",
        Scope::Output,
        ValueType::Integer,
        "1 writes down what a second pass needs, 2 is that pass, 3 does both",
    ))
    .per_stream(VIDEO, |o, s, v| encoding_pass(v).map(|pass| o.pass.set(s, pass))),
    LibraryOption::new(
        Row::ffmpeg(
            "passlogfile",
            Scope::Output,
            ValueType::Path,
            "what the names of the files of -pass begin with",
        )
        .default("ffmpeg2pass"),
    )
    .per_stream(VIDEO, |o, s, v| {
        o.pass_log.set(s, v.to_owned());
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg(
        "aspect",
        Scope::Output,
        ValueType::Ratio,
        "width to height of the picture as it is shown, such as 16:9",
    ))
    .per_stream(VIDEO, |o, s, v| parse_ratio(v).map(|ratio| o.aspect.set(s, ratio))),
    LibraryOption::new(
        Row::ffmpeg(
            "fps_mode",
            Scope::Output,
            ValueType::Text,
            "cfr makes the frame rate constant; with passthrough, vfr and auto each frame keeps its time",
        )
        .aliases(&["vsync"])
        .default("auto"),
    )
    .per_stream(VIDEO, |o, s, v| frame_times(v).map(|t| o.frame_times.set(s, t))),
    LibraryOption::new(Row::ffmpeg(
        "filter",
        Scope::Output,
        ValueType::FilterGraph,
        "a filter graph for each stream that the specifier names, such as -filter:1",
    ))
    .per_stream(ALL, |o, s, v| {
        filtered_streams(&s)?;
        o.filter.set(s, v.to_owned());
        Ok(())
    }),
    LibraryOption::new(
        Row::ffmpeg("vf", Scope::Output, ValueType::FilterGraph, "a filter graph for the video")
            .aliases(&["filter:v"]),
    )
    .per_stream(VIDEO, |o, s, v| {
        o.filter.set(s, v.to_owned());
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg(
        "sws_flags",
        Scope::Output,
        ValueType::Text,
        "how -vf's filters scale where they don't say it themselves, such as bicubic+accurate_rnd",
    ))
    .per_stream(VIDEO, |o, s, v| {
        scaler_flags(v).map(|flags| o.scaler_flags.set(s, flags))
    }),
    LibraryOption::new(
        Row::ffmpeg("af", Scope::Output, ValueType::FilterGraph, "a filter graph for the sound")
            .aliases(&["filter:a"]),
    )
    .per_stream(AUDIO, |o, s, v| {
        o.filter.set(s, v.to_owned());
        Ok(())
    }),
    LibraryOption::new(Row::ffmpeg(
        "frames",
        Scope::Output,
        ValueType::Integer,
        "end each stream after this many frames; of sound and of what is copied, packets are counted",
    ))
    .per_stream(ALL, |o, s, v| parse_frames("frames", v).map(|frames| o.frames.set(s, frames))),
    LibraryOption::new(
        Row::ffmpeg(
            "frames:v",
            Scope::Output,
            ValueType::Integer,
            "stop after this many video frames; the sound ends with the last one",
        )
        .aliases(&["vframes"]),
    )
    .per_stream(VIDEO, |o, s, v| {
        parse_frames("frames:v", v).map(|frames| o.frames.set(s, frames))
    }),
    LibraryOption::new(Row::ffmpeg(
        "aframes",
        Scope::Output,
        ValueType::Integer,
        "as -frames:a",
    ))
    .per_stream(AUDIO, |o, s, v| {
        parse_frames("frames:a", v).map(|frames| o.frames.set(s, frames))
    }),
    LibraryOption::new(Row::ffmpeg(
        "dframes",
        Scope::Output,
        ValueType::Integer,
        "as -frames:d",
    ))
    .per_stream(DATA, |o, s, v| {
        parse_frames("frames:d", v).map(|frames| o.frames.set(s, frames))
    }),
    LibraryOption::new(Row::ffmpeg(
        "q",
        Scope::Output,
        ValueType::Number,
        "the quality of every stream whose encoder has such a scale",
    ))
    .per_stream(ALL, |o, s, v| quality(v).map(|value| o.quality.set(s, value))),
    LibraryOption::new(
        Row::ffmpeg(
            "q:v",
            Scope::Output,
            ValueType::Number,
            "the video quality of encoders with such a scale, as MPEG-4 and MJPEG: 1 is the best, 31 the \
             smallest",
        )
        .aliases(&["qscale", "qscale:v"]),
    )
    .per_stream(VIDEO, |o, s, v| quality(v).map(|value| o.quality.set(s, value))),
    LibraryOption::new(
        Row::ffmpeg(
            "q:a",
            Scope::Output,
            ValueType::Number,
            "the audio quality of encoders with such a scale, as MP3 and Vorbis",
        )
        .aliases(&["aq", "qscale:a"]),
    )
    .per_stream(AUDIO, |o, s, v| quality(v).map(|value| o.quality.set(s, value))),
    LibraryOption::new(
        Row::long(
            "open-timeout",
            Group::Ends,
            ValueType::Duration,
            "give up on a network input or output that isn't open by then",
        )
        .default("10s")
        .python(&["open"]),
    )
    .input(|o, v| parse_duration(v).map(|limit| o.open_timeout = limit))
    .output(|o, v| parse_duration(v).map(|limit| o.open_timeout = Some(limit))),
    LibraryOption::new(
        Row::long(
            "wait-for-inputs",
            Group::Ends,
            WAIT_FOR_INPUTS,
            "any begins without live inputs that are missing: a card stands in their place until they \
             come",
        )
        .default("all: one that is missing is an error")
        .python(&["open"]),
    )
    .input(|o, v| choice("wait-for-inputs", v).map(|wait| o.wait = wait)),
    LibraryOption::new(
        Row::long(
            "preroll",
            Group::Ends,
            ValueType::Duration,
            "how long an input's newest packets are kept, in at most 64 MiB, for outputs that a program adds \
             while it runs and that begin with them",
        )
        .default("0: none")
        .python(&["open"]),
    )
    .input(|o, v| parse_duration(v).map(|span| o.preroll = span)),
    LibraryOption::new(
        Row::long(
            "speed",
            Group::Ends,
            ValueType::Number,
            "play a stored input so many times as fast, from 0.1 to 100; the sound keeps its pitch",
        )
        .default("1")
        .python(&["open"]),
    )
    .input(|o, v| Speed::parse(v).map(|speed| o.speed = speed)),
    LibraryOption::new(
        Row::long(
            "live",
            Group::Ends,
            LIVE,
            "whether the input counts as live: opened again when it is lost, and never held back \
             by slow code",
        )
        .default("auto, which decides by what was opened")
        .python(&["open"]),
    )
    .input(|o, v| choice("live", v).map(|live| o.live = live)),
    LibraryOption::new(
        Row::long(
            "rtmp",
            Group::Ends,
            ValueType::Choice(&["libav"]),
            "have libavformat read and write RTMP",
        )
        .default("Frameloom's own client"),
    )
    .input(|o, v| is_libav(v).map(|()| o.rtmp_by_libav = true))
    .output(|o, v| is_libav(v).map(|()| o.rtmp_by_libav = true)),
    LibraryOption::new(
        Row::long(
            "on-loss",
            Group::Ends,
            ON_LOSS,
            "while a live input is lost: hold shows its last frame, slate shows a card, end \
             finishes the outputs",
        )
        .default("hold; end where an output is a pipe")
        .python(&["open"]),
    )
    .live(|o, v| choice("on-loss", v).map(|policy| o.on_loss = Some(policy))),
    LibraryOption::new(
        Row::long(
            "slate",
            Group::Ends,
            ValueType::Path,
            "the picture to show while the input is lost; means --on-loss=slate",
        )
        .default("a card that says \"no signal\"")
        .python(&["open"]),
    )
    .live(|o, v| {
        o.slate = Some(v.into());
        Ok(())
    }),
    LibraryOption::new(
        Row::long(
            "stall-timeout",
            Group::Ends,
            ValueType::Duration,
            "how long a live input may be silent before it counts as lost",
        )
        .default("5s")
        .python(&["open"]),
    )
    .live(|o, v| above_zero("stall-timeout", v).map(|limit| o.stall_timeout = Some(limit))),
    LibraryOption::new(
        Row::long(
            "reconnect-for",
            Group::Ends,
            ValueType::Duration,
            "how long a lost end is tried again",
        )
        .default("for ever")
        .python(&["open", "create"]),
    )
    .live(|o, v| parse_duration(v).map(|limit| o.reconnect_for = Some(limit))),
    LibraryOption::new(
        Row::long(
            "no-reconnect",
            Group::Ends,
            ValueType::Flag,
            "end when a live input ends or is lost, or a live output is lost",
        )
        .python(&["open", "create"]),
    )
    .live(|o, _| {
        o.no_reconnect = true;
        Ok(())
    }),
    LibraryOption::new(
        Row::long(
            "on-resize",
            Group::Ends,
            ON_RESIZE,
            "frames of another size than the first: fit scales them, restart starts the encoder \
             anew",
        )
        .default("fit")
        .python(&["open"]),
    )
    .live(|o, v| choice("on-resize", v).map(|policy| o.on_resize = policy)),
    LibraryOption::new(
        Row::long(
            "frame-format",
            Group::Code,
            FRAME_FORMAT,
            "the pixel format that COMMAND reads and writes",
        )
        .placeholder("FORMAT")
        .default("rgb24"),
    )
    .command(|o, v| frame_format(v).map(|format| o.frame_format = Some(format))),
    LibraryOption::new(
        Row::long(
            "frame-size",
            Group::Code,
            ValueType::Size,
            "the size that frames are scaled to for COMMAND",
        )
        .default("the input's"),
    )
    .command(|o, v| Size::parse(v).map(|size| o.frame_size = Some(size))),
    LibraryOption::new(
        Row::long(
            "draw",
            Group::Code,
            DRAW,
            "what COMMAND writes for each frame: pixels, or data, a line of JSON that is drawn on the \
             frame",
        )
        .default("pixels"),
    )
    .command(|o, v| choice("draw", v).map(|answer| o.answer = Some(answer))),
    LibraryOption::new(
        Row::long(
            "frame-transport",
            Group::Code,
            FRAME_TRANSPORT,
            "how frames get to COMMAND: by pipe, or shm, in shared memory",
        )
        .default("pipe"),
    )
    .command(|o, v| choice("frame-transport", v).map(|transport| o.transport = Some(transport))),
    LibraryOption::new(
        Row::long(
            "audio-command",
            Group::Code,
            ValueType::Text,
            "a program that edits the sound: samples come to its stdin, and as many go back from its \
             stdout; split into words as a shell does, and run without one",
        )
        .placeholder("COMMAND"),
    )
    .audio(|o, v| {
        o.line = Some(v.to_owned());
        Ok(())
    }),
    LibraryOption::new(
        Row::long(
            "audio-format",
            Group::Code,
            AUDIO_FORMAT,
            "the samples of --audio-command, their channels interleaved",
        )
        .default("s16le"),
    )
    .audio(|o, v| audio_format(v).map(|format| o.format = format)),
    LibraryOption::new(
        Row::long(
            "audio-rate",
            Group::Code,
            ValueType::Integer,
            "the samples a second that the sound is brought to for --audio-command",
        )
        .default("the input's"),
    )
    .audio(|o, v| count(v, 768_000).map(|rate| o.sample_rate = Some(rate))),
    LibraryOption::new(
        Row::long(
            "audio-channels",
            Group::Code,
            ValueType::Integer,
            "the channels that the sound is brought to for --audio-command",
        )
        .default("the input's"),
    )
    .audio(|o, v| count(v, 64).map(|channels| o.channels = Some(channels))),
    LibraryOption::new(
        Row::long(
            "on-slow",
            Group::Code,
            ON_SLOW,
            "a frame that your code is too slow for: latest drops the older ones, block waits, \
             bypass sends it unedited, hold shows the last edited one instead",
        )
        .default("latest for a live input, block for a file")
        .python(&["open"]),
    )
    .live(|o, v| choice("on-slow", v).map(|policy| o.on_slow = Some(policy))),
    LibraryOption::new(
        Row::long(
            "deadline",
            Group::Code,
            ValueType::Duration,
            "send a frame unedited that your code has had for so long; means --on-slow=bypass",
        )
        .default("none")
        .python(&["open"]),
    )
    .live(|o, v| above_zero("deadline", v).map(|limit| o.deadline = Some(limit))),
    LibraryOption::new(
        Row::long(
            "on-error",
            Group::Code,
            ON_ERROR,
            "when your code fails: bypass sends the frame unedited, stop ends the run, restart \
             starts COMMAND again, hold does that too and shows the last edited frame until then",
        )
        .default(
            "restart for a COMMAND on live input, bypass for other code on it, stop for a file",
        )
        .python(&["open"]),
    )
    .live(|o, v| choice("on-error", v).map(|policy| o.on_error = Some(policy))),
    LibraryOption::new(
        Row::long(
            "on-untouched",
            Group::Code,
            ON_UNTOUCHED,
            "video that your code leaves as it is: encode encodes it with all else, copy sends the \
             input's packets until a frame is edited (H.264)",
        )
        .default("encode")
        .python(&["open"]),
    )
    .live(|o, v| choice("on-untouched", v).map(|policy| o.on_untouched = policy)),
    LibraryOption::new(
        Row::long(
            "untouched-after",
            Group::Code,
            ValueType::Duration,
            "how long nothing must have been edited before packets are copied again",
        )
        .default("1")
        .python(&["open"]),
    )
    .live(|o, v| parse_duration(v).map(|span| o.untouched_after = Some(span))),
];

fn is_libav(value: &str) -> Result<()> {
    if value == "libav" {
        return Ok(());
    }
    let cause = sentence!("'{}' is no value of {}", value, Setting::own("rtmp"));
    Err(Error::usage(cause).hint(Hint::one_of(value, ["libav"])))
}

/// Every option of the library.
pub fn library() -> &'static [LibraryOption] {
    TABLE
}

/// The option of this name among FFmpeg's, without its dash, and with or without a stream specifier
/// where it is for streams.
pub fn find_ffmpeg(name: &str) -> Option<&'static LibraryOption> {
    let named =
        |name: &str| TABLE.iter().find(|entry| !entry.row.is_long && entry.row.is_named(name));
    let mut bare = name;
    let mut found = named(name);
    while let (None, Some((shorter, _))) = (found, bare.rsplit_once(':')) {
        bare = shorter;
        found = named(bare).filter(|entry| entry.is_per_stream() || entry.is_suffixed());
    }
    found
}

/// The option of this name among Frameloom's own, without its dashes.
pub fn find_long(name: &str) -> Option<&'static LibraryOption> {
    TABLE.iter().find(|entry| entry.row.is_long && entry.row.is_named(name))
}
