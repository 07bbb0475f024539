//! The page, in a real browser: `tests/node/page.mjs` goes through it as a user does.

use std::path::Path;

use super::models::{asks, model};
use crate::harness::camera::{Camera, Film};
use crate::harness::places::{chromium, node, target};
use crate::harness::*;

/// Paints a magenta square into the corner of each frame.
const EDIT: &str = r#"
import os, sys
width, size = int(os.environ["FRAMELOOM_WIDTH"]), int(os.environ["FRAMELOOM_FRAME_BYTES"])
while len(frame := bytearray(sys.stdin.buffer.read(size))) == size:
    for y in range(80):
        frame[y * width * 3 : (y * width + 80) * 3] = b"\xff\x00\xff" * 80
    sys.stdout.buffer.write(frame)
    sys.stdout.buffer.flush()
"#;

/// A camera, its stream edited, and one that is not to run.
fn file(ports: Ports) -> String {
    let (camera, edited, off) = (ports.url("camera"), ports.url("edited"), ports.url("off"));
    let python = python().display();
    format!(
        "[pipelines.camera]\n\
         input = \"testsrc2=size=640x360:rate=25[out0];sine=sample_rate=44100[out1]\"\n\
         input_options = {{ f = \"lavfi\", re = true }}\n\
         output_options = {{ preset = \"ultrafast\", g = 25 }}\n\
         outputs = [\"{camera}\"]\n\
         [pipelines.edited]\n\
         input = \"{camera}\"\noutputs = [\"{edited}\"]\n\
         output_options = {{ preset = \"ultrafast\", g = 25 }}\n\
         command = [\"{python}\", \"-c\", '''{EDIT}''']\n\
         [pipelines.off]\n\
         input = \"{camera}\"\noutputs = [\"{off}\"]\nenabled = false\n"
    )
}

/// Starts the browser. Its pictures stay in `target/page`, to be looked at.
fn browser(fleet: &Fleet, task: &str) -> Running {
    let (node, packages) = node();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/page.mjs");
    let pictures = target().join("page");
    std::fs::create_dir_all(&pictures).unwrap();
    let base = format!("http://127.0.0.1:{}", fleet.ports.http);
    let args = args![script, packages, chromium(), pictures, base, task];
    Run::new(node, args).limit_s(200).spawn()
}

#[track_caller]
fn goes_through(task: &str) {
    let fleet = Fleet::start(file);
    fleet.wait_for_state("edited", "running");
    browser(&fleet, task).wait().ok();
}

#[test]
#[ignore = "slow"]
fn all_pipelines_are_seen_at_a_glance() {
    goes_through("overview");
}

#[test]
fn both_ends_play_and_the_figures_move() {
    goes_through("detail");
}

#[test]
#[ignore = "slow"]
fn what_is_on_demand_starts_when_it_is_asked_for() {
    let fleet = Fleet::start(|ports| {
        let (camera, small) = (ports.url("camera"), ports.url("small"));
        file(ports)
            + &format!(
                "[pipelines.small]\ninput = \"{camera}\"\noutputs = [\"{small}\"]\n\
                 filter = \"scale=320:-2\"\non_demand = true\n"
            )
    });
    fleet.wait_for_state("edited", "running");
    browser(&fleet, "demand").wait().ok();
}

#[test]
#[ignore = "slow"]
fn it_fits_a_phone_and_the_dark() {
    goes_through("narrow");
}

#[test]
fn a_pipeline_is_added_changed_and_removed() {
    goes_through("form");
}

#[test]
#[ignore = "slow"]
fn it_survives_a_restart_of_the_server() {
    let mut fleet = Fleet::start(file);
    fleet.wait_for_state("edited", "running");
    let mut browser = browser(&fleet, "restart");
    let says = |browser: &mut Running, what: &str| {
        wait_until(what, || browser.stdout().contains(what) || !browser.is_running());
    };
    says(&mut browser, "end the server");
    fleet.restart(|| says(&mut browser, "start the server"));
    browser.wait().ok();
}

#[test]
#[ignore = "slow"]
fn the_token_is_asked_for() {
    let file = |ports: Ports| format!("[server]\nplay_key = \"only-for-players\"\n{}", file(ports));
    // Pipelines are players too.
    let file = move |ports: Ports| {
        let url = ports.url("camera");
        file(ports).replace(
            &format!("input = \"{url}\""),
            &format!("input = \"{url}?key=only-for-players\""),
        )
    };
    let fleet = Fleet::start_with(Some("a-token-of-some-length"), file);
    fleet.wait_for_state("edited", "running");
    browser(&fleet, "token").wait().ok();
}

#[test]
fn it_is_served_with_a_strict_policy() {
    let fleet = Fleet::start_with(Some("a-token-of-some-length"), file);
    let page = fleet.request("GET", "/", "Authorization: none\r\n", "");
    assert_eq!(page.status, 200);
    let head = page.head.to_ascii_lowercase();
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"));
    assert!(head.contains("frame-ancestors 'none'") && head.contains("nosniff"));
    let text = String::from_utf8(page.body).unwrap();
    let script = text.split('"').find(|part| part.starts_with("/assets/")).unwrap();
    let script = fleet.get(script);
    assert!(script.head.to_ascii_lowercase().contains("immutable"), "{}", script.head);
    assert!(script.head.contains("text/javascript"), "{}", script.head);
    let tag = page.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = fleet.request("GET", "/", &format!("If-None-Match: {tag}\r\n"), "");
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(fleet.get("/assets/none.js").status, 404);
    let rebound = fleet.request("GET", "/", "Host: evil.example\r\n", "");
    assert_eq!(rebound.status, 403);
}

#[test]
fn models_have_a_section_while_there_are_any() {
    let room = room();
    let fleet = Fleet::start(|ports| {
        ["broken", "faces"].map(|name| model(room.path(), name, name, "")).concat()
            + &asks(ports, "door", "faces")
    });
    fleet.wait_for_state("door", "running");
    let mut browser = browser(&fleet, "models");
    wait_until("the models are to be removed", || {
        browser.stdout().contains("remove the models") || !browser.is_running()
    });
    std::fs::write(fleet.file(), "").unwrap();
    fleet.signal("HUP");
    browser.wait().ok();
}

#[test]
#[ignore = "slow"]
fn what_is_wrong_stands_first() {
    let fleet = Fleet::start(|ports| {
        let table = |name: &str, input: &str, more: &str| {
            let (input, output) = (ports.url(input), ports.url(&format!("{name}-out")));
            format!("[pipelines.{name}]\ninput = \"{input}\"\noutputs = [\"{output}\"]\n{more}\n")
        };
        let fails = "head -c 1000000; echo 'no such model' >&2; exit 3";
        let command = format!("command = [\"sh\", \"-c\", \"{fails}\"]");
        [
            table("failing", "camera", &command),
            table("fine", "camera", ""),
            table("lost", "other-camera", ""),
        ]
        .concat()
    });
    let camera = |name: &str| Camera::start(&Film::plain(), &fleet.url(name));
    let (_camera, _alone, other) = (camera("camera"), camera("alone"), camera("other-camera"));
    ["failing", "fine", "lost"].iter().for_each(|name| {
        fleet.wait_for_state(name, "running");
    });
    drop(other);
    fleet.wait_for("lost", "without its input", |pipeline| pipeline["alerts"][0].is_object());
    browser(&fleet, "problems").wait().ok();
}
