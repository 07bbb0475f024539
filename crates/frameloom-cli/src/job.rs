//! Parsed words to the library's settings; every value is judged here.

use std::time::Duration;

use frameloom::options::{InputOptions, Live, LiveOptions, OutputOptions, Size, parse_duration};
use frameloom::{Command, Error, PixelFormat, Result, nearest};

use crate::args::{CommandWords, EndWords, ProbeWords, RunWords};
use crate::level::listed;
use crate::usage;

/// A pipeline, ready to be opened.
pub(crate) struct Job {
    pub(crate) url: String,
    pub(crate) input: InputOptions,
    pub(crate) outputs: Vec<(String, OutputOptions)>,
    pub(crate) command: Option<Command>,
    pub(crate) live: LiveOptions,
}

impl Job {
    /// # Errors
    /// Wrong usage, or a COMMAND that can't be run.
    pub(crate) fn new(words: RunWords) -> Result<Job> {
        let common = Common {
            open_timeout: words.open_timeout.as_deref().map(limit_of).transpose()?,
            rtmp_by_libav: words.rtmp_by_libav,
        };
        let input = input_options(&words.input, words.live.as_deref(), &common)?;
        let mut outputs = Vec::with_capacity(words.outputs.len());
        for output in words.outputs {
            let options = output_options(&output, words.overwrite, &common)?;
            outputs.push((output.url, options));
        }
        let command = words.command.map(command).transpose()?;
        let mut live = LiveOptions::new();
        for (name, value) in &words.policies {
            live.set(name, value).map_err(about(&format!("--{name}")))?;
        }
        live.check(command.is_some(), command.is_some())?;
        Ok(Job { url: words.input.url, input, outputs, command, live })
    }
}

/// The settings of what `frameloom probe` reads.
///
/// # Errors
/// Wrong usage.
pub(crate) fn probe_options(words: &ProbeWords) -> Result<InputOptions> {
    let open_timeout = words.open_timeout.as_deref().map(limit_of).transpose()?;
    let common = Common { open_timeout, rtmp_by_libav: words.rtmp_by_libav };
    input_options(&words.input, words.live.as_deref(), &common)
}

/// What holds for the input and every output.
struct Common {
    open_timeout: Option<Duration>,
    rtmp_by_libav: bool,
}

fn input_options(words: &EndWords, live: Option<&str>, common: &Common) -> Result<InputOptions> {
    let mut options = InputOptions::new();
    for (name, value) in &words.options {
        options.set(name, value).map_err(about(&format!("-{name}")))?;
    }
    if let Some(limit) = common.open_timeout {
        options = options.open_timeout(limit);
    }
    if let Some(live) = live {
        options = options.live(Live::parse(live)?);
    }
    options = options.rtmp_by_libav(common.rtmp_by_libav);
    options.check()?;
    Ok(options)
}

fn limit_of(open_timeout: &str) -> Result<Duration> {
    parse_duration(open_timeout).map_err(about("--open-timeout"))
}

fn output_options(words: &EndWords, overwrite: bool, common: &Common) -> Result<OutputOptions> {
    let mut options = OutputOptions::new();
    if overwrite {
        options.set("y", "")?;
    }
    for (name, value) in &words.options {
        options.set(name, value).map_err(about(&format!("-{name}")))?;
    }
    if let Some(limit) = common.open_timeout {
        options = options.open_timeout(limit);
    }
    options = options.rtmp_by_libav(common.rtmp_by_libav);
    options.check()?;
    Ok(options)
}

/// Names the option that an error is about, where the library didn't.
fn about(option: &str) -> impl Fn(Error) -> Error + '_ {
    move |error| {
        let told = error.to_string();
        let mut words = told.split([' ', '(', ')', ',', '\'']);
        let is_named = error.target().is_some() || words.any(|word| word == option);
        if is_named { error } else { error.at(option) }
    }
}

fn command(words: CommandWords) -> Result<Command> {
    // Values before the program: a wrong word is wrong whether or not the program is there.
    let format = words
        .frame_format
        .as_deref()
        .map(frame_format)
        .transpose()
        .map_err(about("--frame-format"))?;
    let size =
        words.frame_size.as_deref().map(Size::parse).transpose().map_err(about("--frame-size"))?;
    let mut command = Command::new(words.argv)?;
    if let Some(format) = format {
        command = command.frame_format(format);
    }
    if let Some(size) = size {
        command = command.frame_size(size);
    }
    Ok(command)
}

fn frame_format(name: &str) -> Result<PixelFormat> {
    PixelFormat::from_name(name).ok_or_else(|| {
        let names = || PixelFormat::ALL.iter().map(|format| format.name());
        let near = nearest(name, names());
        let error = usage(format!("'{name}' is not a frame format"));
        if near.is_empty() {
            error.hint(format!("write {}", listed(names())))
        } else {
            error.hint(format!("did you mean {}?", listed(near)))
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::args::{Invocation, parse};

    use super::*;

    fn told(line: &str) -> String {
        let words = line.split(' ').map(Into::into).collect();
        let Invocation::Run(run) = parse(words).unwrap() else { panic!("{line}") };
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
            ("-i in -an -vn out.mp4", "-an and -vn"),
            ("-i in --open-timeout never out.mp4", "options: --open-timeout: 'never'"),
            ("--frame-format rgb25 -i in -- cat", "did you mean rgb24"),
            ("--frame-format cmyk -i in -- cat", "yuv420p"),
            ("--frame-size 0x9 -i in -- cat", "options: --frame-size: '0x9'"),
            ("-i in --live=maybe out.mp4", "auto, yes, no"),
            ("-i in --on-loss=hodl out.mp4", "hold, slate, end"),
            ("-i in --on-slow pause out.mp4", "latest, block, bypass"),
            ("-i in --no-reconnect --on-loss=hold out.mp4", "can't go together"),
            ("-i in --on-error=restart out.mp4", "COMMAND"),
            ("-i in --deadline=40ms out.mp4", "--deadline"),
            ("-i in -nosuchthing 1 out.mp4", "options: there is no option -nosuchthing"),
        ] {
            let said = told(line);
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
            let Invocation::Run(run) = parse(words).unwrap() else { panic!("{line}") };
            let input = format!("{:?}", Job::new(run).unwrap().input);
            assert!(input.contains(&format!("live: {live:?}")), "{line}: {input}");
        }
    }

    #[test]
    fn yes_is_for_every_output_wherever_it_stands() {
        let outputs = |line: &str| {
            let words = line.split(' ').map(Into::into).collect();
            let Invocation::Run(run) = parse(words).unwrap() else { panic!("{line}") };
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
