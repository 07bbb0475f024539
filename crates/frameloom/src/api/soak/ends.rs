//! A camera and two servers that never stay, in simulated time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::api::soak::clip::Clip;
use crate::api::soak::clock::Leaping;
use crate::av::{AvPacket, CodecId, CodecParams, MediaKind, StreamInfo};
use crate::codec::configuration::StreamConfiguration;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::{InputOptions, OutputOptions};
use crate::protocol::environment::EndOpener;
use crate::protocol::{Break, Input, Opened};
use crate::protocol::{Output, Target};
use crate::stats::{Snapshot, Stats};
use crate::time::clock::Clock;
use crate::time::jitter::Jitter;
use crate::time::stop::Stop;
use crate::time::{Rate, TimeBase};

pub(super) const CAMERA: &str = "rtmp://camera/live/a";
/// A server that stays, and one that doesn't.
pub(super) const STEADY: &str = "rtmp://steady/live/a";
pub(super) const SHAKY: &str = "rtmp://shaky/live/a";

/// From one packet to the next, video and audio by turns.
const STEP: Duration = Duration::from_millis(250);
pub(super) const FRAME_MS: i64 = 500;
/// Samples of a packet of audio, and so bytes of it: as long as a frame of video.
const SAMPLES: usize = 4000;
pub(super) const VIDEO: usize = 0;
pub(super) const AUDIO: usize = 1;
/// How far the shaky server may be behind the steady one before the camera goes on.
const BEHIND_MS: i64 = 4000;
/// Packets of video whose announced size is remembered until the other server gets them.
const SIZES: usize = 1000;
/// A GOP of two seconds.
const GOP: usize = 4;

/// A GOP that can be sent over and over.
fn gop_of_size(width: u32, height: u32) -> Clip {
    let clip = Clip::encode((width, height), GOP, GOP, |n, pixels| {
        let shade = 40 * n;
        for (at, value) in pixels.iter_mut().enumerate() {
            *value = u8::try_from((at * 7 + shade) % 256).unwrap();
        }
    });
    assert_eq!(clip.packets.len(), GOP);
    clip
}

/// How a connection to a camera ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Ends,
    Closes,
    Fails,
    FallsSilent,
}

impl Fate {
    pub(super) const ALL: [Fate; 4] = [Fate::Ends, Fate::Closes, Fate::Fails, Fate::FallsSilent];

    /// What is read at the end; nothing may have come for `limit`.
    pub(super) fn end(self, limit: Duration) -> Result<Option<AvPacket>, Break> {
        let error = |cause| Error::new(ErrorKind::Connection, Stage::Source, cause);
        match self {
            Fate::Ends => Ok(None),
            Fate::Closes => Err(Break::Closed(error("the other end closed the connection"))),
            Fate::Fails => Err(Break::Failed(error("connection reset by peer"))),
            Fate::FallsSilent => Err(Break::Silent(limit)),
        }
    }
}

/// What is written to a server, over all connections to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// Packets of video and audio.
    pub(super) packets: [u64; 2],
    pub(super) first_ms: [Option<i64>; 2],
    pub(super) last_ms: [Option<i64>; 2],
    /// The longest time from one dts to the next.
    pub(super) gap_ms: [i64; 2],
    /// Packets whose dts was not later than that of the one before on the same connection.
    pub(super) disordered: u64,
    /// Packets of video of another size than what was announced of them to the other server.
    pub(super) misannounced: u64,
    /// Connections whose video began with something else than a keyframe.
    pub(super) keyless: u64,
    pub(super) finished: u64,
    /// How often the size of the pictures changed on a connection.
    pub(super) resizes: u64,
    /// The codec of its sound.
    pub(super) sound: &'static str,
}

impl Ledger {
    /// A packet of a stream is written.
    pub(super) fn note(&mut self, stream: usize, dts: i64) {
        self.packets[stream] += 1;
        self.first_ms[stream].get_or_insert(dts);
        if let Some(last) = self.last_ms[stream].replace(dts) {
            self.gap_ms[stream] = self.gap_ms[stream].max(dts - last);
        }
    }
}

