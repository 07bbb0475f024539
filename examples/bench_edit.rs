//! What `script/bench` measures: a small edit of every frame as RGB, one thread for each codec.
//! `bench_edit IN OUT`

use frameloom::options::{InputOptions, OutputOptions};
use frameloom::{Frame, Pipeline, PixelFormat};

fn main() -> frameloom::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err(frameloom::Error::process("bench_edit IN OUT"));
    };
    let input = InputOptions::new().with("threads", "1")?;
    let output = OutputOptions::new()
        .with("y", "")?
        .with("an", "")?
        .with("threads:v", "1")?
        .with("c:v", "libx264")?
        .with("preset", "veryfast")?
        .with("tune", "zerolatency")?;
    Pipeline::builder(&source)
        .input(input)
        .open()?
        .process(|frame: &mut Frame| {
            let mut image = frame.image_mut(PixelFormat::Rgb24)?;
            for y in 10..50 {
                if let Some(block) = image.row_mut(y).get_mut(30..600) {
                    block.fill(255);
                }
            }
            Ok(())
        })
        .to_url_with(&target, output)?
        .run()?;
    Ok(())
}
