//! `frameloom serve FILE`: the server, its API, and the processes it starts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::nginx::free_port;
use super::run::{Outcome, Running, frameloom, wait_until};

/// A server with the pipelines of a file; killed with all of them when it is dropped.
pub(crate) struct Fleet {
    running: Running,
    room: tempfile::TempDir,
    pub(crate) ports: Ports,
    token: Option<String>,
}

/// Where a server listens.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) rtmp: u16,
    pub(crate) http: u16,
}

impl Ports {
    pub(crate) fn url(self, name: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{name}", self.rtmp)
    }
}

/// What HTTP answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {}\n{text}", self.head))
    }

    /// It is a problem with this status; what it says is returned.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}\n{text}", self.head);
        assert!(self.head.contains("application/problem+json"), "{}", self.head);
        assert_eq!(self.json()["status"], status);
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

impl Fleet {
    /// Starts a server with a file that `file` writes for its ports.
    pub(crate) fn start(file: impl Fn(Ports) -> String) -> Fleet {
        Fleet::start_with(None, file)
    }

    /// As `start`, with a token for the API.
    pub(crate) fn start_with(token: Option<&str>, file: impl Fn(Ports) -> String) -> Fleet {
        // Someone else may take a port between our asking and the server's binding.
        let started = (0..10).find_map(|_| Fleet::try_start(token, &file));
        started.expect("the server found no free ports")
    }

    /// `frameloom demo` with these words, once its camera is there.
    pub(crate) fn demo(words: Vec<OsString>) -> Fleet {
        let room = super::room();
        let mut args = args!["demo"];
        args.extend(words);
        let mut running = frameloom(args).cwd(room.path()).limit_s(600).spawn();
        let mut ports = None;
        wait_until("the demo says where it is", || {
            let said = running.stderr();
            let port = |before: &str, after: char| {
                let (_, rest) = said.split_once(before)?;
                rest.split_once(after)?.0.parse().ok()
            };
            let http = port("page: http://127.0.0.1:", '/');
            ports = http.zip(port("camera: rtmp://127.0.0.1:", '/'));
            ports.is_some() || !running.is_running()
        });
        let Some((http, rtmp)) = ports else { panic!("no demo: {}", running.stderr()) };
        Fleet { running, room, ports: Ports { rtmp, http }, token: None }
    }

    fn try_start(token: Option<&str>, file: &dyn Fn(Ports) -> String) -> Option<Fleet> {
        let room = super::room();
        let ports = Ports { rtmp: free_port(), http: free_port() };
        let path = room.path().join("fleet.toml");
        fs::write(&path, file(ports)).unwrap();
        let running = serve(&path, ports, token)?;
        Some(Fleet { running, room, ports, token: token.map(str::to_owned) })
    }

    /// Ends the server, has `meanwhile` done, and starts it again where it was.
    pub(crate) fn restart(&mut self, meanwhile: impl FnOnce()) {
        self.signal("TERM");
        wait_until("the server ends", || !self.running.is_running());
        meanwhile();
        let again = serve(&self.file(), self.ports, self.token.as_deref());
        self.running = again.expect("the server's ports were taken");
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.room.path().join("fleet.toml")
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.ports.url(name)
    }

    pub(crate) fn flv(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/live/{name}.flv", self.ports.http)
    }

    pub(crate) fn said(&self) -> String {
        self.running.stderr()
    }

    pub(crate) fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    pub(crate) fn wait(self) -> Outcome {
        self.running.wait()
    }

    /// A request with these header lines, each with its line's end.
    pub(crate) fn request(&self, method: &str, path: &str, more: &str, body: &str) -> Answer {
        let host = format!("127.0.0.1:{}", self.ports.http);
        let mut socket = TcpStream::connect(&host).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let token = self.token.as_ref().filter(|_| !more.contains("Authorization"));
        let token = token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
        let host_line =
            if more.contains("Host:") { String::new() } else { format!("Host: {host}\r\n") };
        let length = body.len();
        let sent = write!(
            socket,
            "{method} {path} HTTP/1.1\r\n{host_line}Connection: close\r\n{token}{more}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        // A server that refuses a long body need not read it.
        let _ = sent;
        let mut all = Vec::new();
        let _ = socket.read_to_end(&mut all);
        let end = all.windows(4).position(|at| at == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer to {method} {path}"));
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let rest = &all[end + 4..];
        let body = if chunked { unchunked(rest) } else { rest.to_vec() };
        Answer { status, head, body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "", "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.request(method, path, "Content-Type: application/json\r\n", &body.to_string())
    }

    /// A pipeline as the API shows it.
    #[track_caller]
    pub(crate) fn pipeline(&self, name: &str) -> Value {
        let answer = self.get(&format!("/api/v1/pipelines/{name}"));
        assert_eq!(answer.status, 200, "{name}: {}", answer.head);
        answer.json()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let begun = Instant::now();
        loop {
            last.clone_from(&self.pipeline(name));
            if is_so(&last) {
                return last;
            }
            let said = self.said();
            let waited = begun.elapsed() < Duration::from_secs(60);
            assert!(waited, "{name} is never {what}: {last:#}\n{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub(crate) fn wait_for_state(&self, name: &str, state: &str) -> Value {
        self.wait_for(name, state, |pipeline| pipeline["state"] == state)
    }

    /// All that it started, and what that started, by their numbers.
    pub(crate) fn descendants(&self) -> Vec<u32> {
        let mut parents: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some(parent) = stat(pid).map(|(_, parent)| parent) {
                parents.entry(parent).or_default().push(pid);
            }
        }
        let mut found = Vec::new();
        let mut next = vec![self.running.id()];
        while let Some(pid) = next.pop() {
            let children = parents.get(&pid).cloned().unwrap_or_default();
            found.extend(&children);
            next.extend(children);
        }
        found
    }
}

/// Starts a server with the pipelines of the file at `path`. `None` where a port is taken.
fn serve(path: &Path, ports: Ports, token: Option<&str>) -> Option<Running> {
    let mut args = args!["serve", path];
    args.push(format!("--rtmp-listen=127.0.0.1:{}", ports.rtmp).into());
    args.push(format!("--http-listen=127.0.0.1:{}", ports.http).into());
    let mut run = frameloom(args).limit_s(600).env("CAMERA_KEY", "sesame-7531");
    if let Some(token) = token {
        run = run.env("FRAMELOOM_API_TOKEN", token);
    }
    let mut running = run.spawn();
    let mut is_up = false;
    wait_until("the server starts", || {
        is_up = running.stderr().contains("status, metrics:");
        is_up || !running.is_running()
    });
    let said = running.stderr();
    assert!(is_up || said.contains("in use"), "the server did not start: {said}");
    is_up.then_some(running)
}

/// Whether a process runs; one that nobody waited for has ended.
pub(crate) fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// A process's state and its parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// A body in pieces, each behind its length.
pub(crate) fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|at| at == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        let from = end + 2;
        if length == 0 || rest.len() < from + length {
            break;
        }
        body.extend_from_slice(&rest[from..from + length]);
        rest = rest.get(from + length + 2..).unwrap_or_default();
    }
    body
}
