//! Where an output goes, and in which container.

use std::path::Path;

use super::{Target, for_output};
use crate::av::muxer_for;
use crate::error::{End, Error, ErrorKind, Hint, Result, Stage, sentence};
use crate::options::OutputOptions;
use crate::url;

impl Target {
    /// Finds the container of an output.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where nothing tells it.
    pub(crate) fn resolve(url: &str, options: &OutputOptions) -> Result<Target> {
        crate::url::redact::remember_url(url);
        let protocol = for_output(url, options);
        let format = options.format.as_deref().or_else(|| protocol.container(url));
        let muxer = muxer_for(format, url).ok_or_else(|| {
            Error::usage("its name doesn't tell the format").at(url).hint(Hint::NameOutputFormat)
        })?;
        protocol.check_output(url, options)?;
        Ok(Target { url: url.to_owned(), muxer, is_live: url::is_live(url), protocol })
    }

    /// Whether two packets of a stream may have the same dts. libav's FLV files may; of what is
    /// published, servers and players expect more.
    pub(crate) fn allows_equal_dts(&self) -> bool {
        self.muxer.allows_equal_dts() && self.protocol.allows_equal_dts()
    }

    /// Refuses options that neither an encoder nor this container nor its protocol has.
    pub(crate) fn check_options(&self, options: &OutputOptions) -> Result<()> {
        let takes = |name: &str| self.protocol.takes_option(&self.muxer, &self.url, name);
        let stray = options.format_options().find(|o| !o.for_codec && !takes(&o.name));
        stray.map_or(Ok(()), |option| {
            let option = option.setting().of(End::Output);
            let format = self.muxer.name();
            let cause = sentence!("{} means nothing to an output of format {}", option, format);
            Err(Error::usage(cause).at(&self.url))
        })
    }

    /// Refuses to overwrite what may not be, and what can't be written at all.
    pub(crate) fn check_writable(&self, overwrite: bool) -> Result<()> {
        let fail = |kind, cause: &str| Error::new(kind, Stage::Sink, cause).at(&self.url);
        let Some(path) = url::local_path(&self.url).map(Path::new) else { return Ok(()) };
        if matches!(self.muxer.name(), "null") {
            return Ok(());
        }
        let numbered = self.muxer.is_file_per_packet() && self.url.contains('%');
        if let Ok(found) = std::fs::metadata(path) {
            if found.is_dir() {
                return Err(fail(ErrorKind::InvalidData, "it is a directory"));
            }
            if found.is_file() && !overwrite && !numbered {
                return Err(
                    fail(ErrorKind::AlreadyExists, "it exists already").hint(Hint::Overwrite)
                );
            }
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        match folder {
            Some(folder) if !folder.is_dir() => {
                Err(fail(ErrorKind::NotFound, "its folder does not exist")
                    .hint(Hint::MakeFolder(folder.display().to_string())))
            }
            _ => Ok(()),
        }
    }
}
