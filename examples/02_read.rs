//! Frames one by one: prints the mean brightness of each.
//! `cargo run --release --example 02_read -- clip.mp4`

use std::io::Write;

use frameloom::{PixelFormat, Reader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = std::env::args().nth(1).ok_or("give me a source")?;
    let mut out = std::io::stdout().lock();
    for frame in Reader::open(&source)? {
        let frame = frame?;
        let (index, pts) = (frame.index(), frame.pts());
        let gray = frame.image(PixelFormat::Gray)?;
        let sum: u64 = gray.rows().flatten().map(|&byte| u64::from(byte)).sum();
        let pixels = u64::from(gray.width()) * u64::from(gray.height());
        writeln!(out, "{index} {pts} {:.1}", sum as f64 / pixels as f64)?;
    }
    Ok(())
}
