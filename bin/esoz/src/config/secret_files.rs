//! The files that hold secrets, and whether others than their owner may use them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::Result;

use super::{Config, Effective};

/// The keys of files that hold certificates alone. Every other file that a key names holds a secret.
const CERTIFICATES: [&str; 8] = [
    "auth.root_certificate_file",
    "kafka.client_certificate_file",
    "kafka.root_certificate_file",
    "mongodb.root_certificate_file",
    "postgres.client_certificate_file",
    "postgres.root_certificate_file",
    "tls.certificate_file",
    "tracing.root_certificate_file",
];

/// The bits of a file's mode that allow anything to its group or to everybody.
const OTHERS: u32 = 0o077;

/// What to do about a secret that others may read.
pub(crate) const REMEDY: &str = "let only the user of this program read it: chmod 600, and as a mounted secret of Kubernetes defaultMode: 0400";

impl Config {
    /// Lists the files that hold secrets, with their keys.
    pub(crate) fn secret_files(&self) -> Result<Vec<(String, PathBuf)>> {
        let holds_secret = |key: &str| key.ends_with("_file") && !CERTIFICATES.contains(&key);
        let mut files = Vec::new();
        for Effective { key, value, .. } in self.effective()? {
            let path = value.as_str().unwrap_or_default();
            if holds_secret(&key) && !path.is_empty() {
                files.push((key, path.into()));
            }
        }
        Ok(files)
    }

    /// Describes the secret files that their group or everybody may read, write or execute, by key, path and mode; `None` if there are none.
    /// A file that cannot be examined is not listed: reading it fails with an error of its own.
    pub(crate) fn exposed_secret_files(&self) -> Result<Option<String>> {
        let exposed = self.secret_files()?.into_iter().filter_map(|(key, path)| {
            let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o7777;
            (mode & OTHERS != 0).then(|| format!("{key} {} (mode {mode:04o})", path.display()))
        });
        let exposed = exposed.collect::<Vec<_>>().join(", ");
        Ok((!exposed.is_empty()).then_some(exposed))
    }

    /// Warns of secret files that their group or everybody may use.
    pub(crate) fn warn_of_exposed_secret_files(&self) -> Result<()> {
        if let Some(files) = self.exposed_secret_files()? {
            tracing::warn!(
                files,
                remedy = REMEDY,
                "others than its owner may read a file that holds a secret"
            );
        }
        Ok(())
    }
}
