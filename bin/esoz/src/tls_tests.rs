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
        std::fs::write(self.0.path().join("certificate.pem"), certificate).unwrap();
        std::fs::write(self.0.path().join("key.pem"), private_key).unwrap();
    }

    fn write_pair(&self, made: &Made<KeyPair>) {
        self.write(&made.cert.pem(), &made.signing_key.serialize_pem());
    }
}

#[test]
fn what_can_be_used_replaces_what_was_and_nothing_else_does() {
    let folder = Folder::new();
    let (old, new) = (made(), made());
    folder.write_pair(&old);
    let (_, mut reload) = load(folder.files(), Duration::from_secs(1)).unwrap();
    let shown = |reload: &WatchedCertificate| reload.current.get().cert[0].clone();
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

    std::fs::remove_file(folder.0.path().join("certificate.pem")).unwrap();
    reload.check();
    reload.check();
    assert!(matches!(reload.problem, Some((_, true))), "{:?}", reload.problem);
    assert_eq!(shown(&reload), *new.cert.der());
    folder.write_pair(&new);
    reload.check();
    assert_eq!(reload.problem, None);
}
