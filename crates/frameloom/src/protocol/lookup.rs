//! Looking up a host's addresses, within a limit and until a stop.
//!
//! The system's look-up can't be interrupted: it asks each name server in turn, several times, and may
//! take half a minute where none answers. So it has a thread of its own, which is left behind then.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};

use crate::time::moment_after;
use crate::time::stop::Stop;

/// How often a wait looks for a stop.
const TICK: Duration = Duration::from_millis(50);

/// Why a host has no addresses.
#[derive(Debug)]
pub(crate) enum LookupFault {
    /// A stop was asked for.
    Stopped,
    /// Nothing answered in time.
    TimedOut,
    /// What the system says.
    Failed(io::Error),
}

/// The addresses of a host, in the order in which they are to be tried.
pub(crate) fn addresses(
    host: &str,
    port: u16,
    until: Instant,
    stop: Option<&Stop>,
) -> Result<Vec<SocketAddr>, LookupFault> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    within(until, stop, move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
}

/// Waits for a look-up on a thread of its own.
fn within(
    until: Instant,
    stop: Option<&Stop>,
    look_up: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<Vec<SocketAddr>, LookupFault> {
    let (sender, found) = bounded(1);
    let thread = std::thread::Builder::new().name("frameloom-lookup".to_owned());
    let started = thread.spawn(move || {
        // Nobody waits for it any more after the limit.
        let _ = sender.send(look_up());
    });
    started.map_err(LookupFault::Failed)?;
    loop {
        if stop.is_some_and(Stop::is_stopped) {
            return Err(LookupFault::Stopped);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(LookupFault::TimedOut);
        }
        match found.recv_timeout(left.min(TICK)) {
            Ok(found) => return found.map(by_turns).map_err(LookupFault::Failed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(LookupFault::Failed(io::ErrorKind::Other.into()));
            }
        }
    }
}

/// IPv6 and IPv4 by turns, beginning with the system's first (RFC 8305, section 4).
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let count = addresses.len();
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        all.extend(first.next());
        all.extend(second.next());
    }
    all
}

/// Whether libav is to look up the host of this URL itself, through a proxy.
fn goes_through_proxy(scheme: &str) -> bool {
    scheme.starts_with("http") && std::env::var_os("http_proxy").is_some()
}

/// Waits until the host of a URL that libav opens can be looked up: libav's own look-up has no limit.
///
/// # Errors
/// Where that takes too long or a stop was asked for. What else is wrong, libav says.
pub(crate) fn check_host(url: &str, limit: Duration, stop: &Stop) -> Result<(), LookupFault> {
    let Some(address) = crate::url::Address::parse(url) else { return Ok(()) };
    let Some((host, _)) = address.host_and_port() else { return Ok(()) };
    if host.is_empty() || goes_through_proxy(address.scheme) {
        return Ok(());
    }
    match addresses(host, 0, moment_after(Instant::now(), limit), Some(stop)) {
        Ok(_) | Err(LookupFault::Failed(_)) => Ok(()),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_time() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_look_up_that_never_ends_is_given_up() {
        let (_keep, never) = bounded::<()>(0);
        let hangs = || {
            let never = never.clone();
            move || {
                let _ = never.recv();
                Ok(Vec::new())
            }
        };
        let until = Instant::now() + Duration::from_millis(80);
        assert!(matches!(within(until, None, hangs()), Err(LookupFault::TimedOut)));
        let stop = Stop::new();
        stop.stop();
        assert!(matches!(within(in_time(), Some(&stop), hangs()), Err(LookupFault::Stopped)));
        let stop = Stop::new();
        let stopper = stop.clone();
        let stops_first = move || {
            stopper.stop();
            hangs_for_ever()
        };
        assert!(matches!(within(in_time(), Some(&stop), stops_first), Err(LookupFault::Stopped)));
    }

    fn hangs_for_ever() -> io::Result<Vec<SocketAddr>> {
        let (_keep, never) = bounded::<()>(0);
        let _ = never.recv();
        Ok(Vec::new())
    }

    #[test]
    fn families_take_turns() {
        let all =
            |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = all(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let turns = all(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(by_turns(given), turns);
        let given = all(&["1.1.1.1:1", "[::1]:1"]);
        assert_eq!(by_turns(given.clone()), given);
        assert_eq!(by_turns(Vec::new()), []);
    }

    #[test]
    fn an_address_is_no_name() {
        let found = addresses("::1", 5, in_time(), None).unwrap();
        assert_eq!(found, ["[::1]:5".parse().unwrap()]);
        assert!(!addresses("localhost", 5, in_time(), None).unwrap().is_empty());
    }
}
