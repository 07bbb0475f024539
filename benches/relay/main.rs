//! What `script/bench relay` runs: a server by Frameloom's defaults but for its caps on connections,
//! and the load for any RTMP server. Each in a process of its own, so that the CPU time of one is not the other's.
//!
//! ```text
//! bench_relay serve                           prints the port; ends when stdin does
//! bench_relay load PORT PID PLAYERS SECONDS   prints what it measured as one line of JSON
//! bench_relay attack PORT COUNT               COUNT clients at once that try to fill the server's memory, until
//!                                             stdin ends; prints what they sent as one line of JSON
//! ```

#[allow(clippy::unwrap_used, reason = "it is a test's")]
#[path = "../../crates/frameloom-server/tests/it/hostile.rs"]
mod hostile;
mod load;
mod process;

use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;
use std::thread;

use frameloom_server::{Server, ServerConfig};

use load::Load;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve"] => serve(),
        ["load", port, pid, players, seconds] => {
            let load = Load {
                port: port.parse()?,
                server: pid.parse()?,
                players: players.parse()?,
                seconds: seconds.parse()?,
            };
            let measured = load.run()?;
            writeln!(io::stdout(), "{measured}")?;
            Ok(())
        }
        ["attack", port, count] => attack(port.parse()?, count.parse()?),
        _ => Err("bench_relay serve, bench_relay load PORT PID PLAYERS SECONDS, or \
                  bench_relay attack PORT COUNT"
            .into()),
    }
}

fn serve() -> Result<()> {
    let free_port = Some(([127, 0, 0, 1], 0).into());
    let config = ServerConfig {
        rtmp_listen: free_port,
        http_listen: None,
        max_connections: 1 << 20,
        max_connections_per_address: 1 << 20,
        ..ServerConfig::default()
    };
    let server = Server::spawn(config)?;
    let port = server.rtmp_addr().ok_or("RTMP is not served")?.port();
    writeln!(io::stdout(), "{port}")?;
    // Whoever started this holds the other end, so it can't be left behind.
    io::stdin().read_to_end(&mut Vec::new())?;
    server.stop_blocking();
    Ok(())
}

/// Attacks a server with `count` clients at once, until stdin ends.
fn attack(port: u16, count: u64) -> Result<()> {
    let state = hostile::Attack::default();
    thread::scope(|scope| {
        for seed in 0..count {
            let state = &state;
            scope.spawn(move || hostile::attack(([127, 0, 0, 1], port).into(), seed, state));
        }
        let ended = io::stdin().read_to_end(&mut Vec::new());
        state.over.store(true, Ordering::Relaxed);
        ended
    })?;
    let (bytes, connections) =
        (state.sent_bytes.load(Ordering::Relaxed), state.connections.load(Ordering::Relaxed));
    let sent = serde_json::json!({ "megabytes": bytes >> 20, "connections": connections });
    writeln!(io::stdout(), "{sent}")?;
    Ok(())
}
