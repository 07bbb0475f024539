//! The ways in which bytes come and go: one folder for each, and the list of them.

mod backend;
pub(crate) mod discover;
pub(crate) mod environment;
mod libav;
mod live;
pub(crate) mod lookup;
pub(crate) mod pipe;
mod rtmp;
mod target;

pub(crate) use backend::{
    Break, Input, Opened, Output, Protocol, Target, WRITE_LIMIT, not_seekable,
};
pub(crate) use libav::open_plainly as open_by_libav;

use std::time::Duration;

use crate::av::OptionClasses;
use crate::error::{End, Error, Result};
use crate::options::{AvOption, InputOptions, OutputOptions};
use crate::time::stop::Stop;

/// Every protocol. The first that takes a URL has it; libav takes whatever no other does.
static PROTOCOLS: &[&dyn Protocol] = &[&rtmp::Rtmp, &libav::Libav];

/// The protocols to choose from; `--rtmp=libav` leaves our own RTMP out.
fn usable(rtmp_by_libav: bool) -> impl Iterator<Item = &'static dyn Protocol> {
    let left_out = if rtmp_by_libav { rtmp::Rtmp.name() } else { "" };
    PROTOCOLS.iter().copied().filter(move |protocol| protocol.name() != left_out)
}

/// The protocol that writes an output.
fn for_output(url: &str, options: &OutputOptions) -> &'static dyn Protocol {
    let mut found = usable(options.rtmp_by_libav).filter(|p| p.writes(url, options));
    found.next().unwrap_or(&libav::Libav)
}

/// The protocol that reads an input.
fn for_input(url: &str, options: &InputOptions) -> &'static dyn Protocol {
    let mut found = usable(options.rtmp_by_libav).filter(|p| p.reads(url, options));
    found.next().unwrap_or(&libav::Libav)
}

/// Refuses an input that can't be, before anything is opened: a URL of no such form, a value that an
/// option doesn't take.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
pub fn check_input(url: &str, options: &InputOptions) -> Result<()> {
    check_name(url)?;
    let protocol = for_input(url, options);
    protocol.check_input(url, options)?;
    let schemes = protocol.option_schemes(url);
    let classes = OptionClasses::of_input(options.format.as_deref(), &schemes);
    let check = |option: &AvOption| option.check_value(End::Input, &classes);
    options.format_options().try_for_each(check).map_err(|error| error.at(url))
}

/// Refuses the name of an input or output that libav and the system would read up to its middle.
fn check_name(url: &str) -> Result<()> {
    if url.contains('\0') {
        return Err(Error::usage("its name has a NUL character").at(&url.replace('\0', "")));
    }
    Ok(())
}

/// Opens an input by the protocol that reads it.
pub(crate) fn open_input(
    url: &str,
    options: &InputOptions,
    stall_limit: Duration,
    stop: &Stop,
) -> Result<Opened> {
    for_input(url, options).open(url, options, stall_limit, stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_url_finds_its_protocol() {
        let input = |name: &str, value: &str| InputOptions::new().with(name, value).unwrap();
        let plain = InputOptions::new;
        for (url, options, name) in [
            ("rtmp://h/live/x", plain(), "rtmp"),
            ("RTMPS://h/live/x", input("f", "live_flv"), "rtmp"),
            ("rtmp://h/live/x", input("rtmp_app", "other"), "rtmp"),
            ("rtmp://h/live/x", input("listen", "1"), "libav"),
            ("rtmp://h/live/x", input("f", "mpegts"), "libav"),
            ("rtmp://h/live/x", plain().rtmp_by_libav(true), "libav"),
            ("rtmpt://h/live/x", plain(), "libav"),
            ("http://h/live/x.flv", plain(), "libav"),
            ("clip.flv", plain(), "libav"),
            ("-", plain(), "libav"),
        ] {
            assert_eq!(for_input(url, &options).name(), name, "{url}");
        }
        let output = |name: &str, value: &str| OutputOptions::new().with(name, value).unwrap();
        let plain = OutputOptions::new;
        for (url, options, name) in [
            ("rtmp://h/live/x", plain(), "rtmp"),
            ("rtmps://h/live/x", output("f", "flv"), "rtmp"),
            ("rtmp://h/live/x", output("f", "mpegts"), "libav"),
            ("rtmp://h/live/x", output("listen", "1"), "libav"),
            ("rtmp://h/live/x", plain().rtmp_by_libav(true), "libav"),
            ("srt://h:9000", plain(), "libav"),
            ("clip.flv", plain(), "libav"),
        ] {
            assert_eq!(for_output(url, &options).name(), name, "{url}");
        }
    }
}
