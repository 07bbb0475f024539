//! Argument words to what they say, by FFmpeg's order rule. Nothing is looked up, opened or
//! judged here: `job.rs` makes settings of it.

use std::collections::VecDeque;
use std::ffi::OsString;

use frameloom::options::{Arity, LiveOptions, OutputOptions, Place, arity, find_known};
use frameloom::{Error, Result, nearest};

use crate::level::{Level, listed};
use crate::long::{self, LONG};
use crate::usage;

/// What the program was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Show the help text.
    Help,
    /// Show the version.
    Version,
    /// Tell what is in an input.
    Probe(ProbeWords),
    /// Run a pipeline.
    Run(RunWords),
    /// Run the media server, with these words.
    Serve(Vec<String>),
    /// Show everything at once, with these words.
    Demo(Vec<OsString>),
}

/// An input or output and the options that stood before it, names without their dashes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EndWords {
    pub(crate) url: String,
    /// Names and values; the value is empty where the option takes none.
    pub(crate) options: Vec<(String, String)>,
}

/// `frameloom probe ...`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProbeWords {
    pub(crate) input: EndWords,
    pub(crate) level: Level,
    pub(crate) open_timeout: Option<String>,
    pub(crate) live: Option<String>,
    pub(crate) rtmp_by_libav: bool,
}

/// `frameloom -i ...`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunWords {
    pub(crate) input: EndWords,
    pub(crate) outputs: Vec<EndWords>,
    pub(crate) command: Option<CommandWords>,
    pub(crate) level: Level,
    pub(crate) open_timeout: Option<String>,
    pub(crate) rtmp_by_libav: bool,
    pub(crate) live: Option<String>,
    /// Frameloom's options about losses and slow code, names without their dashes.
    pub(crate) policies: Vec<(String, String)>,
    pub(crate) overwrite: bool,
    /// `-stats` or `-nostats`, where one was given.
    pub(crate) status: Option<bool>,
    pub(crate) stats_json: bool,
}

/// What stood behind `--`, and the options that are about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandWords {
    pub(crate) argv: Vec<OsString>,
    pub(crate) frame_format: Option<String>,
    pub(crate) frame_size: Option<String>,
}

/// Parses the words that follow the program's name.
///
/// # Errors
/// Wrong usage, without a word of what could be a secret.
pub(crate) fn parse(mut words: Vec<OsString>) -> Result<Invocation> {
    if words.first().is_some_and(|word| word == "serve" || word == "demo") {
        return other_verb(words);
    }
    let probe = words.first().is_some_and(|word| word == "probe");
    let skipped = usize::from(probe);
    words.drain(..skipped);
    let mut parser = Parser { probe, position: skipped, words: words.into(), ..Parser::default() };
    if let Some(shown) = parser.read()? {
        return Ok(shown);
    }
    if probe {
        parser.finish_probe().map(Invocation::Probe)
    } else {
        parser.finish_run().map(Invocation::Run)
    }
}

/// The verbs that read their words themselves: none of FFmpeg's rules hold for them.
fn other_verb(mut words: Vec<OsString>) -> Result<Invocation> {
    let own = words.iter().take_while(|word| *word != "--");
    let help = ["-h", "-help", "--help"];
    if own.skip(1).any(|word| help.iter().any(|name| word == name)) {
        return Ok(Invocation::Help);
    }
    let verb = words.remove(0);
    if verb == "demo" {
        return Ok(Invocation::Demo(words));
    }
    let words = words.into_iter().enumerate().map(|(n, word)| {
        word.into_string().map_err(|_| usage(format!("argument {} is not UTF-8 text", n + 2)))
    });
    words.collect::<Result<_>>().map(Invocation::Serve)
}

#[derive(Default)]
struct Parser {
    probe: bool,
    words: VecDeque<OsString>,
    /// Of the last word taken, as the user counts.
    position: usize,
    /// Options whose input or output has not come yet.
    pending: Vec<(String, String)>,
    input: Option<EndWords>,
    outputs: Vec<EndWords>,
    command: Option<Vec<OsString>>,
    level: Level,
    yes: bool,
    no: bool,
    status: Option<bool>,
    stats_json: bool,
    frame_format: Option<String>,
    frame_size: Option<String>,
    open_timeout: Option<String>,
    rtmp_by_libav: bool,
    live: Option<String>,
    policies: Vec<(String, String)>,
}

