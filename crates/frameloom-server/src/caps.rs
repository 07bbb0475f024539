//! How many connections there may be.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::lock::lock;
use crate::memory::{Account, Memory};

/// Counts open connections, in all and for each address.
pub(crate) struct Caps {
    total: usize,
    per_address: usize,
    memory: Arc<Memory>,
    open: Mutex<OpenConnections>,
    /// Told when the last connection closes.
    empty: Notify,
}

#[derive(Default)]
struct OpenConnections {
    count: usize,
    by_address: HashMap<IpAddr, usize>,
    next_id: u64,
}

/// Which cap was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapReached {
    Total,
    Address,
    Memory,
}

/// A connection that counts for as long as this lives.
pub(crate) struct Permit {
    caps: Arc<Caps>,
    address: IpAddr,
    /// The connection's number, from 1.
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    /// What the connection holds.
    pub(crate) account: Arc<Account>,
}

impl Caps {
    pub(crate) fn new(total: usize, per_address: usize, memory: Arc<Memory>) -> Arc<Self> {
        let (open, empty) = (Mutex::default(), Notify::new());
        Arc::new(Caps { total, per_address, memory, open, empty })
    }

    /// Lets a connection in that holds `bytes` of memory whatever it does, if there is room.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: SocketAddr,
        bytes: u64,
    ) -> Result<Permit, CapReached> {
        self.enter(peer, bytes, false)
    }

    /// The same for one of our own processes, whatever the caps are.
    pub(crate) fn admit_own(
        self: &Arc<Self>,
        peer: SocketAddr,
        bytes: u64,
    ) -> Result<Permit, CapReached> {
        self.enter(peer, bytes, true)
    }

    fn enter(
        self: &Arc<Self>,
        peer: SocketAddr,
        bytes: u64,
        own: bool,
    ) -> Result<Permit, CapReached> {
        let address = counted(peer.ip());
        let mut open = lock(&self.open);
        if open.count >= self.total && !own {
            return Err(CapReached::Total);
        }
        let here = open.by_address.entry(address).or_insert(0);
        if *here >= self.per_address && !own {
            // An entry of zero connections exists only where none is allowed at all.
            if *here == 0 {
                open.by_address.remove(&address);
            }
            return Err(CapReached::Address);
        }
        let Ok(account) = self.memory.open(bytes) else {
            if *here == 0 {
                open.by_address.remove(&address);
            }
            return Err(CapReached::Memory);
        };
        *here += 1;
        open.count += 1;
        open.next_id += 1;
        Ok(Permit { caps: Arc::clone(self), address, id: open.next_id, peer, account })
    }

    /// Open connections.
    pub(crate) fn open(&self) -> usize {
        lock(&self.open).count
    }

    /// Waits until no connection is open.
    pub(crate) async fn wait_until_empty(&self) {
        loop {
            let empty = self.empty.notified();
            if self.open() == 0 {
                return;
            }
            empty.await;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = lock(&self.caps.open);
        open.count -= 1;
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
        if open.count == 0 {
            self.caps.empty.notify_waiters();
        }
    }
}

/// The address that a peer counts as. A host with one IPv6 address mostly has a /64 of them.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_closed_connection_makes_room() {
        let caps = Caps::new(3, 2, Memory::new(1 << 20));
        let first = caps.admit(peer("10.0.0.1:1"), 100).unwrap();
        let second = caps.admit(peer("[::ffff:10.0.0.1]:2"), 100).unwrap();
        assert_eq!(caps.admit(peer("10.0.0.1:3"), 100).err(), Some(CapReached::Address));
        let _third = caps.admit(peer("10.0.0.2:1"), 100).unwrap();
        assert_eq!(caps.admit(peer("10.0.0.3:1"), 100).err(), Some(CapReached::Total));
        drop(first);
        let _fourth = caps.admit(peer("10.0.0.1:4"), 100).unwrap();
        drop(second);
        assert_eq!(caps.open(), 2);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let caps = Caps::new(10, 1, Memory::new(1 << 20));
        let _one = caps.admit(peer("[2001:db8:0:1::1]:1"), 100).unwrap();
        assert_eq!(
            caps.admit(peer("[2001:db8:0:1:ffff::2]:1"), 100).err(),
            Some(CapReached::Address)
        );
        assert!(caps.admit(peer("[2001:db8:0:2::1]:1"), 100).is_ok());
    }

    #[test]
    fn none_at_all_is_a_cap_too() {
        let caps = Caps::new(10, 0, Memory::new(1 << 20));
        assert_eq!(caps.admit(peer("10.0.0.1:1"), 100).err(), Some(CapReached::Address));
        assert!(lock(&caps.open).by_address.is_empty());
    }

    #[test]
    fn a_connection_that_memory_is_too_short_for_is_not_let_in() {
        let caps = Caps::new(10, 10, Memory::new(1000));
        let one = caps.admit(peer("10.0.0.1:1"), 700).unwrap();
        assert_eq!(caps.admit(peer("10.0.0.2:1"), 700).err(), Some(CapReached::Memory));
        assert_eq!((caps.open(), lock(&caps.open).by_address.len()), (1, 1));
        drop(one);
        assert!(caps.admit(peer("10.0.0.2:1"), 700).is_ok());
    }
}
