use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_kernel::{CivilDate, StoreError, StoreErrorKind};
use esoz_signed_content::{MediaKey, MediaStorage};

use super::Locked;
use crate::contract::{MediaStorageUnderTest, RawMediaStorage};

/// A media storage, by the texts of its keys.
#[derive(Debug, Default)]
pub struct FakeMediaStorage(Locked<BTreeMap<String, Vec<u8>>>);

impl FakeMediaStorage {
    /// A fresh one, as the contract suite wants it.
    pub fn under_test() -> MediaStorageUnderTest {
        let storage = Arc::new(Self::default());
        MediaStorageUnderTest { storage: storage.clone(), raw: storage, keep: Box::new(()) }
    }
}

#[async_trait]
impl MediaStorage for FakeMediaStorage {
    async fn put(&self, key: &MediaKey, container: &[u8]) -> Result<(), StoreError> {
        let stored = &mut *self.0.lock();
        let key = key.to_string();
        if stored.contains_key(&key) {
            let attempted = "storing a container under a key that is taken";
            return Err(StoreError::new(StoreErrorKind::Unexpected, attempted));
        }
        stored.insert(key, container.to_owned());
        Ok(())
    }

    async fn get(&self, key: &MediaKey) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().get(&key.to_string()).cloned())
    }

    async fn delete(&self, key: &MediaKey) -> Result<(), StoreError> {
        self.0.lock().remove(&key.to_string());
        Ok(())
    }

    async fn list(
        &self,
        day: CivilDate,
        after: Option<MediaKey>,
        limit: usize,
    ) -> Result<Vec<MediaKey>, StoreError> {
        let stored = self.0.lock();
        let keys = stored.keys().filter_map(|name| name.parse::<MediaKey>().ok());
        let of_day = keys.filter(|key| key.day() == day && after.as_ref().is_none_or(|after| key > after));
        Ok(of_day.take(limit).collect())
    }
}

#[async_trait]
impl RawMediaStorage for FakeMediaStorage {
    async fn put(&self, name: &str) {
        self.0.lock().insert(name.to_owned(), Vec::new());
    }
}
