//! The TLS configuration of a client.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Once, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::certificate::{CertificateFiles, certificates};
use crate::file::{FileError, read};
use crate::provider;

/// What a client checks of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Nothing. Who stands between can read and change everything.
    None,
    /// That an authority vouches for it, for whichever host.
    Authority,
    /// That an authority vouches for it, and for the host that is connected to.
    AuthorityAndHost,
}

/// Whom a client trusts, and who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// A PEM file with the certificate authorities that are trusted, and no others. Without one: those of the platform.
    pub root_certificate_file: Option<PathBuf>,
    /// The client's certificate, if servers ask for one.
    pub certificate: Option<CertificateFiles>,
}

impl ClientTls {
    /// Reads the files and builds the configuration: TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// [`FileError`] when a file cannot be read, or holds something else.
    pub fn config(&self, verification: Verification) -> Result<ClientConfig, FileError> {
        let provider = Arc::new(provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| FileError::new(format!("TLS 1.2 and 1.3: {error}")))?;
        let builder = match verification {
            Verification::AuthorityAndHost => builder.with_root_certificates(self.roots()?),
            weaker => {
                let roots = if weaker == Verification::Authority { Some(self.roots()?) } else { None };
                let verifier = AnyHost { roots, algorithms };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        Ok(match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let identity = SingleCertAndKey::from(files.load()?);
                builder.with_client_cert_resolver(Arc::new(identity))
            }
        })
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, FileError> {
        let Some(path) = &self.root_certificate_file else { return Ok(platform_roots()) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path, &read(path)?)? {
            roots.add(certificate).map_err(|error| FileError::new(format!("{}: {error}", path.display())))?;
        }
        Ok(Arc::new(roots))
    }
}

/// The certificate authorities that this platform trusts. Read once, when there are any: the store of a whole system has more than a hundred.
fn platform_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    static WARNED: Once = Once::new();
    if let Some(roots) = ROOTS.get() {
        return Arc::clone(roots);
    }
    let mut roots = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        // Each connection asks.
        WARNED.call_once(|| {
            tracing::warn!(
                errors = ?loaded.errors,
                "this machine has no certificate authorities, so no server is trusted by TLS: install them (Debian: ca-certificates), \
                 name their file in SSL_CERT_FILE, or set root_certificate_file where there is one"
            );
        });
        return Arc::new(roots);
    }
    Arc::clone(ROOTS.get_or_init(|| Arc::new(roots)))
}

/// The PEM file with the certificate authorities that this platform trusts, where they are in one: for libraries that take a file. None where
/// `SSL_CERT_FILE` names a file that is not there, or `SSL_CERT_DIR` alone names folders: whoever set them does not mean the file of the system.
pub fn platform_root_file() -> Option<PathBuf> {
    root_file(env::var_os("SSL_CERT_FILE"), env::var_os("SSL_CERT_DIR"))
}

fn root_file(file: Option<OsString>, folders: Option<OsString>) -> Option<PathBuf> {
    match (file, folders.filter(|folders| !folders.is_empty())) {
        (Some(file), _) => Some(PathBuf::from(file)).filter(|file| file.exists()),
        (None, Some(_)) => None,
        (None, None) => openssl_probe::probe().cert_file,
    }
}

/// Checks a server's certificate without the host's name.
#[derive(Debug)]
struct AnyHost {
    /// The trusted authorities; none: every certificate is believed.
    roots: Option<Arc<RootCertStore>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_system_is_named_only_where_nobody_named_other_authorities() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let there = || Some(OsString::from(file.path()));
        let missing = || Some(OsString::from("/no/such/file.pem"));
        let folder = || Some(OsString::from("/etc/ssl/certs"));
        for folders in [None, folder()] {
            assert_eq!(root_file(there(), folders.clone()), Some(file.path().to_owned()));
            assert_eq!(root_file(missing(), folders), None);
        }
        assert_eq!(root_file(None, folder()), None);
        if let Some(system) = root_file(None, None) {
            assert!(system.exists(), "{system:?}");
        }
    }
}
