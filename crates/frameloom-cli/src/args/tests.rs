use std::os::unix::ffi::OsStringExt;

use super::*;
use frameloom::ErrorKind;

use crate::level::Level;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(Into::into).collect()
}

fn parse_own(words: Vec<OsString>) -> Result<Invocation> {
    parse(CalledAs::Frameloom, words)
}

/// `name=value ... @ url` for each end, in the order INPUT, OUTPUTs; then what else was said.
fn shape(line: &str) -> String {
    let end = |end: &EndArgs| {
        let mut text = String::new();
        for (name, value) in &end.options {
            text += name;
            if !value.is_empty() {
                text += &format!("={value}");
            }
            text.push(' ');
        }
        text + "@" + &end.url
    };
    let run = match parse_own(words(line)).unwrap() {
        Invocation::Run(run) => run,
        Invocation::Probe(probe) => return format!("probe {}", end(&probe.input)),
        other => return format!("{other:?}"),
    };
    let inputs: Vec<String> = run.inputs.iter().map(end).collect();
    let mut text = inputs.join(" + ");
    for output in &run.outputs {
        text += " > ";
        text += &end(output);
    }
    let given = |name: &str| {
        let found = run.global.iter().find(|(entry, _)| entry.row.name == name);
        found.map(|(_, value)| value.as_str())
    };
    if let Some(argv) = &run.command {
        let argv: Vec<_> = argv.iter().map(|word| word.to_str().unwrap()).collect();
        text += &format!(" -- {}", argv.join(" "));
        for option in ["frame-format", "frame-size"].into_iter().filter_map(given) {
            text += &format!(" ({option})");
        }
    }
    if given("y").is_some() {
        text += " +y";
    }
    if run.program.stats_json {
        text += " +json";
    }
    if let Some(status) = run.program.status {
        text += &format!(" +status={status}");
    }
    if let Some(limit) = given("open-timeout") {
        text += &format!(" +open={limit}");
    }
    if run.program.level != Level::Info {
        text += &format!(" +{:?}", run.program.level);
    }
    text
}

#[test]
fn the_recipe_is_understood() {
    for (line, expected) in [
        (
            "-i rtmp://HOST:1935/live/livestream1 -f image2pipe -pix_fmt rgb24 -vcodec rawvideo -",
            "@rtmp://HOST:1935/live/livestream1 > f=image2pipe pix_fmt=rgb24 vcodec=rawvideo @-",
        ),
        (
            "-y -f rawvideo -s 960x540 -pix_fmt rgb24 -r 24 -i - -an output_video.flv",
            "f=rawvideo s=960x540 pix_fmt=rgb24 r=24 @- > an @output_video.flv +y",
        ),
        (
            "-y -f rawvideo -s 960x540 -pix_fmt rgb24 -r 24 -i - -an -vcodec libx264 output_video.flv",
            "f=rawvideo s=960x540 pix_fmt=rgb24 r=24 @- > an vcodec=libx264 @output_video.flv +y",
        ),
        (
            "-re -i output_video.flv -f flv rtmp://HOST/live/livestream2",
            "re @output_video.flv > f=flv @rtmp://HOST/live/livestream2",
        ),
        (
            "-i rtmp://HOST/live/livestream1 -f flv rtmp://HOST/live/livestream2 -- python3 edit.py",
            "@rtmp://HOST/live/livestream1 > f=flv @rtmp://HOST/live/livestream2 -- python3 edit.py",
        ),
    ] {
        assert_eq!(shape(line), expected, "{line}");
    }
}

