//! Pipelines that feed each other.

use std::collections::HashMap;

use super::settings::Settings;
use crate::serve::fault::{FaultDetails, FaultKind};

/// Pipelines that can't be beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clash {
    /// One of them.
    pub(crate) name: String,
    /// Why, about that one.
    pub(crate) text: String,
    /// The same for a program, with the others.
    pub(crate) details: Box<FaultDetails>,
}

impl Clash {
    fn new(name: &str, text: String, (kind, key): (FaultKind, &str), others: Vec<String>) -> Clash {
        let details = FaultDetails {
            key: Some(key.to_owned()),
            pipelines: others,
            ..FaultDetails::of_kind(kind)
        };
        Clash { name: name.to_owned(), text, details: details.into() }
    }
}

/// Refuses two pipelines with the same output, and pipelines that feed themselves.
pub(crate) fn check<'a>(all: impl IntoIterator<Item = &'a Settings>) -> Result<(), Clash> {
    let all: Vec<&Settings> = all.into_iter().collect();
    let mut writers: HashMap<&str, &Settings> = HashMap::new();
    for settings in &all {
        for stream in &settings.writes {
            if let Some(other) = writers.insert(stream, settings) {
                let other = &other.name;
                let text = format!("two can't have one output: {other} publishes there too");
                let about = (FaultKind::OutputTaken, "outputs");
                return Err(Clash::new(&settings.name, text, about, vec![other.clone()]));
            }
        }
    }
    for first in &all {
        let mut path = vec![first.name.as_str()];
        let mut now = *first;
        // Each has one input: the way upstream is a line, and back at its start or at an end
        // within as many steps as there are pipelines.
        while let Some(feeder) = now.reads.as_deref().and_then(|stream| writers.get(stream)) {
            path.push(&feeder.name);
            if feeder.name == first.name {
                path.reverse();
                let text =
                    format!("its output comes back as its input, in a circle: {}", path.join(", "));
                let path = path.into_iter().map(str::to_owned).collect();
                return Err(Clash::new(&first.name, text, (FaultKind::Circle, "input"), path));
            }
            if path.len() > all.len() {
                break;
            }
            now = feeder;
        }
    }
    Ok(())
}
