//! Finds settings of a pipeline that make a filter or an encoder open files or URLs, and those that open devices.
//! The owner of the server's file may write such settings; the API refuses them.

use std::collections::HashSet;

use frameloom::Result;
use frameloom::internal::{OpeningFilter, ValueType, find_ffmpeg, library, opening_filter};

use super::settings::Settings;
use crate::args::{EndArgs, Invocation, RunArgs, parse};
use crate::called::CalledAs;
use crate::serve::fault::FaultKind;
use crate::serve::node::FileFault;

/// Words that may open something.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Words {
    /// A filter graph.
    Graph(String),
    /// A file that holds one.
    GraphFile(String),
    /// A device that is opened by name.
    Device(String),
    /// What a decoder's device is opened by.
    DecodingDevice(String),
    /// Files that an option names: the option, and the names.
    Files(String, String),
}

impl Words {
    fn text(&self) -> &str {
        match self {
            Words::Graph(text)
            | Words::GraphFile(text)
            | Words::Device(text)
            | Words::DecodingDevice(text)
            | Words::Files(_, text) => text,
        }
    }

    /// Why the API refuses it, in a sentence.
    fn refusal(&self) -> Option<String> {
        const IN_FILE: &str = "it can stand in the server's file";
        let what = match self {
            Words::Device(_) => {
                return Some(format!("no device is opened through the API by name: {IN_FILE}"));
            }
            Words::DecodingDevice(device) => {
                return (!is_harmless_device(device)).then(|| {
                    format!(
                        "through the API a device is a number, a file below /dev/dri/, or a name of \
                         init_hw_device in the server's file: {IN_FILE}"
                    )
                });
            }
            Words::Graph(_) | Words::GraphFile(_) | Words::Files(..) => self.opens()?,
        };
        Some(format!("{what} opens files or URLs, which nothing may through the API: {IN_FILE}"))
    }

    /// What opens something, in a sentence.
    fn opens(&self) -> Option<String> {
        match self {
            Words::Graph(graph) => {
                let OpeningFilter { filter, option } = opening_filter(graph)?;
                Some(match option {
                    Some(option) => format!("the option {option} of the filter {filter}"),
                    None => format!("the filter {filter}"),
                })
            }
            Words::GraphFile(_) => Some("graph_file".to_owned()),
            Words::Device(_) | Words::DecodingDevice(_) => None,
            Words::Files(option, _) => Some(option.clone()),
        }
    }
}

/// Whether a decoder's device is no file but one of those that decode, and no X display of a host.
fn is_harmless_device(device: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match device.strip_prefix("/dev/dri/") {
        Some(file) => file.bytes().all(|b| b.is_ascii_alphanumeric()) && !file.is_empty(),
        None => is_number(device),
    }
}

/// Refuses settings from the API in which a filter or an encoder opens a file or a URL, or that open a device by
/// name, unless it stands in `before`, which are those in force.
///
/// # Errors
/// The first that does.
pub(crate) fn refuse(
    settings: &Settings,
    before: Option<&Settings>,
) -> std::result::Result<(), FileFault> {
    let known: HashSet<Words> = before.map(in_words).unwrap_or_default().into_iter().collect();
    for words in in_words(settings) {
        let Some(text) = words.refusal().filter(|_| !known.contains(&words)) else { continue };
        let path = settings.path_to(words.text());
        let key = path.first().map(String::as_str).unwrap_or_default();
        let fault = FileFault::new(None, format!("pipelines.{}.{key}", settings.name), text);
        return Err(fault.kind(FaultKind::NotAllowed).about(path.join(".")));
    }
    Ok(())
}

