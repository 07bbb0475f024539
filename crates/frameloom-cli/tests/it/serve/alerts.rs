//! States that a person must act on: each is seen in the log, the API, the metrics, the page and the
//! guide.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::camera::{Camera, Film};
use crate::harness::*;

/// Gives one frame back, and says and does nothing more.
const HANGS: &str = "head -c $FRAMELOOM_FRAME_BYTES > /tmp/frameloom-$$; cat /tmp/frameloom-$$; rm /tmp/frameloom-$$; \
     exec sleep 1000";

/// Gives a few frames back, and fails. (One that never gave any ends the run.)
const FAILS: &str = "head -c 1000000; echo 'no such model' >&2; exit 3";

fn file(ports: Ports) -> String {
    let table = |name: &str, input: &str, outputs: Value, more: &str| {
        format!(
            "[pipelines.{name}]\ninput = \"{}\"\noutputs = {outputs}\n{more}\n",
            ports.url(input)
        )
    };
    let command = |script: &str| format!("command = {}", json!(["sh", "-c", script]));
    let out = |name: &str| json!([ports.url(name)]);
    // A TOML table is no JSON object.
    let beside_full = format!(
        "[pipelines.full]\ninput = \"{}\"\noutputs = [\"{}\", \
         {{ url = \"/dev/full\", options = {{ f = \"matroska\" }} }}]\n",
        ports.url("camera"),
        ports.url("recorded"),
    );
    [
        table("lost", "other-camera", out("lost-out"), ""),
        table("refused", "camera", json!(["rtmp://127.0.0.1:1/live/nobody"]), ""),
        table("failing", "camera", out("failing-out"), &command(FAILS)),
        table(
            "hanging",
            "camera",
            out("hanging-out"),
            &format!("{}\nframe_size = \"1280x720\"", command(HANGS)),
        ),
        table("hung", "camera", out("hung-out"), ""),
        beside_full,
    ]
    .concat()
}

/// The pipeline's alert of this kind.
fn alert<'a>(pipeline: &'a Value, kind: &str) -> Option<&'a Value> {
    pipeline["alerts"].as_array().unwrap().iter().find(|alert| alert["kind"] == kind)
}

#[track_caller]
fn assert_seen_everywhere(fleet: &Fleet, name: &str, kind: &str) {
    let pipeline = fleet.wait_for(name, kind, |pipeline| alert(pipeline, kind).is_some());
    let found = alert(&pipeline, kind).unwrap();
    assert!(found["since_ms"].as_u64().unwrap() > 1_700_000_000_000, "{found:#}");
    assert!(!found["text"].as_str().unwrap().is_empty(), "{found:#}");
    let log = fleet.get(&format!("/api/v1/pipelines/{name}/log?lines=500")).json();
    let begun = |line: &Value| line["alert"] == kind && line["is_over"] == false;
    assert!(log["lines"].as_array().unwrap().iter().any(begun), "{kind}: {log:#}");
    wait_until("the server's own log has it", || {
        fleet.said().contains(&format!("pipeline {name}: "))
    });
    let metrics = String::from_utf8(fleet.get("/metrics").body).unwrap();
    let line = format!("frameloom_pipeline_alert{{pipeline=\"{name}\",alert=\"{kind}\"}} 1");
    assert!(metrics.lines().any(|had| had == line), "{line} in\n{metrics}");
}

#[test]
fn every_state_that_needs_a_person_is_seen_in_every_place() {
    let fleet = Fleet::start(file);
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    let other = Camera::start(&Film::plain(), &fleet.url("other-camera"));
    fleet.wait_for_state("lost", "running");
    let hung = fleet.wait_for_state("hung", "running")["pid"].as_u64().unwrap();
    drop(other);
    signal("STOP", &hung.to_string());
    for (name, kind) in [
        ("lost", "input_lost"),
        ("refused", "output_lost"),
        ("failing", "code_failing"),
        ("hanging", "code_hanging"),
        ("full", "disk_full"),
        ("full", "recording_stopped"),
        ("hung", "process_hung"),
    ] {
        assert_seen_everywhere(&fleet, name, kind);
    }
    // What hung is started again, and the alert is still there to be seen.
    let again = fleet.wait_for("hung", "at work again", |pipeline| {
        pipeline["state"] == "running" && pipeline["pid"].as_u64() != Some(hung)
    });
    assert!(alert(&again, "process_hung").is_some(), "{again:#}");
    assert_eq!(again["restarts"], 1);
    // The live output beside a full disk goes on.
    let frames = |pipeline: &Value| pipeline["stats"]["frames_out"].as_u64().unwrap_or(0);
    let before = frames(&fleet.pipeline("full"));
    let full = fleet.wait_for("full", "going on", |pipeline| frames(pipeline) > before + 50);
    assert_eq!((&full["state"], &full["restarts"]), (&json!("running"), &json!(0)), "{full:#}");
    assert!(full["stats"]["outputs"][1]["packets_dropped"].as_u64().unwrap() > 0, "{full:#}");
    // What frames without code look like is no running pipeline like any other.
    let failing = fleet.pipeline("failing");
    assert_eq!(failing["state"], "running", "{failing:#}");
}

