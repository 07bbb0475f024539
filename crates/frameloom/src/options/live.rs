use std::path::{Path, PathBuf};
use std::time::Duration;

use super::value::{Choice, bounded, must_be_more};
use crate::error::{Error, Hint, Result, Setting, sentence};

/// Whether an input counts as live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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

/// Which live inputs must be there when a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitForInputs {
    /// All: one that can't be opened is an error.
    #[default]
    All,
    /// The run begins without those that are missing. A card is shown in their place until they come, and
    /// silence is heard.
    Any,
}

impl WaitForInputs {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, WaitForInputs); 2] =
        &[("all", WaitForInputs::All), ("any", WaitForInputs::Any)];
}

impl Choice for WaitForInputs {
    const VALUES: &'static [(&'static str, WaitForInputs)] = WaitForInputs::VALUES;
}

/// What is shown while a live input is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum OnSlow {
    /// Only the newest waits; those before it are dropped before your code sees them.
    Latest,
    /// It waits, and with it all that comes behind it.
    Block,
    /// It goes out unedited.
    Bypass,
    /// As [`OnSlow::Bypass`], but what went out before, edited, is shown in its place; before anything
    /// did, the slate. For code without which a picture must not be seen, as one that blurs faces.
    Hold,
}

/// What happens when your code fails on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// The frame goes out unedited, and the next one is tried.
    Bypass,
    /// The outputs are finished, and the run ends with the error.
    Stop,
    /// A COMMAND is started again; until then frames go out unedited.
    Restart,
    /// What went out before, edited, is shown in the frame's place; before anything did, the slate. Other
    /// code gets the next frame; a COMMAND is started again. For code without which a picture must not be
    /// seen, as one that blurs faces. What your code is too slow for is held as well, and sound is treated
    /// as under [`OnError::Bypass`].
    Hold,
}

/// What happens to video that your code leaves as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnUntouched {
    /// It is encoded with all else.
    #[default]
    Encode,
    /// The input's packets go out as they are, until a frame is edited; from there on frames are encoded, up
    /// to a keyframe of the input before which nothing was edited for a while
    /// ([`LiveOptions::untouched_after`]). For H.264 that is not turned and that no option changes.
    Copy,
}

impl OnUntouched {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, OnUntouched); 2] =
        &[("encode", OnUntouched::Encode), ("copy", OnUntouched::Copy)];
}

impl Choice for OnUntouched {
    const VALUES: &'static [(&'static str, OnUntouched)] = OnUntouched::VALUES;
}

/// What happens to frames whose size is not the first one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnResize {
    /// They are scaled to the first one's size, with black bars where the shape differs.
    #[default]
    Fit,
    /// The encoder starts anew at their size.
    Restart,
}

impl Live {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, Live); 3] =
        &[("auto", Live::Auto), ("yes", Live::Yes), ("no", Live::No)];
}

impl Choice for Live {
    const VALUES: &'static [(&'static str, Live)] = Live::VALUES;
}

impl OnLoss {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, OnLoss); 3] =
        &[("hold", OnLoss::Hold), ("slate", OnLoss::Slate), ("end", OnLoss::End)];
}

impl Choice for OnLoss {
    const VALUES: &'static [(&'static str, OnLoss)] = OnLoss::VALUES;
}

impl OnSlow {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, OnSlow); 4] = &[
        ("latest", OnSlow::Latest),
        ("block", OnSlow::Block),
        ("bypass", OnSlow::Bypass),
        ("hold", OnSlow::Hold),
    ];
}

impl Choice for OnSlow {
    const VALUES: &'static [(&'static str, OnSlow)] = OnSlow::VALUES;
}

impl OnError {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, OnError); 4] = &[
        ("bypass", OnError::Bypass),
        ("stop", OnError::Stop),
        ("restart", OnError::Restart),
        ("hold", OnError::Hold),
    ];
}

impl Choice for OnError {
    const VALUES: &'static [(&'static str, OnError)] = OnError::VALUES;
}

impl OnResize {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, OnResize); 2] =
        &[("fit", OnResize::Fit), ("restart", OnResize::Restart)];
}

