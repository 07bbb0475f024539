//! `frameloom demo`: a server like any other, with two pipelines that it made up.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::harness::fleet::is_alive;
use crate::harness::*;

/// A picture that stands still, so that it doesn't matter which of its frames is looked at.
fn still() -> std::path::PathBuf {
    let lavfi = "-f lavfi -i smptebars=s=640x360:r=25:d=3 -f lavfi -i sine=d=3";
    clip("still.mp4", &format!("{lavfi} -c:v libx264 -pix_fmt yuv420p -c:a aac"))
}

#[test]
fn the_demo_shows_everything_and_leaves_a_picture() {
    let room = room();
    let picture = room.path().join("demo.png");
    let running = frameloom(args![
        "demo",
        "-i",
        still(),
        "-t",
        "4",
        format!("--picture={}", picture.display()),
        "--",
        python(),
        fixture("invert.py")
    ])
    .limit_s(120)
    .spawn();
    let said = running.wait().ok().stderr;
    assert!(said.starts_with("page: http://127.0.0.1:"), "{said}");
    for told in ["camera: rtmp://127.0.0.1:", "edited: rtmp://127.0.0.1:", ".flv", "demo.png"] {
        assert!(said.contains(told), "{said}");
    }
    let both = decode(&picture, "rgb24");
    assert_eq!((both.width, both.height), (1280, 360));
    // The right half is the left one inverted: together they are white.
    let frame = &both.frames[0];
    let (left, right): (Vec<&[u8]>, Vec<&[u8]>) =
        frame.chunks_exact(1280 * 3).map(|row| row.split_at(640 * 3)).unzip();
    let inverted = pixels::inverted(&right.concat());
    let likeness = psnr(&inverted, &left.concat());
    assert!(likeness > 20.0, "the right side is not the left one inverted: {likeness:.1} dB");
}

#[test]
fn the_demo_is_a_server_whose_pipelines_stop_and_start_and_end_with_it() {
    let fleet = Fleet::demo(args!["-i", still(), "--", python(), fixture("invert.py")]);
    wait_until("its picture is there", || fleet.said().contains("left the camera, right"));
    ["camera", "edited"].iter().for_each(|name| drop(fleet.wait_for_state(name, "running")));
    let both = fleet.get("/api/v1/pipelines").json();
    let states: Vec<_> = both["pipelines"].as_array().unwrap().iter().map(state).collect();
    assert_eq!(states, ["camera running", "edited running"]);
    let page = fleet.get("/");
    assert!(page.status == 200 && page.head.contains("text/html"), "{}", page.head);
    let edited = fleet.pipeline("edited");
    // The usual port is left out.
    assert_eq!(edited["play"]["input"]["rtmp"], fleet.url("camera").replace(":1935/", "/"));
    assert_eq!(edited["play"]["output"]["flv"], fleet.flv("edited"));
    assert!(fleet.said().contains(&fleet.flv("edited")), "{}", fleet.said());
    for (order, state) in [("stop", "stopped"), ("start", "running"), ("restart", "running")] {
        fleet.request("POST", &format!("/api/v1/pipelines/edited/{order}"), "", "");
        fleet.wait_for_state("edited", state);
    }
    let said = fleet.said();
    assert!(!said.contains("running: process"), "what stands on the page is said: {said}");
    let metrics = String::from_utf8(fleet.get("/metrics").body).unwrap();
    assert!(metrics.contains("frameloom_pipeline_frames_in_total{pipeline=\"camera\"}"));
    let camera = fleet.wait_for_state("camera", "running");
    wait_until("the code runs", || fleet.descendants().len() >= 3);
    let all = fleet.descendants();
    assert!(all.contains(&u32::try_from(camera["pid"].as_u64().unwrap()).unwrap()));
    fleet.signal("INT");
    fleet.wait().ok();
    wait_until("nothing is left of it", || !all.iter().any(|pid| is_alive(*pid)));
}

fn state(pipeline: &Value) -> String {
    let word = |key: &str| pipeline[key].as_str().unwrap().to_owned();
    word("name") + " " + &word("state")
}

#[test]
#[ignore = "slow"]
fn the_demo_ends_with_the_cause_where_there_is_nothing_to_show() {
    let sound = clip("sound.m4a", "-f lavfi -i sine=d=3 -c:a aac");
    let room = room();
    for (code, words, mentions) in [
        (1, args!["-i", "nothing-here.mp4"], "input: nothing-here.mp4: no such file"),
        (1, args!["-i", &sound, "--", "cat"], "there is only sound yet"),
        (1, args!["--", "no-such-program-7"], "there is no program 'no-such-program-7'"),
        (2, args!["-i", "-", "--sideways"], "'--sideways'"),
    ] {
        let mut all = args!["demo"];
        all.extend(words);
        if !all.contains(&"--".into()) {
            all.extend(args!["--", "cat"]);
        }
        let told = frameloom(all).cwd(room.path()).limit_s(120).run().fails(code);
        assert!(told.contains(mentions), "{told}");
    }
    // Where there is a Python with numpy, it is not found here.
    let path = std::env::var_os("PATH").unwrap();
    let setpriv = std::env::split_paths(&path).map(|folder| folder.join("setpriv"));
    let setpriv = setpriv.into_iter().find(|file| file.is_file()).unwrap();
    symlink(setpriv, room.path().join("setpriv")).unwrap();
    let told = frameloom(args!["demo"]).env("PATH", room.path()).run().refuses(1);
    assert!(told.contains("no python3 with numpy") && told.contains("behind --"), "{told}");
}

#[test]
fn the_code_of_a_demo_is_heard() {
    let code = "import sys; print('to be heard', file=sys.stderr); sys.stderr.flush()\n\
                sys.stdin.buffer.read()";
    let fleet = Fleet::demo(args!["-i", still(), "--", python(), "-c", code]);
    wait_until("it is heard", || fleet.said().contains("edited: to be heard"));
    fleet.signal("TERM");
    fleet.wait().ok();
}

#[test]
fn the_page_is_opened_on_a_desktop() {
    let room = room();
    let (opened, opener) = (room.path().join("opened"), room.path().join("xdg-open"));
    fs::write(&opener, format!("#!/bin/sh\necho \"$1\" >> {}\n", opened.display())).unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", room.path().display(), std::env::var("PATH").unwrap());
    let demo = |more: &str| {
        let program = env!("CARGO_BIN_EXE_frameloom");
        let line = format!("{program} demo -i {} -t 1 {more} -- cat", still().display());
        let terminal = args!["-qec", line, "/dev/null"];
        let run = Run::new("script", terminal).cwd(room.path()).limit_s(120);
        let outcome = run.env("PATH", &path).env("DISPLAY", ":77").run().ok();
        String::from_utf8(outcome.stdout).unwrap()
    };
    let said = demo("--no-browser");
    assert!(said.contains("page: http") && !opened.exists(), "{said}");
    let said = demo("");
    wait_until("a page was opened", || opened.exists());
    let url = fs::read_to_string(&opened).unwrap();
    assert!(said.contains(&format!("page: {}", url.trim_end())), "{url} is not of {said}");
}
