use std::str::FromStr;

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

/// The beginning of the digest of a credential, by which an operator names one whose secret is not at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigestPrefix {
    lowest: SecretDigest,
    highest: SecretDigest,
}

/// A text is no beginning of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the first 8 to 64 hexadecimal digits of a digest")]
pub struct InvalidDigestPrefix;

impl DigestPrefix {
    /// The fewest digits.
    pub const MIN_DIGITS: usize = 8;

    /// Returns the lowest digest that begins so.
    pub const fn lowest(&self) -> &[u8; 32] {
        self.lowest.bytes()
    }

    /// Returns the highest digest that begins so.
    pub const fn highest(&self) -> &[u8; 32] {
        self.highest.bytes()
    }

    /// Whether the digest begins so.
    pub fn matches(&self, digest: &SecretDigest) -> bool {
        (self.lowest()..=self.highest()).contains(&digest.bytes())
    }
}

impl FromStr for DigestPrefix {
    type Err = InvalidDigestPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidDigestPrefix> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).and_then(|digit| digit.try_into().ok())).collect();
        let digits = digits.filter(|digits| (Self::MIN_DIGITS..=64).contains(&digits.len()));
        let mut digits = digits.ok_or(InvalidDigestPrefix)?.into_iter().fuse();
        let (mut lowest, mut highest) = ([0; 32], [0; 32]);
        for (low, high) in lowest.iter_mut().zip(&mut highest) {
            let pair = (digits.next(), digits.next());
            *low = pair.0.unwrap_or(0) << 4 | pair.1.unwrap_or(0);
            *high = pair.0.unwrap_or(0xf) << 4 | pair.1.unwrap_or(0xf);
        }
        Ok(Self { lowest: SecretDigest(lowest), highest: SecretDigest(highest) })
    }
}

esoz_kernel::opaque_debug!(DigestPrefix);

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

    #[test]
    fn a_prefix_matches_the_digests_that_begin_so() {
        let digest = Secret::new("abc").digest();
        let whole = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for length in [8, 9, 12, 63, 64] {
            let prefix: DigestPrefix = whole[..length].parse().unwrap();
            assert!(prefix.matches(&digest), "{length}");
            assert!(!prefix.matches(&Secret::new("abd").digest()), "{length}");
            assert_eq!(whole[..length].to_uppercase().parse(), Ok(prefix));
        }
        let odd: DigestPrefix = "ba7816bf8".parse().unwrap();
        assert_eq!((odd.lowest()[4], odd.highest()[4]), (0x80, 0x8f));
        assert_eq!((odd.lowest()[31], odd.highest()[31]), (0, 0xff));
        assert!(!"ba7816bf9".parse::<DigestPrefix>().unwrap().matches(&digest));
        for wrong in ["", "ba7816b", "ba7816bg", &format!("{whole}0"), "ba7816bf…", "éé"] {
            assert_eq!(wrong.parse::<DigestPrefix>(), Err(InvalidDigestPrefix), "{wrong}");
        }
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
