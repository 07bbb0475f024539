//! The input's sound for a caller who pulls: as it is read, packets and samples are taken from here. Samples
//! are decoded by whoever asks for them, so that nobody pays for what nobody wants.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::av::StreamInfo;
use crate::codec::audio::AudioDecoder;
use crate::codec::audio_frame::AudioFrame;
use crate::codec::decode::open_decoder;
use crate::codec::packet::Packet;
use crate::error::{Result, Stage};
use crate::input::Source;
use crate::options::InputOptions;
use crate::run::stages::{AudioMessage, PulledSource, send_to_decoder};
use crate::stats::Stats;
use crate::time::stop::Stop;
use crate::time::{Timestamp, moment_after};

/// What is kept for the caller: some twenty seconds of AAC. Nobody may ever ask for it.
const KEPT: usize = 1024;

/// What may wait of a stored input before its reader waits for a caller who takes nothing but sound.
const AHEAD: usize = 64;

/// The most silence that whoever pulls frames gets at once for the time of a loss: no more than of sound.
const SILENCE_AT_ONCE: Timestamp = Timestamp::from_micros(20_000_000);

/// How long a wait goes on before it looks whether a stop was asked for.
const TICK: Duration = Duration::from_millis(20);

/// One packet of the input's audio, as it came.
pub struct AudioPacket(Packet);

impl AudioPacket {
    /// The bytes, as the codec made them.
    pub fn data(&self) -> &[u8] {
        self.0.av.data()
    }

    /// When it is to be heard, on the clock of the frames, where it says.
    pub fn pts(&self) -> Option<Timestamp> {
        self.0.pts()
    }

    /// How long it is to be heard; zero where it doesn't say.
    pub fn duration(&self) -> Timestamp {
        self.0.duration()
    }
}

impl std::fmt::Debug for AudioPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AudioPacket of {} bytes at {:?}", self.data().len(), self.pts())
    }
}

/// What [`AudioFrames::next_timeout`](crate::AudioFrames::next_timeout) found.
#[derive(Debug)]
#[non_exhaustive]
pub enum NextAudio {
    /// The next piece of sound.
    Frame(AudioFrame),
    /// None came within the limit.
    NotYet,
    /// There is no more.
    Over,
}

/// Who pulls, and so what becomes of sound that isn't taken in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SoundPull {
    /// Whoever pulls the frames: the oldest goes.
    BesideFrames,
    /// Whoever pulls the sound alone: a stored input waits, and of a live one the oldest goes.
    Alone,
}

/// The sound that was read, in the order of reading, and what was taken of it.
#[derive(Default)]
struct SoundQueue {
    /// What was read last.
    waiting: VecDeque<AudioMessage>,
    /// How many there were before the first of them.
    gone: u64,
    /// How many of all were taken as packets, and how many as samples.
    taken: [u64; 2],
    /// Whether packets, and samples, were ever asked for.
    asked: [bool; 2],
    /// The last change of the source among those that went untaken.
    source: Option<AudioMessage>,
    /// Nothing more is read.
    has_ended: bool,
    /// Nobody takes anything any more.
    is_abandoned: bool,
}

const PACKETS: usize = 0;
const SAMPLES: usize = 1;

impl SoundQueue {
    fn push(&mut self, message: AudioMessage, stats: &Stats) {
        // Silence that nobody took yet grows.
        if self.undecoded() > 0
            && let (AudioMessage::Silence(until), Some(AudioMessage::Silence(last))) =
                (&message, self.waiting.back_mut())
        {
            *last = *until;
            return;
        }
        self.waiting.push_back(message);
        while self.waiting.len() > KEPT {
            self.drop_oldest(stats);
        }
    }

    fn drop_oldest(&mut self, stats: &Stats) {
        let Some(oldest) = self.waiting.pop_front() else { return };
        let is_untaken = self.taken.map(|taken| taken <= self.gone);
        let is_missed =
            [PACKETS, SAMPLES].iter().any(|kind| self.asked[*kind] && is_untaken[*kind]);
        match oldest {
            AudioMessage::Packet(_) if is_missed => stats.audio_dropped(),
            AudioMessage::Pulled(_) if is_untaken[SAMPLES] => self.source = Some(oldest),
            _ => {}
        }
        self.gone += 1;
        self.taken = self.taken.map(|taken| taken.max(self.gone));
    }