#[test]
fn an_option_belongs_to_what_follows_it() {
    for (line, expected) in [
        ("-r 5 -i in -r 25 a.mp4 -r 50 b.mp4", "r=5 @in > r=25 @a.mp4 > r=50 @b.mp4"),
        ("-i in a.mp4 -c copy b.mkv", "@in > @a.mp4 > c=copy @b.mkv"),
        ("-y -hide_banner -nostdin -i in -nostats out.mp4", "@in > @out.mp4 +y +status=false"),
        ("-i in out.mp4 -y -v error -stats", "@in > @out.mp4 +y +status=true +Error"),
        ("-i in -n out.mp4", "@in > @out.mp4"),
        ("-loglevel repeat+level+debug -i in out.mp4", "@in > @out.mp4 +Debug"),
        ("-v -8 -i in out.mp4", "@in > @out.mp4 +Quiet"),
        ("-ss -2 -i in -t 3 out.mp4", "ss=-2 @in > t=3 @out.mp4"),
        ("-stream_loop -1 -i in -g 50 out.mp4", "stream_loop=-1 @in > g=50 @out.mp4"),
        ("-i in -crf 20 -preset:v fast out.mp4", "@in > crf=20 preset:v=fast @out.mp4"),
        ("-i - -f rawvideo -", "@- > f=rawvideo @-"),
        ("-i -odd-name -f flv -", "@-odd-name > f=flv @-"),
        ("out.mp4 -i in", "@in > @out.mp4"),
    ] {
        assert_eq!(shape(line), expected, "{line}");
    }
}

#[test]
fn long_options_stand_anywhere_before_the_command() {
    for (line, expected) in [
        ("--frame-format=gray -i in -- cat", "@in -- cat (gray)"),
        ("-i in --frame-size 64x48 --frame-format bgr24 -- cat", "@in -- cat (bgr24) (64x48)"),
        ("-i in out.mp4 --stats=json --open-timeout=2s", "@in > @out.mp4 +json +open=2s"),
        (
            "--stats json -i in -r 5 --open-timeout 500ms out.mp4",
            "@in > r=5 @out.mp4 +json +open=500ms",
        ),
        ("-i in -- sh -c cat -- -y --stats=json", "@in -- sh -c cat -- -y --stats=json"),
        ("-i in -- --version", "@in -- --version"),
        ("-i in -- -formats", "@in -- -formats"),
        ("-i in out.mp4 -- -i", "@in > @out.mp4 -- -i"),
    ] {
        assert_eq!(shape(line), expected, "{line}");
    }
}

