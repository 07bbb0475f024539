//! A stream in, every frame through a closure, a stream out:
//! `cargo run --release --example 01_edit -- rtmp://localhost/live/camera rtmp://localhost/live/edited`

use frameloom::options::OutputOptions;
use frameloom::{Frame, Pipeline, PixelFormat};

fn main() -> frameloom::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err(frameloom::Error::process("give me a source and a target"));
    };
    Pipeline::from_url(&source)?
        .process(|frame: &mut Frame| {
            // A bar that sweeps down the picture once in four seconds.
            let place = frame.pts().as_secs_f64() / 4.0 % 1.0;
            let mut image = frame.image_mut(PixelFormat::Rgb24)?;
            let height = image.height();
            let first = (f64::from(height) * place) as u32;
            for y in first..(first + height / 10).min(height) {
                image.row_mut(y).iter_mut().for_each(|byte| *byte = 255 - *byte);
            }
            Ok(())
        })
        .to_url_with(&target, OutputOptions::new().with("y", "")?)?
        .run()?;
    Ok(())
}
