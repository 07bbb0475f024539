use std::ptr;
use std::time::Duration;

use ffmpeg_sys_next as ff;

use super::{AvError, Dict, Interrupt, c_string};
use crate::error::{Error, Result, Stage};
use crate::time::stop::Stop;
use crate::url;

/// Bytes to a URL of any protocol that libav writes: `pipe:3`, a file, `tcp://`, `http://`.
pub struct UrlWriter {
    io: *mut ff::AVIOContext,
    url: String,
    /// `io` points to it.
    interrupt: Interrupt,
    limit: Duration,
}

impl UrlWriter {
    /// Opens it. To open it and each write may take `limit`.
    ///
    /// # Errors
    /// What libav says.
    pub fn open(url: &str, limit: Duration) -> Result<UrlWriter> {
        super::init();
        // What is said last is said after a stop, too.
        let interrupt = Interrupt::new(Stop::new());
        interrupt.set_deadline(Some(limit));
        let mut writer = UrlWriter { io: ptr::null_mut(), url: url.to_owned(), interrupt, limit };
        let (name, mut options) = (c_string(url::for_libav(url, false)), Dict::new());
        let callback = writer.interrupt.callback();
        // SAFETY: the string and the callback live for the call; what the callback points to lives as
        // long as the writer, and libav copies the callback itself.
        let opened = unsafe {
            ff::avio_open2(
                &mut writer.io,
                name.as_ptr(),
                ff::AVIO_FLAG_WRITE as libc::c_int,
                &callback,
                options.as_mut_ptr(),
            )
        };
        AvError::check(opened).map(drop).map_err(|e| writer.fault(e))?;
        Ok(writer)
    }

    /// Writes all of it, at once.
    ///
    /// # Errors
    /// What libav says.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.interrupt.set_deadline(Some(self.limit));
        let length = libc::c_int::try_from(bytes.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: an open context, which reads as many bytes as there are.
        let error = unsafe {
            ff::avio_write(self.io, bytes.as_ptr(), length);
            ff::avio_flush(self.io);
            (*self.io).error
        };
        AvError::check(error.min(0)).map(drop).map_err(|e| self.fault(e))
    }

    fn fault(&self, error: AvError) -> Error {
        self.interrupt.explain(error).in_stage(Stage::Sink).at(&self.url)
    }
}

impl std::fmt::Debug for UrlWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UrlWriter").field(&url::redact::url(&self.url)).finish()
    }
}

impl Drop for UrlWriter {
    fn drop(&mut self) {
        self.interrupt.set_deadline(Some(self.limit));
        // SAFETY: closes what we opened, if anything, and sets it to null.
        unsafe { ff::avio_closep(&mut self.io) };
    }
}

// SAFETY: a context of ours alone, with no tie to a thread.
unsafe impl Send for UrlWriter {}
