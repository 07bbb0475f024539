//! Events of the library and of libav as lines on stderr, or as reports to the server that supervises
//! this process. Their text is redacted before it gets here.

use std::fmt::{self, Write};

use frameloom::internal::DUMP_TARGET;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::level::Level;
use crate::log_file::LogFile;
use crate::report::{ChildReport, LineLevel, LogReport, Reporter};
use crate::screen::{Screen, printable};

/// The target of what libav itself says. The library passes on no more of it than it was told to.
const LIBAV: &str = "libav";
/// The same, of what only helps to debug.
const LIBAV_DEBUG: &str = "libav::debug";

/// Sends events to `screen` from now on, as many as belong to `level`, and as many to its file as
/// belong to the file's. Where there is a server, it gets them instead, but for those that it has no
/// room for.
/// With `tells_contents` they tell what is in inputs and outputs.
pub(crate) fn start(level: Level, tells_contents: bool, screen: &Screen, server: Option<Reporter>) {
    let in_file = screen.log_file().map(LogFile::level);
    frameloom::set_log_level(level.of_libav().max(in_file.unwrap_or(Level::Quiet).of_libav()));
    let lines = LogLines { level, in_file, tells_contents, screen: screen.clone(), server };
    let lines = registry().with(lines);
    // It fails where there is a subscriber already, which is as good.
    let _ = tracing::subscriber::set_global_default(lines);
}

/// How much of the library's events belongs to a level.
fn own(level: Level) -> LevelFilter {
    match level {
        Level::Quiet => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warning => LevelFilter::WARN,
        Level::Info | Level::Verbose => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// Whether an event belongs to a level.
fn belongs(metadata: &Metadata<'_>, level: Level) -> bool {
    match (metadata.target(), *metadata.level()) {
        (DUMP_TARGET, _) => level >= Level::Info,
        (LIBAV, tracing::Level::TRACE) => level >= Level::Trace,
        (LIBAV, _) => level >= Level::Verbose,
        (LIBAV_DEBUG, _) => level >= Level::Debug,
        (target, rank) => target.starts_with("frameloom") && rank <= own(level),
    }
}

struct LogLines {
    level: Level,
    /// What belongs into the file, where there is one.
    in_file: Option<Level>,
    tells_contents: bool,
    screen: Screen,
    server: Option<Reporter>,
}

impl LogLines {
    fn is_shown(&self, metadata: &Metadata<'_>) -> bool {
        belongs(metadata, self.level)
    }

    fn is_written_down(&self, metadata: &Metadata<'_>) -> bool {
        self.in_file.is_some_and(|level| belongs(metadata, level))
    }
}

impl LogLines {
    /// Writes the lines that tell what is in an input or output.
    fn tell_contents(&self, event: &Event<'_>) {
        let mut text = EventText { message: String::new(), fields: String::new() };
        event.record(&mut text);
        let lines = text.message.lines().map(printable);
        let lines: String = lines.flat_map(|line| [line, "\n".into()]).collect();
        if self.is_written_down(event.metadata()) {
            lines.lines().for_each(|line| self.screen.write_down(line));
        }
        if self.is_shown(event.metadata()) {
            self.screen.raw(&lines);
        }
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let is_wanted = self.tells_contents || metadata.target() != DUMP_TARGET;
        is_wanted && (self.is_shown(metadata) || self.is_written_down(metadata))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == DUMP_TARGET {
            return self.tell_contents(event);
        }
        let report = report(event);
        let line = line(event, &report);
        if self.is_written_down(event.metadata()) {
            self.screen.write_down(&line);
        }
        if !self.is_shown(event.metadata()) {
            return;
        }
        let is_sent = |server: &Reporter| server.try_send(&ChildReport::Log(report));
        if !self.server.as_ref().is_some_and(is_sent) {
            self.screen.show(&line);
        }
    }
}

fn is_libavs(metadata: &Metadata<'_>) -> bool {
    [LIBAV, LIBAV_DEBUG].contains(&metadata.target())
}

/// An event as it stands on a terminal.
fn line(event: &Event<'_>, LogReport { level, text }: &LogReport) -> String {
    if is_libavs(event.metadata()) { text.clone() } else { format!("frameloom: {level}: {text}") }
}

/// What an event says, without the name of this program.
fn report(event: &Event<'_>) -> LogReport {
    let metadata = event.metadata();
    let level = match *metadata.level() {
        tracing::Level::ERROR => LineLevel::Error,
        tracing::Level::WARN => LineLevel::Warning,
        tracing::Level::INFO => LineLevel::Info,
        tracing::Level::DEBUG => LineLevel::Debug,
        tracing::Level::TRACE => LineLevel::Trace,
    };
    let start = if is_libavs(metadata) { "libav: " } else { "" };
    let mut text = EventText { message: start.to_owned(), fields: String::new() };
    event.record(&mut text);
    LogReport::new(level, &(text.message + &text.fields))
}

/// An event's message, and behind it its other fields.
struct EventText {
    message: String,
    fields: String,
}

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String can't fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone)]
    struct Collected(Arc<Mutex<Vec<String>>>, Arc<LogLines>);

    impl<S: Subscriber> Layer<S> for Collected {
        fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
            self.1.is_shown(metadata)
        }

        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(line(event, &report(event)));
        }
    }

    fn said_at(level: Level) -> Vec<String> {
        let (in_file, server, screen) = (None, None, Screen::default());
        let lines = LogLines { level, in_file, tells_contents: false, screen, server };
        let collected = Collected(Arc::default(), Arc::new(lines));
        tracing::subscriber::with_default(registry().with(collected.clone()), || {
            tracing::error!(target: "frameloom::pipeline", "lost");
            tracing::warn!(target: "frameloom", frames = 3, "dropped");
            tracing::info!(target: "frameloom::source", "1280x720");
            tracing::debug!(target: "frameloom", "tuned");
            tracing::debug!(target: "libav", "stream 0");
            tracing::debug!(target: "libav::debug", "probed");
            tracing::trace!(target: "libav", "nal type 5");
            tracing::error!(target: "another", "not ours");
        });
        let said = collected.0.lock().unwrap();
        said.clone()
    }

    #[test]
    fn a_level_says_what_belongs_to_it() {
        let all = [
            "frameloom: error: lost",
            "frameloom: warning: dropped frames=3",
            "frameloom: info: 1280x720",
            "frameloom: debug: tuned",
            "libav: stream 0",
            "libav: probed",
            "libav: nal type 5",
        ];
        for (level, own_lines, libavs) in [
            (Level::Quiet, 0, 0),
            (Level::Error, 1, 0),
            (Level::Warning, 2, 0),
            (Level::Info, 3, 0),
            (Level::Verbose, 3, 1),
            (Level::Debug, 4, 2),
            (Level::Trace, 4, 3),
        ] {
            let expected = [&all[..own_lines], &all[4..4 + libavs]].concat();
            assert_eq!(said_at(level), expected, "{level:?}");
        }
    }
}