impl Choice for OnResize {
    const VALUES: &'static [(&'static str, OnResize)] = OnResize::VALUES;
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
    pub(crate) on_untouched: OnUntouched,
    pub(crate) untouched_after: Option<Duration>,
    pub(crate) reconnect_for: Option<Duration>,
    pub(crate) no_reconnect: bool,
    pub(crate) stall_timeout: Option<Duration>,
}

impl LiveOptions {
    /// The defaults.
    pub fn new() -> LiveOptions {
        LiveOptions::default()
    }

    /// What the outputs show while a live input is lost; [`OnLoss::Hold`] by default, and
    /// [`OnLoss::End`] where an output is a pipe.
    #[must_use]
    pub fn on_loss(mut self, policy: OnLoss) -> LiveOptions {
        self.on_loss = Some(policy);
        self
    }

    /// The picture to show while the input is lost; means [`OnLoss::Slate`]. By default that shows
    /// a card that says "no signal".
    #[must_use]
    pub fn slate(mut self, image: impl Into<PathBuf>) -> LiveOptions {
        self.slate = Some(image.into());
        self
    }

    /// What happens to a frame that your code is too slow for; by default [`OnSlow::Latest`] for a
    /// live input and [`OnSlow::Block`] for a file.
    #[must_use]
    pub fn on_slow(mut self, policy: OnSlow) -> LiveOptions {
        self.on_slow = Some(policy);
        self
    }

