//! J02: where a certificate has the numbers of its signer.

use esoz_signature_cms::sign::{NumbersIn, Person};
use rcgen::{CertificateParams, DnType, DnValue};

use crate::support::{days, person, scene_of};

const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];
const UA_DRFO: [u64; 12] = [1, 2, 804, 2, 1, 1, 1, 11, 1, 4, 1, 1];
const ORGANIZATION_IDENTIFIER: [u64; 4] = [2, 5, 4, 97];

/// The DRFO and the EDRPOU that a certificate gives.
fn numbers(params: &CertificateParams) -> (Option<String>, Option<String>) {
    let scene = scene_of(params);
    let signer = scene.verifier().judge(&scene.container()).unwrap().signers.remove(0);
    assert_eq!(signer.verdict, Ok(()));
    (signer.drfo.map(|drfo| drfo.expose().to_owned()), signer.edrpou)
}

fn nobody() -> Person {
    Person { drfo: None, edrpou: None, ..person() }
}

fn with(person: &Person, attribute: &[u64], value: impl Into<DnValue>) -> CertificateParams {
    let mut params = person.params(days(100, 100)).unwrap();
    params.distinguished_name.push(DnType::CustomDnType(attribute.to_vec()), value);
    params
}

fn drfo_of(serial_number: &str) -> Option<String> {
    numbers(&with(&nobody(), &SERIAL_NUMBER, serial_number)).0
}

#[test]
fn given_either_place_then_the_numbers_are_the_same() {
    for numbers_in in [NumbersIn::Subject, NumbersIn::DirectoryAttributes] {
        let params = Person { numbers_in, ..person() }.params(days(100, 100)).unwrap();
        assert_eq!(
            numbers(&params),
            (Some("1234567890".to_owned()), Some("12345678".to_owned())),
            "{numbers_in:?}"
        );
        let params = Person { numbers_in, ..nobody() }.params(days(100, 100)).unwrap();
        assert_eq!(numbers(&params), (None, None), "{numbers_in:?}");
    }
}

#[test]
fn given_a_prefix_of_the_standard_then_it_is_left_out_if_it_is_ukrainian() {
    for (serial_number, drfo) in [
        ("1234567890", Some("1234567890")),
        ("TINUA-1234567890", Some("1234567890")),
        ("TAXUA-1234567890", Some("1234567890")),
        ("PNOUA-19920101-12345", Some("19920101-12345")),
        ("PASUA-АВ 123456", Some("AB123456")),
        ("idcua-000123456", Some("IDCUA-000123456")),
        ("TINPL-1234567890", Some("TINPL-1234567890")),
        (" TINUA-12345 67890 ", Some("1234567890")),
        ("TINUA-", None),
        (" ", None),
    ] {
        assert_eq!(drfo_of(serial_number).as_deref(), drfo, "{serial_number}");
    }
}

#[test]
fn given_the_ukrainian_attribute_then_it_comes_before_the_serial_number() {
    let of_attribute = Person { numbers_in: NumbersIn::DirectoryAttributes, ..person() };
    let params = with(&of_attribute, &SERIAL_NUMBER, "UA-7-1");
    assert_eq!(numbers(&params).0.as_deref(), Some("1234567890"));
    let in_subject = with(&nobody(), &UA_DRFO, "1234567890");
    assert_eq!(numbers(&in_subject).0.as_deref(), Some("1234567890"));
}

#[test]
fn given_different_values_then_nobody_knows_which_is_meant() {
    let of_attribute = Person { numbers_in: NumbersIn::DirectoryAttributes, ..person() };
    let twice = |value: &str| numbers(&with(&of_attribute, &UA_DRFO, value)).0;
    assert_eq!(twice("1234567890").as_deref(), Some("1234567890"));
    assert_eq!(twice("1234567891"), None);
}

#[test]
fn given_an_organisation_then_its_prefix_is_left_out() {
    for (identifier, edrpou) in
        [("NTRUA-12345678", Some("12345678")), ("12345678", Some("12345678")), ("NTRUA-", None)]
    {
        let params = with(&nobody(), &ORGANIZATION_IDENTIFIER, identifier);
        assert_eq!(numbers(&params).1.as_deref(), edrpou, "{identifier}");
    }
}

#[test]
fn given_another_encoding_then_text_is_read_and_the_rest_is_no_number() {
    let bmp: Vec<u8> = "1234567890".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let bmp = DnValue::BmpString(rcgen::string::BmpString::from_utf16be(bmp).unwrap());
    assert_eq!(numbers(&with(&nobody(), &SERIAL_NUMBER, bmp)).0.as_deref(), Some("1234567890"));
    let teletex = DnValue::TeletexString("1234567890".try_into().unwrap());
    assert_eq!(numbers(&with(&nobody(), &SERIAL_NUMBER, teletex)).0, None);
}
