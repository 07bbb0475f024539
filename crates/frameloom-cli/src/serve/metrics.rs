//! What pipelines count, as Prometheus reads it. Counts begin anew with each process of a
//! pipeline, as Prometheus expects it.

use frameloom::{AlertKind, EndState, InputSnapshot, Snapshot};

use super::exposition;
use super::pipelines::Pipelines;
use super::pipelines::pipeline::Counts;
use super::processes::state::ProcessState;

/// A pipeline at one moment, by its name.
type PipelineCounts = (String, Counts);

/// A number of the stats: its metric, type and help, and where it stands.
type Number = (&'static str, &'static str, &'static str, fn(&Snapshot) -> f64);

const NUMBERS: &[Number] = &[
    ("frames_in_total", "counter", "Video frames that came in.", |s| s.frames_in as f64),
    ("frames_out_total", "counter", "Video frames written, for each output.", |s| {
        s.frames_out as f64
    }),
    ("frames_edited_total", "counter", "Frames that the code changed.", |s| s.frames_edited as f64),
    ("frames_dropped_total", "counter", "Frames dropped because the code was too slow.", |s| {
        s.frames_dropped as f64
    }),
    ("frames_skipped_total", "counter", "Frames left out to get to what is live.", |s| {
        s.frames_skipped as f64
    }),
    ("frames_bypassed_total", "counter", "Frames that went out without the code.", |s| {
        s.frames_bypassed as f64
    }),
    ("frames_held_total", "counter", "Pictures shown while the input was lost.", |s| {
        s.frames_held as f64
    }),
    (
        "frames_copied_total",
        "counter",
        "Frames that went out as they came: nobody touched them.",
        |s| s.frames_copied as f64,
    ),
    ("packets_dropped_total", "counter", "Packets that outputs missed.", |s| {
        s.packets_dropped as f64
    }),
    ("reconnects_total", "counter", "Times an end was opened again.", |s| s.reconnects as f64),
    ("command_restarts_total", "counter", "Times the COMMAND was started again.", |s| {
        s.restarts as f64
    }),
    ("errors_total", "counter", "Failures of the code.", |s| s.errors as f64),
    ("received_bytes_total", "counter", "Bytes of packets read.", |s| s.bytes_in as f64),
    ("sent_bytes_total", "counter", "Bytes of packets written.", |s| s.bytes_out as f64),
    ("output_bits_per_second", "gauge", "Bits a second written, over the last seconds.", |s| {
        s.bit_rate as f64
    }),
    ("frames_per_second", "gauge", "Frames a second written.", |s| s.fps),
];

/// The metrics of all pipelines.
pub(crate) fn text(pipelines: &Pipelines) -> String {
    let all: Vec<PipelineCounts> =
        pipelines.all().iter().map(|pipeline| (pipeline.name.clone(), pipeline.counts())).collect();
    written(&all)
}

fn written(all: &[PipelineCounts]) -> String {
    let mut out = String::with_capacity(2048 + all.len() * 2048);
    head(&mut out, "state", "gauge", "1 for the state that the pipeline is in.");
    for (pipeline, seen) in all {
        for state in ProcessState::ALL {
            let is = u8::from(state == seen.state);
            line(&mut out, "state", pipeline, &[("state", state.name())], is);
        }
    }
    head(&mut out, "restarts_total", "counter", "Times the pipeline's process was started again.");
    for (pipeline, seen) in all {
        line(&mut out, "restarts_total", pipeline, &[], seen.restarts);
    }
    head(&mut out, "resident_memory_bytes", "gauge", "Memory of its process and its COMMAND.");
    for (pipeline, seen) in all {
        line(&mut out, "resident_memory_bytes", pipeline, &[], seen.used.memory_bytes);
    }
    head(
        &mut out,
        "cpu_seconds_total",
        "counter",
        "Processor time of its process and its COMMAND.",
    );
    for (pipeline, seen) in all {
        line(&mut out, "cpu_seconds_total", pipeline, &[], seen.used.cpu_seconds);
    }
    head(
        &mut out,
        "wrong_reports_total",
        "counter",
        "Lines that should have been reports of its process, and were none.",
    );
    for (pipeline, seen) in all {
        line(&mut out, "wrong_reports_total", pipeline, &[], seen.wrong_reports);
    }
    head(&mut out, "alert", "gauge", "1 while a person must act on this.");
    for (pipeline, seen) in all {
        for kind in AlertKind::ALL {
            let is = u8::from(seen.alerts.contains(&kind));
            line(&mut out, "alert", pipeline, &[("alert", kind.name())], is);
        }
    }
    head(
        &mut out,
        "output_latency_seconds",
        "gauge",
        "From a packet's arrival to its frame's departure: median of the last 10 s, by output.",
    );
    for (pipeline, stats) in with_stats(all) {
        for (number, output) in stats.outputs.iter().enumerate() {
            if let Some(ms) = output.latency_ms {
                let number = (number + 1).to_string();
                let labels = [("output", number.as_str())];
                line(&mut out, "output_latency_seconds", pipeline, &labels, ms / 1000.0);
            }
        }
    }
    head(&mut out, "input_lost", "gauge", "1 while the input is lost.");
    for (pipeline, stats) in with_stats(all) {
        line(&mut out, "input_lost", pipeline, &[], u8::from(stats.input == EndState::Lost));
    }
    for (name, kind, help, number) in OF_INPUTS {
        head(&mut out, name, kind, help);
        for (pipeline, stats) in with_stats(all) {
            for (at, input) in stats.inputs.iter().enumerate() {
                let at = (at + 1).to_string();
                line(&mut out, name, pipeline, &[("input", at.as_str())], number(input));
            }
        }
    }
    for (name, kind, help, number) in NUMBERS {
        head(&mut out, name, kind, help);
        for (pipeline, stats) in with_stats(all) {
            line(&mut out, name, pipeline, &[], number(stats));
        }
    }
    histogram(&mut out, all);
    out
}

fn with_stats(all: &[PipelineCounts]) -> impl Iterator<Item = (&str, &Snapshot)> {
    all.iter().filter_map(|(name, counts)| Some((name.as_str(), counts.stats.as_ref()?)))
}

/// The numbers of each input: name, type, help.
type InputNumber = (&'static str, &'static str, &'static str, fn(&InputSnapshot) -> u64);

const OF_INPUTS: [InputNumber; 5] = [
    ("input_connected", "gauge", "1 while this input is there.", |input| {
        u64::from(input.state == EndState::Ok)
    }),
    ("input_reconnects_total", "counter", "Times this input was opened again.", |input| {
        input.reconnects
    }),
    ("input_frames_total", "counter", "Video frames decoded from this input.", |input| {
        input.frames_in
    }),
    ("input_packets_total", "counter", "Packets read from this input.", |input| input.packets_in),
    ("input_received_bytes_total", "counter", "Bytes of packets read from this input.", |input| {
        input.bytes_in
    }),
];

/// From a packet's arrival to its frame's departure.
fn histogram(out: &mut String, all: &[PipelineCounts]) {
    let name = "latency_seconds";
    head(out, name, "histogram", "From a packet's arrival to its frame's departure.");
    for (pipeline, stats) in with_stats(all) {
        let latency = &stats.latency;
        let mut sum = 0;
        let mut ends: Vec<String> =
            latency.le_ms.iter().map(|ms| (*ms as f64 / 1000.0).to_string()).collect();
        ends.push("+Inf".to_owned());
        for (end, count) in ends.iter().zip(&latency.counts) {
            sum += count;
            line(out, "latency_seconds_bucket", pipeline, &[("le", end)], sum);
        }
        line(out, "latency_seconds_sum", pipeline, &[], latency.sum_ms / 1000.0);
        line(out, "latency_seconds_count", pipeline, &[], sum);
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    exposition::head(out, &format!("pipeline_{name}"), kind, help);
}

fn line(
    out: &mut String,
    name: &str,
    pipeline: &str,
    labels: &[(&str, &str)],
    value: impl std::fmt::Display,
) {
    let labels: Vec<_> =
        [("pipeline", pipeline)].into_iter().chain(labels.iter().copied()).collect();
    exposition::line(out, &format!("pipeline_{name}"), &labels, value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::serve::processes::usage::Used;

    #[test]
    fn a_histogram_adds_up() {
        let stats = crate::report::snapshot(json!({
            "frames_in": 7, "input": "lost", "fps": 24.5,
            "inputs": [
                { "url": "rtmp://h/live/a", "live": true, "state": "ok", "lost_for_ms": null,
                  "reconnects": 0, "frames_in": 4, "packets_in": 9, "bytes_in": 99 },
                { "url": "rtmp://h/live/b", "live": true, "state": "lost", "lost_for_ms": 70,
                  "reconnects": 2, "frames_in": 3, "packets_in": 5, "bytes_in": 55 },
            ],
            "outputs": [{ "state": "ok", "reconnects": 0, "packets_dropped": 0, "latency_ms": 80.0 }],
            "latency": { "le_ms": [5, 10], "counts": [1, 2, 3], "sum_ms": 250.0 },
        }));
        let counts = Counts {
            state: ProcessState::Running,
            restarts: 3,
            wrong_reports: 2,
            alerts: vec![AlertKind::InputLost],
            stats: Some(stats),
            used: Used { cpu_percent: 1.0, memory_bytes: 42, cpu_seconds: 1.5 },
        };
        let seen = ("a".to_owned(), counts);
        let text = written(&[seen]);
        for expected in [
            "frameloom_pipeline_state{pipeline=\"a\",state=\"running\"} 1",
            "frameloom_pipeline_state{pipeline=\"a\",state=\"failed\"} 0",
            "frameloom_pipeline_restarts_total{pipeline=\"a\"} 3",
            "frameloom_pipeline_wrong_reports_total{pipeline=\"a\"} 2",
            "frameloom_pipeline_cpu_seconds_total{pipeline=\"a\"} 1.5",
            "frameloom_pipeline_alert{pipeline=\"a\",alert=\"input_lost\"} 1",
            "frameloom_pipeline_alert{pipeline=\"a\",alert=\"disk_full\"} 0",
            "frameloom_pipeline_output_latency_seconds{pipeline=\"a\",output=\"1\"} 0.08",
            "frameloom_pipeline_input_lost{pipeline=\"a\"} 1",
            "frameloom_pipeline_input_connected{pipeline=\"a\",input=\"1\"} 1",
            "frameloom_pipeline_input_connected{pipeline=\"a\",input=\"2\"} 0",
            "frameloom_pipeline_input_reconnects_total{pipeline=\"a\",input=\"2\"} 2",
            "frameloom_pipeline_input_frames_total{pipeline=\"a\",input=\"1\"} 4",
            "frameloom_pipeline_input_packets_total{pipeline=\"a\",input=\"2\"} 5",
            "frameloom_pipeline_input_received_bytes_total{pipeline=\"a\",input=\"1\"} 99",
            "frameloom_pipeline_frames_in_total{pipeline=\"a\"} 7",
            "frameloom_pipeline_frames_per_second{pipeline=\"a\"} 24.5",
            "frameloom_pipeline_latency_seconds_bucket{pipeline=\"a\",le=\"0.005\"} 1",
            "frameloom_pipeline_latency_seconds_bucket{pipeline=\"a\",le=\"0.01\"} 3",
            "frameloom_pipeline_latency_seconds_bucket{pipeline=\"a\",le=\"+Inf\"} 6",
            "frameloom_pipeline_latency_seconds_sum{pipeline=\"a\"} 0.25",
            "frameloom_pipeline_latency_seconds_count{pipeline=\"a\"} 6",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
        }
    }
}
