//! The protocol against what other programs write, what attackers write, and its own other half.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod amf0;
mod chunk;
mod control;
mod flv;
mod peer;
mod programs;
mod sessions;
