use async_trait::async_trait;
use bson::RawDocumentBuf;
use esoz_device_dispense::{Dispense, DispenseRegistry, EncodedDispense};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError, StoreErrorKind};
use mongodb::error::IndexedWriteError;

use super::document;
use crate::{MongoStore, error::is_duplicate_key};

/// The most documents in one insert, each of which has the operation time-out for itself.
const MAX_DOCUMENTS_PER_INSERT: usize = 1_000;

#[async_trait]
impl DispenseRegistry for MongoStore {
    fn encode(&self, dispense: &Dispense) -> Result<EncodedDispense, String> {
        let document = document::from_dispense(dispense)?.into_bytes();
        Ok(EncodedDispense { id: dispense.id, document })
    }

    async fn put_encoded(&self, dispenses: Vec<EncodedDispense>) -> Result<Vec<Put>, StoreError> {
        let mut answers = vec![Put::Created; dispenses.len()];
        let mut dispenses = dispenses.into_iter();
        for answers in answers.chunks_mut(MAX_DOCUMENTS_PER_INSERT) {
            for failure in self.insert(dispenses.by_ref().take(answers.len())).await? {
                if let Some(answer) = answers.get_mut(failure.index) {
                    *answer = answer_to(&failure);
                }
            }
        }
        Ok(answers)
    }

    async fn scan_dispenses(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<Dispense>, StoreError> {
        let scanned = self.documents.scan(&self.documents.majority, after.as_ref(), limit).await;
        let (documents, next) = scanned.map_err(|error| error.during("scanning dispenses"))?;
        let records = documents.iter().map(|document| document::to_whole_dispense(document)).collect();
        Ok(ScanPage { records, next })
    }
}

impl MongoStore {
    /// Inserts what can be, and tells of the rest.
    async fn insert(
        &self,
        dispenses: impl ExactSizeIterator<Item = EncodedDispense> + Send,
    ) -> Result<Vec<IndexedWriteError>, StoreError> {
        let attempted = format!("loading {} dispenses", dispenses.len());
        let documents = dispenses.map(|dispense| RawDocumentBuf::from_bytes(dispense.document));
        let documents: Vec<_> = documents.collect::<Result<_, _>>().map_err(|_| {
            StoreError::new(StoreErrorKind::Unexpected, attempted.clone())
                .because("another store has encoded one")
        })?;
        let insert = self.documents.dispenses.insert_many(documents).ordered(false);
        let inserted = self.documents.with_timeout(insert).await;
        inserted.map(|_| Vec::new()).or_else(|error| {
            let failed = error.during(attempted);
            error.refused_documents().ok_or(failed)
        })
    }
}

fn answer_to(failure: &IndexedWriteError) -> Put {
    if is_duplicate_key(failure.code) {
        Put::Kept
    } else {
        let name = failure.code_name.as_deref().unwrap_or("without a name");
        Put::Refused(format!("MongoDB refuses the document with error {} ({name})", failure.code))
    }
}