/// How far the camera may be ahead of the pipeline.
#[derive(Debug)]
pub(super) struct CameraPace {
    /// How many pictures are to be written.
    pub(super) due: fn(&Snapshot) -> u64,
    /// So many of them may be on their way to the steady server before the camera goes on.
    pub(super) behind: u64,
    /// How long the camera waits for that, in real time.
    pub(super) patience: Duration,
    /// Whether time waits for frames that were made before the camera was opened, too.
    pub(super) counts_old_frames: bool,
}

/// All that is around the pipeline.
#[derive(Debug)]
pub(super) struct World {
    clock: Arc<Leaping>,
    clips: [Arc<Clip>; 2],
    chance: Mutex<Jitter>,
    /// Tries of opening that will still fail: the camera's, the shaky server's.
    refusals: [AtomicU64; 2],
    /// Times that the camera, and the shaky server, were lost.
    pub(super) losses: [AtomicU64; 2],
    /// Whether they are there.
    pub(super) there: [AtomicBool; 2],
    ledgers: [Arc<Mutex<Ledger>>; 2],
    /// How far each server has got, in milliseconds.
    reached: [AtomicI64; 2],
    opened: AtomicU64,
    pub(super) stats: OnceLock<Stats>,
    /// When each of the two was last tried, and the shortest time from one try to the next.
    tries: [Mutex<(Option<Instant>, Option<Duration>)>; 2],
    /// Connections that were lost as soon as they were there.
    pub(super) short: [AtomicU64; 2],
    /// The sizes that were announced for packets of video, by their dts.
    sizes: Mutex<BTreeMap<i64, (u32, u32)>>,
    pace: CameraPace,
    /// Whether the picture that the camera sent last is its last before a loss.
    pub(super) is_last: AtomicBool,
    /// Nothing is lost now.
    pub(super) is_calm: AtomicBool,
}

impl World {
    pub(super) fn new(clock: &Arc<Leaping>, seed: u64, pace: CameraPace) -> Arc<World> {
        Arc::new(World {
            clock: Arc::clone(clock),
            clips: [gop_of_size(32, 32), gop_of_size(48, 32)].map(Arc::new),
            chance: Mutex::new(Jitter::from_seed(seed)),
            refusals: Default::default(),
            losses: Default::default(),
            there: Default::default(),
            ledgers: Default::default(),
            reached: Default::default(),
            opened: AtomicU64::new(0),
            stats: OnceLock::new(),
            tries: Default::default(),
            short: Default::default(),
            sizes: Mutex::default(),
            pace,
            is_last: AtomicBool::new(false),
            is_calm: AtomicBool::new(false),
        })
    }

    /// The shortest time from one try to open the camera, and the shaky server, to the next.
    pub(super) fn closest_tries(&self) -> [Duration; 2] {
        [0, 1].map(|which| self.tries[which].lock().unwrap().1.unwrap())
    }

    /// One of the connections that are lost as soon as they are there, of which some follow each
    /// other; when that is.
    fn short_life(&self, which: usize, most_ms: u64) -> Option<Instant> {
        let is_short = self.losses[which].load(SeqCst) > 0 && self.below(3) == 0;
        is_short.then(|| {
            self.short[which].fetch_add(1, SeqCst);
            self.clock.now() + Duration::from_millis(most_ms / 2 + self.below(most_ms / 2))
        })
    }

    /// Compares the sizes that were announced to the two servers for the packet of video at `dts`.
    fn is_misannounced(&self, dts: i64, size: (u32, u32)) -> bool {
        let mut sizes = self.sizes.lock().unwrap();
        if let Some(other) = sizes.remove(&dts) {
            return other != size;
        }
        sizes.insert(dts, size);
        while sizes.len() > SIZES {
            sizes.pop_first();
        }
        false
    }

