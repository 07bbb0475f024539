//! The server between the programs that people use: what a player gets is bit for bit what the
//! publisher sent.

/// A command line of strings and paths, mixed.
macro_rules! args {
    ($($arg:expr),* $(,)?) => {
        vec![$(std::ffi::OsString::from(AsRef::<std::ffi::OsStr>::as_ref(&$arg))),*]
    };
}

mod clips;
mod ffmpeg;
mod node;
mod players;
mod run;

use frameloom_server::Server;

use crate::client::wait_until;
use run::Running;

/// Where RTMP clients find `live/NAME`.
fn rtmp(server: &Server, name: &str) -> String {
    format!("rtmp://{}/live/{name}", server.rtmp_addr().unwrap())
}

/// Where HTTP clients find `live/NAME`.
fn http(server: &Server, name: &str) -> String {
    format!("http://{}/live/{name}.flv", server.http_addr().unwrap())
}

/// Waits until so much of the only stream has come, from a publisher that must stay.
fn wait_until_received(server: &Server, publisher: &mut Running, bytes: u64) {
    wait_until("the stream is published", || {
        publisher.assert_running();
        server.status().streams.first().is_some_and(|stream| stream.received_bytes >= bytes)
    });
}

/// Waits until the only stream has so many players, each of which was sent something.
fn wait_until_played(server: &Server, publisher: &mut Running, players: usize) {
    wait_until("all players are there", || {
        publisher.assert_running();
        server.status().streams.first().is_some_and(|stream| {
            stream.players.iter().filter(|player| player.sent_bytes > 0).count() == players
        })
    });
}
