//! Makes authorities, signers and containers, for tests and demos (feature `sign`). Private keys are held in the clear, and an authority signs whatever
//! it is given: nothing made here proves who somebody is.

mod authority;
mod container;
mod signer;

use der::pem::LineEnding;
use der::{Decode as _, EncodePem as _};
use esoz_kernel::Timestamp;
use time::OffsetDateTime;
use x509_cert::Certificate;

pub use authority::TestAuthority;
pub use container::{SignOptions, sign};
pub use signer::{NumbersIn, Person, TestSigner};

/// Why an authority, a signer or a container could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A key or a certificate could not be made or parsed.
    #[error("the key or the certificate cannot be used")]
    Certificate(#[from] rcgen::Error),
    /// A container could not be encoded, or a certificate not parsed.
    #[error("the certificate or the content cannot be encoded")]
    Encoding(#[from] der::Error),
    /// The key is of a kind that containers are not signed with here.
    #[error("the key is neither ECDSA on P-256 or P-384 nor RSA")]
    UnsupportedKey,
    /// A PEM text holds no certificate.
    #[error("there is no certificate in the PEM text")]
    NoCertificate,
    /// A time cannot be written into a certificate.
    #[error("the time is outside the years 1970 to 9999")]
    OutOfRange,
}

/// From when until when a certificate is valid, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub until: Timestamp,
}

impl Period {
    fn write_to(self, params: &mut rcgen::CertificateParams) -> Result<(), SignError> {
        params.not_before = date_time(self.from)?;
        params.not_after = date_time(self.until)?;
        Ok(())
    }
}

fn date_time(at: Timestamp) -> Result<OffsetDateTime, SignError> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| SignError::OutOfRange)
}

/// The PEM text of certificates in DER.
fn pem(certificates: &[Vec<u8>]) -> Result<String, SignError> {
    certificates.iter().map(|der| Ok(Certificate::from_der(der)?.to_pem(LineEnding::LF)?)).collect()
}

/// The certificates of a PEM text, in DER.
fn certificates_of(pem: &str) -> Result<Vec<Vec<u8>>, SignError> {
    crate::certificates_in(pem.as_bytes()).map_err(|_| SignError::NoCertificate)
}
