use std::fmt;

use async_trait::async_trait;
use esoz_https::SettingsError;
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_signed_content::{MediaKey, MediaStorage};
use jiff::civil::Date;

use crate::folder::Folder;
use crate::s3::S3;
use crate::settings::{FolderSettings, MAX_CONTAINER_BYTES, S3Settings};

/// What a probe stores.
const PROBE: &[u8] = b"ESOZ probe";

const STORING: &str = "storing a container";
const READING: &str = "reading a container";
const REMOVING: &str = "removing a container";
const LISTING: &str = "listing containers";
const CHECKING: &str = "checking that containers can be stored";

/// Keeps containers in a folder, or in a bucket of a storage that speaks S3's protocol.
pub struct MediaStore(Adapter);

enum Adapter {
    Folder(Folder),
    S3(S3),
}

impl fmt::Debug for MediaStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("MediaStore").field(&self.name()).finish()
    }
}

impl MediaStore {
    /// Opens a folder, and creates it if its parent is there. Files are the owner's alone (0600, folders 0700). Removes files that killed processes left
    /// half written.
    ///
    /// # Errors
    /// [`SettingsError`] when a limit is out of its bounds, or the folder can neither be used nor created.
    pub fn folder(settings: &FolderSettings) -> Result<Self, SettingsError> {
        Folder::open(settings).map(|folder| Self(Adapter::Folder(folder)))
    }

    /// Prepares requests to a bucket. Opens no connection.
    ///
    /// # Errors
    /// [`SettingsError`] when a setting cannot be used.
    pub fn s3(settings: &S3Settings) -> Result<Self, SettingsError> {
        S3::try_new(settings).map(|s3| Self(Adapter::S3(s3)))
    }

    /// Which storage it is, for an operator: `folder /var/lib/esoz/media`, `bucket containers at https://s3.example`.
    pub fn name(&self) -> &str {
        match &self.0 {
            Adapter::Folder(folder) => folder.name(),
            Adapter::S3(s3) => s3.name(),
        }
    }

    /// Tries everything that the service does: stores, reads, is refused to overwrite, lists and removes. For a command of the operator.
    ///
    /// `key` is a fresh one of a dispense that does not exist: what is left if the probe is interrupted is swept like any container that no dispense has.
    ///
    /// # Errors
    /// [`StoreError`] that names the storage and what failed, e.g. because the access key may not write, or the storage knows no conditional writes.
    pub async fn probe(&self, key: &MediaKey) -> Result<(), StoreError> {
        self.put(key, PROBE).await?;
        let found = self.try_stored(key).await;
        self.delete(key).await?;
        found
    }

    async fn try_stored(&self, key: &MediaKey) -> Result<(), StoreError> {
        let broken = |what: &str| {
            Err(StoreError::new(
                StoreErrorKind::Unexpected,
                format!("{CHECKING}, media storage {}: {what}", self.name()),
            ))
        };
        if self.get(key).await?.as_deref() != Some(PROBE) {
            return broken("what was stored is not found as it was");
        }
        match self.put(key, PROBE).await {
            Ok(()) => return broken("it overwrites: it must know conditional writes (If-None-Match)"),
            Err(error) if error.kind() == StoreErrorKind::Unexpected => {}
            Err(error) => return Err(error),
        }
        if self.list(key.day(), None, 1).await?.is_empty() {
            return broken("what was stored is not listed");
        }
        Ok(())
    }
}

#[async_trait]
impl MediaStorage for MediaStore {
    async fn put(&self, key: &MediaKey, container: &[u8]) -> Result<(), StoreError> {
        if container.len() > MAX_CONTAINER_BYTES {
            let attempted = format!("{STORING} of more than {MAX_CONTAINER_BYTES} bytes");
            return Err(StoreError::new(StoreErrorKind::Unexpected, attempted));
        }
        match &self.0 {
            Adapter::Folder(folder) => folder.put(STORING, key, container).await,
            Adapter::S3(s3) => s3.put(STORING, key, container).await,
        }
    }

    async fn get(&self, key: &MediaKey) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.0 {
            Adapter::Folder(folder) => folder.get(READING, key).await,
            Adapter::S3(s3) => s3.get(READING, key).await,
        }
    }

    async fn delete(&self, key: &MediaKey) -> Result<(), StoreError> {
        match &self.0 {
            Adapter::Folder(folder) => folder.delete(REMOVING, key).await,
            Adapter::S3(s3) => s3.delete(REMOVING, key).await,
        }
    }

    async fn list(
        &self,
        day: Date,
        after: Option<MediaKey>,
        limit: usize,
    ) -> Result<Vec<MediaKey>, StoreError> {
        match &self.0 {
            Adapter::Folder(folder) => folder.list(LISTING, day, after.as_ref(), limit).await,
            Adapter::S3(s3) => s3.list(LISTING, day, after.as_ref(), limit).await,
        }
    }

    /// A folder: 1 MiB is written and removed. A bucket: at most one name is listed, which shows that the storage answers, the bucket is there and the
    /// access key is good, and leaves no versions behind.
    async fn check(&self) -> Result<(), StoreError> {
        match &self.0 {
            Adapter::Folder(folder) => folder.check(CHECKING).await,
            Adapter::S3(s3) => s3.check(CHECKING).await,
        }
    }
}
