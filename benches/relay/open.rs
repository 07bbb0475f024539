//! What `script/bench relay` measures last: how long it takes from a URL to the first decoded
//! frame. `bench_open URL [TIMES]` prints the median as one line of JSON.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use frameloom::{Error, Reader, Result};

/// Spreads the openings over the GOP: some come at its first picture, some at its last.
const PAUSE: Duration = Duration::from_millis(130);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or_else(usage)?;
    let times: usize = match arguments.next() {
        Some(times) => times.parse().map_err(|_| usage())?,
        None => 20,
    };
    let mut taken_ms = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        let mut reader = Reader::open(&url)?;
        reader.next().ok_or_else(|| Error::process("there was no frame"))??;
        taken_ms.push(start.elapsed().as_secs_f64() * 1e3);
        drop(reader);
        sleep(PAUSE);
    }
    taken_ms.sort_by(f64::total_cmp);
    let (Some(median), Some(highest)) = (taken_ms.get(times / 2), taken_ms.last()) else {
        return Err(usage());
    };
    let line =
        format!(r#"{{"times": {times}, "median_ms": {median:.1}, "highest_ms": {highest:.1}}}"#);
    writeln!(std::io::stdout(), "{line}").map_err(|error| Error::process(error.to_string()))
}

fn usage() -> Error {
    Error::process("bench_open URL [TIMES]")
}
