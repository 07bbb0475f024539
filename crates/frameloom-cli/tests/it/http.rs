//! Inputs by HTTP: what is live among them, and what is a file.

use std::fs;
use std::path::PathBuf;

use crate::harness::stats::{Count, Seen};
use crate::harness::web::{Web, jpegs};
use crate::harness::*;

/// Two seconds of numbered frames, with a keyframe every second.
fn encoded(name: &str, options: &str) -> PathBuf {
    let source = counted("320x240", "25", 2);
    let encoder = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p";
    clip(name, &format!("-f lavfi -i {source} {encoder} {options}"))
}

/// FLV as a media server sends it: nothing in it says how long it is.
fn live_flv() -> Vec<u8> {
    fs::read(encoded("http-live.flv", "-flvflags no_duration_filesize")).unwrap()
}

/// A file whose header is at its beginning.
fn film_mp4() -> Vec<u8> {
    fs::read(encoded("http-film.mp4", "-movflags +faststart")).unwrap()
}

/// A camera's pictures: two seconds of 25 a second.
fn pictures() -> Vec<Vec<u8>> {
    let source = counted("320x240", "25", 2);
    let pictures = jpegs(&clip("http-camera.mjpeg", &format!("-f lavfi -i {source} -q:v 5")));
    assert_eq!(pictures.len(), 50);
    pictures
}

const MULTIPART: &str = "multipart/x-mixed-replace; boundary=part";

/// Reads `url` until `condition` holds, then asks for the end; returns the last counters.
#[track_caller]
fn read_until(
    url: &str,
    options: &[&str],
    what: &str,
    condition: impl Fn(&[Seen]) -> bool,
) -> Seen {
    let mut args = args!["--stats=json", "--on-loss=hold"];
    args.extend(options.iter().map(Into::into));
    args.extend(args!["-i", url, "-f", "null", "-"]);
    let run = frameloom(args).spawn();
    wait_until(what, || condition(&Seen::all(&run.stderr())));
    run.signal("INT");
    last(&run.wait().ok())
}

/// Reads `url` to its end, which must come by itself; returns the last counters.
#[track_caller]
fn read_to_end(url: &str, options: &[&str]) -> Seen {
    let mut args = args!["--stats=json"];
    args.extend(options.iter().map(Into::into));
    args.extend(args!["-i", url, "-f", "null", "-"]);
    last(&frameloom(args).run().ok())
}

#[track_caller]
fn last(outcome: &Outcome) -> Seen {
    let last = Seen::all(&outcome.stderr).pop().expect("no counters");
    assert!(last.is_last(), "{}", outcome.stderr);
    last
}

/// Nothing but the film's own length tells that the connection broke.
#[test]
fn a_film_by_http_that_breaks_off_is_an_error() {
    let source = counted("320x240", "25", 8);
    let film = clip("http-long.mkv", &format!("-f lavfi -i {source} -c:v libx264 -g 25"));
    let film = fs::read(film).unwrap();
    let half = film.len() / 2;
    let web = Web::start(move |_, reply| reply.cut_in_a_chunk(&film[..half], film.len()));
    let args = args!["-i", web.url("/film.mkv"), "-f", "null", "-"];
    let outcome = frameloom(args).run();
    assert_eq!(outcome.code(), Some(1), "{}", outcome.stderr);
}

#[test]
fn http_flv_is_opened_again_when_its_server_closes() {
    let flv = live_flv();
    let web = Web::start(move |_, reply| reply.without_length("video/x-flv")?.write(&flv));
    let seen = read_until(&web.url("/live/cam.flv"), &[], "three openings", |_| {
        web.asked("/live/cam.flv") > 2
    });
    assert!(seen.is_live());
    assert!(seen.count(Count::FramesIn) >= 100, "{seen:?}");
}

