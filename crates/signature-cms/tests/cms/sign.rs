//! What the feature `sign` makes.

use esoz_signature_cms::sign::{NumbersIn, Person, SignError, SignOptions, TestAuthority, TestSigner, sign};
use rcgen::{
    KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PKCS_RSA_SHA384, PKCS_RSA_SHA512,
};

use crate::support::{
    CONTENT, DAY, NOW, at, days, key, person, scene, signer_params, trusting, verdict, verifier,
};

const RSA: &str = include_str!("../../../auth-remote/tests/remote/fixtures/test-only-rsa-2048-a.pem");

#[test]
fn an_authority_and_a_signer_are_read_back_from_pem() {
    let root = TestAuthority::new("root", days(200, 200)).unwrap();
    let params = TestAuthority::params("intermediate", days(200, 200)).unwrap();
    let made = root.intermediate(params, key()).unwrap();
    let read = TestAuthority::from_pem(&made.certificate_pem().unwrap(), &made.key_pem()).unwrap();
    let signer = read.signer(&person(), days(100, 100)).unwrap();
    let signer = TestSigner::from_pem(&signer.certificates_pem().unwrap(), &signer.key_pem()).unwrap();
    let container = signer.sign(CONTENT, at(NOW)).unwrap();
    assert_eq!(verdict(&verifier(&trusting(&root)), &container), Ok(()));
    assert!(matches!(TestSigner::from_pem("", &signer.key_pem()), Err(SignError::NoCertificate)));
    assert!(TestSigner::from_pem(&signer.certificates_pem().unwrap(), "").is_err());
}

#[test]
fn keys_of_every_supported_kind_sign() {
    let scene = scene();
    let rsa = |algorithm| KeyPair::from_pem_and_sign_algo(RSA, algorithm).unwrap();
    for key in [
        key(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        rsa(&PKCS_RSA_SHA256),
        rsa(&PKCS_RSA_SHA384),
        rsa(&PKCS_RSA_SHA512),
    ] {
        let algorithm = format!("{:?}", key.algorithm());
        let container = scene.authority.issue(&signer_params(), key).unwrap().sign(CONTENT, at(NOW)).unwrap();
        assert_eq!(verdict(&scene.verifier(), &container), Ok(()), "{algorithm}");
    }
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let signed = scene.authority.issue(&signer_params(), other).unwrap().sign(CONTENT, at(NOW));
    assert!(matches!(signed, Err(SignError::UnsupportedKey)));
}

#[test]
fn a_passport_in_cyrillic_is_written_too() {
    let scene = scene();
    for numbers_in in [NumbersIn::Subject, NumbersIn::DirectoryAttributes] {
        let person = Person { drfo: Some("АВ123456".to_owned()), numbers_in, ..person() };
        let signer = scene.authority.signer(&person, days(100, 100)).unwrap();
        let judged = scene.verifier().judge(&signer.sign(CONTENT, at(NOW)).unwrap()).unwrap();
        assert_eq!(judged.signers[0].drfo.as_ref().unwrap().expose(), "AB123456", "{numbers_in:?}");
    }
}

#[test]
fn times_beyond_2049_are_written_in_their_own_form() {
    let far = 40 * 366;
    let authority = TestAuthority::new("root", days(200, far)).unwrap();
    let signer = authority.signer(&person(), days(100, far)).unwrap();
    let container = signer.sign(CONTENT, at(NOW + (far - 1) * DAY)).unwrap();
    assert_eq!(verdict(&verifier(&trusting(&authority)), &container), Ok(()));
    assert!(matches!(signer.sign(CONTENT, at(-1)), Err(SignError::OutOfRange)));
}

#[test]
fn a_key_identifier_must_be_there_to_be_named() {
    let options = SignOptions { by_key_identifier: true, ..SignOptions::default() };
    assert!(matches!(sign(CONTENT, &[&scene().signer], options), Err(SignError::Encoding(_))));
}
