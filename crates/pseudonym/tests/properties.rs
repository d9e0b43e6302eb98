//! What holds for every patient and every key. (The values themselves: the vectors beside each scheme.)
#![expect(clippy::unwrap_used, reason = "tests")]

use esoz_device_dispense::{PatientPseudonyms, Pseudonym};
use esoz_kernel::{PatientId, Uuid};
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacSha256Pseudonyms};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn kept() -> ProptestConfig {
    let regressions = Box::new(FileFailurePersistence::WithSource("regressions"));
    ProptestConfig { failure_persistence: Some(regressions), ..ProptestConfig::default() }
}

/// Both schemes, each with a key of its own.
fn schemes(key: &str) -> [Box<dyn PatientPseudonyms>; 2] {
    let reversed: String = key.chars().rev().collect();
    [
        Box::new(HmacSha256Pseudonyms::try_new(key).unwrap()),
        Box::new(Aes128CbcPseudonyms::try_new(key, &reversed).unwrap()),
    ]
}

fn of(scheme: &dyn PatientPseudonyms, patient: PatientId) -> String {
    scheme.of(patient).expose().to_owned()
}

fn is_hex_of_32_bytes(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

/// Any 16 ASCII characters.
fn keys() -> impl Strategy<Value = String> {
    "[ -~]{16}"
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn the_same_patient_has_the_same_pseudonym_however_the_id_is_spelled(
        patient in any::<u128>(), key in keys(), upper in any::<u64>(),
    ) {
        let lower = Uuid::from_u128(patient).to_string();
        let spelled: String = lower
            .chars()
            .enumerate()
            .map(|(at, char)| if upper >> at & 1 == 1 { char.to_ascii_uppercase() } else { char })
            .collect();
        for (one, other) in schemes(&key).into_iter().zip(schemes(&key)) {
            let pseudonym = of(&*one, PatientId::new(Uuid::from_u128(patient)));
            prop_assert_eq!(&pseudonym, &of(&*other, lower.parse().unwrap()));
            prop_assert_eq!(&pseudonym, &of(&*other, spelled.parse().unwrap()));
        }
    }

    #[test]
    fn another_patient_or_another_key_gives_another_pseudonym(
        one in any::<u128>(), other in any::<u128>(), key in keys(), other_key in keys(),
    ) {
        prop_assume!(one != other && key != other_key);
        let [one, other] = [one, other].map(|patient| PatientId::new(Uuid::from_u128(patient)));
        for (scheme, of_other_key) in schemes(&key).into_iter().zip(schemes(&other_key)) {
            prop_assert_ne!(of(&*scheme, one), of(&*scheme, other));
            prop_assert_ne!(of(&*scheme, one), of(&*of_other_key, one));
        }
    }

    #[test]
    fn a_pseudonym_leads_back_to_its_patient_by_aes_alone(patient in any::<u128>(), key in keys()) {
        let patient = PatientId::new(Uuid::from_u128(patient));
        let [by_hmac, by_aes] = schemes(&key);
        prop_assert_eq!(by_hmac.patient(&by_hmac.of(patient)), Ok(None));
        prop_assert_eq!(by_aes.patient(&by_aes.of(patient)), Ok(Some(patient)));
    }

    #[test]
    fn any_text_is_a_pseudonym_or_none(text in "[0-9A-F]{64}|.*", key in keys()) {
        let pseudonym = Pseudonym::new(text);
        let [by_hmac, by_aes] = schemes(&key);
        prop_assert_eq!(by_hmac.patient(&pseudonym).is_ok(), is_hex_of_32_bytes(pseudonym.expose()));
        if let Ok(Some(patient)) = by_aes.patient(&pseudonym) {
            prop_assert_eq!(by_aes.of(patient), pseudonym);
        }
    }

    #[test]
    fn a_pseudonym_is_64_digits_and_holds_nothing_of_the_id(patient in any::<u128>(), key in keys()) {
        let patient = PatientId::new(Uuid::from_u128(patient));
        for scheme in schemes(&key) {
            let text = of(&*scheme, patient);
            prop_assert!(is_hex_of_32_bytes(&text));
            prop_assert!(!text.contains(&patient.uuid().simple().to_string().to_uppercase()));
        }
    }
}
