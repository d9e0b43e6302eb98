use esoz_device_dispense::{InvalidPseudonym, PatientPseudonyms, Pseudonym, PseudonymFingerprint};
use esoz_kernel::PatientId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{KeyError, upper_hex};

/// The length of a code of HMAC-SHA-256.
const CODE_BYTES: usize = 32;

/// Computes pseudonyms by the scheme `hmac-sha256` (conventions, "Patient pseudonym"): HMAC-SHA-256 over the 16 raw bytes of the UUID, keyed
/// by a configured secret, rendered as 64 characters of upper-case hex.
#[derive(Clone)]
pub struct HmacSha256Pseudonyms {
    /// The keyed HMAC state; zeroized on drop.
    keyed: Hmac<Sha256>,
}

impl HmacSha256Pseudonyms {
    /// The name of the scheme in a configuration.
    pub const SCHEME: &'static str = "hmac-sha256";
    /// The minimum length of a secret in bytes: 128 bits.
    pub const MIN_SECRET_BYTES: usize = 16;

    /// Creates the scheme from a secret; its UTF-8 bytes are the key.
    ///
    /// # Errors
    /// [`KeyError::SecretTooShort`] when it has fewer than [`Self::MIN_SECRET_BYTES`] bytes.
    pub fn try_new(secret: &str) -> Result<Self, KeyError> {
        Ok(Self { keyed: keyed(secret)? })
    }

    /// The fingerprint of the scheme with this secret.
    pub fn fingerprint(&self) -> PseudonymFingerprint {
        fingerprint(self.keyed.clone(), Self::SCHEME, "")
    }
}

/// Precedes the scheme in what is digested. It is longer than a UUID, so no fingerprint is the pseudonym of a patient, and differs from the label of
/// taxpayer numbers.
const FINGERPRINT_LABEL: &[u8] = b"esoz/pseudonym-fingerprint/1\0";

/// The fingerprint of a scheme: HMAC-SHA-256 over a label, the name of the scheme and its other parameter, keyed by its secret.
pub(crate) fn fingerprint(keyed: Hmac<Sha256>, scheme: &str, parameter: &str) -> PseudonymFingerprint {
    let labelled = keyed.chain_update(FINGERPRINT_LABEL).chain_update(scheme).chain_update(b"\0");
    PseudonymFingerprint::new(labelled.chain_update(parameter).finalize().into_bytes().into())
}

/// The state of HMAC that a secret keys.
pub(crate) fn keyed(secret: &str) -> Result<Hmac<Sha256>, KeyError> {
    let (bytes, min_bytes) = (secret.len(), HmacSha256Pseudonyms::MIN_SECRET_BYTES);
    let too_short = KeyError::SecretTooShort { bytes, min_bytes };
    if bytes < min_bytes {
        return Err(too_short);
    }
    // HMAC accepts a key of any length: this error cannot occur.
    Hmac::new_from_slice(secret.as_bytes()).map_err(|_| too_short)
}

impl PatientPseudonyms for HmacSha256Pseudonyms {
    fn of(&self, patient: PatientId) -> Pseudonym {
        let code = self.keyed.clone().chain_update(patient.uuid().as_bytes()).finalize();
        Pseudonym::new(hex::encode_upper(code.into_bytes()))
    }

    /// Gives no patient, since the scheme is irreversible, and tells what is no code by its form.
    fn patient(&self, pseudonym: &Pseudonym) -> Result<Option<PatientId>, InvalidPseudonym> {
        let bytes = upper_hex::bytes(pseudonym.expose()).ok_or(InvalidPseudonym)?;
        if bytes.len() == CODE_BYTES { Ok(None) } else { Err(InvalidPseudonym) }
    }
}

