//! How a pipeline gets on, in a word.

use serde::Serialize;

/// How a pipeline gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It is not to run, or has done all it had to do.
    Stopped,
    /// Its process is there, and opens its input.
    Starting,
    /// It has told of its first packets.
    Running,
    /// Nobody plays its outputs.
    Waiting,
    /// It ended, and is started again in a moment.
    Restarting,
    /// It can't be run as it is.
    Failed,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [State; 6] = [
        State::Stopped,
        State::Starting,
        State::Running,
        State::Waiting,
        State::Restarting,
        State::Failed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Running => "running",
            State::Waiting => "waiting",
            State::Restarting => "restarting",
            State::Failed => "failed",
        }
    }
}
