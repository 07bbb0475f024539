//! A snapshot as people read it.

use frameloom::Snapshot;

/// What the lines show of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    elapsed_ms: u64,
    time_ms: i64,
    length_ms: Option<i64>,
    frames: u64,
    fps: f64,
    speed: f64,
    latency_ms: Option<f64>,
    dropped: u64,
    damaged: u64,
    reconnects: u64,
    bit_rate: u64,
    bytes: u64,
}

impl View {
    /// Of a pipeline with so many outputs. The library counts a frame once for each of them;
    /// people think of it as one frame.
    pub(super) fn of(snapshot: &Snapshot, outputs: usize) -> View {
        let share = outputs.max(1) as u64;
        let seconds = snapshot.elapsed_ms.max(1) as f64 / 1000.0;
        let (frames, fps) = if outputs == 0 {
            (snapshot.frames_in, snapshot.frames_in as f64 / seconds)
        } else {
            (snapshot.frames_out / share, snapshot.fps / share as f64)
        };
        View {
            elapsed_ms: snapshot.elapsed_ms,
            time_ms: snapshot.time_ms,
            length_ms: snapshot.duration_ms,
            frames,
            fps,
            speed: snapshot.speed,
            latency_ms: snapshot.latency_ms,
            dropped: snapshot.frames_dropped,
            damaged: snapshot.packets_corrupt,
            reconnects: snapshot.reconnects,
            bit_rate: snapshot.bit_rate,
            bytes: snapshot.bytes_out,
        }
    }

    /// How long the whole is, where that is known and more than nothing.
    pub(super) fn length_ms(&self) -> Option<u64> {
        self.length_ms.and_then(|length| u64::try_from(length).ok()).filter(|&length| length > 0)
    }

    /// How much of `length_ms` is done.
    pub(super) fn position_ms(&self, length_ms: u64) -> u64 {
        u64::try_from(self.time_ms).unwrap_or(0).min(length_ms)
    }

    /// The parts of the status line, for [`fit`].
    pub(super) fn line(&self) -> Vec<String> {
        let mut parts = vec![
            counted(self.frames, "frame"),
            format!("{:.1} fps", self.fps),
            format!("{:.2}x", self.speed),
        ];
        if let Some(latency) = self.latency_ms {
            parts.push(format!("latency {latency:.0} ms"));
        }
        parts.push(format!("{} dropped", self.dropped));
        if self.reconnects > 0 {
            parts.push(counted(self.reconnects, "reconnect"));
        }
        parts.push(si(self.bit_rate, "b/s"));
        parts
    }

    /// The parts of what stands beside a bar of `length_ms`, for [`fit`].
    pub(super) fn progress(&self, length_ms: u64) -> Vec<String> {
        let position = self.position_ms(length_ms);
        let mut parts = vec![format!("{}/{}", clock(position), clock(length_ms))];
        if self.speed > 0.0 && position > 0 {
            let left = (length_ms - position) as f64 / self.speed;
            // Past a day it would only be a wrong number.
            if left < 86_400_000.0 {
                parts.push(format!("eta {}", clock(left.ceil() as u64)));
            }
        }
        parts.push(format!("{:.1} fps", self.fps));
        parts.push(format!("{:.2}x", self.speed));
        parts.push(si(self.bit_rate, "b/s"));
        parts
    }

    /// The closing line.
    pub(super) fn summary(&self) -> String {
        let seconds = self.elapsed_ms as f64 / 1000.0;
        let fps = self.frames as f64 / seconds.max(1e-3);
        let frames = counted(self.frames, "frame");
        let mut text = format!("{frames} in {seconds:.1} s ({fps:.1} fps)");
        if self.bytes > 0 {
            text += &format!(", {} written", si(self.bytes, "B"));
        }
        for (count, part) in [
            (self.dropped, format!("{} dropped", self.dropped)),
            (self.damaged, counted(self.damaged, "damaged packet")),
            (self.reconnects, counted(self.reconnects, "reconnect")),
        ] {
            if count > 0 {
                text += &format!(", {part}");
            }
        }
        text
    }
}

/// "1 frame", "2 frames".
fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// As many of the parts as fit so many columns, the first ones first; half a number would be a
/// wrong one.
pub(super) fn fit(parts: &[String], columns: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let gap = if line.is_empty() { "" } else { "  " };
        if line.len() + gap.len() + part.len() > columns {
            break;
        }
        line += gap;
        line += part;
    }
    line
}

