//! Models of a file: one process for several pipelines, started again, and ended with the server.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::fleet::is_alive;
use crate::harness::*;

/// A model whose file says `says`, with further keys.
pub(super) fn model(room: &Path, name: &str, says: &str, more: &str) -> String {
    let file = room.join(name);
    fs::write(&file, says).unwrap();
    let (python, program) = (python().display(), fixture("model.py"));
    let (file, program) = (file.display(), program.display());
    format!("[models.{name}]\nfile = \"{file}\"\ncommand = [\"{python}\", \"{program}\"]\n{more}\n")
}

/// A pipeline whose COMMAND asks a model for each frame, at its own speed.
pub(super) fn asks(ports: Ports, name: &str, model: &str) -> String {
    let (python, program, output) = (python().display(), fixture("ask_model.py"), ports.url(name));
    let program = program.display();
    format!(
        "[pipelines.{name}]\ninput = \"testsrc2=size=160x120:rate=10\"\n\
         input_options = {{ f = \"lavfi\", re = true }}\noutputs = [\"{output}\"]\n\
         output_options = {{ preset = \"ultrafast\", g = 10 }}\n\
         command = [\"{python}\", \"{program}\"]\nmodel = \"{model}\"\n"
    )
}

fn shown(fleet: &Fleet, name: &str) -> Value {
    let answer = fleet.get(&format!("/api/v1/models/{name}"));
    assert_eq!(answer.status, 200, "{name}: {}", answer.head);
    answer.json()
}

#[track_caller]
fn wait_for_model(fleet: &Fleet, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait_until(&format!("{name} is {what}"), || {
        last = shown(fleet, name);
        is_so(&last)
    });
    last
}

fn runs(model: &Value) -> bool {
    model["state"] == "running" && !model["stats"].is_null()
}

fn pid(shown: &Value) -> u32 {
    shown["pid"].as_u64().unwrap().try_into().unwrap()
}

fn kill(pid: u32) {
    std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
}

/// The processes of a server that serve a model.
fn serving(fleet: &Fleet) -> Vec<u32> {
    let serves = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == b"--serve")
    };
    fleet.descendants().into_iter().filter(serves).collect()
}

/// The socket that a process serves its model on.
fn socket(pid: u32) -> PathBuf {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let mut words = words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word));
    words.find(|word| word == "--serve").unwrap();
    PathBuf::from(words.next().unwrap().into_owned())
}

fn edited(pipeline: &Value) -> u64 {
    pipeline["stats"]["frames_edited"].as_u64().unwrap_or(0)
}

