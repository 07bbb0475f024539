//! The protocol against what other programs write, what attackers write, and its own other half.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod amf0;
mod amf3;
mod chunk;
mod client;
mod commands;
mod control;
mod corpus;
mod far_end;
mod flv;
mod oxideav;
mod peer;
mod programs;
mod properties;
mod script;
mod sessions;
