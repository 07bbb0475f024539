//! The options of the ffmpeg program that are not here, each with what there is instead.
//!
//! Nobody has to guess: an option that means nothing here is accepted, and any other is answered by
//! what to use, not by a name that happens to resemble it. When an option arrives, its row goes.
//! AVOptions are libav's and stand nowhere here.

use super::table::{LibraryOption, find_ffmpeg};
use crate::av::{self, Direction};
use crate::error::{End, Error, Hint, Instead, Setting, sentence};

/// An option of the ffmpeg program that is not here.
#[derive(Clone, Copy, Debug)]
pub struct AbsentOption {
    /// Its name without its dash, and without the stream specifier.
    pub name: &'static str,
    /// Whether a value follows it.
    pub takes_value: bool,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of an option that is not here.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It is accepted, as there is nothing for it to change: why, in one sentence without its full
    /// stop.
    NoEffect(&'static str),
    /// It is an error, which says what there is instead.
    Refused(fn(&Setting) -> Hint),
}

use Outcome::{NoEffect, Refused};

impl AbsentOption {
    /// The error for it, written as `setting`; `None` where it is accepted.
    pub fn refusal(&self, setting: Setting) -> Option<Error> {
        match self.outcome {
            NoEffect(_) => None,
            Refused(hint) => {
                let hint = hint(&setting);
                Some(Error::usage(sentence!("{} is not an option here", setting)).hint(hint))
            }
        }
    }
}

/// Every option that is not here.
pub fn absent() -> &'static [AbsentOption] {
    TABLE
}

/// The option of this name, without its dash, unless there is one here or of libav's. One that turns
/// off what is never on has no effect.
pub fn find_absent(name: &str) -> Option<&'static AbsentOption> {
    let bare = name.split(':').next().unwrap_or_default();
    if find_ffmpeg(name).is_some() || is_libavs(bare) {
        return None;
    }
    let named = |name: &str| TABLE.iter().find(|option| option.name == name);
    let turned_off = || {
        let on = bare.strip_prefix("no")?;
        let is_flag = |entry: &LibraryOption| !entry.row.takes_value();
        let is_off = find_ffmpeg(on).is_some_and(is_flag)
            || named(on).is_some_and(|option| !option.takes_value);
        is_off.then_some(&NEVER_ON)
    };
    named(bare).or_else(turned_off)
}

/// Whether a value follows the option of this name: it does unless something says otherwise.
pub fn takes_value(name: &str) -> bool {
    match find_ffmpeg(name) {
        Some(entry) => entry.row.takes_value(),
        None => find_absent(name).is_none_or(|option| option.takes_value),
    }
}

fn is_libavs(name: &str) -> bool {
    [Direction::Input, Direction::Output].iter().any(|way| av::find_option(name, *way).is_known())
}

const NEVER_ON: AbsentOption = flag("no", NoEffect("it is off in any case"));

const fn flag(name: &'static str, outcome: Outcome) -> AbsentOption {
    AbsentOption { name, takes_value: false, outcome }
}

const fn value(name: &'static str, outcome: Outcome) -> AbsentOption {
    AbsentOption { name, takes_value: true, outcome }
}

