use async_trait::async_trait;
use esoz_kernel::{LegalEntityId, Put, ScanCursor, ScanPage, StoreError};

use crate::{LegalEntity, LegalEntityRecord};

/// Looks up legal entities.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait LegalEntities: Send + Sync {
    /// Finds the facts about a legal entity; `Ok(None)` when there is none with that id.
    ///
    /// # Errors
    /// [`StoreError`] when the lookup failed, or the stored ones are corrupt.
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError>;
}

/// Imports legal entities from the registry that keeps them, and exports them.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait LegalEntityRegistry: Send + Sync {
    /// Stores the records, one answer each in their order. A record that is there already takes the new content
    /// ([`Put::Updated`]; [`Put::Kept`] when nothing differs), its `inserted_at` and `inserted_by` staying as they were.
    /// A refused record does not hinder the others.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; which of the records it took is then unknown, and loading again is safe.
    async fn put_legal_entities(&self, records: &[LegalEntityRecord]) -> Result<Vec<Put>, StoreError>;

    /// Reads a page of the [scan](ScanPage) of all legal entities: at most `limit` of them, at least 1.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    async fn scan_legal_entities(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<LegalEntityRecord>, StoreError>;
}
