//! What a process and all that it started take of the machine.

use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

/// How deep a process's children are looked at: a pipeline, its command, and what that starts.
const DEPTH: usize = 6;

/// Processor time in clock ticks, memory in bytes, and whose it is.
#[derive(Debug, Default)]
struct Taken {
    ticks: u64,
    memory_bytes: u64,
    processes: Vec<ProcessId>,
}

/// A process; with the time of its start, as the kernel gives numbers out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessId {
    pid: u32,
    started: u64,
}

/// Measures again and again.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    last: Option<(u32, Instant, u64)>,
    processes: Vec<ProcessId>,
}

/// What was taken since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Used {
    /// Of one processor.
    pub(crate) cpu_percent: f64,
    /// Resident.
    pub(crate) memory_bytes: u64,
    /// Since its start, of what still runs.
    pub(crate) cpu_seconds: f64,
}

impl Usage {
    /// Looks at the process `pid`.
    pub(crate) fn look(&mut self, pid: u32, now: Instant) -> Used {
        let mut all = Taken::default();
        add(pid, DEPTH, &mut all);
        let per_second = rustix::param::clock_ticks_per_second().max(1) as f64;
        let cpu_percent = match self.last {
            Some((same, then, ticks)) if same == pid && now > then => {
                let spent = all.ticks.saturating_sub(ticks) as f64 / per_second;
                let percent = spent / now.duration_since(then).as_secs_f64() * 100.0;
                (percent * 10.0).round() / 10.0
            }
            _ => 0.0,
        };
        self.last = Some((pid, now, all.ticks));
        self.processes = all.processes;
        let cpu_seconds = all.ticks as f64 / per_second;
        Used { cpu_percent, memory_bytes: all.memory_bytes, cpu_seconds }
    }
}

impl Usage {
    /// Kills what the process had started and left behind: nobody else would, as it did not come
    /// to do so itself.
    pub(crate) fn kill_rest(&mut self) {
        for process in std::mem::take(&mut self.processes) {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid));
            let is_it = stat.is_ok_and(|stat| field(&stat, STARTED) == Some(process.started));
            let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid.filter(|_| is_it) {
                // It may end by itself meanwhile.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Adds what `pid` and its children take. One that ended meanwhile takes nothing.
fn add(pid: u32, depth: usize, all: &mut Taken) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    if let Some(stat) = read("stat") {
        all.ticks += field(&stat, USER).unwrap_or(0) + field(&stat, SYSTEM).unwrap_or(0);
        all.processes.extend(field(&stat, STARTED).map(|started| ProcessId { pid, started }));
    }
    let pages = read("statm").and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    all.memory_bytes += pages.unwrap_or(0) * rustix::param::page_size() as u64;
    if depth == 0 {
        return;
    }
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    for task in tasks {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            add(child, depth - 1, all);
        }
    }
}

/// The processor time of this process in its own code and in the kernel's, in milliseconds.
pub(crate) fn own_times_ms() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let ms = |place| field(&stat, place).unwrap_or(0).saturating_mul(1000) / per_second;
    (ms(USER), ms(SYSTEM))
}

/// Places in `/proc/PID/stat` behind the program's name, from 0.
const USER: usize = 11;
const SYSTEM: usize = 12;
const STARTED: usize = 19;

/// A number out of `/proc/PID/stat`.
fn field(stat: &str, place: usize) -> Option<u64> {
    // The program's name may hold blanks and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4 1 2 3 4 50 60 70 80 20 0 9 0 1";
        assert_eq!((field(stat, USER), field(stat, SYSTEM)), (Some(50), Some(60)));
        assert_eq!((field(stat, STARTED), field("7 (a) S 1", USER)), (Some(1), None));
    }

    #[test]
    fn this_process_takes_memory() {
        let used = Usage::default().look(std::process::id(), Instant::now());
        assert!(used.memory_bytes > 100_000 && used.cpu_percent == 0.0, "{used:?}");
        assert_eq!(Usage::default().look(0, Instant::now()), Used::default());
    }
}