    /// What was written to the steady server, and to the shaky one.
    pub(super) fn ledgers(&self) -> [Ledger; 2] {
        [0, 1].map(|n| self.ledgers[n].lock().unwrap().clone())
    }

    fn below(&self, limit: u64) -> u64 {
        self.chance.lock().unwrap().number() % limit
    }

    fn moment(&self, from_s: u64, to_s: u64) -> Instant {
        let span = from_s * 1000 + self.below((to_s - from_s) * 1000);
        self.clock.now() + Duration::from_millis(span)
    }

    fn passed_ms(&self) -> i64 {
        i64::try_from(self.clock.passed().as_millis()).unwrap()
    }

    /// Waits, in real time, until the threads that write have written what they have: on a machine
    /// with other work they may be given no time while simulated minutes pass.
    fn wait_for_writers(&self) {
        let begun = Instant::now();
        let is_behind = || {
            let [steady, shaky] = [0, 1].map(|which| self.reached[which].load(SeqCst));
            let counted = self.stats.get().map(Stats::snapshot);
            let due = counted.map_or(0, |counted| (self.pace.due)(&counted));
            let written = self.ledgers[0].lock().unwrap().packets[VIDEO];
            due > written + self.pace.behind
                || self.there[1].load(SeqCst) && shaky < steady - BEHIND_MS
        };
        while is_behind() && begun.elapsed() < self.pace.patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// One of the two is lost, and will not be back at once.
    fn lose(&self, which: usize) {
        self.there[which].store(false, SeqCst);
        self.losses[which].fetch_add(1, SeqCst);
        self.refusals[which].store(self.below(4), SeqCst);
        self.clock.lost();
    }

    /// A try to open one of the two.
    fn knock(&self, which: usize, stage: Stage, stop: &Stop) -> Result<()> {
        // The first connections are made by threads that never wait for the time again.
        if self.losses[which].load(SeqCst) > 0 {
            let now = self.clock.now();
            let mut tries = self.tries[which].lock().unwrap();
            if let Some(last) = tries.0.replace(now) {
                tries.1 = Some(tries.1.map_or(now - last, |closest| closest.min(now - last)));
            }
            drop(tries);
            let span = Duration::from_millis(self.below(800));
            self.clock.wait(span, stop);
        }
        let refused = self.refusals[which].fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1));
        if refused.is_ok() {
            return Err(Error::new(ErrorKind::Connection, stage, "connection refused"));
        }
        self.there[which].store(true, SeqCst);
        Ok(())
    }
}

/// `World`'s ends, which hand it on.
#[derive(Debug)]
pub(super) struct Doors(pub(super) Arc<World>);

impl EndOpener for Doors {
    fn input(&self, url: &str, _: &InputOptions, limit: Duration, stop: &Stop) -> Result<Opened> {
        assert_eq!(url, CAMERA);
        let world = &self.0;
        world.knock(0, Stage::Source, stop)?;
        let now = world.clock.now();
        // The first is like most that follow, and has all that an output is made for.
        let is_first = world.opened.fetch_add(1, SeqCst) == 0;
        let clip = &world.clips[usize::from(!is_first && world.below(4) == 0)];
        let has_audio = is_first || world.below(6) != 0;
        let begin_ms = match world.below(4) {
            0 => 0,
            // Wraps round while it is there.
            1 => (1 << 32) - 60_000,
            2 => i64::try_from(world.below(1 << 31)).unwrap(),
            _ => world.passed_ms(),
        };
        let sent_at_once = STEP * u32::try_from(world.below(16)).unwrap();
        let mut video = stream(VIDEO, clip.params.share());
        video.frame_rate = Rate::new(2, 1);
        let audio = has_audio.then(sound);
        let camera = SoakCamera {
            world: Arc::clone(world),
            clip: Arc::clone(clip),
            has_audio,
            begin_ms,
            origin: now - sent_at_once,
            opened: now,
            next: 0,
            fate: Fate::ALL[usize::try_from(world.below(4)).unwrap()],
            until: world.short_life(0, 2000).unwrap_or_else(|| world.moment(180, 300)),
            limit,
            is_handed_over: false,
            stop: stop.clone(),
        };
        Ok(Opened {
            input: Box::new(camera),
            video: Some(video),
            audio,
            is_live: true,
            pending: VecDeque::new(),
            begin: TimeBase::MILLIS.at(begin_ms),
        })
    }

