//! How far a run is, in FFmpeg's words: those of `-progress`, and its line on stderr.

use std::fmt::Write;

use frameloom::internal::listing::KIBIBYTE;
use frameloom::internal::{Written, WrittenVideo};
use frameloom::{Stats, Timestamp};

/// libav's unit of quality, in FFmpeg's.
const QUALITY_UNIT: f64 = 118.0;

/// A run at one moment, as FFmpeg tells of it.
#[derive(Clone, Debug, Default)]
pub(super) struct FfmpegReport {
    elapsed_ms: u64,
    /// The streams of video of all outputs, each with its output's number.
    videos: Vec<(usize, WrittenVideo)>,
    /// How far the furthest output has got; `None` where nothing was written.
    end_micros: Option<i64>,
    /// Of the first output, where that is known.
    size_bytes: Option<u64>,
    repeated: u64,
    dropped: u64,
}

impl FfmpegReport {
    pub(super) fn of(stats: &Stats) -> FfmpegReport {
        let (snapshot, outputs) = (stats.snapshot(), stats.outputs_written());
        let videos = |(number, output): (usize, &Written)| {
            output.videos.iter().map(|video| (number, *video)).collect::<Vec<_>>()
        };
        let mut report = FfmpegReport {
            elapsed_ms: snapshot.elapsed_ms,
            videos: outputs.iter().enumerate().flat_map(videos).collect(),
            end_micros: outputs
                .iter()
                .filter_map(|output| output.end)
                .max()
                .map(Timestamp::as_micros),
            size_bytes: outputs.first().and_then(|output| output.size_bytes),
            repeated: snapshot.frames_held,
            dropped: snapshot.frames_dropped,
        };
        if outputs.is_empty() {
            // A COMMAND that only reads.
            let frames = snapshot.frames_in;
            report.videos = vec![(0, WrittenVideo { stream: 0, frames, quality: None })];
            report.end_micros = Some(snapshot.time_ms.saturating_mul(1000)).filter(|_| frames > 0);
        }
        report
    }

    /// Whether there is an output to tell of.
    pub(super) fn has_begun(&self) -> bool {
        !self.videos.is_empty() || self.end_micros.is_some()
    }

    fn seconds(&self) -> f64 {
        self.elapsed_ms as f64 / 1000.0
    }

    fn fps(&self) -> f64 {
        let frames = self.videos.first().map_or(0, |(_, video)| video.frames);
        // FFmpeg's rule: before that the number would say nothing.
        if self.elapsed_ms > 1000 { frames as f64 / self.seconds() } else { 0.0 }
    }

    /// Thousands of bits a second, on average.
    fn bit_rate(&self) -> Option<f64> {
        let micros = self.end_micros.filter(|micros| *micros != 0)?;
        Some(self.size_bytes? as f64 * 8.0 / (micros as f64 / 1000.0))
    }

    fn speed(&self) -> Option<f64> {
        let micros = self.end_micros.filter(|_| self.elapsed_ms > 0)?;
        Some(micros as f64 / 1e6 / self.seconds())
    }

    /// What `-progress` gets.
    pub(super) fn block(&self, is_last: bool) -> String {
        let mut text = String::new();
        // Writing to a String can't fail, here and below.
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key}={value}");
        };
        for (n, (output, video)) in self.videos.iter().enumerate() {
            if n == 0 {
                line("frame", &video.frames.to_string());
                line("fps", &format!("{:.2}", self.fps()));
            }
            let quality = format!("{:.1}", quality(video));
            line(&format!("stream_{output}_{}_q", video.stream), &quality);
        }
        line("bitrate", &or_unknown(self.bit_rate().map(|rate| format!("{rate:6.1}kbits/s"))));
        line("total_size", &or_unknown(self.size_bytes.map(|bytes| bytes.to_string())));
        let micros = or_unknown(self.end_micros.map(|micros| micros.to_string()));
        line("out_time_us", &micros);
        // FFmpeg has always written microseconds here.
        line("out_time_ms", &micros);
        line("out_time", &or_unknown(self.end_micros.map(|micros| clock(micros, 6))));
        line("dup_frames", &self.repeated.to_string());
        line("drop_frames", &self.dropped.to_string());
        line("speed", &or_unknown(self.speed().map(shown_speed)));
        line("progress", if is_last { "end" } else { "continue" });
        text
    }

    /// FFmpeg's line on stderr, with what ends it.
    pub(super) fn line(&self, is_last: bool) -> String {
        let mut text = String::new();
        for (n, (_, video)) in self.videos.iter().enumerate() {
            if n == 0 {
                let (frames, fps) = (video.frames, self.fps());
                let digits = usize::from(fps < 9.95);
                let _ = write!(text, "frame={frames:5} fps={fps:3.digits$} ");
            }
            let _ = write!(text, "q={:3.1} ", quality(video));
        }
        let size = self.size_bytes.map(|bytes| format!("{:8.0}{KIBIBYTE}", bytes as f64 / 1024.0));
        let time = self.end_micros.map(|micros| clock(micros, 2));
        let rate = self.bit_rate().map(|rate| format!("{rate:6.1}kbits/s"));
        let last = if is_last { "L" } else { "" };
        let (size, time, rate) = (or_unknown(size), or_unknown(time), or_unknown(rate));
        let _ = write!(text, "{last}size={size} time={time} bitrate={rate}");
        if self.repeated > 0 || self.dropped > 0 {
            let _ = write!(text, " dup={} drop={}", self.repeated, self.dropped);
        }
        let speed = or_unknown(self.speed().map(shown_speed));
        let _ = write!(text, " speed={speed}    {}", if is_last { '\n' } else { '\r' });
        text
    }
}

