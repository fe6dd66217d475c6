//! TLS as libpq's users expect it: as much trust as `sslmode` asks for.

use super::target::Target;
use crate::{AccessError, TlsMode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where systems keep the certificates of authorities: Debian, Red Hat, Alpine.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Makes TLS for a connection.
pub(super) fn connector(target: &Target) -> Result<MakeRustlsConnect, AccessError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier {
        chain: match target.tls {
            TlsMode::VerifyCa | TlsMode::VerifyFull => Some(chain(target, &provider)?),
            _ => None,
        },
        asks_name: target.tls == TlsMode::VerifyFull,
        provider: Arc::clone(&provider),
    };
    let failed = |error: Error| AccessError::Target { what: error.to_string() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &target.client_certificate {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| AccessError::File {
                path: key.clone(),
                what: error.to_string(),
            })?;
            config.with_client_auth_cert(chain, key).map_err(failed)?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let failed = |what: String| AccessError::File { path: path.to_path_buf(), what };
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?.collect();
    found.map_err(|error| failed(error.to_string()))
}

/// Who verifies chains, and certificates that are trusted by themselves.
type Trust = (Arc<WebPkiServerVerifier>, Vec<CertificateDer<'static>>);

fn chain(target: &Target, provider: &Arc<CryptoProvider>) -> Result<Trust, AccessError> {
    let system = || SYSTEM_ROOTS.iter().map(PathBuf::from).find(|it| it.exists());
    let path = target.root_certificates.clone().or_else(system);
    let path = path.ok_or_else(|| AccessError::Target {
        what: "no certificates of authorities are known: name them with `sslrootcert`".into(),
    })?;
    let mut roots = RootCertStore::empty();
    let trusted = certificates(&path)?;
    roots.add_parsable_certificates(trusted.iter().cloned());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| AccessError::File { path, what: error.to_string() })?;
    Ok((verifier, trusted))
}

/// Believes as much as it is told to.
#[derive(Debug)]
struct Verifier {
    chain: Option<Trust>,
    asks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some((chain, trusted)) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        // The server's own certificate, signed by itself, is what many put into `root.crt`.
        if trusted.iter().any(|it| it.as_ref() == end.as_ref()) {
            if self.asks_name {
                verify_server_name(&ParsedCertificate::try_from(end)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match chain.verify_server_cert(end, between, name, ocsp, now) {
            // The name is looked at last, so the rest was right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.asks_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
