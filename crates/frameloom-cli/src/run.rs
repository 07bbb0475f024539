//! A pipeline, and `frameloom probe`: what the library does, with the status on stderr.

use frameloom::{Error, ErrorKind, Pipeline, Result, Snapshot, Stage, Stop};

use crate::args::{ProbeArgs, RunArgs};
use crate::job::{self, Job};
use crate::report::{ChildReport, EventReport, Reporter};
use crate::screen::Screen;
use crate::status::{Mode, StatusLine};
use crate::stdout::print;
use crate::supervised::ServerConnection;
use crate::{log, signals};

/// Tells what is in an input, as JSON.
pub(crate) fn probe(words: &ProbeArgs, screen: &Screen) -> Result<()> {
    log::start(words.program.level, screen, None);
    let options = job::probe_options(words)?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    let found = frameloom::probe(&words.input.url, options, &stop)?;
    let json = serde_json::to_string_pretty(&found);
    let json = json.map_err(|error| Error::new(ErrorKind::Other, Stage::Sink, error.to_string()));
    print(&(json? + "\n"))
}

/// Runs a pipeline to its end, or until a signal.
pub(crate) fn run(
    words: RunArgs,
    server_connection: Option<ServerConnection>,
    screen: &Screen,
) -> Result<()> {
    let reporter = server_connection.as_ref().map(ServerConnection::reporter);
    log::start(words.program.level, screen, reporter.clone());
    let mode = Mode::of(&words, reporter.as_ref());
    let mut job = Job::new(words)?;
    if let Some(connection) = &server_connection {
        job.supervise(connection.env());
    }
    frameloom::internal::check_outputs(&job.url, &job.outputs, job.command.is_some())?;
    frameloom::internal::check_slate(&job.live)?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    if let Some(server_connection) = server_connection {
        server_connection.watch(&stop)?;
    }
    let status = StatusLine::start(mode, job.outputs.len(), screen, &stop);
    let done = carry(job, &stop, &status, reporter);
    status.finish(done.as_ref().ok().and_then(Option::as_ref));
    done.map(drop)
}

/// Runs the pipeline to its end. `None` where a signal came before the input was there: nothing
/// was begun, so there is nothing that could be incomplete.
fn carry(
    job: Job,
    stop: &Stop,
    status: &StatusLine,
    reporter: Option<Reporter>,
) -> Result<Option<Snapshot>> {
    let mut pipeline = match Pipeline::builder(&job.url).input(job.input).stop(stop).open() {
        Err(error) if error.kind() == ErrorKind::Interrupted && stop.is_stopped() => {
            return Ok(None);
        }
        opened => opened?,
    };
    pipeline = pipeline.live(job.live);
    if let Some(command) = job.command {
        pipeline = pipeline.command(command);
    }
    for (url, options) in job.outputs {
        pipeline = pipeline.to_url_with(&url, options)?;
    }
    if let Some(reporter) = reporter {
        pipeline = pipeline
            .on_event(move |event| reporter.send(&ChildReport::Event(EventReport::from(event))));
    }
    status.follow(pipeline.stats(), pipeline.is_live());
    pipeline.run().map(Some)
}
