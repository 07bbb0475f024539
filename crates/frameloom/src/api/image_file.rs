//! One picture as an image file.

use std::path::Path;

use crate::av::MediaKind;
use crate::codec::configuration::StreamMessage;
use crate::codec::encode::VideoEncoder;
use crate::error::{Error, Result, Stage};
use crate::image::Frame;
use crate::options::OutputOptions;
use crate::output::container::default_encoder;
use crate::output::nothing_written;
use crate::protocol::Target;
use crate::run::plan_writer::plan_writer;

impl Frame {
    /// The picture as the bytes of an image file. `name` is one that such a file could have, as `x.png` or
    /// `x.jpg`. JPEG has nearly its best quality (`-q:v 2`).
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that is no image's; where it can't be
    /// encoded.
    pub fn to_image_file(&mut self, name: &str) -> Result<Vec<u8>> {
        let target = Target::resolve(name, &OutputOptions::new())?;
        if !target.muxer.is_file_per_packet() {
            let cause = "it is no name of an image, as x.jpg or x.png";
            return Err(Error::usage(cause).at(name));
        }
        let mut options = OutputOptions::new();
        if default_encoder(&target, MediaKind::Video) == Some("mjpeg") {
            options = options.with("q:v", "2")?;
        }
        let plan = plan_writer(&target, &options)?;
        let mut encoder = VideoEncoder::new(plan, target.muxer.wants_global_header(), None)?;
        encoder.send(self.share()?)?;
        encoder.drain()?;
        let mut bytes = Vec::new();
        while let Some(message) = encoder.receive() {
            if let StreamMessage::Packet(packet) = message {
                bytes.extend_from_slice(packet.av.data());
            }
        }
        if bytes.is_empty() { Err(nothing_written(name)) } else { Ok(bytes) }
    }

    /// Writes the picture to an image file, over one that is there: as [`Frame::to_image_file`].
    ///
    /// # Errors
    /// As there, and what the file system says.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let shown = path.to_string_lossy();
        // A path may look like a URL.
        let bytes = self.to_image_file(&format!("file:{shown}"))?;
        std::fs::write(path, bytes).map_err(|e| Error::io(Stage::Sink, e).at(&shown))
    }
}
