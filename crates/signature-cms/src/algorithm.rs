//! Signature algorithms, and the verification of signatures.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ID_EC_PUBLIC_KEY, ID_MGF_1, ID_RSASSA_PSS, ID_SHA_256,
    ID_SHA_384, ID_SHA_512, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use der::asn1::UintRef;
use der::{Decode as _, Sequence};
use ring::digest::{self, Digest};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::reason;

const MIN_RSA_BITS: usize = 2_048;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn of(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, &'static str> {
        match algorithm.oid {
            ID_SHA_256 => Ok(Self::Sha256),
            ID_SHA_384 => Ok(Self::Sha384),
            ID_SHA_512 => Ok(Self::Sha512),
            _ => Err(reason::UNSUPPORTED_ALGORITHM),
        }
    }

    pub(crate) fn digest(self, message: &[u8]) -> Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message)
    }

    const fn bytes(self) -> u8 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// How a signature is made, without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Pkcs1(Hash),
    Pss(Hash),
    Ecdsa(Hash),
}

impl Scheme {
    /// Reads the algorithm of a certificate or a revocation list, which names its digest.
    pub(crate) fn of(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, &'static str> {
        match algorithm.oid {
            SHA_256_WITH_RSA_ENCRYPTION => Ok(Self::Pkcs1(Hash::Sha256)),
            SHA_384_WITH_RSA_ENCRYPTION => Ok(Self::Pkcs1(Hash::Sha384)),
            SHA_512_WITH_RSA_ENCRYPTION => Ok(Self::Pkcs1(Hash::Sha512)),
            ECDSA_WITH_SHA_256 => Ok(Self::Ecdsa(Hash::Sha256)),
            ECDSA_WITH_SHA_384 => Ok(Self::Ecdsa(Hash::Sha384)),
            ID_RSASSA_PSS => pss(algorithm).map(Self::Pss),
            _ => Err(reason::UNSUPPORTED_ALGORITHM),
        }
    }

    /// Reads the algorithm of a signature in a container, whose digest is named beside it, and must be the same where it is named twice (RFC 5754,
    /// section 3).
    pub(crate) fn of_signer(algorithm: &AlgorithmIdentifierOwned, hash: Hash) -> Result<Self, &'static str> {
        if algorithm.oid == RSA_ENCRYPTION {
            return Ok(Self::Pkcs1(hash));
        }
        let scheme = Self::of(algorithm)?;
        let (Self::Pkcs1(named) | Self::Pss(named) | Self::Ecdsa(named)) = scheme;
        if named == hash { Ok(scheme) } else { Err(reason::UNSUPPORTED_ALGORITHM) }
    }
}

/// The parameters of RSASSA-PSS (RFC 4055, section 3.1). The default of each is SHA-1, which is not supported.
#[derive(Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    hash: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    mask: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    salt_bytes: u8,
}

/// The digest of RSASSA-PSS; mask and salt must be those that belong to it.
fn pss(algorithm: &AlgorithmIdentifierOwned) -> Result<Hash, &'static str> {
    let unsupported = reason::UNSUPPORTED_ALGORITHM;
    let parameters = algorithm.parameters.as_ref().ok_or(unsupported)?;
    let PssParameters { hash, mask, salt_bytes } = parameters.decode_as().map_err(|_| unsupported)?;
    let hash = Hash::of(&hash)?;
    let of_mask = mask.parameters.as_ref().ok_or(unsupported)?;
    let of_mask: AlgorithmIdentifierOwned = of_mask.decode_as().map_err(|_| unsupported)?;
    let belongs = mask.oid == ID_MGF_1 && Hash::of(&of_mask)? == hash && salt_bytes == hash.bytes();
    if belongs { Ok(hash) } else { Err(unsupported) }
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// Verifies that the key has signed the message.
///
/// # Errors
/// [`reason::ALTERED`], [`reason::WEAK_KEY`], [`reason::UNSUPPORTED_ALGORITHM`]
pub(crate) fn verify(
    key: &SubjectPublicKeyInfoOwned,
    scheme: Scheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), &'static str> {
    let bytes = key.subject_public_key.as_bytes().ok_or(reason::UNSUPPORTED_ALGORITHM)?;
    let algorithm: &dyn VerificationAlgorithm = match (key.algorithm.oid, scheme) {
        (RSA_ENCRYPTION, Scheme::Pkcs1(hash)) => {
            require_rsa_bits(bytes)?;
            match hash {
                Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
                Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
            }
        }
        (RSA_ENCRYPTION, Scheme::Pss(hash)) => {
            require_rsa_bits(bytes)?;
            match hash {
                Hash::Sha256 => &RSA_PSS_2048_8192_SHA256,
                Hash::Sha384 => &RSA_PSS_2048_8192_SHA384,
                Hash::Sha512 => &RSA_PSS_2048_8192_SHA512,
            }
        }
        (ID_EC_PUBLIC_KEY, Scheme::Ecdsa(hash)) => match (curve(key)?, hash) {
            (SECP_256_R_1, Hash::Sha256) => &ECDSA_P256_SHA256_ASN1,
            (SECP_256_R_1, Hash::Sha384) => &ECDSA_P256_SHA384_ASN1,
            (SECP_384_R_1, Hash::Sha256) => &ECDSA_P384_SHA256_ASN1,
            (SECP_384_R_1, Hash::Sha384) => &ECDSA_P384_SHA384_ASN1,
            _ => return Err(reason::UNSUPPORTED_ALGORITHM),
        },
        _ => return Err(reason::UNSUPPORTED_ALGORITHM),
    };
    UnparsedPublicKey::new(algorithm, bytes).verify(message, signature).map_err(|_| reason::ALTERED)
}

fn curve(key: &SubjectPublicKeyInfoOwned) -> Result<ObjectIdentifier, &'static str> {
    let parameters = key.algorithm.parameters.as_ref();
    parameters.and_then(|any| any.decode_as().ok()).ok_or(reason::UNSUPPORTED_ALGORITHM)
}

fn require_rsa_bits(key: &[u8]) -> Result<(), &'static str> {
    let RsaPublicKey { modulus, .. } =
        RsaPublicKey::from_der(key).map_err(|_| reason::UNSUPPORTED_ALGORITHM)?;
    let bytes = modulus.as_bytes();
    let unused = bytes.first().map_or(0, |byte| byte.leading_zeros());
    let bits = (bytes.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or_default());
    if bits >= MIN_RSA_BITS { Ok(()) } else { Err(reason::WEAK_KEY) }
}
