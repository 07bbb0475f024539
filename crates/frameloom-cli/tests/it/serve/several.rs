//! Pipelines of several inputs, in the file and through the API.

use serde_json::json;

use crate::harness::pixels::decode_with;
use crate::harness::*;

/// A camera of the server's own, which shows one colour.
fn camera(ports: Ports, colour: &str) -> String {
    format!(
        "[pipelines.{colour}]\ninput = \"color={colour}:size=160x120:rate=24\"\n\
         input_options = {{ f = \"lavfi\", re = true }}\noutput_options = {{ g = 24 }}\n\
         outputs = [\"{}\"]\n",
        ports.url(colour)
    )
}

/// The two cameras side by side, and a second of them.
fn file(ports: Ports) -> String {
    let [red, blue, both] = ["red", "blue", "both"].map(|name| ports.url(name));
    format!(
        "{}{}[pipelines.both]\ninputs = [\n  \"{red}\",\n  {{ url = \"{blue}\" }},\n]\n\
         filter_complex = \"[0:v][1:v]hstack[both]\"\noutputs = [\"{both}\"]\n\
         output_options = {{ map = [\"[both]\"], g = 24 }}\n",
        camera(ports, "red"),
        camera(ports, "blue"),
    )
}

/// What a player sees of a stream: red and blue, on the left and on the right.
fn seen(fleet: &Fleet, name: &str) -> [[bool; 2]; 2] {
    let pictures = decode_with(args!["-t", "1", "-i", fleet.url(name), "-frames:v", "1"], "rgb24");
    assert_eq!((pictures.width, pictures.height), (320, 120));
    [80, 240].map(|column| {
        let at = (60 * pictures.width + column) * 3;
        [pictures.frames[0][at] > 128, pictures.frames[0][at + 2] > 128]
    })
}

/// A pipeline of a file shows two streams of the server as one, and the API gives its settings as they
/// were written and takes others.
#[test]
#[ignore = "slow"]
fn two_streams_become_one() {
    let fleet = Fleet::start(file);
    let shown = fleet.wait_for("both", "at work", |p| p["stats"]["frames_out"].as_u64() > Some(24));
    // A graph may begin before the first picture of one of its cameras.
    wait_until("both are seen", || seen(&fleet, "both") == [[true, false], [false, true]]);
    let settings = &shown["settings"];
    assert_eq!(settings["inputs"], json!([fleet.url("red"), { "url": fleet.url("blue") }]));
    assert_eq!(settings["output_options"], json!({ "map": ["[both]"], "g": 24 }));
    let counted = shown["stats"]["inputs"].as_array().unwrap();
    let urls: Vec<_> = counted.iter().map(|input| input["url"].as_str().unwrap()).collect();
    assert_eq!(urls, [fleet.url("red"), fleet.url("blue")]);
    assert!(
        counted
            .iter()
            .all(|input| input["state"] == "ok" && input["frames_in"].as_u64() > Some(24))
    );
    let metrics = fleet.get("/metrics").body;
    let metrics = String::from_utf8(metrics).unwrap();
    let connected = "frameloom_pipeline_input_connected{pipeline=\"both\",input=\"2\"} 1";
    assert!(metrics.lines().any(|line| line == connected), "{metrics}");
    // One camera is stopped: that one is lost, and the alert says which.
    fleet.request("POST", "/api/v1/pipelines/blue/stop", "", "");
    let lost = fleet.wait_for("both", "without one", |p| {
        p["alerts"].as_array().unwrap().iter().any(|alert| alert["kind"] == "input_lost")
    });
    assert_eq!(lost["alerts"][0]["input"], 1, "{lost:#}");
    assert!(lost["alerts"][0]["text"].as_str().unwrap().starts_with("input 2 is lost"), "{lost:#}");
    let states: Vec<_> = (0..2).map(|n| lost["stats"]["inputs"][n]["state"].clone()).collect();
    assert_eq!(states, ["ok", "lost"]);
    fleet.request("POST", "/api/v1/pipelines/blue/start", "", "");
    fleet.wait_for("both", "whole again", |p| p["stats"]["inputs"][1]["reconnects"] == 1);
    // The other way round.
    let mut other = settings.clone();
    other["filter_complex"] = json!(["[0:v][1:v]hstack[both]"]);
    other["inputs"].as_array_mut().unwrap().reverse();
    let answer = fleet.send("PUT", "/api/v1/pipelines/both", &other);
    assert_eq!(answer.status, 200, "{:#}", answer.json());
    assert_eq!(fleet.pipeline("both")["settings"], other);
    fleet.wait_for("both", "at work again", |p| {
        p["state"] == "running" && p["stats"]["frames_out"].as_u64() > Some(24)
    });
    wait_until("both are seen", || seen(&fleet, "both") == [[false, true], [true, false]]);
    let picture = fleet.get("/api/v1/pipelines/both/input.jpg");
    assert_eq!(picture.status, 200, "{}", picture.head);
    // What is wrong is told with the number of the input.
    other["inputs"][1] = json!({ "url": fleet.url("red"), "options": { "t": "soon" } });
    let answer = fleet.send("PUT", "/api/v1/pipelines/both", &other);
    assert!(answer.problem(422).contains("'soon' is not a time"), "{:#}", answer.json());
    assert_eq!(answer.json()["key"], "inputs.1.options.t");
    // It may not feed itself by any of its inputs.
    other["inputs"] = json!([fleet.url("red"), fleet.url("both")]);
    let answer = fleet.send("PUT", "/api/v1/pipelines/both", &other);
    assert!(answer.problem(409).contains("circle"), "{:#}", answer.json());
    assert_eq!(answer.json()["key"], "inputs");
}

