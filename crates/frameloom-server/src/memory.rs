//! What the server holds in memory for its peers, and how much that may be in all.
//!
//! Every payload is counted for as long as anybody refers to it, once, whoever that is; and every
//! connection counts what it holds beside payloads. Their sum never passes the limit.
//!
//! A quarter of the limit is a reserve. Above it a connection may grow up to its fair share of the
//! reserve only; for more, the largest connection has to go. So whoever takes much is refused or
//! cut, and those that take little go on.

mod machine;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use self::machine::quarter;
use crate::lock::lock;
use crate::relay::wake::Wake;

/// What a payload takes beside its bytes: its allocation, its place in a log with the room that
/// the log makes ahead, and the count of references to it.
const PAYLOAD_BYTES: usize = 320;
/// The reserve is shared out as if there were at least so many.
const FEW_ACCOUNTS: u64 = 16;

/// How long it is shown that the limit was reached: longer than it is between two looks at the
/// metrics.
const SHOWN: Duration = Duration::from_secs(60);

/// There is no more memory for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryFull;

/// The memory of a server.
pub(crate) struct Memory {
    limit: u64,
    /// Up to here anyone may grow.
    free: u64,
    held: AtomicU64,
    /// How often somebody was refused or cut, and when last.
    reached: AtomicU64,
    reached_at: Mutex<Option<Instant>>,
    accounts: Mutex<Accounts>,
}

#[derive(Default)]
struct Accounts {
    open: HashMap<u64, Weak<Account>>,
    next_id: u64,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("limit", &self.limit).field("held", &self.held).finish()
    }
}

impl Memory {
    /// A memory of `limit` bytes.
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Memory {
            limit,
            free: limit - limit / 4,
            held: AtomicU64::new(0),
            reached: AtomicU64::new(0),
            reached_at: Mutex::default(),
            accounts: Mutex::default(),
        })
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn reached(&self) -> u64 {
        self.reached.load(Ordering::Relaxed)
    }

    /// Counts that somebody was refused or cut.
    pub(crate) fn count_reached(&self) {
        self.reached.fetch_add(1, Ordering::Relaxed);
        *lock(&self.reached_at) = Some(Instant::now());
    }

    /// Whether that was so lately that somebody may still be about to see it.
    pub(crate) fn is_at_limit(&self, now: Instant) -> bool {
        let reached_at = *lock(&self.reached_at);
        reached_at.is_some_and(|at| now.saturating_duration_since(at) < SHOWN)
    }

    /// Whether what nobody needs is to be let go at once.
    pub(crate) fn is_short(&self) -> bool {
        self.held() > self.free / 2
    }

    /// How much each may take of the reserve.
    pub(crate) fn fair_share(&self) -> u64 {
        let accounts = lock(&self.accounts).open.len() as u64;
        (self.limit - self.free) / accounts.max(FEW_ACCOUNTS)
    }

    /// An account for a connection that holds `bytes` from its beginning to its end.
    ///
    /// # Errors
    ///
    /// [`MemoryFull`].
    pub(crate) fn open(self: &Arc<Self>, bytes: u64) -> Result<Arc<Account>, MemoryFull> {
        let mut account = Account {
            memory: Arc::clone(self),
            id: 0,
            held: AtomicU64::new(0),
            streams: AtomicU64::new(0),
            base: bytes,
            wake: OnceLock::new(),
            is_evicted: AtomicBool::new(false),
        };
        self.grow(&account, bytes)?;
        account.held.store(bytes, Ordering::Relaxed);
        let mut accounts = lock(&self.accounts);
        accounts.next_id += 1;
        account.id = accounts.next_id;
        let account = Arc::new(account);
        accounts.open.insert(account.id, Arc::downgrade(&account));
        Ok(account)
    }

    /// Counts a payload until nobody refers to it any more.
    ///
    /// # Errors
    ///
    /// [`MemoryFull`].
    pub(crate) fn keep(
        self: &Arc<Self>,
        account: &Account,
        payload: Bytes,
    ) -> Result<Bytes, MemoryFull> {
        let bytes = cost(&payload) as u64;
        self.grow(account, bytes)?;
        Ok(self.counted(payload, bytes))
    }

    /// The same, as long as there is more than the reserve.
    pub(crate) fn keep_freely(self: &Arc<Self>, payload: Bytes) -> Result<Bytes, Bytes> {
        let bytes = cost(&payload) as u64;
        if self.take(bytes, self.free) { Ok(self.counted(payload, bytes)) } else { Err(payload) }
    }

    fn counted(self: &Arc<Self>, payload: Bytes, bytes: u64) -> Bytes {
        Bytes::from_owner(HeldPayload { payload, bytes, memory: Arc::clone(self) })
    }

    fn grow(&self, account: &Account, bytes: u64) -> Result<(), MemoryFull> {
        if self.take(bytes, self.free) {
            return Ok(());
        }
        let wanted = account.bytes() + bytes;
        if wanted > self.fair_share() && !self.make_room(wanted) {
            return Err(MemoryFull);
        }
        if self.take(bytes, self.limit) { Ok(()) } else { Err(MemoryFull) }
    }

    /// Whether so many bytes could be taken below `limit`.
    fn take(&self, bytes: u64, limit: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|held| *held <= limit);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Cuts the largest connection, for one that is to have `wanted` bytes in all. Whether there is
    /// a larger one, that goes now or is going already.
    pub(crate) fn make_room(&self, wanted: u64) -> bool {
        // Outside the lock, as the last reference to one may be this.
        let open: Vec<_> = lock(&self.accounts).open.values().filter_map(Weak::upgrade).collect();
        let larger = open.iter().filter(|account| account.bytes() > wanted);
        let mut larger: Vec<_> = larger.filter(|account| account.wake.get().is_some()).collect();
        larger.sort_by_key(|account| account.bytes());
        if larger.iter().any(|account| account.is_evicted()) {
            return true;
        }
        let Some(largest) = larger.pop() else {
            return false;
        };
        largest.evict();
        true
    }
}

