//! The API: as its description says, and refusing what it should.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::fleet::Answer;
use crate::harness::*;

/// A camera of the server's own, an edit of it, and a model.
fn file(ports: Ports) -> String {
    let (python, model) = (python().display(), fixture("model.py"));
    let model = model.display();
    format!(
        "[models.faces]\nfile = \"{model}\"\ncommand = [\"{python}\", \"{model}\"]\n\
         options = {{ threads = 2, size = \"640x384\", device = \"cpu\" }}\n\
         env = {{ TOKEN = \"hush-hush\" }}\n\
         [pipelines.camera]\ninput = \"testsrc2=size=320x240:rate=24\"\n\
         input_options = {{ f = \"lavfi\", re = true }}\n\
         output_options = {{ g = 24 }}\noutputs = [\"{0}\"]\n\
         [pipelines.edit]\ninput = \"{0}\"\noutputs = [\"{1}\"]\nfilter = \"hflip\"\n",
        ports.url("camera"),
        ports.url("edit"),
    )
}

/// The description that a server serves, and what its answers are held against.
struct Description(Value);

impl Description {
    /// Every operation: path, method.
    fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap();
        let methods = |path: &Value| {
            let known = ["get", "put", "post", "delete"];
            let names = path.as_object().unwrap().keys();
            names.filter(|name| known.contains(&name.as_str())).cloned().collect::<Vec<_>>()
        };
        let of = |(path, item): (&String, &Value)| {
            methods(item).into_iter().map(|method| (path.clone(), method)).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of).collect()
    }

    /// The answer is one that the description has for this operation, and fits its schema.
    #[track_caller]
    fn assert_fits(&self, path: &str, method: &str, answer: &Answer) {
        let status = answer.status.to_string();
        let mut described = &self.0["paths"][path][method]["responses"][&status];
        if let Some(reference) = described["$ref"].as_str() {
            described = self.0.pointer(reference.trim_start_matches('#')).unwrap();
        }
        assert!(!described.is_null(), "{method} {path} is not described to answer {status}");
        let Some(content) = described["content"].as_object() else {
            assert!(answer.body.is_empty(), "{method} {path}: a body with {status}");
            return;
        };
        let (kind, media) = content.iter().next().unwrap();
        assert!(answer.head.contains(kind.as_str()), "{method} {path}: {}", answer.head);
        if kind.ends_with("json") {
            self.assert_is(&media["schema"], &answer.json());
        }
    }

    #[track_caller]
    fn assert_is(&self, schema: &Value, value: &Value) {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?} in {value:#}");
    }
}

fn up() -> Fleet {
    let fleet = Fleet::start(file);
    fleet.wait_for_state("camera", "running");
    fleet.wait_for("edit", "at work", |p| p["stats"]["frames_out"].as_u64() > Some(24));
    fleet
}

