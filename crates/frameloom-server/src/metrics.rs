//! What is counted, and how Prometheus reads it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::counters::{PlayProtocol, Reason, ServerCounters};
use crate::status::ServerStatus;

/// The counts in Prometheus' text format, version 0.0.4.
pub(crate) fn text(status: &ServerStatus, counters: &ServerCounters) -> String {
    let mut out = String::with_capacity(4096);
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    gauge(&mut out, "uptime_seconds", "Seconds since the server's start.", status.uptime_seconds);
    gauge(&mut out, "connections", "Open connections of all kinds.", status.connections);
    gauge(&mut out, "publishers", "Streams that are published.", status.streams.len());
    let memory = &status.memory;
    gauge(&mut out, "memory_bytes", "Bytes that connections and streams hold.", memory.held_bytes);
    gauge(&mut out, "memory_limit_bytes", "The most that they may hold.", memory.limit_bytes);
    let help = "Whether that made connections be refused or cut within the last minute.";
    gauge(&mut out, "memory_limit_reached", help, u8::from(memory.is_at_limit));
    head(&mut out, "players", "gauge", "Players, by protocol.");
    for protocol in PlayProtocol::ALL {
        let label = protocol.label();
        let players = status.streams.iter().flat_map(|stream| &stream.players);
        let count = players.filter(|player| player.protocol == label).count();
        line(&mut out, "players", Some(("protocol", label)), count);
    }
    let counts = [
        ("connections_total", "Connections that were accepted.", load(&counters.connections)),
        ("received_bytes_total", "Bytes received.", load(&counters.received_bytes)),
        ("sent_bytes_total", "Bytes sent.", load(&counters.sent_bytes)),
        ("player_skips_total", "Times a slow player skipped.", load(&counters.player_skips)),
        ("players_cut_total", "Players cut for being too slow.", load(&counters.players_cut)),
        (
            "dropped_packets_total",
            "Packets of publishers that were not what they said.",
            load(&counters.dropped_packets),
        ),
        ("timed_out_total", "Connections that took too long.", load(&counters.timed_out)),
        (
            "memory_limit_total",
            "Connections refused or cut because memory was used up.",
            memory.limit_reached,
        ),
        ("bad_input_total", "Connections that broke the protocol.", load(&counters.bad_input)),
    ];
    for (name, help, count) in counts {
        head(&mut out, name, "counter", help);
        line(&mut out, name, None, count);
    }
    head(&mut out, "refused_total", "counter", "What was refused, by reason.");
    for reason in Reason::ALL {
        line(&mut out, "refused_total", Some(("reason", reason.label())), counters.refused(reason));
    }
    out
}

fn gauge(out: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    head(out, name, "gauge", help);
    line(out, name, None, value);
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(out, "# HELP frameloom_server_{name} {help}");
    let _ = writeln!(out, "# TYPE frameloom_server_{name} {kind}");
}

fn line(out: &mut String, name: &str, label: Option<(&str, &str)>, value: impl std::fmt::Display) {
    let _ = match label {
        Some((key, label)) => {
            writeln!(out, "frameloom_server_{name}{{{key}=\"{label}\"}} {value}")
        }
        None => writeln!(out, "frameloom_server_{name} {value}"),
    };
}
