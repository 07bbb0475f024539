//! Frames of your own into a file or a publish, without a thread.

use crate::api::builder::OutputBuilder;
use crate::api::write_order::{WriteOrder, WrittenFrame};
use crate::av::MediaKind;
use crate::codec::configuration::StreamMessage;
use crate::codec::encode::VideoEncoder;
use crate::error::Result;
use crate::image::Frame;
use crate::output::{Sink, nothing_written};
use crate::protocol::Target;
use crate::protocol::environment::Environment;
use crate::run::metadata::of_options;
use crate::run::plan_writer::{plan_writer, written_stream};
use crate::stats::Stats;

/// Encodes frames and writes them to one output.
///
/// ```no_run
/// use frameloom::{Frame, Image, PixelFormat, TimeBase, Writer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut writer = Writer::create("out.mp4")?;
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
    /// What was written last.
    order: WriteOrder,
}

impl OutputBuilder<Writer> {
    /// Opens the output.
    ///
    /// # Errors
    /// Where the name doesn't tell the format, or the output can't be opened.
    pub fn open(self) -> Result<Writer> {
        let OutputBuilder { url, options, rate, stop, .. } = self;
        options.check()?;
        let target = Target::resolve(&url, &options)?;
        let plan = plan_writer(&target, &options)?;
        let encoder = VideoEncoder::new(plan, target.muxer.wants_global_header(), rate)?;
        let environment = Environment::real();
        let stats = Stats::new(None, environment.clock.clone());
        let stream = written_stream(&options);
        let sink = Sink::open(
            target,
            &options,
            std::slice::from_ref(&stream),
            &of_options(&options, &[MediaKind::Video])?,
            stats,
            &environment,
            &stop,
        )?;
        Ok(Writer { encoder, sink, order: WriteOrder::default() })
    }
}

impl Writer {
    /// Opens an output with the defaults.
    ///
    /// # Errors
    /// Where the name doesn't tell the format, or the output can't be opened.
    pub fn create(url: &str) -> Result<Writer> {
        Writer::builder(url).open()
    }

    /// Begins with an output's place; [`OutputBuilder::open`] opens it.
    pub fn builder(url: &str) -> OutputBuilder<Writer> {
        OutputBuilder::new(url)
    }

    /// Writes one frame, at its own pts, which must be later than the last one's.
    ///
    /// # Errors
    /// Where it can't be converted, encoded or written; where it is shown before the last one.
    pub fn write(&mut self, frame: Frame) -> Result<()> {
        let written = WrittenFrame::of(&frame);
        self.order.check(None, written)?;
        self.encoder.send(frame)?;
        self.order.note([0], written);
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
