//! An authority, a signer and a verifier that trusts them.

use std::sync::Arc;

use esoz_kernel::Timestamp;
use esoz_signature_cms::sign::{Period, Person, SignOptions, TestAuthority, TestSigner, sign};
use esoz_signature_cms::{CmsSettings, CmsVerifier};
use esoz_signed_content::{Container, Verdict};
use esoz_testkit::clock::ManualClock;
use rcgen::{CertificateParams, KeyPair};

/// What the clock shows: 2027-01-15T08:00:00Z.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const DAY: i64 = 86_400;
pub(crate) const CONTENT: &[u8] = br#"{"id":"a"}"#;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// From so many days before now until so many after.
pub(crate) fn days(before: i64, after: i64) -> Period {
    Period { from: at(NOW - before * DAY), until: at(NOW + after * DAY) }
}

pub(crate) fn person() -> Person {
    Person {
        name: "A Person".to_owned(),
        drfo: Some("1234567890".to_owned()),
        edrpou: Some("12345678".to_owned()),
        ..Person::default()
    }
}

/// Parameters of a signer's certificate that is valid now.
pub(crate) fn signer_params() -> CertificateParams {
    person().params(days(100, 100)).unwrap()
}

/// Parameters of an authority's certificate that is valid now.
pub(crate) fn authority_params(name: &str) -> CertificateParams {
    TestAuthority::params(name, days(200, 200)).unwrap()
}

pub(crate) fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// An authority and a signer of it.
pub(crate) struct Scene {
    pub(crate) authority: TestAuthority,
    pub(crate) signer: TestSigner,
}

pub(crate) fn scene() -> Scene {
    scene_of(&signer_params())
}

pub(crate) fn scene_of(params: &CertificateParams) -> Scene {
    let authority = TestAuthority::new("root", days(200, 200)).unwrap();
    let signer = authority.issue(params, key()).unwrap();
    Scene { authority, signer }
}

impl Scene {
    pub(crate) fn settings(&self) -> CmsSettings {
        trusting(&self.authority)
    }

    pub(crate) fn verifier(&self) -> CmsVerifier {
        verifier(&self.settings())
    }

    /// A good container.
    pub(crate) fn container(&self) -> Vec<u8> {
        self.signer.sign(CONTENT, at(NOW)).unwrap()
    }

    pub(crate) fn signed(&self, options: SignOptions) -> Vec<u8> {
        sign(CONTENT, &[&self.signer], options).unwrap()
    }
}

pub(crate) fn trusting(authority: &TestAuthority) -> CmsSettings {
    CmsSettings { authorities: vec![authority.certificate().to_vec()], ..CmsSettings::default() }
}

pub(crate) fn verifier(settings: &CmsSettings) -> CmsVerifier {
    CmsVerifier::try_new(settings, Arc::new(ManualClock::new(at(NOW)))).unwrap()
}

/// The verdict about the only signature of a container.
pub(crate) fn verdict(verifier: &CmsVerifier, container: &[u8]) -> Verdict {
    let Container { signers, content } = verifier.judge(container).unwrap();
    assert_eq!(content, CONTENT);
    let [signer] = signers.as_slice() else { panic!("{signers:?}") };
    signer.verdict
}

/// Replaces bytes that stand once.
pub(crate) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(from)).collect();
    let [place] = places.as_slice() else { panic!("they stand at {places:?}") };
    [&bytes[..*place], to, &bytes[place + from.len()..]].concat()
}
