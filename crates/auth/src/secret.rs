use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// A token or an api key in plain text. Zeroized when dropped, hidden from `Debug`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret that was presented or generated.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the plain text, to show it to its holder once or to send it to its issuer.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the digest, by which it may be stored, cached and looked up.
    pub fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.0.as_bytes()).into())
    }
}

esoz_kernel::opaque_debug!(Secret);

/// The SHA-256 digest of a secret of at least 128 random bits: safe to store, useless to present. Compared in constant time.
#[derive(Clone, Copy, Eq)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// Creates it from a stored digest.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to store and to look up by.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first 12 hexadecimal digits: enough to tell credentials apart in a list, too few to look one up.
    pub fn short(&self) -> String {
        let prefix = self.0.iter().take(6).fold(0_u64, |prefix, byte| (prefix << 8) | u64::from(*byte));
        format!("{prefix:012x}")
    }
}

impl ConstantTimeEq for SecretDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for SecretDigest {
    /// Compares by [`ConstantTimeEq`].
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl std::hash::Hash for SecretDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

esoz_kernel::opaque_debug!(SecretDigest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha_256() {
        let bytes = Secret::new("abc").digest().0;
        assert_eq!(bytes[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(bytes[28..], [0xf2, 0x00, 0x15, 0xad]);
    }

    #[test]
    fn the_short_form_of_a_digest_is_its_beginning() {
        assert_eq!(Secret::new("abc").digest().short(), "ba7816bf8f01");
        assert_eq!(SecretDigest::new([0; 32]).short(), "000000000000");
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
