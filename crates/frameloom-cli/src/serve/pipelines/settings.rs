//! What one pipeline is to do, from a file or the API, checked by the command line's own rules.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use frameloom::internal::{
    Row, Scope, ValueType, find_ffmpeg, library, nearest, opening_filter, redact, takes_value, url,
};
use frameloom::options::parse_duration;
use frameloom::{End, Error, Setting};
use serde_json::Value as Json;

use crate::args::{Invocation, nothing_to_do, parse};
use crate::called::CalledAs;
use crate::job::Job;
use crate::level::listed;
use crate::options::keys::PIPELINE as KEYS;
use crate::options::{Verb, program};
use crate::serve::fault::{FaultDetails, FaultKind};
use crate::serve::keys::{self, HIDDEN};
use crate::serve::node::{FileFault, FilePosition, Node, NodeEntry, NodeValue, unknown};
use crate::serve::place::{Here, StreamOf};
use crate::serve::wording::Keys;
use crate::stdout::is_stdout;
use crate::supervised::ChildOrder;
use crate::usage::usage;

/// How long a pipeline on demand goes on when nobody plays it, where nothing else is said.
const IDLE: Duration = Duration::from_secs(10);

/// The options that are keys: Frameloom's own. FFmpeg's stand in `input_options` and
/// `output_options`.
pub(crate) fn option_keys() -> impl Iterator<Item = &'static Row> {
    library().iter().map(|entry| &entry.row).filter(|row| row.is_long)
}

/// What one pipeline is to do.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    /// As it was written, with what the environment filled in.
    source: Node,
    /// The command line's words. They hold secrets.
    words: Vec<String>,
    /// Variables for its COMMAND. They hold secrets.
    env: BTreeMap<String, String>,
    /// The model of the file that its COMMAND uses.
    model: Option<String>,
    /// Which streams it reads, and which it publishes: see [`Here::identity`].
    pub(crate) reads: Vec<String>,
    pub(crate) writes: Vec<String>,
    /// Which of its inputs are streams of this server, and the outputs on it.
    pub(crate) inputs_here: Vec<Option<StreamOf>>,
    pub(crate) outputs_here: Vec<StreamOf>,
    /// Begun for its players, and ended without them.
    pub(crate) on_demand: bool,
    pub(crate) idle_timeout: Duration,
    /// Started with the server.
    pub(crate) enabled: bool,
    /// Whether an input may have no end by itself, for as long as that was not told.
    pub(crate) is_live: bool,
    /// At least one.
    inputs: Vec<EndSettings>,
    /// An output that can be read while it is written, and its stream where it is on this server.
    playable: Option<(String, Option<StreamOf>)>,
}

/// They say the same, wherever it stands.
impl PartialEq for Settings {
    fn eq(&self, other: &Settings) -> bool {
        self.name == other.name && self.source == other.source
    }
}

