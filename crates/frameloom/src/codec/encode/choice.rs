//! What an encoder is opened with where nobody said it: pixel format, size, options.

use crate::av::{Dict, EncoderSetup, PixFmt};
use crate::codec::encode::plan::VideoPlan;
use crate::error::{Error, ErrorKind, Hint, Result, Stage};
use crate::options::PixelFormatChoice;

/// What decides in which pixel format pictures are encoded, besides their own and the encoder.
pub(super) struct FormatNeeds<'a> {
    /// What was asked for.
    pub(super) choice: Option<&'a PixelFormatChoice>,
    pub(super) is_edited: bool,
    pub(super) keeps_alpha: bool,
    /// The container has room for these alone; empty where it doesn't matter.
    pub(super) container: &'a [&'a str],
    /// Those that can be put on the encoder's device; empty where it takes pictures from memory.
    pub(super) device: &'a [PixFmt],
}

/// The pixel format to encode in: the frames' own wherever the encoder takes it and players do.
pub(super) fn pixel_format(
    setup: &EncoderSetup,
    own: PixFmt,
    needs: &FormatNeeds<'_>,
) -> Result<PixFmt> {
    let FormatNeeds { choice, is_edited, keeps_alpha, container, device } = *needs;
    let mut list = setup.pixel_formats();
    if list.is_empty() {
        list = container.iter().filter_map(|name| PixFmt::named(name)).collect();
    }
    if !device.is_empty() {
        list = device.to_vec();
    } else if setup.codec().name() == "mjpeg" {
        // JPEG is of full range; the encoder lists the others for those who insist (-strict).
        list.retain(|f| f.is_full_range_by_name());
    }
    let takes = |format: PixFmt| list.is_empty() || list.contains(&format);
    let best = |format: PixFmt| format.best_of(&list).unwrap_or(format);
    if let Some(choice) = choice {
        let wanted = choice.format.as_deref().and_then(PixFmt::named).unwrap_or(own);
        if takes(wanted) {
            return Ok(wanted);
        }
        let names: Vec<&str> = list.iter().map(|f| f.name()).collect();
        if choice.strict {
            let cause = format!("{} does not take pixel format {}", setup.name(), wanted.name());
            return Err(Error::new(ErrorKind::Usage, Stage::Encode, cause)
                .hint(Hint::near_or_all(wanted.name(), names)));
        }
        let best = best(wanted);
        tracing::warn!(
            "{} does not take pixel format {}: {} is used",
            setup.name(),
            wanted.name(),
            best.name()
        );
        return Ok(best);
    }
    let transparent = PixFmt::named("yuva420p").filter(|f| list.contains(f) && own.has_alpha());
    if let Some(transparent) = transparent.filter(|_| keeps_alpha && setup.codec().is_lossy()) {
        return Ok(transparent);
    }
    if let Some(plain) =
        PixFmt::named("yuv420p").filter(|&f| list.contains(&f) && setup.codec().is_lossy())
    {
        // Encoders would take RGB as 4:4:4, which hardly any player shows; gray can't hold what
        // your code may have painted.
        if own.is_rgb() || own.is_paletted() || own.is_gray() && (is_edited || !takes(own)) {
            return Ok(plain);
        }
    }
    Ok(if takes(own) { own } else { best(own) })
}

/// Codecs whose packets carry no time of their own finer than a constant frame rate.
pub(super) fn needs_constant_rate(codec: &str) -> bool {
    matches!(
        codec,
        "mpeg1video"
            | "mpeg2video"
            | "mpeg4"
            | "h263"
            | "h263p"
            | "msmpeg4v2"
            | "msmpeg4v3"
            | "wmv1"
            | "wmv2"
            | "dvvideo"
            | "theora"
    )
}

/// The picture's size, made even where the codec can't code an odd one.
pub(super) fn size(setup: &EncoderSetup, format: PixFmt, width: u32, height: u32) -> (u32, u32) {
    if !matches!(setup.codec().name(), "h264" | "hevc" | "av1") {
        return (width, height);
    }
    let (x, y) = format.chroma_shift();
    let even = |size: u32, shift: u32| size.next_multiple_of(1 << shift);
    (even(width, x), even(height, y))
}

