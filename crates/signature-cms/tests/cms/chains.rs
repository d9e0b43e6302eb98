//! J01: the way from a signer to an authority.

use esoz_kernel::StoreErrorKind;
use esoz_signature_cms::sign::{SignOptions, TestAuthority, sign};
use esoz_signature_cms::{CmsSettings, reason};
use esoz_signed_content::{SignatureVerifier as _, Verdict};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, GeneralSubtree, IsCa, KeyUsagePurpose,
    NameConstraints,
};

use crate::support::{
    CONTENT, NOW, at, authority_params, days, key, person, scene, scene_of, signer_params, trusting, verdict,
    verifier,
};

fn root() -> TestAuthority {
    TestAuthority::new("root", days(200, 200)).unwrap()
}

/// What becomes of a signer below an authority, where another one is trusted.
fn below(issuer: &TestAuthority, trusted: &TestAuthority) -> Verdict {
    let container = issuer.signer(&person(), days(100, 100)).unwrap().sign(CONTENT, at(NOW)).unwrap();
    verdict(&verifier(&trusting(trusted)), &container)
}

/// A chain of that many intermediate authorities below a root.
fn chain(root: TestAuthority, length: usize) -> Vec<TestAuthority> {
    (0..length).fold(vec![root], |mut all, number| {
        let params = authority_params(&format!("intermediate {number}"));
        all.push(all[number].intermediate(params, key()).unwrap());
        all
    })
}

#[test]
fn given_an_authority_that_is_not_configured_then_it_is_unknown_even_by_the_same_name() {
    let (scene, other) = (scene(), TestAuthority::new("other", days(200, 200)).unwrap());
    for trusted in [&other, &root()] {
        assert_eq!(
            verdict(&verifier(&trusting(trusted)), &scene.container()),
            Err(reason::UNKNOWN_AUTHORITY)
        );
    }
}

#[test]
fn given_several_authorities_of_one_name_then_the_one_that_signed_counts() {
    let scene = scene();
    let authorities = [&root(), &scene.authority, &root()].map(|it| it.certificate().to_vec()).to_vec();
    let settings = CmsSettings { authorities, ..CmsSettings::default() };
    assert_eq!(verdict(&verifier(&settings), &scene.container()), Ok(()));
}

#[test]
fn given_intermediate_authorities_then_up_to_five_are_followed() {
    let chain = chain(root(), 6);
    for length in 0..=5 {
        assert_eq!(below(&chain[length], &chain[0]), Ok(()), "{length}");
    }
    assert_eq!(below(&chain[6], &chain[0]), Err(reason::UNKNOWN_AUTHORITY));
    assert_eq!(below(&chain[6], &chain[3]), Ok(()), "an authority in the middle is trusted");
}

