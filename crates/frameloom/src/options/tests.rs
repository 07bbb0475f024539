use std::time::Duration;

use super::row::{Scope, ValueType};
use super::table::{find_ffmpeg, library};
use super::*;
use crate::av::listing::device_types;
use crate::error::ErrorKind;
use crate::time::{Rate, Timestamp};

#[test]
fn values_are_libavs_own() {
    assert_eq!(Size::parse("hd720").unwrap(), Size::new(1280, 720).unwrap());
    assert_eq!(parse_rate("ntsc").unwrap(), Rate::new(30_000, 1001).unwrap());
    assert_eq!(parse_span("1:30.5").unwrap().as_micros(), 90_500_000);
    assert_eq!(parse_span("-2").unwrap().as_micros(), -2_000_000);
    assert_eq!(parse_duration("2s").unwrap(), Duration::from_secs(2));
    assert_eq!(parse_duration("200ms").unwrap(), Duration::from_millis(200));
}

#[test]
fn nonsense_is_wrong_usage() {
    for error in [
        Size::parse("0x0").unwrap_err(),
        Size::parse("axb").unwrap_err(),
        parse_rate("0").unwrap_err(),
        parse_rate("-25").unwrap_err(),
        parse_span("soon").unwrap_err(),
        parse_duration("-1").unwrap_err(),
        InputOptions::new().set("nosuchthing", "1").unwrap_err(),
        InputOptions::new().set("vf", "scale=2:2").unwrap_err(),
        OutputOptions::new().set("re", "").unwrap_err(),
        OutputOptions::new().set("c:v", "libx26").unwrap_err(),
        OutputOptions::new().set("c:a", "libx264").unwrap_err(),
        OutputOptions::new().set("f", "flvv").unwrap_err(),
        OutputOptions::new().set("pix_fmt", "yuv42p").unwrap_err(),
        OutputOptions::new().set("preset:x", "fast").unwrap_err(),
        OutputOptions::new().set("frames:v", "0").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

/// Where it is not known yet which part of libav will get an option, a value is refused that none of
/// them takes.
#[test]
fn a_value_that_nothing_takes_is_refused() {
    use crate::error::{ExpectedValue, Hint, ValueKind};
    let expected = |error: crate::error::Error| match error.advice() {
        Some(Hint::Takes(expected)) => expected.clone(),
        other => panic!("{error}: {other:?}"),
    };
    for (name, value) in [
        ("g", "1e30"),
        ("g", "-3e9"),
        ("b:v", "-5"),
        ("b", "much"),
        ("flags", "+nonsense"),
        ("crf", "best"),
        ("movflags", "no_such_flag"),
        ("strict", "no such"),
        ("rw_timeout", "-1"),
        ("ac", "9"),
        ("preset", "fast\0er"),
        ("vf", "hflip\0"),
    ] {
        let error = OutputOptions::new().set(name, value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{name} {value}: {error}");
        let named = error.option().unwrap();
        assert!(named.is_same(&crate::error::Setting::ffmpeg(name)), "{name}: {error}");
    }
    for (name, value) in [
        ("g", "2*25"),
        ("g", "max"),
        ("b:v", "2*1000k"),
        ("b:a", "128k"),
        ("flags", "+cgop-loop"),
        // As FFmpeg's own range of it has it; which encoder it will be is not known.
        ("crf", "900"),
        ("movflags", "+faststart"),
        ("strict", "experimental"),
        ("preset", "anything"),
        ("profile:v", "high"),
    ] {
        assert!(OutputOptions::new().set(name, value).is_ok(), "{name} {value}");
    }
    for (name, value) in
        [("probesize", "1"), ("skip_frame", "sometimes"), ("rtsp_transport", "pigeon")]
    {
        assert!(InputOptions::new().set(name, value).is_err(), "{name} {value}");
    }
    let bits = expected(OutputOptions::new().set("b", "-5").unwrap_err());
    assert_eq!(bits.least.as_deref(), Some("0"));
    assert_eq!((bits.kind, bits.greatest), (ValueKind::WholeNumber, None));
    let flags = expected(OutputOptions::new().set("flags", "+qscael").unwrap_err());
    assert_eq!((flags.kind, &flags.near), (ValueKind::Flags, &vec!["qscale".to_owned()]));
    assert!(flags.names.contains(&"cgop".to_owned()));
    let transport = expected(InputOptions::new().set("rtsp_transport", "pigeon").unwrap_err());
    assert!(transport.names.contains(&"tcp".to_owned()), "{transport:?}");
    let ExpectedValue { least, greatest, .. } =
        expected(InputOptions::new().set("probesize", "1").unwrap_err());
    assert_eq!((least.as_deref(), greatest), (Some("32"), None));
    let long = "9".repeat(1000);
    let said = OutputOptions::new().set("g", &long).unwrap_err().to_string();
    assert!(said.len() < 300 && said.contains("999…"), "{said}");
    // What is secret stays so.
    let said = InputOptions::new().set("tls_verify", "secret-word").unwrap_err().to_string();
    assert!(said.contains("secret-word"), "{said}");
}

#[test]
fn the_nearest_names_are_told() {
    let message = OutputOptions::new().set("c:v", "libx246").unwrap_err().to_string();
    assert!(message.contains("libx264"), "{message}");
    let message = OutputOptions::new().set("pixfmt", "gray").unwrap_err().to_string();
    assert!(message.contains("pix_fmt"), "{message}");
}

#[test]
fn contradictions_can_not_be_built() {
    let built = |pairs: &[(&str, &str)]| {
        let mut options = OutputOptions::new();
        pairs.iter().try_for_each(|(n, v)| options.set(n, v)).and_then(|()| options.check())
    };
    assert!(built(&[("c:v", "copy"), ("vf", "hflip")]).is_err());
    assert!(built(&[("c", "copy"), ("s", "2x2")]).is_err());
    assert!(built(&[("vn", ""), ("an", ""), ("sn", "")]).is_err());
    assert!(built(&[("c:v", "copy"), ("c:a", "aac")]).is_ok());
}

#[test]
fn the_typed_settings_are_those_by_name() {
    let (size, rate) = (Size::new(640, 360).unwrap(), Rate::new(25, 1).unwrap());
    let seconds = Duration::from_secs;
    let typed = InputOptions::new()
        .start(seconds(1))
        .duration(seconds(2))
        .end(seconds(3))
        .size(size)
        .rate(rate)
        .loops(4)
        .realtime(true)
        .no_audio(true)
        .no_video(true);
    let typed = typed.format("rawvideo").and_then(|o| o.pixel_format("gray"));
    let typed = typed.and_then(|o| o.video_codec("h264")).and_then(|o| o.audio_codec("aac"));
    let mut named = InputOptions::new();
    for (name, value) in [
        ("ss", "1"),
        ("t", "2"),
        ("to", "3"),
        ("s", "640x360"),
        ("r", "25"),
        ("stream_loop", "4"),
        ("re", ""),
        ("an", ""),
        ("vn", ""),
        ("f", "rawvideo"),
        ("pix_fmt", "gray"),
        ("c:v", "h264"),
        ("c:a", "aac"),
    ] {
        named.set(name, value).unwrap();
    }
    assert_eq!(format!("{:?}", typed.unwrap()), format!("{named:?}"));
    let forever = InputOptions::new().with("stream_loop", "-1").unwrap();
    assert_eq!(format!("{:?}", InputOptions::new().loop_forever()), format!("{forever:?}"));

    let typed = OutputOptions::new()
        .start(seconds(1))
        .duration(seconds(2))
        .end(seconds(3))
        .size(size)
        .rate(rate)
        .aspect(16, 9)
        .no_audio(true)
        .no_video(true)
        .filter("hflip")
        .frames(9)
        .overwrite(true);
    let typed = typed.format("flv").and_then(|o| o.pixel_format("+yuv420p"));
    let typed = typed.and_then(|o| o.video_codec("libx264")).and_then(|o| o.audio_codec("copy"));
    let mut named = OutputOptions::new();
    for (name, value) in [
        ("ss", "1"),
        ("t", "2"),
        ("to", "3"),
        ("s", "640x360"),
        ("r", "25"),
        ("aspect", "16:9"),
        ("an", ""),
        ("vn", ""),
        ("vf", "hflip"),
        ("frames:v", "9"),
        ("y", ""),
        ("f", "flv"),
        ("pix_fmt", "+yuv420p"),
        ("c:v", "libx264"),
        ("c:a", "copy"),
    ] {
        named.set(name, value).unwrap();
    }
    assert_eq!(typed.unwrap(), named);

    let typed = LiveOptions::new()
        .on_loss(OnLoss::Slate)
        .slate("card.png")
        .on_slow(OnSlow::Bypass)
        .deadline(Duration::from_millis(40))
        .on_error(OnError::Stop)
        .on_resize(OnResize::Restart)
        .on_untouched(OnUntouched::Copy)
        .untouched_after(seconds(3))
        .reconnect_for(seconds(5))
        .no_reconnect(true)
        .stall_timeout(seconds(6));
    let mut named = LiveOptions::new();
    for (name, value) in [
        ("on-loss", "slate"),
        ("slate", "card.png"),
        ("on-slow", "bypass"),
        ("deadline", "40ms"),
        ("on-error", "stop"),
        ("on-resize", "restart"),
        ("on-untouched", "copy"),
        ("untouched-after", "3"),
        ("reconnect-for", "5s"),
        ("no-reconnect", ""),
        ("stall-timeout", "6"),
    ] {
        named.set(name, value).unwrap();
    }
    assert_eq!(typed, named);
}

#[test]
fn the_longest_times_can_be_added_to_a_clock() {
    let now = std::time::Instant::now();
    let live = LiveOptions::new()
        .deadline(Duration::MAX)
        .reconnect_for(Duration::MAX)
        .stall_timeout(Duration::MAX);
    for limit in [live.deadline, live.reconnect_for, live.stall_timeout] {
        assert!(now.checked_add(limit.unwrap()).is_some());
    }
    let input = InputOptions::new()
        .open_timeout(Duration::MAX)
        .start(Duration::MAX)
        .duration(Duration::MAX)
        .end(Duration::MAX);
    assert!(now.checked_add(input.open_timeout).is_some());
    assert!(input.check().is_ok() && input.length() > Some(Timestamp::ZERO));
    let output = OutputOptions::new().open_timeout(Duration::MAX).end(Duration::MAX);
    assert!(now.checked_add(output.open_timeout.unwrap()).is_some());
    assert!(output.check().is_ok() && output.length() > Some(Timestamp::ZERO));
    for text in ["99999999999999999", "9223372036854775807us", "2562047788:00:00"] {
        let parsed = parse_duration(text);
        assert!(parsed.is_err() || now.checked_add(parsed.unwrap()).is_some(), "{text}");
    }
}

#[test]
fn what_no_type_rules_out_is_refused_by_the_check() {
    assert!(OutputOptions::new().frames(0).check().is_err());
    assert!(InputOptions::new().duration(Duration::ZERO).check().is_err());
    assert!(LiveOptions::new().stall_timeout(Duration::ZERO).check(false, false).is_err());
    let late = LiveOptions::new().deadline(Duration::ZERO).on_slow(OnSlow::Bypass);
    assert!(late.check(false, true).is_err());
}

/// Each row's setters agree with the place that it names, and its values with its setters.
#[test]
fn rows_say_what_they_do() {
    let kinds = device_types();
    for entry in library() {
        let row = &entry.row;
        let (input, output) = (entry.is_for_input(), entry.is_for_output());
        match row.scope {
            Scope::Input => assert!(input && !output, "{}", row.name),
            Scope::Output => assert!(output, "{}", row.name),
            Scope::Both => assert!(input && output, "{}", row.name),
            Scope::Global => {
                let other = entry.is_for_live()
                    || entry.is_for_command()
                    || entry.is_for_graphs()
                    || entry.is_for_audio();
                assert!(input || output || other, "{}", row.name);
            }
        }
        let set = |value: &str| {
            entry.set_input(&mut InputOptions::new(), value)?;
            entry.set_output(&mut OutputOptions::new(), value)?;
            entry.set_live(&mut LiveOptions::new(), value)?;
            entry.set_audio(&mut AudioCommandOptions::new(), value)?;
            entry.set_command(&mut CommandOptions::new(), value)
        };
        let (good, bad): (&[&str], &str) = match row.value {
            ValueType::Flag => (&[""], ""),
            ValueType::Time if row.name == "sseof" => (&["-1:30.5", "-2", "-200ms"], "2"),
            ValueType::Time => (&["1:30.5", "-2", "200ms"], "soon"),
            ValueType::Duration => (&["2s", "500ms", "1.5"], "-1"),
            ValueType::Size => (&["960x540", "hd720"], "0x0"),
            ValueType::Rate => (&["25", "30000/1001"], "0"),
            ValueType::Ratio => (&["16:9", "1.85"], "0:9"),
            ValueType::Integer => (&["2"], "many"),
            ValueType::BitRate => (&["2M", "2*1000k"], "-5"),
            ValueType::Number if row.name == "speed" => (&["2", "0.5"], "-1"),
            ValueType::Number => (&["2", "0.5", "-1"], "fine"),
            ValueType::Choice(names) => (names, "no such"),
            ValueType::Format => (&["flv"], "flvv"),
            ValueType::PixelFormat => (&["yuv420p"], "yuv42p"),
            ValueType::Codec if row.name == "c:v" => (&["mpeg4"], "mpeg44"),
            ValueType::Codec if row.name == "c:a" => (&["aac"], "aacc"),
            ValueType::Codec if row.name == "c:s" => (&["srt"], "strt"),
            // A decoder, or copy: see below.
            ValueType::Codec => (&[], "no such"),
            _ if row.name == "hwaccel" => (&["none", "auto"], "no such"),
            _ if row.name == "init_hw_device" => (&kinds[..1], "no such:0"),
            _ if row.name == "filter_hw_device" => (&[], "no such"),
            // Not every libav has these kinds.
            _ if matches!(row.name, "vaapi_device" | "qsv_device") => (&[], ""),
            _ if row.name == "fps_mode" => (&["cfr", "vfr", "1", "-1"], "fast"),
            _ if row.name == "map" => (&["0", "0:v:0", "-0:s?", "0:m:language:eng"], "v:0"),
            _ if row.name == "metadata" => (&["title=Door", "title="], "title"),
            _ if row.name == "map_metadata" => (&["0", "-1", "0:s:0", "1:c:2"], "0:x"),
            _ if row.name == "map_chapters" => (&["0", "-1"], "none"),
            _ if matches!(row.name, "tag" | "vtag" | "atag" | "stag") => {
                (&["hvc1", "0x31637668"], "x")
            }
            _ if matches!(row.name, "bsf" | "vbsf" | "absf") => {
                (&["null", "setts=ts=PTS,null"], "nul")
            }
            _ if row.name == "force_key_frames" => {
                (&["0,1.5,chapters", "expr:gte(t,n)", "source"], "soon")
            }
            _ if row.name == "timecode" => (&["01:00:00:00", "01:00:00;00"], "x"),
            _ if row.name == "disposition" => (&["default", "+forced-default", "0"], "loud"),
            _ => (&["x"], ""),
        };
        for value in good {
            assert!(set(value).is_ok(), "{} {value}: {:?}", row.name, set(value));
        }
        if !bad.is_empty() {
            assert!(set(bad).is_err(), "{} {bad}", row.name);
        }
    }
    let c = find_ffmpeg("c").unwrap();
    let (input, output) = (&mut InputOptions::new(), &mut OutputOptions::new());
    assert!(c.set_input(input, "mpeg4").is_ok() && c.set_input(input, "copy").is_err());
    assert!(c.set_output(output, "copy").is_ok() && c.set_output(output, "mpeg4").is_err());
}

/// Python's stub has the keywords of the table, with its values, and no other.
#[test]
fn pythons_keywords_are_those_of_the_table() {
    let stub = include_str!("../../../../python/frameloom/_frameloom.pyi");
    for (function, own) in [
        ("open", &["source", "pix_fmt", "size", "rate", "options", "progress"][..]),
        ("probe", &["source", "options"]),
        // When it begins is no option of the library's table: there, `preroll` is the input's.
        ("output", &["self", "target", "options", "preroll"]),
        ("create", &["target", "size", "rate", "pix_fmt", "audio", "options"]),
    ] {
        let (_, rest) = stub.split_once(&format!("def {function}(")).unwrap();
        let (signature, _) = rest.split_once(") ->").unwrap();
        // A comma inside brackets separates no arguments.
        let mut depth = 0;
        let arguments = signature.split(|c: char| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            c == ',' && depth == 0
        });
        let arguments = arguments.map(str::trim).filter(|a| !a.is_empty() && *a != "*");
        let named = |argument: &str| argument.split([':', '=']).next().unwrap().trim().to_owned();
        let given: Vec<(String, &str)> = arguments.map(|a| (named(a), a)).collect();
        let rows = || library().iter().map(|e| &e.row).filter(|r| r.python.contains(&function));
        for (name, _) in &given {
            let is_row = rows().any(|row| row.keyword_name() == *name);
            assert!(is_row != own.contains(&name.as_str()), "{function}({name})");
        }
        for row in rows() {
            let keyword = row.keyword_name();
            let found = given.iter().find(|(name, _)| *name == keyword);
            let (_, written) = found.unwrap_or_else(|| panic!("{function}() lacks {keyword}"));
            for choice in row.choices() {
                // A function of yours can't be started again, and yes and no are True and False.
                let word = match (row.name, *choice) {
                    ("on-error", "restart") => continue,
                    ("live", "yes" | "no") => "bool".to_owned(),
                    _ => format!("\"{choice}\""),
                };
                assert!(written.contains(&word), "{function}({written}) lacks {choice}");
            }
        }
    }
}
