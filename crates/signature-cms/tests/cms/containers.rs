//! J01: containers that nobody, several or one has signed, and what is not a container.

use esoz_kernel::Failure as _;
use esoz_signature_cms::KeyUsagePolicy::{NonRepudiation, Signature};
use esoz_signature_cms::sign::{SignOptions, sign};
use esoz_signature_cms::{CmsSettings, ValidityTime, reason};
use esoz_signed_content::{SignatureVerifier as _, SignedContentError, signed_by_one};
use rcgen::KeyUsagePurpose::{self, ContentCommitment, DigitalSignature, KeyAgreement, KeyEncipherment};

use crate::support::{
    CONTENT, DAY, NOW, Scene, at, days, key, person, replaced, scene, scene_of, signer_params, verdict,
    verifier,
};

#[test]
fn given_a_good_container_then_content_and_signer_are_returned() {
    let scene = scene();
    let found = pollster::block_on(scene.verifier().verify(&scene.container())).unwrap();
    let (content, signer) = signed_by_one(found).unwrap();
    assert_eq!(content, CONTENT);
    assert_eq!(signer.drfo.unwrap().expose(), "1234567890");
    assert_eq!(signer.edrpou.as_deref(), Some("12345678"));
}

#[test]
fn given_no_signer_or_several_then_each_is_listed() {
    let scene = scene();
    let other = scene.authority.signer(&person(), days(100, -1)).unwrap();
    let none = sign(CONTENT, &[], SignOptions::default()).unwrap();
    assert_eq!(signed_by_one(scene.verifier().judge(&none)), Err(SignedContentError::SignerCount(0)));
    let two = sign(CONTENT, &[&scene.signer, &other], SignOptions::default()).unwrap();
    let judged = scene.verifier().judge(&two);
    let mut verdicts: Vec<_> = judged.as_ref().unwrap().signers.iter().map(|signer| signer.verdict).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, [Ok(()), Err(reason::CERTIFICATE_EXPIRED)]);
    assert_eq!(signed_by_one(judged), Err(SignedContentError::SignerCount(2)));
}

#[test]
fn given_a_certificate_outside_its_period_then_it_is_invalid_to_the_second() {
    let of = |before, after| {
        let scene = scene_of(&person().params(days(before, after)).unwrap());
        verdict(&scene.verifier(), &scene.container())
    };
    assert_eq!(of(100, -1), Err(reason::CERTIFICATE_EXPIRED));
    assert_eq!(of(-1, 100), Err(reason::CERTIFICATE_NOT_YET_VALID));
    assert_eq!(of(0, 0), Ok(()), "both ends are inside");
}

#[test]
fn given_the_time_of_the_signature_then_certificates_must_be_valid_at_that_time() {
    let expired = scene_of(&person().params(days(100, -10)).unwrap());
    let verdict_at = |settings: CmsSettings, time: Option<i64>| {
        let options = SignOptions { signing_time: time.map(at), ..SignOptions::default() };
        verdict(&verifier(&settings), &expired.signed(options))
    };
    let settings = || CmsSettings { validity_time: ValidityTime::SigningTime, ..expired.settings() };
    assert_eq!(verdict_at(settings(), Some(NOW - 20 * DAY)), Ok(()));
    assert_eq!(verdict_at(settings(), Some(NOW - 9 * DAY)), Err(reason::CERTIFICATE_EXPIRED));
    assert_eq!(verdict_at(settings(), Some(NOW - 101 * DAY)), Err(reason::CERTIFICATE_NOT_YET_VALID));
    assert_eq!(verdict_at(settings(), None), Err(reason::SIGNING_TIME));
    assert_eq!(verdict_at(expired.settings(), Some(NOW - 20 * DAY)), Err(reason::CERTIFICATE_EXPIRED));
}

#[test]
fn given_the_time_of_the_signature_then_it_may_be_ahead_by_a_skewed_clock_alone() {
    let scene = scene();
    let settings = CmsSettings { validity_time: ValidityTime::SigningTime, ..scene.settings() };
    for (ahead, expected) in [(300, Ok(())), (301, Err(reason::SIGNING_TIME))] {
        let container = scene.signer.sign(CONTENT, at(NOW + ahead)).unwrap();
        assert_eq!(verdict(&verifier(&settings), &container), expected, "{ahead} s");
    }
    let without = scene.signed(SignOptions { without_attributes: true, ..SignOptions::default() });
    assert_eq!(verdict(&verifier(&settings), &without), Err(reason::SIGNING_TIME));
}

