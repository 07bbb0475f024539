//! How the C library's allocator treats the system's memory, for this whole process.

/// Blocks of this size and more are the system's own: they go back as soon as they are freed.
#[cfg(target_env = "gnu")]
const OWN_BLOCK_BYTES: libc::c_int = 64 << 10;

/// From now on, large blocks go back to the system as soon as they are freed.
///
/// By default glibc keeps blocks of up to 32 MiB for later once one of that size was freed
/// (`mallopt(3)`, `M_MMAP_THRESHOLD`): right for a program that takes the same sizes again and
/// again, such as frames. A server whose peers choose the sizes ends up with many holes instead.
/// The price is a system call and new pages for each large block. Other C libraries stay as they
/// are.
pub fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two integers, and locks what it changes.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_BLOCK_BYTES);
    }
}

/// Returns every page that nothing uses to the system: `malloc_trim(3)`. It takes milliseconds, in
/// which other threads wait for memory. Other C libraries than glibc stay as they are.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes an integer, and locks what it changes.
    unsafe {
        libc::malloc_trim(0);
    }
}