#[test]
fn a_camera_of_jpeg_pictures_is_opened_again_when_it_closes() {
    let pictures = pictures();
    let web = Web::start(move |_, reply| reply.without_length(MULTIPART)?.pictures(&pictures, 25));
    let seen = read_until(&web.url("/camera"), &[], "three openings", |_| web.asked("/camera") > 2);
    assert!(seen.is_live());
    assert!(seen.count(Count::FramesIn) >= 90, "{seen:?}");
}

#[test]
fn slow_code_gets_the_latest_picture_of_a_camera() {
    let pictures = pictures();
    let web = Web::start(move |_, reply| {
        let mut body = reply.without_length(MULTIPART)?;
        loop {
            body.pictures(&pictures, 25)?;
        }
    });
    let mut args = args!["--stats=json", "-i", web.url("/camera"), "-f", "null", "-", "--"];
    args.extend(args!["env", "TROUBLE=slow=200", python(), fixture("troubled.py")]);
    let run = frameloom(args).spawn();
    wait_until("pictures are left out", || {
        Seen::all(&run.stderr()).iter().any(|seen| seen.count(Count::FramesDropped) > 20)
    });
    run.signal("INT");
    run.wait().ok();
}

#[test]
#[ignore = "slow"]
fn a_stream_by_http_that_stalls_is_opened_again() {
    let (flv, pictures) = (live_flv(), pictures());
    let web = Web::start(move |request, reply| {
        let body = match request.path.as_str() {
            "/camera" => {
                let mut body = reply.without_length(MULTIPART)?;
                body.pictures(&pictures[..25], 25)?;
                body
            }
            _ => {
                let mut body = reply.without_length("video/x-flv")?;
                body.write(&flv[..flv.len() * 4 / 5])?;
                body
            }
        };
        body.fall_silent();
        Ok(())
    });
    for path in ["/live/cam.flv", "/camera"] {
        let stalled = |seen: &[Seen]| seen.iter().any(|seen| seen.count(Count::Reconnects) > 0);
        read_until(&web.url(path), &["--stall-timeout=2s"], "another opening", stalled);
        assert!(web.asked(path) > 1, "{path}");
    }
}

#[test]
fn a_live_playlist_is_opened_again_when_it_was_away() {
    let room = room();
    let source = counted("320x240", "25", 12);
    let segments = room.path().join("%d.ts");
    let mut args = args!["-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast"];
    args.extend(args!["-g", "25", "-pix_fmt", "yuv420p", "-f", "hls", "-hls_time", "1"]);
    args.extend(args!["-hls_list_size", "0", "-hls_segment_filename", &segments]);
    args.extend(args![room.path().join("all.m3u8")]);
    ffmpeg(args);
    let folder = room.path().to_owned();
    let web = Web::start(move |request, reply| {
        if request.path != "/live.m3u8" {
            let file = folder.join(request.path.trim_start_matches('/'));
            return reply.with_length(request, &fs::read(file)?);
        }
        // Each time one segment further; the fourth time it is away.
        let first = request.number;
        if first == 3 {
            return reply.not_found();
        }
        let mut list = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
        );
        for number in first..(first + 3).min(12) {
            list += &format!("#EXTINF:1.0,\n{number}.ts\n");
        }
        reply.with_length(request, list.as_bytes())
    });
    let back = |seen: &[Seen]| seen.iter().any(|seen| seen.count(Count::Reconnects) > 0);
    let seen = read_until(&web.url("/live.m3u8"), &[], "another opening", back);
    assert!(seen.is_live());
    assert!(seen.count(Count::FramesIn) >= 75, "{seen:?}");
}

