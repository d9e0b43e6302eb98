use std::fs::Metadata;
use std::path::PathBuf;

use esoz_kernel::{StoreError, StoreErrorKind};

use crate::settings::SqliteSettings;

/// The identity of the database file that was opened. A connection goes on using a file whose path is gone or leads to another one; what is
/// written there is lost.
pub(crate) struct OpenedFile {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere an open file can be neither deleted nor replaced.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

impl OpenedFile {
    /// The file at the path now.
    pub(crate) fn at(settings: &SqliteSettings) -> Result<Self, StoreError> {
        let found = settings.path.metadata().map_err(|error| {
            let attempted = format!("opening the database {}", settings.path.display());
            StoreError::new(StoreErrorKind::Unavailable, attempted).because(error)
        })?;
        Ok(Self { path: settings.path.clone(), identity: identity(&found) })
    }

    /// Refuses to go on when the path is gone or leads to another file.
    pub(crate) fn check(&self, attempted: &str) -> Result<(), StoreError> {
        if self.path.metadata().is_ok_and(|found| identity(&found) == self.identity) {
            return Ok(());
        }
        let path = self.path.display();
        let reason = format!(
            "the database {path} was deleted or replaced while it was in use; stop the program, put the right file there, start again"
        );
        Err(StoreError::new(StoreErrorKind::Unavailable, attempted).because(reason))
    }
}
