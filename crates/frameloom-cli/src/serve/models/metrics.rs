//! What models count, as Prometheus reads it. Batches and frames are counted by the server, so they
//! go on over the processes of a model.

use std::sync::Arc;

use super::model::{ManagedModel, ModelAtMoment};
use crate::serve::exposition::{head, line};
use crate::serve::processes::state::ProcessState;

/// The states that a model can be in.
const STATES: [ProcessState; 5] = [
    ProcessState::Stopped,
    ProcessState::Starting,
    ProcessState::Running,
    ProcessState::Restarting,
    ProcessState::Failed,
];

/// A number of a model: its metric, type and help, and what it is where it is known.
type Number = (&'static str, &'static str, &'static str, fn(&ModelAtMoment) -> Option<f64>);

const NUMBERS: &[Number] = &[
    ("restarts_total", "counter", "Times the model's process was started again.", |m| {
        Some(m.restarts as f64)
    }),
    ("clients", "gauge", "Connections to the model.", |m| Some(m.now?.clients as f64)),
    ("queue", "gauge", "Requests that wait for the model.", |m| Some(m.now?.queue as f64)),
    ("batches_total", "counter", "Batches that the model has run.", |m| Some(m.batches as f64)),
    ("frames_total", "counter", "Frames that the model has run on.", |m| Some(m.frames as f64)),
    ("batch_seconds", "gauge", "Mean time of the last batches.", |m| {
        Some(m.now?.batch_ms? / 1000.0)
    }),
    ("resident_memory_bytes", "gauge", "Memory of its process.", |m| {
        Some(m.used.memory_bytes as f64)
    }),
    ("cpu_seconds_total", "counter", "Processor time of its process.", |m| {
        Some(m.used.cpu_seconds)
    }),
];

/// The metrics of these models; nothing where there are none.
pub(super) fn text(models: &[Arc<ManagedModel>]) -> String {
    let all: Vec<_> = models.iter().map(|model| (model.name.clone(), model.counts())).collect();
    written(&all)
}

fn written(all: &[(String, ModelAtMoment)]) -> String {
    let mut out = String::new();
    if all.is_empty() {
        return out;
    }
    head(&mut out, "model_state", "gauge", "1 for the state that the model is in.");
    for (model, seen) in all {
        for state in STATES {
            let is = u8::from(state == seen.state);
            let labels = [("model", model.as_str()), ("state", state.name())];
            line(&mut out, "model_state", &labels, is);
        }
    }
    for (name, kind, help, number) in NUMBERS {
        let name = format!("model_{name}");
        head(&mut out, &name, kind, help);
        for (model, seen) in all {
            if let Some(value) = number(seen) {
                line(&mut out, &name, &[("model", model)], value);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::serve::models::stats::{ModelCounts, ModelReport};
    use crate::serve::processes::usage::Used;

    #[test]
    fn each_model_has_its_lines() {
        let mut counts = ModelCounts::default();
        let report = r#"{"clients": 2, "queue": 3, "batches": 4, "frames": 7, "batch_ms": 12.5}"#;
        counts.add(ModelReport::read(report).unwrap(), Instant::now());
        let (batches, frames) = counts.totals();
        let used = Used { cpu_percent: 1.0, memory_bytes: 42, cpu_seconds: 1.5 };
        let state = ProcessState::Running;
        let now = counts.now(Instant::now());
        let faces = ModelAtMoment { state, restarts: 1, used, batches, frames, now };
        let state = ProcessState::Restarting;
        let cars = ModelAtMoment { state, restarts: 9, used, batches: 0, frames: 0, now: None };
        let text = written(&[("cars".to_owned(), cars), ("faces".to_owned(), faces)]);
        for expected in [
            "# TYPE frameloom_model_queue gauge",
            "frameloom_model_state{model=\"faces\",state=\"running\"} 1",
            "frameloom_model_state{model=\"cars\",state=\"running\"} 0",
            "frameloom_model_restarts_total{model=\"cars\"} 9",
            "frameloom_model_clients{model=\"faces\"} 2",
            "frameloom_model_queue{model=\"faces\"} 3",
            "frameloom_model_batches_total{model=\"faces\"} 4",
            "frameloom_model_frames_total{model=\"faces\"} 7",
            "frameloom_model_batch_seconds{model=\"faces\"} 0.0125",
            "frameloom_model_resident_memory_bytes{model=\"faces\"} 42",
            "frameloom_model_cpu_seconds_total{model=\"faces\"} 1.5",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
        }
        // What nobody knows has no line.
        assert!(!text.contains("frameloom_model_queue{model=\"cars\"}"), "{text}");
        assert_eq!(written(&[]), "");
    }
}
