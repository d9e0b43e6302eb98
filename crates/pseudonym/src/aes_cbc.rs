use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit as _};
use cbc::{Decryptor, Encryptor};
use esoz_device_dispense::{InvalidPseudonym, PatientPseudonyms, Pseudonym, PseudonymFingerprint};
use esoz_kernel::{PatientId, Uuid};
use zeroize::Zeroizing;

use crate::hmac_sha256::{fingerprint, keyed};
use crate::{KeyError, upper_hex};

/// Computes pseudonyms by the scheme `aes-128-cbc`, which ESOZ uses (conventions, "Patient pseudonym"): AES-128-CBC with a fixed key and IV
/// over the 16 raw bytes of the UUID, PKCS#7 padding, rendered as 64 characters of upper-case hex.
#[derive(Clone)]
pub struct Aes128CbcPseudonyms {
    /// The cipher with its expanded key; zeroized on drop.
    cipher: Aes128,
    iv: Zeroizing<[u8; 16]>,
    fingerprint: PseudonymFingerprint,
}

impl Aes128CbcPseudonyms {
    /// The name of the scheme in a configuration.
    pub const SCHEME: &'static str = "aes-128-cbc";

    /// Creates the scheme from a key and an IV; the UTF-8 bytes of each are used as they are and must be 16.
    ///
    /// # Errors
    /// [`KeyError::KeyLength`] or [`KeyError::IvLength`] when one has another length.
    pub fn try_new(key: &str, iv: &str) -> Result<Self, KeyError> {
        let cipher =
            Aes128::new_from_slice(key.as_bytes()).map_err(|_| KeyError::KeyLength { bytes: key.len() })?;
        let iv_bytes =
            <[u8; 16]>::try_from(iv.as_bytes()).map_err(|_| KeyError::IvLength { bytes: iv.len() })?;
        let fingerprint = fingerprint(keyed(key)?, Self::SCHEME, iv);
        Ok(Self { cipher, iv: Zeroizing::new(iv_bytes), fingerprint })
    }

    /// The fingerprint of the scheme with this key and IV.
    pub const fn fingerprint(&self) -> PseudonymFingerprint {
        self.fingerprint
    }
}

impl PatientPseudonyms for Aes128CbcPseudonyms {
    fn of(&self, patient: PatientId) -> Pseudonym {
        let encryptor = Encryptor::inner_iv_init(self.cipher.clone(), (&*self.iv).into());
        Pseudonym::new(hex::encode_upper(encryptor.encrypt_padded_vec::<Pkcs7>(patient.uuid().as_bytes())))
    }

    fn patient(&self, pseudonym: &Pseudonym) -> Result<Option<PatientId>, InvalidPseudonym> {
        let decryptor = Decryptor::inner_iv_init(self.cipher.clone(), (&*self.iv).into());
        let encrypted = upper_hex::bytes(pseudonym.expose()).ok_or(InvalidPseudonym)?;
        let bytes = decryptor.decrypt_padded_vec::<Pkcs7>(&encrypted).map_err(|_| InvalidPseudonym)?;
        Uuid::from_slice(&bytes).map(|uuid| Some(PatientId::new(uuid))).map_err(|_| InvalidPseudonym)
    }
}

