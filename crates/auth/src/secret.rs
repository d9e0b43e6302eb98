use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// A token or an api key as its holder sends it. Wiped from memory when dropped, hidden from `Debug`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes what a caller presented, or what was made for one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself, to hand it to its holder once or to send it to the server that issued it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The form in which it may be stored, cached and looked up.
    pub fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// SHA-256 of a secret of at least 128 random bits: safe to store, useless to present. Compared in constant time.
#[derive(Clone, Copy, Eq)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// A stored digest.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store and to look up by.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ConstantTimeEq for SecretDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for SecretDigest {
    /// In no other way than [`ConstantTimeEq`].
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl std::hash::Hash for SecretDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha_256() {
        let bytes = Secret::new("abc").digest().0;
        assert_eq!(bytes[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(bytes[28..], [0xf2, 0x00, 0x15, 0xad]);
    }

    /// Compiles only while it wipes itself.
    #[test]
    fn a_secret_is_wiped_when_dropped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        wiped(&Secret::new("canary").0);
    }

    #[test]
    fn digests_are_compared_in_constant_time_and_differ_by_any_bit() {
        fn in_constant_time<T: ConstantTimeEq>(one: &T, other: &T) -> bool {
            one.ct_eq(other).into()
        }
        let digest = Secret::new("canary").digest();
        assert!(in_constant_time(&digest, &digest) && digest == Secret::new("canary").digest());
        for bit in 0..256 {
            let mut bytes = *digest.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let other = SecretDigest::new(bytes);
            assert!(!in_constant_time(&digest, &other) && digest != other, "bit {bit}");
        }
    }

    #[test]
    fn neither_a_secret_nor_its_digest_shows_in_debug() {
        let secret = Secret::new("canary");
        assert_eq!(format!("{secret:?} {:?}", secret.digest()), "Secret(…) SecretDigest(…)");
    }
}
