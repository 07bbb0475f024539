//! A picture of two streams, side by side.

use std::path::Path;
use std::sync::mpsc;

use frameloom::options::OutputOptions;
use frameloom::{
    Error, ErrorKind, Frame, Image, Pipeline, PixelFormat, Result, Stage, Stop, Timestamp, Writer,
};

/// Pixels from left to right of each of the two.
const WIDTH: u32 = 640;

/// Bytes of a pixel of RGB24.
const PIXEL_BYTES: usize = 3;

/// Saves a frame of each as one picture, the second on the right; `false` where a stop came first.
pub(super) fn save(left: &str, right: &str, file: &Path, stop: &Stop) -> Result<bool> {
    let (Some(right), Some(left)) = (frame_of(right, stop)?, frame_of(left, stop)?) else {
        return Ok(false);
    };
    let sides = [&left, &right];
    let height = sides.iter().map(|side| side.rows.len()).max().unwrap_or(0);
    let mut pixels = Vec::new();
    for y in 0..height {
        for side in sides {
            match side.rows.get(y) {
                Some(row) => pixels.extend_from_slice(row),
                None => pixels.extend(std::iter::repeat_n(0, side.width * PIXEL_BYTES)),
            }
        }
    }
    let whole = |n: usize| u32::try_from(n).unwrap_or(0);
    let image =
        Image::packed(PixelFormat::Rgb24, whole(left.width + right.width), whole(height), &pixels);
    let image =
        image.map_err(|error| Error::new(ErrorKind::Other, Stage::Convert, error.to_string()))?;
    let name = file.to_string_lossy();
    let options = OutputOptions::new().with("f", "image2")?.with("c:v", "png")?.with("y", "")?;
    let mut writer = Writer::builder(&name).output(options.with("update", "1")?).open()?;
    writer.write(Frame::from_image(&image, Timestamp::ZERO)?)?;
    writer.finish()?;
    Ok(true)
}

struct HalfPicture {
    width: usize,
    rows: Vec<Vec<u8>>,
}

/// The first frame of a stream, scaled.
fn frame_of(url: &str, stop: &Stop) -> Result<Option<HalfPicture>> {
    let pipeline = match Pipeline::builder(url).stop(stop).open() {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
        opened => opened?.filter(&format!("scale={WIDTH}:-2")),
    };
    let enough = pipeline.stop_handle();
    let (sender, receiver) = mpsc::sync_channel(1);
    let keep = move |frame: &mut Frame| {
        let image = frame.image(PixelFormat::Rgb24)?;
        let rows = image.rows().map(<[u8]>::to_vec).collect();
        // The first is the one that counts; there is no room for others.
        let _ = sender.try_send(HalfPicture { width: image.width() as usize, rows });
        enough.stop();
        Ok(())
    };
    pipeline.process(keep).run()?;
    Ok(receiver.try_recv().ok())
}
