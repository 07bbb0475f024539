//! Where an output goes, and in which container.

use std::path::Path;

use crate::av::{MuxerInfo, muxer_for};
use crate::error::{End, Error, ErrorKind, Hint, Result, Stage, sentence};
use crate::options::OutputOptions;
use crate::url;

/// Where an output goes, and in which container; checked, but not opened.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) muxer: MuxerInfo,
    pub(crate) is_live: bool,
    /// Published by our own RTMP, not by libavformat's.
    pub(crate) is_own_rtmp: bool,
}

impl Target {
    /// Finds the container of an output.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where nothing tells it.
    pub(crate) fn resolve(url: &str, options: &OutputOptions) -> Result<Target> {
        crate::url::redact::remember_url(url);
        let implied = url::scheme::of(url).container;
        let muxer = muxer_for(options.format.as_deref().or(implied), url).ok_or_else(|| {
            Error::usage("its name doesn't tell the format").at(url).hint(Hint::NameOutputFormat)
        })?;
        let is_own_rtmp = muxer.name() == "flv"
            && crate::protocol::rtmp::Target::of_output(url, options)?.is_some();
        Ok(Target { url: url.to_owned(), muxer, is_live: url::is_live(url), is_own_rtmp })
    }

    /// Whether two packets of a stream may have the same dts. libav's FLV files may; of what is
    /// published, servers and players expect more.
    pub(crate) fn allows_equal_dts(&self) -> bool {
        self.muxer.allows_equal_dts() && !self.is_own_rtmp
    }

    /// Refuses options that neither an encoder nor this container nor its protocol has.
    pub(crate) fn check_options(&self, options: &OutputOptions) -> Result<()> {
        let scheme = url::scheme(&self.url).unwrap_or_else(|| "file".to_owned());
        let own = [scheme.as_str()];
        let schemes = if self.is_own_rtmp { &crate::protocol::rtmp::PROTOCOLS[..] } else { &own };
        let stray =
            options.format_options().find(|o| !o.for_codec && !self.muxer.takes(&o.name, schemes));
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
