//! TLS for rtmps, with the system's own certificates as the roots of trust.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::error::os_words;
use crate::protocol::rtmp::fault::ConnectionFault;

/// How a server proves who it is.
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// `ca_file` names PEM certificates to trust instead of the system's; without `verify` any
    /// certificate will do (FFmpeg's `-ca_file` and `-tls_verify`).
    pub(super) fn new(ca_file: Option<&Path>, verify: bool) -> Result<Tls, ConnectionFault> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(ConnectionFault::Tls)?;
        let config = if verify {
            builder.with_root_certificates(roots(ca_file)?).with_no_client_auth()
        } else {
            let verifier = Arc::new(AnyCertificate(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        };
        Ok(Tls(Arc::new(config)))
    }

    pub(super) fn begin(&self, host: &str) -> Result<Box<ClientConnection>, ConnectionFault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|e| {
            let cause = format!("'{host}' can't be in a certificate");
            ConnectionFault::Certificates(cause, Some(e.into()))
        })?;
        let connection =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(ConnectionFault::Tls)?;
        Ok(Box::new(connection))
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, ConnectionFault> {
    let mut store = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unread = |error| unreadable(path, error);
            for certificate in CertificateDer::pem_file_iter(path).map_err(unread)? {
                store.add(certificate.map_err(unread)?).map_err(|error| {
                    let cause = format!("{}: {error}", path.display());
                    ConnectionFault::Certificates(cause, Some(error.into()))
                })?;
            }
        }
        None => {
            // One that can't be read is no reason to distrust the others.
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
    }
    if store.is_empty() {
        let cause = "this system has no certificates to trust".to_owned();
        return Err(ConnectionFault::Certificates(cause, None));
    }
    Ok(store)
}

fn unreadable(path: &Path, error: pem::Error) -> ConnectionFault {
    let path = path.display();
    match error {
        pem::Error::Io(error) => ConnectionFault::Certificates(
            format!("{path}: {}", os_words(&error)),
            Some(error.into()),
        ),
        error => ConnectionFault::Certificates(format!("{path}: {error}"), Some(error.into())),
    }
}

/// For `-tls_verify 0`: the connection is encrypted, but the server may be anyone.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
