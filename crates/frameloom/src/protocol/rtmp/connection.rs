//! One connection to an RTMP server: the session's run loop on a socket.

use std::collections::VecDeque;
use std::io::{ErrorKind as IoErrorKind, IoSlice};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use frameloom_rtmp::auth::Challenge;
use frameloom_rtmp::{ClientConfig, ClientEvent, ClientRole, ClientSession, MediaType};

use crate::protocol::rtmp::endpoint::Endpoint;
use crate::protocol::rtmp::fault::ConnectionFault;
use crate::protocol::rtmp::socket::{Socket, WaitLimit};
use crate::time::stop::Stop;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// Pieces written at once.
const PIECES: usize = 32;

/// How long the other end may take to read the last bytes and to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long it takes until a stopped pipeline leaves a server that doesn't read any more.
const LAST_WORDS: Duration = Duration::from_millis(1200);

/// How often a server that we publish to is asked whether it still reads, and how long it may take
/// to answer.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(7);

/// Further than any limit here.
const FAR: Duration = Duration::from_secs(3600);

/// Without a user's name, then with a challenge.
const AUTH_ROUNDS: usize = 2;

/// An open connection, on which a stream is published or played.
pub(super) struct ClientConnection {
    socket: Socket,
    session: ClientSession,
    outgoing: VecDeque<Bytes>,
    read: Box<[u8]>,
    stop: Stop,
    /// From then on what goes on is to be finished in spite of a stop.
    outlives_stop: bool,
    /// When what goes on in spite of a stop has to be over.
    last: Option<Instant>,
    /// The server closed its side.
    at_end: bool,
    /// Enhanced RTMP's codecs that the server says it knows.
    four_ccs: Vec<String>,
    pulse: PingState,
}

/// Whether the server still reads what we publish. Bytes that the network takes say little: they
/// may fill the buffers of both ends for a minute, and nobody reads them.
#[derive(Default)]
struct PingState {
    /// The server has answered a ping: from then on it owes an answer to each.
    answers: bool,
    asked: Option<Instant>,
    next: Option<Instant>,
}

impl PingState {
    /// Whether to ask at `now`.
    fn is_due(&self, now: Instant) -> bool {
        self.asked.is_none() && self.next.is_none_or(|next| now >= next)
    }

    fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    fn answered(&mut self, now: Instant) {
        self.answers = true;
        self.asked = None;
        self.next = Some(now + PING_INTERVAL);
    }

    /// Whether an answer is overdue.
    fn is_lost(&self, now: Instant) -> bool {
        let waited = self.asked.map(|asked| now.saturating_duration_since(asked));
        self.answers && waited.is_some_and(|waited| waited >= PING_TIMEOUT)
    }
}

