//! The whole: threads and queues between the stages.
//!
//! What runs is first plain data: [`plan`] decides what becomes of each stream in each output,
//! [`graph`] lays out the nodes and queues that this takes, and [`spawn`] gives each node its
//! thread. One thread reads, one decodes, one stands at the gate before your code, one (two for a
//! command) runs it, one encodes for each distinct encoding, one writes for each output. Every
//! queue between them is bounded, so the slowest stage sets the pace; whoever is done drops its end
//! of the queue, and that is how the others learn of it.

mod arrival;
mod audio_code;
mod audio_command;
pub(crate) mod audio_messages;
mod change;
pub(crate) mod code;
pub(crate) mod code_messages;
mod command;
pub(crate) mod control;
mod delivery;
mod encoder_options;
mod filtering;
pub(crate) mod filters;
mod gating;
pub(crate) mod graph;
mod joining;
mod lane;
mod late;
pub(crate) mod metadata;
mod open;
pub(crate) mod outputs;
pub(crate) mod plan;
pub(crate) mod plan_writer;
pub(crate) mod planned;
mod positions;
mod reading;
pub(crate) mod registry;
pub(crate) mod selection;
pub(crate) mod sound;
mod spawn;
mod spawn_caller;
pub(crate) mod stages;
mod start;
mod streams;
pub(crate) mod threads;
mod untouched;
pub(crate) mod writing;

pub(crate) use spawn_caller::CallerEnds;
pub(crate) use start::{FeedSetup, Setup, Started};
