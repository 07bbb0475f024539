//! What one model is, from `[models.NAME]` of a file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use crate::options::keys::{FileKey, KeyType, MODEL as KEYS, MODEL_OPTIONS};
use crate::serve::fault::FaultKind;
use crate::serve::keys;
use crate::serve::node::{FileFault, FilePosition, Node, NodeEntry, NodeValue, unknown};

/// The program that runs a model where nothing else is said.
const COMMAND: [&str; 3] = ["python3", "-m", "frameloom.detect"];

/// What one model is.
#[derive(Clone, Debug)]
pub(crate) struct ModelSettings {
    pub(crate) name: String,
    /// As it was written, with what the environment filled in.
    source: Node,
    /// The program and its own arguments.
    command: Vec<String>,
    /// `--threads=2` and so on.
    options: Vec<String>,
    file: String,
    /// Variables for the program. They hold secrets.
    pub(crate) env: BTreeMap<String, String>,
}

/// They say the same, wherever it stands.
impl PartialEq for ModelSettings {
    fn eq(&self, other: &ModelSettings) -> bool {
        self.name == other.name && self.source == other.source
    }
}

impl ModelSettings {
    /// Reads the settings of the model `name`, whose key stands at `place`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn read(
        name: &str,
        node: &Node,
        place: Option<FilePosition>,
    ) -> Result<ModelSettings, FileFault> {
        let entries = keys::table("models", "a model", name, node, place)?;
        let table = format!("models.{name}");
        let mut settings = ModelSettings {
            name: name.to_owned(),
            source: node.clone(),
            command: Vec::new(),
            options: Vec::new(),
            file: String::new(),
            env: BTreeMap::new(),
        };
        for entry in entries {
            match entry.key.as_str() {
                "file" => settings.file = existing_file(&table, entry)?,
                "options" => settings.options = options(&table, entry)?,
                "command" => settings.command = keys::program(&table, entry)?,
                "env" => settings.env = keys::variables(&table, entry)?,
                key => {
                    let known = KEYS.iter().map(|key| key.name);
                    return Err(unknown(&table, key, entry.place, known));
                }
            }
        }
        let fault = |text: &str| FileFault::new(place, table.as_str(), text);
        if settings.file.is_empty() {
            return Err(fault("it needs a file").kind(FaultKind::Missing).about("file"));
        }
        if settings.command.is_empty() {
            let [program, ..] = COMMAND;
            keys::check_program(program).map_err(|text| {
                fault(&format!("{text}; command names another one"))
                    .kind(FaultKind::NoProgram)
                    .about("command")
            })?;
            settings.command = COMMAND.map(str::to_owned).to_vec();
        }
        Ok(settings)
    }

    /// The program and its arguments, with the socket that it is to listen on.
    pub(crate) fn words(&self, socket: &str) -> Vec<String> {
        let mut words = self.command.clone();
        words.extend(["--serve".to_owned(), socket.to_owned()]);
        words.extend(self.options.iter().cloned());
        // It is no option.
        let dash = if self.file.starts_with('-') { "./" } else { "" };
        words.push(format!("{dash}{}", self.file));
        words
    }

    /// As they may be shown.
    pub(crate) fn shown(&self) -> Json {
        keys::shown(&self.source)
    }
}

/// The name of a file that is there.
fn existing_file(table: &str, entry: &NodeEntry) -> Result<String, FileFault> {
    let file = keys::text(table, entry)?;
    if Path::new(&file).is_file() {
        return Ok(file);
    }
    let text = format!("there is no file '{file}'");
    let fault = FileFault::new(entry.node.place, format!("{table}.{}", entry.key), text);
    Err(fault.kind(FaultKind::NotFound).about(&entry.key))
}

/// A table of options as words.
fn options(table: &str, entry: &NodeEntry) -> Result<Vec<String>, FileFault> {
    let NodeValue::Table(entries) = &entry.node.value else {
        return Err(keys::wrong(table, &entry.node, &entry.key, "a table"));
    };
    let table = format!("{table}.{}", entry.key);
    let word = |entry: &NodeEntry| {
        let Some(option) = MODEL_OPTIONS.iter().find(|option| option.name == entry.key) else {
            let known = MODEL_OPTIONS.iter().map(|option| option.name);
            return Err(unknown(&table, &entry.key, entry.place, known));
        };
        Ok(format!("--{}={}", option.name, value(&table, option, entry)?))
    };
    entries.iter().map(word).collect()
}

fn value(table: &str, option: &FileKey, entry: &NodeEntry) -> Result<String, FileFault> {
    let is_count = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 0);
    let is_size = |text: &str| {
        let (width, height) = text.split_once('x').unwrap_or((text, text));
        is_count(width) && is_count(height)
    };
    let (is_right, expected): (&dyn Fn(&str) -> bool, _) = match option.value {
        KeyType::Count => (&is_count, "a whole number from 1 on"),
        KeyType::Size => (&is_size, "a number of pixels from 1 on, or a string such as '640x384'"),
        _ if option.name == "labels" => return existing_file(table, entry),
        _ => return keys::text(table, entry),
    };
    match (&entry.node.value, option.value) {
        (NodeValue::Number(text), _) | (NodeValue::Text(text), KeyType::Size) => {
            if is_right(text) {
                return Ok(text.clone());
            }
            let key = format!("{table}.{}", entry.key);
            let fault = FileFault::new(entry.node.place, key, format!("it is {expected}"));
            Err(fault.kind(FaultKind::WrongValue))
        }
        _ => Err(keys::wrong(table, &entry.node, &entry.key, expected)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_program_gets_the_socket_the_options_and_the_file() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("m.onnx");
        std::fs::write(&file, "").unwrap();
        let read = |more: Json| {
            let mut settings = json!({ "file": file, "command": ["cat", "-u"] });
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ModelSettings::read("faces", &Node::from_json(settings), None).unwrap()
        };
        let path = file.display();
        let settings = read(json!({ "env": { "TOKEN": "hush-hush" } }));
        assert_eq!(settings.words("/s").join(" "), format!("cat -u --serve /s {path}"));
        assert_eq!(settings.env["TOKEN"], "hush-hush");
        assert_eq!(settings.shown()["env"], json!({ "TOKEN": "***" }));
        let options =
            json!({ "threads": 2, "size": "640x384", "device": "cuda:1", "labels": file });
        let words = read(json!({ "options": options })).words("/s").join(" ");
        let labels = format!("--labels={path}");
        for option in ["--threads=2", "--size=640x384", "--device=cuda:1", &labels] {
            assert!(words.split(' ').any(|word| word == option), "{option} is not in {words}");
        }
        assert!(words.ends_with(&format!(" {path}")), "{words}");
        let number = read(json!({ "options": { "size": 320 } })).words("/s").join(" ");
        assert!(number.contains("--size=320 "), "{number}");
    }

    #[test]
    fn the_description_of_the_api_has_every_key() {
        let text = include_str!("../api/openapi.json");
        let description: Json = serde_json::from_str(text).unwrap();
        let settings = &description["components"]["schemas"]["ModelSettings"]["properties"];
        for (table, described) in
            [(KEYS, settings), (MODEL_OPTIONS, &settings["options"]["properties"])]
        {
            let mut known: Vec<&str> = table.iter().map(|key| key.name).collect();
            known.sort_unstable();
            let mut described: Vec<&String> = described.as_object().unwrap().keys().collect();
            described.sort_unstable();
            assert_eq!(described, known);
        }
    }
}
