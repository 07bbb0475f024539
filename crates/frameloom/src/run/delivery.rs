//! The way of packets to the threads that write: an output that is behind makes nobody wait but a
//! file.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use crate::av::MediaKind;
use crate::codec::header::StreamHeader;
use crate::codec::packet::Packet;
use crate::stats::Stats;
use crate::stats::event::{Event, Events, Sum};
use crate::time::Timestamp;
use crate::time::clock::Clock;

/// What is sent to the thread that writes an output.
pub(super) enum SinkMessage {
    Header(usize, StreamHeader),
    Packet(usize, Packet),
    /// The other streams are to end here too.
    Cut(Timestamp),
    End(usize),
}

/// One stream of one output.
#[derive(Clone)]
pub(super) struct SinkStream {
    pub(super) sink: Sender<SinkMessage>,
    pub(super) index: usize,
    /// What a live output has no room for is dropped, to its next keyframe.
    pub(super) relief: Option<Relief>,
}

#[derive(Clone)]
pub(super) struct Relief {
    pub(super) drops: Drops,
    pub(super) skips: bool,
}

impl SinkStream {
    /// `false` where the output is done or has failed.
    pub(super) fn send(&self, message: impl FnOnce(usize) -> SinkMessage) -> bool {
        self.sink.send(message(self.index)).is_ok()
    }

    /// The same for a packet: it doesn't wait for a live output that is behind.
    pub(super) fn send_packet(&mut self, packet: Packet) -> bool {
        let Some(relief) = &mut self.relief else {
            return self.send(|index| SinkMessage::Packet(index, packet));
        };
        let starts = packet.kind != MediaKind::Video || packet.av.is_key();
        if relief.skips && !starts {
            relief.drops.add();
            return true;
        }
        match self.sink.try_send(SinkMessage::Packet(self.index, packet)) {
            Ok(()) => {
                relief.skips = false;
                true
            }
            Err(TrySendError::Full(_)) => {
                relief.skips = true;
                relief.drops.add();
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

/// Counts and tells what an output misses.
#[derive(Clone)]
pub(super) struct Drops {
    pub(super) output: usize,
    pub(super) stats: Stats,
    pub(super) events: Events,
    pub(super) sum: Arc<Sum>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Drops {
    pub(super) fn add(&self) {
        self.stats.packet_dropped(self.output);
        self.tell(self.sum.add(1, self.clock.now()));
    }

    /// Tells what wasn't told yet.
    pub(super) fn tell_rest(&self) {
        self.tell(self.sum.rest(self.clock.now()));
    }

    fn tell(&self, sum: Option<(u64, Duration)>) {
        if let Some((count, span)) = sum {
            self.events.tell(&Event::PacketsDropped { output: self.output, count, span });
        }
    }
}
