//! What a reader of the output saw and heard, and whether that was as it should be.

use std::ops::Range;
use std::path::Path;

use super::clips::{BITS, CELL};
use super::judge::{Kind, packets};
use super::pixels::decode_with;
use super::recorder::Part;

/// A packet's times, in ms on the publisher's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
}

/// A picture that was shown, and the number it carries, where that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shown {
    pub(crate) at_ms: i64,
    pub(crate) number: Option<usize>,
}

/// How loud a moment of the sound was.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Heard {
    pub(crate) at_ms: i64,
    /// Of the full scale.
    pub(crate) level_db: f64,
}

/// Below this it is silence, above the other it is the louder tone of a second's beginning.
const SILENT_DB: f64 = -60.0;
const LOUD_DB: f64 = -15.0;

/// The same picture so often is held, and not just late.
const HELD: usize = 5;

/// One part of a recording, or all of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(crate) video: Vec<Stamp>,
    pub(crate) audio: Vec<Stamp>,
    pub(crate) shown: Vec<Shown>,
    pub(crate) heard: Vec<Heard>,
    /// What the reader complained of.
    pub(crate) said: String,
}

impl Story {
    pub(crate) fn of(part: &Part) -> Story {
        Story { said: part.said.clone(), ..Story::of_file(&part.file, 0) }
    }

    /// `margin` is how many rows below the counter are not the camera's picture.
    pub(crate) fn of_file(file: &Path, margin: usize) -> Story {
        let video = stamps(file, Kind::Video);
        let pictures = decode_with(args!["-copyts", "-i", file], "gray");
        let mut times: Vec<i64> = video.iter().map(|stamp| stamp.pts).collect();
        times.sort_unstable();
        assert_eq!(times.len(), pictures.frames.len(), "pictures that can't be decoded");
        let row = pictures.height - margin - CELL / 2;
        let read = |(&at_ms, gray): (&i64, &Vec<u8>)| Shown {
            at_ms,
            number: number_in(gray, pictures.width, row),
        };
        let shown = times.iter().zip(&pictures.frames).map(read).collect();
        let has_audio = super::probe_streams(file).iter().any(|s| s["codec_type"] == "audio");
        let (audio, heard) = if has_audio {
            (stamps(file, Kind::Audio), levels(file, ""))
        } else {
            Default::default()
        };
        Story { video, audio, shown, heard, said: String::new() }
    }

    /// Every dts is above the one before, of each stream, and the reader saw it so too.
    #[track_caller]
    pub(crate) fn assert_times_rise(&self) {
        assert_rise(&self.video, "video");
        assert_rise(&self.audio, "audio");
        assert!(!self.said.to_lowercase().contains("monoton"), "{}", self.said);
    }

    /// No picture was shown for longer than this, and no longer without sound.
    #[track_caller]
    pub(crate) fn assert_no_gap_above(&self, limit_ms: i64) {
        let (gap, at) = widest_gap(self.shown.iter().map(|shown| shown.at_ms));
        assert!(gap <= limit_ms, "no picture for {gap} ms from {at} ms on");
        let (gap, at) = widest_gap(self.audio.iter().map(|stamp| stamp.pts));
        assert!(gap <= limit_ms, "no sound for {gap} ms from {at} ms on");
    }

    /// Sound begins and ends where the picture does.
    #[track_caller]
    pub(crate) fn assert_sound_throughout(&self) {
        assert!(!self.audio.is_empty(), "no sound at all");
        let (first, last) = (self.shown[0].at_ms, self.shown[self.shown.len() - 1].at_ms);
        let (begins, ends) = (self.audio[0].pts, self.audio[self.audio.len() - 1].pts);
        assert!((begins - first).abs() < 1000, "sound from {begins} ms, pictures from {first} ms");
        assert!((ends - last).abs() < 1500, "sound up to {ends} ms, pictures up to {last} ms");
    }

    /// The same picture again and again is one.
    pub(crate) fn runs(&self) -> Vec<PictureRun> {
        let mut runs: Vec<PictureRun> = Vec::new();
        for shown in &self.shown {
            match runs.last_mut() {
                Some(run) if run.number == shown.number => {
                    run.to_ms = shown.at_ms;
                    run.count += 1;
                }
                _ => runs.push(PictureRun {
                    number: shown.number,
                    from_ms: shown.at_ms,
                    to_ms: shown.at_ms,
                    count: 1,
                }),
            }
        }
        runs
    }

