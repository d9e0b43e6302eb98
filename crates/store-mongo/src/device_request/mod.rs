//! Device requests: `document` maps them; imported and exported here, completed with their dispenses (`device_dispense::writes`).

pub(crate) mod document;

use std::collections::HashSet;

use async_trait::async_trait;
use bson::doc;
use esoz_device_dispense::{DeviceRequestRecord, DeviceRequestStatus};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError};
use esoz_registries::Registry;
use futures_util::future::try_join_all;
use mongodb::results::UpdateResult;

use crate::{
    MongoStore,
    device_dispense::commit::by_id,
    error::MongoError,
    fields::{ID, STATUS},
    values::binary,
};
use document::COMPLETED;

/// Concurrent updates of one import.
const AT_ONCE: usize = 16;

#[async_trait]
impl Registry<DeviceRequestRecord> for MongoStore {
    /// Each record is one update of one document. A request that a transaction is changing is waited for.
    async fn put(&self, records: &[DeviceRequestRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_requests(records).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DeviceRequestRecord>, StoreError> {
        let scanned = self.documents.scan(&self.documents.majority_requests, after.as_ref(), limit).await;
        let (documents, next) = scanned.map_err(|error| error.during("scanning device requests"))?;
        let records = documents.iter().map(|document| document::to_record(document)).collect();
        Ok(ScanPage { records, next })
    }
}

impl MongoStore {
    async fn put_requests(&self, records: &[DeviceRequestRecord]) -> Result<Vec<Put>, StoreError> {
        let (mut puts, mut rest) = (Vec::with_capacity(records.len()), records);
        while !rest.is_empty() {
            let (some, others) = rest.split_at(distinct(rest));
            puts.extend(try_join_all(some.iter().map(|record| self.put_request(record))).await?);
            rest = others;
        }
        Ok(puts)
    }

    async fn put_request(&self, record: &DeviceRequestRecord) -> Result<Put, StoreError> {
        let done = match self.upsert(record).await {
            // Another import has inserted it at the same moment.
            Err(error) if error.is_duplicate_key() => self.upsert(record).await,
            done => done,
        };
        let done = match done {
            // It is there, and outlasts what the file says.
            Err(error) if error.is_duplicate_key() => return Ok(Put::Kept),
            done => done,
        };
        let done =
            done.map_err(|error| error.during(format!("storing device request {}", record.facts.id)))?;
        Ok(match (done.upserted_id, done.modified_count) {
            (Some(_), _) => Put::Created,
            (None, 0) => Put::Kept,
            (None, _) => Put::Updated,
        })
    }

    async fn upsert(&self, record: &DeviceRequestRecord) -> Result<UpdateResult, MongoError> {
        let mut filter = doc! { ID: binary(record.facts.id.uuid()) };
        if DeviceRequestStatus::Completed.outlasts(record.facts.status) {
            filter.insert(STATUS, doc! { "$ne": COMPLETED });
        }
        let update = self.documents.requests.update_one(filter, document::upsert(record));
        self.documents.with_timeout(update.upsert(true).hint(by_id())).await
    }
}

/// How many of the first records can be stored at the same time: those of one request are stored in their order.
fn distinct(records: &[DeviceRequestRecord]) -> usize {
    let mut ids = HashSet::new();
    records.iter().take(AT_ONCE).take_while(|record| ids.insert(record.facts.id)).count()
}
