//! Signing keys as they are published (RFC 7517, 7518, 8037), and the checking of signatures with them.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use esoz_https::json::Object;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use super::Algorithm;

const MIN_RSA_BITS: usize = 2_048;

/// The keys of an issuer that may sign tokens.
#[derive(Debug, Default)]
pub(crate) struct KeySet(pub(super) Vec<Key>);

/// The set as published. A key that is not understood must not spoil the others (RFC 7517, section 5).
#[derive(Deserialize)]
pub(crate) struct Published {
    keys: Vec<Value>,
}

impl Published {
    /// The keys that can be used, and how many cannot.
    pub(crate) fn usable(self) -> (KeySet, usize) {
        let published = self.keys.len();
        let keys: Vec<Key> = self.keys.into_iter().filter_map(Key::read).collect();
        let ignored = published - keys.len();
        (KeySet(keys), ignored)
    }
}

impl KeySet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key has that name.
    pub(crate) fn knows(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Returns the one key that can have signed a token with that header. The same key published several times is one key. A token
    /// without `kid` is accepted only if the issuer has one key; a `kid` that different keys of one algorithm share names none of them.
    pub(crate) fn signer(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut candidates = self.0.iter().filter(|key| match kid {
            None => true,
            Some(kid) => key.kid.as_deref() == Some(kid) && key.fits(algorithm),
        });
        let first = candidates.clone().find(|key| key.fits(algorithm))?;
        candidates.all(|key| key.material == first.material).then_some(first)
    }

    /// Whether different keys share a `kid` and an algorithm, so that every token that names them is refused.
    pub(crate) fn is_ambiguous(&self) -> bool {
        let named = self.0.iter().filter_map(|key| Some((key.kid.as_deref()?, key)));
        named
            .flat_map(|(kid, key)| Algorithm::ALL.map(|algorithm| (kid, key, algorithm)))
            .any(|(kid, key, algorithm)| key.fits(algorithm) && self.signer(Some(kid), algorithm).is_none())
    }
}

/// One public key.
#[derive(Debug)]
pub(crate) struct Key {
    kid: Option<String>,
    /// The only algorithm that it is for, if its issuer says so.
    alg: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// Reads a key; `None` when it is not for signatures, not of a supported kind, or too weak.
    fn read(jwk: Value) -> Option<Self> {
        let Object::<Jwk>(jwk) = serde_json::from_value(jwk).ok()?;
        let for_signatures = jwk.purpose.as_ref().is_none_or(|purpose| purpose == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        let alg = jwk.alg.as_ref().map(|alg| alg.parse::<Algorithm>()).transpose().ok()?;
        let key = Self { material: Material::read(&jwk)?, kid: jwk.kid, alg };
        (for_signatures && alg.is_none_or(|alg| key.fits(alg))).then_some(key)
    }

    /// Whether signatures of that algorithm can be checked with it.
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let of_its_kind = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        of_its_kind && self.alg.is_none_or(|only| only == algorithm)
    }

    /// Whether the signature over the message was made with this key and algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let checked = match &self.material {
            Material::Rsa { n, e } => {
                let parameters = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        checked.is_ok()
    }
}

impl Material {
    fn read(jwk: &Jwk) -> Option<Self> {
        let bytes = |member: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(member.as_ref()?).ok();
        let coordinate =
            |member: &Option<String>, length: usize| bytes(member).filter(|it| it.len() == length);
        // The form of a point that is not compressed.
        let point = |length: usize| {
            Some([vec![4], coordinate(&jwk.x, length)?, coordinate(&jwk.y, length)?].concat())
        };
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (unsigned(bytes(&jwk.n)?), unsigned(bytes(&jwk.e)?));
                (bits(&n) >= MIN_RSA_BITS).then_some(Self::Rsa { n, e })
            }
            ("EC", Some("P-256")) => point(32).map(Self::P256),
            ("EC", Some("P-384")) => point(48).map(Self::P384),
            ("OKP", Some("Ed25519")) => coordinate(&jwk.x, 32).map(Self::Ed25519),
            _ => None,
        }
    }
}

/// A number without leading zeros, which some issuers send.
fn unsigned(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or_default())
}

#[cfg(test)]
#[path = "jwk_tests.rs"]
mod tests;
