//! Tells the library which FFmpeg it is built against.

fn main() {
    for version in ["ffmpeg_6_0", "ffmpeg_6_1", "ffmpeg_7_0", "ffmpeg_7_1", "ffmpeg_8_0"] {
        println!("cargo::rustc-check-cfg=cfg({version})");
        // ffmpeg-sys-next sets one such variable for each version the system's libraries reach.
        let reached = std::env::var(format!("DEP_FFMPEG_{}", version.to_uppercase()));
        if reached.is_ok_and(|value| value == "true") {
            println!("cargo::rustc-cfg={version}");
        }
    }
}