#[test]
fn two_pipelines_use_one_process_that_is_started_again_when_it_dies() {
    let room = room();
    let env = "env = { SECRET = \"${CAMERA_KEY}\" }\noptions = { threads = 2 }";
    let fleet = Fleet::start_with(Some("a-token-of-some-length"), |ports| {
        model(room.path(), "faces", "7", env)
            + &asks(ports, "a", "faces")
            + &asks(ports, "b", "faces")
    });
    let pipelines =
        ["a", "b"].map(|name| fleet.wait_for(name, "at work", |pipeline| edited(pipeline) > 10));
    let faces = wait_for_model(&fleet, "faces", "asked by both", |model| {
        runs(model) && model["stats"]["clients"] == 2 && model["stats"]["fps"].as_f64() > Some(0.0)
    });
    assert_eq!(serving(&fleet), [pid(&faces)]);
    assert_eq!((&faces["restarts"], &faces["error"]), (&json!(0), &Value::Null));
    assert_eq!(faces["settings"]["env"]["SECRET"], "***");

    // The server's own keys stay with it, and a variable that the file names goes where it says.
    let environment = fs::read(format!("/proc/{}/environ", pid(&faces))).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("SECRET=sesame-7531"), "{environment}");
    for name in ["CAMERA_KEY", "FRAMELOOM_API_TOKEN"] {
        assert!(!environment.contains(name), "{environment}");
    }

    let metrics = || String::from_utf8(fleet.get("/metrics").body).unwrap();
    wait_until("the metrics have it", || {
        let metrics = metrics();
        let counted = |name: &str| {
            let begin = format!("frameloom_model_{name}{{model=\"faces\"}} ");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&begin))?;
            value.parse::<f64>().ok()
        };
        counted("clients") == Some(2.0)
            && counted("queue") == Some(1.0)
            && counted("batch_seconds") == Some(0.0125)
            && counted("batches_total") > Some(10.0)
            && counted("frames_total") > Some(10.0)
            && counted("resident_memory_bytes") > Some(1e6)
            && metrics.contains("frameloom_model_state{model=\"faces\",state=\"running\"} 1")
    });

    kill(pid(&faces));
    let again = wait_for_model(&fleet, "faces", "there again", |model| {
        runs(model) && model["pid"] != faces["pid"] && model["stats"]["clients"] == 2
    });
    assert_eq!((&again["restarts"], &again["error"]), (&json!(1), &Value::Null));
    assert!(again["stats"]["frames"].as_u64() > faces["stats"]["frames"].as_u64(), "{again:#}");
    assert!(fleet.said().contains("model faces: it was killed by signal 9; "), "{}", fleet.said());
    for (name, before) in ["a", "b"].into_iter().zip(&pipelines) {
        let so_far = edited(&fleet.pipeline(name));
        let now = fleet.wait_for(name, "at work again", |p| edited(p) > so_far + 10);
        assert_eq!((&now["pid"], &now["restarts"]), (&before["pid"], &json!(0)));
    }

    let answer = fleet.request("POST", "/api/v1/models/faces/restart", "", "");
    assert_eq!(answer.status, 202);
    let third = wait_for_model(&fleet, "faces", "restarted", |model| {
        runs(model) && model["pid"] != again["pid"]
    });
    assert_eq!(third["restarts"], 1, "it did not fail");
    let none = fleet.request("POST", "/api/v1/models/faces/restart", "Authorization: none\r\n", "");
    assert_eq!(none.status, 401);
}

#[test]
fn only_a_model_that_has_changed_is_restarted() {
    let room = room();
    let file = |ports: Ports, cars: &str| {
        let pipeline = asks(ports, "a", "faces") + "enabled = false\n";
        model(room.path(), "faces", "7", "") + &model(room.path(), "cars", "8", cars) + &pipeline
    };
    let fleet = Fleet::start(|ports| file(ports, ""));
    let faces = wait_for_model(&fleet, "faces", "there", runs);
    let cars = wait_for_model(&fleet, "cars", "there", runs);
    let reload = |text: &str| {
        fs::write(fleet.file(), text).unwrap();
        fleet.signal("HUP");
    };
    reload(&file(fleet.ports, "options = { threads = 3 }"));
    let again = wait_for_model(&fleet, "cars", "restarted", |model| {
        runs(model) && model["pid"] != cars["pid"]
    });
    assert_eq!(again["settings"]["options"], json!({ "threads": 3 }));
    assert_eq!(again["restarts"], 0, "it did not fail");
    assert_eq!(shown(&fleet, "faces")["pid"], faces["pid"]);

    // A pipeline of the API may name a model of the file, which stays as long as it does.
    let mut other = json!({
        "name": "other", "input": "in.flv", "outputs": [fleet.url("other")],
        "command": ["cat"], "model": "crs", "enabled": false,
    });
    let refused = fleet.post("/api/v1/pipelines", &other);
    let told = refused.problem(422);
    assert_eq!(told, "model: the file has no model 'crs' (did you mean cars?)");
    let (kind, near) = (refused.json()["kind"].clone(), refused.json()["near"].clone());
    assert_eq!((kind, near), (json!("no_model"), json!(["cars"])));
    other["model"] = json!("cars");
    assert_eq!(fleet.post("/api/v1/pipelines", &other).status, 201);
    let error = || fleet.get("/api/v1/pipelines").json()["file_error"].clone();
    let without = model(room.path(), "faces", "7", "");
    reload(&without);
    wait_until("it is refused", || !error().is_null());
    let told = error();
    assert!(told.as_str().unwrap().contains("pipelines.other: it names the model cars"), "{told}");
    assert_eq!(shown(&fleet, "cars")["pid"], again["pid"]);
    assert_eq!(fleet.get("/api/v1/pipelines/a").status, 200, "nothing has changed");
    assert_eq!(fleet.request("DELETE", "/api/v1/pipelines/other", "", "").status, 204);
    reload(&without);
    wait_until("it is gone", || fleet.get("/api/v1/models/cars").status == 404);
    wait_until("its process is gone", || !is_alive(pid(&again)));
    assert_eq!(fleet.get("/api/v1/pipelines/a").status, 404);
    assert!(error().is_null());

    // A mistake has its place, and changes nothing.
    reload(&without.replace("file =", "fiel ="));
    wait_until("it is told", || !error().is_null());
    let told = error();
    assert!(told.as_str().unwrap().contains(":2:1: models.faces: there is no key"), "{told}");
    assert_eq!(shown(&fleet, "faces")["pid"], faces["pid"]);
}