#[test]
fn every_answer_is_as_the_description_says() {
    let fleet = up();
    let description = Description(fleet.get("/api/v1/openapi.json").json());
    assert_eq!(description.0["openapi"], "3.1.0");
    let added = json!({
        "name": "added",
        "input": fleet.url("camera"),
        "outputs": [{ "url": fleet.url("added"), "options": { "b:v": "300k" } }],
        "filter": "vflip",
        "on_demand": true,
    });
    let mut changed = added.clone();
    changed.as_object_mut().unwrap().remove("name");
    for (path, method) in description.operations() {
        // The event stream has no end: it has a test of its own.
        if path == "/api/v1/events" {
            continue;
        }
        // What is removed has to be there, and what is looked at has to run.
        let target = if method == "delete" { "added" } else { "edit" };
        let target = if method == "put" { "added" } else { target };
        let is_model = path.starts_with("/api/v1/models/");
        let target = if is_model { "faces" } else { target };
        if is_model {
            let seen = || !fleet.get("/api/v1/models/faces").json()["stats"].is_null();
            wait_until("the model has reported", seen);
        }
        if target == "added" && fleet.get("/api/v1/pipelines/added").status == 404 {
            assert_eq!(fleet.post("/api/v1/pipelines", &added).status, 201);
        }
        if path.ends_with(".jpg") {
            fleet.wait_for("edit", "seen", |p| p["stats"]["frames_out"].as_u64() > Some(24));
        }
        let at = path.replace("{name}", target);
        let answer = match method.as_str() {
            "post" if path == "/api/v1/pipelines" => {
                fleet.send("DELETE", "/api/v1/pipelines/added", &Value::Null);
                fleet.post(&at, &added)
            }
            "put" => fleet.send("PUT", &at, &changed),
            method => fleet.request(&method.to_uppercase(), &at, "", ""),
        };
        assert!((200..300).contains(&answer.status), "{method} {at}: {}", answer.head);
        description.assert_fits(&path, &method, &answer);
        if path.contains("{name}") {
            let nobody = path.replace("{name}", "nobody");
            let answer = fleet.send(&method.to_uppercase(), &nobody, &changed);
            let what = if is_model { "model" } else { "pipeline" };
            assert!(answer.problem(404).contains(&format!("no {what} of this name")));
            description.assert_fits(&path, &method, &answer);
        }
        // What the description doesn't have is not there.
        let answer = fleet.request("PATCH", &at, "", "");
        assert_eq!(answer.status, 405, "{at}");
    }
    // What is accepted is described: each key that there is.
    let schema = &description.0["components"]["schemas"]["Settings"]["properties"];
    let all = "input, inputs, outputs, command, env, model, filter, filter_complex, init_hw_device, \
               filter_hw_device, input_options, output_options, on_demand, idle_timeout, enabled, loglevel, ";
    let told = fleet.post("/api/v1/pipelines", &json!({ "name": "x", "xyzzyxyzzy": 1 }));
    let told = told.problem(422);
    assert!(told.contains(all), "{told}");
    let known = told.split("it knows ").nth(1).unwrap().trim_end_matches(')');
    let known: Vec<&str> =
        known.split([',', ' ']).filter(|w| !w.is_empty() && *w != "or").collect();
    assert_eq!(known.len(), schema.as_object().unwrap().len(), "{known:?}");
    for key in known {
        assert!(!schema[key].is_null(), "{key} is not described");
    }
}

#[test]
fn pipelines_are_added_changed_stopped_started_and_removed() {
    let fleet = up();
    let edit = fleet.wait_for_state("edit", "running");
    let play = &edit["play"];
    assert_eq!(play["input"]["rtmp"], fleet.url("camera"));
    assert_eq!(play["output"]["flv"], fleet.flv("edit"));
    assert_eq!(edit["settings"]["filter"], "hflip");

    let settings = json!({ "input": fleet.url("camera"), "outputs": [fleet.url("second")] });
    let mut named = settings.clone();
    named["name"] = "second".into();
    assert_eq!(fleet.post("/api/v1/pipelines", &named).status, 201);
    let second = fleet.wait_for_state("second", "running");
    assert!(fleet.post("/api/v1/pipelines", &named).problem(409).contains("PUT"));

    let mut other = settings.clone();
    other["filter"] = "vflip".into();
    let changed = fleet.send("PUT", "/api/v1/pipelines/second", &other).json();
    assert_eq!(changed["settings"]["filter"], "vflip");
    let running = |p: &Value| p["state"] == "running" && p["pid"] != second["pid"];
    let third = fleet.wait_for("second", "another process", running);

    fleet.request("POST", "/api/v1/pipelines/second/restart", "", "");
    fleet.wait_for("second", "a third process", |p| {
        running(p) && p["pid"] != third["pid"] && p["restarts"] == 0
    });
    assert_eq!(fleet.request("POST", "/api/v1/pipelines/second/stop", "", "").status, 202);
    let stopped = fleet.wait_for_state("second", "stopped");
    wait_until("its process is gone", || fleet.pipeline("second")["pid"].is_null());
    assert_eq!(stopped["error"], Value::Null);
    assert!(fleet.get("/api/v1/pipelines/second/output.jpg").problem(503).contains("not running"));
    fleet.request("POST", "/api/v1/pipelines/second/start", "", "");
    fleet.wait_for_state("second", "running");
    assert_eq!(fleet.request("DELETE", "/api/v1/pipelines/second", "", "").status, 204);
    wait_until("its stream is gone", || {
        let streams = fleet.get("/api/v1/status").json()["streams"].clone();
        streams.as_array().unwrap().iter().all(|stream| stream["name"] != "second")
    });
    assert_eq!(fleet.get("/api/v1/pipelines/second").status, 404);
    assert_eq!(fleet.pipeline("edit")["pid"], edit["pid"], "another one was touched");
}