#[test]
fn given_altered_content_or_attributes_then_the_signature_is_invalid() {
    let scene = scene();
    let good = scene.container();
    let content = replaced(&good, br#""id":"a""#, br#""id":"b""#);
    let judged = scene.verifier().judge(&content).unwrap();
    assert_eq!(
        (judged.signers[0].verdict, judged.content.as_slice()),
        (Err(reason::ALTERED), &br#"{"id":"b"}"#[..])
    );
    let time = replaced(&good, b"270115080000Z", b"270115080001Z");
    assert_eq!(verdict(&scene.verifier(), &time), Err(reason::ALTERED));
    let without = scene.signed(SignOptions { without_attributes: true, ..SignOptions::default() });
    assert_eq!(verdict(&scene.verifier(), &without), Ok(()));
    let without = replaced(&without, br#""id":"a""#, br#""id":"b""#);
    assert_eq!(scene.verifier().judge(&without).unwrap().signers[0].verdict, Err(reason::ALTERED));
}

#[test]
fn given_another_type_of_content_then_the_signed_one_counts() {
    let scene = scene();
    // id-data becomes id-encryptedData, in the container alone.
    let data = [&[0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 1, 0xA0, 0x0C][..], &[4, 10]].concat();
    let mut encrypted = data.clone();
    encrypted[10] = 6;
    let relabelled = replaced(&scene.container(), &data, &encrypted);
    assert_eq!(verdict(&scene.verifier(), &relabelled), Err(reason::SIGNED_ATTRIBUTES));
    let without = scene.signed(SignOptions { without_attributes: true, ..SignOptions::default() });
    let relabelled = replaced(&without, &data, &encrypted);
    assert_eq!(verdict(&scene.verifier(), &relabelled), Err(reason::SIGNED_ATTRIBUTES));
}

#[test]
fn given_detached_content_then_it_is_told() {
    let scene = scene();
    let detached = scene.signed(SignOptions { is_detached: true, ..SignOptions::default() });
    assert_eq!(scene.verifier().judge(&detached), Err(reason::DETACHED));
}

#[test]
fn given_a_key_identifier_then_its_certificate_is_found() {
    let mut params = signer_params();
    params.is_ca = rcgen::IsCa::ExplicitNoCa; // makes the extension be written
    let scene = scene_of(&params);
    let container = scene.signed(SignOptions { by_key_identifier: true, ..SignOptions::default() });
    assert_eq!(verdict(&scene.verifier(), &container), Ok(()));
}

#[test]
fn given_something_else_then_it_is_no_container() {
    let verifier = scene().verifier();
    let pem = "-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n";
    for garbage in [b"".as_slice(), CONTENT, b"\x30\x00", b"\x00", &[0xFF; 1_000], pem.as_bytes()] {
        assert_eq!(verifier.judge(garbage), Err(reason::NOT_A_CONTAINER), "{garbage:x?}");
    }
}

#[test]
fn given_a_container_cut_at_any_byte_or_with_one_more_then_it_is_none() {
    let scene = scene();
    let (verifier, good) = (scene.verifier(), scene.container());
    for length in 0..good.len() {
        assert_eq!(verifier.judge(&good[..length]), Err(reason::NOT_A_CONTAINER), "{length}");
    }
    assert_eq!(verifier.judge(&[good.as_slice(), &[0]].concat()), Err(reason::NOT_A_CONTAINER));
}

#[test]
fn given_one_inside_another_then_the_inner_one_is_content_like_any() {
    let scene = scene();
    let inner = scene.container();
    let outer = scene.signer.sign(&inner, at(NOW)).unwrap();
    let (content, _) = signed_by_one(scene.verifier().judge(&outer)).unwrap();
    assert_eq!(content, inner);
}

#[test]
fn given_more_than_anybody_needs_then_nothing_is_judged() {
    let scene = scene();
    let signers: Vec<_> = (0..65).map(|_| scene.authority.issue(&signer_params(), key()).unwrap()).collect();
    let all: Vec<_> = signers.iter().collect();
    let judged =
        |count: usize| scene.verifier().judge(&sign(CONTENT, &all[..count], SignOptions::default()).unwrap());
    assert_eq!(judged(64).unwrap().signers.len(), 64);
    assert_eq!(judged(65), Err(reason::TOO_COMPLEX));
}

#[test]
fn given_another_key_usage_then_the_signature_is_invalid() {
    let of = |usages: &[KeyUsagePurpose], policy| {
        let mut params = signer_params();
        params.key_usages = usages.to_vec();
        let scene: Scene = scene_of(&params);
        let settings = CmsSettings { key_usage: policy, ..scene.settings() };
        verdict(&verifier(&settings), &scene.container())
    };
    for (usages, signature, non_repudiation) in [
        (&[][..], Ok(()), Err(reason::KEY_USAGE)),
        (&[DigitalSignature], Ok(()), Err(reason::KEY_USAGE)),
        (&[ContentCommitment], Ok(()), Ok(())),
        (&[DigitalSignature, ContentCommitment], Ok(()), Ok(())),
        (&[KeyEncipherment, KeyAgreement], Err(reason::KEY_USAGE), Err(reason::KEY_USAGE)),
    ] {
        assert_eq!(of(usages, Signature), signature, "{usages:?}");
        assert_eq!(of(usages, NonRepudiation), non_repudiation, "{usages:?}");
    }
}

#[test]
fn every_reason_reaches_the_log_alone() {
    let refused = signed_by_one(scene().verifier().judge(b"garbage")).unwrap_err();
    assert_eq!(refused.to_string(), "Invalid signed content");
    assert_eq!(refused.reason(), Some(reason::NOT_A_CONTAINER));
}
