//! Filters, protocols, formats of pixels and samples, channels, colours.

use std::fmt::Write;

use frameloom::internal::listing::{self, FilterPad, ListedFilter, SINCE_8_0};

use super::codecs::letter;
use super::flag;

const PIXEL_FORMATS: &str = "\
Pixel formats:
I.... = Supported Input  format for conversion
.O... = Supported Output format for conversion
..H.. = Hardware accelerated format
...P. = Paletted format
....B = Bitstream format
FLAGS NAME            NB_COMPONENTS BITS_PER_PIXEL BIT_DEPTHS
-----
";

/// The end of the filters' heading, which is the same for all versions.
const PADS: &str = "  A = Audio input/output
  V = Video input/output
  N = Dynamic number and/or type of input/output
  | = Source or sink filter
";

/// The inputs and outputs of a filter are cut to so many letters.
const PADS_WIDTH: usize = 60;

/// Each on a line of its own.
fn lines<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    items.into_iter().flat_map(|item| [item, "\n"]).collect()
}

/// `-pix_fmts`.
pub(crate) fn pixel_formats() -> String {
    let mut text = PIXEL_FORMATS.to_owned();
    for format in listing::pixel_formats() {
        let flags = [
            flag('I', format.is_scaler_input),
            flag('O', format.is_scaler_output),
            flag('H', format.is_hardware),
            flag('P', format.is_paletted),
            flag('B', format.is_bitstream),
        ];
        let depths: Vec<String> = format.depths.iter().map(i32::to_string).collect();
        // One without components, of a device, has a depth all the same: 0.
        let depths = if depths.is_empty() { "0".to_owned() } else { depths.join("-") };
        // Writing to a String can't fail, here and below.
        let _ = writeln!(
            text,
            "{} {:<16}       {}            {:>3}      {depths}",
            String::from_iter(flags),
            format.name,
            format.depths.len(),
            format.bits_per_pixel,
        );
    }
    text
}

/// `-sample_fmts`.
pub(crate) fn sample_formats() -> String {
    lines(listing::sample_format_lines().iter().map(String::as_str))
}

/// `-layouts`.
pub(crate) fn channel_layouts() -> String {
    let mut text = String::from("Individual channels:\nNAME           DESCRIPTION\n");
    for channel in listing::channels() {
        let _ = writeln!(text, "{:<14} {}", channel.name, channel.description);
    }
    text += "\nStandard channel layouts:\nNAME           DECOMPOSITION\n";
    for layout in listing::channel_layouts() {
        let _ = writeln!(text, "{:<14} {}", layout.name, layout.channels.join("+"));
    }
    text
}

/// `-colors`.
pub(crate) fn colors() -> String {
    let mut text = format!("{:<32} #RRGGBB\n", "name");
    for color in listing::colors() {
        let [red, green, blue] = color.rgb;
        let _ = writeln!(text, "{:<32} #{red:02x}{green:02x}{blue:02x}", color.name);
    }
    text
}

/// `-dispositions`.
pub(crate) fn dispositions() -> String {
    lines(listing::dispositions())
}

/// `-hwaccels`.
pub(crate) fn device_types() -> String {
    format!("Hardware acceleration methods:\n{}\n", lines(listing::device_types()))
}

/// `-bsfs`.
pub(crate) fn bitstream_filters() -> String {
    let filters = listing::bitstream_filters();
    format!("Bitstream filters:\n{}\n", lines(filters.iter().map(|filter| filter.name)))
}

/// `-protocols`.
pub(crate) fn protocols() -> String {
    let mut text = String::from("Supported file protocols:\n");
    for (title, names) in
        [("Input", listing::input_protocols()), ("Output", listing::output_protocols())]
    {
        let _ = writeln!(text, "{title}:");
        for name in names {
            let _ = writeln!(text, "  {name}");
        }
    }
    text
}

/// `-filters`.
pub(crate) fn filters() -> String {
    let mut text = String::from(if SINCE_8_0 {
        "Filters:\n  T. = Timeline support\n  .S = Slice threading\n"
    } else {
        "Filters:\n  T.. = Timeline support\n  .S. = Slice threading\n  ..C = Command support\n"
    });
    text += PADS;
    if SINCE_8_0 {
        text += "  ------\n";
    }
    for filter in listing::filters() {
        let mut flags = vec![flag('T', filter.has_timeline), flag('S', filter.has_slice_threads)];
        flags.extend(filter.has_commands.map(|has_commands| flag('C', has_commands)));
        let _ = writeln!(
            text,
            " {} {:<17} {:<10} {}",
            String::from_iter(flags),
            filter.name,
            shape(&filter),
            filter.description.unwrap_or_default()
        );
    }
    text
}

/// What goes in and comes out: `V->V`.
fn shape(filter: &ListedFilter) -> String {
    let side = |pads: &[FilterPad], is_dynamic: bool| match (pads, is_dynamic) {
        ([], true) => "N".to_owned(),
        ([], false) => "|".to_owned(),
        _ => pads.iter().map(|pad| letter(pad.media_type)).take(PADS_WIDTH).collect(),
    };
    let inputs = side(&filter.inputs, filter.has_dynamic_inputs);
    format!("{inputs}->{}", side(&filter.outputs, filter.has_dynamic_outputs))
}
