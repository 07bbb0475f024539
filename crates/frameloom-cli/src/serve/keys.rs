//! What the tables of pipelines and of models have in common: names, and values of keys.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::fault::FaultKind;
use super::node::{FileFault, FilePosition, Node, NodeEntry, NodeValue};

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Longest name of a pipeline or a model, in characters.
const MOST_NAME: usize = 64;

/// Whether this can be a name: it becomes a part of URLs, metrics and lines.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= MOST_NAME && !name.starts_with('.') && name.chars().all(plain)
}

/// The entries of the table `[PARENT.NAME]` of `what`, whose key stands at `place`.
pub(super) fn table<'a>(
    parent: &str,
    what: &str,
    name: &str,
    node: &'a Node,
    place: Option<FilePosition>,
) -> Result<&'a [NodeEntry], FileFault> {
    if !is_name(name) {
        let text = format!("{what}'s name has up to 64 letters, digits, and any of _ - .");
        return Err(FileFault::new(place, "", text).kind(FaultKind::WrongName).about("name"));
    }
    let fault = |place, text: &str| FileFault::new(place, format!("{parent}.{name}"), text);
    let NodeValue::Table(entries) = &node.value else {
        let text = format!("it is a table, not {}", node.kind());
        return Err(fault(node.place, &text).kind(FaultKind::WrongType));
    };
    if let Some(path) = node.path_to("\0") {
        let text = "a string in it has a NUL character, which no setting can have";
        return Err(fault(place, text).kind(FaultKind::WrongValue).about(path.join(".")));
    }
    Ok(entries)
}

/// The value of the key `key` of `table` is of another type.
pub(super) fn wrong(table: &str, node: &Node, key: &str, expected: &str) -> FileFault {
    let text = format!("it is {expected}, not {}", node.kind());
    FileFault::new(node.place, format!("{table}.{key}"), text).kind(FaultKind::WrongType)
}

/// A string.
pub(super) fn text(table: &str, entry: &NodeEntry) -> Result<String, FileFault> {
    match &entry.node.value {
        NodeValue::Text(text) => Ok(text.clone()),
        _ => Err(wrong(table, &entry.node, &entry.key, "a string")),
    }
}

/// A program that is there, and its arguments.
pub(super) fn program(table: &str, entry: &NodeEntry) -> Result<Vec<String>, FileFault> {
    let NodeEntry { key, node, .. } = entry;
    let expected = "a list of strings";
    let NodeValue::List(list) = &node.value else {
        return Err(wrong(table, node, key, expected));
    };
    let word = |node: &Node| match &node.value {
        NodeValue::Text(text) => Ok(text.clone()),
        _ => Err(wrong(table, node, key, expected)),
    };
    let words: Vec<String> = list.iter().map(word).collect::<Result<_, _>>()?;
    if let Some(program) = words.first() {
        check_program(program).map_err(|text| {
            let fault = FileFault::new(node.place, format!("{table}.{key}"), text);
            fault.kind(FaultKind::NoProgram)
        })?;
    }
    Ok(words)
}

/// Whether there is a program of this name, by its path or where programs are looked for. Otherwise
/// what to say.
pub(super) fn check_program(name: &str) -> Result<(), String> {
    let is_there = if name.contains('/') {
        Path::new(name).is_file()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
    };
    if is_there { Ok(()) } else { Err(format!("there is no program '{name}'")) }
}

/// Environment variables for a program.
pub(super) fn variables(
    table: &str,
    entry: &NodeEntry,
) -> Result<BTreeMap<String, String>, FileFault> {
    let NodeValue::Table(entries) = &entry.node.value else {
        return Err(wrong(table, &entry.node, &entry.key, "a table of strings"));
    };
    let mut variables = BTreeMap::new();
    for NodeEntry { key, place, node } in entries {
        let fault =
            |text: &str| FileFault::new(*place, format!("{table}.{}.{key}", entry.key), text);
        if key.is_empty() || key.contains('=') {
            return Err(fault("this is no name of an environment variable"));
        }
        if key.starts_with("FRAMELOOM_") {
            return Err(fault("names that begin with FRAMELOOM_ are Frameloom's own"));
        }
        let NodeValue::Text(value) = &node.value else {
            return Err(fault("its value is a string"));
        };
        variables.insert(key.clone(), value.clone());
    }
    Ok(variables)
}

/// A table as it may be shown: what its `env` says is hidden.
pub(super) fn shown(node: &Node) -> Json {
    let mut shown = node.shown();
    if let Some(env) = shown.get_mut("env").and_then(Json::as_object_mut) {
        env.values_mut().for_each(|value| *value = HIDDEN.into());
    }
    shown
}
