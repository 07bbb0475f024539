use ffmpeg_sys_next as ff;

use crate::error::{Error, ErrorKind, Stage, os_words};

/// A status code of FFmpeg's libraries: the [`source`](std::error::Error::source) of an
/// [`Error`] that they made.
#[derive(Clone, Debug)]
pub struct AvError {
    code: i32,
    /// The last thing libav itself logged about it.
    said: Option<String>,
}

impl std::fmt::Display for AvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (libav error {})", self.words(), self.code)
    }
}

impl std::error::Error for AvError {}

impl AvError {
    /// The code, which is negative: an `AVERROR` tag, or an error number of the system negated.
    pub fn code(&self) -> i32 {
        self.code
    }

    pub(crate) fn new(code: i32) -> AvError {
        AvError { code, said: super::log::take_last_error() }
    }

    /// An operating system's error number.
    pub(crate) fn errno(errno: i32) -> AvError {
        AvError { code: ff::AVERROR(errno), said: None }
    }

    /// `Err` for a negative status.
    pub(crate) fn check(status: i32) -> Result<i32, AvError> {
        if status < 0 { Err(AvError::new(status)) } else { Ok(status) }
    }

    pub(crate) fn no_memory() -> AvError {
        AvError::errno(libc::ENOMEM)
    }

    pub(crate) fn is_eof(&self) -> bool {
        self.code == ff::AVERROR_EOF
    }

    pub(crate) fn is_again(&self) -> bool {
        self.code == ff::AVERROR(libc::EAGAIN)
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.code == ff::AVERROR_EXIT
    }

    /// The other end closed the connection, or it broke.
    /// The system's "input/output error".
    pub(crate) fn is_io(&self) -> bool {
        self.code == ff::AVERROR(libc::EIO)
    }

    pub(crate) fn is_disconnect(&self) -> bool {
        matches!(
            self.errno_value(),
            libc::EIO | libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED
        )
    }

    pub(crate) fn is_invalid_data(&self) -> bool {
        self.code == ff::AVERROR_INVALIDDATA
    }

    fn errno_value(&self) -> i32 {
        // libav's own codes are large negative tags; an errno is small.
        if (-4096..0).contains(&self.code) { -self.code } else { 0 }
    }

    /// What the code alone means.
    fn words(&self) -> String {
        match (self.code, self.errno_value()) {
            (ff::AVERROR_EOF, _) => "it ends before anything could be read".to_owned(),
            (ff::AVERROR_INVALIDDATA, _) => "invalid data found".to_owned(),
            (ff::AVERROR_EXIT, _) => "stopped".to_owned(),
            (_, 0) => libav_text(self.code),
            (_, errno) => os_words(&std::io::Error::from_raw_os_error(errno)),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            ff::AVERROR_INVALIDDATA | ff::AVERROR_EOF => ErrorKind::InvalidData,
            ff::AVERROR_EXIT => ErrorKind::Interrupted,
            ff::AVERROR_HTTP_NOT_FOUND | ff::AVERROR_STREAM_NOT_FOUND => ErrorKind::NotFound,
            ff::AVERROR_HTTP_FORBIDDEN | ff::AVERROR_HTTP_UNAUTHORIZED => {
                ErrorKind::PermissionDenied
            }
            ff::AVERROR_PROTOCOL_NOT_FOUND
            | ff::AVERROR_OPTION_NOT_FOUND
            | ff::AVERROR_DEMUXER_NOT_FOUND
            | ff::AVERROR_ENCODER_NOT_FOUND
            | ff::AVERROR_MUXER_NOT_FOUND => ErrorKind::Usage,
            _ => match self.errno_value() {
                libc::ENOENT => ErrorKind::NotFound,
                libc::EEXIST => ErrorKind::AlreadyExists,
                libc::EACCES | libc::EPERM | libc::EROFS => ErrorKind::PermissionDenied,
                libc::ENOSPC | libc::EDQUOT | libc::EFBIG => ErrorKind::StorageFull,
                libc::ETIMEDOUT => ErrorKind::TimedOut,
                libc::ECONNREFUSED
                | libc::ECONNRESET
                | libc::ECONNABORTED
                | libc::EPIPE
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::ENOTCONN
                | libc::EIO => ErrorKind::Connection,
                _ => ErrorKind::Other,
            },
        }
    }

    /// What went wrong, in words for the user.
    pub(crate) fn cause(&self) -> String {
        let words = self.words();
        match &self.said {
            // libav's own words for these name addresses and repeat the code.
            Some(_) if self.kind() == ErrorKind::Connection && self.errno_value() != libc::EIO => {
                words
            }
            Some(said) if !said.to_lowercase().contains(&words.to_lowercase()) => {
                format!("{words}: {said}")
            }
            _ => words,
        }
    }

    /// As the library's error, of `stage`.
    pub(crate) fn in_stage(self, stage: Stage) -> Error {
        let error = Error::new(self.kind(), stage, self.cause());
        let errno = self.errno_value();
        let error = if errno == 0 { error } else { error.with_errno(errno) };
        error.because(self)
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn libav_text(code: i32) -> String {
    let mut text = [0u8; 256];
    // SAFETY: the buffer is writable and its true size is passed.
    unsafe { ff::av_strerror(code, text.as_mut_ptr().cast(), text.len()) };
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    lower_first(&String::from_utf8_lossy(&text[..end]))
}
