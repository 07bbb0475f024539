//! Events of the library and of libav as lines on stderr. Their text is redacted before it gets here.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::level::Level;
use crate::screen::Screen;

/// The target of what libav itself says. The library passes on no more of it than it was told to.
const LIBAV: &str = "libav";

/// Sends events to `screen` from now on, as many as belong to `level`.
pub(crate) fn start(level: Level, screen: &Screen) {
    frameloom::set_log_level(level.of_libav());
    let lines = registry().with(LogLines { own: own(level), screen: screen.clone() });
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
        self.screen.line(&line(event));
    }
}

fn line(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let start = match (metadata.target(), *metadata.level()) {
        (LIBAV, _) => "libav: ",
        (_, tracing::Level::ERROR) => "frameloom: error: ",
        (_, tracing::Level::WARN) => "frameloom: warning: ",
        (_, tracing::Level::INFO) => "frameloom: info: ",
        (_, tracing::Level::DEBUG) => "frameloom: debug: ",
        (_, tracing::Level::TRACE) => "frameloom: trace: ",
    };
    let mut text = EventText { message: start.to_owned(), fields: String::new() };
    event.record(&mut text);
    text.message + &text.fields
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
            self.0.lock().unwrap().push(line(event));
        }
    }

    fn said_at(level: Level) -> Vec<String> {
        let lines = LogLines { own: own(level), screen: Screen::default() };
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
