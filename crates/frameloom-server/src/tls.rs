//! The certificate of RTMPS.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::TlsFiles;
use crate::{Error, Result};

/// Reads the files.
///
/// # Errors
///
/// [`Error::TlsFile`] and [`Error::Tls`].
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor> {
    let certificate = &files.certificate;
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| file_error("certificate", certificate, &error))?;
    if chain.is_empty() {
        return Err(file_error("certificate", certificate, &pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(&files.private_key)
        .map_err(|error| file_error("private key", &files.private_key, &error))?;
    // The provider is named: a program that embeds this may have another one as its default.
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error: rustls::Error| Error::Tls {
            file: certificate.clone(),
            cause: error.to_string(),
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn file_error(what: &'static str, file: &Path, error: &pem::Error) -> Error {
    let cause = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {what} in it"),
        // What a broken PEM file holds may be a key.
        _ => "it is damaged".to_owned(),
    };
    Error::TlsFile { what, file: file.to_owned(), cause }
}
