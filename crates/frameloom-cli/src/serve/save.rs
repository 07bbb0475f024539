//! What the API changed, written to the file: its comments, its order and its `${NAME}`s stay.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value as Toml};

use super::node::{Node, NodeEntry, NodeValue};
use super::pipelines::settings::Settings;

/// What has changed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// One is new, or has other settings.
    Set(Box<Settings>),
    /// The one of this name is gone.
    Removed(String),
}

/// The file that changes are written to.
pub(crate) struct ChangeStore {
    /// Held while it is written: changes come from many connections.
    path: Mutex<PathBuf>,
}

impl ChangeStore {
    pub(crate) fn new(path: &Path) -> ChangeStore {
        ChangeStore { path: Mutex::new(path.to_owned()) }
    }

    /// Writes a change; the file is the old one or the new one at any time.
    ///
    /// # Errors
    /// Why it can't be written, without secrets.
    pub(crate) fn keep(
        &self,
        change: &Change,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        let path = self.path.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |cause: &str| format!("'{}' could not be written: {cause}", path.display());
        let text = fs::read_to_string(&*path).map_err(|error| failed(&error.to_string()))?;
        let text = edited(&text, change, environment).map_err(|cause| failed(&cause))?;
        write(&path, &text).map_err(|error| failed(&error.to_string()))
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path)?;
    let mut temporary = path.clone().into_os_string();
    temporary.push(".new");
    // One that was left behind is nobody's.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.set_permissions(fs::metadata(&path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, &path)
}

/// The file's text with a change in it.
fn edited(
    text: &str,
    change: &Change,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let wrong = || "it is no TOML any more".to_owned();
    let mut document: DocumentMut = text.parse().map_err(|_| wrong())?;
    let mut empty = Table::new();
    empty.set_implicit(true);
    let pipelines = document.entry("pipelines").or_insert(Item::Table(empty));
    let pipelines = pipelines.as_table_like_mut().ok_or_else(wrong)?;
    match change {
        Change::Removed(name) => drop(pipelines.remove(name)),
        Change::Set(settings) => {
            let before = entries_of(text, &settings.name, environment);
            let item = pipelines.entry(&settings.name).or_insert(Item::Table(Table::new()));
            set(item.as_table_like_mut().ok_or_else(wrong)?, &before, settings.entries())?;
        }
    }
    let text = document.to_string();
    if let Change::Set(settings) = change {
        let written = entries_of(&text, &settings.name, environment);
        if NodeValue::Table(written) != NodeValue::Table(settings.entries().to_vec()) {
            return Err("the settings would not be read as they were written".to_owned());
        }
    }
    Ok(text)
}

/// What the file says of a pipeline; nothing where it doesn't.
fn entries_of(
    text: &str,
    name: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<NodeEntry> {
    let inside = |node: Node, key: &str| match node.value {
        NodeValue::Table(entries) => entries.into_iter().find(|e| e.key == key).map(|e| e.node),
        _ => None,
    };
    let found = Node::from_toml(text).ok().and_then(|root| inside(root, "pipelines"));
    let Some(mut found) = found.and_then(|pipelines| inside(pipelines, name)) else {
        return Vec::new();
    };
    // What can't be filled in is another value than any that is set.
    let _ = found.fill_in(environment);
    match found.value {
        NodeValue::Table(entries) => entries,
        _ => Vec::new(),
    }
}

/// Writes `entries` to `table`; what it says already is not touched.
fn set(
    table: &mut dyn TableLike,
    before: &[NodeEntry],
    entries: &[NodeEntry],
) -> Result<(), String> {
    let gone: Vec<String> = table
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| entries.iter().all(|entry| entry.key != *key))
        .collect();
    for key in gone {
        table.remove(&key);
    }
    for entry in entries.iter().filter(|entry| !before.contains(entry)) {
        let mut value = toml(&entry.node)?;
        match table.get_mut(&entry.key) {
            Some(item) => {
                if let Some(old) = item.as_value() {
                    // A comment behind it.
                    *value.decor_mut() = old.decor().clone();
                }
                *item = Item::Value(value);
            }
            None => drop(table.insert(&entry.key, Item::Value(value))),
        }
    }
    Ok(())
}

