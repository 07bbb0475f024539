//! Inputs that are read one after the other, as one: each begins where the one before it ends.

use super::Source;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::{InputOptions, JoinedInput};
use crate::protocol::environment::Environment;
use crate::time::stop::Stop;
use crate::time::{Rate, Timestamp};
use crate::url;

impl Source {
    /// Reads other inputs behind this one. It opens each once now and closes it again, so that an input that
    /// can't be read is an error before anything begins.
    ///
    /// # Errors
    /// Those of opening; where one is live, can't be opened twice, or has no video though the first does.
    pub(super) fn join(
        &mut self,
        following: Vec<(String, InputOptions)>,
        environment: &Environment,
        stop: &Stop,
    ) -> Result<()> {
        if following.is_empty() {
            return Ok(());
        }
        check_stored(self)?;
        let sound = self.audio().map(|audio| {
            let (rate, layout) = (audio.params.sample_rate(), audio.params.channel_layout());
            (rate, layout)
        });
        let joined = JoinedInput { sound };
        let rate = self.frame_rate();
        let mut length = Some(Timestamp::ZERO);
        for (url, options) in following {
            let options = InputOptions {
                joined: Some(joined.clone()),
                no_audio: options.no_audio || joined.sound.is_none(),
                no_subtitles: true,
                no_data: true,
                following: Vec::new(),
                ..options
            };
            let source = Source::open(&url, options.clone(), environment, stop)?;
            check_stored(&source)?;
            if source.video().is_none() && self.video().is_some() {
                let cause = "there is no video in it, and there is in the one before it";
                return Err(Error::new(ErrorKind::InvalidData, Stage::Source, cause).at(&url));
            }
            self.following.rates_differ |= source.frame_rate() != rate;
            length = length.zip(source.duration()).map(|(sum, own)| sum.plus(own));
            self.following.waiting.push_back((url, options));
        }
        self.following.length = length;
        self.options.joined = Some(joined);
        // What goes beside pictures and sound belongs to one of them alone.
        (self.options.no_subtitles, self.options.no_data) = (true, true);
        Ok(())
    }

    fn frame_rate(&self) -> Option<Rate> {
        self.video().and_then(|video| video.frame_rate)
    }

    /// How long all that follows is; `None` where that isn't known.
    pub(super) fn following_length(&self) -> Option<Timestamp> {
        match self.following.waiting.is_empty() {
            true => Some(Timestamp::ZERO),
            false => self.following.length,
        }
    }

    /// The frame rate that what follows is to be brought to, where it is another.
    pub(crate) fn joined_rate(&self) -> Option<Rate> {
        self.frame_rate().filter(|_| self.following.rates_differ)
    }

    /// Opens the next one, which begins at `at` on the pipeline's clock; `None` where there is none.
    ///
    /// # Errors
    /// Those of opening.
    pub(crate) fn open_next(
        &mut self,
        at: Timestamp,
        environment: &Environment,
        stop: &Stop,
    ) -> Result<Option<Source>> {
        let Some((url, options)) = self.following.waiting.pop_front() else { return Ok(None) };
        let options = InputOptions { offset: at, ..options };
        let mut next = Source::open(&url, options, environment, stop)?;
        next.streams = std::mem::take(&mut next.streams).following(&self.streams)?;
        next.following = std::mem::take(&mut self.following);
        Ok(Some(next))
    }

    /// Where what was read of it ends on the pipeline's clock.
    pub(crate) fn end_of_read(&self) -> Timestamp {
        let stated = self.end().filter(|_| self.clock.ends_open && self.input.has_exact_duration());
        let end = self.clock.end;
        let end = match stated {
            Some(stated) => stated.max(end),
            // The last picture is shown as long as the others.
            None if self.clock.ends_open => {
                let rate = self.frame_rate();
                end.plus(rate.map_or(Timestamp::ZERO, |rate| rate.time_base().at(1)))
            }
            None => end,
        };
        let end = self.clock.limit.map_or(end, |limit| end.min(limit));
        self.clock.looped.plus(end).plus(self.options.offset)
    }
}

/// Refuses what can't be one of several that follow each other.
fn check_stored(source: &Source) -> Result<()> {
    let cause = match source {
        _ if source.is_live => "it is live, and has no end that something could follow",
        _ if url::is_pipe(&source.url) => "it comes through a pipe, which can be opened only once",
        _ => return Ok(()),
    };
    Err(Error::usage(cause).at(&source.url))
}
