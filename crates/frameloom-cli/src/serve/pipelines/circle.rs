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
    pub(crate) fn new(
        name: &str,
        text: String,
        (kind, key): (FaultKind, &str),
        others: Vec<String>,
    ) -> Clash {
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
        if let Some(path) = way_back(first, &writers) {
            let text =
                format!("its output comes back as its input, in a circle: {}", path.join(", "));
            let about = (FaultKind::Circle, first.input_key());
            return Err(Clash::new(&first.name, text, about, path));
        }
    }
    Ok(())
}

/// The pipelines through which an output of `first` comes back to it, from `first` to `first`.
fn way_back(first: &Settings, writers: &HashMap<&str, &Settings>) -> Option<Vec<String>> {
    // Of each pipeline upstream of `first`, the one that it feeds on the way.
    let mut fed: HashMap<&str, &str> = HashMap::new();
    let mut upstream = vec![first];
    while let Some(now) = upstream.pop() {
        for &feeder in now.reads.iter().filter_map(|stream| writers.get(stream.as_str())) {
            if feeder.name == first.name {
                let mut path = vec![first.name.clone()];
                let mut at = now.name.as_str();
                while at != first.name {
                    path.push(at.to_owned());
                    at = fed.get(at)?;
                }
                path.push(first.name.clone());
                return Some(path);
            }
            if !fed.contains_key(feeder.name.as_str()) {
                fed.insert(&feeder.name, &now.name);
                upstream.push(feeder);
            }
        }
    }
    None
}
