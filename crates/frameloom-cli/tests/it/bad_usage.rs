//! A wrong command line: exit status 2, one line that says what would be right, and nothing done.

use std::ffi::OsString;

use crate::harness::nginx::free_port;
use crate::harness::*;
use crate::like_ffmpeg::manifold;

/// Runs `line` (with `IN` and `OUT` filled in) and expects it refused as wrong usage, with each
/// of `words` in the one line that says why.
#[track_caller]
fn assert_wrong(line: &str, words: &[&str]) {
    let room = room();
    let (source, out) = (counted_av("numbered.mp4"), room.path().join("out.mp4"));
    let fill = |word: &str| -> OsString {
        match word {
            "IN" => source.clone().into(),
            "OUT" => out.clone().into(),
            other => other.into(),
        }
    };
    let said = frameloom(line.split_whitespace().map(fill).collect()).run().refuses(2);
    for word in words {
        assert!(said.contains(word), "{line}: no {word:?} in: {said}");
    }
    assert!(!out.exists(), "{line}: an output was begun all the same");
}

#[test]
fn nothing_at_all() {
    let outcome = frameloom(args![]).run();
    assert_eq!(outcome.code(), Some(2));
    assert!(outcome.stderr.contains("-i"), "no usage: {}", outcome.stderr);
}

/// What a graph makes by itself needs no input.
#[test]
fn a_graph_that_takes_an_input_has_none() {
    for graph in ["hflip", "[0:v]hflip", "color=d=1[c];[c][0:v]overlay"] {
        assert_wrong(&format!("-filter_complex {graph} OUT"), &["no input is named", "-i"]);
    }
}

#[test]
fn help_and_version() {
    let help = frameloom(args!["--help"]).run().ok();
    let text = String::from_utf8(help.stdout).unwrap();
    for word in ["-i", "--frame-format", "--frame-size", "--stats", "--open-timeout", "probe"] {
        assert!(text.contains(word), "--help doesn't tell {word}");
    }
    let version = frameloom(args!["--version"]).run().ok();
    let text = String::from_utf8(version.stdout).unwrap();
    assert!(text.starts_with(&format!("frameloom {}", env!("CARGO_PKG_VERSION"))), "{text}");
}

#[test]
fn an_unknown_option() {
    assert_wrong("-i IN -framez:v 3 OUT", &["-framez:v", "-frames:v"]);
    assert_wrong("-i IN -vcodek libx264 OUT", &["-vcodek", "-vcodec"]);
}

#[test]
fn an_option_that_nobody_took() {
    assert_wrong("-i IN -nosuchoption 5 OUT", &["-nosuchoption"]);
    assert_wrong("-nosuchoption 5 -i IN OUT", &["-nosuchoption"]);
    assert_wrong("-i IN -c:v libx264 -presett fast OUT", &["-presett", "-preset"]);
    assert_wrong("-i IN -c:v libx264 -crff 20 OUT", &["-crff", "-crf"]);
}

#[test]
fn an_encoders_option_on_a_copy() {
    assert_wrong("-i IN -c copy -crf 20 OUT", &["-crf"]);
}

#[test]
fn an_options_value_that_its_owner_refuses() {
    assert_wrong("-i IN -c:v libx264 -g many OUT", &["g", "many"]);
    assert_wrong("-i IN -c:v libx264 -crf best OUT", &["crf", "best"]);
    assert_wrong("-i IN -b:v much OUT", &["b", "much"]);
}

