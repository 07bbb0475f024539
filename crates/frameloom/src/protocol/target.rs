//! Where an output goes, and in which container.

use std::time::SystemTime;

use super::{Target, check_name, for_output};
use crate::av::{OptionClasses, local_time, muxer_for};
use crate::error::{End, Error, ErrorKind, Hint, Result, Stage, sentence};
use crate::options::{AvOption, OutputOptions};
use crate::url;

/// Recordings that begin in one second and are told apart.
const MOST_A_SECOND: u32 = 1000;

impl Target {
    /// Finds the container of an output.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where nothing tells it, and for a value that one of its options doesn't
    /// take.
    pub(crate) fn resolve(url: &str, options: &OutputOptions) -> Result<Target> {
        crate::url::redact::remember_url(url);
        check_name(url)?;
        let protocol = for_output(url, options);
        let format = options.format.as_deref().or_else(|| protocol.container(url));
        let muxer = muxer_for(format, url).ok_or_else(|| {
            Error::usage("its name doesn't tell the format").at(url).hint(Hint::NameOutputFormat)
        })?;
        protocol.check_output(url, options)?;
        let classes = OptionClasses::of_output(&muxer, &protocol.option_schemes(url));
        let check = |option: &AvOption| option.check_value(End::Output, &classes);
        options.format_options().try_for_each(check).map_err(|error| error.at(url))?;
        Ok(Target { url: url.to_owned(), muxer, is_live: url::is_live(url), protocol })
    }

    /// Whether two packets of a stream may have the same dts. libav's FLV files may; of what is
    /// published, servers and players expect more.
    pub(crate) fn allows_equal_dts(&self) -> bool {
        self.muxer.allows_equal_dts() && self.protocol.allows_equal_dts()
    }

    /// Whether it is one file, which another of another name can follow.
    pub(crate) fn is_file(&self) -> bool {
        let is_one = !self.muxer.is_file_per_packet() && !self.muxer.opens_no_file();
        is_one && url::local_path(&self.url).is_some()
    }

    /// The same where a recording goes that begins now: its name filled in where it has `%Y` in it,
    /// with date and time behind it where that file is there already and is to be kept.
    pub(crate) fn for_recording(&self, keeps_old: bool) -> Target {
        let now = SystemTime::now();
        let filled_in = self.url.contains("%Y").then(|| local_time(&self.url, now)).flatten();
        let url = filled_in.unwrap_or_else(|| self.url.clone());
        let is_there = |url: &str| {
            let path = url::local_path(url);
            // A device or a pipe is no old recording.
            path.is_some_and(|path| std::fs::metadata(&path).is_ok_and(|found| found.is_file()))
        };
        if !keeps_old || !is_there(&url) {
            return Target { url, ..self.clone() };
        }
        let date = local_time("%Y%m%d-%H%M%S", now).unwrap_or_default();
        let name = url.rfind('/').map_or(0, |at| at + 1);
        let end = url[name..].rfind('.').filter(|at| *at > 0).map_or(url.len(), |at| name + at);
        let (stem, ending) = url.split_at(end);
        let named = |n: u32| match n {
            1 => format!("{stem}-{date}{ending}"),
            n => format!("{stem}-{date}-{n}{ending}"),
        };
        let free = (1..MOST_A_SECOND).map(named).find(|url| !is_there(url));
        Target { url: free.unwrap_or(url), ..self.clone() }
    }

    /// Refuses options that neither an encoder nor this container nor its protocol has.
    pub(crate) fn check_options(&self, options: &OutputOptions) -> Result<()> {
        let schemes = self.protocol.option_schemes(&self.url);
        let takes = |name: &str| self.muxer.takes(name, &schemes);
        let stray = options.format_options().find(|o| !o.for_codec && !takes(&o.name));
        stray.map_or(Ok(()), |option| {
            let option = option.setting().of(End::Output);
            let format = self.muxer.name();
            let cause = sentence!("{} means nothing to an output of format {}", option, format);
            Err(Error::usage(cause).at(&self.url))
        })
    }

