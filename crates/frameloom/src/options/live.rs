use std::path::{Path, PathBuf};
use std::time::Duration;

use super::parse_duration;
use crate::error::{Error, Result, did_you_mean};

/// Whether an input counts as live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Live {
    /// Decided by what was opened: a live protocol, a capture device, a live playlist or a network
    /// stream without a length is live; a file or a pipe is not.
    #[default]
    Auto,
    /// It is live: opened again when it is lost, and never held back by slow code.
    Yes,
    /// It is not: read once to its end, at the speed of your code.
    No,
}

impl Live {
    /// The names that [`Live::parse`] takes.
    pub const NAMES: [&'static str; 3] = ["auto", "yes", "no"];

    /// Parses `auto`, `yes` or `no`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for anything else.
    pub fn parse(text: &str) -> Result<Live> {
        policy("live", text)
    }
}

/// What is shown while a live input is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// The last frame again, at the stream's rate.
    Hold,
    /// A card: a picture of your own, or one that says "no signal".
    Slate,
    /// Nothing: the outputs are finished, and the run ends.
    End,
}

/// What happens to a frame that comes while your code still works on one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSlow {
    /// Only the newest waits; those before it are dropped before your code sees them.
    Latest,
    /// It waits, and with it all that comes behind it.
    Block,
    /// It goes out unedited.
    Bypass,
}

/// What happens when your code fails on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The frame goes out unedited, and the next one is tried.
    Bypass,
    /// The outputs are finished, and the run ends with the error.
    Stop,
    /// A COMMAND is started again; until then frames go out unedited.
    Restart,
}

/// What happens to frames whose size is not the first one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnResize {
    /// They are scaled to the first one's size, with black bars where the shape differs.
    #[default]
    Fit,
    /// The encoder starts anew at their size.
    Restart,
}

/// A policy's values and their names.
trait Policy: Sized + Copy + 'static {
    const VALUES: &'static [(&'static str, Self)];
}

impl Policy for Live {
    const VALUES: &'static [(&'static str, Live)] =
        &[("auto", Live::Auto), ("yes", Live::Yes), ("no", Live::No)];
}

impl Policy for OnLoss {
    const VALUES: &'static [(&'static str, OnLoss)] =
        &[("hold", OnLoss::Hold), ("slate", OnLoss::Slate), ("end", OnLoss::End)];
}

impl Policy for OnSlow {
    const VALUES: &'static [(&'static str, OnSlow)] =
        &[("latest", OnSlow::Latest), ("block", OnSlow::Block), ("bypass", OnSlow::Bypass)];
}

impl Policy for OnError {
    const VALUES: &'static [(&'static str, OnError)] =
        &[("bypass", OnError::Bypass), ("stop", OnError::Stop), ("restart", OnError::Restart)];
}

impl Policy for OnResize {
    const VALUES: &'static [(&'static str, OnResize)] =
        &[("fit", OnResize::Fit), ("restart", OnResize::Restart)];
}

/// The policy's value of this name.
fn policy<P: Policy>(name: &str, value: &str) -> Result<P> {
    let names = || P::VALUES.iter().map(|(name, _)| *name);
    let found = P::VALUES.iter().find(|(name, _)| *name == value);
    found.map(|(_, policy)| *policy).ok_or_else(|| {
        let known: Vec<_> = names().collect();
        let error = Error::usage(format!("'{value}' is no value of --{name}"));
        let list = format!("it has {}", known.join(", "));
        error.hint(
            did_you_mean(value, names()).map_or(list.clone(), |near| format!("{near} {list}")),
        )
    })
}

/// How a pipeline lives with what breaks all day long: an input that is lost, outputs that are,
/// code that is slow or fails. What is not given here depends on the input: a live one is never
/// stopped by any of it, a file is never changed by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveOptions {
    pub(crate) on_loss: Option<OnLoss>,
    pub(crate) slate: Option<PathBuf>,
    pub(crate) on_slow: Option<OnSlow>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) on_error: Option<OnError>,
    pub(crate) on_resize: OnResize,
    pub(crate) reconnect_for: Option<Duration>,
    pub(crate) no_reconnect: bool,
    pub(crate) stall_timeout: Option<Duration>,
}

