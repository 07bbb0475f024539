//! Four cameras and a server, in simulated time: cameras whose clocks drift, that are lost, fall silent and
//! come back in another size, and whose pictures tell which camera made them, and when.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::api::soak::clip::Clip;
use crate::api::soak::clock::Leaping;
use crate::api::soak::ends::{AUDIO, Fate, Ledger, VIDEO, sound, stream};
use crate::av::{AvPacket, MediaKind, StreamInfo};
use crate::codec::configuration::StreamConfiguration;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::{Frame, PixelFormat};
use crate::options::{InputOptions, OutputOptions};
use crate::protocol::environment::EndOpener;
use crate::protocol::{Break, Input, Opened, Output, Target};
use crate::stats::Stats;
use crate::stats::{EndState, Snapshot};
use crate::time::clock::Clock;
use crate::time::jitter::Jitter;
use crate::time::stop::Stop;
use crate::time::{Rate, TimeBase};

/// The cameras of a wall.
pub(super) const CAMERAS: usize = 4;
/// The side of a tile.
pub(super) const TILE: usize = 32;
/// Milliseconds from one picture of each camera to its next, and when its first one is made.
pub(super) const INTERVALS_MS: [i64; CAMERAS] = [1000, 1000, 2000, 1000];
const PHASES_MS: [i64; CAMERAS] = [0, 230, 790, 570];
/// How many millionths too fast each one's clock is.
const DRIFT_PPM: [i64; CAMERAS] = [40, -80, 120, -60];
/// Those that have sound.
const HAS_SOUND: [bool; CAMERAS] = [true, true, false, false];
/// How long each one's connections last, in seconds; for the last of them, for ever.
const LIVES_S: [Option<(u64, u64)>; CAMERAS] =
    [Some((2000, 5000)), Some((120, 400)), Some((200, 700)), None];
/// Pictures are told apart by so many shades; then they begin anew.
const SHADES: i64 = 40;
/// A length of sound.
const SOUND_MS: i64 = 1000;
/// What the network takes for a packet, at the most.
const JITTER_MS: u64 = 25;
/// How long a camera's pictures are not judged behind its return, in milliseconds.
const SETTLED_MS: i64 = 4000;
/// How long a camera waits, in real time, until the pipeline has done its work.
const WORK: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK: Duration = Duration::from_micros(50);
/// How long what a connection sends at once is read, and a millisecond for fractions of one.
const BURST_MS: i64 = 61;
/// A level of gray that tells which picture of its camera one is.
fn shade_of(number: i64) -> u8 {
    u8::try_from(8 + 6 * number.rem_euclid(SHADES)).unwrap()
}

/// The number, in its round, of a picture with this level of gray.
fn number_of(shade: u8) -> Option<i64> {
    let above = i64::from(shade) - 8;
    let number = (above + 3).div_euclid(6);
    ((above - 6 * number).abs() <= 2 && (0..SHADES).contains(&number)).then_some(number)
}

/// A level of gray that tells which camera made a picture.
fn mark_of(camera: usize) -> u8 {
    u8::try_from(20 + 70 * camera).unwrap()
}

/// Every picture of a camera, in a size of pixels: the left half tells its number, the right half the camera.
fn clip(camera: usize, size: (u32, u32)) -> Clip {
    let width = usize::try_from(size.0).unwrap();
    Clip::encode(size, usize::try_from(SHADES).unwrap(), 1, |n, pixels| {
        let shade = shade_of(i64::try_from(n).unwrap());
        for (at, pixel) in pixels.chunks_mut(3).enumerate() {
            pixel.fill(if at % width < width / 2 { shade } else { mark_of(camera) });
        }
    })
}

/// What is seen of the wall.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) pictures: u64,
    /// When the last one came.
    last_ms: Option<i64>,
    /// The longest time from one to the next.
    pub(super) pause_ms: i64,
    /// Pictures in which two cameras or more are judged, and those in which they are out of step.
    pub(super) judged: u64,
    pub(super) out_of_step: u64,
    /// Tiles that were judged.
    pub(super) tiles: [u64; CAMERAS],
    /// The first tiles that showed another camera, or nothing that can be told.
    pub(super) wrong: Vec<String>,
}

