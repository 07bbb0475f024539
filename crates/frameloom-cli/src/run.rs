//! A pipeline, and `frameloom probe`: what the library does, with the status on stderr.

use std::ffi::OsString;

use frameloom::internal::is_written;
use frameloom::options::OutputOptions;
use frameloom::{Error, ErrorKind, Result, Setting, Snapshot, Stage, Stop, sentence};

use crate::args::{ProbeArgs, RunArgs, nothing_to_do};
use crate::bench::Benchmark;
use crate::called::CalledAs;
use crate::job::{self, Job};
use crate::level::Level;
use crate::log_file::{self, LogFile};
use crate::options::program::ProgramOptions;
use crate::report::{ChildReport, EventReport, Reporter};
use crate::screen::Screen;
use crate::status::progress::{ProgressTarget, shares_stdout};
use crate::status::{Mode, StatusLine};
use crate::stdout::{is_stdout, print};
use crate::supervised::ServerConnection;
use crate::{ffprobe, listings, log, signals};

/// Tells what is in an input, as JSON.
pub(crate) fn probe(words: &ProbeArgs, typed: &[OsString], screen: &Screen) -> Result<()> {
    let is_ffprobe = words.program.called == CalledAs::Ffprobe;
    start_log(&words.program, is_ffprobe, screen, None)?;
    let options = job::probe_options(words)?;
    write_down(typed, screen);
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    if words.program.asked.is_asked() {
        return ffprobe::tell(&words.input.url, &options, &words.program.asked, &stop);
    }
    let found = frameloom::probe(&words.input.url, options, &stop)?;
    let json = serde_json::to_string_pretty(&found);
    let json = json.map_err(|error| Error::new(ErrorKind::Other, Stage::Sink, error.to_string()));
    print(&(json? + "\n"))
}

/// Starts the log, and the file of `-report` or of the environment. A server has its pipelines'
/// reports.
fn start_log(
    program: &ProgramOptions,
    tells_contents: bool,
    screen: &Screen,
    server: Option<Reporter>,
) -> Result<()> {
    let variable = std::env::var(log_file::VARIABLE).ok().filter(|_| server.is_none());
    if let Some(log_file) = LogFile::open(program.report, variable)? {
        screen.record(log_file);
    }
    log::start(program.level, tells_contents, screen, server);
    let has_banner = program.called != CalledAs::Frameloom && !program.hides_banner;
    if has_banner && program.level >= Level::Info {
        listings::banner(program.called).lines().for_each(|line| screen.line(line));
    }
    Ok(())
}

/// Writes the words to the file of `-report`, once they were understood.
fn write_down(typed: &[OsString], screen: &Screen) {
    if let Some(log_file) = screen.log_file() {
        log_file.command_line(typed);
    }
}

/// Runs a pipeline to its end, or until a signal.
pub(crate) fn run(
    words: RunArgs,
    typed: &[OsString],
    server_connection: Option<ServerConnection>,
    screen: &Screen,
) -> Result<()> {
    let reporter = server_connection.as_ref().map(ServerConnection::reporter);
    let is_ffmpeg = words.program.called == CalledAs::Ffmpeg;
    start_log(&words.program, is_ffmpeg, screen, reporter.clone())?;
    let (mode, program) = (Mode::of(&words, reporter.as_ref()), words.program.clone());
    let mut job = Job::new(words)?;
    write_down(typed, screen);
    if let Some(connection) = &server_connection {
        job.supervise(connection.env());
    }
    job.check_inputs()?;
    frameloom::internal::check_graphs(job.graphs.specs())?;
    frameloom::internal::check_outputs(&job.input_urls(), &job.outputs, job.command.is_some())?;
    frameloom::internal::check_slate(&job.live)?;
    let progress = program.progress.as_deref();
    let progress = progress.map(|url| open_progress(url, &job, screen)).transpose()?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    if let Some(server_connection) = server_connection {
        server_connection.watch(&stop)?;
    }
    let benchmark = program.benchmark.then(Benchmark::start);
    let modes = std::iter::once(mode).chain(progress.map(Mode::Progress));
    let (outputs, period) = (job.outputs.len(), program.stats_period);
    let status: Vec<StatusLine> =
        modes.map(|mode| StatusLine::start(mode, outputs, period, screen, &stop)).collect();
    let done = carry(job, &stop, &status, reporter);
    for line in status {
        line.finish(done.as_ref().ok().and_then(Option::as_ref));
    }
    for line in benchmark.iter().flat_map(Benchmark::lines).filter(|_| program.level >= Level::Info)
    {
        screen.line(&line);
    }
    done.and_then(|snapshot| snapshot.map_or(Ok(()), |s| check_damage(&s, program.max_error_ppm)))
}

