//! `frameloom serve`: the embedded media server from the command line, and the pipelines of a file.

pub(crate) mod api;
mod exposition;
mod fault;
pub(crate) mod file;
pub(crate) mod fleet;
mod history;
mod keys;
mod metrics;
mod models;
pub(crate) mod node;
mod page;
pub(crate) mod pipelines;
pub(crate) mod place;
pub(crate) mod processes;
mod reload;
mod save;
pub(crate) mod settings;
mod snapshot;
mod urls;
pub(crate) mod wording;

use std::ffi::OsString;
use std::path::Path;

use frameloom::{Result, Stop};
use frameloom_server::Server;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use self::file::File;
use self::fleet::ServerRun;
use self::place::Here;
use self::reload::Reload;
use self::save::ChangeStore;
use self::settings::ServeArgs;
use self::urls::Urls;
use crate::level::Level;
use crate::screen::Screen;
use crate::{log, signals};

/// Serves until a signal.
///
/// # Errors
/// Wrong words, a wrong file, an address that can't be listened on: nothing is begun then.
pub(crate) fn run(mut words: Vec<String>, screen: &Screen) -> Result<()> {
    let closed = close_process();
    let environment = |name: &str| std::env::var(name).ok();
    let started: Vec<OsString> =
        ["serve"].into_iter().chain(words.iter().map(String::as_str)).map(Into::into).collect();
    let has_file = words.first().is_some_and(|word| !word.starts_with('-'));
    let file = match has_file {
        true => Some(File::read(Path::new(&words.remove(0)), &environment)?),
        false => None,
    };
    let words = ServeArgs::parse(words, file.as_ref(), environment)?;
    log::start(words.level, false, screen, None);
    if let Err(error) = closed {
        tracing::warn!("other processes of this user may read the server's secrets: {error}");
    }
    let (config, level, save) = (words.config, words.level, words.save);
    let here = Here::wanted(&config);
    here.show_names();
    let wanted = file.as_ref().map(|file| file.contents(&here)).transpose()?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    let mut reload = file.as_ref().map(Reload::new).transpose()?;
    let open = config.publish_key.is_none() && config.on_publish.is_none();
    let store = file.as_ref().filter(|_| save).map(|file| ChangeStore::new(&file.path));
    let mut fleet = ServerRun::start(&started, config, store)?;
    // Before anybody knows where to ask for them.
    if let (Some(reload), Some(wanted)) = (&mut reload, wanted) {
        reload.begin(&fleet.api, wanted);
    }
    say_where(fleet.server(), level, open, screen);
    while !stop.is_stopped() {
        let second = fleet.go_on();
        if let Some(reload) = &mut reload {
            reload.look(&fleet.api, second, &environment);
        }
    }
    fleet.end();
    Ok(())
}

/// Keeps other processes of the same user from reading this one's environment and memory, where the
/// tokens and keys are. A COMMAND is such a process.
fn close_process() -> rustix::io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Tells where everything is, and what is open to strangers.
fn say_where(server: &Server, level: Level, open: bool, screen: &Screen) {
    let urls = Urls::of(server);
    if level >= Level::Info {
        for line in urls.lines("APP", "NAME") {
            screen.line(&line);
        }
    }
    for address in [server.rtmp_addr(), server.rtmps_addr()].into_iter().flatten() {
        if open && !address.ip().is_loopback() {
            tracing::warn!(
                "whoever reaches {address} may publish there; --publish-key asks for a key"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn the_process_is_closed_to_others_of_its_user() {
        close_process().unwrap();
        assert!(matches!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable)));
    }
}