    /// How many messages wait to be decoded.
    fn undecoded(&self) -> usize {
        let all = self.gone + self.waiting.len() as u64;
        usize::try_from(all.saturating_sub(self.taken[SAMPLES])).unwrap_or(usize::MAX)
    }

    fn packets(&mut self) -> Result<Vec<AudioPacket>> {
        let from = self.taken[PACKETS].saturating_sub(self.gone);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let mut packets = Vec::new();
        for message in self.waiting.iter().skip(from) {
            if let AudioMessage::Packet(packet) = message {
                packets.push(AudioPacket(packet.share()?));
            }
        }
        self.taken[PACKETS] = self.gone + self.waiting.len() as u64;
        self.asked[PACKETS] = true;
        Ok(packets)
    }

    /// The next message that is to be decoded.
    fn next(&mut self, pull: SoundPull) -> Result<Option<AudioMessage>> {
        self.asked[SAMPLES] = true;
        if let Some(source) = self.source.take() {
            return Ok(Some(source));
        }
        let place = self.taken[SAMPLES].saturating_sub(self.gone);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let Some(message) = self.waiting.get_mut(place) else { return Ok(None) };
        let next = match message {
            AudioMessage::Packet(packet) => AudioMessage::Packet(packet.share()?),
            AudioMessage::Silence(until) => AudioMessage::Silence(*until),
            // Packets are all that is taken twice.
            other => std::mem::replace(other, AudioMessage::Lost),
        };
        self.taken[SAMPLES] += 1;
        if pull == SoundPull::Alone {
            self.waiting.drain(..=place);
            self.gone = self.taken[SAMPLES];
        }
        Ok(Some(next))
    }
}

struct SoundShared {
    queue: Mutex<SoundQueue>,
    /// Something was read or taken, or an end is gone.
    changed: Condvar,
}

impl SoundShared {
    fn queue(&self) -> MutexGuard<'_, SoundQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        queue: MutexGuard<'a, SoundQueue>,
        limit: Duration,
    ) -> MutexGuard<'a, SoundQueue> {
        self.changed.wait_timeout(queue, limit).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The end of the thread that reads.
pub(super) struct SoundSender {
    shared: Arc<SoundShared>,
    pull: SoundPull,
    is_live: bool,
    stats: Stats,
    stop: Stop,
}

impl SoundSender {
    /// Whether the input is read on for this alone.
    pub(super) fn is_taken(&self) -> bool {
        self.pull == SoundPull::Alone && !self.shared.queue().is_abandoned
    }

