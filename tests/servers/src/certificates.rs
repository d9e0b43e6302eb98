//! Certificates of a test's own.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

use super::error::ServerError;

/// A certificate authority, whose files are removed when it is dropped.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The PEM files of a certificate and its private key.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// Both in one file.
    pub both: PathBuf,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Authority").field(&self.folder.path()).finish()
    }
}

impl Authority {
    /// Makes an authority that nobody trusts yet.
    pub fn new() -> Result<Self, ServerError> {
        let folder =
            tempfile::tempdir().map_err(|error| ServerError::io("a folder for certificates", &error))?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Its own name, so that the certificates of another are not taken for forged ones of this.
        params.distinguished_name.push(DnType::CommonName, folder.path().display().to_string());
        let issuer = CertifiedIssuer::self_signed(params, key()?).map_err(unmade)?;
        let authority = Self { folder, issuer };
        authority.write("authority.pem", &authority.issuer.pem())?;
        Ok(authority)
    }

    /// The PEM file with its own certificate.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// The folder with its certificate, and those that it issues.
    pub(super) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Issues a certificate for these names and addresses; the first is its common name as well. Files of the same common name are replaced.
    pub fn issue(&self, names: &[&str]) -> Result<Issued, ServerError> {
        self.issue_until(names, 4096)
    }

    /// Issues a certificate that is no longer valid.
    pub fn issue_expired(&self, names: &[&str]) -> Result<Issued, ServerError> {
        self.issue_until(names, 2001)
    }

    fn issue_until(&self, names: &[&str], year: i32) -> Result<Issued, ServerError> {
        let name = names.first().copied().unwrap_or_default();
        let names: Vec<String> = names.iter().copied().map(String::from).collect();
        let mut params = CertificateParams::new(names).map_err(unmade)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(unmade)?.pem();
        let key = key.serialize_pem();
        Ok(Issued {
            certificate: self.write(&format!("{name}.pem"), &certificate)?,
            private_key: self.write(&format!("{name}-key.pem"), &key)?,
            both: self.write(&format!("{name}-both.pem"), &format!("{certificate}{key}"))?,
        })
    }

    fn write(&self, name: &str, content: &str) -> Result<PathBuf, ServerError> {
        let path = self.folder.path().join(name);
        write(&path, content)?;
        Ok(path)
    }
}

fn write(path: &Path, content: &str) -> Result<(), ServerError> {
    // As an operator would keep a private key.
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    opened
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|error| ServerError::io(format_args!("cannot write {}", path.display()), &error))
}

fn key() -> Result<KeyPair, ServerError> {
    KeyPair::generate().map_err(unmade)
}

fn unmade(error: rcgen::Error) -> ServerError {
    ServerError::new(format!("a certificate cannot be made: {error}"))
}