    /// The stretches in which one picture was held.
    pub(crate) fn holds(&self) -> Vec<PictureRun> {
        self.runs().into_iter().filter(|run| run.count >= HELD).collect()
    }

    /// The pictures follow each other one by one, then the last of them is held, and then they
    /// follow each other again from a number in `again`, of which `missed` may be missing.
    #[track_caller]
    pub(crate) fn assert_held_once(&self, again: Range<usize>, missed: usize) -> Seam {
        let seam = self.assert_bridged_once(again, missed);
        let runs = self.runs();
        let held = runs.iter().take_while(|run| run.from_ms <= seam.lost_ms).count();
        assert_steps(&runs[..held], 0);
        seam
    }

    /// As `assert_held_once`, where it may also be a card that is shown.
    #[track_caller]
    pub(crate) fn assert_bridged_once(&self, again: Range<usize>, missed: usize) -> Seam {
        let runs = self.runs();
        let held = |run: &PictureRun| run.count >= HELD;
        let first = runs.iter().position(held).unwrap_or_else(|| {
            panic!("no picture was held: {}", brief(&runs));
        });
        let last = runs.iter().rposition(held).unwrap();
        assert_steps(&runs[..first], 0);
        let back = &runs[last + 1..];
        assert!(back.len() > 10, "the picture never came back: {}", brief(&runs));
        assert_steps(back, missed);
        let number = back[0].number.unwrap();
        assert!(again.contains(&number), "it came back with {number}: {}", brief(&runs));
        Seam { lost_ms: runs[first].from_ms, back_ms: back[0].from_ms }
    }

    /// The pictures follow each other one by one, but for `missed` at the most.
    #[track_caller]
    pub(crate) fn assert_moving(&self, missed: usize) {
        assert_steps(&self.runs(), missed);
    }

    /// There is no tone between these times.
    #[track_caller]
    pub(crate) fn assert_silent_between(&self, from_ms: i64, to_ms: i64) {
        let within: Vec<_> =
            self.heard.iter().filter(|heard| (from_ms..to_ms).contains(&heard.at_ms)).collect();
        assert!(!within.is_empty(), "no sound, not even silence, from {from_ms} to {to_ms} ms");
        let loud = within.iter().find(|heard| heard.level_db > SILENT_DB);
        assert!(loud.is_none(), "a tone in the silence from {from_ms} to {to_ms} ms: {loud:?}");
    }

    /// There is a tone all along between these times.
    #[track_caller]
    pub(crate) fn assert_tone_between(&self, from_ms: i64, to_ms: i64) {
        let mut within = self.heard.iter().filter(|one| (from_ms..to_ms).contains(&one.at_ms));
        assert!(within.clone().count() > 10, "no sound from {from_ms} to {to_ms} ms");
        let silent = within.find(|heard| heard.level_db < SILENT_DB);
        assert!(silent.is_none(), "silence from {from_ms} to {to_ms} ms: {silent:?}");
    }

    /// How far behind the pictures of each second's beginning the louder tone comes, in ms.
    pub(crate) fn sync(&self, from_ms: i64, to_ms: i64, rate: usize) -> Vec<i64> {
        let onsets: Vec<i64> = self
            .heard
            .windows(2)
            .filter(|pair| pair[0].level_db < LOUD_DB && pair[1].level_db >= LOUD_DB)
            .map(|pair| pair[1].at_ms)
            .collect();
        self.runs()
            .iter()
            .filter(|run| run.count == 1 && (from_ms..to_ms).contains(&run.from_ms))
            .filter(|run| run.number.is_some_and(|number| number % rate == 0))
            .filter_map(|run| {
                let away = onsets.iter().map(|onset| onset - run.from_ms);
                // One further away belongs to a second that was cut off by the seam.
                away.min_by_key(|away| away.abs()).filter(|away| away.abs() < 500)
            })
            .collect()
    }

    /// Picture and sound are as far apart behind the seam as they were before it; `rates` are those
    /// of the camera before and the one behind.
    #[track_caller]
    pub(crate) fn assert_in_sync_behind(&self, seam: Seam, rates: [usize; 2]) {
        let before = self.sync(i64::MIN, seam.lost_ms - 40, rates[0]);
        let after = self.sync(seam.back_ms + 300, i64::MAX, rates[1]);
        assert!(!before.is_empty() && !after.is_empty(), "no beginning of a second was heard");
        let median = |mut all: Vec<i64>| {
            all.sort_unstable();
            all[all.len() / 2]
        };
        let (before, after) = (median(before), median(after));
        assert!((before - after).abs() <= 100, "sound was {before} ms behind, then {after} ms");
    }
}

