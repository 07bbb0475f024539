//! What is known of an input's streams, for outputs that are planned from it.

use crate::av::{MediaKind, StreamInfo};
use crate::codec::configuration::StreamConfiguration;
use crate::error::{Result, Stage};
use crate::input::Source;
use crate::options::InputOptions;

/// What is known of an input's streams.
pub(super) struct KnownStreams {
    pub(super) video: Option<StreamInfo>,
    pub(super) audio: Option<StreamInfo>,
    pub(super) options: InputOptions,
    pub(super) is_live: bool,
}

impl KnownStreams {
    pub(super) fn of(source: &Source) -> Result<KnownStreams> {
        let known = KnownStreams {
            video: None,
            audio: None,
            options: source.options.clone(),
            is_live: source.is_live,
        };
        known.with(source.video.as_ref(), source.audio.as_ref())
    }

    /// Something else holds for the packets of a stream that come.
    pub(super) fn configure(&mut self, to: &StreamConfiguration) -> Result<()> {
        let stream = match to.params.kind() {
            MediaKind::Video => &mut self.video,
            _ => &mut self.audio,
        };
        if let Some(stream) = stream {
            stream.params = to.params.share().map_err(|e| e.in_stage(Stage::Source))?;
        }
        Ok(())
    }

    /// Another one that says the same.
    pub(super) fn share(&self) -> Result<KnownStreams> {
        let known = KnownStreams {
            video: None,
            audio: None,
            options: self.options.clone(),
            is_live: self.is_live,
        };
        known.with(self.video.as_ref(), self.audio.as_ref())
    }

    fn with(self, video: Option<&StreamInfo>, audio: Option<&StreamInfo>) -> Result<KnownStreams> {
        let share = |stream: Option<&StreamInfo>| {
            stream.map(StreamInfo::share).transpose().map_err(|e| e.in_stage(Stage::Source))
        };
        Ok(KnownStreams { video: share(video)?, audio: share(audio)?, ..self })
    }
}
