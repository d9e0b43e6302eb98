//! Containers that OpenSSL has made: see `fixtures/make.sh`.

use std::path::Path;

use esoz_signature_cms::{CmsSettings, CmsVerifier, certificates_in, reason, revocation_lists_in};

use crate::support::{CONTENT, verdict, verifier};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cms/fixtures").join(name)).unwrap()
}

fn settings() -> CmsSettings {
    CmsSettings { authorities: certificates_in(&fixture("root.pem")).unwrap(), ..CmsSettings::default() }
}

fn openssl() -> CmsVerifier {
    verifier(&settings())
}

#[test]
fn given_a_supported_algorithm_then_the_signature_is_valid() {
    for name in [
        "rsa-sha256",
        "rsa-sha384",
        "rsa-sha512",
        "rsa-pss",
        "p256-sha256",
        "p256-no-attributes",
        "p256-key-identifier",
        "p384-intermediate",
    ] {
        let container = openssl().judge(&fixture(&format!("{name}.der"))).unwrap();
        assert_eq!(verdict(&openssl(), &fixture(&format!("{name}.der"))), Ok(()), "{name}");
        assert_eq!(container.signers[0].drfo.as_ref().unwrap().expose(), "1234567890", "{name}");
        assert_eq!(container.signers[0].edrpou.as_deref(), Some("12345678"), "{name}");
    }
}

#[test]
fn given_another_algorithm_or_no_way_to_an_authority_then_it_is_told() {
    for (name, expected) in [
        ("rsa-1024", reason::WEAK_KEY),
        ("rsa-sha1", reason::UNSUPPORTED_ALGORITHM),
        ("rsa-pss-long-salt", reason::UNSUPPORTED_ALGORITHM),
        ("p256-sha512", reason::UNSUPPORTED_ALGORITHM),
        ("p521", reason::UNSUPPORTED_ALGORITHM),
        ("p384-no-intermediate", reason::UNKNOWN_AUTHORITY),
        ("p256-no-certificates", reason::CERTIFICATE_MISSING),
    ] {
        assert_eq!(verdict(&openssl(), &fixture(&format!("{name}.der"))), Err(expected), "{name}");
    }
}

#[test]
fn given_another_kind_of_container_then_it_is_refused() {
    for (name, expected) in [
        ("detached", reason::DETACHED),
        ("encrypted", reason::NOT_A_CONTAINER),
        ("indefinite-length", reason::NOT_A_CONTAINER),
    ] {
        assert_eq!(openssl().judge(&fixture(&format!("{name}.der"))), Err(expected), "{name}");
    }
    assert!(openssl().judge(&fixture("no-signer.der")).unwrap().signers.is_empty(), "certificates alone");
    let two = openssl().judge(&fixture("two-signers.der")).unwrap();
    assert_eq!((two.content.as_slice(), two.signers.len()), (CONTENT, 2));
    assert!(two.signers.iter().all(|signer| signer.verdict == Ok(())));
}

#[test]
fn given_a_revocation_list_then_whom_it_names_is_revoked() {
    for name in ["crl.pem", "crl.der"] {
        let lists = revocation_lists_in(&fixture(name)).unwrap();
        let verifier = verifier(&CmsSettings { revocation_lists: lists, ..settings() });
        assert_eq!(verdict(&verifier, &fixture("rsa-sha256.der")), Err(reason::REVOKED), "{name}");
        assert_eq!(verdict(&verifier, &fixture("p256-sha256.der")), Ok(()), "{name}");
    }
}

/// DSTU 4145 is what most Ukrainian keys are for.
#[test]
fn given_an_algorithm_that_nobody_knows_then_only_that_signature_is_unsupported() {
    // ecdsa-with-SHA256 becomes an identifier of the same length that means nothing.
    let ecdsa = [0x30, 0x0A, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2, 0x04];
    let mut unknown = ecdsa;
    unknown[11] = 0x7F;
    let container = crate::support::replaced(&fixture("p256-sha256.der"), &ecdsa, &unknown);
    assert_eq!(verdict(&openssl(), &container), Err(reason::UNSUPPORTED_ALGORITHM));
}
