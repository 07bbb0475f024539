//! How an input or an output is opened: where it is, its settings, and what ends the wait for it.

use std::marker::PhantomData;

use crate::options::{InputOptions, LiveOptions, OutputOptions};
use crate::stats::event::Events;
use crate::time::stop::Stop;
use crate::time::{Rate, Timestamp};

/// How what reads an input is opened: a [`Pipeline`](crate::Pipeline) or a
/// [`Reader`](crate::Reader).
#[must_use = "nothing is opened before `open`"]
pub struct InputBuilder<T> {
    pub(super) url: String,
    pub(super) options: InputOptions,
    /// Inputs beside it.
    pub(super) more: Vec<(String, InputOptions)>,
    /// Inputs behind it.
    pub(super) following: Vec<(String, InputOptions)>,
    pub(super) stop: Stop,
    opened: PhantomData<fn() -> T>,
}

impl<T> InputBuilder<T> {
    pub(super) fn new(url: &str) -> InputBuilder<T> {
        let (url, options) = (url.to_owned(), InputOptions::new());
        let (more, following, stop) = (Vec::new(), Vec::new(), Stop::new());
        InputBuilder { url, options, more, following, stop, opened: PhantomData }
    }

    /// Its settings. By default they are FFmpeg's.
    pub fn input(mut self, options: InputOptions) -> InputBuilder<T> {
        self.options = options;
        self
    }

    /// Begins at `at`, on the clock that the frames would have had then. By default it begins at
    /// the input's start. Comes after [`InputBuilder::input`].
    pub fn start_at(mut self, at: Timestamp) -> InputBuilder<T> {
        self.options = self.options.beginning_at(at);
        self
    }

    /// Makes `stop` end the wait for it, and later the run.
    pub fn stop(mut self, stop: &Stop) -> InputBuilder<T> {
        self.stop = stop.clone();
        self
    }
}

/// How what writes frames of your own is opened: a [`Writer`](crate::Writer) or a
/// [`Feed`](crate::Feed).
#[must_use = "nothing is opened before `open`"]
pub struct OutputBuilder<T> {
    pub(super) url: String,
    pub(super) options: OutputOptions,
    pub(super) rate: Option<Rate>,
    /// Samples a second, and the channels' layout, of sound beside the frames.
    pub(super) audio: Option<(u32, String)>,
    pub(super) live: LiveOptions,
    pub(super) events: Events,
    pub(super) stop: Stop,
    opened: PhantomData<fn() -> T>,
}

impl<T> OutputBuilder<T> {
    pub(super) fn new(url: &str) -> OutputBuilder<T> {
        OutputBuilder {
            url: url.to_owned(),
            options: OutputOptions::new(),
            rate: None,
            audio: None,
            live: LiveOptions::new(),
            events: Events::default(),
            stop: Stop::new(),
            opened: PhantomData,
        }
    }

    /// Its settings. By default the format follows from the name, and the encoder from the format.
    pub fn output(mut self, options: OutputOptions) -> OutputBuilder<T> {
        self.options = options;
        self
    }

    /// The frame rate to state in it. The frames' own timestamps decide when each is shown.
    pub fn rate(mut self, rate: Rate) -> OutputBuilder<T> {
        self.rate = Some(rate);
        self
    }

    /// Makes `stop` end every wait for the other end.
    pub fn stop(mut self, stop: &Stop) -> OutputBuilder<T> {
        self.stop = stop.clone();
        self
    }
}