#[test]
fn pictures_stats_and_metrics_are_those_of_the_pipeline() {
    let fleet = up();
    let folder = room();
    let picture = |end: &str| {
        let answer = fleet.get(&format!("/api/v1/pipelines/edit/{end}.jpg"));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let path = folder.path().join(format!("{end}.jpg"));
        std::fs::write(&path, &answer.body).unwrap();
        decode(&path, "gray")
    };
    let (input, output) = (picture("input"), picture("output"));
    assert_eq!((input.width, input.height), (320, 240));
    // The colour bars stand still: the output's are the input's, mirrored.
    let mirrored: Vec<u8> =
        input.frames[0].chunks(320).flat_map(|row| row.iter().rev().copied()).collect();
    let likeness = (psnr(&mirrored, &output.frames[0]), psnr(&input.frames[0], &output.frames[0]));
    assert!(likeness.0 > likeness.1 + 2.0, "mirrored and plain: {likeness:?} dB");

    let mut stats = Value::Null;
    wait_until("there is a history", || {
        stats = fleet.get("/api/v1/pipelines/edit/stats").json();
        stats["history"].as_array().unwrap().len() >= 3
    });
    let history = stats["history"].as_array().unwrap();
    assert!(
        history.windows(2).all(|pair| pair[0]["time_ms"].as_u64() < pair[1]["time_ms"].as_u64())
    );
    assert!(stats["now"]["memory_bytes"].as_u64() > Some(1 << 20), "{stats:#}");

    let metrics = fleet.get("/metrics");
    let text = String::from_utf8(metrics.body).unwrap();
    let value = |line: &str| -> f64 {
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {line} in\n{text}")).parse().unwrap()
    };
    let of = |name: &str| value(&format!("frameloom_pipeline_{name}{{pipeline=\"edit\"}}"));
    assert!(of("frames_in_total") > 10.0 && of("frames_out_total") > 10.0);
    assert!(of("resident_memory_bytes") > 1e6 && of("cpu_seconds_total") > 0.0);
    assert!(of("received_bytes_total") > 1e3 && of("sent_bytes_total") > 1e3);
    assert_eq!(of("restarts_total"), 0.0);
    assert_eq!(
        value("frameloom_pipeline_latency_seconds_bucket{pipeline=\"edit\",le=\"+Inf\"}"),
        of("latency_seconds_count")
    );
    assert_eq!(value("frameloom_server_publishers"), 2.0);
    // The dashboard shows nothing that isn't there.
    let dashboard = include_str!("../../../../../docs/grafana.json");
    let names = |text: &str| -> std::collections::BTreeSet<String> {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words.filter(|word| word.starts_with("frameloom_")).map(str::to_owned).collect()
    };
    let (shown, there) = (names(dashboard), names(&text));
    assert!(shown.len() > 15, "{shown:?}");
    assert!(shown.is_subset(&there), "{:?}", shown.difference(&there));
    // By Prometheus' conventions, each metric is announced once, before its lines.
    let mut announced = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ") {
            let name = name.split(' ').next().unwrap();
            assert!(!announced.contains(&name), "{name} is announced twice");
            announced.push(name);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let is_last = announced.last().is_some_and(|last| *last == name || Some(*last) == base);
            assert!(is_last, "{line} stands below {:?}", announced.last());
        }
    }
}

