//! Which connections come from processes that this one started.
//!
//! They have places of their own: whoever else takes up all that an address may have, and be it
//! through a proxy on this machine, must not cut the server off from its own pipelines.

use std::collections::HashSet;
use std::net::SocketAddr;

/// The addresses of all TCP sockets of this process's children. It takes some milliseconds.
pub(crate) fn sockets() -> HashSet<SocketAddr> {
    proc::sockets()
}

#[cfg(target_os = "linux")]
mod proc {
    use std::collections::HashSet;
    use std::fs;
    use std::net::{IpAddr, Ipv6Addr, SocketAddr};
    use std::path::Path;

    pub(super) fn sockets() -> HashSet<SocketAddr> {
        let inodes: HashSet<String> =
            children().iter().flat_map(|child| inodes_of(child)).collect();
        if inodes.is_empty() {
            return HashSet::new();
        }
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let tables = tables.into_iter().filter_map(|table| fs::read_to_string(table).ok());
        tables.flat_map(|table| addresses(&table, &inodes)).collect()
    }

    /// The children of all threads.
    fn children() -> Vec<String> {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let lists =
            threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists
            .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// The numbers of a process's sockets.
    pub(super) fn inodes_of(process: &str) -> Vec<String> {
        let files = fs::read_dir(Path::new("/proc").join(process).join("fd"));
        let targets = files.into_iter().flatten().flatten().map(|file| fs::read_link(file.path()));
        let inode = |target: &Path| {
            let number = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(number.to_owned())
        };
        targets.flatten().filter_map(|target| inode(&target)).collect()
    }

    /// The own addresses of those sockets in one of the kernel's tables.
    pub(super) fn addresses(table: &str, inodes: &HashSet<String>) -> Vec<SocketAddr> {
        let address = |line: &str| {
            let mut fields = line.split_whitespace();
            let own = fields.nth(1)?;
            // Behind it stand the other end, the state, queues, timers, the user.
            if !inodes.contains(fields.nth(7)?) {
                return None;
            }
            let (ip, port) = own.split_once(':')?;
            Some(SocketAddr::new(ip_of(ip)?, u16::from_str_radix(port, 16).ok()?))
        };
        table.lines().skip(1).filter_map(address).collect()
    }

    /// An address as the kernel writes it: words of the network's order as numbers of its own.
    fn ip_of(text: &str) -> Option<IpAddr> {
        let word = |at: usize| {
            let digits = text.get(at * 8..at * 8 + 8)?;
            u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
        };
        match text.len() {
            8 => Some(word(0)?.into()),
            32 => {
                let mut bytes = [0; 16];
                for (at, place) in bytes.chunks_mut(4).enumerate() {
                    place.copy_from_slice(&word(at)?);
                }
                Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical())
            }
            _ => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod proc {
    /// Nothing tells here.
    pub(super) fn sockets() -> std::collections::HashSet<std::net::SocketAddr> {
        std::collections::HashSet::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_addresses_of_sockets_are_found() {
        let inodes = HashSet::from_iter(proc::inodes_of("self"));
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(listen) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let address = client.local_addr().unwrap();
            let table = if listen.starts_with('[') { "/proc/net/tcp6" } else { "/proc/net/tcp" };
            let table = std::fs::read_to_string(table).unwrap();
            let now = HashSet::from_iter(proc::inodes_of("self"));
            assert!(proc::addresses(&table, &now).contains(&address), "{listen}");
            // It was not there before, and is none of a child.
            assert!(!proc::addresses(&table, &inodes).contains(&address), "{listen}");
            assert!(!sockets().contains(&address));
        }
        let inodes = HashSet::from(["1".to_owned()]);
        assert!(proc::addresses("sl\nnonsense\n 1: zz:1 0 0 0 0 0 0 0 1\n", &inodes).is_empty());
    }
}