/// All that is around the pipeline.
#[derive(Debug)]
pub(super) struct Yard {
    clock: Arc<Leaping>,
    /// Each camera's pictures in the sizes that it has by turns.
    clips: [Vec<Arc<Clip>>; CAMERAS],
    chance: Mutex<Jitter>,
    refusals: [AtomicU64; CAMERAS],
    pub(super) opened: [AtomicU64; CAMERAS],
    pub(super) losses: [AtomicU64; CAMERAS],
    /// Since when each sends what is live, in milliseconds; negative where it doesn't.
    live_since: [AtomicI64; CAMERAS],
    /// Cameras that are read.
    begun: AtomicU64,
    pub(super) stats: OnceLock<Stats>,
    /// The states of the pipeline's threads, but for those that read, once all are there.
    threads: OnceLock<Vec<File>>,
    pub(super) seen: Mutex<Seen>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
}

impl Yard {
    pub(super) fn new(clock: &Arc<Leaping>, seed: u64) -> Arc<Yard> {
        let sizes = |camera: usize| -> &'static [(u32, u32)] {
            if camera == 1 { &[(32, 32), (64, 64), (48, 32)] } else { &[(32, 32)] }
        };
        let clips = |camera| sizes(camera).iter().map(move |size| Arc::new(clip(camera, *size)));
        Arc::new(Yard {
            clock: Arc::clone(clock),
            clips: [0, 1, 2, 3].map(|camera| clips(camera).collect()),
            chance: Mutex::new(Jitter::from_seed(seed)),
            refusals: Default::default(),
            opened: Default::default(),
            losses: Default::default(),
            live_since: [-1; CAMERAS].map(AtomicI64::new),
            begun: AtomicU64::new(0),
            stats: OnceLock::new(),
            threads: OnceLock::new(),
            seen: Mutex::default(),
            ledger: Arc::default(),
        })
    }

    pub(super) fn url(camera: usize) -> String {
        format!("rtmp://camera{camera}/live/a")
    }

    fn below(&self, limit: u64) -> u64 {
        self.chance.lock().unwrap().number() % limit
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.passed().as_millis()).unwrap()
    }

    fn is_live(&self, camera: usize) -> bool {
        self.live_since[camera].load(SeqCst) >= 0
    }

    /// Whether all cameras are there, and the pipeline knows it.
    pub(super) fn are_there(&self, counted: &Snapshot) -> bool {
        counted.input == EndState::Ok && (0..CAMERAS).all(|camera| self.is_live(camera))
    }

    /// Waits, in real time, until the pipeline has done all that there is to do: on a machine with other work
    /// its threads may be given no time while simulated seconds pass.
    fn wait_for_pipeline(&self) {
        let begun = Instant::now();
        // Two looks: one that was seen asleep may have been given work by the last that was not.
        let is_idle = |threads: &[File]| {
            let sleeps = || threads.iter().all(is_asleep);
            sleeps() && sleeps()
        };
        loop {
            let has_begun = self.seen.lock().unwrap().pictures > 10;
            let is_done = match self.threads.get() {
                Some(threads) => is_idle(threads),
                None if has_begun => is_idle(self.threads.get_or_init(threads_at_work)),
                None => is_idle(&threads_at_work()),
            };
            if is_done || begun.elapsed() > WORK {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Looks at a picture of the wall.
    pub(super) fn look(&self, frame: &Frame) -> Result<()> {
        let now = self.now_ms();
        let image = frame.image(PixelFormat::Gray)?;
        let mut seen = self.seen.lock().unwrap();
        seen.pictures += 1;
        if let Some(last) = seen.last_ms.replace(now) {
            seen.pause_ms = seen.pause_ms.max(now - last);
        }
        let mut made: Vec<(i64, i64)> = Vec::new();
        for camera in 0..CAMERAS {
            let (left, top) = (camera % 2 * TILE, camera / 2 * TILE);
            let row = image.row(u32::try_from(top + TILE / 2).unwrap());
            let (shade, mark) = (row[left + TILE / 4], row[left + TILE * 3 / 4]);
            let number = number_of(shade).filter(|_| mark.abs_diff(mark_of(camera)) <= 4);
            let Some(number) = number else {
                if seen.wrong.len() < 10 {
                    seen.wrong.push(format!("{shade} and {mark} in tile {camera} at {now} ms"));
                }
                continue;
            };
            let since = self.live_since[camera].load(SeqCst);
            if since < 0 || now - since < SETTLED_MS {
                continue;
            }
            let (interval, phase) = (INTERVALS_MS[camera], PHASES_MS[camera]);
            let newest = (now - phase).div_euclid(interval);
            let number = newest - (newest - number).rem_euclid(SHADES);
            made.push((number * interval + phase, interval));
            seen.tiles[camera] += 1;
        }
        if made.len() < 2 {
            return Ok(());
        }
        seen.judged += 1;
        // There is a moment of which each shows the picture that was its newest.
        let newest = made.iter().map(|(at, _)| *at).max().unwrap();
        let replaced = made.iter().map(|(at, interval)| at + interval).min().unwrap();
        let slack = i64::try_from(JITTER_MS).unwrap() + 15;
        if newest - replaced > slack {
            seen.out_of_step += 1;
            if seen.out_of_step < 20 {
                println!("out of step at {now} ms: {made:?}");
            }
        }
        Ok(())
    }

    /// A try to open a camera.
    fn knock(&self, camera: usize, stop: &Stop) -> Result<()> {
        if self.losses[camera].load(SeqCst) > 0 {
            self.clock.wait(Duration::from_millis(self.below(800)), stop);
        }
        let refused = self.refusals[camera].fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1));
        if refused.is_ok() {
            return Err(Error::new(ErrorKind::Connection, Stage::Source, "connection refused"));
        }
        Ok(())
    }
}

