//! How a pipeline gets on, in a word.

use serde::Serialize;

/// How a pipeline gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PipelineState {
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

impl PipelineState {
    /// Every state.
    pub(crate) const ALL: [PipelineState; 6] = [
        PipelineState::Stopped,
        PipelineState::Starting,
        PipelineState::Running,
        PipelineState::Waiting,
        PipelineState::Restarting,
        PipelineState::Failed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            PipelineState::Stopped => "stopped",
            PipelineState::Starting => "starting",
            PipelineState::Running => "running",
            PipelineState::Waiting => "waiting",
            PipelineState::Restarting => "restarting",
            PipelineState::Failed => "failed",
        }
    }
}