/// Options to use instead.
fn uses(names: &[&'static str]) -> Hint {
    Hint::Use(names.iter().map(|name| Setting::ffmpeg(*name).of(End::Output)).collect())
}

/// One option to use instead, with its value.
fn uses_value(name: &'static str, value: &'static str) -> Hint {
    Hint::Use(vec![Setting::ffmpeg(name).to(value)])
}

const MAP: Outcome = Refused(|_| uses(&["map"]));
const EARLY: Outcome = Refused(|_| Instead::EndEarly.into());
const QUALITY: Outcome = Refused(|_| Instead::EncodersQuality.into());
const TIMES: Outcome = Refused(|_| Instead::FramesKeepTimes.into());
const ZERO: Outcome = Refused(|_| Instead::TimesBeginAtZero.into());
const OFFSET: Outcome = Refused(|_| Hint::Use(vec![Setting::ffmpeg("itsoffset").of(End::Input)]));
const ATTACHMENTS: Outcome = Refused(|_| Instead::NoAttachments.into());
const SUBTITLES: Outcome = Refused(|_| Instead::EventsAreAsRead.into());
const COPIED_DATA: Outcome = Refused(|_| Instead::DataIsCopied.into());
const COPY: Outcome = Refused(|_| Instead::CopyBeginsWithKeyframe.into());
const SYSTEM: Outcome = Refused(|_| Instead::SystemLimits.into());
const LISTS: Outcome = Refused(|_| Instead::FfmpegLists.into());
const DECIDED: Outcome = Refused(|_| Instead::Decided.into());
const PRESET: Outcome = Refused(|_| uses(&["preset"]));
const VIDEO_FILTER: Outcome = Refused(|_| uses(&["vf"]));
const REALTIME: Outcome = Refused(|_| Hint::Use(vec![Setting::ffmpeg("re").of(End::Input)]));
const PARAMS: Outcome = Refused(|_| uses(&["x264-params", "x265-params"]));
const DEBUG: Outcome = Refused(|_| uses_value("v", "debug"));
const LEAVE_OUT: Outcome = Refused(|setting| Hint::LeaveOut(setting.clone()));

const TABLE: &[AbsentOption] = &[
    // Accepted.
    value("thread_queue_size", NoEffect("each input is read by a thread of its own")),
    value("max_muxing_queue_size", NoEffect("what waits to be written has limits of its own")),
    value(
        "muxing_queue_data_threshold",
        NoEffect("what waits to be written has limits of its own"),
    ),
    value("filter_threads", NoEffect("it changes nothing of what a graph makes")),
    value("filter_complex_threads", NoEffect("it changes nothing of what a graph makes")),
    value("filter_buffered_frames", NoEffect("one frame waits for a graph")),
    flag("ignore_unknown", NoEffect("streams of unknown kinds are left out")),
    flag("accurate_seek", NoEffect("-ss is exact in any case")),
    flag("autorotate", NoEffect("turned pictures are turned upright in any case")),
    flag("autoscale", NoEffect("frames of another size are scaled in any case")),
    flag("find_stream_info", NoEffect("the streams are looked at in any case")),
    flag("auto_conversion_filters", NoEffect("pixel formats are converted in any case")),
    // Which streams, and from where.
    value("map_channel", Refused(|_| uses_value("af", "pan=mono|c0=c0"))),
    value("discard", MAP),
    flag("copy_unknown", MAP),
    flag("recast_media", MAP),
    value("stream_group", MAP),
    value("isync", OFFSET),
    value("itsscale", Refused(|_| uses_value("vf", "setpts=2*PTS"))),
    flag("noaccurate_seek", Refused(|_| uses_value("c", "copy"))),
    flag("seek_timestamp", ZERO),
    value("readrate", REALTIME),
    value("readrate_initial_burst", REALTIME),
    value("readrate_catchup", REALTIME),
    flag("nofind_stream_info", Refused(|_| uses_value("analyzeduration", "0"))),
    value("dec", LEAVE_OUT),
    value("dump_attachment", ATTACHMENTS),
    // Graphs and filters.
    flag("noauto_conversion_filters", LEAVE_OUT),
    value("filter_script", VIDEO_FILTER),
    value("reinit_filter", Refused(|_| Hint::Use(vec![Setting::own("on-resize")]))),
    flag("noautoscale", Refused(|_| Hint::Use(vec![Setting::own("on-resize").to("restart")]))),
    flag("noautorotate", Refused(|_| Instead::PicturesAreUpright.into())),
    flag("drop_changed", LEAVE_OUT),
    value("display_rotation", VIDEO_FILTER),
    flag("display_hflip", VIDEO_FILTER),
    flag("display_vflip", VIDEO_FILTER),
    value("apply_cropping", VIDEO_FILTER),
    value("vol", Refused(|_| uses_value("af", "volume=0.5"))),
    value("apad", Refused(|_| uses_value("af", "apad"))),
    // When an output ends, and its times.
    value("shortest_buf_duration", EARLY),
    value("fs", EARLY),
    value("async", TIMES),
    value("adrift_threshold", TIMES),
    value("frame_drop_threshold", TIMES),
    value("fpsmax", TIMES),
    flag("force_fps", TIMES),
    value("time_base", TIMES),
    value("enc_time_base", TIMES),
    value("copytb", TIMES),
    flag("start_at_zero", ZERO),
    value("dts_delta_threshold", TIMES),
    value("dts_error_threshold", TIMES),
    value("muxdelay", Refused(|_| uses(&["max_delay"]))),
    value("muxpreload", Refused(|_| uses(&["preload"]))),
    flag("copyinkf", COPY),
    flag("copypriorss", COPY),
    // How it is encoded.
    flag("sameq", QUALITY),
    flag("same_quant", QUALITY),
    value("vb", Refused(|_| uses(&["b:v"]))),
    value("pre", PRESET),
    value("vpre", PRESET),
    value("apre", PRESET),
    value("spre", PRESET),
    value("fpre", PRESET),
    value("target", Refused(|_| Instead::NameFormatAndCodecs.into())),
    value("rc_override", PARAMS),
    value("intra_matrix", PARAMS),
    value("inter_matrix", PARAMS),
    value("chroma_intra_matrix", PARAMS),
    value("top", Refused(|_| uses_value("vf", "setfield=tff"))),
    value("sample_fmt", DECIDED),
    value("mastering_display", DECIDED),
    value("content_light", DECIDED),
    value("ch_layout", Refused(|_| uses(&["ac"]))),
    value("channel_layout", Refused(|_| uses(&["ac"]))),
    value("guess_layout_max", DECIDED),
    value("bits_per_raw_sample", DECIDED),
    flag(
        "bitexact",
        Refused(|_| {
            let flags = |name| Setting::ffmpeg(name).of(End::Output).to("+bitexact");
            Hint::Use(vec![flags("flags"), flags("fflags")])
        }),
    ),
    flag("psnr", Refused(|_| uses_value("flags", "+psnr"))),
    // What is written of the streams, and beside them.
    value("streamid", MAP),
    value("program", ATTACHMENTS),
    value("attach", ATTACHMENTS),
    value("timestamp", Refused(|_| uses(&["metadata"]))),
    value("dcodec", COPIED_DATA),
    flag("fix_sub_duration", SUBTITLES),
    flag("fix_sub_duration_heartbeat", SUBTITLES),
    value("canvas_size", SUBTITLES),
    value("sdp_file", LEAVE_OUT),
    value("o", Refused(|_| Instead::OutputHasNoOption.into())),
    value("output", Refused(|_| Instead::OutputHasNoOption.into())),
    // What the run says and takes.
    flag("xerror", Refused(|_| uses_value("max_error_rate", "0"))),
    value("abort_on", Refused(|_| uses(&["max_error_rate"]))),
    value("timelimit", SYSTEM),
    value("max_alloc", SYSTEM),
    value("cpuflags", LEAVE_OUT),
    value("cpucount", LEAVE_OUT),
    flag("benchmark_all", Refused(|_| uses(&["benchmark"]))),
    flag("dump", DEBUG),
    flag("hex", DEBUG),
    flag("debug_ts", DEBUG),
    flag("qphist", DEBUG),
    flag("vstats", DEBUG),
    value("vstats_file", DEBUG),
    value("vstats_version", DEBUG),
    value("stats_enc_pre", DEBUG),
    value("stats_enc_post", DEBUG),
    value("stats_mux_pre", DEBUG),
    value("stats_enc_pre_fmt", DEBUG),
    value("stats_enc_post_fmt", DEBUG),
    value("stats_mux_pre_fmt", DEBUG),
    flag("print_graphs", DEBUG),
    value("print_graphs_file", DEBUG),
    value("print_graphs_format", DEBUG),
    // What ffmpeg lists.
    flag("license", LISTS),
    flag("?", LISTS),
    value("sources", LISTS),
    value("sinks", LISTS),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::table::library;
    use crate::options::{InputOptions, OutputOptions};

    #[test]
    fn a_row_stands_for_what_is_not_here() {
        for (n, option) in TABLE.iter().enumerate() {
            let is_here = library().iter().any(|e| !e.row.is_long && e.row.is_named(option.name));
            assert!(!is_here, "-{} is here: its row can go", option.name);
            let again = TABLE.iter().skip(n + 1).find(|other| other.name == option.name);
            assert!(again.is_none(), "-{} stands there twice", option.name);
        }
    }

    #[test]
    fn an_answer_names_what_was_asked_for() {
        for (name, says) in [
            ("vb", "(use -b:v)"),
            ("sameq", "-sameq is not an option here (use the encoder's own option, such as -crf"),
            ("xerror", "(use -max_error_rate 0)"),
            ("noautoscale", "(use --on-resize=restart)"),
            ("sdp_file", "leave -sdp_file out"),
        ] {
            let output = OutputOptions::new().set(name, "1").unwrap_err().to_string();
            let input = InputOptions::new().set(name, "1").unwrap_err().to_string();
            for said in [output, input] {
                assert!(said.contains(says), "-{name}: {said}");
                assert!(!said.contains("did you mean"), "-{name}: {said}");
            }
        }
    }

    #[test]
    fn what_has_nothing_to_change_is_accepted() {
        for name in ["thread_queue_size", "max_muxing_queue_size", "autorotate", "noshortest"] {
            assert_eq!(OutputOptions::new().with(name, "1").unwrap(), OutputOptions::new());
            assert!(InputOptions::new().set(name, "1").is_ok(), "{name}");
        }
        assert!(takes_value("max_muxing_queue_size") && takes_value("crf") && takes_value("s"));
        assert!(!takes_value("autorotate") && !takes_value("start_at_zero") && !takes_value("an"));
    }
}