/// The graphs of settings, wherever they stand.
fn in_words(settings: &Settings) -> Vec<Words> {
    let words = settings.order().words.into_iter().map(Into::into).collect();
    let parsed: Result<Invocation> = parse(CalledAs::Frameloom, words);
    // Settings that were read are those of a pipeline.
    let Ok(Invocation::Run(RunArgs { inputs, outputs, global, .. })) = parsed else {
        return Vec::new();
    };
    // Whatever streams they are for.
    fn bare(name: &str) -> &str {
        name.split(':').next().unwrap_or_default()
    }
    let rows = library().iter().filter(|option| option.row.value == ValueType::FilterGraph);
    let names: HashSet<&str> = rows.flat_map(|option| option.row.names()).map(bare).collect();
    let is_graph = |name: &str| names.contains(bare(name));
    let mut names_of_devices: HashSet<String> = HashSet::new();
    let mut found = Vec::new();
    for (entry, value) in global {
        match (entry.row.name, entry.row.value) {
            (_, ValueType::FilterGraph) => found.push(Words::Graph(value)),
            ("init_hw_device", _) => {
                names_of_devices.extend(name_of_device(&value).map(str::to_owned));
                found.push(Words::Device(value));
            }
            _ => {}
        }
    }
    for input in inputs {
        let devices = input.options.iter().filter(|(name, _)| bare(name) == "hwaccel_device");
        let others = devices.filter(|(_, device)| !names_of_devices.contains(device));
        found.extend(others.map(|(_, device)| Words::DecodingDevice(device.clone())));
        found.extend(of_lavfi(&input));
        found.extend(graphs(input, is_graph));
    }
    let options = || outputs.iter().flat_map(|output| &output.options);
    let names_file = |(name, _): &&(String, String)| {
        find_ffmpeg(name).is_some_and(|entry| entry.row.value == ValueType::Path)
    };
    let files = options().filter(names_file);
    found.extend(files.map(|(name, file)| Words::Files(name.clone(), file.clone())));
    found.extend(outputs.into_iter().flat_map(|output| graphs(output, is_graph)));
    found
}

/// The name that `-init_hw_device` gives: `KIND=NAME:DEVICE`.
fn name_of_device(text: &str) -> Option<&str> {
    let (kind, rest) = text.split_once('=')?;
    let is_kind = !kind.contains([':', '@']);
    is_kind.then(|| rest.split([':', '@', ',']).next().unwrap_or_default())
}

fn graphs(end: EndArgs, is_graph: impl Fn(&str) -> bool) -> impl Iterator<Item = Words> {
    let options = end.options.into_iter();
    options.filter(move |(name, _)| is_graph(name)).map(|(_, graph)| Words::Graph(graph))
}

/// Those of an input that libavfilter makes: its name, and options in place of it.
fn of_lavfi(input: &EndArgs) -> Vec<Words> {
    let is_lavfi = |(name, value): &(String, String)| {
        name == "f" && value.split(',').any(|value| value.trim().eq_ignore_ascii_case("lavfi"))
    };
    if !input.options.iter().any(is_lavfi) {
        return Vec::new();
    }
    let option = |(name, value): &(String, String)| match name.as_str() {
        "graph" => Some(Words::Graph(value.clone())),
        "graph_file" => Some(Words::GraphFile(value.clone())),
        _ => None,
    };
    let own = input.options.iter().filter_map(option);
    own.chain([Words::Graph(input.url.clone())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_decode_are_told_from_other_files() {
        for device in ["0", "12", "/dev/dri/renderD128", "/dev/dri/card0"] {
            assert!(is_harmless_device(device), "{device}");
        }
        for device in [
            "",
            "gpu",
            ":0",
            "host:0",
            "/dev/watchdog",
            "/dev/dri/",
            "/dev/dri/../tty",
            "dri/card0",
            "/dev/dri/by-path/../../tty",
            "-1",
        ] {
            assert!(!is_harmless_device(device), "{device}");
        }
        for (text, name) in [
            ("vaapi=gpu:/dev/dri/renderD128", Some("gpu")),
            ("vulkan=v@gpu", Some("v")),
            ("vaapi=a,driver=iHD", Some("a")),
            ("vaapi:/dev/dri/renderD128", None),
            ("vaapi:,driver=iHD", None),
            ("vaapi", None),
        ] {
            assert_eq!(name_of_device(text), name, "{text}");
        }
    }
}
