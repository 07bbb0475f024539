//! Outputs that come and go while a pipeline runs.

use crate::api::pending::Pending;
use crate::error::Result;
use crate::options::OutputOptions;
use crate::run::control::Outputs;
use crate::run::outputs::NewOutput;

/// An output of a pipeline. Its number counts from 0, in the order in which outputs were added;
/// the number of one that was removed is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutputId(usize);

impl OutputId {
    /// The number, as [`Frames::write_to`](crate::Frames::write_to),
    /// [`Snapshot::outputs`](crate::Snapshot::outputs) and events count.
    pub fn number(self) -> usize {
        self.0
    }
}

impl From<usize> for OutputId {
    fn from(number: usize) -> OutputId {
        OutputId(number)
    }
}

/// Adds outputs to a pipeline and removes them, before it runs and while it does, from any thread:
/// a recording that somebody switches on and off, one more server to publish to.
///
/// ```no_run
/// use frameloom::{Pipeline, options::OutputOptions};
///
/// # fn main() -> frameloom::Result<()> {
/// let pipeline = Pipeline::from_url("rtmp://localhost/live/camera")?;
/// let pipeline = pipeline.to_url("rtmp://localhost/live/edited")?;
/// let control = pipeline.control();
/// let run = std::thread::spawn(move || pipeline.run());
/// let recording = control.add_output("record.mkv", OutputOptions::new())?;
/// // ... and when there is enough of it:
/// control.remove_output(recording)?;
/// # drop(run);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Control(pub(super) Outputs);

impl Control {
    /// Adds an output. Files and connections are opened in the calling thread, for at most
    /// [`OutputOptions::open_timeout`]; a file comes into being with its first packet.
    ///
    /// Where the pipeline runs, the output begins with the video's next keyframe where that is
    /// copied, and with the next frame, by an encoder of its own, where it is encoded. Its sound
    /// begins there too, and that is its time 0: `-t` counts from there. The other outputs are not
    /// changed by it. With [`OutputOptions::preroll`] it begins with packets from before:
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use frameloom::{Pipeline, options::{InputOptions, OutputOptions}};
    ///
    /// # fn main() -> frameloom::Result<()> {
    /// let kept = InputOptions::new().preroll(Duration::from_secs(10));
    /// let pipeline = Pipeline::builder("rtmp://localhost/live/camera").input(kept).open()?;
    /// let control = pipeline.control();
    /// for frame in pipeline.frames()? {
    ///     // ... where something is seen in it:
    ///     let before = OutputOptions::new().preroll(Duration::from_secs(5));
    ///     let event = control.add_output("event.mp4", before)?;
    ///     // ... and when it is over:
    ///     control.remove_output(event)?;
    /// #   drop(frame);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Pipeline::to_url_with`](crate::Pipeline::to_url_with) and what opening it says; where
    /// `-ss` is among the options of an output of a pipeline that runs; where the pipeline has
    /// ended. The pipeline then goes on as if nothing had been asked of it.
    pub fn add_output(&self, url: &str, options: OutputOptions) -> Result<OutputId> {
        self.0.add(NewOutput::new(url, options)?).map(OutputId)
    }

    /// As [`Control::add_output`], on a thread of its own. Dropped, it goes on, and the output is added.
    ///
    /// # Errors
    /// Where the system gives no thread; all else is told by [`Pending::wait`].
    pub fn add_output_pending(
        &self,
        url: &str,
        options: OutputOptions,
    ) -> Result<Pending<OutputId>> {
        let (control, url) = (self.clone(), url.to_owned());
        Pending::start(move || control.add_output(&url, options))
    }

    /// Removes an output and finishes it, while the others go on. It ends with the last frame that
    /// was sent to its encoder, or packet that was read. What is given tells when it is finished,
    /// and with what error if there is one; nobody has to wait for that. One that has ended by itself is finished
    /// already.
    ///
    /// # Errors
    /// Where there is no such output, or it was removed before; where it is the last of a pipeline without code,
    /// for which nothing would be left to do; where the pipeline has ended.
    pub fn remove_output(&self, output: OutputId) -> Result<Pending<()>> {
        Ok(Pending::of(self.0.remove(output.0, false)?))
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}
