//! The file, read again while the server runs.

use std::fs;

use serde_json::json;

use crate::harness::camera::{Camera, Film};
use crate::harness::*;

fn file(ports: Ports, second: &str) -> String {
    let url = |name| ports.url(name);
    format!(
        "[pipelines.first]\ninput = \"{}\"\noutputs = [\"{}\"]\n\
         [pipelines.second]\ninput = \"{0}\"\noutputs = [\"{}\"]\n{second}\n",
        url("camera"),
        url("first"),
        url("second"),
    )
}

#[test]
fn only_what_changed_is_restarted() {
    let fleet = Fleet::start(|ports| file(ports, "stall_timeout = 20"));
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    let first = fleet.wait_for_state("first", "running")["pid"].clone();
    let second = fleet.wait_for_state("second", "running")["pid"].clone();

    // On the signal.
    fs::write(fleet.file(), file(fleet.ports, "stall_timeout = 30")).unwrap();
    fleet.signal("HUP");
    let is_new = |pid: serde_json::Value| {
        move |p: &serde_json::Value| p["state"] == "running" && p["pid"] != pid
    };
    let again = fleet.wait_for("second", "restarted", is_new(second))["pid"].clone();
    assert_eq!(fleet.pipeline("second")["settings"]["stall_timeout"], 30);
    assert_eq!(fleet.pipeline("second")["restarts"], 0, "it did not fail");
    assert_eq!(fleet.pipeline("first")["pid"], first);

    // And by itself, when the file has changed; a comment is no change.
    fs::write(fleet.file(), file(fleet.ports, "stall_timeout = 40 # longer")).unwrap();
    let third = fleet.wait_for("second", "restarted", is_new(again))["pid"].clone();
    assert_eq!(fleet.pipeline("first")["pid"], first);

    // What is wrong changes nothing, and is told.
    fs::write(fleet.file(), file(fleet.ports, "stall_timeuot = 50")).unwrap();
    fleet.signal("HUP");
    let error = || fleet.get("/api/v1/pipelines").json()["file_error"].clone();
    wait_until("it is told", || !error().is_null());
    let told = error().as_str().unwrap().to_owned();
    assert!(told.contains(":7:1") && told.contains("did you mean stall_timeout?"), "{told}");
    assert!(fleet.said().contains("did you mean stall_timeout?"), "{}", fleet.said());
    assert_eq!(fleet.pipeline("second")["pid"], third);

    // One goes, and another one comes.
    let third_one = file(fleet.ports, "").replace("second", "third");
    fs::write(fleet.file(), third_one).unwrap();
    fleet.signal("HUP");
    wait_until("it is gone", || fleet.get("/api/v1/pipelines/second").status == 404);
    fleet.wait_for_state("third", "running");
    assert_eq!(fleet.pipeline("first")["pid"], first);
    assert!(error().is_null());
}

#[test]
fn what_the_api_changes_is_written_to_the_file_where_it_is_to_be() {
    let comment = "# The second one is for the yard.";
    let with_save = |ports| format!("{comment}\n[server]\nsave = true\n{}", file(ports, ""));
    let fleet = Fleet::start(with_save);
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    let first = fleet.wait_for_state("first", "running")["pid"].clone();
    let third = json!({
        "name": "third", "input": fleet.url("camera"), "outputs": [fleet.url("third")],
        "stall_timeout": 20,
    });
    assert_eq!(fleet.post("/api/v1/pipelines", &third).status, 201);
    let third = fleet.wait_for_state("third", "running")["pid"].clone();
    assert_eq!(fleet.request("DELETE", "/api/v1/pipelines/second", "", "").status, 204);
    let text = fs::read_to_string(fleet.file()).unwrap();
    assert!(text.starts_with(comment) && text.contains("[pipelines.third]"), "{text}");
    assert!(!text.contains("pipelines.second"), "{text}");
    // It is read again, and says what is so already.
    wait_until("it is read again", || fleet.said().contains("was read again"));
    assert_eq!(fleet.pipeline("first")["pid"], first);
    assert_eq!(fleet.pipeline("third")["pid"], third);
    // What can't be written is told; what was asked for is done nevertheless.
    fs::remove_file(fleet.file()).unwrap();
    let told = fleet.request("DELETE", "/api/v1/pipelines/third", "", "").problem(500);
    assert!(told.contains("fleet.toml' could not be written"), "{told}");
    assert_eq!(fleet.get("/api/v1/pipelines/third").status, 404);
    // A server that starts with what was written has the same pipelines.
    let again = Fleet::start(|ports| {
        let old = [fleet.ports.rtmp.to_string(), ports.rtmp.to_string()];
        text.replace(&old[0], &old[1])
    });
    let all = again.get("/api/v1/pipelines").json();
    let names: Vec<&str> =
        all["pipelines"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(names, ["first", "third"]);
}

#[test]
fn what_one_pipeline_gives_up_another_may_take_in_one_change() {
    let table = |ports: Ports, name: &str, output: &str| {
        let (input, output) = (ports.url("camera"), ports.url(output));
        format!(
            "[pipelines.{name}]\ninput = \"{input}\"\noutputs = [\"{output}\"]\nenabled = false\n"
        )
    };
    let fleet = Fleet::start(|ports| table(ports, "old", "x") + &table(ports, "gone", "z"));
    let outputs = |name: &str| fleet.pipeline(name)["settings"]["outputs"][0].clone();
    assert_eq!(outputs("old"), json!(fleet.url("x")));
    let ports = fleet.ports;
    fs::write(fleet.file(), table(ports, "new", "x") + &table(ports, "old", "y")).unwrap();
    fleet.signal("HUP");
    wait_until("the new one is there", || {
        fleet.get("/api/v1/pipelines/new").status == 200 && outputs("old") == json!(fleet.url("y"))
    });
    assert_eq!(outputs("new"), json!(fleet.url("x")));
    assert_eq!(fleet.get("/api/v1/pipelines/gone").status, 404);
    assert_eq!(fleet.get("/api/v1/pipelines").json()["file_error"], json!(null));
}

#[test]
fn changes_at_once_leave_the_file_as_the_pipelines_are() {
    let fleet = Fleet::start(|ports| {
        let (input, output) = (ports.url("camera"), ports.url("first"));
        format!(
            "[server]\nsave = true\n[pipelines.first]\ninput = \"{input}\"\n\
             outputs = [\"{output}\"]\nenabled = false\n"
        )
    });
    let settings = |loglevel: &str| {
        let (input, output) = (fleet.url("camera"), fleet.url("other"));
        json!({ "input": input, "outputs": [output], "enabled": false, "loglevel": loglevel })
    };
    for _ in 0..30 {
        let mut new = settings("info");
        new["name"] = json!("other");
        assert_eq!(fleet.post("/api/v1/pipelines", &new).status, 201);
        std::thread::scope(|scope| {
            for level in ["error", "warning"] {
                let settings = &settings;
                let fleet = &fleet;
                scope.spawn(move || {
                    let status =
                        fleet.send("PUT", "/api/v1/pipelines/other", &settings(level)).status;
                    assert!(status == 200 || status == 404, "{status}");
                });
            }
            let status = fleet.request("DELETE", "/api/v1/pipelines/other", "", "").status;
            assert_eq!(status, 204);
        });
        assert_eq!(fleet.get("/api/v1/pipelines/other").status, 404);
        let text = fs::read_to_string(fleet.file()).unwrap();
        assert!(!text.contains("other"), "{text}");
        assert!(text.contains("[pipelines.first]"), "{text}");
    }
}