    /// How long your code may have a frame before it goes out unedited, above 0; means
    /// [`OnSlow::Bypass`]. None by default.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> LiveOptions {
        self.deadline = Some(bounded(limit));
        self
    }

    /// What happens when your code fails; by default [`OnError::Restart`] for a COMMAND on live
    /// input, [`OnError::Bypass`] for other code on it, and [`OnError::Stop`] for a file.
    #[must_use]
    pub fn on_error(mut self, policy: OnError) -> LiveOptions {
        self.on_error = Some(policy);
        self
    }

    /// What happens to frames of another size than the first; [`OnResize::Fit`] by default.
    #[must_use]
    pub fn on_resize(mut self, policy: OnResize) -> LiveOptions {
        self.on_resize = policy;
        self
    }

    /// What happens to video that your code leaves as it is; [`OnUntouched::Encode`] by default.
    #[must_use]
    pub fn on_untouched(mut self, policy: OnUntouched) -> LiveOptions {
        self.on_untouched = policy;
        self
    }

    /// How long nothing must have been edited before the input's packets are copied again; 1 s by default.
    #[must_use]
    pub fn untouched_after(mut self, span: Duration) -> LiveOptions {
        self.untouched_after = Some(bounded(span));
        self
    }

    /// How long a lost end is tried again; for ever by default.
    #[must_use]
    pub fn reconnect_for(mut self, limit: Duration) -> LiveOptions {
        self.reconnect_for = Some(bounded(limit));
        self
    }

    /// Whether the run ends when a live input ends or is lost, or a live output is lost.
    #[must_use]
    pub fn no_reconnect(mut self, yes: bool) -> LiveOptions {
        self.no_reconnect = yes;
        self
    }

    /// How long a live input may be silent before it counts as lost, above 0; 5 s by default.
    #[must_use]
    pub fn stall_timeout(mut self, limit: Duration) -> LiveOptions {
        self.stall_timeout = Some(bounded(limit));
        self
    }

    /// Refuses what has no effect on an input that is not live.
    pub(crate) fn check_input(&self, is_live: bool) -> Result<()> {
        let given = [
            ("on-loss", self.on_loss.is_some()),
            ("slate", self.slate.is_some()),
            ("stall-timeout", self.stall_timeout.is_some()),
        ];
        match given.iter().find(|(_, is_given)| !is_live && *is_given) {
            Some((name, _)) => {
                let cause =
                    sentence!("{} means nothing to an input that is not live", Setting::own(*name));
                Err(Error::usage(cause).about(Setting::own(*name)).hint(Hint::MakeItLive))
            }
            None => Ok(()),
        }
    }

    /// Refuses what excludes each other, and a slate that isn't there.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage), and what the file system says of the slate.
    pub fn check(&self, has_command: bool, has_code: bool) -> Result<()> {
        let ends = self.no_reconnect || self.on_loss == Some(OnLoss::End);
        let own = |name| Setting::own(name);
        let excluded = [
            (
                self.no_reconnect && matches!(self.on_loss, Some(OnLoss::Hold | OnLoss::Slate)),
                sentence!(
                    "{} and {} or slate can't go together",
                    own("no-reconnect"),
                    own("on-loss").to("hold")
                ),
                Hint::NothingToWaitFor,
            ),
            (
                ends && self.reconnect_for.is_some(),
                sentence!(
                    "{} and {} or {} can't go together",
                    own("reconnect-for"),
                    own("no-reconnect"),
                    own("on-loss").to("end")
                ),
                Hint::EndsAtFirstLoss,
            ),
            (
                self.slate.is_some() && !matches!(self.on_loss, None | Some(OnLoss::Slate)),
                sentence!(
                    "{} can't go together with a value of {} other than slate",
                    own("slate"),
                    own("on-loss")
                ),
                Hint::SlateIsForItsPolicy,
            ),
            (
                self.slate.is_some() && self.no_reconnect,
                sentence!("{} and {} can't go together", own("slate"), own("no-reconnect")),
                Hint::SlateIsNeverShown,
            ),
            (
                self.deadline.is_some()
                    && !matches!(self.on_slow, Some(OnSlow::Bypass | OnSlow::Hold))
                    && !(self.on_slow.is_none() && has_code),
                sentence!(
                    "{} can't go together with a value of {} other than bypass or hold",
                    own("deadline"),
                    own("on-slow")
                ),
                Hint::DeadlineBypasses,
            ),
        ];
        if let Some((_, cause, why)) = excluded.into_iter().find(|(is, ..)| *is) {
            return Err(Error::usage(cause).hint(why));
        }
        for (name, limit) in [("deadline", self.deadline), ("stall-timeout", self.stall_timeout)] {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(must_be_more(&own(name)));
            }
        }
        if self.on_error == Some(OnError::Restart) && !has_command {
            let restart = own("on-error").to("restart");
            return Err(
                Error::usage(sentence!("{} is for a COMMAND", restart)).hint(Hint::BypassOrStop)
            );
        }
        Ok(())
    }

    /// What is shown during a loss, where the input is opened again at all. A program that reads
    /// an output by a pipe waits for its end, and would take held pictures for new ones.
    pub(crate) fn loss_policy(&self, to_pipe: bool) -> OnLoss {
        match (self.no_reconnect, &self.slate, self.on_loss) {
            (true, ..) => OnLoss::End,
            (_, Some(_), _) => OnLoss::Slate,
            (_, None, Some(given)) => given,
            (_, None, None) if to_pipe && self.reconnect_for.is_none() => OnLoss::End,
            (_, None, None) => OnLoss::Hold,
        }
    }

    /// Sets [`OnError::Hold`] unless another policy was asked for, so that no picture goes out unedited: for
    /// code that hides what must not be seen.
    pub(crate) fn hold_by_default(&mut self) {
        self.on_error.get_or_insert(OnError::Hold);
    }

    /// Whether what would go out unedited is not shown.
    pub(crate) fn holds_unedited(&self) -> bool {
        self.on_slow == Some(OnSlow::Hold) || self.on_error == Some(OnError::Hold)
    }

    /// What becomes of frames that a COMMAND doesn't give back, in the words of `FRAMELOOM_UNEDITED`. A
    /// program that hides something can't do that on frames which it never gets, so it has to know.
    pub(crate) fn unedited(&self, is_live: bool) -> &'static str {
        if self.holds_unedited() {
            return "held";
        }
        let ends = self.error_policy(is_live, true) == OnError::Stop;
        match (ends && self.slow_policy(is_live) != OnSlow::Bypass, self.on_error) {
            (true, _) => "none",
            (false, None) if is_live => "shown-by-default",
            (false, _) => "shown",
        }
    }

    /// What happens to frames that would wait. A deadline means bypass.
    pub(crate) fn slow_policy(&self, is_live: bool) -> OnSlow {
        match (self.on_slow, self.deadline) {
            // What passes is not shown: see `holds_unedited`.
            (Some(OnSlow::Hold), _) => OnSlow::Bypass,
            (Some(given), _) => given,
            (None, Some(_)) => OnSlow::Bypass,
            (None, None) if is_live => OnSlow::Latest,
            (None, None) => OnSlow::Block,
        }
    }

    /// Whether a run with these settings ends where code of your own, which is no COMMAND, fails.
    pub fn stops_at_error(&self, is_live: bool) -> bool {
        self.error_policy(is_live, false) == OnError::Stop
    }

    /// What happens when the code fails.
    pub(crate) fn error_policy(&self, is_live: bool, has_command: bool) -> OnError {
        match self.on_error {
            // What passes is not shown: see `holds_unedited`.
            Some(OnError::Hold) if has_command => OnError::Restart,
            Some(OnError::Hold) => OnError::Bypass,
            Some(given) => given,
            None if is_live && has_command => OnError::Restart,
            None if is_live => OnError::Bypass,
            None => OnError::Stop,
        }
    }

    /// How long nothing must have been edited before packets of the input are copied again; `None` where all
    /// is encoded.
    pub(crate) fn copies_after(&self) -> Option<Duration> {
        let after = self.untouched_after.unwrap_or(Duration::from_secs(1));
        (self.on_untouched == OnUntouched::Copy).then_some(after)
    }

    /// The picture to show during a loss, where it is one of the user's own.
    pub(crate) fn slate_path(&self) -> Option<&Path> {
        self.slate.as_deref()
    }
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
            ("on-loss=hodl", "did you mean hold? it takes hold, slate or end"),
            ("on-slow=fast", "it takes latest, block, bypass or hold"),
            ("on-error=ignore", "it takes bypass, stop, restart or hold"),
            ("on-resize=", "it takes fit or restart"),
            ("on-los=hold", "on-loss"),
            ("deadline=0", "more than 0"),
            ("stall-timeout=soon", "'soon' is not a time"),
        ] {
            let message = built(word, true).unwrap_err().to_string();
            assert!(message.contains(lists), "{word}: {message}");
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
            let message = built(line, true).unwrap_err().to_string();
            assert!(message.contains("can't go together"), "{line}: {message}");
        }
        assert!(built("on-error=restart", true).is_ok());
        let message = built("on-error=restart", false).unwrap_err().to_string();
        assert!(message.contains("COMMAND"), "{message}");
        assert!(built("deadline=40ms", false).is_err(), "there is no code to be late");
    }

    #[test]
    fn defaults_follow_the_input() {
        let none = LiveOptions::new();
        assert_eq!([none.loss_policy(false), none.loss_policy(true)], [OnLoss::Hold, OnLoss::End]);
        assert_eq!(
            [none.slow_policy(true), none.slow_policy(false)],
            [OnSlow::Latest, OnSlow::Block]
        );
        assert_eq!(
            [
                none.error_policy(true, true),
                none.error_policy(true, false),
                none.error_policy(false, true)
            ],
            [OnError::Restart, OnError::Bypass, OnError::Stop]
        );
        assert_eq!(built("deadline=40ms", true).unwrap().slow_policy(true), OnSlow::Bypass);
        assert_eq!(built("slate=card.png", false).unwrap().loss_policy(false), OnLoss::Slate);
        assert_eq!(built("no-reconnect", false).unwrap().loss_policy(false), OnLoss::End);
    }

    #[test]
    fn a_command_learns_what_becomes_of_frames_that_it_does_not_give_back() {
        for (line, live, stored) in [
            ("", "shown-by-default", "none"),
            ("deadline=40ms", "shown-by-default", "shown"),
            ("on-slow=bypass", "shown-by-default", "shown"),
            ("on-slow=hold", "held", "held"),
            ("on-error=hold", "held", "held"),
            ("on-error=hold deadline=40ms", "held", "held"),
            ("on-error=restart", "shown", "shown"),
            ("on-error=bypass", "shown", "shown"),
            ("on-error=stop", "none", "none"),
            ("on-error=stop on-slow=bypass", "shown", "shown"),
        ] {
            let options = built(line, true).unwrap();
            assert_eq!([options.unedited(true), options.unedited(false)], [live, stored], "{line}");
        }
    }
}
