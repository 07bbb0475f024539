//! The one error: why a server doesn't start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server doesn't start. Each is one line: what, the cause, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address can't be listened on.
    #[error("can't serve {service} on {address}: {source}; {}", listen_hint(source, service))]
    Listen {
        /// `RTMP`, `RTMPS` or `HTTP`.
        service: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's word.
        source: io::Error,
    },
    /// No address to listen on was given.
    #[error("nothing to serve: neither rtmp_listen, rtmps_listen nor http_listen is set")]
    NoListener,
    /// RTMPS without a certificate.
    #[error("RTMPS needs a certificate: set tls, or leave rtmps_listen unset")]
    NoCertificate,
    /// A PEM file can't be read, or has nothing of the kind in it.
    #[error("can't use {} as the {what}: {cause}; it has to be a PEM file", file.display())]
    TlsFile {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// Certificate and key don't go together, or can't be used.
    #[error("can't use the certificate {} with its key: {cause}", file.display())]
    Tls {
        /// The certificate's file.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// A callback's address is none.
    #[error("not an address for a callback: {0}; an http:// or https:// URL is needed")]
    CallbackUrl(&'static str),
    /// The machine's root certificates, which an `https://` callback needs, can't be read.
    #[error("can't read the root certificates for an https callback: {0}")]
    RootCertificates(io::Error),
    /// The threads of [`Server::spawn`](crate::Server::spawn) can't be started.
    #[error("can't start the server's threads: {0}")]
    Threads(io::Error),
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

fn listen_hint(source: &io::Error, service: &str) -> String {
    let setting = format!("{}_listen", service.to_ascii_lowercase());
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program listens there, choose another port with {setting}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need privileges, choose a higher one with {setting}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address, choose another with {setting}")
        }
        _ => format!("choose another address with {setting}"),
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
}