esoz_kernel::opaque_debug!(Aes128CbcPseudonyms);

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "8grv872gt3trc92b";
    const IV: &str = "99yBSYB*Y99yr932";

    /// The published vectors.
    #[test]
    fn the_pseudonym_is_the_one_that_esoz_stores() {
        let pseudonyms = Aes128CbcPseudonyms::try_new(KEY, IV).unwrap();
        for (patient, expected) in [
            (
                "7c3da506-804d-4550-8993-bf17f9ee0402",
                "F648B223140145DAB1AAAD13D6E6F40D3128DCF04E4C0BCA1FA1477F018E5591",
            ),
            (
                "aff00bf6-68bf-4b49-b66d-f031d48922b3",
                "48B5D9F60E56E3C43B644CC7060749961373D8448A0A19D558323DDD30B300C5",
            ),
        ] {
            assert_eq!(pseudonyms.of(patient.parse().unwrap()).expose(), expected);
            assert_eq!(pseudonyms.of(patient.parse().unwrap()).expose(), expected, "the second time");
            assert_eq!(pseudonyms.patient(&Pseudonym::new(expected)), Ok(Some(patient.parse().unwrap())));
        }
    }

    #[test]
    fn what_is_no_pseudonym_has_no_patient() {
        let pseudonyms = Aes128CbcPseudonyms::try_new(KEY, IV).unwrap();
        let pseudonym = "F648B223140145DAB1AAAD13D6E6F40D3128DCF04E4C0BCA1FA1477F018E5591";
        let mut padded_otherwise = pseudonym.to_owned();
        padded_otherwise.replace_range(62.., "92");
        for text in [
            "",
            "nobody",
            &pseudonym.to_lowercase(),
            &pseudonym[..62],
            &pseudonym[..32],
            &padded_otherwise,
            &pseudonym.repeat(2),
        ] {
            assert_eq!(pseudonyms.patient(&Pseudonym::new(text)), Err(InvalidPseudonym), "{text}");
        }
    }

    /// Expected values from another implementation (`openssl enc -aes-128-cbc`).
    #[test]
    fn the_pseudonym_is_the_one_of_another_implementation() {
        for (key, iv, patient, expected) in [
            (
                KEY,
                IV,
                "00000000-0000-0000-0000-000000000000",
                "4232E6CD812B85804F44C5F7C7EFAF7CF0D4E4F6A8CBFA55D162FA4C18DC8D85",
            ),
            (
                KEY,
                IV,
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "9C26E4E2BD08CF0C64C402D0FF2A7745B1CF69F9FA33B45604A847E8089B5FC7",
            ),
            (
                "0123456789abcdef",
                "fedcba9876543210",
                "7c3da506-804d-4550-8993-bf17f9ee0402",
                "9B55678F6903DDB72D620791890A15245853B9FCA48E9F26532BB321C6282728",
            ),
            (
                "0123456789abcdef",
                "fedcba9876543210",
                "0192a4f0-6c1e-7b34-9d2f-5e8a7c6041bb",
                "1BDA121D07E910102CDD88DE51FD30A8CF19D750B8788C6829FB83537B4A22FF",
            ),
        ] {
            let pseudonyms = Aes128CbcPseudonyms::try_new(key, iv).unwrap();
            assert_eq!(pseudonyms.of(patient.parse().unwrap()).expose(), expected);
        }
    }

    #[test]
    fn a_key_or_iv_of_another_length_is_refused_by_its_length_alone() {
        for (key, iv, expected, text) in [
            (
                "canary",
                IV,
                KeyError::KeyLength { bytes: 6 },
                "the key of aes-128-cbc has 6 bytes; it must have exactly 16",
            ),
            (
                KEY,
                "canary_canary_cana",
                KeyError::IvLength { bytes: 18 },
                "the iv of aes-128-cbc has 18 bytes; it must have exactly 16",
            ),
        ] {
            let error = Aes128CbcPseudonyms::try_new(key, iv).unwrap_err();
            assert_eq!((error, error.to_string().as_str()), (expected, text));
        }
    }

    #[test]
    fn the_fingerprint_is_of_scheme_key_and_iv() {
        let of = |key: &str, iv: &str| Aes128CbcPseudonyms::try_new(key, iv).unwrap().fingerprint();
        // From another implementation (Python's `hmac`).
        let expected = "960c0fbb43a727c828dd21f60a449bb976de12dc465775ebf38f57bb62d8915e";
        assert_eq!(hex::encode(of(KEY, IV).bytes()), expected);
        assert_ne!(of(KEY, IV), of(IV, IV));
        assert_ne!(of(KEY, IV), of(KEY, KEY));
        assert_ne!(of(KEY, IV), crate::HmacSha256Pseudonyms::try_new(KEY).unwrap().fingerprint());
    }

    #[test]
    fn the_key_hides_from_debug() {
        let pseudonyms = Aes128CbcPseudonyms::try_new(KEY, IV).unwrap();
        assert_eq!(format!("{pseudonyms:?}"), "Aes128CbcPseudonyms(…)");
    }

    /// Compiles only while what holds the key wipes itself.
    #[test]
    fn the_keyed_state_is_wiped_when_dropped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<Aes128>();
    }
}