/// The plan's options, and what is set where they say nothing.
pub(super) fn options(setup: &EncoderSetup, plan: &VideoPlan, format: PixFmt) -> Dict {
    let mut dict = Dict::from_pairs(plan.options.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let live = plan.is_live;
    match setup.name() {
        "libx264" | "libx265" => {
            dict.set_default("preset", "veryfast");
            // Players can begin at an IDR picture only.
            dict.set_default("forced-idr", "1");
            if live {
                dict.set_default("tune", "zerolatency");
            }
            if setup.name() == "libx265" && plan.option("x265-params").is_none() {
                dict.set_default("x265-params", "log-level=error");
            }
        }
        "libvpx" | "libvpx-vp9" => {
            dict.set_default("deadline", if live { "realtime" } else { "good" });
            dict.set_default("cpu-used", if live { "8" } else { "4" });
            if plan.option("b").is_none() && plan.option("crf").is_none() {
                dict.set_default("crf", "31");
                dict.set_default("b", "0");
            }
            if live {
                dict.set_default("lag-in-frames", "0");
            }
            if format.has_alpha() {
                // libvpx can't have hidden pictures and transparency at once.
                dict.set_default("auto-alt-ref", "0");
            }
            if setup.name() == "libvpx-vp9" {
                dict.set_default("row-mt", "1");
            }
        }
        "libaom-av1" => {
            dict.set_default("cpu-used", "8");
            dict.set_default("usage", if live { "realtime" } else { "good" });
        }
        "libsvtav1" => dict.set_default("preset", "10"),
        // As above: players can begin at an IDR picture only.
        "h264_nvenc" | "hevc_nvenc" => dict.set_default("forced-idr", "1"),
        "h264_qsv" | "hevc_qsv" => dict.set_default("forced_idr", "1"),
        _ => {}
    }
    dict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_kept_where_players_take_them() {
        let on_device = ["nv12", "p010le"].map(|name| PixFmt::named(name).unwrap());
        let format = |encoder: &str, own: &str, edited| {
            let Some(setup) = EncoderSetup::find(encoder) else {
                // Not every libav has encoders on devices.
                assert!(encoder.ends_with("_vaapi"), "{encoder}");
                return None;
            };
            let own = PixFmt::named(own).unwrap();
            let needs = FormatNeeds {
                choice: None,
                is_edited: edited,
                keeps_alpha: encoder == "libvpx-vp9",
                container: if encoder == "wrapped_avframe" { &["yuv420p", "gray"] } else { &[] },
                device: if encoder.ends_with("_vaapi") { &on_device } else { &[] },
            };
            Some(pixel_format(&setup, own, &needs).unwrap().name())
        };
        for (encoder, own, edited, chosen) in [
            ("libx264", "yuv420p", true, "yuv420p"),
            ("libx264", "yuv444p", true, "yuv444p"),
            ("libx264", "nv12", false, "nv12"),
            ("libx264", "rgb24", false, "yuv420p"),
            ("libx264", "pal8", false, "yuv420p"),
            ("libx264", "gray", true, "yuv420p"),
            ("libx264", "yuv420p10le", true, "yuv420p10le"),
            ("ffv1", "gray", true, "gray"),
            ("png", "rgb24", false, "rgb24"),
            ("png", "yuv420p", false, "rgb24"),
            ("mjpeg", "yuv420p", false, "yuvj420p"),
            ("libx264", "rgba", false, "yuv420p"),
            ("libvpx-vp9", "rgba", true, "yuva420p"),
            ("libvpx-vp9", "rgb24", false, "yuv420p"),
            ("rawvideo", "yuv420p", true, "yuv420p"),
            ("rawvideo", "rgb24", true, "rgb24"),
            ("wrapped_avframe", "rgb24", true, "yuv420p"),
            ("hevc_vaapi", "yuv420p", true, "nv12"),
            ("hevc_vaapi", "rgb24", true, "nv12"),
            ("hevc_vaapi", "yuv420p10le", false, "p010le"),
            ("mjpeg_vaapi", "yuv420p", false, "nv12"),
        ] {
            let found = format(encoder, own, edited).unwrap_or(chosen);
            assert_eq!(found, chosen, "{own} to {encoder}");
        }
    }
}
