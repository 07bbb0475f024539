//! Why a connection can't go on, and the library's error about it.

use std::io::{self, ErrorKind as IoErrorKind};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Hint, Stage, os_words};

/// Why a connection can't go on.
#[derive(Debug)]
pub(crate) enum ConnectionFault {
    /// A stop was asked for.
    Stopped,
    /// Nothing moved for so long.
    TimedOut(Duration),
    /// The host's name has no address.
    Resolve(io::Error),
    /// The other end refused, closed or broke the connection.
    Closed(io::Error),
    /// The server said no: its code, its words, and whether it wants credentials.
    Refused { code: String, description: String, wants_credentials: bool },
    /// What came is not RTMP, or passes a limit.
    Protocol(frameloom_rtmp::Error),
    /// TLS failed, mostly because of the server's certificate.
    Tls(rustls::Error),
    /// No certificates to judge the server's by: in words, and what said so.
    Certificates(String, Option<Box<dyn std::error::Error + Send + Sync>>),
}

impl ConnectionFault {
    pub(super) fn from_io(error: io::Error) -> ConnectionFault {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => ConnectionFault::Tls(inner.clone()),
            None => ConnectionFault::Closed(error),
        }
    }

    pub(super) fn ended(code: &str) -> ConnectionFault {
        ConnectionFault::Closed(io::Error::new(
            IoErrorKind::ConnectionAborted,
            format!("the server ended it ({code})"),
        ))
    }

    /// As the library's error about `url`.
    pub(crate) fn into_error(self, stage: Stage, url: &str) -> Error {
        let publishes = stage == Stage::Sink;
        let error = match self {
            ConnectionFault::Stopped => Error::new(ErrorKind::Interrupted, stage, "stopped"),
            ConnectionFault::TimedOut(limit) => {
                let cause = format!("no answer within {} s", limit.as_secs_f64());
                Error::new(ErrorKind::TimedOut, stage, cause).hint(if publishes {
                    Hint::CheckReading
                } else {
                    Hint::CheckAddressOrWait
                })
            }
            ConnectionFault::Resolve(error) => {
                Error::new(ErrorKind::Connection, stage, os_words(&error))
                    .because(error)
                    .hint(Hint::CheckHost)
            }
            ConnectionFault::Closed(error) => {
                Error::new(ErrorKind::Connection, stage, os_words(&error))
                    .because(error)
                    .hint(if publishes { Hint::CheckPublishing } else { Hint::CheckPublished })
            }
            ConnectionFault::Refused { code, description, wants_credentials } => {
                refused(stage, &code, &description, wants_credentials)
            }
            ConnectionFault::Protocol(error) => {
                Error::new(ErrorKind::InvalidData, stage, error.to_string())
                    .because(error)
                    .hint(Hint::CheckRtmp)
            }
            ConnectionFault::Tls(error) => {
                Error::new(ErrorKind::Connection, stage, error.to_string())
                    .because(error)
                    .hint(Hint::TrustCertificates)
            }
            ConnectionFault::Certificates(cause, source) => {
                let error = Error::new(ErrorKind::Connection, stage, cause);
                let error = error.hint(Hint::TrustCertificates);
                match source {
                    Some(source) => error.because(source),
                    None => error,
                }
            }
        };
        error.at(url)
    }
}

fn refused(stage: Stage, code: &str, description: &str, wants_credentials: bool) -> Error {
    let kind = match code {
        "NetStream.Play.StreamNotFound" => ErrorKind::NotFound,
        "NetStream.Publish.BadName" => ErrorKind::AlreadyExists,
        _ if wants_credentials => ErrorKind::PermissionDenied,
        _ => ErrorKind::Connection,
    };
    let mut cause = match (code, description) {
        ("", "") => "the server refused".to_owned(),
        ("", said) => format!("the server refused: {said}"),
        (code, "") => format!("the server refused ({code})"),
        (code, said) => format!("the server refused: {said} ({code})"),
    };
    // A server's words may be as long as it pleases.
    if let Some((at, _)) = cause.char_indices().nth(300) {
        cause.truncate(at);
    }
    let error = Error::new(kind, stage, cause);
    match kind {
        ErrorKind::PermissionDenied => error.hint(Hint::GiveUser),
        ErrorKind::NotFound => error.hint(Hint::NoSuchStream),
        ErrorKind::AlreadyExists => error.hint(Hint::NameIsTaken),
        _ => error,
    }
}