/// Nobody has a filter open files or URLs through the API, wherever the graph stands. The server's owner
/// may, and what stands in the file may stay when something else is changed.
#[test]
fn no_graph_opens_files_through_the_api() {
    let folder = room();
    let picture = folder.path().join("logo.ppm");
    std::fs::write(&picture, b"P6 2 2 255\n000000000000").unwrap();
    let movie = format!("movie={}", picture.display());
    let file = |ports: Ports| {
        format!(
            "{}[pipelines.logo]\ninput = \"{}\"\noutputs = [\"{}\"]\n\
             filter = \"{movie}[logo];[in][logo]overlay[out]\"\noutput_options = {{ g = 24 }}\n",
            camera(ports, "red"),
            ports.url("red"),
            ports.url("logo"),
        )
    };
    let fleet = Fleet::start(file);
    fleet.wait_for_state("logo", "running");
    let base = json!({ "name": "n", "input": fleet.url("red"), "outputs": [fleet.url("n")] });
    let lavfi = json!({ "f": "lavfi", "re": true });
    let graph = json!({ "f": "lavfi", "graph": movie });
    for (key, value, named, at) in [
        ("filter", json!(format!("hflip,{movie}")), "movie", "filter"),
        ("filter", json!("drawtext=textfile=/etc/passwd"), "textfile", "filter"),
        (
            "filter_complex",
            json!(["[0:v]hflip[a]", format!("{movie}[b];[0:v][b]overlay[c]")]),
            "movie",
            "filter_complex.1",
        ),
        ("output_options", json!({ "vf": "lut3d=a.cube" }), "lut3d", "output_options.vf"),
        ("output_options", json!({ "af": "arnndn=m=a.rnnn" }), "arnndn", "output_options.af"),
        (
            "output_options",
            json!({ "filter:v:0": "subtitles=a.srt" }),
            "subtitles",
            "output_options.filter:v:0",
        ),
        (
            "output_options",
            json!({ "pass": 1, "passlogfile": "/etc/pass" }),
            "passlogfile",
            "output_options.passlogfile",
        ),
        (
            "outputs",
            json!([{ "url": fleet.url("n"), "options": { "filter:a": "amovie=a.wav" } }]),
            "amovie",
            "outputs.0.options.filter:a",
        ),
        ("input", json!({ "url": movie, "options": lavfi }), "movie", "input.url"),
        ("input", json!({ "url": "x", "options": graph }), "movie", "input.options.graph"),
        (
            "input",
            json!({ "url": "x", "options": { "f": "lavfi", "graph_file": "/etc/passwd" } }),
            "graph_file",
            "input.options.graph_file",
        ),
    ] {
        let mut settings = base.clone();
        settings[key] = value;
        let answer = fleet.post("/api/v1/pipelines", &settings);
        let said = answer.problem(422);
        assert!(said.contains(named) && said.contains("opens files or URLs"), "{settings}: {said}");
        assert_eq!(
            (&answer.json()["kind"], &answer.json()["key"]),
            (&json!("not_allowed"), &json!(at))
        );
    }
    for (key, value, named, at) in [
        ("init_hw_device", json!("vaapi=gpu:/dev/sda"), "no device is opened", "init_hw_device"),
        (
            "input",
            json!({ "url": "x", "options": { "hwaccel": "auto", "hwaccel_device": "/dev/watchdog" } }),
            "below /dev/dri/",
            "input.options.hwaccel_device",
        ),
        (
            "input_options",
            json!({ "hwaccel_device:v": ":0" }),
            "below",
            "input_options.hwaccel_device:v",
        ),
    ] {
        let mut settings = base.clone();
        settings[key] = value;
        let answer = fleet.post("/api/v1/pipelines", &settings);
        let said = answer.problem(422);
        assert!(said.contains(named) && said.contains("the server's file"), "{settings}: {said}");
        assert_eq!(
            (&answer.json()["kind"], &answer.json()["key"]),
            (&json!("not_allowed"), &json!(at))
        );
    }
    let mut several = base.clone();
    several.as_object_mut().unwrap().remove("input");
    several["inputs"] = json!([fleet.url("red"), { "url": movie, "options": lavfi }]);
    let answer = fleet.post("/api/v1/pipelines", &several);
    assert!(answer.problem(422).contains("movie"));
    assert_eq!(answer.json()["key"], "inputs.1.url");
    // What the file has may stay, and may not go elsewhere.
    let mut settings = fleet.pipeline("logo")["settings"].clone();
    settings["output_options"] = json!({ "g": 48 });
    let answer = fleet.send("PUT", "/api/v1/pipelines/logo", &settings);
    assert_eq!(answer.status, 200, "{:#}", answer.json());
    settings["filter"] = json!(format!("{movie}2[logo];[in][logo]overlay[out]"));
    assert!(fleet.send("PUT", "/api/v1/pipelines/logo", &settings).problem(422).contains("movie"));
}

