use rcgen::{CertificateParams, CertifiedKey as Made, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;
use time::{Duration as Span, OffsetDateTime};

use super::*;

fn made() -> Made<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// A pair that is valid between these days from now.
fn valid_between(from: i64, until: i64) -> Made<KeyPair> {
    let now = OffsetDateTime::from_unix_timestamp(SystemClock.now().as_second()).unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (now + Span::days(from), now + Span::days(until));
    let signing_key = KeyPair::generate().unwrap();
    Made { cert: params.self_signed(&signing_key).unwrap(), signing_key }
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

#[test]
fn a_certificate_that_is_not_valid_now_does_not_replace_one_that_is() {
    let folder = Folder::new();
    let (valid, expired, early) = (valid_between(-1, 1), valid_between(-2, -1), valid_between(1, 2));
    folder.write_pair(&valid);
    let (_, mut reload) = load(folder.files(), Duration::from_secs(1)).unwrap();
    let shown = |reload: &WatchedCertificate| reload.current.get().cert[0].clone();
    for (invalid, expected) in [(&expired, "the certificate expired at "), (&early, "is not valid before ")] {
        folder.write_pair(invalid);
        let refused = reload.apply().unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
        assert_eq!(shown(&reload), *valid.cert.der());
    }
    let next = valid_between(-1, 400);
    folder.write_pair(&next);
    assert!(reload.apply().unwrap());
    assert_eq!(shown(&reload), *next.cert.der());
}

#[test]
fn of_two_that_are_not_valid_the_newer_is_shown() {
    let folder = Folder::new();
    let (old, new) = (valid_between(-3, -2), valid_between(-2, -1));
    folder.write_pair(&old);
    let (_, mut reload) = load(folder.files(), Duration::from_secs(1)).unwrap();
    folder.write_pair(&new);
    assert!(reload.apply().unwrap());
    assert_eq!(reload.current.get().cert[0], *new.cert.der());
}

#[test]
fn a_certificate_is_warned_of_in_its_last_fourteen_days() {
    let folder = Folder::new();
    let judged = |made: &Made<KeyPair>| {
        folder.write_pair(made);
        fitness(&folder.files().load().unwrap(), SystemClock.now())
    };
    assert_eq!(judged(&valid_between(-1, 15)), Fitness::Valid);
    assert!(matches!(judged(&valid_between(-1, 13)), Fitness::ExpiresSoon(_)));
    assert!(matches!(judged(&valid_between(-2, -1)), Fitness::Invalid(_)));
}