fn toml(node: &Node) -> Result<Toml, String> {
    Ok(match &node.value {
        NodeValue::Text(text) => text.replace("${", "$${").into(),
        NodeValue::Number(number) => match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(whole), _) => whole.into(),
            (_, Ok(real)) => real.into(),
            _ => return Err(format!("TOML has no number {number}")),
        },
        NodeValue::Flag(flag) => (*flag).into(),
        NodeValue::List(list) => Toml::Array(list.iter().map(toml).collect::<Result<Array, _>>()?),
        NodeValue::Table(entries) => {
            let pair = |entry: &NodeEntry| Ok::<_, String>((entry.key.clone(), toml(&entry.node)?));
            Toml::InlineTable(entries.iter().map(pair).collect::<Result<InlineTable, _>>()?)
        }
        NodeValue::Other(name) => return Err(format!("TOML has no {name} here")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::serve::place::Here;

    const FILE: &str = "\
# Ours.
[server]
rtmp_listen = \"127.0.0.1:1935\" # here

[pipelines.a]
# From the gate.
input = \"rtmp://cam/live/${KEY}\"
outputs = [\"rtmp://h/live/a\"]  # to there
on_slow = \"latest\" # fast

[pipelines.b]
input = \"rtmp://cam/live/b\"
outputs = [\"rtmp://h/live/b\"]
";

    fn environment(name: &str) -> Option<String> {
        (name == "KEY").then(|| "sesame-open".to_owned())
    }

    fn change(name: &str, settings: Json) -> String {
        let node = Node::from_json(settings);
        let settings = Settings::read(name, &node, None, &Here::default()).unwrap();
        edited(FILE, &Change::Set(settings.into()), &environment).unwrap()
    }

    #[test]
    fn only_what_changed_is_written() {
        let same = json!({
            "input": "rtmp://cam/live/sesame-open", "outputs": ["rtmp://h/live/a"],
            "on_slow": "latest",
        });
        assert_eq!(change("a", same.clone()), FILE);
        let mut other = same.clone();
        other["on_slow"] = "block".into();
        other["output_options"] = json!({ "b:v": "2M", "g": 50 });
        let expected = FILE.replace(
            "on_slow = \"latest\" # fast\n",
            "on_slow = \"block\" # fast\noutput_options = { \"b:v\" = \"2M\", g = 50 }\n",
        );
        assert_eq!(change("a", other), expected);
        let mut less = same;
        less.as_object_mut().unwrap().remove("on_slow");
        assert_eq!(change("a", less), FILE.replace("on_slow = \"latest\" # fast\n", ""));
    }

    #[test]
    fn several_inputs_are_written_as_they_were_given() {
        let wall = json!({
            "inputs": ["rtmp://cam/live/1", { "url": "rtmp://cam/live/2", "options": { "t": 60 } }],
            "filter_complex": ["[0:v][1:v]hstack[both]"],
            "outputs": { "url": "rtmp://h/live/wall", "options": { "map": ["[both]", "0:a?"] } },
        });
        let text = change("wall", wall);
        let written = text.strip_prefix(FILE).unwrap();
        for line in [
            "inputs = [\"rtmp://cam/live/1\", { options = { t = 60 }, url = \"rtmp://cam/live/2\" }]",
            "filter_complex = [\"[0:v][1:v]hstack[both]\"]",
            "outputs = { options = { map = [\"[both]\", \"0:a?\"] }, url = \"rtmp://h/live/wall\" }",
        ] {
            assert!(written.lines().any(|written| written == line), "{line} is not in {written}");
        }
    }

    #[test]
    fn one_comes_and_one_goes() {
        let new =
            json!({ "input": "a ${b}.flv", "outputs": ["/tmp/no-such.flv"], "enabled": false });
        let text = change("new", new);
        assert!(text.starts_with(FILE), "{text}");
        assert!(text.ends_with(
            "\n[pipelines.new]\nenabled = false\ninput = \"a $${b}.flv\"\n\
             outputs = [\"/tmp/no-such.flv\"]\n"
        ));
        let gone = edited(FILE, &Change::Removed("b".to_owned()), &environment).unwrap();
        assert_eq!(gone, FILE[..FILE.find("\n[pipelines.b]").unwrap()]);
        let empty = edited("", &Change::Removed("b".to_owned()), &environment).unwrap();
        assert_eq!(empty, "");
    }

    #[test]
    fn models_stay_as_they_are() {
        let models =
            "[models.faces] # ours\nfile = \"centerface.onnx\"\noptions = { threads = 2 }\n";
        let file = format!("{models}{FILE}");
        let gone = edited(&file, &Change::Removed("b".to_owned()), &environment).unwrap();
        assert!(gone.starts_with(&file[..file.find("[pipelines.b]").unwrap() - 1]), "{gone}");
        let node = Node::from_json(json!({
            "input": "in.flv", "outputs": ["/tmp/no-such.flv"], "command": ["cat"], "model": "faces",
        }));
        let settings = Settings::read("new", &node, None, &Here::default()).unwrap();
        let more = edited(&file, &Change::Set(settings.into()), &environment).unwrap();
        assert!(more.starts_with(&file) && more.contains("model = \"faces\""), "{more}");
    }

    #[test]
    fn the_file_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("f.toml");
        fs::write(&path, FILE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let store = ChangeStore::new(&path);
        store.keep(&Change::Removed("b".to_owned()), &environment).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("pipelines.b"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
        fs::remove_file(&path).unwrap();
        let error = store.keep(&Change::Removed("a".to_owned()), &environment).unwrap_err();
        assert!(error.contains("could not be written"), "{error}");
    }
}
