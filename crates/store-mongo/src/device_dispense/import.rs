use async_trait::async_trait;
use esoz_device_dispense::{Dispense, DispenseRegistry};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError};
use mongodb::error::IndexedWriteError;

use super::document;
use crate::{MongoStore, error::is_duplicate_key};

#[async_trait]
impl DispenseRegistry for MongoStore {
    async fn put_dispenses(&self, dispenses: &[Dispense]) -> Result<Vec<Put>, StoreError> {
        let mut answers = Vec::with_capacity(dispenses.len());
        let mut documents = Vec::with_capacity(dispenses.len());
        // Where in the answers each document's stands.
        let mut places = Vec::with_capacity(dispenses.len());
        for (place, dispense) in dispenses.iter().enumerate() {
            match document::from_dispense(dispense) {
                Ok(document) => {
                    documents.push(document);
                    places.push(place);
                    answers.push(Put::Created);
                }
                Err(reason) => answers.push(Put::Refused(reason)),
            }
        }
        for failure in self.insert(&documents).await? {
            let place = places.get(failure.index);
            if let Some(answer) = place.and_then(|place| answers.get_mut(*place)) {
                *answer = answer_to(&failure);
            }
        }
        Ok(answers)
    }

    async fn scan_dispenses(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<Dispense>, StoreError> {
        let scanned = self.documents.scan(after.as_ref(), limit).await;
        let (documents, next) = scanned.map_err(|error| error.during("scanning dispenses"))?;
        let records = documents.iter().map(|document| document::to_whole_dispense(document)).collect();
        Ok(ScanPage { records, next })
    }
}

impl MongoStore {
    /// Inserts what can be, and tells of the rest.
    async fn insert(&self, documents: &[bson::RawDocumentBuf]) -> Result<Vec<IndexedWriteError>, StoreError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let insert = self.documents.dispenses.insert_many(documents).ordered(false);
        let inserted = self.documents.with_timeout(insert).await;
        inserted.map(|_| Vec::new()).or_else(|error| {
            let failed = error.during(format!("loading {} dispenses", documents.len()));
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
