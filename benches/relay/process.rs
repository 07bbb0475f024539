//! What Linux tells of a process.

use std::fs;
use std::time::Duration;

use crate::Result;

/// Linux counts in these for every program, whatever the kernel's own ticks are.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time that a process has used so far, user and system.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name stands in parentheses and may hold anything, spaces too.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (Some(user), Some(system)) = (fields.next(), fields.next()) else {
        return Err("/proc/PID/stat is short".into());
    };
    let used = user? + system?;
    Ok(Duration::from_millis(used * 1000 / TICKS_PER_SECOND))
}

/// How long a process's threads have been ready to run and had no core, all together.
pub(crate) fn waited(pid: u32) -> Result<Duration> {
    let mut waited = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanoseconds = schedstat.split_whitespace().nth(1).ok_or("schedstat is short")?;
        waited += Duration::from_nanos(nanoseconds.parse()?);
    }
    Ok(waited)
}

/// KiB of memory that a process has in RAM.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most KiB of memory that a process has had in RAM.
pub(crate) fn peak_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no memory in /proc/PID/status")?.parse()?)
}