impl Settings {
    /// Reads the settings of the pipeline `name`, whose key stands at `place`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn read(
        name: &str,
        node: &Node,
        place: Option<FilePosition>,
        here: &Here,
    ) -> Result<Settings, FileFault> {
        let entries = keys::table("pipelines", "a pipeline", name, node, place)?;
        let mut draft = Draft { name, ..Draft::default() };
        entries.iter().try_for_each(|entry| draft.take(entry))?;
        draft.remember_secrets();
        let fault = |text: &str| FileFault::new(place, format!("pipelines.{name}"), text);
        if draft.inputs.is_empty() {
            let key = draft.input_key.unwrap_or("input");
            return Err(fault("it needs an input").kind(FaultKind::Missing).about(key));
        }
        if draft.outputs.is_empty() && draft.command.is_empty() {
            let fault = fault("it has neither outputs nor a command");
            return Err(fault.kind(FaultKind::Missing).about("outputs"));
        }
        let of_command = [("env", !draft.env.is_empty()), ("model", draft.model.is_some())];
        if let Some((key, _)) = of_command.iter().find(|(_, is_given)| *is_given)
            && draft.command.is_empty()
        {
            let fault = fault(&format!("{key} is for its command, and it has none"));
            return Err(fault.kind(FaultKind::Missing).about("command"));
        }
        let words = draft.words();
        check(&words).map_err(|error| {
            let found = entry_about(entries, &error, draft.wrong_input());
            let place = found.as_ref().and_then(|(_, place)| *place).or(place);
            let text = error.display(&Keys).in_place().to_string();
            let fault = FileFault::new(place, format!("pipelines.{name}"), text);
            let details = FaultDetails::of_error(&error, found.map(|(path, _)| path.join(".")));
            FileFault { details: details.into(), ..fault }
        })?;
        let inputs: Vec<EndSettings> = draft.all_inputs().collect();
        let urls = || inputs.iter().map(|input| input.url.as_str());
        let outputs: Vec<String> = draft.outputs.into_iter().map(|output| output.url).collect();
        let settings = Settings {
            name: name.to_owned(),
            source: node.clone(),
            words,
            env: draft.env,
            model: draft.model,
            reads: urls().filter_map(|url| here.identity(url)).collect(),
            writes: outputs.iter().filter_map(|url| here.identity(url)).collect(),
            inputs_here: urls().map(|url| here.stream(url)).collect(),
            outputs_here: outputs.iter().filter_map(|url| here.stream(url)).collect(),
            on_demand: draft.on_demand.unwrap_or(false),
            idle_timeout: draft.idle_timeout.unwrap_or(IDLE),
            enabled: draft.enabled.unwrap_or(true),
            is_live: urls().any(url::is_network),
            inputs,
            playable: playable(&outputs, here),
        };
        if settings.on_demand && settings.outputs_here.is_empty() {
            let place = entries.iter().find(|e| e.key == "on_demand").and_then(|e| e.place);
            let text =
                "on_demand is for an output that is played from this server, and it has none";
            let fault = FileFault::new(place, format!("pipelines.{name}"), text);
            return Err(fault.about("on_demand"));
        }
        Ok(settings)
    }

    /// What its process is told. It holds secrets.
    pub(crate) fn order(&self) -> ChildOrder {
        ChildOrder { words: self.words.clone(), env: self.env.clone() }
    }

    /// The model of the file that its COMMAND uses.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Refuses a model that is none of these.
    pub(crate) fn check_model<'a>(
        &self,
        models: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), FileFault> {
        let models: Vec<&str> = models.into_iter().collect();
        let Some(model) = self.model().filter(|model| !models.contains(model)) else {
            return Ok(());
        };
        let near = nearest(model, models.iter().copied());
        let help = match (near.as_slice(), models.as_slice()) {
            ([_, ..], _) => format!("did you mean {}?", listed(near.clone())),
            ([], [_, ..]) => format!("it has {}", listed(models)),
            ([], []) => "[models.NAME] makes one".to_owned(),
        };
        let place = self.entries().iter().find(|entry| entry.key == "model");
        let place = place.and_then(|entry| entry.node.place);
        let text = format!("the file has no model '{model}' ({help})");
        let mut fault = FileFault::new(place, format!("pipelines.{}.model", self.name), text);
        fault.details.near = near.into_iter().map(str::to_owned).collect();
        Err(fault.kind(FaultKind::NoModel).about("model"))
    }

    /// As they were written. They hold secrets.
    pub(crate) fn entries(&self) -> &[NodeEntry] {
        match &self.source.value {
            NodeValue::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The keys and numbers that lead to a text in them.
    pub(crate) fn path_to(&self, text: &str) -> Vec<String> {
        self.source.path_to(text).unwrap_or_default()
    }

    /// As they were written. They hold secrets.
    #[cfg(test)]
    pub(crate) fn source(&self) -> &Node {
        &self.source
    }

    /// As they may be shown.
    pub(crate) fn shown(&self) -> Json {
        keys::shown(&self.source)
    }

    /// What was sent in place of these settings, with what was shown hidden as it is.
    pub(crate) fn restored(&self, sent: Node) -> Node {
        let mut sent = sent.restored(&self.source);
        if let NodeValue::Table(entries) = &mut sent.value
            && let Some(env) = entries.iter_mut().find(|entry| entry.key == "env")
            && let NodeValue::Table(variables) = &mut env.node.value
        {
            for variable in variables {
                let is_hidden = matches!(&variable.node.value, NodeValue::Text(t) if t == HIDDEN);
                if let Some(known) = self.env.get(&variable.key).filter(|_| is_hidden) {
                    variable.node.value = NodeValue::Text(known.clone());
                }
            }
        }
        sent
    }

    /// The first input. It may hold secrets.
    pub(crate) fn first_input(&self) -> Option<(&EndSettings, Option<&StreamOf>)> {
        let here = self.inputs_here.first().and_then(Option::as_ref);
        self.inputs.first().map(|input| (input, here))
    }

    /// Whether it reads a stream of this server.
    pub(crate) fn reads_here(&self) -> bool {
        self.inputs_here.iter().any(Option::is_some)
    }

    /// The key that its inputs stand in.
    pub(crate) fn input_key(&self) -> &'static str {
        if self.entries().iter().any(|entry| entry.key == "inputs") { "inputs" } else { "input" }
    }

    /// The URL of an output that can be read while it is written, one on this server if there is
    /// one, and its stream there. It may hold secrets.
    pub(crate) fn playable(&self) -> Option<(&str, Option<&StreamOf>)> {
        self.playable.as_ref().map(|(url, stream)| (url.as_str(), stream.as_ref()))
    }
}

