//! Finds settings of a pipeline that make a filter open files or URLs. The owner of the server's file may
//! write such settings; the API refuses them.

use std::collections::HashSet;

use frameloom::Result;
use frameloom::internal::{OpeningFilter, ValueType, library, opening_filter};

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
}

impl Words {
    fn text(&self) -> &str {
        match self {
            Words::Graph(text) | Words::GraphFile(text) => text,
        }
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
        }
    }
}

/// Refuses settings from the API in which a filter opens a file or a URL, unless it stands in
/// `before`, which are those in force.
///
/// # Errors
/// The first that does.
pub(crate) fn refuse(
    settings: &Settings,
    before: Option<&Settings>,
) -> std::result::Result<(), FileFault> {
    let known: HashSet<Words> = before.map(in_words).unwrap_or_default().into_iter().collect();
    for words in in_words(settings) {
        let Some(what) = words.opens().filter(|_| !known.contains(&words)) else { continue };
        let path = settings.path_to(words.text());
        let key = path.first().map(String::as_str).unwrap_or_default();
        let text = format!(
            "{what} opens files or URLs, which no filter may through the API: it can stand in the \
             server's file"
        );
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
    let global = global.into_iter().filter(|(entry, _)| entry.row.value == ValueType::FilterGraph);
    let mut found: Vec<Words> = global.map(|(_, graph)| Words::Graph(graph)).collect();
    for input in inputs {
        found.extend(of_lavfi(&input));
        found.extend(graphs(input, is_graph));
    }
    found.extend(outputs.into_iter().flat_map(|output| graphs(output, is_graph)));
    found
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