impl ClientConnection {
    /// Connects and waits until the server lets the stream begin.
    pub(crate) fn open(
        endpoint: &Endpoint,
        role: ClientRole,
        limit: Duration,
        stop: &Stop,
    ) -> Result<ClientConnection, ConnectionFault> {
        let begun = Instant::now();
        let mut answer: Option<Challenge> = None;
        let mut rounds = 0;
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            let limits = WaitLimit { limit, ..WaitLimit::new(Some(stop), left) };
            let config = endpoint.config(role, answer.as_ref());
            let mut connection = ClientConnection::connect(endpoint, config, limits, stop)?;
            match connection.wait_for_start(limits)? {
                StreamStart::Begun => return Ok(connection),
                StreamStart::Refused { code, description, challenge } => {
                    let wants_credentials = challenge.is_some();
                    if wants_credentials && endpoint.has_credentials() && rounds < AUTH_ROUNDS {
                        answer = challenge;
                        rounds += 1;
                        continue;
                    }
                    return Err(ConnectionFault::Refused { code, description, wants_credentials });
                }
            }
        }
    }

    fn connect(
        endpoint: &Endpoint,
        config: ClientConfig,
        limits: WaitLimit<'_>,
        stop: &Stop,
    ) -> Result<ClientConnection, ConnectionFault> {
        let tls = endpoint.tls()?;
        Ok(ClientConnection {
            socket: Socket::connect(endpoint.host(), endpoint.port(), tls.as_ref(), limits)?,
            session: ClientSession::new(config),
            outgoing: VecDeque::new(),
            read: vec![0; READ_BYTES].into_boxed_slice(),
            stop: stop.clone(),
            outlives_stop: false,
            last: None,
            at_end: false,
            four_ccs: Vec::new(),
            pulse: PingState::default(),
        })
    }

    fn wait_for_start(&mut self, limits: WaitLimit<'_>) -> Result<StreamStart, ConnectionFault> {
        loop {
            match self.event(limits)? {
                Some(ClientEvent::Started) => return Ok(StreamStart::Begun),
                Some(ClientEvent::Connected(server)) => self.four_ccs = server.four_ccs,
                Some(ClientEvent::Refused { code, description, challenge }) => {
                    let description = description.expose().to_owned();
                    return Ok(StreamStart::Refused { code, description, challenge });
                }
                Some(ClientEvent::Ended { code }) => return Err(ConnectionFault::ended(&code)),
                Some(_) => {}
                None => return Err(ConnectionFault::Closed(IoErrorKind::UnexpectedEof.into())),
            }
        }
    }

    /// Whether the server says that it knows a codec of Enhanced RTMP.
    pub(crate) fn knows(&self, four_cc: [u8; 4]) -> bool {
        self.four_ccs.iter().any(|known| known == "*" || known.as_bytes() == four_cc)
    }

    /// The next event of a stream that is played; `None` once the server has closed its side.
    /// Waits for `limit` at most.
    pub(crate) fn next(&mut self, limit: Duration) -> Result<Option<ClientEvent>, ConnectionFault> {
        let stop = self.stop.clone();
        self.event(WaitLimit::new((!self.outlives_stop).then_some(&stop), limit))
    }

    /// Sends media of a stream that is published. Where the server takes nothing for `limit`, it
    /// has failed.
    pub(crate) fn send(
        &mut self,
        kind: MediaType,
        timestamp_ms: u64,
        payload: Bytes,
        limit: Duration,
    ) -> Result<(), ConnectionFault> {
        self.session.send_media(kind, timestamp_ms, payload).map_err(ConnectionFault::Protocol)?;
        let now = Instant::now();
        if self.pulse.is_lost(now) {
            return Err(ConnectionFault::TimedOut(PING_TIMEOUT));
        }
        if self.pulse.is_due(now) {
            self.session.ping(timestamp_ms as u32).map_err(ConnectionFault::Protocol)?;
            self.pulse.asked(now);
        }
        self.write_out(limit)?;
        self.handle_server_events()
    }

    /// From now on a stop doesn't end what goes on.
    pub(crate) fn outlive_stop(&mut self) {
        self.outlives_stop = true;
    }

    /// Says goodbye, and waits a little for the other end to have read everything: closing before
    /// it has could take from it what is still on the way.
    pub(crate) fn finish(mut self) -> Result<(), ConnectionFault> {
        self.session.finish().map_err(ConnectionFault::Protocol)?;
        self.outlives_stop = true;
        self.write_out(CLOSE_TIMEOUT)?;
        self.socket.end_writing();
        let limits = WaitLimit::new(None, CLOSE_TIMEOUT);
        while !self.at_end {
            match self.turn(limits) {
                Ok(()) => {}
                // Everything was written: how the other end closes is its own affair.
                Err(_) => break,
            }
            while self.session.poll_event().is_some() {}
        }
        Ok(())
    }

    /// What the server says while we publish: only an end matters.
    fn handle_server_events(&mut self) -> Result<(), ConnectionFault> {
        self.read_some()?;
        while let Some(event) = self.session.poll_event() {
            match event {
                ClientEvent::Pong(_) => self.pulse.answered(Instant::now()),
                ClientEvent::Ended { code } => return Err(ConnectionFault::ended(&code)),
                ClientEvent::Refused { code, description, challenge } => {
                    return Err(ConnectionFault::Refused {
                        code,
                        description: description.expose().to_owned(),
                        wants_credentials: challenge.is_some(),
                    });
                }
                _ => {}
            }
        }
        if self.at_end {
            return Err(ConnectionFault::Closed(IoErrorKind::ConnectionReset.into()));
        }
        Ok(())
    }

    fn event(&mut self, limits: WaitLimit<'_>) -> Result<Option<ClientEvent>, ConnectionFault> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Ok(Some(event));
            }
            if self.at_end {
                return Ok(None);
            }
            self.turn(limits)?;
        }
    }

    /// Writes until nothing waits. The limit is on standing still.
    fn write_out(&mut self, limit: Duration) -> Result<(), ConnectionFault> {
        let stop = self.stop.clone();
        loop {
            let before = self.waiting_bytes();
            let mut limits = WaitLimit::new((!self.outlives_stop).then_some(&stop), limit);
            loop {
                limits.until = limits.until.min(self.last_moment());
                self.write_some()?;
                let waiting = self.waiting_bytes();
                if waiting == 0 && !self.socket.holds_back() {
                    return Ok(());
                }
                if waiting < before {
                    break;
                }
                self.socket.wait(true, limits)?;
                self.read_some()?;
                if self.at_end {
                    return Err(ConnectionFault::Closed(IoErrorKind::ConnectionReset.into()));
                }
            }
        }
    }

    /// Once a stop was asked for, what goes on all the same may not take long.
    fn last_moment(&mut self) -> Instant {
        let now = Instant::now();
        if self.outlives_stop && self.stop.is_stopped() {
            return *self.last.get_or_insert(now + LAST_WORDS);
        }
        now + FAR
    }

    fn waiting_bytes(&self) -> usize {
        self.session.output_bytes() + self.outgoing.iter().map(Bytes::len).sum::<usize>()
    }

    /// Moves what can be moved either way; where nothing can, waits a tick.
    fn turn(&mut self, limits: WaitLimit<'_>) -> Result<(), ConnectionFault> {
        self.write_some()?;
        if !self.read_some()? && !self.at_end {
            let write = !self.outgoing.is_empty() || self.socket.holds_back();
            self.socket.wait(write, limits)?;
        }
        Ok(())
    }

    fn read_some(&mut self) -> Result<bool, ConnectionFault> {
        match self.socket.read(&mut self.read)? {
            None => Ok(false),
            Some(0) => {
                self.at_end = true;
                Ok(true)
            }
            Some(count) => {
                let bytes = self.read.get(..count).unwrap_or_default();
                self.session.receive(bytes).map_err(ConnectionFault::Protocol)?;
                Ok(true)
            }
        }
    }

    fn write_some(&mut self) -> Result<(), ConnectionFault> {
        loop {
            while self.outgoing.len() < PIECES {
                let Some(piece) = self.session.poll_output() else { break };
                self.outgoing.push_back(piece);
            }
            if self.outgoing.is_empty() {
                return self.socket.flush();
            }
            let mut slices = [IoSlice::new(&[]); PIECES];
            for (slice, piece) in slices.iter_mut().zip(&self.outgoing) {
                *slice = IoSlice::new(piece);
            }
            let count = self.outgoing.len().min(PIECES);
            let slices = slices.get(..count).unwrap_or_default();
            match self.socket.write(slices)? {
                None => return Ok(()),
                Some(0) => return Err(ConnectionFault::Closed(IoErrorKind::WriteZero.into())),
                Some(written) => self.written(written),
            }
        }
    }

    fn written(&mut self, mut count: usize) {
        while let Some(piece) = self.outgoing.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.outgoing.pop_front();
        }
    }
}

enum StreamStart {
    Begun,
    Refused { code: String, description: String, challenge: Option<Challenge> },
}
