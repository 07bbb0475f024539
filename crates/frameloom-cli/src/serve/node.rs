//! Settings as they were written: values, each with its place in the file where there is one.
//! TOML of a file and JSON of the API become the same.

use std::collections::BTreeSet;
use std::fmt;

use frameloom::internal::nearest;
use frameloom::internal::redact;
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{FaultDetails, FaultKind};
use crate::level::listed;

/// A place in a file, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FilePosition {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileFault {
    pub(crate) place: Option<FilePosition>,
    /// The key that it is about, with the tables it is in: `pipelines.a.input`. Empty where it is
    /// about none.
    pub(crate) key: String,
    /// Without secrets.
    pub(crate) text: String,
    /// The same for a program.
    pub(crate) details: Box<FaultDetails>,
}

impl FileFault {
    pub(crate) fn new(
        place: Option<FilePosition>,
        key: impl Into<String>,
        text: impl AsRef<str>,
    ) -> FileFault {
        let details = Box::default();
        FileFault { place, key: key.into(), text: redact::text(text.as_ref()), details }
    }

    /// The same fault, of this kind.
    #[must_use]
    pub(crate) fn kind(mut self, kind: FaultKind) -> FileFault {
        self.details.kind = kind;
        self
    }

    /// The same fault, about a key of the pipeline.
    #[must_use]
    pub(crate) fn about(mut self, key: impl Into<String>) -> FileFault {
        self.details.key = Some(key.into());
        self
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// The fault of a key that nothing knows, with those that are nearest.
pub(crate) fn unknown<'a>(
    table: &str,
    key: &str,
    place: Option<FilePosition>,
    known: impl IntoIterator<Item = &'a str>,
) -> FileFault {
    let known: Vec<&str> = known.into_iter().collect();
    let near = nearest(key, known.iter().copied());
    let help = if near.is_empty() {
        format!("it knows {}", listed(known))
    } else {
        format!("did you mean {}?", listed(near.clone()))
    };
    let mut fault = FileFault::new(place, table, format!("there is no key '{key}' ({help})"));
    fault.details.near = near.into_iter().map(str::to_owned).collect();
    fault.kind(FaultKind::Unknown).about(key)
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Option<FilePosition>,
    pub(crate) value: NodeValue,
}

#[derive(Clone, Debug)]
pub(crate) enum NodeValue {
    Text(String),
    /// As it was written: nobody computes with it.
    Number(String),
    Flag(bool),
    List(Vec<Node>),
    Table(Vec<NodeEntry>),
    /// What no setting is; with its name.
    Other(&'static str),
}

/// A key of a table, and its value.
#[derive(Clone, Debug)]
pub(crate) struct NodeEntry {
    pub(crate) key: String,
    pub(crate) place: Option<FilePosition>,
    pub(crate) node: Node,
}

/// The order of a table's keys doesn't matter to what is said.
impl PartialEq for NodeValue {
    fn eq(&self, other: &NodeValue) -> bool {
        match (self, other) {
            (NodeValue::Text(one), NodeValue::Text(other)) => one == other,
            (NodeValue::Number(one), NodeValue::Number(other)) => one == other,
            (NodeValue::Flag(one), NodeValue::Flag(other)) => one == other,
            (NodeValue::List(one), NodeValue::List(other)) => one == other,
            (NodeValue::Table(one), NodeValue::Table(other)) => {
                one.len() == other.len() && one.iter().all(|entry| other.contains(entry))
            }
            (NodeValue::Other(one), NodeValue::Other(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for NodeValue {}

/// Places don't matter to what is said.
impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.value == other.value
    }
}

impl Eq for Node {}

impl PartialEq for NodeEntry {
    fn eq(&self, other: &NodeEntry) -> bool {
        self.key == other.key && self.node == other.node
    }
}

impl Eq for NodeEntry {}

impl Node {
    /// Reads TOML.
    ///
    /// # Errors
    /// What is no TOML, a key that is given twice among it.
    pub(crate) fn from_toml(text: &str) -> Result<Node, FileFault> {
        let lines = TextPositions(text);
        match DeTable::parse(text) {
            Ok(table) => Ok(lines.table(table.get_ref(), None)),
            Err(error) => {
                let place = error.span().map(|span| lines.place(span.start));
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                Err(FileFault::new(place, "", message))
            }
        }
    }

    /// Takes over JSON.
    pub(crate) fn from_json(json: Json) -> Node {
        let value = match json {
            Json::String(text) => NodeValue::Text(text),
            Json::Number(number) => NodeValue::Number(number.to_string()),
            Json::Bool(flag) => NodeValue::Flag(flag),
            Json::Array(list) => NodeValue::List(list.into_iter().map(Node::from_json).collect()),
            Json::Object(map) => {
                let entry =
                    |(key, json)| NodeEntry { key, place: None, node: Node::from_json(json) };
                NodeValue::Table(map.into_iter().map(entry).collect())
            }
            Json::Null => NodeValue::Other("null"),
        };
        Node { place: None, value }
    }

    /// As JSON, fit to be shown: URLs and remembered secrets are hidden.
    pub(crate) fn shown(&self) -> Json {
        match &self.value {
            NodeValue::Text(text) => redact::text(text).into(),
            NodeValue::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
            }
            NodeValue::Flag(flag) => (*flag).into(),
            NodeValue::List(list) => list.iter().map(Node::shown).collect(),
            NodeValue::Table(entries) => {
                let pair = |entry: &NodeEntry| (entry.key.clone(), entry.node.shown());
                Json::Object(entries.iter().map(pair).collect::<Map<_, _>>())
            }
            NodeValue::Other(name) => (*name).into(),
        }
    }

    /// With what `old` has, wherever this says the same as `old` with its secrets hidden: so
    /// settings that were shown can be sent back.
    pub(crate) fn restored(self, old: &Node) -> Node {
        let value = match (self.value, &old.value) {
            (NodeValue::Text(text), NodeValue::Text(_)) if old.shown() == text.as_str() => {
                return old.clone();
            }
            (NodeValue::List(list), NodeValue::List(known)) => {
                let item = |(at, node): (usize, Node)| match known.get(at) {
                    Some(same) if same.shown() == node.shown() => node.restored(same),
                    _ => {
                        let shown = node.shown();
                        let mut alike = known.iter().filter(|known| known.shown() == shown);
                        match (alike.next(), alike.next()) {
                            (Some(only), None) => node.restored(only),
                            _ => node,
                        }
                    }
                };
                NodeValue::List(list.into_iter().enumerate().map(item).collect())
            }
            (NodeValue::Table(entries), NodeValue::Table(known)) => {
                let item =
                    |entry: NodeEntry| match known.iter().find(|known| known.key == entry.key) {
                        Some(same) => NodeEntry { node: entry.node.restored(&same.node), ..entry },
                        None => entry,
                    };
                NodeValue::Table(entries.into_iter().map(item).collect())
            }
            (value, _) => value,
        };
        Node { value, ..self }
    }

    /// The keys and numbers that lead to a string or a key with `mark` in it; none where it is this.
    pub(crate) fn path_to(&self, mark: &str) -> Option<Vec<String>> {
        let below = |step: String, node: &Node| {
            let mut path = node.path_to(mark)?;
            path.insert(0, step);
            Some(path)
        };
        match &self.value {
            NodeValue::Text(text) => text.contains(mark).then(Vec::new),
            NodeValue::List(list) => {
                list.iter().enumerate().find_map(|(n, node)| below(n.to_string(), node))
            }
            NodeValue::Table(entries) => entries.iter().find_map(|entry| {
                let is_key = entry.key.contains(mark);
                if is_key { Some(Vec::new()) } else { below(entry.key.clone(), &entry.node) }
            }),
            _ => None,
        }
    }

    /// What it is, with an article.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Text(_) => "a string",
            NodeValue::Number(_) => "a number",
            NodeValue::Flag(_) => "true or false",
            NodeValue::List(_) => "a list",
            NodeValue::Table(_) => "a table",
            NodeValue::Other(name) => name,
        }
    }

