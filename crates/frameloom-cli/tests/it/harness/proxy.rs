//! A TCP proxy on a loopback port, each of whose directions a test can break while bytes flow.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Rng;
use super::nginx::free_port;

/// How often a direction that has nothing to do looks at what the test wants of it.
const LOOK: Duration = Duration::from_millis(5);

/// What a direction holds back at the most, so that a slow receiver slows its sender.
const HELD_BYTES: usize = 64 * 1024;

/// As above, where bytes are delayed: they have to be somewhere meanwhile.
const DELAYED_BYTES: usize = 16 * 1024 * 1024;

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// From whoever connected to the proxy.
    Up = 0,
    /// To whoever connected to the proxy.
    Down = 1,
}

/// What is wrong with a direction.
#[derive(Clone, Copy, Default)]
struct Fault {
    stalled: bool,
    delay: Duration,
    bytes_per_s: Option<u64>,
    corruption: Option<Corruption>,
    /// A connection that has carried so many bytes is closed.
    most_bytes: Option<u64>,
}

/// Bytes that are replaced by others.
#[derive(Clone, Copy)]
struct Corruption {
    /// Of a million bytes.
    share: u64,
    /// The bytes at the start of each connection that are left as they are.
    spared_bytes: u64,
    seed: u64,
}

/// How connections are to be ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Fin,
    Reset,
}

/// One connection: the socket of whoever connected, and the one to the target.
struct Link {
    sockets: [TcpStream; 2],
    end: Mutex<Option<End>>,
    directions_open: AtomicUsize,
}

impl Link {
    fn end(&self, how: End) {
        let mut end = self.end.lock().unwrap();
        if end.is_some() {
            return;
        }
        *end = Some(how);
        for socket in &self.sockets {
            if how == End::Reset {
                // With no time to linger, closing is a reset; the last handle does it.
                rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)).ok();
            } else {
                socket.shutdown(Shutdown::Both).ok();
            }
        }
    }

    fn is_ended(&self) -> bool {
        self.end.lock().unwrap().is_some()
    }
}

struct Shared {
    target: u16,
    faults: Mutex<[Fault; 2]>,
    links: Mutex<Vec<Arc<Link>>>,
    refuses: AtomicBool,
    closed: AtomicBool,
    accepted: AtomicUsize,
    carried_bytes: [AtomicU64; 2],
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The proxy; all its connections end with it.
pub(crate) struct Proxy {
    port: u16,
    listener: TcpListener,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy that connects to `target`, a port of 127.0.0.1, for each connection it gets.
    pub(crate) fn to(target: u16) -> Proxy {
        // A port that is bound by its number stays bound while nobody listens.
        let listener = (0..10).find_map(|_| TcpListener::bind(("127.0.0.1", free_port())).ok());
        let listener = listener.expect("the proxy found no free port");
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target,
            faults: Mutex::default(),
            links: Mutex::default(),
            refuses: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            carried_bytes: [AtomicU64::new(0), AtomicU64::new(0)],
            threads: Mutex::default(),
        });
        let (of_thread, door) = (Arc::clone(&shared), listener.try_clone().unwrap());
        let acceptor = thread::spawn(move || accept(&door, &of_thread));
        Proxy { port, listener, shared, acceptor: Some(acceptor) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were taken so far.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many bytes went this way so far.
    pub(crate) fn carried_bytes(&self, way: Way) -> u64 {
        self.shared.carried_bytes[way as usize].load(Ordering::SeqCst)
    }

    /// Closes every connection properly, on both sides. New ones are taken.
    pub(crate) fn cut(&self) {
        self.end_all(End::Fin);
    }

    /// Resets every connection, on both sides. New ones are taken.
    pub(crate) fn reset(&self) {
        self.end_all(End::Reset);
    }

    fn end_all(&self, how: End) {
        for link in self.shared.links.lock().unwrap().drain(..) {
            link.end(how);
        }
    }

    /// Moves no more bytes this way. Connections stay, and new ones are taken and stall too.
    pub(crate) fn stall(&self, way: Way) {
        self.change(way, |fault| fault.stalled = true);
    }

    /// Each byte arrives so much later.
    pub(crate) fn delay(&self, way: Way, delay: Duration) {
        self.change(way, |fault| fault.delay = delay);
    }

    /// No more than so many bytes go this way in a second.
    pub(crate) fn throttle(&self, way: Way, bytes_per_s: u64) {
        self.change(way, |fault| fault.bytes_per_s = Some(bytes_per_s));
    }

    /// Of a million bytes `share` become others, behind the first `spared_bytes` of a connection.
    pub(crate) fn corrupt(&self, way: Way, share: u64, spared_bytes: u64, seed: u64) {
        let corruption = Corruption { share, spared_bytes, seed };
        self.change(way, |fault| fault.corruption = Some(corruption));
    }

    /// Each connection is closed once it has carried so many bytes this way. New ones are taken.
    pub(crate) fn cut_after(&self, way: Way, bytes: u64) {
        self.change(way, |fault| fault.most_bytes = Some(bytes));
    }

    /// Refuses new connections; those there are stay.
    pub(crate) fn refuse(&self) {
        self.shared.refuses.store(true, Ordering::SeqCst);
        // On Linux this ends the listening and keeps the port.
        rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Read).unwrap();
    }