impl LiveOptions {
    /// The names that [`LiveOptions::set`] takes.
    pub const NAMES: [&'static str; 9] = [
        "on-loss",
        "slate",
        "on-slow",
        "deadline",
        "on-error",
        "on-resize",
        "reconnect-for",
        "no-reconnect",
        "stall-timeout",
    ];

    /// The defaults.
    pub fn new() -> LiveOptions {
        LiveOptions::default()
    }

    /// Sets an option by the command line's name, without the dashes; `value` is ignored where
    /// the option takes none.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name or a value that doesn't exist, with
    /// those that do.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "on-loss" => self.on_loss = Some(policy(name, value)?),
            "slate" => self.slate = Some(value.into()),
            "on-slow" => self.on_slow = Some(policy(name, value)?),
            "deadline" => self.deadline = Some(above_zero(name, value)?),
            "on-error" => self.on_error = Some(policy(name, value)?),
            "on-resize" => self.on_resize = policy(name, value)?,
            "reconnect-for" => self.reconnect_for = Some(parse_duration(value)?),
            "no-reconnect" => self.no_reconnect = true,
            "stall-timeout" => self.stall_timeout = Some(above_zero(name, value)?),
            _ => {
                let error = Error::usage(format!("there is no option --{name}"));
                return Err(match did_you_mean(name, LiveOptions::NAMES) {
                    Some(near) => error.hint(near),
                    None => error,
                });
            }
        }
        Ok(())
    }

    /// As [`LiveOptions::set`], for chains.
    ///
    /// # Errors
    /// As [`LiveOptions::set`].
    pub fn with(mut self, name: &str, value: &str) -> Result<LiveOptions> {
        self.set(name, value)?;
        Ok(self)
    }

    /// Refuses what excludes each other, and a slate that isn't there.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage), and what the file system says of the slate.
    pub fn check(&self, has_command: bool, has_code: bool) -> Result<()> {
        let ends = self.no_reconnect || self.on_loss == Some(OnLoss::End);
        let excluded = [
            (
                self.no_reconnect && matches!(self.on_loss, Some(OnLoss::Hold | OnLoss::Slate)),
                "--no-reconnect and --on-loss=hold or slate",
                "with no reconnecting there is nothing to wait for",
            ),
            (
                ends && self.reconnect_for.is_some(),
                "--reconnect-for and --no-reconnect or --on-loss=end",
                "these end the run at the first loss",
            ),
            (
                self.slate.is_some() && !matches!(self.on_loss, None | Some(OnLoss::Slate)),
                "--slate and another --on-loss than slate",
                "the slate is shown by --on-loss=slate alone",
            ),
            (
                self.slate.is_some() && self.no_reconnect,
                "--slate and --no-reconnect",
                "with no reconnecting the slate is never shown",
            ),
            (
                self.deadline.is_some()
                    && !matches!(self.on_slow, Some(OnSlow::Bypass))
                    && !(self.on_slow.is_none() && has_code),
                "--deadline and another --on-slow than bypass",
                "a frame past its deadline goes out unedited",
            ),
        ];
        if let Some((_, what, why)) = excluded.into_iter().find(|(is, ..)| *is) {
            return Err(Error::usage(format!("{what} can't go together")).hint(why));
        }
        if self.on_error == Some(OnError::Restart) && !has_command {
            return Err(Error::usage("--on-error=restart is for a COMMAND")
                .hint("your own code can't be started again: use bypass or stop"));
        }
        Ok(())
    }

    /// What is shown during a loss, where the input is opened again at all. A program that reads
    /// an output by a pipe waits for its end, and would take held pictures for new ones.
    pub(crate) fn on_loss(&self, to_pipe: bool) -> OnLoss {
        match (self.no_reconnect, &self.slate, self.on_loss) {
            (true, ..) => OnLoss::End,
            (_, Some(_), _) => OnLoss::Slate,
            (_, None, Some(given)) => given,
            (_, None, None) if to_pipe && self.reconnect_for.is_none() => OnLoss::End,
            (_, None, None) => OnLoss::Hold,
        }
    }

    /// What happens to frames that would wait. A deadline means bypass.
    pub(crate) fn on_slow(&self, is_live: bool) -> OnSlow {
        match (self.on_slow, self.deadline) {
            (Some(given), _) => given,
            (None, Some(_)) => OnSlow::Bypass,
            (None, None) if is_live => OnSlow::Latest,
            (None, None) => OnSlow::Block,
        }
    }

    /// What happens when the code fails.
    pub(crate) fn on_error(&self, is_live: bool, has_command: bool) -> OnError {
        match self.on_error {
            Some(given) => given,
            None if is_live && has_command => OnError::Restart,
            None if is_live => OnError::Bypass,
            None => OnError::Stop,
        }
    }

    /// The picture to show during a loss, where it is one of the user's own.
    pub(crate) fn slate(&self) -> Option<&Path> {
        self.slate.as_deref()
    }
}

