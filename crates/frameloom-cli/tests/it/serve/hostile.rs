//! A server and clients that are up to no good: its memory as the system sees it.

#[path = "../../../../frameloom-server/tests/it/hostile.rs"]
mod clients;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::thread;

use clients::{Attack, attack};
use serde_json::Value;

use super::{Served, serve};
use crate::harness::*;

/// In KiB.
const LIMIT: u64 = 64 << 10;
/// What the program takes besides: its code, its threads, and what each of them works on.
const MARGIN: u64 = 48 << 10;
/// What it may still take more than at its start once they have left.
const REST: u64 = 16 << 10;

/// A figure of the process, in KiB: `VmRSS` is what it takes now, `VmHWM` the most it ever took.
fn memory_kib(served: &Served, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.running.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap()
}

fn status(served: &Served) -> Value {
    let answer = served.get("/api/v1/status");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
#[ignore = "slow"]
fn memory_stays_below_its_limit_and_goes_back_to_the_system() {
    let served = serve(args!["--max-memory=64M"]);
    let address: SocketAddr = served.rtmp.strip_prefix("rtmp://").unwrap().parse().unwrap();
    let before = memory_kib(&served, "VmRSS");
    let state = Attack::default();
    thread::scope(|scope| {
        for seed in 0..14 {
            let state = &state;
            scope.spawn(move || attack(address, seed, state));
        }
        wait_until("many were refused", || {
            status(&served)["memory"]["limit_reached"].as_u64().unwrap() >= 50
                && state.sent_bytes.load(Ordering::Relaxed) > 1 << 30
        });
        state.over.store(true, Ordering::Relaxed);
    });
    let peak = memory_kib(&served, "VmHWM");
    assert!(peak <= before + LIMIT + MARGIN, "{before} KiB, then {peak} KiB");
    wait_until("they are gone", || {
        status(&served)["memory"]["held_bytes"].as_u64() < Some(1 << 20)
    });
    wait_until("their memory went back to the system", || {
        memory_kib(&served, "VmRSS") <= before + REST
    });
    let said = served.running.stderr();
    assert!(said.contains("the memory for streams is used up, 64 MiB"), "{said}");
    assert!(said.lines().count() < 200, "{said}");
    served.running.signal("TERM");
    served.running.wait().ok();
}
