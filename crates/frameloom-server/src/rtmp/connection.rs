//! The state of one connection, and its turns: read, ask, pull, write, close.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use frameloom_rtmp::{
    ConnectRequest, Error, Secret, ServerEvent, ServerSession,
    ServerSessionConfig as SessionConfig, StreamKey,
};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::end::CloseReason;
use super::role::Role;
use crate::access::{AccessVerdict, Decision};
use crate::caps::Permit;
use crate::counters::Reason;
use crate::io::{Io, give_way};
use crate::outgoing::poll_write;
use crate::relay::name::split;
use crate::relay::wake::Direct;
use crate::shared::{Enrolled, Phase, ServerState, shown};
use crate::visitor::{Action, Visitor};

/// Bytes of one read. They are on the stack, so a connection that is idle holds none.
const READ_BYTES: usize = 32 << 10;
/// Reads before other connections get their turn.
const READS: usize = 2;
/// With so many bytes waiting to be written, a client is not read from.
const FULL_BYTES: usize = 1 << 20;
/// With so much of it that is not shared with others, that is of answers and not of media.
const ANSWER_BYTES: usize = 128 << 10;
/// What a client that does not publish may make us hold of messages that are not complete, or wait
/// for a callback's word.
const INPUT_BYTES: usize = 256 << 10;
/// With so much that waits for a callback's word, a client is not read from.
const WAITING_BYTES: usize = 64 << 10;
/// With so many bytes waiting to be written, players pull no more.
pub(super) const PULL_BYTES: usize = 64 << 10;
/// Writes before other connections get their turn.
const WRITES: usize = 16;
/// How long a closed connection waits for the client to close too, so that what was written last
/// is not lost.
const LINGER: Duration = Duration::from_secs(1);

/// A connection, and what its message streams do.
pub(super) struct Connection {
    pub(super) shared: Arc<ServerState>,
    pub(super) permit: Permit,
    pub(super) enrolled: Enrolled,
    pub(super) io: Io,
    pub(super) session: ServerSession,
    client: Option<Box<ConnectedClient>>,
    /// What each message stream does. Few connections have more than one.
    pub(super) roles: SmallVec<[(u32, Role); 1]>,
    /// Used for reading alone.
    pub(super) input_waker: Waker,
    /// There may be input: the last read did not say that there is none, or the waker said so.
    pub(super) may_read: bool,
    pub(super) timer: Pin<Box<Sleep>>,
    /// When the task began to run this time.
    pub(super) now: Instant,
    pub(super) handshake_deadline: Instant,
    /// Since when no message stream does anything.
    pub(super) idle_since: Instant,
    /// Since when the client takes nothing of what waits for it.
    pub(super) blocked_since: Option<Instant>,
    /// No time-out is judged before this.
    pub(super) grace: Option<Instant>,
    /// What waited to be written when the task last ran, in bytes.
    pinned_bytes: usize,
    pub(super) flushing: bool,
    pub(super) draining: bool,
    /// What went wrong while the task did not run.
    pub(super) failed: Option<CloseReason>,
    pub(super) closing: Option<Closing>,
    /// Whether it ever published or played.
    pub(super) was_of_use: bool,
}

/// What the client said in `connect`.
struct ConnectedClient {
    query: Secret,
    tc_url: Secret,
    name: Arc<str>,
}

/// What is left to do for a connection that ends.
pub(super) struct Closing {
    end: CloseReason,
    pub(super) deadline: Instant,
    /// Our side is closed; what the client still sends is dropped.
    shut: bool,
}

