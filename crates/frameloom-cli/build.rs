//! Has the program built anew when the page that it embeds was.

use std::path::Path;

fn main() {
    let page = Path::new("../../page");
    let built = page.join("dist");
    // Where it wasn't built yet, its folder changes when it is.
    let watched = if built.is_dir() { built.as_path() } else { page };
    println!("cargo::rerun-if-changed={}", watched.display());
}
