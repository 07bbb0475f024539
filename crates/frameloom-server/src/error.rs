//! The one error: why a server doesn't start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server doesn't start. Each is one line: what, the cause, and what to do about it.
///
/// Its `Display` calls settings as [`ServerConfig`](crate::ServerConfig) does;
/// [`spelled`](Error::spelled) calls them otherwise, and [`settings`](Error::settings) has them as
/// data.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An address can't be listened on.
    Listen {
        /// `RTMP`, `RTMPS` or `HTTP`.
        service: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's word.
        source: io::Error,
    },
    /// No address to listen on was given.
    NoListener,
    /// RTMPS without a certificate.
    NoCertificate,
    /// A PEM file can't be read, or has nothing of the kind in it.
    TlsFile {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// Certificate and key don't go together, or can't be used.
    Tls {
        /// The certificate's file.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// A callback's address is none.
    CallbackUrl(&'static str),
    /// The machine's root certificates, which an `https://` callback needs, can't be read.
    RootCertificates(io::Error),
    /// The threads of [`Server::spawn`](crate::Server::spawn) can't be started.
    Threads(io::Error),
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The settings that it is about, by their names in [`ServerConfig`](crate::ServerConfig).
    pub fn settings(&self) -> &'static [&'static str] {
        match self {
            Error::Listen { service: "RTMP", .. } => &["rtmp_listen"],
            Error::Listen { service: "RTMPS", .. } => &["rtmps_listen"],
            Error::Listen { .. } => &["http_listen"],
            Error::NoListener => &["rtmp_listen", "rtmps_listen", "http_listen"],
            Error::NoCertificate => &["tls", "rtmps_listen"],
            Error::TlsFile { .. } | Error::Tls { .. } => &["tls"],
            Error::CallbackUrl(_) | Error::RootCertificates(_) | Error::Threads(_) => &[],
        }
    }

    /// The line about it, with each setting as `spell` spells it, given its name in
    /// [`ServerConfig`](crate::ServerConfig).
    pub fn spelled<'a>(&'a self, spell: &'a dyn Fn(&str) -> String) -> impl fmt::Display + 'a {
        Spelled { error: self, spell }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spelled(&str::to_owned).fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Listen { source, .. } => Some(source),
            Error::RootCertificates(source) | Error::Threads(source) => Some(source),
            _ => None,
        }
    }
}

struct Spelled<'a> {
    error: &'a Error,
    spell: &'a dyn Fn(&str) -> String,
}

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.error.settings().iter().map(|name| (self.spell)(name));
        let named: Vec<String> = named.collect();
        let setting = |n: usize| named.get(n).map_or("", String::as_str);
        match self.error {
            Error::Listen { service, address, source } => {
                let hint = listen_hint(source);
                let setting = setting(0);
                write!(f, "can't serve {service} on {address}: {source}; {hint} with {setting}")
            }
            Error::NoListener => {
                let list = format!("{}, {} nor {}", setting(0), setting(1), setting(2));
                write!(f, "nothing to serve: neither {list} is set")
            }
            Error::NoCertificate => {
                let (tls, listen) = (setting(0), setting(1));
                write!(f, "RTMPS needs a certificate: set {tls}, or leave {listen} unset")
            }
            Error::TlsFile { what, file, cause } => {
                let file = file.display();
                write!(f, "can't use {file} as the {what}: {cause}; it has to be a PEM file")
            }
            Error::Tls { file, cause } => {
                write!(f, "can't use the certificate {} with its key: {cause}", file.display())
            }
            Error::CallbackUrl(cause) => write!(
                f,
                "not an address for a callback: {cause}; an http:// or https:// URL is needed"
            ),
            Error::RootCertificates(source) => {
                write!(f, "can't read the root certificates for an https callback: {source}")
            }
            Error::Threads(source) => write!(f, "can't start the server's threads: {source}"),
        }
    }
}

/// What to do about an address, by a setting that is named behind it.
fn listen_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "another program listens there, choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges, choose a higher one",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address, choose another",
        _ => "choose another address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_with_a_hint() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let text = Error::Listen { service: "HTTP", address, source }.to_string();
        assert!(text.starts_with("can't serve HTTP on 127.0.0.1:80: "), "{text}");
        assert!(text.ends_with("choose a higher one with http_listen"), "{text}");
    }

    #[test]
    fn settings_are_spelled_as_the_caller_does() {
        let dashed = |name: &str| format!("--{}", name.replace('_', "-"));
        assert_eq!(
            Error::NoListener.spelled(&dashed).to_string(),
            "nothing to serve: neither --rtmp-listen, --rtmps-listen nor --http-listen is set"
        );
        assert_eq!(Error::NoCertificate.settings(), ["tls", "rtmps_listen"]);
    }
}
