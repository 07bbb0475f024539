//! Frames of your own into a file or a publish, without a thread.

use crate::av::MediaKind;
use crate::codec::configuration::StreamMessage;
use crate::codec::encode::VideoEncoder;
use crate::error::Result;
use crate::image::Frame;
use crate::options::OutputOptions;
use crate::output::{Sink, nothing_written};
use crate::protocol::Target;
use crate::protocol::ends::Outside;
use crate::run::plan::plan_writer;
use crate::stats::Stats;
use crate::time::Rate;
use crate::time::stop::Stop;

/// Encodes frames and writes them to one output.
///
/// ```no_run
/// use frameloom::{Frame, Image, PixelFormat, TimeBase, Writer, options::OutputOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut writer = Writer::create("out.mp4", &OutputOptions::new(), None)?;
/// let pixels = vec![0u8; 960 * 540 * 3];
/// let ticks = TimeBase::new(1, 24).ok_or("no time base")?;
/// for n in 0..48 {
///     let image = Image::packed(PixelFormat::Rgb24, 960, 540, &pixels)?;
///     writer.write(Frame::from_image(&image, ticks.at(n))?)?;
/// }
/// writer.finish()?;
/// # Ok(())
/// # }
/// ```
pub struct Writer {
    encoder: VideoEncoder,
    sink: Sink,
}

impl Writer {
    /// Opens an output. `rate` is the frame rate to state in it, where it is known; the frames'
    /// own timestamps decide when each is shown.
    ///
    /// # Errors
    /// Where the name doesn't tell the format, or the output can't be opened.
    pub fn create(url: &str, options: &OutputOptions, rate: Option<Rate>) -> Result<Writer> {
        Writer::create_with(url, options, rate, &Stop::new())
    }

    /// As [`Writer::create`]; `stop` ends every wait for the other end.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub fn create_with(
        url: &str,
        options: &OutputOptions,
        rate: Option<Rate>,
        stop: &Stop,
    ) -> Result<Writer> {
        options.check()?;
        let target = Target::resolve(url, options)?;
        let plan = plan_writer(&target, options)?;
        let encoder = VideoEncoder::new(plan, target.muxer.wants_global_header(), rate)?;
        let outside = Outside::real();
        let stats = Stats::new(None, outside.clock.clone());
        let kinds = [MediaKind::Video];
        let sink = Sink::open(target, options, &kinds, stats, &outside, stop)?;
        Ok(Writer { encoder, sink })
    }

    /// Writes one frame, at its own pts, which must be later than the last one's.
    ///
    /// # Errors
    /// Where it can't be converted, encoded or written.
    pub fn write(&mut self, frame: Frame) -> Result<()> {
        self.encoder.send(frame)?;
        self.pass_on()
    }

    /// Writes everything that is still held back, and closes the output.
    ///
    /// # Errors
    /// Where it can't be written; also where no frame was.
    pub fn finish(mut self) -> Result<()> {
        self.encoder.drain()?;
        self.pass_on()?;
        let url = self.sink.url().to_owned();
        if self.sink.finish()? { Ok(()) } else { Err(nothing_written(&url)) }
    }

    fn pass_on(&mut self) -> Result<()> {
        while let Some(message) = self.encoder.receive() {
            match message {
                StreamMessage::Configuration(configuration) => {
                    self.sink.configure(0, configuration)?;
                }
                StreamMessage::Packet(packet) => self.sink.write(0, packet)?,
            }
        }
        Ok(())
    }
}