#[test]
fn help_and_version_win_over_what_follows() {
    for (line, expected) in [
        ("-h", "Help(Run)"),
        ("-help", "Help(Run)"),
        ("--help", "Help(Run)"),
        ("-i in -h --bad", "Help(Run)"),
        ("probe -h", "Help(Probe)"),
        ("serve cameras.toml -h", "Help(Serve)"),
        ("serve --help", "Help(Serve)"),
        ("demo -i in --help -- cat", "Help(Demo)"),
        ("help", "Help(Run)"),
        ("help probe", "Help(Probe)"),
        ("help serve", "Help(Serve)"),
        ("help demo", "Help(Demo)"),
        ("-h long", "Help(Run)"),
        ("-h rtmp://host/live?key=a", "Help(Run)"),
        ("-i in -h encoder=aac --bad", r#"HelpOf(Part { kind: Encoder, name: "aac" })"#),
        ("probe --help bsf=null", r#"HelpOf(Part { kind: BitstreamFilter, name: "null" })"#),
        ("-version", "Version"),
        ("--version", "Version"),
    ] {
        assert_eq!(shape(line), expected, "{line}");
    }
}

#[test]
fn probe_takes_one_input() {
    for (line, expected) in [
        ("probe in.mp4", "probe @in.mp4"),
        ("probe -f rawvideo -s 2x2 -", "probe f=rawvideo s=2x2 @-"),
        ("probe -v quiet -i in.mp4 --open-timeout 1", "probe @in.mp4"),
    ] {
        assert_eq!(shape(line), expected, "{line}");
    }
}

#[test]
fn wrong_usage_is_told() {
    for (line, mentions) in [
        ("", "no input is named"),
        ("out.mp4", "no input is named"),
        ("-y out.mp4", "-i"),
        ("-i", "-i takes a value"),
        ("-i in -f", "-f takes a value"),
        ("-i in -f -- cat", "-f takes a value"),
        ("-i in out.mp4 -v", "-v takes a value"),
        ("-i in --", "no COMMAND"),
        ("-i in out.mp4 -r 25", "no OUTPUT follows -r ("),
        ("-i in out.mp4 -g 50 -r 25", "no OUTPUT follows -g and -r ("),
        ("-i in -s 64x48 -- cat", "--frame-size"),
        ("-i in -pix_fmt gray -- cat", "--frame-format"),
        ("-i in out.mp4 -s 64x48 -- cat", "no OUTPUT follows -s (options stand before"),
        ("-i in -sortest out.mp4", "there is no option -sortest"),
        ("-nosuchthing -i in out.mp4", "there is no option -nosuchthing"),
        ("-i in --frame-formt gray -- cat", "did you mean --frame-format?"),
        ("-i in --vf hflip out.mp4", "did you mean -vf?"),
        ("-i in --qqqqqqqqqq out.mp4", "frameloom -h"),
        ("-i in --help=me out.mp4", "--help takes no value"),
        ("-i in --stats=xml out.mp4", "--stats (it takes json)"),
        ("-i in --stats", "--stats takes a value"),
        ("-i in --frame-size 2x2 out.mp4", "--frame-size is about a COMMAND"),
        ("-y -n -i in out.mp4", "-y and -n"),
        ("-v loud -i in out.mp4", "'loud'"),
        ("help me", "there is no verb 'me' (the verbs are probe, serve, demo)"),
        ("help probe demo", "one verb"),
        ("probe", "probe needs"),
        ("probe a b", "second input"),
        ("probe in.mp4 -f flv", "nothing follows -f"),
        ("probe in.mp4 -- cat", "COMMAND"),
        ("probe --stats=json in.mp4", "--stats"),
    ] {
        let error = parse_own(words(line)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{line}: {error}");
        let shown = error.to_string();
        assert!(shown.contains(mentions), "{line}: {shown}");
    }
    let error = parse_own(vec!["-i".into(), "in".into(), "".into()]).unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
}

#[test]
fn a_name_may_be_no_text() {
    let odd = || OsString::from_vec(vec![b'a', 0xff]);
    let Invocation::Run(run) = parse_own(vec!["-i".into(), odd(), odd()]).unwrap() else {
        panic!("no run")
    };
    assert_eq!(run.inputs[0].url, frameloom::options::from_os(&odd()));
    assert_eq!(run.outputs[0].url, run.inputs[0].url);

    let all = words("-i in -- cat").into_iter().chain([odd()]).collect();
    let Invocation::Run(run) = parse_own(all).unwrap() else { panic!("no run") };
    assert_eq!(run.command.unwrap(), [OsString::from("cat"), odd()]);
}

#[test]
fn an_error_shows_no_secret() {
    let url = "rtmp://joe:hunter22@HOST/live/K3y-K3y";
    for line in [
        url.to_owned(),
        format!("-i in -r {url}"),
        format!("-v {url} -i in out.flv"),
        format!("-i {url} --stats={url} out.flv"),
        format!("--{url} -i in out.flv"),
        format!("-i {url} -y -n out.flv"),
    ] {
        let shown = parse_own(words(&line)).unwrap_err().to_string();
        assert!(!shown.contains("hunter22") && !shown.contains("K3y"), "{line}: {shown}");
    }
}

/// The options of the ffmpeg program, as it lists them.
fn ffmpegs_options() -> Vec<String> {
    let listed = std::process::Command::new("ffmpeg").args(["-v", "quiet", "-h", "full"]).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    let (own, _) = listed.split_once(" AVOptions:").unwrap();
    let names = own.lines().filter_map(|line| {
        let name = line.strip_prefix('-')?.split([' ', '[']).next()?;
        (!name.starts_with('-')).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn every_option_of_ffmpeg_is_taken_or_answered() {
    let listed = ffmpegs_options();
    assert!(listed.len() > 150, "{listed:?}");
    // Of other versions of FFmpeg, older and newer ones.
    let others = "sameq vb fps_mode vsync async readrate_initial_burst readrate_catchup \
                  shortest_buf_duration display_rotation display_hflip apply_cropping stats_enc_pre \
                  stats_mux_pre_fmt print_graphs print_graphs_format filter_buffered_frames license \
                  mastering_display content_light drop_changed stream_group channel_layout \
                  fix_sub_duration_heartbeat q:v filter:a metadata:s:v:0 bsf:v tag:v noautorotate \
                  nocopyts nostdin";
    let others = others.split_whitespace().map(str::to_owned);
    for name in listed.into_iter().chain(others) {
        let takes_value = match program::find(Verb::Run, &name, false) {
            Some(own) => own.row.takes_value(),
            None => takes_value(&name),
        };
        let value = if takes_value { " 1" } else { "" };
        // Shown, not run.
        if ["h", "help", "version", "i"].contains(&name.as_str()) {
            continue;
        }
        let (before, behind) =
            (format!("-{name}{value} -i in out.mp4"), format!("-i in -{name}{value} out.mp4"));
        let said: Vec<String> = [before, behind]
            .iter()
            .filter_map(|line| {
                let error = match parse_own(words(line)) {
                    Ok(Invocation::Run(run)) => crate::job::Job::new(run).err()?,
                    Ok(_) => return None,
                    Err(error) => error,
                };
                assert_eq!(error.kind(), ErrorKind::Usage, "{line}: {error}");
                Some(error.to_string())
            })
            .collect();
        for text in &said {
            let is_named =
                text.contains(&format!("-{name} ")) || text.contains(&format!("-{name}:"));
            let is_placed = text.contains("is not an option of");
            assert!(is_named, "-{name}: {text}");
            assert!(!text.contains("there is no option"), "-{name}: {text}");
            assert!(is_placed || !text.contains("did you mean -"), "-{name}: {text}");
        }
    }
}

#[test]
fn a_near_name_is_no_answer() {
    for (line, said) in [
        ("-i in -fs 1M out.mp4", "-fs is not an option here (-t or -frames:v ends"),
        (
            "-start_at_zero -i in out.mp4",
            "-start_at_zero is not an option here (the times of an output begin at 0",
        ),
        ("-isync 0 -i in out.mp4", "-isync is not an option here"),
    ] {
        let error = parse_own(words(line)).unwrap_err().to_string();
        assert!(error.contains(said), "{line}: {error}");
    }
    for (line, expected) in [
        ("-thread_queue_size 512 -i in -max_muxing_queue_size 99 out.mp4", "@in > @out.mp4"),
        ("-autorotate -stdin -i in -noshortest out.mp4", "@in > @out.mp4"),
    ] {
        assert_eq!(shape(line), expected, "{line}");
    }
}

#[test]
fn reports_of_a_run_are_asked_for_as_of_ffmpeg() {
    let parsed = |line: &str| match parse_own(words(line)).unwrap() {
        Invocation::Run(run) => run.program,
        other => panic!("{other:?}"),
    };
    let all =
        "-progress pipe:1 -stats_period 0.1 -benchmark -report -max_error_rate 0.25 -i in o.mp4";
    let program = parsed(all);
    assert_eq!(program.progress.as_deref(), Some("pipe:1"));
    assert_eq!(program.stats_period, Some(std::time::Duration::from_millis(100)));
    assert_eq!(program.max_error_ppm, Some(250_000));
    assert!(program.benchmark && program.report);
    for (line, said) in [
        ("-stats_period 0 -i in o.mp4", "-stats_period must be more than 0"),
        ("-stats_period soon -i in o.mp4", "-stats_period"),
        ("-max_error_rate 2 -i in o.mp4", "-max_error_rate: '2' is no number from 0 to 1"),
        ("-max_error_rate NaN -i in o.mp4", "-max_error_rate"),
    ] {
        let error = parse_own(words(line)).unwrap_err().to_string();
        assert!(error.contains(said), "{line}: {error}");
    }
}
