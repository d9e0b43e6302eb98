//! Settings that cannot be used.

use std::sync::Arc;

use esoz_signature_cms::{CmsSettings, CmsSettingsError, CmsVerifier, certificates_in, revocation_lists_in};
use esoz_testkit::clock::ManualClock;

use crate::support::{NOW, at, scene, trusting};

fn refusal(settings: &CmsSettings) -> CmsSettingsError {
    CmsVerifier::try_new(settings, Arc::new(ManualClock::new(at(NOW)))).err().unwrap()
}

#[test]
fn authorities_must_be_there_and_be_authorities() {
    let scene = scene();
    let trusted = |der: &[u8]| CmsSettings { authorities: vec![der.to_vec()], ..CmsSettings::default() };
    assert_eq!(refusal(&CmsSettings::default()), CmsSettingsError::NoAuthority);
    assert_eq!(refusal(&trusted(b"garbage")), CmsSettingsError::AuthorityMalformed);
    assert_eq!(refusal(&trusted(scene.signer.certificate())), CmsSettingsError::NotAnAuthority);
}

#[test]
fn revocation_lists_must_be_complete_lists() {
    let scene = scene();
    let with =
        |list: &[u8]| CmsSettings { revocation_lists: vec![list.to_vec()], ..trusting(&scene.authority) };
    assert_eq!(refusal(&with(b"garbage")), CmsSettingsError::RevocationListMalformed);
    let partial = {
        let mut params = rcgen::CertificateParams::default();
        params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
        let issuer = rcgen::Issuer::new(params, crate::support::key());
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2027, 1, 1),
            next_update: rcgen::date_time_ymd(2027, 2, 1),
            crl_number: 1.into(),
            issuing_distribution_point: Some(rcgen::CrlIssuingDistributionPoint {
                distribution_point: rcgen::CrlDistributionPoint {
                    uris: vec!["http://crl.example/".to_owned()],
                },
                scope: Some(rcgen::CrlScope::CaCertsOnly),
            }),
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&issuer).unwrap().der().to_vec()
    };
    assert_eq!(refusal(&with(&partial)), CmsSettingsError::RevocationListUnsupported);
}

#[test]
fn files_are_read_in_pem_and_lists_also_in_der() {
    let scene = scene();
    let pem = scene.authority.certificate_pem().unwrap() + &scene.signer.certificates_pem().unwrap();
    let certificates = certificates_in(format!("a comment\n{pem}").as_bytes()).unwrap();
    assert_eq!(certificates, [scene.authority.certificate(), scene.signer.certificate()]);
    assert_eq!(certificates_in(b"a comment"), Err(CmsSettingsError::NoAuthority));
    let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    assert_eq!(certificates_in(broken), Err(CmsSettingsError::AuthorityMalformed));
    assert_eq!(revocation_lists_in(pem.as_bytes()), Err(CmsSettingsError::RevocationListMalformed));
    assert_eq!(revocation_lists_in(b""), Err(CmsSettingsError::RevocationListMalformed));
}
