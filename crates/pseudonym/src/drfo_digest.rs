use esoz_signed_content::{Drfo, DrfoDigest, DrfoDigests};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::KeyError;
use crate::hmac_sha256::keyed;

/// Precedes the number in what is digested. It is longer than a UUID, of which pseudonyms are made with the same secret: no number has the code of a patient.
const LABEL: &[u8] = b"esoz/drfo-digest/1\0";

/// Computes the digests of taxpayer numbers: HMAC-SHA-256 over a label and the normalized number, keyed by the secret of the patient pseudonyms,
/// whatever their scheme; rendered as 64 characters of lower-case hex, so that it is no pseudonym by its form either.
#[derive(Clone)]
pub struct HmacDrfoDigests {
    /// The keyed HMAC state, with the label; zeroized on drop.
    labelled: Hmac<Sha256>,
}

impl HmacDrfoDigests {
    /// Creates it from a secret; its UTF-8 bytes are the key.
    ///
    /// # Errors
    /// [`KeyError::SecretTooShort`] when it has fewer bytes than a pseudonym's secret must have.
    pub fn try_new(secret: &str) -> Result<Self, KeyError> {
        Ok(Self { labelled: keyed(secret)?.chain_update(LABEL) })
    }
}

impl DrfoDigests for HmacDrfoDigests {
    fn of(&self, drfo: &Drfo) -> DrfoDigest {
        let code = self.labelled.clone().chain_update(drfo.expose()).finalize();
        DrfoDigest::new(hex::encode(code.into_bytes()))
    }
}

esoz_kernel::opaque_debug!(HmacDrfoDigests);

#[cfg(test)]
mod tests {
    use esoz_device_dispense::PatientPseudonyms as _;
    use esoz_kernel::{PatientId, Uuid};

    use super::*;
    use crate::{Aes128CbcPseudonyms, HmacSha256Pseudonyms};

    const SECRET: &str = "0123456789abcdef";

    /// Secret, number, digest.
    const VECTORS: [(&str, &str, &str); 3] = [
        (
            "an hmac secret of 32 characters!",
            "1234567890",
            "d421127e33bd84b9dac62ccebd9fbcc021ab707b1ec97e28179d5599a5d0669d",
        ),
        ("0123456789abcdef", "AB123456", "12fb2413c07a801dec6d99a9a00a493abc8d24b4256384901fa3a2332914867c"),
        ("8grv872gt3trc92b", "ЮЯ123456", "f01006909334a3bfcb497c2d25c8a1dcd04696005d84f6c1cd2ea3800bb57128"),
    ];

    fn digest(secret: &str, drfo: &str) -> String {
        HmacDrfoDigests::try_new(secret).unwrap().of(&Drfo::parse(drfo).unwrap()).expose().to_owned()
    }

    /// Expected values from another implementation (Python's `hmac`).
    #[test]
    fn the_digest_is_the_hmac_of_label_and_number_in_lower_case_hex() {
        for (secret, drfo, expected) in VECTORS {
            assert_eq!(digest(secret, drfo), expected);
            assert!(DrfoDigest::parse(expected).is_some());
        }
    }

    #[test]
    fn given_another_spelling_then_the_digest_is_the_same_and_of_another_number_or_secret_another() {
        assert_eq!(digest(SECRET, " 12345 67890 "), digest(SECRET, "1234567890"));
        assert_eq!(digest(SECRET, "ав123456"), digest(SECRET, "AB123456"));
        assert_ne!(digest(SECRET, "1234567890"), digest(SECRET, "1234567891"));
        assert_ne!(digest(SECRET, "1234567890"), digest("another secret of a test", "1234567890"));
    }

    #[test]
    fn given_the_same_bytes_then_a_digest_is_never_a_pseudonym() {
        // The 16 bytes of this id are a number, too.
        let drfo = "0123456789ABCDEF";
        let patient = PatientId::new(Uuid::from_slice(drfo.as_bytes()).unwrap());
        let digest = digest(SECRET, drfo);
        let pseudonyms = [
            HmacSha256Pseudonyms::try_new(SECRET).unwrap().of(patient),
            Aes128CbcPseudonyms::try_new(SECRET, SECRET).unwrap().of(patient),
        ];
        for pseudonym in pseudonyms {
            assert!(!digest.eq_ignore_ascii_case(pseudonym.expose()));
            assert_eq!(DrfoDigest::parse(pseudonym.expose()), None, "a pseudonym has another form");
        }
    }

    #[test]
    fn a_short_secret_is_refused_by_its_length_alone_and_a_good_one_hides_from_debug() {
        let error = HmacDrfoDigests::try_new("canary_canary_c").unwrap_err();
        assert_eq!(error, KeyError::SecretTooShort { bytes: 15, min_bytes: 16 });
        let digests = HmacDrfoDigests::try_new("canary_canary_ca").unwrap();
        assert_eq!(format!("{digests:?}"), "HmacDrfoDigests(…)");
    }
}