/// The events of a server, from now on.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(fleet: &Fleet) -> Events {
        let host = format!("127.0.0.1:{}", fleet.ports.http);
        let mut socket = TcpStream::connect(&host).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(socket, "GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut events = Events(BufReader::new(socket));
        let head: Vec<String> =
            std::iter::from_fn(|| Some(events.line())).take_while(|l| !l.is_empty()).collect();
        assert!(head.iter().any(|line| line.contains("text/event-stream")), "{head:?}");
        events
    }

    /// A line without its end; the stream's end is a failure.
    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the events end");
        line.trim_end().to_owned()
    }

    /// The data of the next event of a kind that is so.
    #[track_caller]
    fn next(&mut self, kind: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        loop {
            if self.line() == format!("event: {kind}") {
                let line = self.line();
                let data: Value =
                    serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
                if is_so(&data) {
                    return data;
                }
            }
        }
    }
}

#[test]
fn events_tell_what_happens() {
    let fleet = up();
    let description = Description(fleet.get("/api/v1/openapi.json").json());
    let mut events = Events::of(&fleet);
    let first = events.next("pipeline", |p| p["name"] == "camera");
    description.assert_is(&json!({ "$ref": "#/components/schemas/Pipeline" }), &first);
    let model = events.next("model", |model| !model["stats"].is_null());
    description.assert_is(&json!({ "$ref": "#/components/schemas/Model" }), &model);
    let stats = events.next("stats", |s| s["name"] == "edit" && !s["now"].is_null());
    description.assert_is(&json!({ "$ref": "#/components/schemas/Stats" }), &stats["now"]);
    let loud = json!({
        "name": "loud",
        "input": fleet.url("camera"),
        "command": ["sh", "-c", "echo to be heard >&2; cat > /dev/null"],
    });
    assert_eq!(fleet.post("/api/v1/pipelines", &loud).status, 201);
    events.next("pipeline", |p| p["name"] == "loud" && p["state"] == "starting");
    events.next("log", |log| log["name"] == "loud" && log["text"] == "to be heard");
    fleet.request("DELETE", "/api/v1/pipelines/loud", "", "");
    events.next("removed", |removed| removed["name"] == "loud");
    fleet.request("POST", "/api/v1/pipelines/camera/stop", "", "");
    let lost = events.next("event", |event| event["kind"] == "input_lost");
    assert_eq!(lost["name"], "edit", "{lost}");
    assert!(lost["text"].as_str().unwrap().contains("the input is lost"), "{lost}");
    // The stream of events doesn't hold up the server's end.
    fleet.signal("TERM");
    fleet.wait().ok();
}