/// What one connection holds.
pub(crate) struct Account {
    memory: Arc<Memory>,
    id: u64,
    /// Counted in the memory.
    held: AtomicU64,
    /// What the streams that it publishes hold, and what it has of others until that is sent. Their
    /// payloads are counted by themselves.
    streams: AtomicU64,
    /// What every connection of its kind takes.
    base: u64,
    /// Told when it has to go. Only who can go has one.
    wake: OnceLock<Arc<Wake>>,
    is_evicted: AtomicBool,
}

impl Account {
    /// The connection can be told to go, by `wake`, and looks at [`Account::is_evicted`].
    pub(crate) fn may_be_evicted(&self, wake: &Arc<Wake>) {
        let _ = self.wake.set(Arc::clone(wake));
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.is_evicted.load(Ordering::Relaxed)
    }

    fn evict(&self) {
        self.is_evicted.store(true, Ordering::Relaxed);
        if let Some(wake) = self.wake.get() {
            wake.wake();
        }
    }

    /// What would be free without it.
    pub(crate) fn bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed) + self.streams.load(Ordering::Relaxed)
    }

    /// It now holds so many bytes, beside those that it always does.
    ///
    /// # Errors
    ///
    /// [`MemoryFull`]; then it still counts as holding what it did.
    pub(crate) fn hold(&self, bytes: usize) -> Result<(), MemoryFull> {
        let bytes = self.base + bytes as u64;
        let before = self.held.load(Ordering::Relaxed);
        if bytes > before {
            self.memory.grow(self, bytes - before)?;
        } else {
            self.memory.give_back(before - bytes);
        }
        self.held.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// A stream that it publishes or plays makes it hold `now` bytes in place of `before`.
    pub(crate) fn stream_holds(&self, before: usize, now: usize) {
        let change = (now as u64).wrapping_sub(before as u64);
        self.streams.fetch_add(change, Ordering::Relaxed);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.give_back(self.held.load(Ordering::Relaxed));
        lock(&self.memory.accounts).open.remove(&self.id);
    }
}

/// A payload that counts for as long as anybody refers to it.
struct HeldPayload {
    payload: Bytes,
    bytes: u64,
    memory: Arc<Memory>,
}

impl AsRef<[u8]> for HeldPayload {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Drop for HeldPayload {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

/// What a payload takes, in bytes. It has an allocation of its own: a part of a larger message is
/// a copy. Tiny ones must not pass a limit by their number.
pub(crate) fn cost(payload: &Bytes) -> usize {
    payload.len() + PAYLOAD_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(bytes: usize) -> Bytes {
        vec![7; bytes].into()
    }

    #[test]
    fn a_payload_counts_once_until_its_last_reference_is_gone() {
        let memory = Memory::new(1 << 20);
        let account = memory.open(1000).unwrap();
        let kept = memory.keep(&account, payload(5000)).unwrap();
        let (slice, copy) = (kept.slice(..3), kept.clone());
        let all = 1000 + 5000 + PAYLOAD_BYTES as u64;
        assert_eq!(memory.held(), all);
        drop((kept, copy, account));
        assert_eq!((memory.held(), &slice[..]), (all - 1000, &[7; 3][..]));
        drop(slice);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn the_largest_goes_and_the_small_go_on() {
        let memory = Memory::new(1 << 20);
        let wake = Arc::new(Wake::default());
        let accounts: Vec<_> = (0..3).map(|_| memory.open(0).unwrap()).collect();
        accounts.iter().for_each(|account| account.may_be_evicted(&wake));
        let [large, larger, small] = &accounts[..] else { panic!() };
        large.hold(200_000).unwrap();
        larger.hold(500_000).unwrap();
        // The reserve is for those that take little.
        small.hold(memory.fair_share() as usize).unwrap();
        small.hold(memory.fair_share() as usize).unwrap();
        large.hold(300_000).unwrap();
        assert!(larger.is_evicted() && !large.is_evicted() && !small.is_evicted());
        // The largest itself is refused.
        assert_eq!(larger.hold(600_000), Err(MemoryFull));
        // As long as it is going, nobody else has to.
        large.hold(310_000).unwrap();
        assert!(!large.is_evicted());
        drop(accounts);
        assert_eq!(memory.held(), 0);
    }

    proptest! {
        #[test]
        fn the_sum_never_passes_the_limit(steps in prop::collection::vec((0..8_usize, 0..90_000_usize), 1..200)) {
            let memory = Memory::new(400_000);
            let wake = Arc::new(Wake::default());
            let mut accounts: Vec<_> = (0..8).map(|_| memory.open(100)).collect();
            let mut kept = Vec::new();
            for (who, bytes) in steps {
                let Ok(account) = &accounts[who] else { continue };
                account.may_be_evicted(&wake);
                if bytes % 3 == 0 {
                    kept.extend(memory.keep(account, payload(bytes)).ok());
                } else if account.is_evicted() || account.hold(bytes).is_err() {
                    accounts[who] = memory.open(100);
                }
                if bytes % 7 == 0 {
                    kept.clear();
                }
                prop_assert!(memory.held() <= memory.limit());
            }
            drop((accounts, kept));
            prop_assert_eq!(memory.held(), 0);
        }
    }
}