fn playable(outputs: &[String], here: &Here) -> Option<(String, Option<StreamOf>)> {
    let own = outputs.iter().find_map(|url| Some((url.clone(), Some(here.stream(url)?))));
    own.or_else(|| {
        let relayed = outputs.iter().find(|output| url::is_relayed(output));
        relayed.map(|url| (url.clone(), None))
    })
}

#[derive(Default)]
struct Draft<'a> {
    name: &'a str,
    /// Which of `input` and `inputs` there is.
    input_key: Option<&'static str>,
    inputs: Vec<EndSettings>,
    outputs: Vec<EndSettings>,
    graphs: Vec<String>,
    devices: Vec<String>,
    filter_device: Option<String>,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    model: Option<String>,
    input_options: Vec<String>,
    output_options: Vec<String>,
    filter: Option<String>,
    long: Vec<String>,
    level: Option<String>,
    on_demand: Option<bool>,
    idle_timeout: Option<Duration>,
    enabled: Option<bool>,
}

/// An input or an output, and the words that stand before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndSettings {
    pub(crate) url: String,
    pub(crate) options: Vec<String>,
}

impl Draft<'_> {
    fn take(&mut self, entry: &NodeEntry) -> Result<(), FileFault> {
        let node = &entry.node;
        match entry.key.as_str() {
            "input" => self.take_inputs("input", entry)?,
            "inputs" => self.take_inputs("inputs", entry)?,
            "filter_complex" => self.graphs = self.texts(entry)?,
            "init_hw_device" => self.devices = self.texts(entry)?,
            "filter_hw_device" => self.filter_device = Some(self.text(entry)?),
            "filter" => self.filter = Some(self.text(entry)?),
            "loglevel" => self.level = Some(self.scalar(entry)?),
            "command" => self.command = keys::program(&self.table(), entry)?,
            "env" => self.env = keys::variables(&self.table(), entry)?,
            "model" => self.model = Some(self.text(entry)?),
            "outputs" => self.outputs = self.ends(entry, End::Output)?,
            "input_options" => self.input_options = self.options(entry)?,
            "output_options" => self.output_options = self.options(entry)?,
            "on_demand" => self.on_demand = Some(self.flag(entry)?),
            "enabled" => self.enabled = Some(self.flag(entry)?),
            "idle_timeout" => {
                let wrong = |e: Error| {
                    let text = e.display(&Keys).in_place().to_string();
                    let fault = FileFault::new(node.place, self.key("idle_timeout"), text);
                    FileFault { details: FaultDetails::of_error(&e, None).into(), ..fault }
                        .kind(FaultKind::WrongValue)
                };
                self.idle_timeout = Some(parse_duration(&self.scalar(entry)?).map_err(wrong)?);
            }
            key => {
                let row = option_keys().find(|row| row.key() == key);
                let word = self.long(entry, row.ok_or_else(|| self.unknown(entry))?)?;
                self.long.extend(word);
            }
        }
        Ok(())
    }

    fn take_inputs(&mut self, key: &'static str, entry: &NodeEntry) -> Result<(), FileFault> {
        if let Some(other) = self.input_key.replace(key) {
            let text = format!("{other} and {key} say the same: give one of them");
            let fault = FileFault::new(entry.place, self.key(key), text);
            return Err(fault.kind(FaultKind::Invalid).about(key));
        }
        self.inputs = self.ends(entry, End::Input)?;
        Ok(())
    }

    /// One input or output, or a list of them.
    fn ends(&self, entry: &NodeEntry, end: End) -> Result<Vec<EndSettings>, FileFault> {
        let (key, list) = match &entry.node.value {
            NodeValue::List(list) => (entry.key.as_str(), list.as_slice()),
            _ => (entry.key.as_str(), std::slice::from_ref(&entry.node)),
        };
        let is_alone = !matches!(entry.node.value, NodeValue::List(_));
        let is_numbered = !is_alone || end == End::Output;
        let read = |(number, node): (usize, &Node)| {
            self.end(node, (key, is_alone), end).map_err(|mut fault| {
                let known = fault.details.key.as_deref();
                let inner = known.or(fault.key.strip_prefix(&self.key("")));
                let inner = inner.filter(|inner| *inner != key).map(str::to_owned);
                let number = is_numbered.then(|| number.to_string());
                let path = [Some(key.to_owned()), number, inner].into_iter().flatten();
                fault.details.key = Some(path.collect::<Vec<_>>().join("."));
                fault
            })
        };
        list.iter().enumerate().map(read).collect()
    }

    /// The command line's word for an option of Frameloom's own; none where it is false.
    fn long(&self, entry: &NodeEntry, row: &Row) -> Result<Option<String>, FileFault> {
        if !row.takes_value() {
            return Ok(self.flag(entry)?.then(|| format!("--{}", row.name)));
        }
        let value = match (&entry.node.value, row.value) {
            (NodeValue::Flag(yes), ValueType::Choice(names)) if names.contains(&"yes") => {
                if *yes { "yes" } else { "no" }.to_owned()
            }
            // What is a number on the command line may be one here.
            (NodeValue::Number(_), ValueType::Duration | ValueType::Integer) => {
                self.scalar(entry)?
            }
            _ => self.text(entry)?,
        };
        Ok(Some(format!("--{}={value}", row.name)))
    }

    /// The tables that its keys are in.
    fn table(&self) -> String {
        format!("pipelines.{}", self.name)
    }

    /// A key of this pipeline with the tables it is in.
    fn key(&self, key: &str) -> String {
        format!("pipelines.{}.{key}", self.name)
    }

    fn unknown(&self, entry: &NodeEntry) -> FileFault {
        let long: Vec<String> = option_keys().map(Row::key).collect();
        let known = KEYS.iter().map(|key| key.name).chain(long.iter().map(String::as_str));
        unknown(&format!("pipelines.{}", self.name), &entry.key, entry.place, known)
    }

    fn wrong(&self, node: &Node, key: &str, expected: &str) -> FileFault {
        keys::wrong(&self.table(), node, key, expected)
    }

    fn text(&self, entry: &NodeEntry) -> Result<String, FileFault> {
        keys::text(&self.table(), entry)
    }

    /// A string, or a list of them.
    fn texts(&self, entry: &NodeEntry) -> Result<Vec<String>, FileFault> {
        let list = match &entry.node.value {
            NodeValue::List(list) => list.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        let text = |node: &Node| match &node.value {
            NodeValue::Text(text) => Ok(text.clone()),
            _ => Err(self.wrong(node, &entry.key, "a string or a list of strings")),
        };
        list.iter().map(text).collect()
    }

    /// A string, or a number as it was written.
    fn scalar(&self, entry: &NodeEntry) -> Result<String, FileFault> {
        match &entry.node.value {
            NodeValue::Text(text) | NodeValue::Number(text) => Ok(text.clone()),
            _ => Err(self.wrong(&entry.node, &entry.key, "a string")),
        }
    }

    fn flag(&self, entry: &NodeEntry) -> Result<bool, FileFault> {
        match &entry.node.value {
            NodeValue::Flag(flag) => Ok(*flag),
            _ => Err(self.wrong(&entry.node, &entry.key, "true or false")),
        }
    }

    /// An input or an output of the list `list`.
    fn end(
        &self,
        node: &Node,
        (list, is_alone): (&str, bool),
        end: End,
    ) -> Result<EndSettings, FileFault> {
        let mut read = EndSettings::default();
        match &node.value {
            NodeValue::Text(url) => read.url.clone_from(url),
            NodeValue::Table(entries) => {
                for entry in entries {
                    match entry.key.as_str() {
                        "url" => read.url = self.text(entry)?,
                        "options" => read.options = self.options(entry)?,
                        key => {
                            let table = self.key(list);
                            return Err(unknown(&table, key, entry.place, ["url", "options"]));
                        }
                    }
                }
            }
            _ if is_alone => {
                return Err(self.wrong(node, list, "a string, a table or a list of these"));
            }
            _ => return Err(self.wrong(node, list, "a list, each of it a string or a table")),
        }
        let fault =
            |text: &str, kind| Err(FileFault::new(node.place, self.key(list), text).kind(kind));
        match (read.url.as_str(), end) {
            ("", End::Input) => fault("an input needs a URL or a file's name", FaultKind::Missing),
            ("", _) => fault("an output needs a URL or a file's name", FaultKind::Missing),
            (url, End::Input) if is_stdin(url) => {
                fault("a pipeline of a server has no stdin to read from", FaultKind::WrongValue)
            }
            (_, End::Input) => Ok(read),
            (url, _) if is_stdout(url) => {
                fault("a pipeline of a server has no stdout to write to", FaultKind::WrongValue)
            }
            (url, _) if url.starts_with('-') => {
                fault("an output's name can't begin with -", FaultKind::WrongValue)
            }
            _ => Ok(read),
        }
    }

    /// A table of options as words.
    fn options(&self, entry: &NodeEntry) -> Result<Vec<String>, FileFault> {
        let NodeValue::Table(entries) = &entry.node.value else {
            return Err(self.wrong(&entry.node, &entry.key, "a table"));
        };
        let mut words = Vec::with_capacity(entries.len() * 2);
        for NodeEntry { key, place, node } in entries {
            let fault = |text: &str, kind| {
                let key = self.key(&format!("{}.{key}", entry.key));
                FileFault::new(*place, key, text).kind(kind)
            };
            if key.starts_with('-') || key.is_empty() {
                return Err(fault("options are written without their dash", FaultKind::Unknown));
            }
            if program::find(Verb::Run, key, false).is_some() {
                return Err(fault("this is no option of an input or output", FaultKind::Unknown));
            }
            if find_ffmpeg(key).is_some_and(|option| option.row.scope == Scope::Global) {
                let text = "this is for the pipeline as a whole: graphs stand in filter_complex, devices \
                            in init_hw_device";
                return Err(fault(text, FaultKind::Unknown));
            }
            let takes_value = takes_value(key);
            let value = match (&node.value, takes_value) {
                (NodeValue::Flag(false), false) => continue,
                (NodeValue::Flag(true), false) => None,
                (_, false) => {
                    return Err(fault("it takes no value: write true", FaultKind::WrongType));
                }
                (NodeValue::Flag(flag), true) => Some(u8::from(*flag).to_string()),
                (NodeValue::Text(text) | NodeValue::Number(text), true) => Some(text.clone()),
                // One that may be given several times.
                (NodeValue::List(list), true) => {
                    for node in list {
                        let NodeValue::Text(text) = &node.value else {
                            return Err(fault("its values are strings", FaultKind::WrongType));
                        };
                        words.extend([format!("-{key}"), text.clone()]);
                    }
                    continue;
                }
                _ => {
                    let expected = "its value is a string, a number or a list of strings";
                    return Err(fault(expected, FaultKind::WrongType));
                }
            };
            words.push(format!("-{key}"));
            words.extend(value);
        }
        Ok(words)
    }

    fn remember_secrets(&self) {
        let ends = self.inputs.iter().chain(&self.outputs);
        ends.for_each(|end| redact::remember_url(&end.url));
    }

    /// The inputs, with the options that stand before each.
    fn all_inputs(&self) -> impl Iterator<Item = EndSettings> {
        self.inputs.iter().map(|EndSettings { url, options }| EndSettings {
            url: url.clone(),
            options: self.input_options.iter().chain(options).cloned().collect(),
        })
    }

    /// The first of the inputs that can't be, whatever the others are.
    fn wrong_input(&self) -> Option<usize> {
        self.all_inputs().position(|EndSettings { url, options }| {
            let mut words = options;
            words.extend(["-i".to_owned(), url, "x.nut".to_owned()]);
            check(&words).is_err()
        })
    }

    /// The command line.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(level) = &self.level {
            words.extend(["-v".to_owned(), level.clone()]);
        }
        words.extend(self.long.iter().cloned());
        for device in &self.devices {
            words.extend(["-init_hw_device".to_owned(), device.clone()]);
        }
        if let Some(device) = &self.filter_device {
            words.extend(["-filter_hw_device".to_owned(), device.clone()]);
        }
        for graph in &self.graphs {
            words.extend(["-filter_complex".to_owned(), graph.clone()]);
        }
        for EndSettings { url, options } in self.all_inputs() {
            words.extend(options);
            words.extend(["-i".to_owned(), url]);
        }
        for output in &self.outputs {
            words.extend(self.output_options.iter().cloned());
            words.extend(output.options.iter().cloned());
            if let Some(filter) = &self.filter {
                words.extend(["-vf".to_owned(), filter.clone()]);
            }
            words.push(output.url.clone());
        }
        if !self.command.is_empty() {
            words.push("--".to_owned());
            words.extend(self.command.iter().cloned());
        }
        words
    }
}