#[test]
fn wrong_requests_are_refused_and_change_nothing() {
    let fleet = Fleet::start(file);
    let before = fleet.get("/api/v1/pipelines").json()["pipelines"].as_array().unwrap().len();
    let description = Description(fleet.get("/api/v1/openapi.json").json());
    let all = "/api/v1/pipelines";
    let is_json = "Content-Type: application/json\r\n";
    let post = |more: &str, body: &str| fleet.request("POST", all, more, body);
    let good = json!({ "name": "new", "input": "in.flv", "outputs": ["out.flv"] }).to_string();
    assert!(post(is_json, "{\"name\": ").problem(400).contains("line 1"));
    assert!(post(is_json, "[]").problem(400).contains("object"));
    assert!(post("", &good).problem(415).contains("Content-Type"));
    assert!(post(is_json, &"x".repeat(65 << 10)).problem(413).contains("64 KiB"));
    let origin = format!("{is_json}Origin: http://evil.example\r\n");
    assert!(post(&origin, &good).problem(403).contains("origin"));
    let rebound = format!("{is_json}Host: evil.example\r\n");
    assert!(post(&rebound, &good).problem(403).contains("localhost"));
    assert!(fleet.get("/api/v1/nothing").problem(404).contains("openapi"));
    assert!(fleet.request("DELETE", all, "", "").problem(405).contains("GET, POST"));
    let log = format!("{all}/edit/log?lines=few");
    assert!(fleet.get(&log).problem(400).contains("whole number"));
    let (camera, edit) = (fleet.url("camera"), fleet.url("edit"));
    for (status, settings, mentions) in [
        (422, json!({ "input": "a", "outputs": ["b.flv"] }), "need a name"),
        (422, json!({ "name": "a/b", "input": "a", "outputs": ["b.flv"] }), "letters, digits"),
        (422, json!({ "name": "n", "input": 3, "outputs": ["b.flv"] }), "input: it is a string"),
        (422, json!({ "name": "n", "input": null }), "not null"),
        (422, json!({ "name": "n", "input": "a", "output": "b.flv" }), "did you mean outputs"),
        (422, json!({ "name": "n", "input": "a", "outputs": ["rtmp://h/live/***"] }), "in full"),
        (422, json!({ "name": "n", "input": "a", "command": ["no-such-program"] }), "no-such-prog"),
        (422, json!({ "name": "n", "input": "a", "outputs": ["-"] }), "no stdout"),
        (422, json!({ "name": "n", "input": "-", "outputs": ["b.flv"] }), "no stdin"),
        (422, json!({ "name": "n", "input": "a\0b", "outputs": ["b.flv"] }), "NUL"),
        (409, json!({ "name": "edit", "input": "a", "outputs": ["b.flv"] }), "PUT changes it"),
        (409, json!({ "name": "n", "input": "a", "outputs": [edit] }), "edit publishes there too"),
    ] {
        let told = fleet.post(all, &settings).problem(status);
        assert!(told.contains(mentions), "{settings}: {told}");
    }
    // What is wrong is data too: which key, in which way, and what it takes.
    let vp9 = json!([{ "url": "b.webm", "options": { "c:v": "libvpx-vp9", "crf": 900 } }]);
    for (mut settings, kind, key, expected) in [
        (json!({ "output_options": { "g": 1e30 } }), "wrong_value", "output_options.g", {
            json!({ "kind": "whole_number", "least": "-2147483648", "greatest": "2147483647" })
        }),
        (json!({ "output_options": { "b:v": -5 } }), "wrong_value", "output_options.b:v", {
            json!({ "kind": "whole_number", "least": "0" })
        }),
        (json!({ "outputs": vp9 }), "wrong_value", "outputs.0.options.crf", {
            json!({ "kind": "whole_number", "least": "-1", "greatest": "63" })
        }),
        (
            json!({ "input_options": { "probesize": 1 } }),
            "wrong_value",
            "input_options.probesize",
            { json!({ "kind": "whole_number", "least": "32" }) },
        ),
        (json!({ "on_loss": "hodl" }), "wrong_value", "on_loss", {
            json!({ "kind": "name", "names": ["hold", "slate", "end"] })
        }),
        (json!({ "output_options": { "presett": 1 } }), "unknown", "output_options.presett", {
            Value::Null
        }),
        (json!({ "filter": "hflp" }), "wrong_value", "filter", Value::Null),
        (json!({ "outputs": ["b"] }), "invalid", "outputs.0", Value::Null),
        (json!({ "outputs": ["b.flv", "/no/such/c.flv"] }), "not_found", "outputs.1", Value::Null),
        (json!({ "outputs": ["b.flv", "rtmp://h:0/x"] }), "invalid", "outputs.1", Value::Null),
        (json!({ "input": "rtmp://h:0/live/x" }), "invalid", "input", Value::Null),
        (json!({ "outputs": [edit] }), "output_taken", "outputs", Value::Null),
        (json!({ "name": "edit" }), "name_taken", "name", Value::Null),
        (json!({ "command": ["no-such-program"] }), "no_program", "command", Value::Null),
        (json!({ "outputs": ["b.flv", "c***.flv"] }), "hidden", "outputs.1", Value::Null),
        (json!({ "input": "a\0b" }), "wrong_value", "input", Value::Null),
        (json!({ "deadline": 1e30 }), "wrong_value", "deadline", Value::Null),
    ] {
        for (key, value) in [("name", "n"), ("input", "a.flv"), ("outputs", "b.flv")] {
            let there = settings[key].is_null();
            settings[key] = if there { value.into() } else { settings[key].take() };
        }
        let answer = fleet.post(all, &settings);
        let told = answer.json();
        assert_eq!((&told["kind"], &told["key"]), (&kind.into(), &key.into()), "{told:#}");
        if !expected.is_null() {
            assert_eq!(told["expected"], expected, "{told:#}");
        }
        description.assert_fits(all, "post", &answer);
    }
    // A change of what somebody else has changed meanwhile.
    let at = format!("{all}/camera");
    let now = fleet.pipeline("camera");
    let old = format!("{is_json}If-Match: \"{}\"\r\n", now["version"].as_u64().unwrap() - 1);
    let answer = fleet.request("PUT", &at, &old, &now["settings"].to_string());
    assert!(answer.problem(412).contains("somebody else"));
    assert_eq!(answer.json()["kind"], "changed");
    description.assert_fits(&format!("{all}/{{name}}"), "put", &answer);
    assert_eq!(fleet.pipeline("camera")["version"], now["version"]);
    let circle = json!({ "input": edit, "outputs": [camera] });
    let told = fleet.send("PUT", "/api/v1/pipelines/camera", &circle).problem(409);
    assert!(told.contains("circle: edit, camera, edit"), "{told}");
    let renamed = json!({ "name": "other", "input": "a", "outputs": ["b.flv"] });
    assert!(fleet.send("PUT", "/api/v1/pipelines/edit", &renamed).problem(422).contains("edit"));
    let after = fleet.get(all).json()["pipelines"].clone();
    assert_eq!(after.as_array().unwrap().len(), before, "{after:#}");
    assert_eq!(after[1]["settings"]["filter"], "hflip");
}