fn above_zero(name: &str, value: &str) -> Result<Duration> {
    let span = parse_duration(value)?;
    if span.is_zero() {
        return Err(Error::usage(format!("--{name} must be more than 0")));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(line: &str, has_command: bool) -> Result<LiveOptions> {
        let mut options = LiveOptions::new();
        for word in line.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            options.set(name, value)?;
        }
        options.check(has_command, has_command).map(|()| options)
    }

    #[test]
    fn a_value_that_is_not_there_lists_those_that_are() {
        for (word, lists) in [
            ("on-loss=hodl", "did you mean hold? it has hold, slate, end"),
            ("on-slow=fast", "it has latest, block, bypass"),
            ("on-error=ignore", "it has bypass, stop, restart"),
            ("on-resize=", "it has fit, restart"),
            ("on-los=hold", "on-loss"),
            ("deadline=0", "more than 0"),
            ("stall-timeout=soon", "'soon' is not a time"),
        ] {
            let told = built(word, true).unwrap_err().to_string();
            assert!(told.contains(lists), "{word}: {told}");
        }
    }

    #[test]
    fn what_excludes_each_other_is_refused() {
        for line in [
            "no-reconnect on-loss=hold",
            "no-reconnect on-loss=slate",
            "no-reconnect reconnect-for=5s",
            "on-loss=end reconnect-for=5s",
            "on-loss=hold slate=card.png",
            "no-reconnect slate=card.png",
            "on-slow=latest deadline=40ms",
        ] {
            let told = built(line, true).unwrap_err().to_string();
            assert!(told.contains("can't go together"), "{line}: {told}");
        }
        assert!(built("on-error=restart", true).is_ok());
        let told = built("on-error=restart", false).unwrap_err().to_string();
        assert!(told.contains("COMMAND"), "{told}");
        assert!(built("deadline=40ms", false).is_err(), "there is no code to be late");
    }

    #[test]
    fn defaults_follow_the_input() {
        let none = LiveOptions::new();
        assert_eq!([none.on_loss(false), none.on_loss(true)], [OnLoss::Hold, OnLoss::End]);
        assert_eq!([none.on_slow(true), none.on_slow(false)], [OnSlow::Latest, OnSlow::Block]);
        assert_eq!(
            [none.on_error(true, true), none.on_error(true, false), none.on_error(false, true)],
            [OnError::Restart, OnError::Bypass, OnError::Stop]
        );
        assert_eq!(built("deadline=40ms", true).unwrap().on_slow(true), OnSlow::Bypass);
        assert_eq!(built("slate=card.png", false).unwrap().on_loss(false), OnLoss::Slate);
        assert_eq!(built("no-reconnect", false).unwrap().on_loss(false), OnLoss::End);
    }
}
