//! What `script/bench` measures: an edit of every frame, one thread for each codec.
//!
//!     bench_edit IN OUT ROWS     changes a part of so many rows of RGB
//!     bench_edit IN OUT boxes    draws ten boxes with labels

use frameloom::options::{InputOptions, OutputOptions};
use frameloom::{BoxError, BoxStyle, Color, Error, Frame, Pipeline, PixelFormat, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target, edit] = arguments.as_slice() else {
        return Err(Error::process("bench_edit IN OUT ROWS|boxes"));
    };
    if edit == "boxes" {
        return run(source, target, boxes());
    }
    let rows: u32 = edit.parse().map_err(|_| Error::process("ROWS is a number"))?;
    run(source, target, move |frame| {
        let end = (10 + rows).min(frame.height());
        let mut image = frame.rows_mut(PixelFormat::Rgb24, 10..end)?;
        for row in image.rows_mut() {
            if let Some(block) = row.get_mut(30..600) {
                block.fill(255);
            }
        }
        Ok(())
    })
}

fn boxes() -> impl FnMut(&mut Frame) -> Result<(), BoxError> + Send + 'static {
    let mut number = 0_u32;
    move |frame| {
        number += 1;
        let mut draw = frame.draw()?;
        for n in 0..10 {
            // They move, and their scores change, as those of a detector do.
            let left = f64::from((n * 190 + number * 3) % 1700);
            let top = f64::from(100 + (n * 83 + number) % 700);
            let score = f64::from((n * 7 + number) % 100) / 100.0;
            let style = BoxStyle::new(Color::rgb(255, 200, 0)).label(format!("person {score:.2}"));
            draw.bounding_box([left, top, left + 160.0, top + 240.0], &style);
        }
        Ok(())
    }
}

fn run(
    source: &str,
    target: &str,
    edit: impl FnMut(&mut Frame) -> Result<(), BoxError> + Send + 'static,
) -> Result<()> {
    let input = InputOptions::new().with("threads", "1")?;
    let output = OutputOptions::new()
        .with("y", "")?
        .with("an", "")?
        .with("threads:v", "1")?
        .with("c:v", "libx264")?
        .with("preset", "veryfast")?
        .with("tune", "zerolatency")?;
    let pipeline = Pipeline::builder(source).input(input).open()?;
    pipeline.process(edit).to_url_with(target, output)?.run()?;
    Ok(())
}
