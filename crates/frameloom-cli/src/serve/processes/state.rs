//! How a pipeline or a model gets on, in a word.

use serde::Serialize;

/// How a pipeline or a model gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProcessState {
    /// It is not to run, or has done all it had to do.
    Stopped,
    /// Its process is there, and opens its input or loads its model.
    Starting,
    /// It has told of its first packets, or takes clients.
    Running,
    /// Nobody plays the pipeline's outputs.
    Waiting,
    /// It ended, and is started again in a moment.
    Restarting,
    /// It can't be run as it is.
    Failed,
}

impl ProcessState {
    /// Every state.
    pub(crate) const ALL: [ProcessState; 6] = [
        ProcessState::Stopped,
        ProcessState::Starting,
        ProcessState::Running,
        ProcessState::Waiting,
        ProcessState::Restarting,
        ProcessState::Failed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            ProcessState::Stopped => "stopped",
            ProcessState::Starting => "starting",
            ProcessState::Running => "running",
            ProcessState::Waiting => "waiting",
            ProcessState::Restarting => "restarting",
            ProcessState::Failed => "failed",
        }
    }
}
