//! Files, devices and protocols that libav reads and writes.

pub(crate) mod input;
pub(crate) mod output;
mod seek;
