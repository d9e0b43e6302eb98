//! Where signed documents come from and where they go: an authority that the server trusts, and the folder in which it keeps containers.

use std::fs;
use std::path::{Path, PathBuf};

use esoz_kernel::Timestamp;
use esoz_media_storage::{FolderSettings, MediaStore};
use esoz_signature_cms::sign::{Period, Person, TestAuthority, TestSigner};
use esoz_signed_content::MediaStorage as _;
use esoz_testkit::builders::fresh;
use tempfile::TempDir;

use crate::{Kind, Setup, TestApp, secret_scan};

const YEAR_2020: Timestamp = Timestamp::constant(1_577_836_800, 0);

/// An authority and a media storage that no other test uses.
pub struct Documents {
    /// The authority that the server trusts.
    pub authority: TestAuthority,
    folder: TempDir,
}

impl Documents {
    /// How long certificates are valid: a verifier has the time of the system.
    pub const VALID: Period = Period { from: YEAR_2020, until: Timestamp::constant(4_102_444_800, 0) };
    /// How long those were valid that are no more.
    pub const PAST: Period = Period { from: YEAR_2020, until: Timestamp::constant(1_609_459_200, 0) };

    /// Makes the authority and an empty folder.
    ///
    /// # Panics
    /// When one cannot be made.
    #[expect(clippy::new_without_default, reason = "files are made")]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = TestAuthority::new("The authority of the tests", Self::VALID).unwrap();
        fs::write(folder.path().join("authorities.pem"), authority.certificate_pem().unwrap()).unwrap();
        Self { authority, folder }
    }

    /// What a server needs in its environment to take signed documents.
    pub fn variables(&self) -> [(String, String); 3] {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        [
            ("ESOZ_SIGNATURE__VERIFIER", "cms".to_owned()),
            ("ESOZ_SIGNATURE__AUTHORITIES_FILE", path("authorities.pem")),
            ("ESOZ_MEDIA__FOLDER", self.media().display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// A test app that takes signed documents.
    pub fn setup(&self, kind: Kind) -> Setup {
        self.variables().iter().fold(Setup::new(kind), |setup, (name, value)| setup.variable(name, value))
    }

    /// Starts a test app that takes signed documents, with its other settings at their defaults.
    pub async fn start(&self, kind: Kind) -> TestApp {
        self.setup(kind).start().await
    }

    /// A signer whose certificate has that taxpayer number, or none.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn signer(&self, drfo: Option<&str>) -> TestSigner {
        self.authority.signer(&person(drfo), Self::VALID).unwrap()
    }

    fn media(&self) -> PathBuf {
        self.folder.path().join("media")
    }

    /// The keys of the containers that are kept.
    ///
    /// # Panics
    /// When one holds a patient (I02).
    pub fn kept(&self) -> Vec<String> {
        let mut keys = Vec::new();
        collect(&self.media(), "", &mut keys);
        keys.sort_unstable();
        secret_scan::assert_no_secret("the keys of the media storage", &keys.join("\n"));
        keys
    }

    /// The one key that is kept.
    ///
    /// # Panics
    /// When there are more or none.
    #[track_caller]
    pub fn kept_one(&self) -> String {
        let kept = self.kept();
        assert_eq!(kept.len(), 1, "{kept:?}");
        kept.concat()
    }

    /// Reads a container, as who has the credentials of the storage does.
    ///
    /// # Panics
    /// When there is none.
    pub async fn container(&self, key: &str) -> Vec<u8> {
        let store = MediaStore::folder(&FolderSettings::new(self.media())).unwrap();
        store.get(&key.parse().unwrap()).await.unwrap().expect("a container")
    }
}

/// Whom a certificate with that taxpayer number, or without one, is for. Neither the number nor the name may be told to anybody.
pub fn person(drfo: Option<&str>) -> Person {
    let name = format!("Pharmacist {}", fresh());
    secret_scan::register_secret("a signer", &name);
    if let Some(drfo) = drfo {
        secret_scan::register_secret("a taxpayer number", drfo);
    }
    Person { name, drfo: drfo.map(str::to_owned), ..Person::default() }
}

/// The files below a folder, by their paths, but for what is on its way.
fn collect(folder: &Path, prefix: &str, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if prefix.is_empty() && name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), into);
        } else {
            into.push(path);
        }
    }
}