/// A quantity with three or so digits: `512 B`, `2.1 MB`.
fn si(value: u64, unit: &str) -> String {
    let mut scaled = value as f64;
    let mut prefixes = ["", "k", "M", "G", "T", "P"].iter();
    let mut prefix = prefixes.next().copied().unwrap_or_default();
    // From here on one digit behind the point would round up to the next prefix.
    while scaled >= 999.95 {
        let Some(next) = prefixes.next() else { break };
        (scaled, prefix) = (scaled / 1000.0, next);
    }
    if prefix.is_empty() {
        format!("{value} {unit}")
    } else {
        format!("{scaled:.1} {prefix}{unit}")
    }
}

/// `0:04`, `1:02:03`.
fn clock(ms: u64) -> String {
    let s = ms / 1000;
    let (h, min, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("{h}:{min:02}:{s:02}") } else { format!("{min}:{s:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film() -> View {
        View {
            elapsed_ms: 10_000,
            time_ms: 40_000,
            length_ms: Some(100_000),
            frames: 1_000,
            fps: 100.0,
            speed: 4.0,
            bit_rate: 2_410_000,
            bytes: 2_100_000,
            ..View::default()
        }
    }

    #[test]
    fn the_status_line_of_a_live_stream() {
        let start = View::default();
        let live = View { frames: 2075, fps: 24.98, speed: 1.0, ..film() };
        for (view, line) in [
            (start, "0 frames  0.0 fps  0.00x  0 dropped  0 b/s"),
            (
                View { latency_ms: Some(84.26), ..live.clone() },
                "2075 frames  25.0 fps  1.00x  latency 84 ms  0 dropped  2.4 Mb/s",
            ),
            (
                View { dropped: 3, reconnects: 2, bit_rate: 950, ..live },
                "2075 frames  25.0 fps  1.00x  3 dropped  2 reconnects  950 b/s",
            ),
        ] {
            assert_eq!(fit(&view.line(), 80), line);
        }
    }

    #[test]
    fn what_another_process_reported_is_shown_alike() {
        let snapshot = crate::report::snapshot(serde_json::json!({
            "elapsed_ms": 3000, "time_ms": 2900, "frames_out": 72, "fps": 24.0, "speed": 1.0,
            "latency_ms": 84.3, "frames_dropped": 1, "reconnects": 0, "bit_rate": 2_410_000,
        }));
        let line = "72 frames  24.0 fps  1.00x  latency 84 ms  1 dropped  2.4 Mb/s";
        assert_eq!(fit(&View::of(&snapshot, 1).line(), 80), line);
    }

    #[test]
    fn the_progress_of_a_file() {
        for (view, length, line) in [
            (film(), 100_000, "0:40/1:40  eta 0:15  100.0 fps  4.00x  2.4 Mb/s"),
            (View::default(), 4_000_000, "0:00/1:06:40  0.0 fps  0.00x  0 b/s"),
            (View { time_ms: -500, ..film() }, 100_000, "0:00/1:40  100.0 fps  4.00x  2.4 Mb/s"),
            (
                View { time_ms: 101_000, ..film() },
                100_000,
                "1:40/1:40  eta 0:00  100.0 fps  4.00x  2.4 Mb/s",
            ),
        ] {
            assert_eq!(fit(&view.progress(length), 51), line);
        }
        assert_eq!(View { length_ms: Some(0), ..film() }.length_ms(), None);
        assert_eq!(View { length_ms: Some(-1), ..film() }.length_ms(), None);
    }

    #[test]
    fn a_narrow_terminal_shows_whole_parts() {
        let parts = film().line();
        for (columns, line) in [
            (0, ""),
            (10, ""),
            (11, "1000 frames"),
            (21, "1000 frames"),
            (22, "1000 frames  100.0 fps"),
            (500, "1000 frames  100.0 fps  4.00x  0 dropped  2.4 Mb/s"),
        ] {
            assert_eq!(fit(&parts, columns), line, "{columns}");
        }
    }

    #[test]
    fn the_closing_line() {
        for (view, line) in [
            (film(), "1000 frames in 10.0 s (100.0 fps), 2.1 MB written"),
            (View { bytes: 0, ..film() }, "1000 frames in 10.0 s (100.0 fps)"),
            (
                View { bytes: 999, dropped: 2, damaged: 1, ..film() },
                "1000 frames in 10.0 s (100.0 fps), 999 B written, 2 dropped, 1 damaged packet",
            ),
        ] {
            assert_eq!(view.summary(), line);
        }
    }

    #[test]
    fn quantities_and_times() {
        for (value, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_951, "1.0 MB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(si(value, "B"), shown);
        }
        for (ms, shown) in [(0, "0:00"), (61_999, "1:01"), (3_600_000, "1:00:00")] {
            assert_eq!(clock(ms), shown);
        }
    }
}
