//! What pipelines count, as Prometheus reads it. Counts begin anew with each process of a
//! pipeline, as Prometheus expects it.

use std::fmt::Write;

use serde_json::Value as Json;

use super::pipelines::Pipelines;
use super::pipelines::state::State;
use super::pipelines::usage::Used;

/// A pipeline at one moment.
struct Seen {
    name: String,
    state: State,
    restarts: u64,
    stats: Option<Json>,
    used: Used,
}

/// A number of the stats: its metric, type and help, its field, and what it is divided by.
type Number = (&'static str, &'static str, &'static str, &'static str, f64);

const NUMBERS: &[Number] = &[
    ("frames_in_total", "counter", "Video frames that came in.", "frames_in", 1.0),
    ("frames_out_total", "counter", "Video frames written, for each output.", "frames_out", 1.0),
    ("frames_edited_total", "counter", "Frames that the code changed.", "frames_edited", 1.0),
    (
        "frames_dropped_total",
        "counter",
        "Frames dropped because the code was too slow.",
        "frames_dropped",
        1.0,
    ),
    (
        "frames_bypassed_total",
        "counter",
        "Frames that went out without the code.",
        "frames_bypassed",
        1.0,
    ),
    (
        "frames_held_total",
        "counter",
        "Pictures shown while the input was lost.",
        "frames_held",
        1.0,
    ),
    ("packets_dropped_total", "counter", "Packets that outputs missed.", "packets_dropped", 1.0),
    ("reconnects_total", "counter", "Times an end was opened again.", "reconnects", 1.0),
    ("command_restarts_total", "counter", "Times the COMMAND was started again.", "restarts", 1.0),
    ("errors_total", "counter", "Failures of the code.", "errors", 1.0),
    ("received_bytes_total", "counter", "Bytes of packets read.", "bytes_in", 1.0),
    ("sent_bytes_total", "counter", "Bytes of packets written.", "bytes_out", 1.0),
    (
        "output_bits_per_second",
        "gauge",
        "Bits a second written, over the last seconds.",
        "bit_rate",
        1.0,
    ),
    ("frames_per_second", "gauge", "Frames a second written.", "fps", 1.0),
];

/// The metrics of all pipelines.
pub(crate) fn text(pipelines: &Pipelines) -> String {
    let all: Vec<Seen> = pipelines
        .all()
        .iter()
        .map(|pipeline| {
            let (state, restarts, stats, used) = pipeline.counts();
            Seen { name: pipeline.name.clone(), state, restarts, stats, used }
        })
        .collect();
    written(&all)
}

fn written(all: &[Seen]) -> String {
    let mut out = String::with_capacity(2048 + all.len() * 2048);
    head(&mut out, "state", "gauge", "1 for the state that the pipeline is in.");
    for seen in all {
        for state in State::ALL {
            let is = u8::from(state == seen.state);
            line(&mut out, "state", &seen.name, &[("state", state.name())], is);
        }
    }
    head(&mut out, "restarts_total", "counter", "Times the pipeline's process was started again.");
    for seen in all {
        line(&mut out, "restarts_total", &seen.name, &[], seen.restarts);
    }
    head(&mut out, "resident_memory_bytes", "gauge", "Memory of its process and its COMMAND.");
    for seen in all {
        line(&mut out, "resident_memory_bytes", &seen.name, &[], seen.used.memory_bytes);
    }
    head(
        &mut out,
        "cpu_seconds_total",
        "counter",
        "Processor time of its process and its COMMAND.",
    );
    for seen in all {
        line(&mut out, "cpu_seconds_total", &seen.name, &[], seen.used.cpu_seconds);
    }
    head(&mut out, "input_lost", "gauge", "1 while the input is lost.");
    for (seen, stats) in with_stats(all) {
        line(&mut out, "input_lost", &seen.name, &[], u8::from(stats["input"] == "lost"));
    }
    for (name, kind, help, field, divisor) in NUMBERS {
        head(&mut out, name, kind, help);
        for (seen, stats) in with_stats(all) {
            if let Some(value) = stats[*field].as_f64() {
                line(&mut out, name, &seen.name, &[], value / divisor);
            }
        }
    }
    histogram(&mut out, all);
    out
}

fn with_stats(all: &[Seen]) -> impl Iterator<Item = (&Seen, &Json)> {
    all.iter().filter_map(|seen| Some((seen, seen.stats.as_ref()?)))
}

/// From a packet's arrival to its frame's departure.
fn histogram(out: &mut String, all: &[Seen]) {
    let name = "latency_seconds";
    head(out, name, "histogram", "From a packet's arrival to its frame's departure.");
    for (seen, stats) in with_stats(all) {
        let latency = &stats["latency"];
        let numbers = |field: &str| {
            let list = latency[field].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Json::as_f64).collect::<Vec<f64>>()
        };
        let (bounds, counts) = (numbers("le_ms"), numbers("counts"));
        let mut sum = 0.0;
        let mut ends = bounds.iter().map(|ms| (ms / 1000.0).to_string()).collect::<Vec<_>>();
        ends.push("+Inf".to_owned());
        for (end, count) in ends.iter().zip(&counts) {
            sum += count;
            line(out, "latency_seconds_bucket", &seen.name, &[("le", end)], sum);
        }
        let total_ms = latency["sum_ms"].as_f64().unwrap_or(0.0);
        line(out, "latency_seconds_sum", &seen.name, &[], total_ms / 1000.0);
        line(out, "latency_seconds_count", &seen.name, &[], sum);
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(out, "# HELP frameloom_pipeline_{name} {help}");
    let _ = writeln!(out, "# TYPE frameloom_pipeline_{name} {kind}");
}

fn line(
    out: &mut String,
    name: &str,
    pipeline: &str,
    labels: &[(&str, &str)],
    value: impl std::fmt::Display,
) {
    let _ = write!(out, "frameloom_pipeline_{name}{{pipeline=\"{pipeline}\"");
    for (key, label) in labels {
        let _ = write!(out, ",{key}=\"{label}\"");
    }
    let _ = writeln!(out, "}} {value}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_histogram_adds_up() {
        let stats = json!({
            "frames_in": 7, "input": "lost", "fps": 24.5,
            "latency": { "le_ms": [5, 10], "counts": [1, 2, 3], "sum_ms": 250.0 },
        });
        let used = Used { cpu_percent: 1.0, memory_bytes: 42, cpu_seconds: 1.5 };
        let seen = Seen {
            name: "a".to_owned(),
            state: State::Running,
            restarts: 3,
            stats: Some(stats),
            used,
        };
        let text = written(&[seen]);
        for expected in [
            "frameloom_pipeline_state{pipeline=\"a\",state=\"running\"} 1",
            "frameloom_pipeline_state{pipeline=\"a\",state=\"failed\"} 0",
            "frameloom_pipeline_restarts_total{pipeline=\"a\"} 3",
            "frameloom_pipeline_cpu_seconds_total{pipeline=\"a\"} 1.5",
            "frameloom_pipeline_input_lost{pipeline=\"a\"} 1",
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
