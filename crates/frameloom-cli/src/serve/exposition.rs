//! Prometheus' text format.

use std::fmt::{Display, Write};

/// The lines that say what the metric `frameloom_NAME` is.
pub(super) fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(out, "# HELP frameloom_{name} {help}");
    let _ = writeln!(out, "# TYPE frameloom_{name} {kind}");
}

/// A value of the metric `frameloom_NAME`. Labels need no escapes: they are names of pipelines,
/// models and states, and numbers.
pub(super) fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    let _ = write!(out, "frameloom_{name}");
    for (at, (key, label)) in labels.iter().enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        let _ = write!(out, "{before}{key}=\"{label}\"");
    }
    let _ = writeln!(out, "}} {value}");
}
