//! SIGINT and SIGTERM: the first finishes the outputs, the second ends it at once.

use std::thread;

use frameloom::{Error, ErrorKind, Result, Stage, Stop};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::screen::Screen;

/// Handles the signals from now on.
///
/// # Errors
/// The system's, where it allows no handler or no thread.
pub(crate) fn start(stop: &Stop, screen: &Screen) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Other, Stage::Options, format!("signals can't be handled: {error}"))
    };
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let (stop, screen) = (stop.clone(), screen.clone());
    let body = move || {
        let mut arrived = signals.forever();
        if arrived.next().is_some() {
            stop.stop();
        }
        if arrived.next().is_some() {
            frameloom::internal::kill_commands();
            screen.clear_now();
            // Not the orderly exit: its hooks would run under the feet of encoders at work, and
            // may wait for them.
            low_level::exit(1);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(body).map_err(failed)?;
    Ok(())
}
