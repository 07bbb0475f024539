//! What the thread that reads keeps of a live input: its clock, its policies and where it stands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::av::MediaKind;
use crate::codec::packet::Packet;
use crate::input::Source;
use crate::input::timeline::Timeline;
use crate::live::burst::Burst;
use crate::live::retry::{Retry, RetryPolicy};
use crate::live::supervise::{PicturePresence, PresenceSignal, micros};
use crate::options::OnLoss;
use crate::stats::event::{Event, EventSum, Events};
use crate::time::Timestamp;
use crate::time::clock::Clock;

/// How long no picture may come while sound does until the last one is held.
const PICTURE_PAUSE: Duration = Duration::from_secs(1);

/// The last picture of an input.
#[derive(Clone, Copy, Debug)]
struct LastPicture {
    came: Instant,
    /// Where it is on the outputs' clock.
    at: Timestamp,
    /// The longest time from one of the last pictures to the next.
    longest: Timestamp,
}

/// What a live input needs beside.
pub(in crate::run) struct LiveReading {
    pub(super) presence: PresenceSignal,
    pub(super) timeline: Timeline,
    pub(super) events: Events,
    /// Its input's number, where there are several.
    pub(super) input: Option<usize>,
    pub(super) on_loss: OnLoss,
    pub(super) reconnect_for: Option<Duration>,
    pub(super) stall_limit: Duration,
    /// Where reading is to stop.
    pub(super) limit: Option<Timestamp>,
    pub(super) jumps: EventSum,
    /// Of the pictures.
    burst: Burst,
    last_picture: Option<LastPicture>,
    /// Pictures pause while sound goes on, and the last one is held.
    is_picture_held: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) start: Instant,
    /// How far what was sent at once put the outputs' clock ahead.
    pub(super) ahead: Timestamp,
    /// Where the wanted part of this connection to the source begins.
    pub(super) floor: Timestamp,
    /// How often it was opened again.
    pub(super) connection: u64,
    /// `None` while a thread opens it again.
    pub(super) retry: Option<Retry>,
    pub(super) had_audio: bool,
    pub(super) has_audio: bool,
    /// Where the last packets of video and audio end.
    pub(super) ends: [Option<Timestamp>; 2],
}

/// What a live input goes by.
pub(in crate::run) struct LiveRules {
    pub(in crate::run) presence: PresenceSignal,
    pub(in crate::run) events: Events,
    /// The input's number, where there are several.
    pub(in crate::run) input: Option<usize>,
    pub(in crate::run) on_loss: OnLoss,
    pub(in crate::run) reconnect_for: Option<Duration>,
    pub(in crate::run) stall_limit: Duration,
    pub(in crate::run) clock: Arc<dyn Clock>,
}

impl LiveReading {
    pub(in crate::run) fn new(source: &Source, rules: LiveRules) -> LiveReading {
        let LiveRules { presence, events, input, on_loss, reconnect_for, stall_limit, clock } =
            rules;
        let now = clock.now();
        let mut retry = Retry::new(RetryPolicy::connection(reconnect_for));
        retry.opened(now, Duration::ZERO);
        LiveReading {
            presence,
            timeline: Timeline::new(),
            events,
            input,
            on_loss,
            reconnect_for,
            stall_limit,
            limit: source.options.limit(),
            jumps: EventSum::new(),
            burst: Burst::default(),
            last_picture: None,
            is_picture_held: false,
            clock,
            start: now,
            ahead: Timestamp::ZERO,
            floor: Timestamp::ZERO,
            connection: 0,
            retry: Some(retry),
            had_audio: source.audio().is_some(),
            has_audio: source.audio().is_some(),
            ends: [None; 2],
        }
    }

    /// The clock's time since the start.
    pub(super) fn now(&self) -> Duration {
        self.elapsed(self.start)
    }