#[test]
fn the_list_says_which_keys_are_needed() {
    for (publish, play) in [(false, false), (true, false), (false, true)] {
        let line = |needed, name| {
            if needed { format!("{name} = \"open-sesame-1\"\n") } else { String::new() }
        };
        let keys = line(publish, "publish_key") + &line(play, "play_key");
        let fleet = Fleet::start(|_| format!("[server]\n{keys}"));
        let answer = fleet.get("/api/v1/pipelines");
        let list = answer.json();
        assert_eq!((&list["publish_key"], &list["play_key"]), (&publish.into(), &play.into()));
        assert!(!String::from_utf8_lossy(&answer.body).contains("sesame"));
        Description(fleet.get("/api/v1/openapi.json").json()).assert_fits(
            "/api/v1/pipelines",
            "get",
            &answer,
        );
    }
}

#[test]
fn a_token_is_asked_for_everywhere() {
    let token = "a-token-of-some-length";
    let fleet = Fleet::start_with(Some(token), file);
    for path in ["/api/v1/pipelines", "/api/v1/status", "/api/v1/events", "/api/v1/openapi.json"] {
        for header in ["Authorization: Bearer wrong\r\n", "Authorization: Basic x\r\n"] {
            let answer = fleet.request("GET", path, header, "");
            assert!(answer.problem(401).contains("Bearer TOKEN"), "{path}");
        }
    }
    assert_eq!(fleet.request("GET", "/metrics", "Authorization: Bearer no\r\n", "").status, 401);
    assert_eq!(fleet.get("/api/v1/pipelines").status, 200);
    assert_eq!(fleet.get("/metrics").status, 200);
    // Its own children don't know it.
    fleet.wait_for_state("camera", "running");
    let pids = fleet.descendants();
    assert!(!pids.is_empty());
    for pid in pids {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environment).contains(token));
    }
    assert!(!fleet.said().contains(token));
}