/// The keys that lead to the entry that an error is about, and its place: the first in the file that
/// it names. Of several inputs that may be meant, it is `wrong_input`.
fn entry_about(
    entries: &[NodeEntry],
    error: &Error,
    wrong_input: Option<usize>,
) -> Option<(Vec<String>, Option<FilePosition>)> {
    let settings = error.settings();
    let is_named = |wanted: &Setting| {
        let is_there =
            |end: Option<End>| end.is_none() || wanted.end().is_none_or(|e| Some(e) == end);
        // An option may be for streams that nobody named.
        let bare = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        let is_same = |named: &Setting| {
            named.is_same(wanted)
                || named.is_ffmpegs() && wanted.is_ffmpegs() && bare(named.name()) == wanted.name()
        };
        settings.iter().any(|named| is_same(named) && is_there(named.end()))
    };
    let found = |steps: &[&str], place| {
        Some((steps.iter().map(|&step| step.to_owned()).collect::<Vec<String>>(), place))
    };
    let option = |inner: &[NodeEntry], end, steps: &[&str]| {
        let is_it = |entry: &&NodeEntry| is_named(&Setting::ffmpeg(entry.key.clone()).of(end));
        let entry = inner.iter().find(is_it)?;
        found(&[steps, &[entry.key.as_str()]].concat(), entry.place)
    };
    let of_end = |node: &Node, end, steps: &[&str]| {
        let NodeValue::Table(table) = &node.value else { return None };
        table.iter().find_map(|entry| match &entry.node.value {
            NodeValue::Table(inner) => option(inner, end, &[steps, &[&entry.key]].concat()),
            _ => None,
        })
    };
    let of_ends = |list: &NodeEntry, end| match &list.node.value {
        NodeValue::List(ends) => ends.iter().enumerate().find_map(|(number, node)| {
            let is_other = end == End::Input && wrong_input.is_some_and(|wrong| wrong != number);
            if is_other { None } else { of_end(node, end, &[&list.key, &number.to_string()]) }
        }),
        _ if end == End::Input => of_end(&list.node, end, &[&list.key]),
        _ => of_end(&list.node, end, &[&list.key, "0"]),
    };
    let setting = entries.iter().find_map(|entry| {
        let itself = |is_it: bool| if is_it { found(&[&entry.key], entry.place) } else { None };
        match (entry.key.as_str(), &entry.node.value) {
            (key @ "input_options", NodeValue::Table(inner)) => option(inner, End::Input, &[key]),
            (key @ "output_options", NodeValue::Table(inner)) => option(inner, End::Output, &[key]),
            ("input" | "inputs", _) => of_ends(entry, End::Input),
            ("outputs", _) => of_ends(entry, End::Output),
            (key @ ("filter_complex" | "init_hw_device" | "filter_hw_device"), _) => {
                itself(is_named(&Setting::ffmpeg(key.to_owned())))
            }
            ("filter", _) => itself(is_named(&Setting::ffmpeg("vf").of(End::Output))),
            ("loglevel", _) => itself(is_named(&Setting::ffmpeg("v"))),
            (key, _) => itself(is_named(&Setting::own(key.to_owned()))),
        }
    });
    setting.or_else(|| end_about(entries, error, wrong_input))
}

