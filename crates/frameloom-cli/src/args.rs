//! Argument words to what they say, by FFmpeg's order rule. Nothing is looked up, opened or
//! judged here: `job.rs` makes settings of it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use frameloom::internal::{
    LibraryOption, ProgramHint, Row, Scope, find_absent, find_ffmpeg, find_long, nearest,
    takes_value,
};
use frameloom::options::{OutputOptions, from_os};
use frameloom::{Error, Hint, Result, Sentence, Setting, sentence};

use crate::called::CalledAs;
use crate::ffprobe;
use crate::listings::Part;
use crate::options::Verb;
use crate::options::listing::{self, Listing};
use crate::options::program::{self, ProgramOptions};
use crate::usage::{no_value, usage};

/// What the program was asked to do.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Show the help text.
    Help(Verb),
    /// Tell what a part of FFmpeg is, and its options.
    HelpOf(Part),
    /// List what FFmpeg has.
    List(&'static Listing),
    /// Show the version.
    Version,
    /// Write the man page, completions and the reference into this folder.
    Manuals(PathBuf),
    /// Tell what is in an input.
    Probe(ProbeArgs),
    /// Run a pipeline.
    Run(RunArgs),
    /// Tell what is in the inputs: there is no output and no code.
    Describe(RunArgs),
    /// Run the media server, with these words.
    Serve(Vec<String>),
    /// Show everything at once, with these words.
    Demo(Vec<OsString>),
}

/// An input or output and the options that stood before it, names without their dashes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EndArgs {
    pub(crate) url: String,
    /// Names and values; the value is empty where the option takes none.
    pub(crate) options: Vec<(String, String)>,
}

