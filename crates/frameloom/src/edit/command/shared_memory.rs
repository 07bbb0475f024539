//! Memory that a COMMAND shares with us, in slots of a frame each.
//!
//! No other file of the folder has unsafe code. A slot has one user at a time. We use it until we write its
//! number to the program. The program then uses it until it writes the number back to us.

#![allow(unsafe_code, reason = "another process has the memory too, which no type can tell")]

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::MmapRaw;

/// Slots of one size, in memory that two processes have.
pub(super) struct SharedMemory {
    file: OwnedFd,
    map: MmapRaw,
    slot_bytes: usize,
    /// The slots that nobody has. The lowest is taken first, so that no more memory is touched than frames
    /// are on their way at once.
    free: Mutex<BTreeSet<u32>>,
}

/// A slot that is in use. Dropped, it is free again.
pub(super) struct Slot {
    memory: Arc<SharedMemory>,
    number: u32,
}

impl SharedMemory {
    /// So many slots of so many bytes. They take up memory once they are written to.
    pub(super) fn new(slots: u32, slot_bytes: usize) -> io::Result<SharedMemory> {
        let bytes = usize::try_from(slots).ok().and_then(|slots| slots.checked_mul(slot_bytes));
        let bytes = bytes.filter(|&bytes| bytes > 0).ok_or(io::ErrorKind::InvalidInput)?;
        let file = sealed_file(bytes as u64)?;
        let map = MmapRaw::map_raw(&file)?;
        Ok(SharedMemory { file, map, slot_bytes, free: Mutex::new((0..slots).collect()) })
    }

    /// The memory, for the program.
    pub(super) fn file(&self) -> io::Result<OwnedFd> {
        self.file.try_clone()
    }

    /// A slot that nobody has; `None` where all are in use.
    pub(super) fn take(self: &Arc<SharedMemory>) -> Option<Slot> {
        let number = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_first()?;
        Some(Slot { memory: Arc::clone(self), number })
    }
}

/// A file in memory, whose size nobody can change.
#[cfg(target_os = "linux")]
fn sealed_file(bytes: u64) -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create(c"frameloom-frames", flags)?;
    ftruncate(&file, bytes)?;
    // A program that made it smaller would have us touch memory that is gone.
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn sealed_file(_: u64) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Slot {
    /// Where it is: its bytes begin at this number times the bytes of a slot.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    fn start(&self) -> *mut u8 {
        let at = self.number as usize * self.memory.slot_bytes;
        // SAFETY: there are more slots than the number says, and the map holds all of them.
        unsafe { self.memory.map.as_mut_ptr().add(at) }
    }

    /// Its bytes, as the program left them.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the slot lies within the map, which lives as long as this. A slot has one owner of ours.
        // The program has given it back. That one which writes on all the same changes bytes behind a
        // shared reference is a risk that we take, for the copy that it saves: what reads them takes each for
        // a sample, which any byte is, and makes no length and no place of one.
        unsafe { std::slice::from_raw_parts(self.start(), self.memory.slot_bytes) }
    }

    /// Its bytes, to be filled before the program hears of it.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.memory.slot_bytes) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut free = self.memory.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_apart_and_the_lowest_is_taken_first() {
        let memory = Arc::new(SharedMemory::new(3, 5).unwrap());
        let mut slots: Vec<Slot> = (0..3).map(|_| memory.take().unwrap()).collect();
        assert!(memory.take().is_none());
        for slot in &mut slots {
            let value = slot.number() as u8 + 1;
            slot.bytes_mut().fill(value);
        }
        let seen: Vec<(u32, Vec<u8>)> =
            slots.iter().map(|slot| (slot.number(), slot.bytes().to_vec())).collect();
        assert_eq!(seen, [(0, vec![1; 5]), (1, vec![2; 5]), (2, vec![3; 5])]);
        slots.remove(2);
        slots.remove(0);
        assert_eq!(memory.take().unwrap().number(), 0);
        assert!(SharedMemory::new(0, 5).is_err());
        assert!(SharedMemory::new(u32::MAX, usize::MAX).is_err());
    }
}
