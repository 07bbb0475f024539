//! Events of the library and of libav as lines on stderr, or as reports to the server that supervises
//! this process. Their text is redacted before it gets here.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::level::Level;
use crate::report::{ChildReport, LineLevel, LogReport, Reporter};
use crate::screen::Screen;

/// The target of what libav itself says. The library passes on no more of it than it was told to.
const LIBAV: &str = "libav";

/// Sends events to `screen` from now on, as many as belong to `level`. Where there is a server, it
/// gets them instead, but for those that it has no room for.
pub(crate) fn start(level: Level, screen: &Screen, server: Option<Reporter>) {
    frameloom::set_log_level(level.of_libav());
    let lines = registry().with(LogLines { own: own(level), screen: screen.clone(), server });
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

struct LogLines {
    own: LevelFilter,
    screen: Screen,
    server: Option<Reporter>,
}

impl LogLines {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target == LIBAV || target.starts_with("frameloom") && *metadata.level() <= self.own
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let report = report(event);
        let line = line(event, &report);
        let is_sent = |server: &Reporter| server.try_send(&ChildReport::Log(report));
        if !self.server.as_ref().is_some_and(is_sent) {
            self.screen.line(&line);
        }
    }
}

/// An event as it stands on a terminal.
fn line(event: &Event<'_>, LogReport { level, text }: &LogReport) -> String {
    if event.metadata().target() == LIBAV {
        text.clone()
    } else {
        format!("frameloom: {level}: {text}")
    }
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
    let start = if metadata.target() == LIBAV { "libav: " } else { "" };
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
            self.1.wants(metadata)
        }

        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(line(event, &report(event)));
        }
    }

    fn said_at(level: Level) -> Vec<String> {
        let lines = LogLines { own: own(level), screen: Screen::default(), server: None };
        let collected = Collected(Arc::default(), Arc::new(lines));
        tracing::subscriber::with_default(registry().with(collected.clone()), || {
            tracing::error!(target: "frameloom::pipeline", "lost");
            tracing::warn!(target: "frameloom", frames = 3, "dropped");
            tracing::info!(target: "frameloom::source", "1280x720");
            tracing::debug!(target: "frameloom", "tuned");
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
            "libav: nal type 5",
        ];
        for (level, own_lines) in [
            (Level::Quiet, 0),
            (Level::Error, 1),
            (Level::Warning, 2),
            (Level::Info, 3),
            (Level::Verbose, 3),
            (Level::Debug, 4),
            (Level::Trace, 4),
        ] {
            let expected: Vec<&str> = all[..own_lines].iter().copied().chain([all[4]]).collect();
            assert_eq!(said_at(level), expected, "{level:?}");
        }
    }
}
