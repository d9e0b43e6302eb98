use rcgen::{CertifiedKey as Made, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;

fn made() -> Made<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// A pair of files that a test changes.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles::new(self.0.path().join("certificate.pem"), self.0.path().join("key.pem"))
    }

    fn write(&self, certificate: &str, private_key: &str) {
        let files = self.files();
        std::fs::write(files.certificate, certificate).unwrap();
        std::fs::write(files.private_key, private_key).unwrap();
    }

    fn write_pair(&self, made: &Made<KeyPair>) {
        self.write(&made.cert.pem(), &made.signing_key.serialize_pem());
    }
}

#[test]
fn only_a_pair_that_goes_together_can_be_used() {
    let folder = Folder::new();
    let (one, other) = (made(), made());
    let (certificate, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let refusal = || format!("{:#}", folder.files().check().unwrap_err());
    assert!(refusal().contains("reading /"), "{}", refusal());
    for (certificate, key, expected) in [
        ("", key.as_str(), "certificate.pem holds no certificate in PEM"),
        (&key, &key, "certificate.pem holds no certificate in PEM"),
        (&certificate, "", "key.pem holds no private key in PEM"),
        (&certificate, &certificate, "key.pem holds no private key in PEM"),
        (&certificate, &other.signing_key.serialize_pem(), "is not that of the first certificate in"),
        (
            &certificate,
            "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n",
            "is of no kind that TLS takes",
        ),
        ("-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n", &key, "cannot be used"),
    ] {
        folder.write(certificate, key);
        assert!(refusal().contains(expected), "{}", refusal());
        assert!(!refusal().contains("Y2FuYXJ5") && !refusal().contains("canary"), "{}", refusal());
    }
    folder.write(&certificate, &key);
    folder.files().check().unwrap();
    // With those that vouch for it behind.
    folder.write(&format!("{certificate}{}", other.cert.pem()), &key);
    folder.files().check().unwrap();
    folder.write(&format!("{}{certificate}", other.cert.pem()), &key);
    assert!(folder.files().check().is_err());
}

#[test]
fn what_can_be_used_replaces_what_was_and_nothing_else_does() {
    let folder = Folder::new();
    let (old, new) = (made(), made());
    folder.write_pair(&old);
    let (_, mut reload) = load(folder.files(), Duration::from_secs(1)).unwrap();
    let shown = |reload: &Reload| reload.current.get().cert[0].clone();
    assert_eq!(shown(&reload), *old.cert.der());

    // Between two files that are replaced.
    folder.write(&new.cert.pem(), &old.signing_key.serialize_pem());
    reload.check();
    assert_eq!(shown(&reload), *old.cert.der());
    assert!(matches!(reload.problem, Some((_, false))), "not logged yet: {:?}", reload.problem);
    reload.check();
    assert!(matches!(reload.problem, Some((_, true))), "logged: {:?}", reload.problem);
    reload.check();
    assert_eq!(shown(&reload), *old.cert.der());

    folder.write_pair(&new);
    reload.check();
    assert_eq!(shown(&reload), *new.cert.der());
    assert_eq!(reload.problem, None);

    std::fs::remove_file(folder.files().certificate).unwrap();
    reload.check();
    reload.check();
    assert!(matches!(reload.problem, Some((_, true))), "{:?}", reload.problem);
    assert_eq!(shown(&reload), *new.cert.der());
    folder.write_pair(&new);
    reload.check();
    assert_eq!(reload.problem, None);
}