    /// The names of the environment variables that `${NAME}` in its strings stands for.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        match &self.value {
            NodeValue::Text(text) => variables_in(text),
            NodeValue::List(list) => list.iter().flat_map(Node::variables).collect(),
            NodeValue::Table(entries) => {
                entries.iter().flat_map(|entry| entry.node.variables()).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Puts the environment's values in the place of each `${NAME}` in strings; `$${` stands for
    /// `${`. What comes from the environment is taken for a secret, and remembered.
    ///
    /// # Errors
    /// A name that the environment lacks, or that is none.
    pub(crate) fn fill_in(
        &mut self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), FileFault> {
        let place = self.place;
        match &mut self.value {
            NodeValue::Text(text) => {
                *text =
                    filled_in(text, environment).map_err(|why| FileFault::new(place, "", why))?;
                Ok(())
            }
            NodeValue::List(list) => list.iter_mut().try_for_each(|node| node.fill_in(environment)),
            NodeValue::Table(entries) => {
                entries.iter_mut().try_for_each(|entry| entry.node.fill_in(environment))
            }
            _ => Ok(()),
        }
    }
}

fn variables_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // What is wrong is said when it is filled in.
    let _ = replaced(text, &mut |name| {
        names.insert(name.to_owned());
        Ok(String::new())
    });
    names
}

fn filled_in(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    replaced(text, &mut |name| {
        let value = environment(name).ok_or_else(|| {
            format!("the environment has no {name} (set it where the server is started)")
        })?;
        redact::remember(&value);
        Ok(value)
    })
}

/// `text` with what `value` gives for each `${NAME}` in it.
fn replaced(
    text: &str,
    value: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        let from = &from[2..];
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = from;
            continue;
        }
        out.push_str(before);
        let (name, after) =
            from.split_once('}').ok_or("a '${' without its '}'; write '$${' for itself")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err("what stands in '${}' is no name of an environment variable".to_owned());
        }
        out.push_str(&value(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// A file's text, to find places in.
struct TextPositions<'a>(&'a str);

impl TextPositions<'_> {
    fn place(&self, byte: usize) -> FilePosition {
        let before = self.0.get(..byte).unwrap_or(self.0);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        FilePosition {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }

    fn table(&self, table: &DeTable<'_>, place: Option<FilePosition>) -> Node {
        let mut entries: Vec<NodeEntry> = table
            .iter()
            .map(|(key, value)| NodeEntry {
                key: key.get_ref().to_string(),
                place: Some(self.place(key.span().start)),
                node: self.node(value),
            })
            .collect();
        // In the order of the file, so that the first thing wrong is told first.
        entries.sort_by_key(|entry| entry.place.map(|place| (place.line, place.column)));
        Node { place, value: NodeValue::Table(entries) }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = Some(self.place(value.span().start));
        let value = match value.get_ref() {
            DeValue::String(text) => NodeValue::Text(text.to_string()),
            DeValue::Integer(number) => NodeValue::Number(number.to_string()),
            DeValue::Float(number) => NodeValue::Number(number.to_string()),
            DeValue::Boolean(flag) => NodeValue::Flag(*flag),
            DeValue::Datetime(_) => NodeValue::Other("a date"),
            DeValue::Array(list) => {
                NodeValue::List(list.iter().map(|node| self.node(node)).collect())
            }
            DeValue::Table(table) => return self.table(table, place),
        };
        Node { place, value }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_place(text in "[a-z\\[\\]{}$=\"'.#0-9é \n\\\\]{0,60}") {
            match Node::from_toml(&text) {
                Ok(mut node) => {
                    let _ = node.fill_in(&|_| Some("x".to_owned()));
                    node.shown();
                }
                Err(fault) => prop_assert!(fault.place.is_some(), "{fault:?}"),
            }
        }
    }

    #[test]
    fn everything_knows_its_place() {
        let node = Node::from_toml("a = 1\n[t]\n  \"é\" = [true,\n 'x']\n").unwrap();
        let NodeValue::Table(entries) = &node.value else { panic!("{node:?}") };
        assert_eq!(entries[0].place, Some(FilePosition { line: 1, column: 1 }));
        let NodeValue::Table(inner) = &entries[1].node.value else { panic!("{entries:?}") };
        assert_eq!(inner[0].place, Some(FilePosition { line: 3, column: 3 }));
        let NodeValue::List(list) = &inner[0].node.value else { panic!("{inner:?}") };
        assert_eq!(list[1].place, Some(FilePosition { line: 4, column: 2 }));
        assert_eq!(node, Node::from_json(serde_json::json!({"t": {"é": [true, "x"]}, "a": 1})));
        assert_ne!(node, Node::from_json(serde_json::json!({"t": {"é": ["x", true]}, "a": 1})));
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        for (text, line, mentions) in
            [("a = 1\na = 2\n", 2, "duplicate key"), ("a = \"x\n", 1, "string"), ("[t\n", 1, "]")]
        {
            let fault = Node::from_toml(text).unwrap_err();
            assert_eq!(fault.place.unwrap().line, line, "{fault:?}");
            assert!(fault.text.contains(mentions), "{fault:?}");
        }
    }

    #[test]
    fn what_was_hidden_is_there_again_when_it_is_sent_back() {
        let read = |json: Json| Node::from_json(json);
        let old = read(serde_json::json!({
            "input": "rtsp://user:pass-word@h/cam",
            "outputs": ["rtmp://h/live/Key-one", {"url": "rtmp://h/other/Key-two"}],
            "twice": ["rtmp://h/live/Key-three", "rtmp://h/live/Key-four"],
            "on_slow": "latest",
        }));
        assert_eq!(read(old.shown()).restored(&old), old);
        let mut sent = old.shown();
        sent["on_slow"] = "block".into();
        // In another order, and beside a new one.
        let outputs = &old.shown()["outputs"];
        sent["outputs"] = serde_json::json!([outputs[1], "rtmp://h/live/new", outputs[0]]);
        sent["twice"] = serde_json::json!(["x.flv", "rtmp://h/live/***"]);
        let restored = read(sent).restored(&old);
        let expected = serde_json::json!({
            "input": "rtsp://user:pass-word@h/cam",
            "outputs": [{"url": "rtmp://h/other/Key-two"}, "rtmp://h/live/new", "rtmp://h/live/Key-one"],
            "twice": ["x.flv", "rtmp://h/live/Key-four"],
            "on_slow": "block",
        });
        assert_eq!(restored, read(expected));
        // Elsewhere, and where it could be either, it is not guessed.
        let moved = read(serde_json::json!({
            "input": "rtmp://h/live/***", "twice": ["a", "b", "rtmp://h/live/***"],
        }));
        assert!(moved.restored(&old).path_to("***").is_some());
    }

    #[test]
    fn the_environment_is_filled_in_and_kept_secret() {
        let environment = |name: &str| (name == "KEY").then(|| "sesame-7".to_owned());
        let fill = |text: &str| {
            let mut node = Node::from_json(serde_json::json!({ "urls": [text] }));
            node.fill_in(&environment).map(|()| node)
        };
        let node = fill("rtmp://h/a/${KEY}?$${KEY}").unwrap();
        let expected = serde_json::json!({ "urls": ["rtmp://h/a/sesame-7?${KEY}"] });
        assert_eq!(node, Node::from_json(expected));
        assert!(!node.shown().to_string().contains("sesame"));
        assert!(!Node::from_json("is sesame-7 it?".into()).shown().to_string().contains("sesame"));
        assert!(fill("${NOPE}").unwrap_err().text.contains("has no NOPE"));
        assert!(fill("${KEY").unwrap_err().text.contains("without its '}'"));
        assert!(fill("${a b}").unwrap_err().text.contains("no name"));
    }
}
