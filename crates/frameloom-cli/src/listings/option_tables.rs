//! The options of a part of FFmpeg.

use std::fmt::Write;

use frameloom::internal::listing::{
    OptionConstant, OptionDefault, OptionEntry, OptionFlags, OptionKind, OptionTable,
};

use super::flag;
use super::number::{duration, integer, number};

/// The options that are for any of `purposes`, under a heading for each table.
pub(super) fn shown(tables: &[OptionTable], purposes: OptionFlags) -> String {
    let mut text = String::new();
    for table in tables {
        // Writing to a String can't fail, here and below.
        let _ = writeln!(text, "{} AVOptions:", table.class);
        for option in table.options.iter().filter(|option| option.flags.has_any(purposes)) {
            line(&mut text, option);
            for constant in option.constants.iter().filter(|c| c.flags.has_any(purposes)) {
                constant_line(&mut text, option, constant);
            }
        }
        text.push('\n');
    }
    text
}

fn line(text: &mut String, option: &OptionEntry) {
    // Those of filters are written without a dash, in a graph.
    let dash = if option.flags.has_any(OptionFlags::FILTERING) { ' ' } else { '-' };
    let _ = write!(text, "  {dash}{:<17} ", option.name);
    let kind = format!("<{}>", kind(option.kind));
    let _ = match option.is_list {
        true => write!(text, "[{kind:<10}]"),
        false => write!(text, "{kind:<12} "),
    };
    text.push_str(&flags(option.flags));
    if let Some(help) = option.help {
        let _ = write!(text, " {help}");
    }
    if let Some((least, greatest)) = option.range {
        let _ = write!(text, " (from {} to {})", number(least), number(greatest));
    }
    if let Some(default) = default(option) {
        let _ = write!(text, " (default {default})");
    }
    text.push('\n');
}

fn constant_line(text: &mut String, option: &OptionEntry, constant: &OptionConstant) {
    let value = match option.kind {
        OptionKind::Int | OptionKind::Int64 | OptionKind::Uint => constant.value.to_string(),
        _ => String::new(),
    };
    let _ = write!(text, "     {:<15} {value:<12} {}", constant.name, flags(constant.flags));
    if let Some(help) = constant.help {
        let _ = write!(text, " {help}");
    }
    text.push('\n');
}

fn flags(flags: OptionFlags) -> String {
    let letters = [
        ('E', OptionFlags::ENCODING),
        ('D', OptionFlags::DECODING),
        ('F', OptionFlags::FILTERING),
        ('V', OptionFlags::VIDEO),
        ('A', OptionFlags::AUDIO),
        ('S', OptionFlags::SUBTITLE),
        ('X', OptionFlags::EXPORT),
        ('R', OptionFlags::READ_ONLY),
        ('B', OptionFlags::BITSTREAM_FILTER),
        ('T', OptionFlags::RUNTIME),
        ('P', OptionFlags::DEPRECATED),
    ];
    letters.into_iter().map(|(letter, purpose)| flag(letter, flags.has_any(purpose))).collect()
}

/// libav's word for a kind of value.
fn kind(kind: OptionKind) -> &'static str {
    match kind {
        OptionKind::Flags => "flags",
        OptionKind::Int => "int",
        OptionKind::Int64 => "int64",
        OptionKind::Uint => "unsigned",
        OptionKind::Uint64 => "uint64",
        OptionKind::Double => "double",
        OptionKind::Float => "float",
        OptionKind::Text => "string",
        OptionKind::Rational => "rational",
        OptionKind::Binary => "binary",
        OptionKind::Dictionary => "dictionary",
        OptionKind::ImageSize => "image_size",
        OptionKind::PixelFormat => "pix_fmt",
        OptionKind::SampleFormat => "sample_fmt",
        OptionKind::VideoRate => "video_rate",
        OptionKind::Duration => "duration",
        OptionKind::Color => "color",
        OptionKind::ChannelLayout | OptionKind::ChannelMask => "channel_layout",
        OptionKind::Bool => "boolean",
        _ => "",
    }
}

/// What holds where the option is not given; by its name where it has one.
fn default(option: &OptionEntry) -> Option<String> {
    Some(match option.default {
        OptionDefault::None => return None,
        OptionDefault::Text(text) if option.is_list => text.to_owned(),
        OptionDefault::Text(text) => format!("\"{text}\""),
        OptionDefault::Name(name) => name.to_owned(),
        OptionDefault::Ratio(over, under) => format!("{over}/{under}"),
        OptionDefault::Number(value) => number(value),
        OptionDefault::Integer(value) => match option.kind {
            OptionKind::Bool => match value {
                ..0 => "auto".to_owned(),
                0 => "false".to_owned(),
                1.. => "true".to_owned(),
            },
            OptionKind::Flags => {
                let set = option.constants.iter().filter(|constant| constant.value & value != 0);
                let names: Vec<&str> = set.map(|constant| constant.name).collect();
                if names.is_empty() { format!("{value:X}") } else { names.join("+") }
            }
            OptionKind::Duration => duration(value),
            OptionKind::ChannelMask => format!("0x{value:x}"),
            _ => {
                let named = option.constants.iter().find(|constant| constant.value == value);
                named.map_or_else(|| integer(value), |constant| constant.name.to_owned())
            }
        },
    })
}
