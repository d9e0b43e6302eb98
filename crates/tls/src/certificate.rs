//! A certificate chain and its private key, in two PEM files.

use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroizing;

use crate::file::{FileError, read};
use crate::provider;

/// The paths of a certificate chain and of the private key of its first certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    certificate: PathBuf,
    private_key: PathBuf,
}

/// The contents of both files. `Debug` shows none.
#[derive(PartialEq, Eq)]
pub struct CertificateContents {
    certificate: Zeroizing<Vec<u8>>,
    private_key: Zeroizing<Vec<u8>>,
}

esoz_kernel::opaque_debug!(CertificateContents);

impl CertificateFiles {
    /// Names the files, which may be one and the same. Does not read them.
    pub fn new(certificate: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), private_key: private_key.into() }
    }

    /// The file of the chain.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// The file of the private key.
    pub fn private_key(&self) -> &Path {
        &self.private_key
    }

    /// Reads and parses the files.
    ///
    /// # Errors
    /// As [`read`](Self::read) and [`parse`](Self::parse).
    pub fn load(&self) -> Result<CertifiedKey, FileError> {
        self.parse(&self.read()?)
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`FileError`] when one cannot be read.
    pub fn read(&self) -> Result<CertificateContents, FileError> {
        Ok(CertificateContents {
            certificate: read(&self.certificate)?,
            private_key: read(&self.private_key)?,
        })
    }

    /// Parses the certificate chain and its private key.
    ///
    /// # Errors
    /// [`FileError`] when one is missing or malformed, or when the key does not belong to the first certificate.
    pub fn parse(&self, contents: &CertificateContents) -> Result<CertifiedKey, FileError> {
        let (certificate, private_key) = (self.certificate.display(), self.private_key.display());
        let chain = certificates(&self.certificate, &contents.certificate)?;
        // The parser's own error is not passed on: it might quote a private key.
        let key = PrivateKeyDer::from_pem_slice(&contents.private_key).map_err(|_| {
            // "ENCRYPTED PRIVATE KEY", or "Proc-Type: 4,ENCRYPTED" in a key of the older form.
            let is_encrypted = contents.private_key.windows(9).any(|text| text == b"ENCRYPTED");
            FileError::new(if is_encrypted {
                format!("the private key in {private_key} is encrypted; remove its password (`openssl pkey`)")
            } else {
                format!("{private_key} holds no private key in PEM")
            })
        })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            FileError::new(match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!(
                        "the private key in {private_key} is not that of the first certificate in {certificate}"
                    )
                }
                Error::InvalidCertificate(error) => {
                    format!("the first certificate in {certificate} cannot be used: {error}")
                }
                _ => format!("the private key in {private_key} is of no kind that TLS takes here"),
            })
        })
    }
}

/// Parses the certificates of a PEM file, of which there must be one at least.
pub(crate) fn certificates(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    // The parser's own error is not passed on: it might quote a private key.
    let all = all.map_err(|_| ()).unwrap_or_default();
    if all.is_empty() {
        return Err(FileError::new(format!("{} holds no certificate in PEM", path.display())));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    #[test]
    fn only_a_pair_that_goes_together_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            CertificateFiles::new(folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        let write = |certificate: &str, key: &str| {
            std::fs::write(&files.certificate, certificate).unwrap();
            std::fs::write(&files.private_key, key).unwrap();
        };
        let made = || generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        let (certificate, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let refusal = || files.load().unwrap_err().to_string();
        assert!(refusal().contains("certificate.pem cannot be read"), "{}", refusal());
        for (certificate, key, expected) in [
            ("", key.as_str(), "certificate.pem holds no certificate in PEM"),
            (&key, &key, "certificate.pem holds no certificate in PEM"),
            (&certificate, "", "key.pem holds no private key in PEM"),
            (&certificate, &certificate, "key.pem holds no private key in PEM"),
            (
                &certificate,
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nY2FuYXJ5\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "key.pem is encrypted; remove its password",
            ),
            (
                &certificate,
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nY2FuYXJ5\n-----END RSA PRIVATE KEY-----\n",
                "key.pem is encrypted; remove its password",
            ),
            (&certificate, &other.signing_key.serialize_pem(), "is not that of the first certificate in"),
            (
                &certificate,
                "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n",
                "is of no kind that TLS takes",
            ),
            ("-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n", &key, "cannot be used"),
        ] {
            write(certificate, key);
            assert!(refusal().contains(expected), "{}", refusal());
            assert!(!refusal().contains("Y2FuYXJ5") && !refusal().contains("canary"), "{}", refusal());
        }
        write(&certificate, &key);
        files.load().unwrap();
        // With those that vouch for it behind.
        write(&format!("{certificate}{}", other.cert.pem()), &key);
        files.load().unwrap();
        write(&format!("{}{certificate}", other.cert.pem()), &key);
        assert!(files.load().is_err());
    }
}