    fn output(&self, target: &Target, _: &OutputOptions, stop: &Stop) -> Result<Box<dyn Output>> {
        let (world, stop) = (Arc::clone(&self.0), stop.clone());
        let number = usize::from(target.url == SHAKY);
        let ledger = Arc::clone(&world.ledgers[number]);
        let until = None;
        Ok(Box::new(SoakServer {
            world,
            ledger,
            is_shaky: number == 1,
            until,
            last_ms: [None; 2],
            size: (0, 0),
            stop,
        }))
    }
}

pub(super) fn stream(index: usize, params: Result<CodecParams, crate::av::AvError>) -> StreamInfo {
    StreamInfo::of_params(index, params.unwrap(), TimeBase::MILLIS)
}

/// Sound as telephones have it.
pub(super) fn sound() -> StreamInfo {
    let codec = CodecId::named("pcm_alaw").unwrap();
    let mut params = CodecParams::of_codec(MediaKind::Audio, codec, &[]).unwrap();
    params.describe_sound(8000, 1);
    stream(AUDIO, Ok(params))
}

/// One connection to the camera.
struct SoakCamera {
    world: Arc<World>,
    clip: Arc<Clip>,
    has_audio: bool,
    /// Its clock where it begins, in milliseconds.
    begin_ms: i64,
    /// When its first packet was made, which may be long before it was opened.
    origin: Instant,
    opened: Instant,
    /// The number of the next packet: video has the even ones.
    next: usize,
    fate: Fate,
    until: Instant,
    limit: Duration,
    /// Whether it is on its way from the thread that opened it to the one that reads on.
    is_handed_over: bool,
    stop: Stop,
}

impl SoakCamera {
    fn is_not_handed_over(&mut self) {
        if std::mem::take(&mut self.is_handed_over) {
            self.world.clock.noticed();
        }
    }

    fn wait_until(&self, at: Instant) {
        let span = at.saturating_duration_since(self.world.clock.now());
        if !span.is_zero() {
            self.world.clock.wait(span, &self.stop);
        }
    }

    fn end(&mut self) -> Result<Option<AvPacket>, Break> {
        // The thread that opened it reads it to its end.
        self.is_not_handed_over();
        self.wait_until(self.until);
        while self.world.is_calm.load(SeqCst) && !self.stop.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.stop.is_stopped() {
            return Err(Break::Stopped);
        }
        if matches!(self.fate, Fate::FallsSilent) {
            self.world.there[0].store(false, SeqCst);
            self.world.clock.wait(self.limit, &self.stop);
        }
        self.world.lose(0);
        self.fate.end(self.limit)
    }
}

impl Drop for SoakCamera {
    fn drop(&mut self) {
        self.is_not_handed_over();
    }
}

