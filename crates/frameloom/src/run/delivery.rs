//! The queue of packets to the thread that writes an output. A file that is behind makes the others wait;
//! a live output drops packets here, up to its next keyframe, counted.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use crate::av::MediaKind;
use crate::codec::configuration::StreamConfiguration;
use crate::codec::packet::Packet;
use crate::error::Result;
use crate::stats::Stats;
use crate::stats::event::{Event, EventSum, Events};
use crate::time::Timestamp;
use crate::time::clock::Clock;

/// What is sent to the thread that writes an output.
pub(super) enum SinkMessage {
    Configuration(usize, Arc<StreamConfiguration>),
    Packet(usize, Packet),
    /// What an output begins with that was kept before it was added. It comes at once: whoever reads must not
    /// wait until all of it is written.
    Kept(Vec<SinkMessage>),
    /// The other streams are to end here too.
    Cut(Timestamp),
    End(usize),
    /// What makes the stream has failed.
    Failed(usize),
}

impl SinkMessage {
    /// How a stream ends, by what became of its maker.
    pub(super) fn end_by(result: &Result<()>) -> fn(usize) -> SinkMessage {
        match result {
            Ok(()) => SinkMessage::End,
            Err(_) => SinkMessage::Failed,
        }
    }
}

/// One stream of one output.
#[derive(Clone)]
pub(super) struct SinkStream {
    /// The output's number.
    pub(super) output: usize,
    pub(super) sink: Sender<SinkMessage>,
    pub(super) index: usize,
    /// What a live output has no room for is dropped, to its next keyframe.
    pub(super) relief: Option<Relief>,
}

#[derive(Clone)]
pub(super) struct Relief {
    drops: Drops,
    /// Packets are dropped, up to a keyframe.
    skips: bool,
    /// There was no room for it yet; it goes before the next packet.
    configuration: Option<Arc<StreamConfiguration>>,
}

impl Relief {
    pub(super) fn new(drops: Drops) -> Relief {
        Relief { drops, skips: false, configuration: None }
    }
}

impl SinkStream {
    /// `false` where the output is done or has failed.
    pub(super) fn send(&self, message: impl FnOnce(usize) -> SinkMessage) -> bool {
        self.sink.send(message(self.index)).is_ok()
    }

    /// The same for a configuration. It doesn't wait for a live output that is behind, and is never
    /// dropped: the next packet that is sent comes behind it.
    pub(super) fn send_configuration(&mut self, configuration: Arc<StreamConfiguration>) -> bool {
        let Some(relief) = &mut self.relief else {
            return self.send(|index| SinkMessage::Configuration(index, configuration));
        };
        relief.configuration = Some(configuration);
        self.send_waiting_configuration() != Sent::Gone
    }

    fn send_waiting_configuration(&mut self) -> Sent {
        let waiting = self.relief.as_mut().and_then(|relief| relief.configuration.take());
        let Some(configuration) = waiting else { return Sent::Yes };
        let message = SinkMessage::Configuration(self.index, Arc::clone(&configuration));
        match self.sink.try_send(message) {
            Ok(()) => Sent::Yes,
            Err(TrySendError::Disconnected(_)) => Sent::Gone,
            Err(TrySendError::Full(_)) => {
                if let Some(relief) = &mut self.relief {
                    relief.configuration = Some(configuration);
                }
                Sent::No
            }
        }
    }