/// A pipeline's sound goes through the program that `audio_command` names in the file.
#[test]
fn a_pipeline_of_the_file_has_a_command_for_sound() {
    let folder = room();
    let (ran, out) = (folder.path().join("ran"), folder.path().join("out.mkv"));
    let program = folder.path().join("silence.py");
    let text = format!(
        "import os, sys\nopen({ran:?}, 'w').write(os.environ['FRAMELOOM_AUDIO_FORMAT'])\n\
         while data := sys.stdin.buffer.read1(4096):\n    sys.stdout.buffer.write(bytes(len(data)))\n    \
         sys.stdout.buffer.flush()\n"
    );
    std::fs::write(&program, text).unwrap();
    let source = counted_av("numbered.mp4");
    let file = |_: Ports| {
        format!(
            "[pipelines.quiet]\ninput = {source:?}\noutputs = [{out:?}]\n\
             audio_command = \"{} {}\"\naudio_format = \"f32le\"\n\
             output_options = {{ \"c:a\" = \"pcm_f32le\" }}\n",
            python().display(),
            program.display()
        )
    };
    let fleet = Fleet::start(file);
    fleet.wait_for("quiet", "at its end", |p| ran.exists() && p["state"] == "stopped");
    assert_eq!(std::fs::read_to_string(&ran).unwrap(), "f32le");
    let sound = ffmpeg(args!["-i", &out, "-map", "0:a", "-f", "s16le", "-"]);
    assert!(sound.len() > 400_000 && sound.iter().all(|byte| *byte == 0));
    drop(fleet);
}
