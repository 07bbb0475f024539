//! `-benchmark`: what a run took, in FFmpeg's words.

use std::time::Instant;

use frameloom::internal::listing::KIBIBYTE;

use crate::serve::processes::usage::own_times_ms;

/// What the process had taken when a run began.
pub(crate) struct Benchmark {
    began: Instant,
    user_ms: u64,
    system_ms: u64,
}

impl Benchmark {
    pub(crate) fn start() -> Benchmark {
        let (user_ms, system_ms) = own_times_ms();
        Benchmark { began: Instant::now(), user_ms, system_ms }
    }

    /// FFmpeg's two lines.
    pub(crate) fn lines(&self) -> [String; 2] {
        let (user_ms, system_ms) = own_times_ms();
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let user = seconds(user_ms.saturating_sub(self.user_ms));
        let system = seconds(system_ms.saturating_sub(self.system_ms));
        let real = self.began.elapsed().as_secs_f64();
        [
            format!("bench: utime={user:.3}s stime={system:.3}s rtime={real:.3}s"),
            format!("bench: maxrss={}{KIBIBYTE}", most_memory_kb()),
        ]
    }
}

/// The most memory that the process had at once.
fn most_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_ffmpegs() {
        let [times, memory] = Benchmark::start().lines();
        let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        assert_eq!(shape(&times), "bench: utime=.s stime=.s rtime=.s");
        assert_eq!(shape(&memory), format!("bench: maxrss={KIBIBYTE}"));
        assert!(most_memory_kb() > 1000);
    }
}
