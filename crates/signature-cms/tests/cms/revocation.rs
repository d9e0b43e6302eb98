//! J01: revoked certificates.

use esoz_signature_cms::sign::TestAuthority;
use esoz_signature_cms::{CmsSettings, RevocationPolicy, reason};
use rcgen::KeyUsagePurpose;

use crate::support::{
    CONTENT, NOW, Scene, at, authority_params, days, key, person, scene, trusting, verdict, verifier,
};

fn under(scene: &Scene, lists: &[Vec<u8>], revocation: RevocationPolicy) -> Result<(), &'static str> {
    let settings = CmsSettings { revocation_lists: lists.to_vec(), revocation, ..scene.settings() };
    verdict(&verifier(&settings), &scene.container())
}

#[test]
fn given_a_list_then_whom_it_names_is_revoked_even_when_it_is_outdated() {
    let scene = scene();
    for after in [1, -1] {
        let list = scene.authority.revoke(&[scene.signer.certificate()], days(2, after)).unwrap();
        assert_eq!(under(&scene, &[list], RevocationPolicy::WhereListed), Err(reason::REVOKED), "{after}");
    }
}

#[test]
fn given_a_list_whose_issuer_is_written_in_another_way_then_it_is_that_issuers() {
    let scene = scene();
    let same_key = || rcgen::KeyPair::from_pem(&scene.authority.key_pem()).unwrap();
    for name in [
        rcgen::DnValue::PrintableString("root".try_into().unwrap()),
        rcgen::DnValue::Utf8String("ROOT ".to_owned()),
    ] {
        let mut params = authority_params("root");
        params.distinguished_name.push(rcgen::DnType::CommonName, name.clone());
        let authority = TestAuthority::with(params, same_key()).unwrap();
        let list = authority.revoke(&[scene.signer.certificate()], days(1, 1)).unwrap();
        assert_eq!(under(&scene, &[list], RevocationPolicy::WhereListed), Err(reason::REVOKED), "{name:?}");
    }
}

#[test]
fn given_a_list_that_names_others_then_it_must_be_current() {
    let scene = scene();
    let other = scene.authority.signer(&person(), days(100, 100)).unwrap();
    for (before, after, expected) in
        [(1, 1, Ok(())), (2, -1, Err(reason::REVOCATION_UNKNOWN)), (-1, 2, Err(reason::REVOCATION_UNKNOWN))]
    {
        let list = scene.authority.revoke(&[other.certificate()], days(before, after)).unwrap();
        for policy in [RevocationPolicy::WhereListed, RevocationPolicy::Required] {
            assert_eq!(under(&scene, std::slice::from_ref(&list), policy), expected, "{before} {after}");
        }
    }
}

#[test]
fn given_no_list_of_the_issuer_then_the_policy_decides() {
    let scene = scene();
    let other = TestAuthority::new("other", days(200, 200)).unwrap().revoke(&[], days(1, 1)).unwrap();
    for lists in [vec![], vec![other]] {
        assert_eq!(under(&scene, &lists, RevocationPolicy::WhereListed), Ok(()));
        assert_eq!(under(&scene, &lists, RevocationPolicy::Required), Err(reason::REVOCATION_UNKNOWN));
    }
}

#[test]
fn given_a_list_that_the_issuer_has_not_signed_then_nothing_is_known() {
    let scene = scene();
    let namesake = TestAuthority::new("root", days(200, 200)).unwrap();
    for revoked in [vec![], vec![scene.signer.certificate()]] {
        let list = namesake.revoke(&revoked, days(1, 1)).unwrap();
        assert_eq!(under(&scene, &[list], RevocationPolicy::WhereListed), Err(reason::REVOCATION_UNKNOWN));
    }
}

#[test]
fn given_an_issuer_that_may_not_sign_lists_then_nothing_is_known() {
    let mut params = authority_params("root");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let pem = key().serialize_pem();
    let same_key = || rcgen::KeyPair::from_pem(&pem).unwrap();
    let authority = TestAuthority::with(params, same_key()).unwrap();
    // The same name and key, without the restriction.
    let list =
        TestAuthority::with(authority_params("root"), same_key()).unwrap().revoke(&[], days(1, 1)).unwrap();
    let signer = authority.signer(&person(), days(100, 100)).unwrap();
    let scene = Scene { authority, signer };
    assert_eq!(under(&scene, &[list], RevocationPolicy::WhereListed), Err(reason::REVOCATION_UNKNOWN));
}

#[test]
fn given_an_intermediate_authority_that_is_revoked_then_its_signers_are_too() {
    let root = TestAuthority::new("root", days(200, 200)).unwrap();
    let intermediate = root.intermediate(authority_params("intermediate"), key()).unwrap();
    let container = intermediate.signer(&person(), days(100, 100)).unwrap().sign(CONTENT, at(NOW)).unwrap();
    let of_intermediate = intermediate.revoke(&[], days(1, 1)).unwrap();
    for (revoked, expected) in [(vec![], Ok(())), (vec![intermediate.certificate()], Err(reason::REVOKED))] {
        let revocation_lists = vec![of_intermediate.clone(), root.revoke(&revoked, days(1, 1)).unwrap()];
        let settings =
            CmsSettings { revocation_lists, revocation: RevocationPolicy::Required, ..trusting(&root) };
        assert_eq!(verdict(&verifier(&settings), &container), expected);
    }
}

#[test]
fn given_newer_lists_then_they_count_from_then_on_and_bad_ones_never() {
    let scene = scene();
    let (verifier, container) = (scene.verifier(), scene.container());
    assert_eq!(verdict(&verifier, &container), Ok(()));
    let list = scene.authority.revoke(&[scene.signer.certificate()], days(1, 1)).unwrap();
    let authorities = [scene.authority.certificate().to_vec()];
    verifier.replace_trusted(&authorities, std::slice::from_ref(&list)).unwrap();
    assert_eq!(verdict(&verifier, &container), Err(reason::REVOKED));
    verifier.replace_trusted(&authorities, &[b"garbage".to_vec()]).unwrap_err();
    verifier.replace_trusted(&[], &[list]).unwrap_err();
    assert_eq!(verdict(&verifier, &container), Err(reason::REVOKED));
}