/// Options that hold for the run as a whole, each with its value.
pub(crate) type GlobalWords = Vec<(&'static LibraryOption, String)>;

/// `frameloom probe ...`.
#[derive(Debug)]
pub(crate) struct ProbeArgs {
    pub(crate) input: EndArgs,
    pub(crate) global: GlobalWords,
    pub(crate) program: ProgramOptions,
}

/// `frameloom -i ...`.
#[derive(Debug)]
pub(crate) struct RunArgs {
    /// At least one.
    pub(crate) inputs: Vec<EndArgs>,
    pub(crate) outputs: Vec<EndArgs>,
    /// What stood behind `--`.
    pub(crate) command: Option<Vec<OsString>>,
    pub(crate) global: GlobalWords,
    pub(crate) program: ProgramOptions,
}

/// Parses the words that follow the name that the program is called by.
///
/// # Errors
/// Wrong usage, without a word of what could be a secret.
pub(crate) fn parse(called: CalledAs, mut words: Vec<OsString>) -> Result<Invocation> {
    // ffmpeg and ffprobe have no verbs.
    let has_verbs = called == CalledAs::Frameloom;
    let first = words.first().and_then(|word| word.to_str()).filter(|_| has_verbs);
    let otherwise = if called == CalledAs::Ffprobe { Verb::Probe } else { Verb::Run };
    let verb = first.and_then(Verb::named).unwrap_or(otherwise);
    if first == Some("help") {
        return help(&words);
    }
    // For script/manuals, and not shown by help.
    if let ([_, folder], Some("manuals")) = (words.as_slice(), first) {
        return Ok(Invocation::Manuals(folder.into()));
    }
    if matches!(verb, Verb::Serve | Verb::Demo) {
        return other_verb(verb, words);
    }
    let skipped = usize::from(verb == Verb::Probe && has_verbs);
    words.drain(..skipped);
    let mut parser = Parser {
        verb,
        position: skipped,
        words: words.into(),
        pending: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        command: None,
        global: Vec::new(),
        program: ProgramOptions { called, ..ProgramOptions::default() },
    };
    if let Some(shown) = parser.read()? {
        return Ok(shown);
    }
    if verb == Verb::Probe {
        parser.finish_probe().map(Invocation::Probe)
    } else {
        let run = parser.finish_run()?;
        let has_work = !run.outputs.is_empty() || run.command.is_some();
        Ok(if has_work { Invocation::Run(run) } else { Invocation::Describe(run) })
    }
}

/// `frameloom help [VERB]`.
fn help(words: &[OsString]) -> Result<Invocation> {
    match words {
        [_] => Ok(Invocation::Help(Verb::Run)),
        [_, word] => word.to_str().and_then(Verb::named).map(Invocation::Help).ok_or_else(|| {
            let names = Verb::ALL.map(Verb::name);
            usage(format!("there is no verb '{}'", word.to_string_lossy()))
                .hint(ProgramHint::Verbs(names[1..].iter().map(|&name| name.to_owned()).collect()))
        }),
        _ => Err(usage("help takes one verb at most")),
    }
}

/// The verbs that read their words themselves: none of FFmpeg's rules hold for them.
fn other_verb(verb: Verb, mut words: Vec<OsString>) -> Result<Invocation> {
    let own = words.iter().take_while(|word| *word != "--");
    let help = ["-h", "-help", "--help"];
    if own.skip(1).any(|word| help.iter().any(|name| word == name)) {
        return Ok(Invocation::Help(verb));
    }
    words.remove(0);
    if verb == Verb::Demo {
        return Ok(Invocation::Demo(words));
    }
    let words = words.into_iter().enumerate().map(|(n, word)| {
        word.into_string().map_err(|_| usage(format!("argument {} is not UTF-8 text", n + 2)))
    });
    words.collect::<Result<_>>().map(Invocation::Serve)
}

struct Parser {
    /// A pipeline, or probe.
    verb: Verb,
    words: VecDeque<OsString>,
    /// Of the last word taken, as the user counts.
    position: usize,
    /// Options whose input or output has not come yet.
    pending: Vec<(String, String)>,
    inputs: Vec<EndArgs>,
    outputs: Vec<EndArgs>,
    command: Option<Vec<OsString>>,
    global: GlobalWords,
    program: ProgramOptions,
}

/// The error for a command line that reads nothing.
pub(crate) fn no_input() -> Error {
    usage("no input is named").hint(ProgramHint::NameInput)
}

impl Parser {
    /// Reads all the words, or up to one that asks for help, the version or a listing.
    fn read(&mut self) -> Result<Option<Invocation>> {
        while let Some(word) = self.word()? {
            match word.as_str() {
                "--" => self.command = Some(self.words.drain(..).collect()),
                "-h" | "-help" | "--help" => return self.help().map(Some),
                "-version" | "--version" => return Ok(Some(Invocation::Version)),
                "-i" => {
                    let url = self.value("-i")?;
                    self.input(url)?;
                }
                "" => return Err(usage("an empty word where an OUTPUT's name should be")),
                "-" => self.end(word)?,
                _ => match (word.strip_prefix("--"), word.strip_prefix('-')) {
                    (Some(long), _) => self.long(long)?,
                    (None, Some(name)) => match listing::find(name) {
                        Some(listing) => return Ok(Some(Invocation::List(listing))),
                        None => self.option(name)?,
                    },
                    (None, None) => self.end(word)?,
                },
            }
        }
        Ok(None)
    }

    /// What help is asked for, which may be about the word that follows.
    fn help(&mut self) -> Result<Invocation> {
        let part = match self.word()? {
            Some(word) => Part::asked(&word)?,
            None => None,
        };
        Ok(part.map_or(Invocation::Help(self.verb), Invocation::HelpOf))
    }

    fn word(&mut self) -> Result<Option<String>> {
        let Some(word) = self.words.pop_front() else { return Ok(None) };
        self.position += 1;
        // A file's name may be no UTF-8 text.
        Ok(Some(from_os(&word)))
    }

    /// The value of the option `name`, written with its dashes.
    fn value(&mut self, name: &str) -> Result<String> {
        if self.words.front().is_some_and(|word| word == "--") {
            return Err(no_value(name));
        }
        self.word()?.ok_or_else(|| no_value(name))
    }

    fn input(&mut self, url: String) -> Result<()> {
        if url.is_empty() {
            return Err(usage("the INPUT's name is empty"));
        }
        if self.verb == Verb::Probe && !self.inputs.is_empty() {
            return Err(usage("there is a second input, and probe reads one"));
        }
        let options = std::mem::take(&mut self.pending);
        self.inputs.push(EndArgs { url, options });
        Ok(())
    }

    fn end(&mut self, url: String) -> Result<()> {
        if self.verb == Verb::Probe {
            return self.input(url);
        }
        let options = std::mem::take(&mut self.pending);
        self.outputs.push(EndArgs { url, options });
        Ok(())
    }

    /// One of FFmpeg's options, or of the program's that are written like them.
    fn option(&mut self, name: &str) -> Result<()> {
        if self.verb == Verb::Probe {
            ffprobe::check_absent(name)?;
        }
        let (own, known) = (program::find(self.verb, name, false), find_ffmpeg(name));
        let absent = if own.is_none() { find_absent(name) } else { None };
        let refusal = absent.and_then(|option| option.refusal(Setting::ffmpeg(name.to_owned())));
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let has_value = own.map_or_else(|| takes_value(name), |setting| setting.row.takes_value());
        let value = if has_value { self.value(&format!("-{name}"))? } else { String::new() };
        match (own, known) {
            (Some(setting), _) => return self.program.take(setting, &value),
            (None, Some(entry)) if entry.row.scope == Scope::Global => {
                self.global.push((entry, value));
            }
            // It has nothing to change.
            _ if absent.is_some() => {}
            _ => self.pending.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// One of Frameloom's own options.
    fn long(&mut self, word: &str) -> Result<()> {
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let (own, known) = (program::find(Verb::Run, name, true), find_long(name));
        let row = own.map(|setting| &setting.row).or(known.map(|entry| &entry.row));
        let Some(row) = row else { return Err(unknown_long(name)) };
        let value = match (row.takes_value(), attached) {
            (false, Some(_)) => {
                return Err(usage(sentence!("{} takes no value", Setting::own(name.to_owned()))));
            }
            (false, None) => String::new(),
            (true, Some(value)) => value,
            (true, None) => self.value(&format!("--{name}"))?,
        };
        if let Some(setting) = own {
            self.program.take(setting, &value)?;
        }
        if let Some(entry) = known {
            self.global.push((entry, value));
        }
        Ok(())
    }

    fn finish_probe(mut self) -> Result<ProbeArgs> {
        self.check_dangling()?;
        if self.command.is_some() {
            return Err(usage("probe runs no COMMAND"));
        }
        let for_another = |entry: &LibraryOption| entry.row.is_long && !entry.is_for_input();
        let foreign = self.global.iter().find(|(entry, _)| for_another(entry));
        let stats = self.program.stats_json.then_some("stats");
        if let Some(name) = stats.or(foreign.map(|(entry, _)| entry.row.name)) {
            return Err(usage(sentence!("{} means nothing to probe", Setting::own(name))));
        }
        let Some(input) = self.inputs.pop() else {
            return Err(usage("probe needs the name of an INPUT"));
        };
        Ok(ProbeArgs { input, global: self.global, program: self.program })
    }

    fn finish_run(self) -> Result<RunArgs> {
        self.check_dangling()?;
        let has_graphs = self.global.iter().any(|(entry, _)| entry.is_for_graphs());
        if self.inputs.is_empty() && !has_graphs {
            // An unknown name may have taken "-i" for its value.
            self.outputs.iter().try_for_each(|output| check_names(&output.options))?;
            return Err(no_input());
        }
        let is_given = |name: &str| self.global.iter().any(|(entry, _)| entry.row.name == name);
        if is_given("y") && is_given("n") {
            return Err(usage(sentence!(
                "{} and {} together say nothing",
                Setting::ffmpeg("y"),
                Setting::ffmpeg("n")
            )));
        }
        match &self.command {
            Some(argv) if argv.is_empty() => return Err(usage("no COMMAND follows --")),
            Some(_) => {}
            None => {
                let about = self.global.iter().find(|(entry, _)| entry.is_for_command());
                if let Some((entry, _)) = about {
                    let name = entry.row.name;
                    let error = usage(sentence!(
                        "{} is about a COMMAND, and there is none",
                        Setting::own(name)
                    ));
                    return Err(error.hint(Hint::GiveCode));
                }
                let mut outputs = self.outputs.iter().filter(|output| output.options.is_empty());
                if let Some(output) = outputs.find(|output| is_program(&output.url)) {
                    let error = usage("it is a program and no OUTPUT").at(&output.url);
                    return Err(error.hint(ProgramHint::DashesBeforeCommand));
                }
            }
        }
        let Parser { inputs, outputs, command, global, program, .. } = self;
        Ok(RunArgs { inputs, outputs, command, global, program })
    }

    /// Refuses options that nothing follows which they could belong to.
    fn check_dangling(&self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        // An unknown name may have taken the OUTPUT for its value.
        check_names(&self.pending)?;
        let names = self.pending.iter().map(|(name, _)| Setting::ffmpeg(name.clone()));
        let names = Sentence::list(names, "and");
        if self.verb == Verb::Probe {
            let error = usage(sentence!("nothing follows {}", names));
            return Err(error.hint(ProgramHint::BeforeInput));
        }
        let error = usage(sentence!("no OUTPUT follows {}", names));
        let for_command = self.pending.iter().find_map(|(name, _)| match name.as_str() {
            "s" => Some("frame-size"),
            "pix_fmt" => Some("frame-format"),
            _ => None,
        });
        Err(match for_command {
            Some(long) if self.outputs.is_empty() && self.command.is_some() => {
                error.hint(ProgramHint::ForCommand(Setting::own(long)))
            }
            _ => error.hint(ProgramHint::BeforeItsEnd),
        })
    }
}

/// The error for words without an output and without code, where nobody asks what is in the inputs.
pub(crate) fn nothing_to_do() -> Error {
    usage("neither an OUTPUT nor a COMMAND is named").hint(ProgramHint::NameOutputOrCode)
}

/// Whether a word that tells no format is the name of a program, as a shell would find it.
fn is_program(word: &str) -> bool {
    const SCRIPTS: [&str; 5] = ["py", "sh", "pl", "rb", "js"];
    let path = Path::new(word);
    let ending = path.extension().map(|ending| ending.to_string_lossy());
    if ending.is_some_and(|ending| !SCRIPTS.contains(&&*ending)) {
        return false;
    }
    let can_run = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    if word.contains('/') {
        return can_run(path);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| can_run(&folder.join(word)))
}

/// Refuses names of output options that nothing knows.
fn check_names(options: &[(String, String)]) -> Result<()> {
    let mut scratch = OutputOptions::new();
    options.iter().try_for_each(|(name, value)| scratch.set(name, value))
}

fn unknown_long(name: &str) -> Error {
    let error = usage(sentence!("there is no option {}", Setting::own(name.to_owned())));
    let is_program = program::find(Verb::Run, name, false).is_some();
    if find_ffmpeg(name).is_some() || is_program || listing::find(name).is_some() {
        return error.hint(Hint::DidYouMeanSetting(vec![Setting::ffmpeg(name.to_owned())]));
    }
    let long = Verb::Run.rows().into_iter().filter(|row| row.is_long).flat_map(Row::names);
    let near: Vec<Setting> = nearest(name, long).into_iter().map(Setting::own).collect();
    error.hint(if near.is_empty() { Hint::ListOfOptions } else { Hint::DidYouMeanSetting(near) })
}

#[cfg(test)]
mod tests;