#[test]
fn why_a_model_does_not_run_is_told() {
    let room = room();
    let fleet = Fleet::start(|_| {
        ["broken", "wrong", "loud"].map(|name| model(room.path(), name, name, "")).concat()
    });
    let broken = wait_for_model(&fleet, "broken", "restarted", |model| {
        model["restarts"].as_u64() > Some(1) && model["error"].is_string()
    });
    assert_eq!(broken["error"], "it ended with exit status 1: model.py: the file is broken");
    let said = fleet.said();
    let told = said.lines().filter(|line| line.contains("model broken: ")).count();
    assert_eq!(told, 1, "what goes on is told once: {said}");

    // Another try would end in the same way.
    let wrong = wait_for_model(&fleet, "wrong", "failed", |model| model["state"] == "failed");
    assert_eq!(wrong["error"], "it ended with exit status 2: model.py: the file is wrong");
    assert_eq!((&wrong["restarts"], &wrong["pid"]), (&json!(0), &Value::Null));
    fs::write(room.path().join("wrong"), "right").unwrap();
    assert_eq!(fleet.request("POST", "/api/v1/models/wrong/restart", "", "").status, 202);
    let right = wait_for_model(&fleet, "wrong", "right", runs);
    assert_eq!(right["error"], Value::Null);

    // A flood is kept within bounds, and no report stands in the log.
    wait_for_model(&fleet, "loud", "there", runs);
    let log = |query: &str| fleet.get(&format!("/api/v1/models/loud/log{query}")).json();
    let mut lines = Value::Null;
    wait_until("the flood is summed up", || {
        lines = log("?lines=1000")["lines"].clone();
        lines.to_string().contains("lines were left out")
    });
    let lines = lines.as_array().unwrap();
    assert!(lines.len() < 500, "{}", lines.len());
    assert!(lines.iter().any(|line| line["text"] == "model.py: line 0"), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line["text"].as_str().unwrap().contains("queue")),
        "{lines:?}"
    );
    assert_eq!(log("?lines=2")["lines"].as_array().unwrap().len(), 2);
    fleet.get("/api/v1/models/loud/log?lines=few").problem(400);
    for path in ["/api/v1/models/none", "/api/v1/models/none/log"] {
        let answer = fleet.get(path);
        assert!(answer.problem(404).contains("no model of this name"));
        assert_eq!(answer.json()["kind"], "no_model");
    }
}

#[test]
fn no_model_outlives_its_server() {
    for signal in ["TERM", "KILL"] {
        let room = room();
        let fleet =
            Fleet::start(|ports| model(room.path(), "faces", "7", "") + &asks(ports, "a", "faces"));
        fleet.wait_for("a", "at work", |pipeline| edited(pipeline) > 0);
        let process = pid(&wait_for_model(&fleet, "faces", "there", runs));
        let socket = socket(process);
        assert!(socket.exists());
        fleet.signal(signal);
        let outcome = fleet.wait();
        wait_until("it is gone", || !is_alive(process));
        if signal == "TERM" {
            outcome.ok();
            assert!(!socket.parent().unwrap().exists(), "{socket:?} is left");
        } else {
            fs::remove_dir_all(socket.parent().unwrap()).unwrap();
        }
    }
}

#[test]
fn a_model_that_does_not_end_is_killed() {
    let room = room();
    let fleet = Fleet::start(|_| model(room.path(), "faces", "stubborn", ""));
    let process = pid(&wait_for_model(&fleet, "faces", "there", runs));
    fleet.signal("TERM");
    let outcome = fleet.wait().ok();
    assert!(!is_alive(process), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("did not end"), "{}", outcome.stderr);
}