    /// Everything is as it was; what waits goes on, but for what was cut or reset.
    pub(crate) fn heal(&self) {
        *self.shared.faults.lock().unwrap() = [Fault::default(); 2];
        if self.shared.refuses.swap(false, Ordering::SeqCst) {
            rustix::net::listen(&self.listener, 64).unwrap();
        }
    }

    fn change(&self, way: Way, change: impl FnOnce(&mut Fault)) {
        change(&mut self.shared.faults.lock().unwrap()[way as usize]);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.end_all(End::Fin);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().ok();
        }
        // One that was accepted in between.
        self.end_all(End::Fin);
        for thread in self.shared.threads.lock().unwrap().drain(..) {
            thread.join().ok();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.closed.load(Ordering::SeqCst) {
        // Also while it refuses: then nobody can be there.
        let Ok((near, _)) = listener.accept() else {
            thread::sleep(LOOK);
            continue;
        };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        // Whoever connected sees the connection end where there is no target.
        let Ok(far) = TcpStream::connect(("127.0.0.1", shared.target)) else { continue };
        for socket in [&near, &far] {
            socket.set_nonblocking(false).unwrap();
            socket.set_nodelay(true).unwrap();
            socket.set_read_timeout(Some(LOOK)).unwrap();
            socket.set_write_timeout(Some(LOOK)).unwrap();
        }
        let link = Arc::new(Link {
            sockets: [near, far],
            end: Mutex::new(None),
            directions_open: AtomicUsize::new(2),
        });
        shared.links.lock().unwrap().push(Arc::clone(&link));
        for way in [Way::Up, Way::Down] {
            let (shared, link) = (Arc::clone(shared), Arc::clone(&link));
            let of_thread = Arc::clone(&shared);
            let thread =
                thread::spawn(move || Direction::new(way, number).carry(&link, &of_thread));
            shared.threads.lock().unwrap().push(thread);
        }
    }
}

/// The bytes of one connection that go one way.
struct Direction {
    way: Way,
    number: usize,
    waiting: VecDeque<(Instant, Vec<u8>)>,
    waiting_bytes: usize,
    read_bytes: u64,
    written_bytes: u64,
    random: Option<Rng>,
    /// When the throttle last let bytes through, and what it would let through since.
    paced: Instant,
}

impl Direction {
    fn new(way: Way, number: usize) -> Direction {
        Direction {
            way,
            number,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            read_bytes: 0,
            written_bytes: 0,
            random: None,
            paced: Instant::now(),
        }
    }

