//! Why a container or a signature is refused: what [`CmsVerifier`](crate::CmsVerifier) gives the operator's log.

/// The bytes are no CMS SignedData in DER.
pub const NOT_A_CONTAINER: &str = "not_a_container";
/// The container has more certificates, signatures, attributes or nested elements than anybody needs.
pub const TOO_COMPLEX: &str = "too_complex";
/// The signed content is not in the container.
pub const DETACHED: &str = "detached";
/// Content, signed attributes or signature do not belong together.
pub const ALTERED: &str = "altered";
/// The signed attributes lack one that must be there, have it twice, or contradict the container.
pub const SIGNED_ATTRIBUTES: &str = "signed_attributes";
/// The signer's certificate is not in the container.
pub const CERTIFICATE_MISSING: &str = "certificate_missing";
/// A certificate holds an extension in a form of its own, or one twice.
pub const CERTIFICATE_MALFORMED: &str = "certificate_malformed";
/// A certificate's period is over at the time of validity.
pub const CERTIFICATE_EXPIRED: &str = "certificate_expired";
/// A certificate's period has not begun at the time of validity.
pub const CERTIFICATE_NOT_YET_VALID: &str = "certificate_not_yet_valid";
/// A certificate has a critical extension that is not supported.
pub const UNSUPPORTED_EXTENSION: &str = "unsupported_extension";
/// No chain of certificates leads to a configured authority.
pub const UNKNOWN_AUTHORITY: &str = "unknown_authority";
/// A certificate of the chain may not issue certificates, or not so many below it.
pub const NOT_AN_AUTHORITY: &str = "not_an_authority";
/// A certificate of the chain is revoked.
pub const REVOKED: &str = "revoked";
/// No current revocation list tells whether a certificate of the chain is revoked.
pub const REVOCATION_UNKNOWN: &str = "revocation_unknown";
/// The certificate is for other purposes than signatures.
pub const KEY_USAGE: &str = "key_usage";
/// An RSA key has less than 2048 bits.
pub const WEAK_KEY: &str = "weak_key";
/// A signature algorithm or a key is not supported, such as DSTU 4145.
pub const UNSUPPORTED_ALGORITHM: &str = "unsupported_algorithm";
/// The time of validity is that of the signature, which is absent or in the future.
pub const SIGNING_TIME: &str = "signing_time";