    pub(super) fn elapsed(&self, since: Instant) -> Duration {
        self.clock.now().saturating_duration_since(since)
    }

    /// Puts a packet on the outputs' clock. The main streams decide where that is; the others go along.
    pub(super) fn place(&mut self, packet: &mut Packet, is_main: bool) {
        if let Some(arrived) = &mut packet.arrived {
            arrived.connection = self.connection;
        }
        if !is_main {
            return self.place_beside(packet);
        }
        let stream = usize::from(packet.kind != MediaKind::Video);
        let now = self.now();
        let placed =
            self.timeline.place(stream, packet.pts(), packet.dts(), packet.duration(), now);
        let ticks = |at: Option<Timestamp>| at.map(|at| at.rescale(packet.time_base).ticks());
        let (pts, dts) = (ticks(placed.pts), ticks(placed.dts));
        packet.av.set_times(pts, dts, packet.av.duration());
        packet.floor = packet.floor.max(self.floor);
        if let (MediaKind::Video, Some(at), Some(arrived)) =
            (packet.kind, placed.dts.or(placed.pts), &mut packet.arrived)
        {
            arrived.in_burst = self.burst.has(at, arrived.at);
        }
        if placed.jumped
            && let Some((count, span)) = self.jumps.add(1, self.clock.now())
        {
            self.events.tell(&Event::ClockJumped { input: self.input, count, span });
        }
        let at = placed.dts.or(placed.pts).map(|at| at.plus(packet.duration()));
        if let (Some(end), Some(at)) = (self.ends.get_mut(stream), at) {
            *end = Some(end.map_or(at, |end| end.max(at)));
        }
    }

    fn place_beside(&self, packet: &mut Packet) {
        let (stream, base) = (usize::from(packet.kind != MediaKind::Video), packet.time_base);
        let moved = |ticks: Option<i64>| {
            let at = self.timeline.beside(stream, base.at(ticks?));
            Some(at.rescale(base).ticks())
        };
        let (pts, dts) = (moved(packet.av.pts()), moved(packet.av.dts()));
        packet.av.set_times(pts, dts, packet.av.duration());
        packet.floor = packet.floor.max(self.floor);
    }

    /// The input is lost: what is held then is another's affair.
    pub(super) fn forget_pictures(&mut self) {
        (self.last_picture, self.is_picture_held) = (None, false);
    }

    /// Has the last picture held where pictures pause while sound goes on, up to the next picture.
    pub(super) fn watch_pictures(&mut self, packet: &Packet) {
        let now = self.clock.now();
        let Some(at) = packet.dts().or(packet.pts()) else { return };
        if packet.kind == MediaKind::Video {
            let longest = self.last_picture.map_or(Timestamp::ZERO, |last| {
                // What was long once is forgotten by and by.
                let faded = Timestamp::from_micros(last.longest.as_micros() / 10 * 9);
                at.minus(last.at).max(faded)
            });
            self.last_picture = Some(LastPicture { came: now, at, longest });
            if std::mem::take(&mut self.is_picture_held) {
                self.presence.set(PicturePresence::Back(at));
            }
            return;
        }
        let Some(last) = self.last_picture else { return };
        // By both clocks: a network that stood still, or a busy machine, delays pictures and sound alike.
        let limit = micros(PICTURE_PAUSE).max(last.longest.plus(last.longest));
        let pauses =
            at.minus(last.at) >= limit && now.saturating_duration_since(last.came) >= PICTURE_PAUSE;
        if pauses && !self.is_picture_held && self.on_loss != OnLoss::End {
            self.is_picture_held = true;
            self.presence.set(PicturePresence::Lost { since: now, clock: at });
        }
    }

    pub(super) fn is_over(&self, at: Option<Timestamp>) -> bool {
        self.limit.zip(at).is_some_and(|(limit, at)| at >= limit)
    }
}

/// What came of a loss.
pub(super) enum LossOutcome {
    Back,
    Over,
}