/// An input that is not there would be told, with another status, if it were opened.
#[test]
fn a_value_is_judged_before_anything_is_opened() {
    for (line, words) in [
        ("-i NONE -g 1e30 OUT", &["-g", "1e30", "a whole number from -2147483648"][..]),
        ("-i NONE -b:v -5 OUT", &["-b:v", "-5", "from 0 on"]),
        ("-i NONE -c:v libvpx-vp9 -crf 900 out.webm", &["-crf", "900", "from -1 to 63"]),
        ("-i NONE -c:v libx264 -preset nonsense OUT", &["-preset", "nonsense", "veryfast"]),
        // The encoder is known by the container.
        ("-i NONE -preset ultrafst OUT", &["-preset", "did you mean ultrafast?"]),
        ("-i NONE -flags +cgopp OUT", &["-flags", "did you mean cgop?", "+ or -"]),
        ("-i NONE -movflags faststrat OUT", &["-movflags", "did you mean faststart?"]),
        ("-i NONE -flvflags nothing -f flv rtmp://127.0.0.1:9/live/x", &["-flvflags", "nothing"]),
        ("-probesize 1 -i NONE OUT", &["-probesize", "from 32"]),
        ("-rtsp_transport pigeon -i rtsp://127.0.0.1:9/x OUT", &["-rtsp_transport", "pigeon"]),
        ("-rtmp_buffer soon -i rtmp://127.0.0.1:9/live/x OUT", &["-rtmp_buffer", "soon"]),
        ("-reconnect perhaps -i http://127.0.0.1:9/x OUT", &["-reconnect", "1 or 0"]),
        ("-c:v h264 -skip_frame sometimes -i NONE OUT", &["-skip_frame", "sometimes"]),
        ("-f hls -live_start_index last -i NONE OUT", &["-live_start_index", "last"]),
        ("-i NONE -vf scale=2:2:interl=9 OUT", &["interl", "filter scale"]),
        ("-i NONE -vf hflp OUT", &["hflp", "hflip"]),
        ("-i rtmp://127.0.0.1:99999/live/x OUT", &["port"]),
    ] {
        assert_wrong(&line.replace("NONE", "/no/such/input.mp4"), words);
    }
}

#[test]
fn an_unknown_long_option() {
    assert_wrong("--frame-fromat rgb24 -i IN OUT -- cat", &["--frame-fromat", "--frame-format"]);
    assert_wrong("--no-such-thing -i IN OUT", &["--no-such-thing"]);
}

#[test]
fn an_unknown_encoder() {
    assert_wrong("-i IN -c:v libx246 OUT", &["libx246", "libx264"]);
    assert_wrong("-i IN -c:a acc OUT", &["acc", "aac"]);
}

#[test]
fn an_encoder_of_the_other_kind() {
    assert_wrong("-i IN -c:v aac OUT", &["aac"]);
    assert_wrong("-i IN -c:a libx264 OUT", &["libx264"]);
}

#[test]
fn an_unknown_format() {
    assert_wrong("-i IN -f fvl OUT", &["fvl", "flv"]);
    assert_wrong("-f mpegtts -i IN OUT", &["mpegtts", "mpegts"]);
}

#[test]
fn an_unknown_pixel_format() {
    assert_wrong("-i IN -pix_fmt yuv402p OUT", &["yuv402p", "yuv420p"]);
    assert_wrong("-f rawvideo -s 8x8 -pix_fmt rbg24 -i IN OUT", &["rbg24", "rgb24"]);
    assert_wrong("--frame-format=rbg24 -i IN OUT -- cat", &["rbg24", "rgb24"]);
}

#[test]
fn a_pixel_format_that_must_be_and_cannot() {
    assert_wrong("-i IN -c:v libx264 -pix_fmt +pal8 OUT", &["pal8", "libx264"]);
}

#[test]
fn a_size_of_nothing() {
    assert_wrong("-i IN -s 0x0 OUT", &["0x0"]);
    assert_wrong("-f rawvideo -pix_fmt rgb24 -s 0x0 -i IN OUT", &["0x0"]);
    assert_wrong("--frame-size=0x0 -i IN OUT -- cat", &["0x0"]);
}

#[test]
fn a_size_that_is_none() {
    assert_wrong("-i IN -s huge OUT", &["huge", "960x540"]);
    assert_wrong("-i IN -s 100x OUT", &["100x"]);
    assert_wrong("-i IN -s -8x8 OUT", &["-8x8"]);
    assert_wrong("-i IN -s 99999999x99999999 OUT", &["99999999x99999999"]);
    assert_wrong("--frame-size wide -i IN OUT -- cat", &["wide"]);
}

