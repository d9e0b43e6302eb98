//! The files that hold secrets, and whether others than their owner may use them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use anyhow::Result;
use esoz_kernel::SecretString;
use rustix::process::{self, Gid};

use super::{Config, Effective};

/// The keys of files that hold certificates alone. Every other file that a key names holds a secret.
const CERTIFICATES: [&str; 13] = [
    "auth.root_certificate_file",
    "kafka.client_certificate_file",
    "kafka.root_certificate_file",
    "media.root_certificate_file",
    "mongodb.root_certificate_file",
    "postgres.client_certificate_file",
    "postgres.root_certificate_file",
    "registries.root_certificate_file",
    "signature.authorities_file",
    "signature.revocation_lists_file",
    "signature.root_certificate_file",
    "tls.certificate_file",
    "tracing.root_certificate_file",
];

/// What to do about a secret that others may read.
pub(crate) const REMEDY: &str = "let only the user of this program read it: chmod 600; where Kubernetes mounts it, run the pod with runAsUser and fsGroup \
    and mount it with defaultMode: 0440";

/// Who runs the program.
struct Process {
    user: u32,
    groups: Vec<u32>,
}

impl Process {
    /// This process; without further groups where they cannot be read.
    fn current() -> Self {
        let mut groups = vec![process::getegid().as_raw()];
        groups.extend(process::getgroups().unwrap_or_default().into_iter().map(Gid::as_raw));
        Self { user: process::geteuid().as_raw(), groups }
    }

    /// Whether others than this process may use a file of that mode, user and group. One that another user owns, as root does what Kubernetes mounts,
    /// may be read by a group of the process: by its owner's right the process could not.
    fn shares(&self, mode: u32, user: u32, group: u32) -> bool {
        let read_by_own_group = if user != self.user && self.groups.contains(&group) { 0o040 } else { 0 };
        mode & 0o077 & !read_by_own_group != 0
    }
}

impl Config {
    /// Lists the files that hold secrets, with their keys: those that are named, and the configuration if it holds one itself.
    pub(crate) fn secret_files(&self) -> Result<Vec<(String, PathBuf)>> {
        let names_secret = |key: &str| key.ends_with("_file") && !CERTIFICATES.contains(&key);
        let masked = SecretString::new("masked").masked();
        let mut files = Vec::new();
        let mut is_in_configuration = false;
        for Effective { key, value, source } in self.effective()? {
            let path = value.as_str().unwrap_or_default();
            if names_secret(&key) && !path.is_empty() {
                files.push((key, path.into()));
            } else if value.to_string().contains(masked) {
                is_in_configuration |=
                    self.file.as_ref().is_some_and(|file| file.display().to_string() == source);
            }
        }
        let configuration = self.file.clone().filter(|_| is_in_configuration);
        files.extend(configuration.map(|file| (String::from("the configuration"), file)));
        Ok(files)
    }

    /// Describes the secret files that others may read, write or execute, by key, path and mode; `None` if there are none. A file that cannot be
    /// examined is not listed: reading it fails with an error of its own.
    pub(crate) fn exposed_secret_files(&self) -> Result<Option<String>> {
        let process = Process::current();
        let exposed = self.secret_files()?.into_iter().filter_map(|(key, path)| {
            let file = fs::metadata(&path).ok()?;
            let mode = file.mode() & 0o7777;
            let is_exposed = process.shares(mode, file.uid(), file.gid());
            is_exposed.then(|| format!("{key} {} (mode {mode:04o})", path.display()))
        });
        let exposed = exposed.collect::<Vec<_>>().join(", ");
        Ok((!exposed.is_empty()).then_some(exposed))
    }

    /// Warns of secret files that others may use.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_may_be_read_by_a_group_of_the_process() {
        let process = Process { user: 1_000, groups: vec![1_000, 2_000] };
        for (mode, user, group, is_exposed) in [
            (0o400, 1_000, 1_000, false),
            (0o440, 0, 2_000, false),
            (0o640, 0, 2_000, false),
            (0o440, 0, 3_000, true),
            (0o440, 1_000, 2_000, true),
            (0o460, 0, 2_000, true),
            (0o444, 0, 2_000, true),
        ] {
            assert_eq!(process.shares(mode, user, group), is_exposed, "{mode:o} {user} {group}");
        }
    }
}
