//! Pipelines that feed each other.

use std::collections::HashMap;

use super::settings::Settings;

/// Refuses two pipelines with the same output, and pipelines that feed themselves. The error has
/// the name of one of them.
pub(crate) fn check<'a>(
    all: impl IntoIterator<Item = &'a Settings>,
) -> Result<(), (String, String)> {
    let all: Vec<&Settings> = all.into_iter().collect();
    let mut writers: HashMap<&str, &Settings> = HashMap::new();
    for settings in &all {
        for stream in &settings.writes {
            if let Some(other) = writers.insert(stream, settings) {
                let (name, other) = (settings.name.clone(), &other.name);
                let text = format!("two can't have one output: {other} publishes there too");
                return Err((name, text));
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
                return Err((first.name.clone(), text));
            }
            if path.len() > all.len() {
                break;
            }
            now = feeder;
        }
    }
    Ok(())
}