/// A packet of sound in which nothing is heard, of 8000 samples a second.
fn silence() -> AvPacket {
    AvPacket::of_bytes(&[0xd5; 8000], AUDIO, true).unwrap()
}

/// Where the kernel tells the states of the pipeline's threads, without those that read: one of them asks.
fn threads_at_work() -> Vec<File> {
    let all = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_meant = |task: &PathBuf| {
        let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        let reads = ["frameloom-read", "frameloom-reope"];
        name.starts_with("frameloom-") && !reads.contains(&name.trim())
    };
    all.filter(is_meant).filter_map(|task| File::open(task.join("stat")).ok()).collect()
}

fn is_asleep(stat: &File) -> bool {
    // Its state stands behind its name, which is the second word.
    let mut told = [0; 64];
    // A thread that has ended works no more.
    let Ok(count) = stat.read_at(&mut told, 0) else { return true };
    let told = String::from_utf8_lossy(&told[..count]);
    told.split_once(") ").is_none_or(|(_, rest)| rest.starts_with('S'))
}

/// `Yard`'s ends, which hand it on.
#[derive(Debug)]
pub(super) struct Gates(pub(super) Arc<Yard>);

impl EndOpener for Gates {
    fn input(&self, url: &str, _: &InputOptions, limit: Duration, stop: &Stop) -> Result<Opened> {
        let yard = &self.0;
        let camera = (0..CAMERAS).find(|camera| url == Yard::url(*camera)).unwrap();
        yard.knock(camera, stop)?;
        let opened = yard.opened[camera].fetch_add(1, SeqCst);
        let clips = &yard.clips[camera];
        let clip = &clips[usize::try_from(opened).unwrap() % clips.len()];
        let interval = INTERVALS_MS[camera];
        let now = yard.now_ms();
        // A server sends the last of what was made before at once.
        let next = (now - PHASES_MS[camera]).div_euclid(interval) + 1
            - i64::try_from(yard.below(6)).unwrap();
        let begin_ms = i64::try_from(yard.below(1 << 31)).unwrap();
        let lives = LIVES_S[camera].map(|(from, to)| {
            yard.clock.now() + Duration::from_millis(from * 1000 + yard.below((to - from) * 1000))
        });
        let origin_ms = next * interval + PHASES_MS[camera];
        let mut video = stream(VIDEO, clip.params.share());
        video.frame_rate = Rate::new(1000, i32::try_from(interval).unwrap());
        let input = WallCamera {
            yard: Arc::clone(yard),
            camera,
            clip: Arc::clone(clip),
            begin_ms,
            origin_ms,
            opened_ms: now,
            next,
            next_sound_ms: HAS_SOUND[camera].then_some(origin_ms),
            came_ms: 0,
            quiet_ms: None,
            fate: Fate::ALL[usize::try_from(yard.below(4)).unwrap()],
            until: lives,
            limit,
            is_first: opened == 0,
            is_handed_over: false,
            stop: stop.clone(),
        };
        Ok(Opened {
            input: Box::new(input),
            video: Some(video),
            audio: HAS_SOUND[camera].then(sound),
            is_live: true,
            pending: VecDeque::new(),
            begin: TimeBase::MILLIS.at(begin_ms),
        })
    }