esoz_kernel::opaque_debug!(HmacSha256Pseudonyms);

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from another implementation (Python's `hmac`): the least and the greatest id, a key of one block of the hash, one
    /// that is longer, and one that is no ASCII.
    #[test]
    fn the_pseudonym_is_the_hmac_of_the_raw_bytes_in_upper_case_hex() {
        for (secret, patient, expected) in [
            (
                "an hmac secret of 32 characters!",
                "7c3da506-804d-4550-8993-bf17f9ee0402",
                "3C24A0B2CBCC09635AFADFE932C0EE6E5A3E7EC03D6DD552214F8A87F0E6AF55",
            ),
            (
                "0123456789abcdef",
                "AFF00BF6-68BF-4B49-B66D-F031D48922B3",
                "05BE0E0031CC12B72C525C14B109B03917DB8707AB4F4133B0A2EA8698BDAC86",
            ),
            (
                "0123456789abcdef",
                "00000000-0000-0000-0000-000000000000",
                "6897A1FA57CCB86E3E411177CF4B24E698A6454842553D15AC80ADFC73744442",
            ),
            (
                "0123456789abcdef",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "E3A62C8B34057B454238C07AAF8BDB7AAFAD5E3BB3C6BC8981E623B336279E5C",
            ),
            (
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "7c3da506-804d-4550-8993-bf17f9ee0402",
                "2493400E70994D0477A4E44DB8154F398CC1522B1EB44A60E090833D56823FA4",
            ),
            (
                "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
                "7c3da506-804d-4550-8993-bf17f9ee0402",
                "B4E595F74E25D931D5A767450DB0AE4474D51EF59B9A6C0D7C96BE7F2CBFEAF9",
            ),
            (
                "секрет, не тільки ASCII",
                "7c3da506-804d-4550-8993-bf17f9ee0402",
                "57568FD87223403234568549B4458A7C5A936F39A5DB0268816206F7961FDEBE",
            ),
        ] {
            let pseudonyms = HmacSha256Pseudonyms::try_new(secret).unwrap();
            assert_eq!(pseudonyms.of(patient.parse().unwrap()).expose(), expected);
            assert_eq!(pseudonyms.of(patient.parse().unwrap()).expose(), expected, "the second time");
            assert_eq!(pseudonyms.patient(&Pseudonym::new(expected)), Ok(None));
            for text in ["", "nobody", &expected[..62], &expected.to_lowercase()] {
                assert_eq!(pseudonyms.patient(&Pseudonym::new(text)), Err(InvalidPseudonym), "{text}");
            }
        }
    }

    #[test]
    fn a_short_secret_is_refused_by_its_length_alone() {
        let error = HmacSha256Pseudonyms::try_new("canary_canary_c").unwrap_err();
        assert_eq!(error, KeyError::SecretTooShort { bytes: 15, min_bytes: 16 });
        assert_eq!(
            error.to_string(),
            "the secret of hmac-sha256 has 15 bytes; give it at least 16 random ones"
        );
        assert!(HmacSha256Pseudonyms::try_new("canary_canary_ca").is_ok());
    }

    #[test]
    fn the_secret_hides_from_debug() {
        let pseudonyms = HmacSha256Pseudonyms::try_new("canary_canary_canary").unwrap();
        assert_eq!(format!("{pseudonyms:?}"), "HmacSha256Pseudonyms(…)");
    }

    #[test]
    fn the_fingerprint_is_of_the_secret_and_is_no_pseudonym() {
        let of = |secret: &str| HmacSha256Pseudonyms::try_new(secret).unwrap().fingerprint();
        // From another implementation (Python's `hmac`).
        let expected = "5296976ab48654bcf942374ee669c1da98773c6bb3d9179151ed1bc1b66ff8cf";
        assert_eq!(hex::encode(of("0123456789abcdef").bytes()), expected);
        assert_eq!(of("0123456789abcdef"), of("0123456789abcdef"));
        assert_ne!(of("0123456789abcdef"), of("0123456789abcdeg"));
        assert_eq!(format!("{:?}", of("canary_canary_canary")), "PseudonymFingerprint(…)");
    }

    /// Compiles only while the keyed state wipes itself: all that HMAC keeps of its key is two states of the hash.
    #[test]
    fn the_keyed_state_is_wiped_when_dropped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<Sha256>();
    }
}