    fn carry(mut self, link: &Link, shared: &Shared) {
        let (from, to) = match self.way {
            Way::Up => (&link.sockets[0], &link.sockets[1]),
            Way::Down => (&link.sockets[1], &link.sockets[0]),
        };
        let mut ended = false;
        while !(link.is_ended() || ended && self.waiting.is_empty()) {
            let fault = shared.faults.lock().unwrap()[self.way as usize];
            let room = if fault.delay.is_zero() { HELD_BYTES } else { DELAYED_BYTES };
            if fault.stalled {
                thread::sleep(LOOK);
                continue;
            }
            if ended || self.waiting_bytes >= room {
                thread::sleep(LOOK);
            } else {
                ended = self.read(from, &fault);
            }
            // Held while it writes: once a test has stalled this way, not a byte more moves.
            let faults = shared.faults.lock().unwrap();
            let fault = faults[self.way as usize];
            let taken = fault.stalled || self.write(to, &fault, shared);
            drop(faults);
            if !taken {
                link.end(End::Fin);
            }
        }
        // What the sender closed is closed for the receiver too, and the other way stays open.
        if !link.is_ended() {
            to.shutdown(Shutdown::Write).ok();
        }
        if link.directions_open.fetch_sub(1, Ordering::SeqCst) == 1 {
            // The last handles go, and with them the sockets.
            shared.links.lock().unwrap().retain(|one| !std::ptr::eq(Arc::as_ptr(one), link));
        }
    }

    /// Reads what there is; true at the end.
    fn read(&mut self, mut from: &TcpStream, fault: &Fault) -> bool {
        let mut bytes = vec![0; 16 * 1024];
        match from.read(&mut bytes) {
            Ok(0) => true,
            Ok(count) => {
                bytes.truncate(count);
                if let Some(corruption) = fault.corruption {
                    self.corrupt(&mut bytes, corruption);
                }
                self.read_bytes += count as u64;
                self.waiting_bytes += count;
                self.waiting.push_back((Instant::now() + fault.delay, bytes));
                false
            }
            Err(error) => !is_patience(error.kind()),
        }
    }

    fn corrupt(&mut self, bytes: &mut [u8], corruption: Corruption) {
        let seed = corruption.seed ^ (self.number as u64) << 32;
        let random = self.random.get_or_insert_with(|| Rng::new(seed));
        for (at, byte) in (self.read_bytes..).zip(bytes) {
            if at >= corruption.spared_bytes && random.below(1_000_000) < corruption.share {
                *byte ^= random.between(1, 255) as u8;
            }
        }
    }

    /// Writes what is due; false where nobody takes it any more.
    fn write(&mut self, mut to: &TcpStream, fault: &Fault, shared: &Shared) -> bool {
        while let Some((due, bytes)) = self.waiting.front_mut() {
            let now = Instant::now();
            let mut allowed = bytes.len();
            if let Some(most) = fault.most_bytes {
                let left = most.saturating_sub(self.written_bytes);
                if left == 0 {
                    return false;
                }
                allowed = allowed.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
            if let Some(rate) = fault.bytes_per_s {
                // No credit is given for longer than a tenth of a second.
                let credit = now.duration_since(self.paced).min(Duration::from_millis(100));
                allowed = allowed.min((credit.as_secs_f64() * rate as f64) as usize);
            }
            if *due > now || allowed == 0 {
                return true;
            }
            match to.write(&bytes[..allowed]) {
                Ok(count) => {
                    self.paced = now;
                    self.waiting_bytes -= count;
                    self.written_bytes += count as u64;
                    shared.carried_bytes[self.way as usize]
                        .fetch_add(count as u64, Ordering::SeqCst);
                    if count == bytes.len() {
                        self.waiting.pop_front();
                    } else {
                        bytes.drain(..count);
                    }
                }
                Err(error) => return is_patience(error.kind()),
            }
        }
        true
    }
}

fn is_patience(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
