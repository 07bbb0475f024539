//! Parsed words to the library's settings; every value is judged here.

use std::collections::BTreeMap;
use std::ffi::OsString;

use frameloom::internal::LibraryOption;
use frameloom::options::{
    AudioCommandOptions, CommandOptions, FilterGraphs, InputOptions, LiveOptions, OutputOptions,
};
use frameloom::{AudioCommand, Command, Pipeline, Result, Setting, Stop, sentence};

use crate::args::{EndArgs, GlobalWords, ProbeArgs, RunArgs, no_input};
use crate::called::CalledAs;
use crate::usage::usage;

/// A pipeline, ready to be opened.
pub(crate) struct Job {
    /// At least one.
    pub(crate) inputs: Vec<(String, InputOptions)>,
    pub(crate) outputs: Vec<(String, OutputOptions)>,
    pub(crate) graphs: FilterGraphs,
    pub(crate) command: Option<Command>,
    pub(crate) audio_command: Option<AudioCommand>,
    pub(crate) live: LiveOptions,
}

impl Job {
    /// The inputs' names.
    pub(crate) fn input_urls(&self) -> Vec<&str> {
        self.inputs.iter().map(|(url, _)| url.as_str()).collect()
    }

    /// It is a pipeline of a server, whose COMMAND gets these environment variables. It is started
    /// again by itself, so its recordings never take the place of old ones.
    pub(crate) fn supervise(&mut self, env: &BTreeMap<String, String>) {
        self.command = self.command.take().map(|command| {
            env.iter().fold(command, |command, (name, value)| command.env(name, value))
        });
        self.audio_command = self.audio_command.take().map(|command| {
            env.iter().fold(command, |command, (name, value)| command.env(name, value))
        });
        for (_, options) in &mut self.outputs {
            *options = std::mem::take(options).keep_old(true);
        }
    }

    /// Refuses inputs that can't be, before anything is opened.
    pub(crate) fn check_inputs(&self) -> Result<()> {
        let mut inputs = self.inputs.iter();
        inputs.try_for_each(|(url, options)| frameloom::internal::check_input(url, options))
    }

    /// Opens the inputs, until `stop`.
    pub(crate) fn open(&mut self, stop: &Stop) -> Result<Pipeline> {
        let mut inputs = std::mem::take(&mut self.inputs).into_iter();
        let (url, options) = inputs.next().unwrap_or_default();
        let builder = Pipeline::builder(&url).input(options).stop(stop);
        inputs.fold(builder, |builder, (url, options)| builder.and(&url, options)).open()
    }

    /// # Errors
    /// Wrong usage, or a COMMAND that can't be run.
    pub(crate) fn new(words: RunArgs) -> Result<Job> {
        let global = &words.global;
        let mut inputs = Vec::with_capacity(words.inputs.len());
        for input in words.inputs {
            let options = input_options(&input, global)?;
            inputs.push((input.url, options));
        }
        let mut outputs = Vec::with_capacity(words.outputs.len());
        for output in words.outputs {
            let options = output_options(&output, global)?;
            let options = options.allow_untaken(words.program.called == CalledAs::Ffmpeg);
            outputs.push((output.url, options));
        }
        let mut graphs = FilterGraphs::new();
        each(global, |entry, value| entry.set_graphs(&mut graphs, value))?;
        if inputs.is_empty() {
            if frameloom::internal::take_inputs(graphs.specs())? {
                return Err(no_input());
            }
            // What graphs make may be all that is wanted, and a pipeline begins with an input.
            let options = InputOptions::new().with("f", "ffmetadata")?;
            inputs.push(("data:,;FFMETADATA1%0A".to_owned(), options));
        }
        let command = words.command.map(|argv| command(argv, global)).transpose()?;
        let audio_command = audio_command(global)?;
        let mut live = LiveOptions::new();
        each(global, |entry, value| entry.set_live(&mut live, value))?;
        let has_command = command.is_some() || audio_command.is_some();
        live.check(has_command, has_command)?;
        Ok(Job { inputs, outputs, graphs, command, audio_command, live })
    }
}

/// The settings of what `frameloom probe` reads.
///
/// # Errors
/// Wrong usage.
pub(crate) fn probe_options(words: &ProbeArgs) -> Result<InputOptions> {
    input_options(&words.input, &words.global)
}

fn input_options(words: &EndArgs, global: &GlobalWords) -> Result<InputOptions> {
    let mut options = InputOptions::new();
    for (name, value) in &words.options {
        options.set(name, value)?;
    }
    each(global, |entry, value| entry.set_input(&mut options, value))?;
    options.check()?;
    Ok(options)
}

fn output_options(words: &EndArgs, global: &GlobalWords) -> Result<OutputOptions> {
    let mut options = OutputOptions::new();
    for (name, value) in &words.options {
        options.set(name, value)?;
    }
    each(global, |entry, value| entry.set_output(&mut options, value))?;
    options.check()?;
    Ok(options)
}