fn or_unknown(value: Option<String>) -> String {
    value.unwrap_or_else(|| "N/A".to_owned())
}

/// The quality of a stream's last frame; -1 where it is copied.
fn quality(video: &WrittenVideo) -> f64 {
    video.quality.map_or(-1.0, |quality| f64::from(quality) / QUALITY_UNIT)
}

/// `00:00:02.020000`, with so many digits behind the point, none of them rounded up.
fn clock(micros: i64, digits: u32) -> String {
    let (sign, all) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let seconds = all / 1_000_000;
    let (h, min, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let part = all % 1_000_000 / 10_u64.pow(6 - digits);
    format!("{sign}{h:02}:{min:02}:{s:02}.{part:0width$}", width = digits as usize)
}

/// A speed as C's `%4.3g` writes it, and an x.
fn shown_speed(speed: f64) -> String {
    format!("{:>4}x", three_digits(speed))
}

/// A number with three digits at the most, as C's `%.3g` writes it.
fn three_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let written = format!("{value:.2e}");
    let Some((digits, exponent)) = written.split_once('e') else { return written };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let bare = |number: &str| match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number.to_owned(),
    };
    if (-4..3).contains(&exponent) {
        let decimals = usize::try_from(2 - exponent).unwrap_or(0);
        return bare(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", bare(digits), exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> FfmpegReport {
        let video = |stream, frames, quality| WrittenVideo { stream, frames, quality };
        FfmpegReport {
            elapsed_ms: 2500,
            videos: vec![(0, video(0, 100, Some(28 * 118))), (1, video(2, 50, None))],
            end_micros: Some(3_999_999),
            size_bytes: Some(524_288),
            repeated: 0,
            dropped: 2,
        }
    }

    #[test]
    fn a_block_is_ffmpegs() {
        assert_eq!(
            report().block(false),
            "frame=100\nfps=40.00\nstream_0_0_q=28.0\nstream_1_2_q=-1.0\nbitrate=1048.6kbits/s\n\
             total_size=524288\nout_time_us=3999999\nout_time_ms=3999999\nout_time=00:00:03.999999\n\
             dup_frames=0\ndrop_frames=2\nspeed= 1.6x\nprogress=continue\n"
        );
        let start = FfmpegReport { elapsed_ms: 3, ..FfmpegReport::default() };
        assert!(!start.has_begun() && report().has_begun());
        assert_eq!(
            start.block(true),
            "bitrate=N/A\ntotal_size=N/A\nout_time_us=N/A\nout_time_ms=N/A\nout_time=N/A\n\
             dup_frames=0\ndrop_frames=0\nspeed=N/A\nprogress=end\n"
        );
    }

    #[test]
    fn a_line_is_ffmpegs() {
        assert_eq!(
            report().line(false),
            format!(
                "frame=  100 fps= 40 q=28.0 q=-1.0 size=     512{KIBIBYTE} time=00:00:03.99 \
                 bitrate=1048.6kbits/s dup=0 drop=2 speed= 1.6x    \r"
            )
        );
        let copy = FfmpegReport {
            elapsed_ms: 1,
            videos: vec![(0, WrittenVideo { stream: 0, frames: 50, quality: Some(-1) })],
            end_micros: Some(0),
            size_bytes: Some(918),
            ..FfmpegReport::default()
        };
        assert_eq!(
            copy.line(true),
            format!(
                "frame=   50 fps=0.0 q=-0.0 Lsize=       1{KIBIBYTE} time=00:00:00.00 bitrate=N/A \
                 speed=   0x    \n"
            )
        );
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, shown) in [
            (0.0, "   0x"),
            (1.0, "   1x"),
            (0.998, "0.998x"),
            (8.914, "8.91x"),
            (60.84, "60.8x"),
            (123.4, " 123x"),
            (999.6, "1e+03x"),
            (4412.0, "4.41e+03x"),
            (0.000_012_34, "1.23e-05x"),
        ] {
            assert_eq!(shown_speed(value), shown);
        }
        assert_eq!(clock(-3_723_004_567, 6), "-01:02:03.004567");
    }
}
