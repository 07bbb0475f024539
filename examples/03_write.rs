//! Frames of your own into a file: two seconds of a colour that changes.
//! `cargo run --release --example 03_write -- out.mp4`

use frameloom::options::OutputOptions;
use frameloom::{Frame, Image, PixelFormat, Rate, Writer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = std::env::args().nth(1).ok_or("give me a target")?;
    let rate = Rate::new(24, 1).ok_or("no rate")?;
    let (width, height) = (320, 180);
    let mut writer =
        Writer::builder(&target).output(OutputOptions::new().with("y", "")?).rate(rate).open()?;
    for n in 0..48u8 {
        let pixels = [n * 5, 128, 255 - n * 5].repeat((width * height) as usize);
        let image = Image::packed(PixelFormat::Rgb24, width, height, &pixels)?;
        writer.write(Frame::from_image(&image, rate.time_base().at(n.into()))?)?;
    }
    writer.finish()?;
    Ok(())
}