    /// The same for a packet: it doesn't wait for a live output that is behind.
    pub(super) fn send_packet(&mut self, packet: Packet) -> bool {
        if self.relief.is_none() {
            return self.send(|index| SinkMessage::Packet(index, packet));
        }
        let has_room = match self.send_waiting_configuration() {
            Sent::Gone => return false,
            sent => sent == Sent::Yes,
        };
        let Some(relief) = &mut self.relief else { return false };
        let starts = packet.kind != MediaKind::Video || packet.av.is_key();
        if !has_room || relief.skips && !starts {
            relief.skips = true;
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

/// What became of a message for a live output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Yes,
    /// There is no room for it now.
    No,
    /// The output is done or has failed.
    Gone,
}

/// Counts and tells what an output misses.
#[derive(Clone)]
pub(super) struct Drops {
    pub(super) output: usize,
    pub(super) stats: Stats,
    pub(super) events: Events,
    pub(super) sum: Arc<EventSum>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Drops {
    pub(super) fn add(&self) {
        self.stats.packet_dropped(self.output);
        self.tell(self.sum.add(1, self.clock.now()));
    }

    /// Tells what wasn't told yet.
    pub(super) fn emit_pending(&self) {
        self.tell(self.sum.rest(self.clock.now()));
    }

    fn tell(&self, sum: Option<(u64, Duration)>) {
        if let Some((count, span)) = sum {
            self.events.tell(&Event::PacketsDropped { output: self.output, count, span });
        }
    }
}

#[cfg(test)]
mod tests {

    use crossbeam_channel::{Receiver, bounded};

    use super::*;
    use crate::av::{AvPacket, CodecId, CodecParams};
    use crate::time::TimeBase;
    use crate::time::arrival::Arrival;
    use crate::time::clock::RealClock;

    fn live_stream(room: usize) -> (SinkStream, Receiver<SinkMessage>) {
        let (sink, messages) = bounded(room);
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let stats = Stats::new(None, Arc::clone(&clock));
        stats.output_exists(0, None);
        let (events, sum) = (Events::default(), Arc::new(EventSum::new()));
        let drops = Drops { output: 0, stats, events, sum, clock };
        (SinkStream { output: 0, sink, index: 0, relief: Some(Relief::new(drops)) }, messages)
    }

    fn packet(is_key: bool) -> Packet {
        Packet {
            av: AvPacket::of_bytes(&[1, 2, 3], 0, is_key).unwrap(),
            kind: MediaKind::Video,
            stream: 0,
            time_base: TimeBase::MILLIS,
            arrived: Some(Arrival::now()),
            quality: None,
            floor: Timestamp::ZERO,
            discontinuity: false,
        }
    }

    fn configuration(extradata: &[u8]) -> Arc<StreamConfiguration> {
        let codec = CodecId::named("h264").unwrap();
        Arc::new(StreamConfiguration {
            params: CodecParams::of_codec(MediaKind::Video, codec, extradata).unwrap(),
            time_base: TimeBase::MILLIS,
            frame_rate: None,
            sample_aspect_ratio: None,
            display_matrix: None,
        })
    }

    fn shown(messages: &Receiver<SinkMessage>) -> Vec<String> {
        let word = |message| match message {
            SinkMessage::Configuration(_, to) => format!("configured {:?}", to.params.extradata()),
            SinkMessage::Packet(_, packet) if packet.av.is_key() => "key".to_owned(),
            SinkMessage::Packet(..) => "delta".to_owned(),
            SinkMessage::Kept(_) => "kept".to_owned(),
            SinkMessage::Cut(_) | SinkMessage::End(_) | SinkMessage::Failed(_) => "end".to_owned(),
        };
        messages.try_iter().map(word).collect()
    }

    #[test]
    fn a_configuration_outlasts_a_full_queue_and_stands_before_the_next_packet() {
        let (mut stream, messages) = live_stream(2);
        assert!(stream.send_packet(packet(true)) && stream.send_packet(packet(false)));
        // It waits for nobody, and the newer one takes its place.
        assert!(stream.send_configuration(configuration(&[1])));
        assert!(stream.send_configuration(configuration(&[2])));
        assert!(stream.send_packet(packet(true)), "a packet with no room is dropped");
        assert_eq!(shown(&messages), ["key", "delta"]);
        assert!(stream.send_packet(packet(false)), "and so is the rest of its GOP");
        assert_eq!(shown(&messages), ["configured [2]"]);
        assert!(stream.send_packet(packet(true)) && stream.send_packet(packet(false)));
        assert_eq!(shown(&messages), ["key", "delta"]);
        drop(messages);
        assert!(
            !stream.send_configuration(configuration(&[3])) && !stream.send_packet(packet(true))
        );
    }
}
