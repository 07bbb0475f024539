//! What pipelines and models have in common: a process of the server, watched, and started again
//! when it ends.

pub(crate) mod cause;
pub(crate) mod child;
pub(crate) mod context;
pub(crate) mod leaving;
mod lines;
pub(crate) mod log;
pub(crate) mod state;
pub(crate) mod usage;
pub(crate) mod watch;