/// The same of an error about the input or an output as such.
fn end_about(
    entries: &[NodeEntry],
    error: &Error,
    wrong_input: Option<usize>,
) -> Option<(Vec<String>, Option<FilePosition>)> {
    let target = error.target()?;
    let url = |node: &Node| match &node.value {
        NodeValue::Text(url) => Some(url.clone()),
        NodeValue::Table(output) => output.iter().find_map(|entry| match &entry.node.value {
            NodeValue::Text(url) if entry.key == "url" => Some(url.clone()),
            _ => None,
        }),
        _ => None,
    };
    let is_it = |node: &Node| url(node).is_some_and(|url| redact::url(&url) == target);
    entries.iter().find_map(|entry| match (entry.key.as_str(), &entry.node.value) {
        ("input" | "inputs", NodeValue::List(inputs)) => {
            let named = inputs.iter().position(is_it)?;
            let number = wrong_input.filter(|at| inputs.get(*at).is_some_and(is_it));
            let number = number.unwrap_or(named);
            Some((vec![entry.key.clone(), number.to_string()], inputs.get(number)?.place))
        }
        ("input" | "inputs", _) if is_it(&entry.node) => {
            Some((vec![entry.key.clone()], entry.place))
        }
        ("outputs", NodeValue::List(outputs)) => {
            let number = outputs.iter().position(is_it)?;
            Some((vec![entry.key.clone(), number.to_string()], outputs.get(number)?.place))
        }
        ("outputs", _) if is_it(&entry.node) => {
            Some((vec![entry.key.clone(), "0".to_owned()], entry.place))
        }
        _ => None,
    })
}

/// Checks words as the command line does before it opens anything.
fn check(words: &[String]) -> Result<(), Error> {
    let run = match parse(CalledAs::Frameloom, words.iter().map(Into::into).collect())? {
        Invocation::Run(run) => run,
        Invocation::Describe(_) => return Err(nothing_to_do()),
        _ => return Err(usage("these words are not those of a pipeline")),
    };
    let mut job = Job::new(run)?;
    job.supervise(&BTreeMap::new());
    job.check_inputs()?;
    // To check a graph, its filters are made: what opens something is left to the process.
    let opens_nothing = |graph: &&String| opening_filter(graph).is_none();
    let graphs: Vec<String> = job.graphs.specs().iter().filter(opens_nothing).cloned().collect();
    frameloom::internal::check_graphs(&graphs)?;
    frameloom::internal::check_outputs(&job.input_urls(), &job.outputs, job.command.is_some())?;
    frameloom::internal::check_slate(&job.live)
}

fn is_stdin(url: &str) -> bool {
    matches!(url, "-" | "pipe:" | "pipe:0") || Path::new(url) == Path::new("/dev/stdin")
}

#[cfg(test)]
mod tests;
