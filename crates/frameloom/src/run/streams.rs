//! What is known of an input's streams, for outputs that are planned from it.

use std::sync::Arc;

use crate::av::metadata::ContainerMetadata;
use crate::codec::configuration::StreamConfiguration;
use crate::error::{Result, Stage};
use crate::input::Source;
use crate::input::streams::InputStreams;
use crate::options::InputOptions;
use crate::run::planned::PlannedInput;
use crate::time::Timestamp;

/// What is known of an input's streams.
pub(super) struct KnownStreams {
    pub(super) streams: InputStreams,
    pub(super) options: InputOptions,
    pub(super) metadata: Arc<ContainerMetadata>,
    pub(super) is_live: bool,
    is_stand_in: bool,
}

impl KnownStreams {
    pub(super) fn of(source: &Source) -> Result<KnownStreams> {
        Ok(KnownStreams {
            streams: source.streams.share()?,
            options: source.options.clone(),
            metadata: Arc::new(source.metadata().clone()),
            is_live: source.is_live,
            is_stand_in: source.is_stand_in(),
        })
    }

    /// Something else holds for the packets of the stream of this number that come.
    pub(super) fn configure(&mut self, number: usize, to: &StreamConfiguration) -> Result<()> {
        if let Some(stream) = self.streams.get_mut(number) {
            stream.params = to.params.share().map_err(|e| e.in_stage(Stage::Source))?;
        }
        Ok(())
    }

    /// Another one that says the same.
    pub(super) fn share(&self) -> Result<KnownStreams> {
        Ok(KnownStreams {
            streams: self.streams.share()?,
            options: self.options.clone(),
            metadata: Arc::clone(&self.metadata),
            is_live: self.is_live,
            is_stand_in: self.is_stand_in,
        })
    }

    /// As an output is planned by it that begins while it is read.
    pub(super) fn planned(&self) -> PlannedInput<'_> {
        PlannedInput {
            streams: &self.streams,
            options: &self.options,
            metadata: &self.metadata,
            // It begins in the middle, where no chapter is known.
            zero: Timestamp::ZERO,
            begins_with_key: true,
            has_begun: true,
            is_live: self.is_live,
            is_stand_in: self.is_stand_in,
        }
    }
}
