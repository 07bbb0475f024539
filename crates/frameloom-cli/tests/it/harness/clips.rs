//! Generated clips, made once and shared by the tests.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// A clip that `ffmpeg` makes with the words of `recipe` (no spaces within a word), kept under
/// `name` in the build's own temporary folder.
///
/// Each test may be a process of its own: a clip is written under another name and renamed, so
/// that it is there whole or not at all.
pub(crate) fn clip(name: &str, recipe: &str) -> PathBuf {
    clip_of(name, &recipe.split_whitespace().map(OsString::from).collect::<Vec<_>>())
}

/// As `clip`, with a command line that holds paths.
pub(crate) fn clip_of(name: &str, recipe: &[OsString]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    recipe.hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clips");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{:08x}-{name}", hasher.finish() as u32));
    if !path.exists() {
        let unfinished = tempfile::Builder::new().prefix("making-").tempdir_in(&folder).unwrap();
        let made = unfinished.path().join(name);
        let mut args = recipe.to_vec();
        args.push(made.clone().into());
        super::ffmpeg(args);
        fs::rename(made, &path).unwrap();
    }
    path
}

/// Writes `upright`, an MP4, as a file that asks players to turn its picture a quarter to the right: by the
/// matrix in its track header (ISO/IEC 14496-12, 8.3.2), for which ffmpeg's option has changed its name.
pub(crate) fn write_turned(upright: &Path, height: i32, turned: &Path) {
    let mut bytes = fs::read(upright).unwrap();
    let header = bytes.windows(4).position(|name| name == b"tkhd").unwrap() + 4;
    let matrix: [i32; 9] = [0, 1 << 16, 0, -(1 << 16), 0, 0, height << 16, 0, 1 << 30];
    for (place, value) in matrix.iter().enumerate() {
        bytes[header + 40 + 4 * place..][..4].copy_from_slice(&value.to_be_bytes());
    }
    fs::write(turned, bytes).unwrap();
}

/// Cells of a counter: white for 1, black for 0, the lowest bit at the left.
pub(crate) const CELL: usize = 16;
pub(crate) const BITS: usize = 12;

/// A lavfi source whose every frame carries its own number along the lower edge. At least
/// 192 pixels wide.
pub(crate) fn counted(size: &str, rate: &str, seconds: u32) -> String {
    counted_from(0, size, rate, seconds)
}

/// As `counted`, with numbers that begin at `first`.
pub(crate) fn counted_from(first: usize, size: &str, rate: &str, seconds: u32) -> String {
    let mut graph = format!("testsrc2=s={size}:r={rate}:d={seconds}");
    let band = CELL * BITS;
    graph += &format!(",drawbox=x=0:y=ih-{CELL}:w={band}:h={CELL}:color=black:t=fill");
    for bit in 0..BITS {
        graph += &format!(
            ",drawbox=x={}:y=ih-{CELL}:w={CELL}:h={CELL}:color=white:t=fill:\
             enable='mod(floor((n+{first})/{}),2)'",
            bit * CELL,
            1 << bit
        );
    }
    graph
}

/// Six seconds of numbered frames, 320x240 at 25 fps, H.264 with B-frames and a keyframe every
/// second, beside AAC at 44.1 kHz. `name` ends with the container's extension.
pub(crate) fn counted_av(name: &str) -> PathBuf {
    let source = counted("320x240", "25", 6);
    clip(
        name,
        &format!(
            "-f lavfi -i {source} -f lavfi -i sine=440:r=44100:d=6 -c:v libx264 -preset veryfast \
             -bf 2 -g 25 -pix_fmt yuv420p -c:a aac -b:a 64k -ac 2"
        ),
    )
}