#[test]
fn given_a_path_length_then_no_more_authorities_may_be_below() {
    for (most, verdicts) in [(0, [Ok(()), Err(reason::NOT_AN_AUTHORITY)]), (1, [Ok(()), Ok(())])] {
        let mut params = authority_params("root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(most));
        let chain = chain(TestAuthority::with(params, key()).unwrap(), 1);
        assert_eq!([below(&chain[0], &chain[0]), below(&chain[1], &chain[0])], verdicts, "{most}");
    }
}

#[test]
fn given_an_issuer_that_may_not_issue_then_the_signature_is_invalid() {
    let root = root();
    let of = |change: fn(&mut CertificateParams)| {
        let mut params = authority_params("intermediate");
        change(&mut params);
        below(&root.intermediate(params, key()).unwrap(), &root)
    };
    assert_eq!(of(|_| {}), Ok(()));
    assert_eq!(of(|params| params.is_ca = IsCa::ExplicitNoCa), Err(reason::NOT_AN_AUTHORITY));
    assert_eq!(of(|params| params.is_ca = IsCa::NoCa), Err(reason::NOT_AN_AUTHORITY));
    let no_signing = of(|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    assert_eq!(no_signing, Err(reason::NOT_AN_AUTHORITY));
}

#[test]
fn a_verifier_is_well_while_one_of_its_authorities_is_valid() {
    let [valid, expired] =
        [days(1, 1), days(200, -1)].map(|period| TestAuthority::new("root", period).unwrap());
    let ping = |authorities: &[&TestAuthority]| {
        let authorities = authorities.iter().map(|authority| authority.certificate().to_vec()).collect();
        pollster::block_on(verifier(&CmsSettings { authorities, ..CmsSettings::default() }).ping())
    };
    ping(&[&expired, &valid]).unwrap();
    let error = ping(&[&expired, &expired]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.with_causes().contains("the certificate of each is expired"), "{}", error.with_causes());
}

#[test]
fn given_an_authority_outside_its_period_then_the_signature_is_invalid() {
    let expired = TestAuthority::new("root", days(200, -1)).unwrap();
    assert_eq!(below(&expired, &expired), Err(reason::CERTIFICATE_EXPIRED));
    let root = root();
    let params = TestAuthority::params("intermediate", days(-1, 200)).unwrap();
    let intermediate = root.intermediate(params, key()).unwrap();
    assert_eq!(below(&intermediate, &root), Err(reason::CERTIFICATE_NOT_YET_VALID));
}

#[test]
fn given_a_critical_extension_that_nobody_knows_then_the_certificate_is_refused() {
    let with = |critical| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(critical);
        let mut params = signer_params();
        params.custom_extensions.push(extension);
        let scene = scene_of(&params);
        verdict(&scene.verifier(), &scene.container())
    };
    assert_eq!((with(true), with(false)), (Err(reason::UNSUPPORTED_EXTENSION), Ok(())));
}

#[test]
fn given_name_constraints_then_they_are_not_ignored() {
    let root = root();
    let mut params = authority_params("intermediate");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let constrained = root.intermediate(params, key()).unwrap();
    assert_eq!(below(&constrained, &root), Err(reason::UNSUPPORTED_EXTENSION));
}

#[test]
fn given_an_extension_twice_or_malformed_then_the_container_is_refused() {
    for content in [vec![vec![5, 0], vec![5, 0]], vec![vec![0xFF]]] {
        let mut params = signer_params();
        let extensions =
            content.into_iter().map(|content| CustomExtension::from_oid_content(&[2, 5, 29, 9], content));
        params.custom_extensions.extend(extensions);
        let scene = scene_of(&params);
        assert_eq!(scene.verifier().judge(&scene.container()), Err(reason::CERTIFICATE_MALFORMED));
    }
}

#[test]
fn given_a_signer_that_issues_certificates_itself_then_it_is_no_authority() {
    let scene = scene();
    let forger =
        TestAuthority::from_pem(&scene.signer.certificates_pem().unwrap(), &scene.signer.key_pem()).unwrap();
    let signer = forger.signer(&person(), days(100, 100)).unwrap();
    // Its own certificate comes along.
    let container = sign(CONTENT, &[&signer, &scene.signer], SignOptions::default()).unwrap();
    let judged = scene.verifier().judge(&container).unwrap();
    let mut verdicts: Vec<_> = judged.signers.iter().map(|signer| signer.verdict).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, [Ok(()), Err(reason::NOT_AN_AUTHORITY)]);
}

#[test]
fn given_many_certificates_of_one_name_then_the_search_ends() {
    // Each may be the issuer of each: without a bound, the ways through them are beyond number.
    let (shared, trusted) = (key().serialize_pem(), root());
    let same_key = || rcgen::KeyPair::from_pem(&shared).unwrap();
    let looping = TestAuthority::with(authority_params("looping"), same_key()).unwrap();
    let twins: Vec<_> = (1..20)
        .map(|day| {
            let params = TestAuthority::params("looping", days(200, 200 + day)).unwrap();
            looping.issue(&params, same_key()).unwrap()
        })
        .collect();
    let signer = looping.signer(&person(), days(100, 100)).unwrap();
    let signers: Vec<_> = twins.iter().chain([&signer]).collect();
    let container = sign(CONTENT, &signers, SignOptions::default()).unwrap();
    let judged = verifier(&trusting(&trusted)).judge(&container).unwrap();
    assert_eq!(judged.signers.len(), 20);
    assert!(judged.signers.iter().all(|signer| signer.verdict == Err(reason::TOO_COMPLEX)), "{judged:?}");
}

#[test]
fn given_more_values_of_an_attribute_than_anybody_needs_then_they_are_not_sorted() {
    // SEQUENCE { SEQUENCE { OBJECT IDENTIFIER 2.5.4.3, SET { INTEGER 0, INTEGER 1, … } } }
    let with = |count: u8| {
        let values: Vec<u8> = (0..count).flat_map(|value| [2, 1, value]).collect();
        let length = u8::try_from(values.len()).unwrap();
        let content = [
            &[0x30, 0x81, length + 11, 0x30, 0x81, length + 8, 6, 3, 85, 4, 3, 0x31, 0x81, length],
            &values[..],
        ];
        let mut params = signer_params();
        params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 9], content.concat()));
        let scene = scene_of(&params);
        scene.verifier().judge(&scene.container()).map(|container| container.signers[0].verdict)
    };
    assert_eq!((with(64), with(65)), (Ok(Ok(())), Err(reason::CERTIFICATE_MALFORMED)));
}