/// Sets the options that hold for the run as a whole.
fn each(
    global: &GlobalWords,
    mut set: impl FnMut(&LibraryOption, &str) -> Result<()>,
) -> Result<()> {
    global.iter().try_for_each(|(entry, value)| {
        set(entry, value).map_err(|error| error.about(entry.row.setting()))
    })
}

/// The program for sound, where one is named.
fn audio_command(global: &GlobalWords) -> Result<Option<AudioCommand>> {
    let mut options = AudioCommandOptions::new();
    each(global, |entry, value| entry.set_audio(&mut options, value))?;
    let own = Setting::own("audio-command");
    let Some(line) = options.line().map(str::to_owned) else {
        let about = global.iter().find(|(entry, _)| entry.is_for_audio());
        let error = |entry: &LibraryOption| {
            usage(sentence!("{} says nothing without {}", entry.row.setting(), own))
        };
        return about.map_or(Ok(None), |(entry, _)| Err(error(entry)));
    };
    let command = AudioCommand::from_line(&line, options);
    command.map(Some).map_err(|error| error.about(own))
}

fn command(argv: Vec<OsString>, global: &GlobalWords) -> Result<Command> {
    // Values before the program: a wrong word is wrong whether or not the program is there.
    let mut options = CommandOptions::new();
    each(global, |entry, value| entry.set_command(&mut options, value))?;
    Ok(Command::new(argv)?.options(options))
}

#[cfg(test)]
mod tests {
    use frameloom::options::Live;

    use crate::args::{Invocation, parse};

    use super::*;

    fn refusal(line: &str) -> String {
        let words = line.split(' ').map(Into::into).collect();
        let Invocation::Run(run) = parse(CalledAs::Frameloom, words).unwrap() else {
            panic!("{line}")
        };
        match Job::new(run) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_wrong_value_is_told() {
        for (line, mentions) in [
            ("-s 0x0 -i in out.mp4", "0x0"),
            ("-i in -r 0 out.mp4", "options: -r: '0'"),
            ("-t soon -i in out.mp4", "options: -t: 'soon'"),
            ("-i in -c:v libx265x out.mp4", "libx265"),
            ("-vf hflip -i in out.mp4", "-vf"),
            ("-i in -re out.mp4", "-re"),
            ("-i in -an -vn -sn out.mp4", "-an, -vn and -sn"),
            ("-i in --open-timeout never out.mp4", "options: --open-timeout: 'never'"),
            ("--frame-format rgb25 -i in -- cat", "did you mean rgb24"),
            ("--frame-format cmyk -i in -- cat", "yuv420p"),
            ("--frame-size 0x9 -i in -- cat", "options: --frame-size: '0x9'"),
            ("-i in --live=maybe out.mp4", "auto, yes or no"),
            ("-i in --on-loss=hodl out.mp4", "hold, slate or end"),
            ("-i in --on-slow pause out.mp4", "latest, block, bypass or hold"),
            ("-i in --no-reconnect --on-loss=hold out.mp4", "can't go together"),
            ("-i in --on-error=restart out.mp4", "COMMAND"),
            ("-i in --deadline=40ms out.mp4", "--deadline"),
            ("-i in -nosuchthing 1 out.mp4", "options: there is no option -nosuchthing"),
        ] {
            let said = refusal(line);
            assert!(said.contains(mentions), "{line}: {said}");
        }
    }

    #[test]
    fn whether_it_is_live_can_be_said() {
        for (line, live) in [
            ("-i in out.mp4", Live::Auto),
            ("--live=auto -i in out.mp4", Live::Auto),
            ("-i in --live yes out.mp4", Live::Yes),
            ("-i in --live=no out.mp4", Live::No),
        ] {
            let words = line.split(' ').map(Into::into).collect();
            let Invocation::Run(run) = parse(CalledAs::Frameloom, words).unwrap() else {
                panic!("{line}")
            };
            let input = format!("{:?}", Job::new(run).unwrap().inputs[0].1);
            assert!(input.contains(&format!("live: {live:?}")), "{line}: {input}");
        }
    }

    #[test]
    fn yes_is_for_every_output_wherever_it_stands() {
        let outputs = |line: &str| {
            let words = line.split(' ').map(Into::into).collect();
            let Invocation::Run(run) = parse(CalledAs::Frameloom, words).unwrap() else {
                panic!("{line}")
            };
            Job::new(run).unwrap().outputs
        };
        let yes = OutputOptions::new().with("y", "").unwrap();
        for line in ["-y -i in a.mp4 b.mp4", "-i in a.mp4 -y b.mp4", "-i in a.mp4 b.mp4 -y"] {
            let expected = ["a.mp4", "b.mp4"].map(|name| (name.to_owned(), yes.clone()));
            assert_eq!(outputs(line), expected, "{line}");
        }
        assert_eq!(outputs("-n -i in a.mp4"), [("a.mp4".to_owned(), OutputOptions::new())]);
    }
}