impl Parser {
    /// Reads all the words, or up to one that asks for help or the version.
    fn read(&mut self) -> Result<Option<Invocation>> {
        while let Some(word) = self.word()? {
            match word.as_str() {
                "--" => self.command = Some(self.words.drain(..).collect()),
                "-h" | "-help" | "--help" => return Ok(Some(Invocation::Help)),
                "-version" | "--version" => return Ok(Some(Invocation::Version)),
                "-i" => {
                    let url = self.value("-i")?;
                    self.input(url)?;
                }
                "" => return Err(usage("an empty word where an OUTPUT's name should be")),
                "-" => self.end(word)?,
                _ => match (word.strip_prefix("--"), word.strip_prefix('-')) {
                    (Some(long), _) => self.long(long)?,
                    (None, Some(name)) => self.option(name)?,
                    (None, None) => self.end(word)?,
                },
            }
        }
        Ok(None)
    }

    fn word(&mut self) -> Result<Option<String>> {
        let Some(word) = self.words.pop_front() else { return Ok(None) };
        self.position += 1;
        match word.into_string() {
            Ok(word) => Ok(Some(word)),
            Err(_) => Err(usage(format!("argument {} is not UTF-8 text", self.position))),
        }
    }

    /// The value of the option `name`, written with its dashes.
    fn value(&mut self, name: &str) -> Result<String> {
        let missing = || usage(format!("{name} takes a value, and none follows it"));
        if self.words.front().is_some_and(|word| word == "--") {
            return Err(missing());
        }
        self.word()?.ok_or_else(missing)
    }

    fn input(&mut self, url: String) -> Result<()> {
        if url.is_empty() {
            return Err(usage("the INPUT's name is empty"));
        }
        if self.input.is_some() {
            let error = usage("there is a second input, and frameloom reads one");
            return Err(if self.probe { error } else { error.hint("leave out one -i") });
        }
        let options = std::mem::take(&mut self.pending);
        self.input = Some(EndWords { url, options });
        Ok(())
    }

    fn end(&mut self, url: String) -> Result<()> {
        if self.probe {
            return self.input(url);
        }
        let options = std::mem::take(&mut self.pending);
        self.outputs.push(EndWords { url, options });
        Ok(())
    }

    fn option(&mut self, name: &str) -> Result<()> {
        let value = match arity(name) {
            Arity::Flag => String::new(),
            Arity::Value => self.value(&format!("-{name}"))?,
        };
        match name {
            "y" => self.yes = true,
            "n" => self.no = true,
            "v" | "loglevel" => self.level = Level::parse(&value)?,
            "stats" => self.status = Some(true),
            "nostats" => self.status = Some(false),
            _ if find_known(name).is_some_and(|known| known.place == Place::Global) => {}
            _ => self.pending.push((name.to_owned(), value)),
        }
        Ok(())
    }

    fn long(&mut self, word: &str) -> Result<()> {
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let Some(known) = long::find(name) else { return Err(unknown_long(name)) };
        let value = match (known.value, attached) {
            (None, Some(_)) => return Err(usage(format!("--{name} takes no value"))),
            (None, None) => String::new(),
            (Some(_), Some(value)) => value,
            (Some(_), None) => self.value(&format!("--{name}"))?,
        };
        match name {
            _ if LiveOptions::NAMES.contains(&name) => {
                self.policies.push((name.to_owned(), value));
            }
            "frame-format" => self.frame_format = Some(value),
            "frame-size" => self.frame_size = Some(value),
            "live" => self.live = Some(value),
            "open-timeout" => self.open_timeout = Some(value),
            "rtmp" if value == "libav" => self.rtmp_by_libav = true,
            "stats" if value == "json" => self.stats_json = true,
            _ => {
                let error = usage(format!("--{name} knows no '{value}'"));
                let only = known.value.unwrap_or_default();
                return Err(error.hint(format!("write --{name}={only}")));
            }
        }
        Ok(())
    }