#[test]
fn a_memory_limit_that_is_reached_is_seen_in_every_place() {
    let fleet = Fleet::start(|ports| {
        format!(
            "[server]\nmax_memory = \"32M\"\n[pipelines.copy]\ninput = \"{}\"\noutputs = [\"{}\"]\n",
            ports.url("camera"),
            ports.url("out"),
        )
    });
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    fleet.wait_for_state("copy", "running");
    let url = fleet.flv("out");
    let address = url.split('/').nth(2).unwrap();
    let held: Vec<_> = (0..500).map(|_| TcpStream::connect(address).unwrap()).collect();
    wait_until("some are refused", || fleet.said().contains("the memory for streams is used up"));
    drop(held);
    let is_answered = || {
        let mut socket = TcpStream::connect(address).unwrap();
        let _ =
            write!(socket, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).is_ok() && !answer.is_empty()
    };
    wait_until("the server has noticed that they left", is_answered);
    assert_seen_everywhere(&fleet, "copy", "memory_limit");
}

#[test]
fn the_page_and_the_guide_know_every_alert() {
    let page = include_str!("../../../../../page/src/alerts.ts");
    let guide = include_str!("../../../../../docs/ten-cameras.md");
    assert!(guide.contains("frameloom_pipeline_alert == 1"));
    for kind in frameloom::AlertKind::ALL {
        assert!(page.contains(&format!("  {}: {{ title:", kind.name())), "{kind:?}");
        assert!(guide.contains(&format!("| `{}` |", kind.name())), "{kind:?}");
    }
}

#[test]
fn a_recording_that_is_started_again_has_a_name_of_its_own() {
    let kept = room();
    let path = kept.path().join("film.mkv");
    // The user's own, from another day.
    fs::write(&path, "an old film").unwrap();
    let name = path.to_str().unwrap().to_owned();
    let fleet = Fleet::start(|ports| {
        format!(
            "[pipelines.record]\ninput = \"{}\"\noutputs = [\"{}\", \"{name}\"]\n",
            ports.url("camera"),
            ports.url("live"),
        )
    });
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    let recordings = || {
        let files = fs::read_dir(kept.path()).unwrap().map(|entry| entry.unwrap());
        let written = files.filter(|entry| entry.metadata().unwrap().len() > 5000);
        written.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    for count in 1..3 {
        wait_until("another recording is written", || recordings().len() == count);
        let pid = fleet.pipeline("record")["pid"].as_u64().unwrap();
        signal("KILL", &pid.to_string());
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "an old film");
    assert!(recordings().iter().all(|name| name.starts_with("film-20")), "{:?}", recordings());
}

#[test]
fn a_command_gets_what_its_row_gives_and_no_other_secret() {
    let kept = room();
    let path = kept.path().join("environment");
    let script = format!("env > {0}.new; mv {0}.new {0}; exec cat", path.display());
    let fleet = Fleet::start_with(Some("a-token-of-some-length"), |ports| {
        format!(
            "[pipelines.edit]\ninput = \"{}\"\noutputs = [\"{}\"]\ncommand = {}\n\
             env = {{ SHOWN = \"${{CAMERA_KEY}}\", MODE = \"live\" }}\n",
            ports.url("camera"),
            ports.url("edited"),
            json!(["sh", "-c", script]),
        )
    });
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    wait_until("the command runs", || path.exists());
    let text = fs::read_to_string(&path).unwrap();
    let has = |line: &str| text.lines().any(|had| had == line);
    assert!(has("SHOWN=sesame-7531") && has("MODE=live"), "{text}");
    for name in ["CAMERA_KEY", "FRAMELOOM_API_TOKEN", "FRAMELOOM_PUBLISH_KEY"] {
        assert!(!text.lines().any(|line| line.starts_with(&format!("{name}="))), "{name}:\n{text}");
    }
    let shown = fleet.pipeline("edit");
    assert_eq!(shown["settings"]["env"], json!({ "SHOWN": "***", "MODE": "***" }));
    assert!(!shown.to_string().contains("sesame"), "{shown:#}");
}
