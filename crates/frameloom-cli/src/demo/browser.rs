//! The page of a server, opened in the user's browser.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// What opens a URL in the browser of this desktop, where there is one.
fn opener(variable: impl Fn(&str) -> bool, is_mac: bool) -> Option<&'static str> {
    if is_mac {
        return Some("open");
    }
    let has_desktop = ["WAYLAND_DISPLAY", "DISPLAY"].into_iter().any(variable);
    has_desktop.then_some("xdg-open")
}

/// Opens `url`. Where there is no desktop, or nothing on it that opens pages, nothing happens: the
/// user was told the URL.
pub(super) fn open(url: &str) {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| value != OsStr::new(""));
    let Some(program) = opener(is_set, cfg!(target_os = "macos")) else { return };
    let mut command = Command::new(program);
    // A group of its own: the terminal's Ctrl-C ends the demo and not the browser.
    command.arg(url).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        tracing::debug!("{program} can't be run: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_opened_on_a_desktop_only() {
        assert_eq!(opener(|_| false, false), None);
        assert_eq!(opener(|name| name == "DISPLAY", false), Some("xdg-open"));
        assert_eq!(opener(|name| name == "WAYLAND_DISPLAY", false), Some("xdg-open"));
        assert_eq!(opener(|_| false, true), Some("open"));
    }
}