    /// Refuses to overwrite what may not be, and what can't be written at all.
    pub(crate) fn check_writable(&self, options: &OutputOptions) -> Result<()> {
        let overwrite = options.overwrite || options.keep_old && self.is_file();
        match self.muxer.name() {
            "null" => Ok(()),
            // Whether it goes on without one that can't be opened, its list says.
            "tee" => written_by_tee(&self.url).try_for_each(|url| self.check_file(url, overwrite)),
            _ => {
                self.check_file(&self.url, overwrite)?;
                check_folder(&self.url)
            }
        }
    }

    fn check_file(&self, url: &str, overwrite: bool) -> Result<()> {
        let fail = |kind, cause: &str| Error::new(kind, Stage::Sink, cause).at(url);
        let Some(path) = url::local_path(url) else { return Ok(()) };
        let numbered = self.muxer.is_file_per_packet() && self.url.contains('%');
        if let Ok(found) = std::fs::metadata(&path) {
            if found.is_dir() {
                return Err(fail(ErrorKind::InvalidData, "it is a directory"));
            }
            if found.is_file() && !overwrite && !numbered {
                return Err(
                    fail(ErrorKind::AlreadyExists, "it exists already").hint(Hint::Overwrite)
                );
            }
        }
        Ok(())
    }
}

fn check_folder(url: &str) -> Result<()> {
    let Some(path) = url::local_path(url) else { return Ok(()) };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            let missing = Error::new(ErrorKind::NotFound, Stage::Sink, "its folder does not exist");
            Err(missing.at(url).hint(Hint::MakeFolder(folder.display().to_string())))
        }
        _ => Ok(()),
    }
}

/// The outputs that a list for the tee muxer names, each behind its options in brackets (ffmpeg-formats(1),
/// "tee").
fn written_by_tee(list: &str) -> impl Iterator<Item = &str> {
    let bare = |one: &'_ str| -> usize {
        let options = one.strip_prefix('[').and_then(|rest| rest.find(']'));
        options.map_or(0, |end| end + 2)
    };
    list.split('|').map(move |one| one.get(bare(one)..).unwrap_or(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tee_overwrites_nothing_either() {
        let room = tempfile::tempdir().unwrap();
        let path = |name: &str| room.path().join(name).to_str().unwrap().to_owned();
        let tee = OutputOptions::new().with("f", "tee").unwrap();
        let check = |list: &str| Target::resolve(list, &tee).unwrap().check_writable(&tee);
        let list = format!("[f=mpegts]{}|rtmp://h/live/x|[f=null]-|{}", path("a"), path("b.mkv"));
        assert!(check(&list).is_ok());
        std::fs::write(path("b.mkv"), "old").unwrap();
        assert_eq!(check(&list).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let nowhere = format!("[f=flv]{}", path("none/a.flv"));
        assert!(check(&nowhere).is_ok(), "its list says whether it goes on without that one");
    }

    #[test]
    fn a_recording_never_takes_the_place_of_an_old_one() {
        let room = tempfile::tempdir().unwrap();
        let path = |name: &str| room.path().join(name).to_str().unwrap().to_owned();
        let target = |name: &str| Target::resolve(&path(name), &OutputOptions::new()).unwrap();
        assert_eq!(target("a.mkv").for_recording(true).url, path("a.mkv"), "nothing is there");
        std::fs::write(path("a.mkv"), "old").unwrap();
        assert_eq!(target("a.mkv").for_recording(false).url, path("a.mkv"));
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..5 {
            let url = target("a.mkv").for_recording(true).url;
            std::fs::write(&url, "another").unwrap();
            let middle = url.strip_prefix(&path("a-")).unwrap().strip_suffix(".mkv").unwrap();
            assert!(middle.len() >= 15, "{url}");
            names.insert(url);
        }
        assert_eq!(names.len(), 5);
        assert_eq!(std::fs::read_to_string(path("a.mkv")).unwrap(), "old");
        let dated = target("r-%Y.mkv").for_recording(true).url;
        assert!(dated.strip_prefix(&path("r-20")).is_some_and(|rest| rest.len() == 6), "{dated}");
        // What is no recording is written to as it is.
        let device = Target::resolve("/dev/full", &OutputOptions::new().with("f", "flv").unwrap());
        assert_eq!(device.unwrap().for_recording(true).url, "/dev/full");
    }
}
