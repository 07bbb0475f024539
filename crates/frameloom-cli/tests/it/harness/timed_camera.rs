//! Cameras that see what happens at one time: which picture is sent when is known for each of them.

use std::io::Write;
use std::process::ChildStdin;
use std::thread;
use std::time::{Duration, Instant};

use super::camera::{Film, SECONDS};
use super::run::{Running, ffmpeg_reader};

/// The film's length in milliseconds: it begins anew there, with the first number.
pub(crate) const ROUND_MS: i64 = 1000 * SECONDS as i64;

/// An FLV file's header, and what stands before and behind the content of a tag.
const HEADER_BYTES: usize = 9 + 4;
const TAG_BYTES: usize = 11;
const TRAILER_BYTES: usize = 4;

/// What an FLV file has: a tag with its time in milliseconds.
struct Tag {
    at_ms: i64,
    bytes: Vec<u8>,
    /// It says how to decode those that follow.
    is_header: bool,
}

impl Tag {
    /// With another time.
    fn at(&self, at_ms: i64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let [high, rest @ ..] = u32::try_from(at_ms).unwrap().to_be_bytes();
        bytes[4..7].copy_from_slice(&rest);
        bytes[7] = high;
        bytes
    }
}

/// The tags of a file, in their order.
fn tags(file: &[u8]) -> Vec<Tag> {
    let (mut rest, mut tags) = (&file[HEADER_BYTES..], Vec::new());
    while rest.len() > TAG_BYTES {
        let size = usize::from(rest[1]) << 16 | usize::from(rest[2]) << 8 | usize::from(rest[3]);
        let (bytes, behind) = rest.split_at(TAG_BYTES + size + TRAILER_BYTES);
        let at_ms = i64::from(u32::from_be_bytes([bytes[7], bytes[4], bytes[5], bytes[6]]));
        // The second byte of content is 0 where the codec's configuration follows.
        let is_header = bytes[0] == 18 || bytes.get(TAG_BYTES + 1) == Some(&0);
        tags.push(Tag { at_ms, bytes: bytes.to_vec(), is_header });
        rest = behind;
    }
    tags
}

/// A camera whose picture of a number is sent at one moment of each round of its film, by a clock that all
/// cameras of a test have.
pub(crate) struct TimedCamera(Running);

impl TimedCamera {
    /// Begins at the next full second of the film, which began at `epoch`.
    pub(crate) fn start(film: &Film, epoch: Instant, url: &str) -> TimedCamera {
        let file = std::fs::read(film.file()).unwrap();
        let words = args!["-f", "flv", "-i", "pipe:0", "-c", "copy", "-f", "flv", url];
        let clock_ms = 1000 * i64::from(film.clock_s);
        let feed = move |stdin| feed(stdin, &file, epoch, clock_ms);
        // It reads what it is given, and is stopped by what it is given.
        TimedCamera(ffmpeg_reader(words).limit_s(600).fed_by(feed).spawn())
    }

    /// Ends it as a power cut of the camera's does.
    pub(crate) fn kill(self) {
        self.0.kill();
    }
}

/// Writes what is due, until nobody takes it.
fn feed(mut stdin: ChildStdin, file: &[u8], epoch: Instant, clock_ms: i64) {
    let tags = tags(file);
    let mut write = |bytes: &[u8]| stdin.write_all(bytes).and_then(|()| stdin.flush()).is_ok();
    let passed_ms = i64::try_from(epoch.elapsed().as_millis()).unwrap();
    let begin_ms = (passed_ms / 1000 + 1) * 1000;
    let mut is_taken = write(&file[..HEADER_BYTES]);
    for tag in tags.iter().filter(|tag| tag.is_header) {
        is_taken = is_taken && write(&tag.at(clock_ms));
    }
    let of_film = |tag: &&Tag| !tag.is_header && tag.at_ms < ROUND_MS;
    let mut round_ms = begin_ms / ROUND_MS * ROUND_MS;
    while is_taken {
        for tag in tags.iter().filter(of_film) {
            let at_ms = round_ms + tag.at_ms;
            // Sound that is a little earlier than the picture of that second is left out, too.
            if at_ms < begin_ms {
                continue;
            }
            let due = epoch + Duration::from_millis(u64::try_from(at_ms).unwrap());
            thread::sleep(due.saturating_duration_since(Instant::now()));
            is_taken = is_taken && write(&tag.at(at_ms - begin_ms + clock_ms));
        }
        round_ms += ROUND_MS;
    }
}

/// From the first to the second of two moments of the film, in milliseconds, the shorter way round.
pub(crate) fn apart_ms(first_ms: i64, second_ms: i64) -> i64 {
    (second_ms - first_ms + ROUND_MS / 2).rem_euclid(ROUND_MS) - ROUND_MS / 2
}