    fn output(&self, _: &Target, _: &OutputOptions, _: &Stop) -> Result<Box<dyn Output>> {
        Ok(Box::new(WallServer(Arc::clone(&self.0.ledger))))
    }
}

/// One connection to a camera.
struct WallCamera {
    yard: Arc<Yard>,
    camera: usize,
    clip: Arc<Clip>,
    /// Its clock where it begins, and when that was, in milliseconds.
    begin_ms: i64,
    origin_ms: i64,
    opened_ms: i64,
    /// The number of the next picture, and where the next sound begins.
    next: i64,
    next_sound_ms: Option<i64>,
    /// When the last packet came.
    came_ms: i64,
    /// From when on it sends nothing for a while, and how long.
    quiet_ms: Option<(i64, i64)>,
    fate: Fate,
    until: Option<Instant>,
    limit: Duration,
    /// The first connection of all.
    is_first: bool,
    /// Whether it is on its way from the thread that opened it to the one that reads on.
    is_handed_over: bool,
    stop: Stop,
}

impl WallCamera {
    fn is_not_handed_over(&mut self) {
        if std::mem::take(&mut self.is_handed_over) {
            self.yard.clock.noticed();
        }
    }

    /// Its own clock at a moment.
    fn own_ms(&self, at_ms: i64) -> i64 {
        let passed = at_ms - self.origin_ms;
        self.begin_ms + passed + passed * DRIFT_PPM[self.camera] / 1_000_000
    }

    /// All cameras begin together: time stands until each of them works.
    fn wait_for_others(&self) {
        self.yard.clock.happened();
        self.yard.begun.fetch_add(1, SeqCst);
        let all = u64::try_from(CAMERAS).unwrap();
        while self.yard.begun.load(SeqCst) < all && !self.stop.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.yard.clock.notice_and_work();
    }

    fn end(&mut self) -> Result<Option<AvPacket>, Break> {
        // The thread that opened it reads it to its end.
        self.is_not_handed_over();
        let yard = Arc::clone(&self.yard);
        yard.live_since[self.camera].store(-1, SeqCst);
        if matches!(self.fate, Fate::FallsSilent) {
            yard.clock.wait(self.limit, &self.stop);
        }
        if self.stop.is_stopped() {
            return Err(Break::Stopped);
        }
        yard.losses[self.camera].fetch_add(1, SeqCst);
        yard.refusals[self.camera].store(yard.below(4), SeqCst);
        yard.clock.lost();
        self.fate.end(self.limit)
    }

    /// When what was made at `made_ms` comes: in order, a little later, and not while it is quiet.
    fn arrival_ms(&mut self, made_ms: i64) -> i64 {
        if self.quiet_ms.is_none() && self.camera == 2 && self.yard.below(300) == 0 {
            self.quiet_ms = Some((made_ms, i64::try_from(self.yard.below(8000)).unwrap()));
        }
        let mut comes = made_ms + i64::try_from(self.yard.below(JITTER_MS)).unwrap();
        if let Some((from, length)) = self.quiet_ms {
            // What it held back comes at once.
            comes = comes.max(from + length);
            self.yard.live_since[self.camera].store(-1, SeqCst);
            if made_ms > from + length {
                self.quiet_ms = None;
            }
        }
        self.came_ms = comes.max(self.came_ms);
        self.came_ms
    }
}

impl Drop for WallCamera {
    fn drop(&mut self) {
        self.is_not_handed_over();
    }
}