#[test]
fn a_film_by_http_ends() {
    let (mp4, flv) = (film_mp4(), fs::read(encoded("http-film.flv", "")).unwrap());
    let ts = fs::read(encoded("http-film.ts", "")).unwrap();
    let list = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nfilm.ts\n\
                #EXT-X-ENDLIST\n";
    let web = Web::start(move |request, reply| match request.path.as_str() {
        "/film.mp4" => reply.with_length(request, &mp4),
        "/chunks.mp4" => reply.in_chunks(&mp4),
        "/chunks.flv" => reply.in_chunks(&flv),
        "/film.ts" => reply.with_length(request, &ts),
        "/film.m3u8" => reply.with_length(request, list.as_bytes()),
        "/chunks.m3u8" => reply.in_chunks(list.as_bytes()),
        _ => reply.not_found(),
    });
    for path in
        ["/film.mp4", "/chunks.mp4", "/chunks.flv", "/film.ts", "/film.m3u8", "/chunks.m3u8"]
    {
        let seen = read_to_end(&web.url(path), &[]);
        assert!(!seen.is_live(), "{path}");
        assert_eq!(seen.count(Count::FramesIn), 50, "{path}");
    }
}

#[test]
fn an_option_overrules_what_is_live() {
    let (flv, mp4) = (live_flv(), film_mp4());
    let web = Web::start(move |request, reply| match request.path.as_str() {
        "/live.flv" => reply.without_length("video/x-flv")?.write(&flv),
        _ => reply.in_chunks(&mp4),
    });
    let seen = read_to_end(&web.url("/live.flv"), &["--live=no"]);
    assert!(!seen.is_live());
    assert_eq!((seen.count(Count::FramesIn), web.asked("/live.flv")), (50, 1));

    let again = |_: &[Seen]| web.asked("/film.mp4") > 1;
    assert!(read_until(&web.url("/film.mp4"), &["--live=yes"], "another opening", again).is_live());
}

#[test]
fn a_server_starts_a_film_by_http_once_and_a_live_stream_again() {
    let (flv, mp4) = (live_flv(), film_mp4());
    let web = Web::start(move |request, reply| match request.path.as_str() {
        "/live.flv" => reply.without_length("video/x-flv")?.write(&flv),
        _ => reply.with_length(request, &mp4),
    });
    let (film, live) = (web.url("/film.mp4"), web.url("/live.flv"));
    let fleet = Fleet::start(move |ports| {
        let pipeline = |name: &str, input: &str| {
            let output = ports.url(name);
            format!("[pipelines.{name}]\ninput = \"{input}\"\noutputs = [\"{output}\"]\n")
        };
        pipeline("film", &film) + &pipeline("live", &live) + "on_loss = \"end\"\n"
    });
    fleet.wait_for("live", "started again", |p| p["restarts"].as_u64().unwrap() > 1);
    let film = fleet.wait_for_state("film", "stopped");
    assert_eq!(film["restarts"], 0, "{film:#}");
}

/// libavformat would number them at 25 a second.
#[test]
fn a_cameras_pictures_are_when_they_come() {
    let pictures = pictures();
    let web =
        Web::start(move |_, reply| reply.without_length(MULTIPART)?.pictures(&pictures[..40], 10));
    let room = room();
    let out = room.path().join("out.mkv");
    let args = args![
        "--on-loss=end",
        "-i",
        web.url("/camera"),
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        &out
    ];
    frameloom(args).run().ok();
    let times = times(&out, Kind::Video);
    let span = (*times.last().unwrap() - times[0]).as_ms();
    // 39 steps of 100 ms, less what came while the format was found out.
    assert!((3_000..4_500).contains(&span), "{} pictures in {span} ms", times.len());
}

#[test]
fn live_options_without_effect_are_errors() {
    let film = encoded("http-film.mp4", "-movflags +faststart");
    for option in ["--on-loss=hold", "--stall-timeout=2s"] {
        let line = frameloom(args![option, "-i", &film, "-f", "null", "-"]).run().refuses(2);
        assert!(line.contains("not live") && line.contains("--live=yes"), "{line}");
        let args = args![option, "--live=yes", "-t", "0.5", "-i", &film, "-f", "null", "-"];
        frameloom(args).run().ok();
    }
}