#[test]
fn a_rate_of_nothing() {
    assert_wrong("-i IN -r 0 OUT", &["-r", "0"]);
    assert_wrong("-f rawvideo -pix_fmt rgb24 -s 8x8 -r 0 -i IN OUT", &["-r", "0"]);
    assert_wrong("-i IN -r fast OUT", &["fast"]);
    assert_wrong("-i IN -r -5 OUT", &["-5"]);
    assert_wrong("-i IN -r 30000/0 OUT", &["30000/0"]);
}

#[test]
fn a_duration_that_is_none() {
    assert_wrong("-i IN -t soon OUT", &["-t", "soon"]);
    assert_wrong("-ss later -i IN OUT", &["-ss", "later"]);
    assert_wrong("--open-timeout=soon -i IN OUT", &["--open-timeout", "soon"]);
}

#[test]
fn a_count_that_is_none() {
    assert_wrong("-i IN -frames:v few OUT", &["-frames:v", "few"]);
    assert_wrong("-stream_loop often -i IN OUT", &["-stream_loop", "often"]);
}

#[test]
fn a_value_that_is_missing() {
    assert_wrong("-i IN -c:v", &["-c:v"]);
    assert_wrong("-i", &["-i"]);
    assert_wrong("--frame-size", &["--frame-size"]);
}

#[test]
fn an_unknown_kind_of_statistics() {
    assert_wrong("--stats=xml -i IN OUT", &["xml", "json"]);
}

#[test]
fn no_input() {
    assert_wrong("OUT", &["-i"]);
    assert_wrong("-y OUT", &["-i"]);
}

#[test]
fn no_output_and_no_command_but_for_sound() {
    assert_wrong("-i IN --audio-format=s16le --audio-command=cat", &["OUTPUT", "COMMAND"]);
}

#[test]
fn options_behind_the_last_output() {
    assert_wrong("-i IN OUT -an", &["-an"]);
}

#[test]
fn an_input_option_in_the_wrong_place() {
    assert_wrong("-i IN -re OUT", &["-re"]);
    assert_wrong("-i IN -stream_loop 2 OUT", &["-stream_loop"]);
}

#[test]
fn no_command_behind_the_dashes() {
    assert_wrong("-i IN OUT --", &["--"]);
}

#[test]
fn a_command_for_a_copy() {
    assert_wrong("-i IN -c:v copy OUT -- cat", &["copy"]);
    assert_wrong("-i IN -c:v copy -vf negate OUT", &["copy"]);
}

#[test]
fn a_verb_without_its_argument() {
    assert_wrong("probe", &["probe"]);
}

#[test]
fn an_unknown_filter() {
    assert_wrong("-i IN -vf negatee OUT", &["negatee", "negate"]);
}

#[test]
fn a_filter_that_is_misspelt() {
    assert_wrong("-i IN -vf hflp OUT", &["hflp", "did you mean hflip"]);
    assert_wrong("-i IN -vf scale=160:-2,[in]vflp[out] OUT", &["did you mean vflip"]);
}

#[test]
fn two_dashes_that_were_forgotten() {
    let dashes = "write -- before a COMMAND";
    assert_wrong("-i IN -f flv OUT python3 edit.py", &["python3", dashes]);
    assert_wrong("-i IN cat", &["cat", dashes]);
    let script = fixture("invert.py");
    // It is no program where it can't be run.
    assert_wrong(&format!("-i IN OUT {}", script.display()), &["doesn't tell the format"]);
}

#[test]
fn an_option_for_the_output() {
    assert_wrong("-i IN -o OUT", &["-o", "an OUTPUT is named without an option"]);
}

#[test]
fn an_unknown_log_level() {
    assert_wrong("-v loud -i IN OUT", &["loud"]);
}

