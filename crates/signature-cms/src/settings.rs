use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

/// What [`CmsVerifier`](crate::CmsVerifier) trusts and checks.
#[derive(Debug, Clone, Default)]
pub struct CmsSettings {
    /// The certificates of the trusted authorities, in DER; see [`certificates_in`]. At least one; each may issue certificates.
    pub authorities: Vec<Vec<u8>>,
    /// Revocation lists of the authorities and of those between them and the signers, in DER; see [`revocation_lists_in`].
    pub revocation_lists: Vec<Vec<u8>>,
    /// Whose revocation lists are required.
    pub revocation: RevocationPolicy,
    /// The time at which certificates must be valid.
    pub validity_time: ValidityTime,
    /// The key usage that a signer's certificate must have.
    pub key_usage: KeyUsagePolicy,
}

/// Whose revocation lists are required.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevocationPolicy {
    /// A certificate is checked if a list of its issuer is configured. The list must then be signed by the issuer, and be current.
    #[default]
    WhereListed,
    /// Every issuer of a chain must have a list that is current.
    Required,
}

/// The time at which certificates must be valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ValidityTime {
    /// The time of the verification.
    #[default]
    Now,
    /// The signed attribute `signingTime`, which must be there and not in the future. The signer states it: a certificate that has expired can
    /// still be used to sign with an earlier time.
    SigningTime,
}

/// The key usage that a signer's certificate must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyUsagePolicy {
    /// `digitalSignature` or `nonRepudiation`, if the certificate has the extension.
    #[default]
    Signature,
    /// The extension with `nonRepudiation`: the certificate is for signatures that bind a person.
    NonRepudiation,
}

/// Settings that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CmsSettingsError {
    /// There is no trusted authority.
    #[error("there is no certificate of an authority; name at least one")]
    NoAuthority,
    /// A certificate is not one, or PEM text is broken.
    #[error("a certificate of an authority cannot be parsed; it must be an X.509 certificate in PEM")]
    AuthorityMalformed,
    /// A certificate may not issue others.
    #[error(
        "a certificate is not one of an authority: it lacks the basic constraint CA or the key usage keyCertSign"
    )]
    NotAnAuthority,
    /// A revocation list is not one, or PEM text is broken.
    #[error("a revocation list cannot be parsed; it must be an X.509 CRL of version 2, in PEM or DER")]
    RevocationListMalformed,
    /// A revocation list has critical extensions: it holds changes only, or a part of the certificates only.
    #[error("a revocation list has critical extensions, which are not supported; use a complete list")]
    RevocationListUnsupported,
}

/// Returns the certificates of a PEM file, in DER. What else is in the file is passed over.
///
/// # Errors
/// [`CmsSettingsError::AuthorityMalformed`], [`CmsSettingsError::NoAuthority`]
pub fn certificates_in(pem: &[u8]) -> Result<Vec<Vec<u8>>, CmsSettingsError> {
    let found = CertificateDer::pem_slice_iter(pem).map(|der| der.map(|der| der.to_vec()));
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|_| CmsSettingsError::AuthorityMalformed)?;
    if found.is_empty() { Err(CmsSettingsError::NoAuthority) } else { Ok(found) }
}

/// Returns the revocation lists of a file, in DER: those of a PEM file, or the one of a file in DER, which is how most authorities publish it.
///
/// # Errors
/// [`CmsSettingsError::RevocationListMalformed`]
pub fn revocation_lists_in(file: &[u8]) -> Result<Vec<Vec<u8>>, CmsSettingsError> {
    if file.first() == Some(&0x30) {
        return Ok(vec![file.to_vec()]);
    }
    let found = CertificateRevocationListDer::pem_slice_iter(file).map(|der| der.map(|der| der.to_vec()));
    match found.collect::<Result<Vec<_>, _>>() {
        Ok(lists) if !lists.is_empty() => Ok(lists),
        _ => Err(CmsSettingsError::RevocationListMalformed),
    }
}
