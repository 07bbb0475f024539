//! An output that is opened before the pipeline runs: whoever names it hears at once of a server
//! that isn't there.

use crate::av::MediaKind;
use crate::error::Result;
use crate::options::OutputOptions;
use crate::output::Sink;
use crate::protocol::Target;
use crate::run::Pipeline;
use crate::run::pending::Pending;
use crate::run::plan::plan;
use crate::run::writing::Again;

/// An output of a pipeline that doesn't run yet. Dropped, it is given up.
pub struct Outgoing {
    pub(super) target: Target,
    pub(super) options: OutputOptions,
    pub(super) open: Option<OpenSink>,
}

/// A sink, and the kinds of the streams that it was opened for.
pub(super) struct OpenSink {
    pub(super) kinds: Vec<MediaKind>,
    pub(super) sink: Sink,
}

impl Outgoing {
    /// Checked, but not opened.
    pub(super) fn new(url: &str, options: OutputOptions) -> Result<Outgoing> {
        options.check()?;
        let target = Target::resolve(url, &options)?;
        target.check_writable(options.overwrite)?;
        Ok(Outgoing { target, options, open: None })
    }
}

impl Pipeline {
    /// Opens an output for edited frames on a thread of its own: a server is connected to. It is
    /// added by [`Pipeline::to`]. One whose streams aren't known yet, because no video has come, is
    /// opened when the pipeline starts.
    ///
    /// # Errors
    /// Where options contradict each other, the file may not be written, or the system gives no
    /// thread; what the server says is told by [`Pending::wait`].
    pub fn outgoing_pending(&self, url: &str, options: OutputOptions) -> Result<Pending<Outgoing>> {
        let mut outgoing = Outgoing::new(url, options)?;
        let (video, audio) = (self.source.video.as_ref(), self.source.audio.as_ref());
        let again = match video {
            None => None,
            Some(video) => {
                let (target, options) = (outgoing.target.clone(), outgoing.options.clone());
                let plan = plan(Some(video), audio, target, options, true)?;
                Some(Again::new(&plan, &self.stats, &self.live))
            }
        };
        let (outside, stop) = (self.outside.clone(), self.stop.clone());
        Pending::start(move || {
            if let Some(again) = again {
                let sink = again.open(&outside, &stop)?;
                outgoing.open = Some(OpenSink { kinds: again.kinds, sink });
            }
            Ok(outgoing)
        })
    }

    /// Adds an output that was opened for this pipeline.
    #[must_use]
    pub fn to(mut self, output: Outgoing) -> Pipeline {
        self.outputs.push(output);
        self
    }
}
