//! A store that a service brings itself, under the contract suite of its port. It uses what any service can use: nothing of the fakes.

// ANCHOR: store
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use esoz_kernel::{CivilDate, StoreError, StoreErrorKind};
use esoz_signed_content::{MediaKey, MediaStorage};
use esoz_testkit::contract::{MediaStorageUnderTest, RawMediaStorage};

/// Signed documents in memory, by name.
#[derive(Default)]
struct Vault(Mutex<BTreeMap<String, Vec<u8>>>);

impl Vault {
    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MediaStorage for Vault {
    async fn put(&self, key: &MediaKey, container: &[u8]) -> Result<(), StoreError> {
        let mut vault = self.open();
        // Nothing is ever overwritten.
        if vault.contains_key(&key.to_string()) {
            return Err(StoreError::new(StoreErrorKind::Unexpected, "storing under a key that is taken"));
        }
        vault.insert(key.to_string(), container.to_vec());
        Ok(())
    }

    async fn get(&self, key: &MediaKey) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.open().get(&key.to_string()).cloned())
    }

    async fn delete(&self, key: &MediaKey) -> Result<(), StoreError> {
        self.open().remove(&key.to_string());
        Ok(())
    }

    async fn list(
        &self,
        day: CivilDate,
        after: Option<MediaKey>,
        limit: usize,
    ) -> Result<Vec<MediaKey>, StoreError> {
        let vault = self.open();
        // Foreign names are no keys, and are passed over.
        let keys = vault.keys().filter_map(|name| name.parse::<MediaKey>().ok());
        Ok(keys.filter(|key| key.day() == day && Some(key) > after.as_ref()).take(limit).collect())
    }
}
// ANCHOR_END: store

// ANCHOR: suite
/// What the suite needs past the port: something in the store that esoz did not put there.
#[async_trait]
impl RawMediaStorage for Vault {
    async fn put(&self, name: &str) {
        self.open().insert(name.to_owned(), Vec::new());
    }
}

/// Every test of the suite has a store of its own.
async fn fresh_vault() -> MediaStorageUnderTest {
    let vault = Arc::new(Vault::default());
    MediaStorageUnderTest { storage: vault.clone(), raw: vault, keep: Box::new(()) }
}

esoz_testkit::media_storage_contract!(fresh_vault);
// ANCHOR_END: suite