impl Input for SoakCamera {
    fn format_name(&self) -> &'static str {
        "flv"
    }

    fn streams(&self) -> Result<Vec<StreamInfo>> {
        Ok(Vec::new())
    }

    fn read(&mut self) -> Result<Option<AvPacket>, Break> {
        let reads_on = std::thread::current().name() == Some("frameloom-read");
        if reads_on && std::mem::take(&mut self.is_handed_over) {
            self.world.clock.notice_and_work();
        }
        let number = self.next;
        let made = self.origin + STEP * u32::try_from(number).unwrap();
        if made >= self.until {
            return self.end();
        }
        self.wait_until(made);
        if self.stop.is_stopped() {
            return Err(Break::Stopped);
        }
        self.next += if self.has_audio { 1 } else { 2 };
        let is_video = number.is_multiple_of(2);
        let mut packet = if is_video {
            self.world.is_last.store(made + 2 * STEP >= self.until, SeqCst);
            let frame = number / 2 % GOP;
            AvPacket::of_bytes(&self.clip.packets[frame], VIDEO, frame == 0).unwrap()
        } else {
            AvPacket::of_bytes(&[0xd5; SAMPLES], AUDIO, true).unwrap()
        };
        let spent = i64::try_from((STEP * u32::try_from(number).unwrap()).as_millis()).unwrap();
        let at = (self.begin_ms + spent) % (1 << 32);
        packet.set_times(Some(at), Some(at), FRAME_MS);
        if !reads_on && made > self.opened && !self.is_handed_over {
            // With this it is known where the present is.
            self.is_handed_over = true;
            self.world.clock.happened();
        }
        if is_video && made > self.opened {
            self.world.wait_for_writers();
        }
        if is_video && (made > self.opened || self.world.pace.counts_old_frames) {
            self.world.clock.sent();
        }
        Ok(Some(packet))
    }

    fn duration_micros(&self) -> Option<i64> {
        None
    }

    fn bit_rate(&self) -> i64 {
        0
    }

    fn set_stall_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }
}

/// One connection to a server.
struct SoakServer {
    world: Arc<World>,
    ledger: Arc<Mutex<Ledger>>,
    is_shaky: bool,
    /// When it will be lost.
    until: Option<Instant>,
    last_ms: [Option<i64>; 2],
    /// The size of the pictures, as it was announced.
    size: (u32, u32),
    stop: Stop,
}

impl Output for SoakServer {
    fn open(&mut self) -> Result<()> {
        if self.is_shaky {
            self.world.knock(1, Stage::Sink, &self.stop)?;
            let until = self.world.short_life(1, 1000);
            self.until = Some(until.unwrap_or_else(|| self.world.moment(240, 540)));
            let steady = self.world.reached[0].load(SeqCst);
            self.world.reached[1].store(steady, SeqCst);
        }
        Ok(())
    }

    fn configure(&mut self, stream: usize, to: &StreamConfiguration) -> Result<()> {
        let mut ledger = self.ledger.lock().unwrap();
        if stream == VIDEO {
            let size = (to.params.width(), to.params.height());
            let was = std::mem::replace(&mut self.size, size);
            ledger.resizes += u64::from(was != (0, 0) && was != size);
        } else {
            ledger.sound = to.params.codec().name();
        }
        Ok(())
    }

    fn add_stream(
        &mut self,
        configuration: &StreamConfiguration,
        _metadata: &crate::av::metadata::StreamMetadata,
    ) -> Result<usize> {
        let stream = usize::from(configuration.params.kind() != MediaKind::Video);
        self.configure(stream, configuration)?;
        Ok(stream)
    }

    fn write_header(&mut self) -> Result<()> {
        Ok(())
    }

    fn time_base(&self, _: usize) -> TimeBase {
        TimeBase::MILLIS
    }

    fn write(&mut self, packet: &mut AvPacket) -> Result<()> {
        let is_over = self.until.is_some_and(|until| self.world.clock.now() >= until);
        if is_over && !self.world.is_calm.load(SeqCst) {
            self.world.lose(1);
            return Err(Error::new(ErrorKind::Connection, Stage::Sink, "connection reset by peer"));
        }
        let (stream, dts) = (packet.stream(), packet.dts().unwrap());
        let is_misannounced = stream == VIDEO && self.world.is_misannounced(dts, self.size);
        let mut ledger = self.ledger.lock().unwrap();
        ledger.misannounced += u64::from(is_misannounced);
        ledger.note(stream, dts);
        self.world.reached[usize::from(self.is_shaky)].store(dts, SeqCst);
        match self.last_ms[stream].replace(dts) {
            Some(last) => ledger.disordered += u64::from(dts <= last),
            None => ledger.keyless += u64::from(!packet.is_key()),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.ledger.lock().unwrap().finished += 1;
        Ok(())
    }
}
