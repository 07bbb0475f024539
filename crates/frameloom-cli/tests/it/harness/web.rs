//! A small HTTP server: cameras, playlists and files, and what a bad one does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A running server; its connections end with their peers.
pub(crate) struct Web {
    port: u16,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    is_over: Arc<AtomicBool>,
}

/// What was asked for.
pub(crate) struct Request {
    pub(crate) path: String,
    /// How many asked for this path before.
    pub(crate) number: usize,
    /// The first byte that is wanted.
    from: Option<usize>,
}

/// One answer, to be written.
pub(crate) struct Reply<'a>(&'a mut TcpStream);

impl Web {
    /// Answers each request by `answer`, on a thread of its own, and closes the connection.
    pub(crate) fn start(
        answer: impl Fn(&Request, Reply<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let (counts, ended, answer) = (Arc::clone(&asked), Arc::clone(&is_over), Arc::new(answer));
        thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (counts, answer) = (Arc::clone(&counts), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some((path, from)) = head(&mut socket) else { return };
                    let number = {
                        let mut counts = counts.lock().unwrap();
                        let count = counts.entry(path.clone()).or_default();
                        *count += 1;
                        *count - 1
                    };
                    // A peer that left early is for the test to see.
                    let _ = answer(&Request { path, number, from }, Reply(&mut socket));
                    let _ = socket.shutdown(Shutdown::Write);
                });
            }
        });
        Web { port, asked, is_over }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).copied().unwrap_or(0)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // It looks at the next connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Reply<'_> {
    /// A body of known length, or what of it was asked for.
    pub(crate) fn with_length(self, request: &Request, body: &[u8]) -> io::Result<()> {
        let from = request.from.unwrap_or(0).min(body.len());
        let rest = &body[from..];
        let (length, last) = (rest.len(), body.len().saturating_sub(1));
        let status = match request.from {
            Some(_) => {
                format!("206 Partial\r\nContent-Range: bytes {from}-{last}/{}", body.len())
            }
            None => "200 OK".to_owned(),
        };
        write!(
            self.0,
            "HTTP/1.1 {status}\r\nAccept-Ranges: bytes\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        )?;
        self.0.write_all(rest)
    }

    /// A body in chunks, whose length nobody states.
    pub(crate) fn in_chunks(self, body: &[u8]) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        self.0.write_all(head.as_bytes())?;
        for chunk in body.chunks(10_000) {
            write!(self.0, "{:x}\r\n", chunk.len())?;
            self.0.write_all(chunk)?;
            self.0.write_all(b"\r\n")?;
        }
        self.0.write_all(b"0\r\n\r\n")
    }

    /// A body without length; what is written to it ends with the connection.
    /// The beginning of a chunk that is `whole` long; then the connection ends.
    pub(crate) fn cut_in_a_chunk(self, beginning: &[u8], whole: usize) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        self.0.write_all(head.as_bytes())?;
        write!(self.0, "{whole:x}\r\n")?;
        self.0.write_all(beginning)
    }

    pub(crate) fn without_length(self, media: &str) -> io::Result<Body> {
        write!(self.0, "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nConnection: close\r\n\r\n")?;
        Ok(Body(self.0.try_clone()?))
    }

    pub(crate) fn not_found(self) -> io::Result<()> {
        self.0
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }
}

/// A body whose end is the connection's.
pub(crate) struct Body(TcpStream);

impl Body {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Sends JPEG pictures as a camera does, so many a second.
    pub(crate) fn pictures(&mut self, pictures: &[Vec<u8>], rate: u32) -> io::Result<()> {
        let begun = Instant::now();
        for (number, picture) in (0..).zip(pictures) {
            let due = Duration::from_secs(1) * number / rate;
            thread::sleep(due.saturating_sub(begun.elapsed()));
            let length = picture.len();
            let head = "--part\r\nContent-Type: image/jpeg\r\nContent-Length:";
            write!(self.0, "{head} {length}\r\n\r\n")?;
            self.0.write_all(picture)?;
            self.0.write_all(b"\r\n")?;
        }
        Ok(())
    }

    /// Sends FLV as a media server does: its header and the first `burst_ms` at once, the rest at its own
    /// speed.
    pub(crate) fn flv(&mut self, flv: &[u8], burst_ms: u64) -> io::Result<()> {
        let begun = Instant::now();
        // Signature, version, flags, and the length of a tag before the first.
        let (head, mut rest) = flv.split_at(13);
        self.write(head)?;
        while let Some(tag) = rest.get(..11) {
            let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
            let at = number(&tag[4..7]) | u64::from(tag[7]) << 24;
            let length = 11 + number(&tag[1..4]) as usize + 4;
            let due = Duration::from_millis(at.saturating_sub(burst_ms));
            thread::sleep(due.saturating_sub(begun.elapsed()));
            self.write(&rest[..length])?;
            rest = &rest[length..];
        }
        Ok(())
    }

    /// Says nothing more, until the peer has closed the connection.
    pub(crate) fn fall_silent(mut self) {
        let mut rest = [0; 64];
        while matches!(self.0.read(&mut rest), Ok(1..)) {}
    }
}

/// The path of a request, and the first byte that is wanted.
fn head(socket: &mut TcpStream) -> Option<(String, Option<usize>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1)?.to_owned();
    let range = head.lines().find_map(|line| line.strip_prefix("Range: bytes="));
    let from = range.and_then(|range| range.split('-').next()?.parse().ok());
    // libav asks from 0 on for what it takes whole.
    Some((path, from.filter(|from| *from > 0)))
}

/// The pictures of a file of JPEG pictures, one behind the other.
pub(crate) fn jpegs(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).unwrap();
    let starts = bytes.windows(3).enumerate().filter(|(_, at)| at == &[0xFF, 0xD8, 0xFF]);
    let mut starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    starts.push(bytes.len());
    starts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}
