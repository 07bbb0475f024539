//! Lines of what a process writes, in bounded memory, and no more of them than can be read.

use std::io::BufRead;
use std::time::{Duration, Instant};

/// A line, or a part of one that is too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A line, without its end.
    Whole(&'a [u8]),
    /// The beginning of a line that is too long, or what follows it.
    Middle(&'a [u8]),
    /// The end of a line that is too long.
    Last(&'a [u8]),
}

impl Piece<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Piece::Whole(bytes) | Piece::Middle(bytes) | Piece::Last(bytes) => bytes,
        }
    }
}

/// Calls `take` with each line of at most `limit` bytes, and with the pieces of longer ones, until
/// nothing more comes.
pub(crate) fn each_line(mut from: impl BufRead, limit: usize, mut take: impl FnMut(Piece<'_>)) {
    let mut line = Vec::new();
    let mut is_cut = false;
    loop {
        let read = match from.fill_buf() {
            Ok([]) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let end = read.iter().position(|byte| *byte == b'\n');
        let room = limit - line.len();
        let taken = end.unwrap_or(read.len()).min(room);
        line.extend_from_slice(read.get(..taken).unwrap_or_default());
        let is_whole = end == Some(taken);
        from.consume(taken + usize::from(is_whole));
        if is_whole {
            take(if is_cut { Piece::Last(&line) } else { Piece::Whole(&line) });
            is_cut = false;
            line.clear();
        } else if line.len() >= limit {
            take(Piece::Middle(&line));
            is_cut = true;
            line.clear();
        }
    }
    if is_cut || !line.is_empty() {
        take(if is_cut { Piece::Last(&line) } else { Piece::Whole(&line) });
    }
}

/// Lines a second that are kept of what a process writes, on the average.
const LINES_A_SECOND: f64 = 50.0;
/// Lines that are kept when they come at once.
const AT_ONCE: f64 = 200.0;
/// How often it is said how many lines were left out.
const SUM_SPAN: Duration = Duration::from_secs(1);

/// Decides which lines of a flood are kept, and counts the others.
#[derive(Debug)]
pub(crate) struct LineRateLimiter {
    /// Lines that may be kept now.
    room: f64,
    last: Option<Instant>,
    left_out: u64,
    /// Since when lines are left out, or were last summed up.
    since: Option<Instant>,
}

impl LineRateLimiter {
    pub(crate) fn new() -> LineRateLimiter {
        LineRateLimiter { room: AT_ONCE, last: None, left_out: 0, since: None }
    }

    /// Whether a line that came at `now` is kept.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        let passed = self
            .last
            .replace(now)
            .map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        self.room = (self.room + passed * LINES_A_SECOND).min(AT_ONCE);
        if self.room < 1.0 {
            self.left_out += 1;
            self.since.get_or_insert(now);
            return false;
        }
        self.room -= 1.0;
        true
    }

    /// How many lines were left out since this was said last, where it is time to say it.
    pub(crate) fn sum(&mut self, now: Instant) -> Option<u64> {
        let since = self.since?;
        if now.saturating_duration_since(since) < SUM_SPAN {
            return None;
        }
        self.rest()
    }

    /// How many lines were left out since this was said last.
    pub(crate) fn rest(&mut self) -> Option<u64> {
        self.since = None;
        Some(std::mem::take(&mut self.left_out)).filter(|count| *count > 0)
    }
}

/// The line that sums up lines that were left out.
pub(crate) fn left_out(count: u64) -> String {
    match count {
        1 => "1 line was left out".to_owned(),
        count => format!("{count} lines were left out"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &[u8], limit: usize, buffer: usize) -> Vec<(char, Vec<u8>)> {
        let mut all = Vec::new();
        each_line(std::io::BufReader::with_capacity(buffer, text), limit, |piece| {
            let kind = match piece {
                Piece::Whole(_) => 'w',
                Piece::Middle(_) => 'm',
                Piece::Last(_) => 'l',
            };
            all.push((kind, piece.bytes().to_vec()));
        });
        all
    }

    #[test]
    fn lines_are_told_apart_from_pieces_of_lines() {
        let of = |text: &str| {
            let all = pieces(text.as_bytes(), 4, 3);
            let all =
                all.into_iter().map(|(kind, b)| format!("{kind}{}", String::from_utf8(b).unwrap()));
            all.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("a\n\nbcd\n"), "wa w wbcd");
        assert_eq!(of("abcd\ne"), "wabcd we");
        assert_eq!(of("abcdefghij\nk\n"), "mabcd mefgh lij wk");
        assert_eq!(of("abcdefgh\nk"), "mabcd lefgh wk");
        assert_eq!(of("abcdefg"), "mabcd lefg");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_long(
            text in "[a-c\n]{0,60}", limit in 1_usize..9, buffer in 1_usize..9,
        ) {
            let mut whole = Vec::new();
            for (kind, bytes) in pieces(text.as_bytes(), limit, buffer) {
                prop_assert!(bytes.len() <= limit);
                whole.extend(bytes);
                if kind != 'm' {
                    whole.push(b'\n');
                }
            }
            let mut expected = text.into_bytes();
            if !expected.is_empty() && !expected.ends_with(b"\n") {
                expected.push(b'\n');
            }
            prop_assert_eq!(whole, expected);
        }
    }

    #[test]
    fn a_flood_is_cut_and_summed_up() {
        let (mut flood, start) = (LineRateLimiter::new(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        let kept = (0..100_000).filter(|n| flood.admits(at(n / 100))).count();
        assert!((240..=260).contains(&kept), "{kept}");
        let said = flood.sum(at(1010)).unwrap();
        assert_eq!(kept + usize::try_from(said).unwrap(), 100_000);
        assert_eq!((flood.sum(at(9000)), flood.rest()), (None, None));
        assert_eq!((0..1000).filter(|_| flood.admits(at(60_000))).count(), 200);
        assert_eq!((flood.sum(at(60_999)), flood.rest()), (None, Some(800)));
        assert_eq!(
            (left_out(1), left_out(2)),
            ("1 line was left out".into(), "2 lines were left out".into())
        );
    }
}