/// Why no more is written for now.
enum WriteState {
    /// There is nothing.
    All,
    /// The client takes no more.
    Blocked,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<ServerState>,
        permit: Permit,
        io: Io,
        deadline: Instant,
        direct: Weak<dyn Direct>,
    ) -> Self {
        let now = Instant::now();
        let config = SessionConfig {
            limits: shared.config.rtmp.clone(),
            seed: shared.next_seed(),
            ..SessionConfig::default()
        };
        let enrolled = shared.enroll(permit.id, direct);
        permit.account.may_be_evicted(&enrolled.wake);
        let mut session = ServerSession::new(config);
        session.set_input_bytes(INPUT_BYTES);
        Connection {
            input_waker: Waker::from(Arc::clone(&enrolled.wake)),
            may_read: true,
            enrolled,
            shared,
            permit,
            io,
            session,
            client: None,
            roles: SmallVec::new(),
            timer: Box::pin(sleep_until(deadline)),
            now,
            handshake_deadline: deadline,
            idle_since: now,
            blocked_since: None,
            grace: None,
            pinned_bytes: 0,
            flushing: false,
            draining: false,
            failed: None,
            closing: None,
            was_of_use: false,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        // First, so that whatever changes from here on wakes the task again.
        self.enrolled.wake.register(cx.waker());
        self.now = Instant::now();
        match self.shared.phase() {
            Phase::Over => return Poll::Ready(CloseReason::Stopped),
            Phase::Draining if !self.draining => self.drain(),
            _ => {}
        }
        if self.closing.is_none()
            && let Err(end) = self.run(cx)
        {
            if end.is_final() {
                self.leave();
                return Poll::Ready(end);
            }
            if let Some(hint) = end.hint(&self.shared) {
                self.session.output().put(hint.as_bytes());
            }
            self.close(end);
        }
        if self.closing.is_some()
            && let Poll::Ready(end) = self.poll_close(cx)
        {
            return Poll::Ready(end);
        }
        self.poll_timer(cx)
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        if let Some(end) = self.failed.take() {
            return Err(end);
        }
        if self.permit.account.is_evicted() {
            return Err(CloseReason::OutOfMemory);
        }
        let mut reads = 0;
        // TLS may have to write before it can read.
        self.may_read |= self.enrolled.wake.take_input() || self.io.is_tls();
        while self.may_read && self.closing.is_none() && !self.has_enough() {
            if reads == READS {
                give_way(cx);
                break;
            }
            match self.read() {
                Poll::Ready(result) => result?,
                Poll::Pending => self.may_read = false,
            }
            reads += 1;
        }
        self.poll_asked(cx)?;
        self.look_for_publishers()?;
        self.leave_replaced()?;
        let was_full = self.has_enough();
        let mut writes = 0;
        loop {
            let more = self.pull()?;
            match self.write(cx)? {
                WriteState::Blocked => {
                    self.enrolled.wake.no_media();
                    break;
                }
                WriteState::All if !more => break,
                WriteState::All => {}
            }
            writes += 1;
            if writes == WRITES {
                cx.waker().wake_by_ref();
                break;
            }
        }
        self.pins(self.session.output_bytes());
        // Nothing was read while there was too much to write, so nothing tells of input.
        if was_full && !self.has_enough() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    /// What waits to be written is kept by this connection, also where its stream lets it go.
    fn pins(&mut self, bytes: usize) {
        if self.pinned_bytes != bytes {
            self.permit.account.stream_holds(self.pinned_bytes, bytes);
            self.pinned_bytes = bytes;
        }
    }

    /// Whether so much waits, to be written or for a callback's word, that more of the client is
    /// better left where it is.
    fn has_enough(&self) -> bool {
        self.session.output_bytes() >= FULL_BYTES
            || self.session.copied_bytes() >= ANSWER_BYTES
            || self.session.waiting_bytes() >= WAITING_BYTES
    }

    /// Reads once. Not inlined, so that its bytes are on the stack only while it runs.
    #[inline(never)]
    fn read(&mut self) -> Poll<Result<(), CloseReason>> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        let mut cx = Context::from_waker(&self.input_waker);
        ready!(Pin::new(&mut self.io).poll_read(&mut cx, &mut buffer)).map_err(CloseReason::Io)?;
        let bytes = buffer.filled();
        if bytes.is_empty() {
            return Poll::Ready(Err(CloseReason::Closed));
        }
        self.shared.counters.received_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let received = self.session.receive(bytes);
        // What was understood before an error counts.
        self.events()?;
        let held = self.permit.account.hold(self.session.held_bytes());
        Poll::Ready(
            received.map_err(CloseReason::Protocol).and(held.map_err(|_| CloseReason::OutOfMemory)),
        )
    }

    fn events(&mut self) -> Result<(), CloseReason> {
        while let Some(event) = self.session.poll_event() {
            match event {
                ServerEvent::Connected(request) => self.connected(request),
                ServerEvent::PublishRequested(request) => {
                    self.ask(Action::Publish, request.stream_id, request.app, &request.key)?;
                }
                ServerEvent::PlayRequested(request) => {
                    self.ask(Action::Play, request.stream_id, request.app, &request.key)?;
                }
                ServerEvent::Media(media) => self.media(media)?,
                ServerEvent::PublishEnded { stream_id } | ServerEvent::PlayEnded { stream_id } => {
                    self.remove(stream_id);
                }
                ServerEvent::Paused { stream_id, paused } => self.pause(stream_id, paused),
                _ => {}
            }
        }
        self.wake_players();
        Ok(())
    }

    fn connected(&mut self, request: ConnectRequest) {
        self.client = Some(Box::new(ConnectedClient {
            query: request.query,
            tc_url: request.tc_url,
            name: shown(&request.flash_version).into(),
        }));
    }

    pub(super) fn client_name(&self) -> Arc<str> {
        self.client.as_ref().map_or_else(|| "".into(), |client| Arc::clone(&client.name))
    }

    fn ask(
        &mut self,
        action: Action,
        stream_id: u32,
        app: String,
        key: &StreamKey,
    ) -> Result<(), CloseReason> {
        // Where the key is empty, what the client calls its application may end with it.
        let shown_app = split(&app, key.name()).map_or_else(String::new, |(app, _)| app);
        if self.draining {
            return self.refuse(action, stream_id, &shown_app, Reason::Stopping);
        }
        let client = self.client.as_ref();
        let visitor = Visitor {
            action,
            app,
            name: key.name().to_owned(),
            queries: [
                key.query().into(),
                client.map(|client| client.query.clone()).unwrap_or_default(),
            ],
            address: self.permit.peer,
            client_id: self.permit.id,
            client: self.client_name(),
            tc_url: client.map(|client| client.tc_url.clone()).unwrap_or_default(),
            has_token: false,
        };
        match self.shared.access.decide(visitor) {
            Decision::Now(verdict) => self.settle(action, stream_id, &shown_app, verdict),
            Decision::Later(pending) => {
                self.roles.push((stream_id, Role::Asked(action, shown_app, pending)));
                Ok(())
            }
        }
    }

    fn poll_asked(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let mut index = 0;
        while let Some((stream_id, role)) = self.roles.get_mut(index) {
            let stream_id = *stream_id;
            let verdict = match role {
                Role::Asked(_, _, pending) => pending.as_mut().poll(cx),
                _ => Poll::Pending,
            };
            let Poll::Ready(verdict) = verdict else {
                index += 1;
                continue;
            };
            if let (_, Role::Asked(action, app, _)) = self.roles.swap_remove(index) {
                self.settle(action, stream_id, &app, verdict)?;
                // Media that was held until now.
                self.events()?;
                // Where it was too much to read on, nothing tells of input.
                cx.waker().wake_by_ref();
            }
        }
        Ok(())
    }

    fn settle(
        &mut self,
        action: Action,
        stream_id: u32,
        app: &str,
        verdict: AccessVerdict,
    ) -> Result<(), CloseReason> {
        let begun = match (verdict, action) {
            (Ok(name), Action::Publish) => self.begin_publish(stream_id, &name),
            (Ok(name), Action::Play) => match self.begin_play(stream_id, &name) {
                Err(Reason::NotFound) => match self.wait_for(&name) {
                    Some(role) => {
                        self.roles.push((stream_id, role));
                        return Ok(());
                    }
                    None => Err(Reason::NotFound),
                },
                begun => begun,
            },
            (Err(reason), _) => Err(reason),
        };
        self.answer(action, stream_id, app, begun)
    }

    /// Tells the client what became of its request.
    pub(super) fn answer(
        &mut self,
        action: Action,
        stream_id: u32,
        app: &str,
        begun: Result<Role, Reason>,
    ) -> Result<(), CloseReason> {
        match begun {
            Ok(role) => match self.session.accept(stream_id) {
                Ok(()) => {
                    if matches!(role, Role::Publish(_)) {
                        self.session.set_input_bytes(usize::MAX);
                    }
                    self.roles.push((stream_id, role));
                    self.was_of_use = true;
                    Ok(())
                }
                // The client has changed its mind already; the event that says so is next.
                Err(Error::Stream(_)) => Ok(()),
                Err(error) => Err(CloseReason::Protocol(error)),
            },
            Err(reason) => self.refuse(action, stream_id, app, reason),
        }
    }

    pub(super) fn refuse(
        &mut self,
        action: Action,
        stream_id: u32,
        app: &str,
        reason: Reason,
    ) -> Result<(), CloseReason> {
        self.shared.refused(action, app, self.permit.peer, reason);
        match self.session.refuse(stream_id, reason.refusal()) {
            Ok(()) | Err(Error::Stream(_)) => {}
            Err(error) => return Err(CloseReason::Protocol(error)),
        }
        // With nothing else to do here, a client that was refused goes on forever.
        if self.roles.is_empty() {
            return Err(CloseReason::Refused);
        }
        Ok(())
    }

    /// A message stream does nothing any more.
    pub(super) fn remove(&mut self, stream_id: u32) {
        if let Some(place) = self.roles.iter().position(|(id, _)| *id == stream_id) {
            let (_, role) = self.roles.swap_remove(place);
            self.log_end(&role);
            self.idle_since = self.now;
        }
    }

    fn log_end(&self, role: &Role) {
        let peer = self.permit.peer;
        match role {
            Role::Asked(..) | Role::Waits(_) => {}
            Role::Publish(publish) => publish.log_end(&self.shared.warnings, peer, self.now),
            Role::Play(play) => play.log_end(peer),
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<WriteState, CloseReason> {
        while self.session.output_bytes() > 0 {
            match poll_write(&mut self.io, cx, self.session.output()) {
                Poll::Ready(Ok(count)) => {
                    self.shared.counters.sent_bytes.fetch_add(count as u64, Ordering::Relaxed);
                    self.blocked_since = None;
                    self.flushing = self.io.is_tls();
                }
                Poll::Ready(Err(error)) => return Err(CloseReason::Io(error)),
                Poll::Pending => return Ok(self.blocked()),
            }
        }
        if self.flushing {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(result) => result.map_err(CloseReason::Io)?,
                Poll::Pending => return Ok(self.blocked()),
            }
            self.flushing = false;
        }
        self.blocked_since = None;
        Ok(WriteState::All)
    }

    fn blocked(&mut self) -> WriteState {
        self.blocked_since.get_or_insert(self.now);
        WriteState::Blocked
    }

    /// The server stops: publishers are done, and players take what there is.
    fn drain(&mut self) {
        self.draining = true;
        let publishes = self.roles.iter().any(|(_, role)| !matches!(role, Role::Play(_)));
        self.end_pauses();
        if publishes || self.roles.is_empty() {
            self.close(CloseReason::Stopped);
        }
    }

    /// Ends all that the message streams do, and tells which ones did something.
    pub(super) fn leave(&mut self) -> Vec<u32> {
        let roles = std::mem::take(&mut self.roles);
        roles.iter().for_each(|(_, role)| self.log_end(role));
        roles.into_iter().map(|(stream_id, _)| stream_id).collect()
    }

    /// Ends everything, writes what is left, and closes.
    pub(super) fn close(&mut self, end: CloseReason) {
        if self.closing.is_some() {
            return;
        }
        for stream_id in self.leave() {
            let reason = match end {
                CloseReason::Stopped => Reason::Stopping,
                CloseReason::OutOfMemory => Reason::Memory,
                _ => continue,
            };
            // It is no matter whether the client hears of it.
            let _ = self.session.refuse(stream_id, reason.refusal());
        }
        // Nothing of it is read any more.
        self.session.drop_input();
        let _ = self.permit.account.hold(self.session.held_bytes());
        let wait = match self.session.output_bytes() {
            0 => LINGER,
            _ if matches!(end, CloseReason::OutOfMemory) => LINGER,
            _ => self.shared.config.timeouts.player_stall,
        };
        self.closing = Some(Closing { end, deadline: self.now + wait, shut: false });
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        if !matches!(&self.closing, Some(Closing { shut: true, .. })) {
            let written = self.write(cx);
            if !matches!(written, Ok(WriteState::All)) {
                return if written.is_ok() { Poll::Pending } else { self.closed() };
            }
            if ready!(Pin::new(&mut self.io).poll_shutdown(cx)).is_err() {
                return self.closed();
            }
            if let Some(closing) = &mut self.closing {
                closing.shut = true;
                closing.deadline = self.now + LINGER;
            }
        }
        for _ in 0..READS {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut buffer = ReadBuf::uninit(&mut space);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return self.closed(),
            }
        }
        give_way(cx);
        Poll::Pending
    }

    pub(super) fn closed(&mut self) -> Poll<CloseReason> {
        Poll::Ready(self.closing.take().map_or(CloseReason::Closed, |closing| closing.end))
    }
}