/// The same picture again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PictureRun {
    pub(crate) number: Option<usize>,
    pub(crate) from_ms: i64,
    /// When it was shown last.
    pub(crate) to_ms: i64,
    pub(crate) count: usize,
}

/// Where the camera's pictures ended, and where they went on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seam {
    pub(crate) lost_ms: i64,
    pub(crate) back_ms: i64,
}

/// The numbers of the runs in short, for a failure's message.
pub(crate) fn brief(runs: &[PictureRun]) -> String {
    let mut text = String::new();
    let mut from = 0;
    for at in 1..=runs.len() {
        let steps = runs.get(at).is_some_and(|run| {
            let before = &runs[at - 1];
            let next = run.number.zip(before.number).is_some_and(|(now, then)| now == then + 1);
            next && run.count == 1 && before.count == 1
        });
        if !steps {
            let (first, last) = (&runs[from], &runs[at - 1]);
            let name = |run: &PictureRun| run.number.map_or("?".to_owned(), |n| n.to_string());
            text += &format!("[{} ms: {}", first.from_ms, name(first));
            if at - from > 1 {
                text += &format!("..{}", name(last));
            }
            if first.count > 1 {
                text += &format!(" x{}", first.count);
            }
            text += "] ";
            from = at;
        }
    }
    text
}

/// One number after the other, each higher, and no more than `missed` left out; what stays is no
/// more than a picture shown twice.
#[track_caller]
fn assert_steps(runs: &[PictureRun], missed: usize) {
    let mut holes = 0;
    for pair in runs.windows(2) {
        let (Some(before), Some(after)) = (pair[0].number, pair[1].number) else {
            panic!("a picture without a number: {}", brief(runs));
        };
        assert!(after > before, "the picture goes back: {}", brief(runs));
        holes += after - before - 1;
    }
    assert!(holes <= missed, "{holes} pictures are missing: {}", brief(runs));
}

#[track_caller]
fn assert_rise(stamps: &[Stamp], what: &str) {
    for pair in stamps.windows(2) {
        assert!(pair[0].dts < pair[1].dts, "{what}: the dts don't rise: {pair:?}");
    }
    assert!(stamps.iter().all(|one| one.pts >= one.dts), "{what}: a pts before its dts");
}

/// The widest gap between times, and where it begins.
fn widest_gap(times: impl Iterator<Item = i64>) -> (i64, i64) {
    let mut last = None;
    let mut widest = (0, 0);
    for at in times {
        if let Some(last) = last {
            widest = widest.max((at - last, last));
        }
        last = Some(at);
    }
    widest
}

/// The number along a row, where every cell is clearly black or white.
pub(crate) fn number_in(gray: &[u8], width: usize, row: usize) -> Option<usize> {
    (0..BITS).try_fold(0, |number, bit| {
        let middle = row * width + bit * CELL + CELL / 2;
        match gray[middle] {
            0..=85 => Some(number),
            170..=255 => Some(number | 1 << bit),
            _ => None,
        }
    })
}

fn stamps(file: &Path, kind: Kind) -> Vec<Stamp> {
    let read = |packet: &super::judge::Packet| Stamp {
        dts: packet.dts.expect("a packet without dts").as_ms(),
        pts: packet.pts.as_ms(),
    };
    packets(file, kind).iter().map(read).collect()
}

/// How loud each of the codec's frames is, behind filters that end with a comma.
pub(crate) fn levels(file: &Path, filters: &str) -> Vec<Heard> {
    let key = "lavfi.astats.Overall.RMS_level";
    let filter = format!("{filters}astats=metadata=1:reset=1,ametadata=print:key={key}:file=-");
    let out = super::ffmpeg(args![
        "-copyts", "-i", file, "-map", "0:a:0", "-af", filter, "-f", "null", "-"
    ]);
    let text = String::from_utf8(out).unwrap();
    let mut at_ms = 0;
    let mut all = Vec::new();
    for line in text.lines() {
        if let Some((_, time)) = line.split_once("pts_time:") {
            at_ms = (time.trim().parse::<f64>().unwrap() * 1000.0).round() as i64;
        } else if let Some(level) = line.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')) {
            all.push(Heard { at_ms, level_db: level.parse().unwrap_or(f64::NEG_INFINITY) });
        }
    }
    all
}