    fn finish_probe(self) -> Result<ProbeWords> {
        self.check_dangling()?;
        if self.command.is_some() {
            return Err(usage("probe runs no COMMAND"));
        }
        for (given, name) in [
            (self.frame_format.is_some(), "frame-format"),
            (self.frame_size.is_some(), "frame-size"),
            (self.stats_json, "stats"),
        ] {
            if given {
                return Err(usage(format!("--{name} means nothing to probe")));
            }
        }
        if let Some((name, _)) = self.policies.first() {
            return Err(usage(format!("--{name} means nothing to probe")));
        }
        let Some(input) = self.input else {
            return Err(usage("probe needs the name of an INPUT"));
        };
        Ok(ProbeWords {
            input,
            level: self.level,
            open_timeout: self.open_timeout,
            live: self.live,
            rtmp_by_libav: self.rtmp_by_libav,
        })
    }

    fn finish_run(self) -> Result<RunWords> {
        self.check_dangling()?;
        if self.input.is_none() {
            // An unknown name may have taken "-i" for its value.
            self.outputs.iter().try_for_each(|output| check_names(&output.options))?;
            let error = usage("no input is named");
            return Err(error.hint("write -i and its name; frameloom -h tells more"));
        }
        if self.yes && self.no {
            return Err(usage("-y and -n together say nothing"));
        }
        let command = match self.command {
            Some(argv) if argv.is_empty() => return Err(usage("no COMMAND follows --")),
            Some(argv) => {
                let (frame_format, frame_size) = (self.frame_format, self.frame_size);
                Some(CommandWords { argv, frame_format, frame_size })
            }
            None => {
                for (given, name) in [
                    (self.frame_format.is_some(), "frame-format"),
                    (self.frame_size.is_some(), "frame-size"),
                ] {
                    if given {
                        let error =
                            usage(format!("--{name} is about a COMMAND, and there is none"));
                        return Err(
                            error.hint("give your code behind --, as in -- python3 edit.py")
                        );
                    }
                }
                None
            }
        };
        if self.outputs.is_empty() && command.is_none() {
            let error = usage("neither an OUTPUT nor a COMMAND is named");
            return Err(error.hint("write where to, or your code behind --"));
        }
        Ok(RunWords {
            input: self.input.unwrap_or_default(),
            outputs: self.outputs,
            command,
            level: self.level,
            open_timeout: self.open_timeout,
            rtmp_by_libav: self.rtmp_by_libav,
            live: self.live,
            policies: self.policies,
            overwrite: self.yes,
            status: self.status,
            stats_json: self.stats_json,
        })
    }

    /// Refuses options that nothing follows which they could belong to.
    fn check_dangling(&self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        // An unknown name may have taken the OUTPUT for its value.
        check_names(&self.pending)?;
        let names: Vec<String> = self.pending.iter().map(|(name, _)| format!("-{name}")).collect();
        let names = names.join(" ");
        if self.probe {
            return Err(
                usage(format!("nothing follows {names}")).hint("options stand before the INPUT")
            );
        }
        let error = usage(format!("no OUTPUT follows {names}"));
        let for_command = self.pending.iter().find_map(|(name, _)| match name.as_str() {
            "s" => Some("--frame-size"),
            "pix_fmt" => Some("--frame-format"),
            _ => None,
        });
        Err(match for_command {
            Some(long) if self.outputs.is_empty() && self.command.is_some() => {
                error.hint(format!("for COMMAND there is {long}"))
            }
            _ => error.hint("options stand before the INPUT or OUTPUT they belong to"),
        })
    }
}

/// Refuses names of output options that nothing knows.
fn check_names(options: &[(String, String)]) -> Result<()> {
    let mut scratch = OutputOptions::new();
    options.iter().try_for_each(|(name, value)| scratch.set(name, value))
}

fn unknown_long(name: &str) -> Error {
    let error = usage(format!("there is no option --{name}"));
    if find_known(name).is_some() {
        return error.hint(format!("did you mean -{name}?"));
    }
    let near: Vec<String> = nearest(name, LONG.iter().map(|long| long.name))
        .iter()
        .map(|near| format!("--{near}"))
        .collect();
    if near.is_empty() {
        return error.hint("see frameloom -h");
    }
    error.hint(format!("did you mean {}?", listed(near.iter().map(String::as_str))))
}

#[cfg(test)]
mod tests;
