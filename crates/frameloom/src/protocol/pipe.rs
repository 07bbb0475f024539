//! Raw frames through pipes that are never waited on for ever.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::Errno;

use crate::time::stop::Stop;

/// As large as an unprivileged process may ask for (`/proc/sys/fs/pipe-max-size`).
pub(crate) const PIPE_BYTES: usize = 1 << 20;

/// How long a pipe may stand still once a stop was asked for.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks up from a wait so often.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How a transfer ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// All bytes went through.
    Done,
    /// The other end is closed; so many bytes went through before.
    Closed(usize),
    /// The other end stood still for too long after a stop, or the guard gave it up.
    Stuck,
}

/// Makes our end of a pipe large and non-blocking.
pub(crate) fn prepare(fd: BorrowedFd<'_>) -> std::io::Result<()> {
    // A smaller pipe works too, only with more switches between the two processes.
    let _ = rustix::pipe::fcntl_setpipe_size(fd, PIPE_BYTES);
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

/// Prepares a piped standard input, so that a stop can end a read from it. A terminal or a file is
/// left alone: others may have it open too.
pub(crate) fn prepare_stdin() {
    let stdin = std::io::stdin();
    let is_pipe =
        fstat(stdin.as_fd()).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Fifo);
    if is_pipe {
        // Reads then only can't be interrupted.
        let _ = prepare(stdin.as_fd());
    }
}

/// Knows more of the other end.
pub(crate) trait Guard {
    /// Bytes went through.
    fn moved(&self);

    /// Whether to wait no longer; asked ten times a second.
    fn gives_up(&self) -> bool;
}

/// Counts how long a stopped pipeline has waited without any progress.
struct StallTimer<'a> {
    stop: &'a Stop,
    guard: &'a dyn Guard,
    since: Option<Instant>,
}

impl StallTimer<'_> {
    fn is_over(&mut self) -> bool {
        self.guard.gives_up()
            || self.stop.is_stopped()
                && self.since.get_or_insert_with(Instant::now).elapsed() >= STALL_TIMEOUT
    }

    fn moved(&mut self) {
        self.since = None;
        self.guard.moved();
    }
}

fn wait(
    fd: BorrowedFd<'_>,
    what: PollFlags,
    patience: &mut StallTimer<'_>,
) -> std::io::Result<bool> {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(fd, what)];
        match poll(&mut fds, Some(&TICK)) {
            Ok(0) if patience.is_over() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Writes all of `bytes`.
pub(crate) fn write_all(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    stop: &Stop,
    guard: &dyn Guard,
) -> std::io::Result<Transfer> {
    let mut patience = StallTimer { stop, guard, since: None };
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|r| !r.is_empty()) {
        match rustix::io::write(fd, rest) {
            Ok(n) => {
                written += n;
                patience.moved();
            }
            Err(Errno::PIPE) => return Ok(Transfer::Closed(written)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !wait(fd, PollFlags::OUT, &mut patience)? {
                    return Ok(Transfer::Stuck);
                }
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Transfer::Done)
}

/// What was read of a pipe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// So many bytes.
    Bytes(usize),
    /// The other end is closed.
    Closed,
    /// There is nothing to read now, and nobody waits for more.
    Nothing,
}

/// Reads what is there into `bytes`. Where nothing is, it waits as long as [`read_all`] does, or not at all
/// with `waits` false.
pub(crate) fn read_some(
    fd: BorrowedFd<'_>,
    bytes: &mut [u8],
    waits: bool,
    stop: &Stop,
    guard: &dyn Guard,
) -> std::io::Result<Piece> {
    let mut patience = StallTimer { stop, guard, since: None };
    loop {
        match rustix::io::read(fd, &mut *bytes) {
            Ok(0) => return Ok(Piece::Closed),
            Ok(n) => {
                patience.moved();
                return Ok(Piece::Bytes(n));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if !waits => return Ok(Piece::Nothing),
            Err(Errno::AGAIN) => {
                if !wait(fd, PollFlags::IN, &mut patience)? {
                    return Ok(Piece::Nothing);
                }
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Fills `bytes`; `seen` is called with each piece as it comes, and where it starts.
pub(crate) fn read_all(
    fd: BorrowedFd<'_>,
    bytes: &mut [u8],
    stop: &Stop,
    guard: &dyn Guard,
    mut seen: impl FnMut(usize, &[u8]),
) -> std::io::Result<Transfer> {
    let mut patience = StallTimer { stop, guard, since: None };
    let mut filled = 0;
    while filled < bytes.len() {
        let Some(rest) = bytes.get_mut(filled..) else { break };
        match rustix::io::read(fd, &mut *rest) {
            Ok(0) => return Ok(Transfer::Closed(filled)),
            Ok(n) => {
                seen(filled, rest.get(..n).unwrap_or_default());
                filled += n;
                patience.moved();
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !wait(fd, PollFlags::IN, &mut patience)? {
                    return Ok(Transfer::Stuck);
                }
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Transfer::Done)
}

/// Bytes in a pipe that its other end has not read yet.
pub(crate) fn unread(fd: BorrowedFd<'_>) -> u64 {
    rustix::io::ioctl_fionread(fd).unwrap_or(0)
}

/// Whether nobody reads from the pipe any more.
pub(crate) fn is_broken(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(n) if n > 0)
}

/// Whether there is something to read, or the other end is closed.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(n) if n > 0)
}

/// Whether the path names a pipe.
pub(crate) fn is_fifo(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Fifo)
}

/// Opens a named pipe and waits for the other end, until a stop; `None` then. An ordinary open
/// would wait for ever, deaf to everything.
pub(crate) fn open_fifo(
    path: &Path,
    reading: bool,
    stop: &Stop,
) -> std::io::Result<Option<OwnedFd>> {
    let access = if reading { OFlags::RDONLY } else { OFlags::WRONLY };
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
    while !stop.is_stopped() {
        let fd = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => fd,
            // Nobody reads yet.
            Err(Errno::NXIO | Errno::INTR) => {
                stop.wait(Duration::from_millis(50));
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        // A smaller pipe works too.
        let _ = rustix::pipe::fcntl_setpipe_size(&fd, PIPE_BYTES);
        while reading && !is_readable(fd.as_fd()) {
            if stop.is_stopped() {
                return Ok(None);
            }
            stop.wait(Duration::from_millis(20));
        }
        return Ok(Some(fd));
    }
    Ok(None)
}
