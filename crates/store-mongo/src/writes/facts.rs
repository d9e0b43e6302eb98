//! What is decided on, each in one round trip.

use bson::{Document, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use esoz_device_dispense::{Basis, DispenseFacts, DispenseStatus, RequestFacts, RequestQuery};
use esoz_kernel::{DispenseId, StoreError, Timestamp};
use futures_util::TryStreamExt as _;
use tokio::time::Instant;

use super::compared::{At, Compared, value_at};
use crate::{
    collections::Collections,
    device_dispense::{
        commit::{no_array, one_of, simple},
        document,
    },
    device_request::document::{to_request, wrong_codes},
    error::MongoError,
    fields::{COLLECTION, ID, INSERTED_AT, REQUEST, REQUEST_PARENTS, REQUESTS, STATUS, path},
    values::{binary, millis, stored_forms, uuid},
};

/// The fields of the rows in which the facts about a request come.
const FOUND: &str = "request";
const IS_TAKEN: &str = "is_taken";
const IS_ACTIVE: &str = "is_active";

/// The field of a dispense in which its request comes; of a name that no record has.
const ITS_REQUEST: &str = "esoz_request";

impl Collections {
    /// Reads a request, whether the id is taken, and whether the request has an active dispense.
    ///
    /// The request is read first: a dispense that is recorded afterwards changes the request (`create`), which the commit compares.
    pub(super) async fn request_facts(
        &self,
        query: &RequestQuery,
        deadline: Instant,
    ) -> Result<RequestFacts, StoreError> {
        let rows = self.until(deadline, async {
            let rows = self.requests.aggregate(pipeline(query)).collation(simple());
            rows.max_time(self.operation_timeout).await?.with_type::<RawDocumentBuf>().try_collect().await
        });
        let rows: Vec<RawDocumentBuf> = rows
            .await
            .map_err(|error| error.during(format!("looking up device request {}", query.request)))?;
        let has = |field| rows.iter().any(|row| matches!(row.get(field), Ok(Some(_))));
        let mut facts = RequestFacts {
            is_id_taken: has(IS_TAKEN),
            has_active_dispense: has(IS_ACTIVE),
            ..RequestFacts::default()
        };
        if let Some(document) = rows.iter().find_map(|row| row.get_document(FOUND).ok()) {
            let codes = counting(document, query)?;
            facts.wrong_codes = u32::try_from(codes.len()).unwrap_or(u32::MAX);
            facts.oldest_wrong_code = codes.into_iter().min();
            facts.request = Some(to_request(document)?);
            facts.basis = Basis::new(Compared::REQUEST.of(document)?.into_bytes());
        }
        Ok(facts)
    }

    /// Reads a dispense and its request.
    pub(super) async fn found(&self, id: DispenseId, deadline: Instant) -> Result<Found, StoreError> {
        let found = self.find_with_request(id, deadline).await;
        found.map_err(|error| error.during(format!("looking up dispense {id} and its request")))
    }

    async fn find_with_request(&self, id: DispenseId, deadline: Instant) -> Result<Found, MongoError> {
        let rows = self.until(deadline, async {
            let rows = self.dispenses.aggregate(joining(id)).collation(simple());
            rows.max_time(self.operation_timeout).await?.with_type::<RawDocumentBuf>().try_collect().await
        });
        let rows: Vec<RawDocumentBuf> = rows.await?;
        let Some(dispense) = rows.into_iter().next() else { return Ok(Found::default()) };
        let Some(request_id) = document::request(&dispense) else {
            return Ok(Found { dispense: Some(dispense), request: None });
        };
        let joined = dispense.get_array(ITS_REQUEST).into_iter().flatten().flatten();
        let mut joined = joined.filter_map(RawBsonRef::as_document);
        let joined = joined.find(|joined| uuid(joined, ID) == Some(request_id.uuid()));
        let request = if let Some(joined) = joined {
            Some(joined.to_owned())
        } else if matches!(value_at(&dispense, REQUEST), At::Value(RawBsonRef::String(_))) {
            // The server joins ids of the same type alone, and other systems keep them as text as well.
            let find = self.requests.find_one(doc! { ID: binary(request_id.uuid()) });
            self.until(deadline, find.max_time(self.operation_timeout)).await?
        } else {
            None
        };
        Ok(Found { dispense: Some(dispense), request })
    }
}

/// A dispense and its request, as they are stored.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) dispense: Option<RawDocumentBuf>,
    pub(super) request: Option<RawDocumentBuf>,
}

impl Found {
    /// Decodes them.
    pub(super) fn facts(&self, id: DispenseId) -> Result<DispenseFacts, StoreError> {
        let stored = self.dispense.as_deref().map(|stored| document::to_dispense(id, stored));
        Ok(DispenseFacts { stored: stored.transpose()?, request: self.request.as_deref().map(to_request) })
    }
}

/// The times of the wrong codes that still count.
pub(super) fn counting(document: &RawDocument, query: &RequestQuery) -> Result<Vec<Timestamp>, StoreError> {
    let times = wrong_codes(document)?.into_iter();
    Ok(times.filter(|time| *time > query.codes_since).collect())
}

/// Each part gives at most one row, in this order.
fn pipeline(query: &RequestQuery) -> Vec<Document> {
    let union = |conditions: Document, found: &str| {
        let pipeline = [
            doc! { "$match": conditions },
            doc! { "$limit": 1 },
            doc! { "$project": { ID: 0, found: { "$literal": true } } },
        ];
        doc! { "$unionWith": { "coll": COLLECTION, "pipeline": pipeline.to_vec() } }
    };
    vec![
        doc! { "$match": { ID: binary(query.request.uuid()) } },
        doc! { "$project": { ID: 0, FOUND: "$$ROOT" } },
        union(doc! { ID: binary(query.id.uuid()) }, IS_TAKEN),
        union(active(query), IS_ACTIVE),
    ]
}

/// A dispense, with its request in one of its fields.
fn joining(id: DispenseId) -> Vec<Document> {
    let lookup = doc! { "from": REQUESTS, "localField": REQUEST, "foreignField": ID, "as": ITS_REQUEST };
    vec![doc! { "$match": { ID: binary(id.uuid()) } }, doc! { "$lookup": lookup }]
}

/// The conditions that an active dispense of the request meets. Found by the index of those in progress: its time of recording is in an
/// expression, which no other index can serve.
pub(super) fn active(query: &RequestQuery) -> Document {
    let mut conditions = Document::new();
    for parent in REQUEST_PARENTS {
        conditions.insert(parent, no_array(doc! {}));
    }
    let forms = stored_forms(query.request.uuid());
    conditions.insert(REQUEST, no_array(doc! { "$in": forms, "$type": ["string", "binData"] }));
    conditions.insert(STATUS, one_of(&[DispenseStatus::InProgress]));
    if let Some(since) = query.active_since {
        let is_before = [
            doc! { "$eq": [{ "$type": path(INSERTED_AT) }, "date"] },
            // An earlier time cannot be read.
            doc! { "$gte": [path(INSERTED_AT), millis(Timestamp::MIN)] },
            doc! { "$lt": [path(INSERTED_AT), millis(since)] },
        ];
        conditions.insert("$expr", doc! { "$not": [{ "$and": is_before.to_vec() }] });
    }
    conditions
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
