//! Whether libav takes a value for one of its options.
//!
//! Nothing is guessed: libav sets the option in a structure that nothing else reads. What it refuses
//! there, it refuses where the option is used.

use std::ffi::CStr;
use std::{mem, ptr};

use ffmpeg_sys_next as ff;

use super::listing::{Class, OptionEntry};
use super::names::{Direction, MuxerInfo, demuxer, find_in, has_option};
use super::{c_string, log};

/// Room behind the last option of a structure: no option's value is longer.
const LONGEST_VALUE: usize = 256;

/// The parts of libav that an option is given to, in their order: the first that has it takes it.
#[derive(Clone, Debug)]
pub(crate) struct OptionClasses(Vec<Class>);

impl OptionClasses {
    /// Of static classes; null stands for a part without options.
    pub(super) fn of(classes: impl IntoIterator<Item = *const ff::AVClass>) -> OptionClasses {
        OptionClasses(classes.into_iter().map(Class).collect())
    }

    /// Those of the decoder named.
    pub(crate) fn of_decoder(name: &str) -> OptionClasses {
        super::init();
        let name = c_string(name);
        // SAFETY: looks up static tables, which may have no such entry; the string is NUL-terminated.
        unsafe {
            let found = ff::avcodec_find_decoder_by_name(name.as_ptr()).as_ref();
            let own = found.map_or(ptr::null(), |codec| codec.priv_class);
            OptionClasses::of([own, ff::avcodec_get_class()])
        }
    }

    /// Those of an output: a protocol of these schemes is opened first, unless the container opens
    /// its files itself.
    pub(crate) fn of_output(muxer: &MuxerInfo, schemes: &[impl AsRef<str>]) -> OptionClasses {
        let protocols = if muxer.opens_no_file() { &[] } else { schemes };
        // SAFETY: a static table; the muxer was made from a pointer that is not null.
        let own = unsafe { [ff::avformat_get_class(), (*muxer.0).priv_class] };
        OptionClasses::of(protocols.iter().map(|scheme| protocol(scheme.as_ref())).chain(own))
    }

    /// Those of an input, as far as they are known before it is opened.
    pub(crate) fn of_input(format: Option<&str>, schemes: &[impl AsRef<str>]) -> OptionClasses {
        super::init();
        let found = format.map_or(ptr::null(), demuxer);
        // SAFETY: a static entry or null, and a static table.
        let (general, own) = unsafe {
            let own = found.as_ref().map_or(ptr::null(), |demuxer| demuxer.priv_class);
            (ff::avformat_get_class(), own)
        };
        let protocols = schemes.iter().map(|scheme| protocol(scheme.as_ref()));
        OptionClasses::of([general].into_iter().chain(protocols).chain([own]))
    }

    /// That of the filter named.
    pub(crate) fn of_filter(name: &str) -> OptionClasses {
        let name = c_string(name);
        // SAFETY: looks up a static table, which may have no such entry; the string is NUL-terminated.
        let found = unsafe { ff::avfilter_get_by_name(name.as_ptr()).as_ref() };
        OptionClasses::of(found.map(|filter| filter.priv_class))
    }

    /// Whether one of them has an option of this name.
    pub(crate) fn have(&self, name: &str) -> bool {
        let name = c_string(name);
        self.0.iter().any(|class| has_option(class.0, &name))
    }

    /// What the option takes, where libav refuses this value for it.
    pub(crate) fn refusal(&self, name: &str, value: &str) -> Option<OptionEntry> {
        let (name, value) = (c_string(name), c_string(value));
        let class = self.0.iter().find(|class| has_option(class.0, &name))?;
        if takes(*class, &name, &value) { None } else { class.entry(&name) }
    }

    /// Other names of the same option.
    pub(crate) fn aliases(&self, name: &str) -> Vec<&'static str> {
        self.0.iter().flat_map(|class| class.aliases(name)).collect()
    }

    /// The options' names that stand for values without a name, in their order.
    pub(crate) fn names_in_order(&self) -> Vec<&'static str> {
        self.0.iter().flat_map(|class| class.names_in_order()).collect()
    }
}

fn protocol(scheme: &str) -> *const ff::AVClass {
    let scheme = c_string(scheme);
    // SAFETY: looks up a static table, which may have no such entry; the string is NUL-terminated.
    unsafe { ff::avio_protocol_get_class(scheme.as_ptr()) }
}