/// Nothing is opened before that: the input is a server that isn't there.
#[test]
fn policies_that_cannot_be() {
    let room = room();
    let (text, out) = (room.path().join("card.png"), room.path().join("out.mp4"));
    std::fs::write(&text, "no picture").unwrap();
    let nowhere = format!("rtmp://127.0.0.1:{}/live/camera", free_port());
    let slate = |path: &std::path::Path| format!("--slate={}", path.display());
    for (options, code, words) in [
        (args!["--on-loss=hodl"], 2, "did you mean hold? it takes hold, slate or end"),
        (args!["--on-slow=never"], 2, "it takes latest, block, bypass or hold"),
        (args!["--on-error=shrug"], 2, "it takes bypass, stop, restart or hold"),
        (args!["--on-resize=grow"], 2, "it takes fit or restart"),
        (args!["--on-error=restart"], 2, "is for a COMMAND"),
        (args!["--no-reconnect", "--on-loss=hold"], 2, "can't go together"),
        (args!["--on-loss=end", "--reconnect-for=5s"], 2, "can't go together"),
        (args!["--stall-timeout=0"], 2, "more than 0"),
        (args![slate(&room.path().join("nothing.png"))], 1, "there is no such image"),
        (args![slate(&text)], 1, "card.png"),
    ] {
        let args = [options, args!["-i", &nowhere, "-c:v", "libx264", &out]].concat();
        let line = frameloom(args).run().refuses(code);
        assert!(line.contains(words), "{line}");
        assert!(!line.contains("refused"), "the input was opened first: {line}");
    }
}

/// What can't be made of one stream shows with its first frame, when others may have come.
#[test]
fn an_output_is_not_begun_where_an_encoder_or_a_filter_can_not_be_opened() {
    let room = room();
    let out = room.path().join("old.mkv");
    for (line, words) in [
        ("-map 0:v:0 -map 0:a -c:v copy -c:a aac -af volume=x", "volume"),
        ("-map 0:v:0 -map 0:a -c:v copy -c:a libopus -ar 7", "libopus"),
        ("-map 0:v:0 -map 0:a -c:v libx264 -c:a aac -ar 7", "aac"),
        ("-map 0:v -c:v:0 copy -c:v:1 libx264 -filter:v:1 crop=999:999", "crop"),
        ("-map 0:v -c:v:0 copy -c:v:1 libx264 -filter:v:1 scale=3:3 -profile:v:1 nosuch", "x264"),
    ] {
        std::fs::write(&out, "old").unwrap();
        let options: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let line = [args!["-y", "-i", manifold()], options, args![&out]].concat();
        let run = frameloom(line).run();
        assert!(matches!(run.code(), Some(1 | 2)), "{}", run.stderr);
        assert!(run.stderr.contains(words), "{}", run.stderr);
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "old", "{}", run.stderr);
    }
}

/// Of several inputs each is judged by its own options, before any is opened; the line says which option of
/// which input can't be.
#[test]
fn inputs_whose_options_contradict_each_other() {
    let missing = "/no/such/input.mp4";
    for (line, words) in [
        ("-i IN -ss 3 -to 1 -i NONE OUT", &["-to is not after -ss"][..]),
        ("-ss 3 -to 1 -i NONE -ss 1 -to 3 -i IN OUT", &["-to is not after -ss"]),
        ("-i IN -an -vn -sn -dn -i NONE OUT", &["-an, -vn, -sn and -dn"]),
        ("-i IN -t 0 -i NONE OUT", &["-t", "more than 0"]),
        ("-i IN -f rawvideo -s 8x8 -pix_fmt yuv42p -i NONE OUT", &["yuv42p", "yuv420p"]),
        ("-an -i IN -vn -i IN -map 0:a -map 1:v OUT", &["no stream is left"]),
        ("-c:v copy -i IN -i IN OUT", &["copy"]),
        ("-r 25 -i IN -i IN -map 0:v -map 1:a -c copy OUT", &["-r", "-c:v copy"]),
        ("-i IN -r 25 -i IN -map 1:v -c copy OUT", &["-r", "-c:v copy"]),
        ("-i IN -skip_frame nokey -i IN -map 1:v -c copy OUT", &["-skip_frame", "-c:v copy"]),
    ] {
        assert_wrong(&line.replace("NONE", missing), words);
    }
}
