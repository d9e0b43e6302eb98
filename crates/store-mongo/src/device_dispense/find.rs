//! Finds by id.

use async_trait::async_trait;
use bson::RawDocumentBuf;
use esoz_kernel::{DispenseId, Uuid};
use tokio::time::Instant;

use crate::{collections::Collections, error::MongoError, reads::Read};

/// Finds dispenses by id.
pub(crate) struct Find;

#[async_trait]
impl Read for Find {
    type Query = DispenseId;
    type Answer = Option<RawDocumentBuf>;

    async fn read(
        documents: &Collections,
        ids: &[DispenseId],
        _deadline: Instant,
    ) -> Result<Vec<Option<RawDocumentBuf>>, MongoError> {
        if let [id] = ids {
            return Ok([documents.find(*id).await?].into());
        }
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let found = documents.find_all(&ids).await?;
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    fn attempted(id: &DispenseId) -> String {
        format!("finding dispense {id}")
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