/// What an option takes by the parts of libav that have it, where every one of them refuses this
/// value; empty where one takes it, or none has the option.
pub(crate) fn refused_everywhere(
    name: &str,
    value: &str,
    direction: Direction,
) -> Vec<OptionEntry> {
    super::init();
    let (name, value) = (c_string(name), c_string(value));
    let wanted = match direction {
        Direction::Input => ff::AV_OPT_FLAG_DECODING_PARAM,
        Direction::Output => ff::AV_OPT_FLAG_ENCODING_PARAM,
    };
    // SAFETY: return static tables.
    let (codecs, formats) = unsafe { (ff::avcodec_get_class(), ff::avformat_get_class()) };
    let mut refusals = Vec::new();
    // Protocols and devices often leave the direction unsaid.
    for (root, flags) in [(codecs, wanted as libc::c_int), (formats, 0)] {
        for class in Class(root).with_children() {
            if find_in(class.0, &name, flags).is_null() {
                continue;
            }
            if takes(class, &name, &value) {
                return Vec::new();
            }
            refusals.extend(class.entry(&name));
        }
    }
    refusals
}

/// Whether libav sets this option of a structure of this class to the value.
fn takes(class: Class, name: &CStr, value: &CStr) -> bool {
    // SAFETY: null or a static class.
    let Some(original) = (unsafe { class.0.as_ref() }) else { return true };
    let offsets = class.offsets();
    let is_behind_class = |offset: &usize| *offset >= mem::size_of::<*const ff::AVClass>();
    if !offsets.iter().all(is_behind_class) {
        return true;
    }
    // The options alone: what else a class has are functions that look at the whole structure.
    let own = ff::AVClass {
        class_name: original.class_name,
        item_name: Some(ff::av_default_item_name),
        option: original.option,
        version: original.version,
        // SAFETY: zeros are no functions, no offsets, and the category of nothing in particular.
        ..unsafe { mem::zeroed() }
    };
    let length = offsets.into_iter().max().unwrap_or(0) + LONGEST_VALUE;
    let mut structure = vec![0u64; length.div_ceil(mem::size_of::<u64>())];
    let object = structure.as_mut_ptr();
    // SAFETY: the structure begins with a pointer to its class, as libav wants it, and has room for
    // every option of it. Zeros are what each option is before it is set; what libav allocates for a
    // value is freed. Class and structure outlive the calls, and both strings are NUL-terminated.
    let status = log::silently(|| unsafe {
        object.cast::<*const ff::AVClass>().write(&raw const own);
        let status = ff::av_opt_set(object.cast(), name.as_ptr(), value.as_ptr(), 0);
        ff::av_opt_free(object.cast());
        status
    });
    // Without memory nothing is said of the value.
    status >= 0 || status == ff::AVERROR(libc::ENOMEM)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::av::{EncoderSetup, muxer_for};

    fn is_taken(classes: &OptionClasses, name: &str, value: &str) -> bool {
        classes.refusal(name, value).is_none()
    }

    #[test]
    fn libav_judges_the_values_of_an_encoder() {
        let x264 = EncoderSetup::find("libx264").unwrap().option_classes();
        let vp9 = EncoderSetup::find("libvpx-vp9").unwrap().option_classes();
        for (classes, name, value, is_good) in [
            (&x264, "g", "50", true),
            (&x264, "g", "1e30", false),
            (&x264, "g", "2*25", true),
            (&x264, "g", "max", true),
            (&x264, "g", "many", false),
            (&x264, "g", "", false),
            (&x264, "b", "2*1000k", true),
            (&x264, "b", "2M", true),
            (&x264, "b", "-5", false),
            (&x264, "b", "1e30", false),
            (&x264, "flags", "+cgop-loop", true),
            (&x264, "flags", "+nonsense", false),
            (&x264, "flags", "0x800000", true),
            (&x264, "crf", "18.5", true),
            // x264 itself takes the nearest that it has.
            (&x264, "crf", "900", true),
            (&vp9, "crf", "63", true),
            (&vp9, "crf", "900", false),
            (&vp9, "deadline", "realtime", true),
            (&vp9, "deadline", "realtim", false),
            (&x264, "color_range", "tv", true),
            (&x264, "color_range", "tvv", false),
            (&x264, "nal-hrd", "cbr", true),
            (&x264, "nal-hrd", "cbrr", false),
            // A text, which the encoder judges.
            (&x264, "preset", "anything", true),
            // What it has not, it says nothing about.
            (&x264, "nothing", "anything", true),
        ] {
            assert_eq!(is_taken(classes, name, value), is_good, "{name} {value}");
        }
    }

    #[test]
    fn libav_judges_the_values_of_containers_protocols_and_filters() {
        let muxer = |name| muxer_for(Some(name), "").unwrap();
        let flv = OptionClasses::of_output(&muxer("flv"), &["rtmp", "tcp"]);
        let mp4 = OptionClasses::of_output(&muxer("mp4"), &["file"]);
        let http = OptionClasses::of_input(Some("hls"), &["http"]);
        let scale = OptionClasses::of_filter("scale");
        for (classes, name, value, is_good) in [
            (&flv, "flvflags", "no_duration_filesize", true),
            (&flv, "flvflags", "no_such_flag", false),
            (&flv, "rtmp_buffer", "3000", true),
            (&flv, "rtmp_buffer", "soon", false),
            (&mp4, "movflags", "+faststart+frag_keyframe", true),
            (&mp4, "movflags", "+slowstart", false),
            (&mp4, "max_delay", "-2", false),
            (&http, "reconnect", "1", true),
            (&http, "reconnect", "perhaps", false),
            (&http, "probesize", "32", true),
            (&http, "probesize", "1", false),
            (&http, "live_start_index", "-3", true),
            (&http, "live_start_index", "last", false),
            (&scale, "flags", "bilinear", true),
            (&scale, "interl", "1", true),
            (&scale, "interl", "9", false),
        ] {
            assert_eq!(is_taken(classes, name, value), is_good, "{name} {value}");
        }
        assert!(OptionClasses::of_filter("nothing").refusal("flags", "x").is_none());
        assert!(OptionClasses::of_decoder("nothing").refusal("skip_frame", "sometimes").is_some());
        assert!(OptionClasses::of_decoder("h264").refusal("skip_frame", "nokey").is_none());
    }

    /// What libav says of the value in a context of an encoder, as it is made for encoding.
    fn is_set(encoder: &str, name: &CStr, value: &CStr) -> bool {
        let encoder = c_string(encoder);
        // SAFETY: a static encoder, a context of it that is freed, and NUL-terminated strings.
        unsafe {
            let codec = ff::avcodec_find_encoder_by_name(encoder.as_ptr());
            let mut context = ff::avcodec_alloc_context3(codec);
            let own = (*context).priv_data;
            let is_own = !own.is_null() && has_option((*codec).priv_class, name);
            let object = if is_own { own } else { context.cast() };
            let status = log::silently(|| ff::av_opt_set(object, name.as_ptr(), value.as_ptr(), 0));
            ff::avcodec_free_context(&mut context);
            status >= 0
        }
    }

    proptest! {
        #[test]
        fn the_judgement_is_that_of_a_context_of_the_encoder(
            encoder in prop::sample::select(vec!["libx264", "libvpx-vp9", "mpeg4", "aac", "png"]),
            option in any::<prop::sample::Index>(),
            constant in any::<prop::sample::Index>(),
            number in prop_oneof![
                any::<i64>().prop_map(|n| n.to_string()),
                (-100..100i64).prop_map(|n| n.to_string()),
                any::<f64>().prop_map(|n| n.to_string()),
                (0..99u32, 0..99u32).prop_map(|(a, b)| format!("{a}*{b}k")),
                "[ -~]{0,12}",
                prop::sample::select(vec!["max", "min", "default", "all", "none", "auto", "1/0"])
                    .prop_map(str::to_owned),
            ],
            is_named in any::<bool>(),
            sign in prop::sample::select(vec!["", "+", "-"]),
        ) {
            let classes = EncoderSetup::find(encoder).unwrap().option_classes();
            let entries: Vec<OptionEntry> = classes.0.iter().flat_map(|c| c.entries()).collect();
            let entry = option.get(&entries);
            let value = match entry.constants.as_slice() {
                constants if is_named && !constants.is_empty() => {
                    format!("{sign}{}", constant.get(constants).name)
                }
                _ => number,
            };
            let is_good = is_set(encoder, &c_string(entry.name), &c_string(&value));
            prop_assert_eq!(is_taken(&classes, entry.name, &value), is_good, "{} {}", entry.name, value);
        }
    }

    /// No class of libav's is one that can't be asked, and what has a range keeps to it.
    #[test]
    fn every_option_of_libav_can_be_judged() {
        let mut asked = 0;
        for direction in [Direction::Input, Direction::Output] {
            for name in crate::av::option_names() {
                for value in ["", "1", "nonsense", "-1e300", "\u{7f}", &"9".repeat(400)] {
                    refused_everywhere(name, value, direction);
                    asked += 1;
                }
                let is_number = |entries: &[OptionEntry]| entries.iter().any(|e| e.range.is_some());
                let refusals = refused_everywhere(name, "1e300", direction);
                assert!(
                    refusals.is_empty() || !is_number(&refusals) || {
                        refusals.iter().all(|e| e.range.is_none_or(|(_, most)| most < 1e300))
                    }
                );
            }
        }
        assert!(asked > 5000, "{asked}");
    }
}