impl Input for WallCamera {
    fn format_name(&self) -> &'static str {
        "flv"
    }

    fn streams(&self) -> Result<Vec<StreamInfo>> {
        Ok(Vec::new())
    }

    fn read(&mut self) -> Result<Option<AvPacket>, Break> {
        let reads_on = std::thread::current().name() == Some("frameloom-read");
        if reads_on && std::mem::take(&mut self.is_handed_over) {
            self.yard.clock.notice_and_work();
        }
        if reads_on && std::mem::take(&mut self.is_first) {
            self.wait_for_others();
        } else if reads_on {
            self.yard.wait_for_pipeline();
        }
        let picture_ms = self.next * INTERVALS_MS[self.camera] + PHASES_MS[self.camera];
        // Sound is sent when all of a packet is there.
        let sound_ms = self.next_sound_ms.map(|begin| begin + SOUND_MS);
        let sound_ms = sound_ms.filter(|end| *end <= picture_ms);
        let comes_ms = self.arrival_ms(sound_ms.unwrap_or(picture_ms));
        let now = self.yard.clock.now();
        let span = comes_ms - self.yard.now_ms();
        let wait = Duration::from_millis(u64::try_from(span).unwrap_or(0));
        if self.until.is_some_and(|until| now + wait >= until) {
            let rest = self.until.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
            self.yard.clock.wait(rest, &self.stop);
            return self.end();
        }
        if !wait.is_zero() {
            self.yard.clock.wait(wait, &self.stop);
        }
        if self.stop.is_stopped() {
            return Err(Break::Stopped);
        }
        let is_live = comes_ms > self.opened_ms;
        if !reads_on && comes_ms >= self.opened_ms + BURST_MS && !self.is_handed_over {
            // With this it is known where the present is, and nothing more is read.
            self.is_handed_over = true;
            self.yard.clock.happened();
        }
        let (mut packet, begin_ms, length_ms) = match sound_ms {
            Some(end_ms) => {
                self.next_sound_ms = Some(end_ms);
                (silence(), end_ms - SOUND_MS, SOUND_MS)
            }
            None => {
                let picture = usize::try_from(self.next.rem_euclid(SHADES)).unwrap();
                let packet = AvPacket::of_bytes(&self.clip.packets[picture], VIDEO, true).unwrap();
                self.next += 1;
                self.sends_picture(is_live && reads_on);
                (packet, picture_ms, INTERVALS_MS[self.camera])
            }
        };
        let at = self.own_ms(begin_ms);
        packet.set_times(Some(at), Some(at), length_ms);
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

impl WallCamera {
    /// Notes that a picture is on its way, one of what is live or of what came before.
    fn sends_picture(&mut self, is_live: bool) {
        let since = &self.yard.live_since[self.camera];
        if is_live && self.quiet_ms.is_none() && since.load(SeqCst) < 0 {
            since.store(self.yard.now_ms(), SeqCst);
        }
    }
}

/// The server that the wall is published to.
struct WallServer(Arc<Mutex<Ledger>>);

impl Output for WallServer {
    fn open(&mut self) -> Result<()> {
        Ok(())
    }

    fn configure(&mut self, _: usize, _: &StreamConfiguration) -> Result<()> {
        Ok(())
    }

    fn add_stream(
        &mut self,
        configuration: &StreamConfiguration,
        _metadata: &crate::av::metadata::StreamMetadata,
    ) -> Result<usize> {
        Ok(if configuration.params.kind() == MediaKind::Video { VIDEO } else { AUDIO })
    }

    fn write_header(&mut self) -> Result<()> {
        Ok(())
    }

    fn time_base(&self, _: usize) -> TimeBase {
        TimeBase::MILLIS
    }

    fn write(&mut self, packet: &mut AvPacket) -> Result<()> {
        let (stream, dts) = (packet.stream(), packet.dts().unwrap());
        let mut ledger = self.0.lock().unwrap();
        let is_behind = ledger.last_ms[stream].is_some_and(|last| dts <= last);
        ledger.disordered += u64::from(is_behind);
        ledger.note(stream, dts);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.0.lock().unwrap().finished += 1;
        Ok(())
    }
}