/// Tells what is in the inputs, in ffmpeg's words, where there is nothing to do with them.
pub(crate) fn describe(words: RunArgs, typed: &[OsString], screen: &Screen) -> Result<()> {
    start_log(&words.program, true, screen, None)?;
    let level = words.program.level;
    let mut job = Job::new(words)?;
    if job.audio_command.is_some() {
        return Err(nothing_to_do());
    }
    write_down(typed, screen);
    job.check_inputs()?;
    frameloom::internal::check_graphs(job.graphs.specs())?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    match job.open(&stop) {
        Err(error) if error.kind() == ErrorKind::Interrupted && stop.is_stopped() => {}
        opened => drop(opened?),
    }
    let closing = "At least one output file must be specified";
    screen.write_down(closing);
    if level >= Level::Error {
        screen.show(closing);
    }
    Ok(())
}

/// Opens what `-progress` names.
///
/// # Errors
/// What can't be written to, and what an output is written to.
fn open_progress(url: &str, job: &Job, screen: &Screen) -> Result<ProgressTarget> {
    let takes_stdout = |(output, options): &(String, OutputOptions)| {
        is_stdout(output) && is_written(output, options)
    };
    if is_stdout(url) && job.outputs.iter().any(takes_stdout) {
        return Err(shares_stdout());
    }
    ProgressTarget::open(url, screen)
}

/// Fails where more of the packets were damaged than may be.
fn check_damage(snapshot: &Snapshot, most_ppm: Option<u64>) -> Result<()> {
    let (damaged, all) = (snapshot.packets_corrupt, snapshot.packets_in);
    let Some(most_ppm) = most_ppm else { return Ok(()) };
    if u128::from(damaged) * 1_000_000 <= u128::from(all) * u128::from(most_ppm) {
        return Ok(());
    }
    let most = Setting::ffmpeg("max_error_rate").to((most_ppm as f64 / 1e6).to_string());
    let cause = sentence!("{} of {} packets were damaged, more than {}", damaged, all, most);
    Err(Error::new(ErrorKind::InvalidData, Stage::Decode, cause))
}

/// Runs the pipeline to its end. `None` where a signal came before the input was there: nothing
/// was begun, so there is nothing that could be incomplete.
fn carry(
    mut job: Job,
    stop: &Stop,
    status: &[StatusLine],
    reporter: Option<Reporter>,
) -> Result<Option<Snapshot>> {
    let mut pipeline = match job.open(stop) {
        Err(error) if error.kind() == ErrorKind::Interrupted && stop.is_stopped() => {
            return Ok(None);
        }
        opened => opened?,
    };
    pipeline = pipeline.live(job.live);
    for spec in job.graphs.specs() {
        pipeline = pipeline.filter_complex(spec)?;
    }
    if let Some(command) = job.command {
        pipeline = pipeline.command(command);
    }
    if let Some(command) = job.audio_command {
        pipeline = pipeline.audio_command(command);
    }
    for (url, options) in job.outputs {
        pipeline = pipeline.to_url_with(&url, options)?;
    }
    if let Some(reporter) = reporter {
        pipeline = pipeline
            .on_event(move |event| reporter.send(&ChildReport::Event(EventReport::from(event))));
    }
    for line in status {
        line.follow(pipeline.stats(), pipeline.is_live());
    }
    pipeline.run().map(Some)
}
