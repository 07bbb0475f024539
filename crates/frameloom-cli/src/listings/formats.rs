//! Containers and devices.

use std::collections::BTreeMap;
use std::fmt::Write;

use frameloom::internal::listing::{self, ListedFormat, SINCE_7_1};

/// What is known of one name.
struct Entry {
    long_name: Option<&'static str>,
    is_demuxer: bool,
    is_muxer: bool,
    is_device: bool,
}

/// `-formats`.
pub(crate) fn formats() -> String {
    table(&listing::muxers(), &listing::demuxers(), false)
}

/// `-muxers`.
pub(crate) fn muxers() -> String {
    table(&listing::muxers(), &[], false)
}

/// `-demuxers`.
pub(crate) fn demuxers() -> String {
    table(&[], &listing::demuxers(), false)
}

/// `-devices`.
pub(crate) fn devices() -> String {
    table(&listing::muxers(), &listing::demuxers(), true)
}

fn table(muxers: &[ListedFormat], demuxers: &[ListedFormat], only_devices: bool) -> String {
    let mut text = String::from(match (only_devices, SINCE_7_1) {
        (true, false) => "Devices:\n D. = Demuxing supported\n .E = Muxing supported\n --\n",
        (true, true) => "Devices:\n D. = Demuxing supported\n .E = Muxing supported\n ---\n",
        (false, false) => "File formats:\n D. = Demuxing supported\n .E = Muxing supported\n --\n",
        (false, true) => {
            "Formats:\n D.. = Demuxing supported\n .E. = Muxing supported\n ..d = Is a device\n ---\n"
        }
    });
    let has_device_column = SINCE_7_1 && !only_devices;
    for (name, entry) in entries(muxers, demuxers, only_devices) {
        let column = |letter, is_set| if is_set { letter } else { ' ' };
        text.push(' ');
        text.push(column('D', entry.is_demuxer));
        text.push(column('E', entry.is_muxer));
        if has_device_column {
            text.push(column('d', entry.is_device));
        }
        // Writing to a String can't fail.
        let _ = writeln!(text, " {name:<15} {}", entry.long_name.unwrap_or(" "));
    }
    text
}

/// What is known of each name, in the names' order. A muxer's own words come before a demuxer's.
fn entries(
    muxers: &[ListedFormat],
    demuxers: &[ListedFormat],
    only_devices: bool,
) -> BTreeMap<&'static str, Entry> {
    let mut entries: BTreeMap<&'static str, Entry> = BTreeMap::new();
    let muxers = muxers.iter().map(|format| (format, true));
    let demuxers = demuxers.iter().map(|format| (format, false));
    for (format, is_muxer) in muxers.chain(demuxers) {
        if only_devices && !format.is_device {
            continue;
        }
        let entry = entries.entry(format.name).or_insert(Entry {
            long_name: format.long_name,
            is_demuxer: false,
            is_muxer: false,
            is_device: false,
        });
        entry.is_muxer |= is_muxer;
        entry.is_demuxer |= !is_muxer;
        entry.is_device |= format.is_device;
    }
    entries
}
