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
