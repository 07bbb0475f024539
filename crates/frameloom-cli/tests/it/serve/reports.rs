//! What a pipeline reports comes on a channel of its own: stderr is its log, whatever stands there.

use serde_json::{Value, json};

use crate::harness::camera::{Camera, Film};
use crate::harness::*;

/// A server with a camera and one pipeline whose COMMAND is this shell script.
fn with_command(script: &str) -> (Fleet, Camera) {
    let script = script.to_owned();
    let fleet = Fleet::start(move |ports| {
        let (input, output) = (ports.url("camera"), ports.url("edited"));
        let command = json!(["sh", "-c", script]);
        format!(
            "[pipelines.edit]\ninput = \"{input}\"\noutputs = [\"{output}\"]\ncommand = {command}\n"
        )
    });
    let camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    (fleet, camera)
}

fn log(fleet: &Fleet) -> Vec<String> {
    let log = fleet.get("/api/v1/pipelines/edit/log?lines=500").json();
    let lines = log["lines"].as_array().unwrap().iter();
    lines.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

/// Waits until its figures are there, and are those of the stream.
#[track_caller]
fn assert_figures(fleet: &Fleet) -> Value {
    let counts = |p: &Value| p["stats"]["frames_out"].as_u64().unwrap_or(0) > 25;
    let edit = fleet.wait_for("edit", "at work", |p| p["state"] == "running" && counts(p));
    let stats = &edit["stats"];
    assert_eq!((&edit["restarts"], &stats["input"]), (&json!(0), &json!("ok")), "{edit:#}");
    let fps = stats["fps"].as_f64().unwrap();
    assert!((5.0..100.0).contains(&fps), "{stats:#}");
    let metrics = String::from_utf8(fleet.get("/metrics").body).unwrap();
    let metric = |name: &str| {
        let start = format!("frameloom_pipeline_{name}{{pipeline=\"edit\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse::<f64>().unwrap()
    };
    assert!(metric("frames_per_second") < 100.0 && metric("frames_out_total") > 25.0);
    assert_eq!(metric("wrong_reports_total"), 0.0);
    edit
}

#[test]
fn json_on_stderr_is_a_line_of_the_log() {
    let lines = [
        r#"{}"#,
        r#"{"level":"info","msg":"model loaded","fps":1e9}"#,
        r#"{"fps":1000000000.0,"frames_out":"many","input":7,"latency":[]}"#,
        r#"{"state":"running"}"#,
        r#"{"error":{"message":"none"}}"#,
        r#"[1, 2"#,
    ];
    let said = lines.join("\n");
    let script = format!("cat >&2 <<'END'\n{said}\nEND\nprintf 'no newline' >&2; exec cat");
    let (fleet, _camera) = with_command(&script);
    let before = assert_figures(&fleet);
    // It is in the log as soon as a line's end follows.
    fleet.request("POST", "/api/v1/pipelines/edit/restart", "", "");
    wait_until("all of it is in the log", || {
        let log = log(&fleet);
        lines.iter().all(|line| log.iter().any(|had| had == line))
            && log.iter().any(|had| had.contains("no newline"))
    });
    fleet.wait_for("edit", "another process", |p| {
        p["state"] == "running" && p["pid"] != before["pid"]
    });
    assert_figures(&fleet);
}

#[test]
fn a_line_of_its_own_log_has_a_level_and_one_of_its_command_has_none() {
    let (fleet, _camera) =
        with_command("echo 'frameloom: warning: all is well' >&2; head -c 1000000; exit 1");
    let lines = || fleet.get("/api/v1/pipelines/edit/log?lines=500").json()["lines"].clone();
    let mut seen = Value::Null;
    wait_until("the command failed, and was heard", || {
        seen = lines();
        let lines = seen.as_array().unwrap();
        lines.iter().any(|line| line["level"] == "warning")
            && lines.iter().any(|line| line["text"] == "frameloom: warning: all is well")
    });
    for line in seen.as_array().unwrap() {
        let text = line["text"].as_str().unwrap();
        // Its own lines are data: nobody has to take words apart.
        assert_eq!(line.get("level").is_none(), !line["level"].is_string(), "{line}");
        assert!(line.get("level").is_none() || !text.starts_with("frameloom: "), "{line}");
        assert!(!text.ends_with("all is well") || line.get("level").is_none(), "{line}");
    }
}

#[test]
fn a_flood_on_stderr_is_cut_and_summed_up() {
    let (fleet, _camera) = with_command("seq -f 'line %.0f' 1 200000 >&2; exec cat");
    assert_figures(&fleet);
    let count = |log: &[String]| {
        let left_out = log.iter().filter_map(|line| line.strip_suffix(" lines were left out"));
        let left_out: u64 = left_out.map(|count| count.parse::<u64>().unwrap()).sum();
        (left_out, log.iter().filter(|line| line.starts_with("line ")).count())
    };
    let mut counted = (0, 0);
    wait_until("all lines are accounted for", || {
        counted = count(&log(&fleet));
        counted.0 + counted.1 as u64 >= 200_000
    });
    // Few of the pipeline's own lines may be among those that were left out.
    assert!(counted.0 + (counted.1 as u64) < 200_020, "{counted:?}");
    assert!((200..500).contains(&counted.1), "{counted:?}");
}

#[test]
fn a_command_has_no_part_in_the_channel() {
    let script = "ls -l /proc/self/fd >&2; exec cat";
    let (fleet, _camera) = with_command(script);
    assert_figures(&fleet);
    let log = log(&fleet);
    let descriptors: Vec<&String> = log.iter().filter(|line| line.contains(" -> ")).collect();
    assert!(descriptors.iter().any(|line| line.contains("0 -> pipe:")), "{log:#?}");
    assert!(!descriptors.iter().any(|line| line.contains("socket:")), "{descriptors:#?}");
}

#[test]
fn the_error_is_the_reported_one_whatever_was_written_last() {
    let (fleet, _camera) = with_command("echo 'frameloom: all is well' >&2; cat > /dev/null");
    let change = json!({
        "input": fleet.url("camera"),
        "outputs": ["rtmp://127.0.0.1:1/live/nobody"],
        "loglevel": "quiet",
    });
    assert_eq!(fleet.send("PUT", "/api/v1/pipelines/edit", &change).status, 200);
    let failed = fleet.wait_for("edit", "failing", |p| p["restarts"].as_u64().unwrap_or(0) > 0);
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("output: rtmp://127.0.0.1:1/live/nobody: "), "{error}");
}