    /// Keeps what was read. It waits for a caller who takes nothing else of a stored input.
    pub(super) fn send(&self, message: AudioMessage) {
        if matches!(message, AudioMessage::Leave(_)) {
            return;
        }
        let mut queue = self.shared.queue();
        if self.pull == SoundPull::Alone && !self.is_live {
            while queue.undecoded() >= AHEAD && !queue.is_abandoned && !self.stop.is_stopped() {
                queue = self.shared.wait(queue, TICK);
            }
        }
        if !queue.is_abandoned {
            queue.push(message, &self.stats);
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for SoundSender {
    fn drop(&mut self) {
        self.shared.queue().has_ended = true;
        self.shared.changed.notify_all();
    }
}

/// The caller's end.
pub(crate) struct SoundReader {
    shared: Arc<SoundShared>,
    pull: SoundPull,
    /// What the first decoder is opened for; `None` where there was no sound at first.
    stream: Option<StreamInfo>,
    options: InputOptions,
    is_live: bool,
    stats: Stats,
    decoder: Option<AudioDecoder>,
    /// How much more silence may be given out at once.
    silence_left: Timestamp,
    is_drained: bool,
}

/// Both ends of a source's sound.
pub(super) fn sound_of(
    source: &Source,
    pull: SoundPull,
    stats: &Stats,
    stop: &Stop,
) -> Result<(SoundSender, SoundReader)> {
    let queue = SoundQueue { asked: [false, pull == SoundPull::Alone], ..SoundQueue::default() };
    let shared = Arc::new(SoundShared { queue: Mutex::new(queue), changed: Condvar::new() });
    let is_live = source.is_live;
    let stream = source.audio().map(StreamInfo::share).transpose();
    let sender = SoundSender {
        shared: Arc::clone(&shared),
        pull,
        is_live,
        stats: stats.clone(),
        stop: stop.clone(),
    };
    let reader = SoundReader {
        shared,
        pull,
        stream: stream.map_err(|e| e.in_stage(Stage::Source))?,
        options: source.options.clone(),
        is_live,
        stats: stats.clone(),
        decoder: None,
        silence_left: SILENCE_AT_ONCE,
        is_drained: false,
    };
    Ok((sender, reader))
}

impl SoundReader {
    /// The packets that were read since this was asked last.
    pub(crate) fn packets(&self) -> Result<Vec<AudioPacket>> {
        self.shared.queue().packets()
    }

    /// The samples of what was read since this was asked last.
    pub(crate) fn frames(&mut self) -> Result<Vec<AudioFrame>> {
        let mut frames = Vec::new();
        self.silence_left = SILENCE_AT_ONCE;
        while let NextAudio::Frame(frame) = self.next(Duration::ZERO)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    /// The next samples, if some come within `limit`.
    pub(crate) fn next(&mut self, limit: Duration) -> Result<NextAudio> {
        let until = moment_after(Instant::now(), limit);
        loop {
            if let Some(frame) = self.decoder.as_mut().map_or(Ok(None), AudioDecoder::receive)? {
                return Ok(NextAudio::Frame(frame.in_samples()));
            }
            if self.is_drained {
                return Ok(NextAudio::Over);
            }
            let mut queue = self.shared.queue();
            let message = queue.next(self.pull)?;
            let left = until.saturating_duration_since(Instant::now());
            match message {
                Some(message) => {
                    drop(queue);
                    self.shared.changed.notify_all();
                    self.decode(message)?;
                }
                None if queue.has_ended => {
                    drop(queue);
                    self.is_drained = true;
                    self.decoder.as_mut().map_or(Ok(()), AudioDecoder::drain)?;
                }
                None if left.is_zero() => return Ok(NextAudio::NotYet),
                None => drop(self.shared.wait(queue, left)),
            }
        }
    }

    fn decode(&mut self, message: AudioMessage) -> Result<()> {
        if let AudioMessage::Pulled(source) = message {
            return self.go_on_with(&source);
        }
        if self.decoder.is_none() {
            let Some(stream) = &self.stream else { return Ok(()) };
            let (options, stats) = (&self.options, self.stats.clone());
            self.decoder = Some(AudioDecoder::open(stream, options, self.is_live, stats)?);
        }
        match (&mut self.decoder, message) {
            (Some(decoder), AudioMessage::Silence(until))
                if self.pull == SoundPull::BesideFrames =>
            {
                let filled = decoder.fill_at_most(until, self.silence_left);
                if filled.is_cut {
                    self.stats.audio_dropped();
                }
                self.silence_left = self.silence_left.minus(filled.span).max(Timestamp::ZERO);
                Ok(())
            }
            (Some(decoder), message) => send_to_decoder(decoder, message),
            (None, _) => Ok(()),
        }
    }

    /// Goes on with another source, or begins with one that the input had not at first. Where it can't be
    /// decoded, there is no sound until the next one comes.
    fn go_on_with(&mut self, source: &PulledSource) -> Result<()> {
        let before = (self.decoder.take(), self.stream.take());
        let decoder = open_decoder(&source.stream, &source.options, source.is_live)?;
        let base = source.stream.time_base;
        self.decoder = Some(match before {
            (Some(mut before), _) => {
                before.replace_source(decoder, base);
                before
            }
            (None, _) => AudioDecoder::of(decoder, base, &self.options, self.stats.clone()),
        });
        Ok(())
    }
}

impl Drop for SoundReader {
    fn drop(&mut self) {
        self.shared.queue().is_abandoned = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::{AvPacket, MediaKind};
    use crate::time::TimeBase;
    use crate::time::clock::RealClock;

    fn packet(number: i64) -> AudioMessage {
        let mut av = AvPacket::of_bytes(&[1], 0, true).unwrap();
        av.set_times(Some(number), Some(number), 1);
        AudioMessage::Packet(Packet {
            av,
            kind: MediaKind::Audio,
            stream: 0,
            time_base: TimeBase::MILLIS,
            arrived: None,
            quality: None,
            floor: Timestamp::ZERO,
            discontinuity: false,
        })
    }

    fn times(packets: &[AudioPacket]) -> Vec<i64> {
        packets.iter().filter_map(|packet| Some(packet.pts()?.ticks())).collect()
    }

    /// What is decoded next, until there is nothing.
    fn rest(queue: &mut SoundQueue, pull: SoundPull) -> Vec<String> {
        std::iter::from_fn(|| queue.next(pull).unwrap())
            .map(|message| match message {
                AudioMessage::Packet(packet) => packet.av.pts().unwrap().to_string(),
                AudioMessage::Silence(until) => format!("silence to {}", until.as_micros()),
                AudioMessage::Lost => "lost".to_owned(),
                _ => "other".to_owned(),
            })
            .collect()
    }

    #[test]
    fn packets_and_samples_are_taken_each_for_itself() {
        let stats = Stats::new(None, Arc::new(RealClock));
        let pull = SoundPull::BesideFrames;
        let mut queue = SoundQueue::default();
        (0..3).for_each(|n| queue.push(packet(n), &stats));
        assert_eq!(times(&queue.packets().unwrap()), [0, 1, 2]);
        queue.push(AudioMessage::Lost, &stats);
        queue.push(packet(3), &stats);
        assert_eq!(rest(&mut queue, pull), ["0", "1", "2", "lost", "3"]);
        assert_eq!(times(&queue.packets().unwrap()), [3]);
        // Silence grows for as long as nobody has taken it.
        let silence = |micros| AudioMessage::Silence(Timestamp::from_micros(micros));
        [10, 20, 30].into_iter().for_each(|until| queue.push(silence(until), &stats));
        assert_eq!(rest(&mut queue, pull), ["silence to 30"]);
        queue.push(silence(40), &stats);
        assert_eq!(rest(&mut queue, pull), ["silence to 40"]);
    }

    #[test]
    fn what_is_not_taken_in_time_is_counted_once_somebody_asks() {
        let stats = Stats::new(None, Arc::new(RealClock));
        let dropped = || stats.snapshot().audio_dropped;
        let mut queue = SoundQueue::default();
        let all = i64::try_from(KEPT).unwrap() + 5;
        (0..all).for_each(|n| queue.push(packet(n), &stats));
        assert_eq!(dropped(), 0, "nobody wants any");
        assert_eq!(times(&queue.packets().unwrap()), (5..all).collect::<Vec<_>>());
        (all..all + 7).for_each(|n| queue.push(packet(n), &stats));
        assert_eq!(dropped(), 0, "those were taken");
        (0..all).for_each(|n| queue.push(packet(n), &stats));
        assert_eq!(dropped(), 12, "and 12 were not");
        assert_eq!(queue.waiting.len(), KEPT);
    }

    #[test]
    fn what_is_taken_alone_is_gone() {
        let stats = Stats::new(None, Arc::new(RealClock));
        let mut queue = SoundQueue::default();
        (0..9).for_each(|n| queue.push(packet(n), &stats));
        assert_eq!(queue.undecoded(), 9);
        assert_eq!(rest(&mut queue, SoundPull::Alone).len(), 9);
        assert_eq!((queue.undecoded(), queue.waiting.len()), (0, 0));
        queue.push(packet(9), &stats);
        assert_eq!(rest(&mut queue, SoundPull::Alone), ["9"]);
    }
}
