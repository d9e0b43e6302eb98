//! What is decided on: for one write, or for many that ask at the same time, in one round trip.

use std::collections::HashMap;

use async_trait::async_trait;
use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use esoz_device_dispense::{Basis, DispenseFacts, DispenseStatus, RequestFacts, RequestQuery};
use esoz_kernel::{DeviceRequestId, DispenseId, StoreError, Timestamp, Uuid};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use tokio::time::Instant;

use super::compared::{At, Compared, value_at};
use crate::{
    collections::{Collections, MAX_JOBS},
    device_dispense::{
        commit::{no_array, one_of, simple},
        document,
    },
    device_request::document::{to_request, wrong_codes},
    error::MongoError,
    fields::{COLLECTION, ID, INSERTED_AT, REQUEST, REQUEST_PARENTS, REQUESTS, STATUS},
    reads::Read,
    values::{binary, stored_forms, time, uuid},
};

/// Lookups in the queue that start a further batch. The server spends most of an aggregation on parsing and planning it, however few it looks up.
pub(crate) const FURTHER_LOOKUPS_AT: usize = MAX_JOBS / 4;

/// The fields of the rows in which the facts about requests come. A row without either is an active dispense.
const REQUEST_FIELD: &str = "request";
const TAKEN_FIELD: &str = "taken";

/// The field of a dispense in which its request comes; of a name that no record has.
const ITS_REQUEST: &str = "esoz_request";

/// Looks up requests, whether ids are taken, and whether the requests have active dispenses.
pub(crate) struct RequestLookup;

#[async_trait]
impl Read for RequestLookup {
    type Query = RequestQuery;
    type Answer = Result<RequestFacts, StoreError>;

    /// The requests are read first: a dispense that is recorded afterwards changes its request (`create`), which the commit compares.
    async fn read(
        documents: &Collections,
        queries: &[RequestQuery],
        deadline: Instant,
    ) -> Result<Vec<Self::Answer>, MongoError> {
        let rows = documents.rows(&documents.requests, pipeline(queries), deadline).await?;
        let by_id = |row: &RawDocumentBuf| {
            let request = row.get_document(REQUEST_FIELD).ok()?;
            Some((uuid(request, ID)?, request.to_owned()))
        };
        let requests: HashMap<Uuid, RawDocumentBuf> = rows.iter().filter_map(by_id).collect();
        let taken: Vec<Uuid> = rows.iter().filter_map(|row| uuid(row, TAKEN_FIELD)).collect();
        let active = ActiveDispenses::read(&rows);
        let facts = |query: &RequestQuery| {
            let mut facts = RequestFacts {
                is_id_taken: taken.contains(&query.id.uuid()),
                has_active_dispense: active.has(query),
                ..RequestFacts::default()
            };
            if let Some(document) = requests.get(&query.request.uuid()) {
                let codes = counting(document, query)?;
                facts.wrong_codes = u32::try_from(codes.len()).unwrap_or(u32::MAX);
                facts.oldest_wrong_code = codes.into_iter().min();
                facts.request = Some(to_request(document)?);
                facts.basis = Basis::new(Compared::REQUEST.of(document)?);
            }
            Ok(facts)
        };
        Ok(queries.iter().map(facts).collect())
    }

    fn attempted(query: &RequestQuery) -> String {
        format!("looking up device request {}", query.request)
    }
}

/// Looks up dispenses and their requests.
pub(crate) struct DispenseLookup;

#[async_trait]
impl Read for DispenseLookup {
    type Query = DispenseId;
    type Answer = DispenseAndRequest;

    async fn read(
        documents: &Collections,
        ids: &[DispenseId],
        deadline: Instant,
    ) -> Result<Vec<DispenseAndRequest>, MongoError> {
        let rows = documents.rows(&documents.dispenses, joining(ids), deadline).await?;
        let named_by_text: Vec<Bson> = rows.iter().filter_map(request_named_by_text).map(binary).collect();
        let further = documents.requests_of(named_by_text, deadline).await?;
        let found = rows.into_iter().filter_map(|dispense| {
            let id = uuid(&dispense, ID)?;
            let request = request_of(&dispense, &further);
            Some((id, DispenseAndRequest { dispense: Some(dispense), request }))
        });
        let found: HashMap<Uuid, DispenseAndRequest> = found.collect();
        Ok(ids.iter().map(|id| found.get(&id.uuid()).cloned().unwrap_or_default()).collect())
    }

    fn attempted(id: &DispenseId) -> String {
        format!("looking up dispense {id} and its request")
    }
}

impl Collections {
    async fn rows(
        &self,
        collection: &Collection<RawDocumentBuf>,
        pipeline: Vec<Document>,
        deadline: Instant,
    ) -> Result<Vec<RawDocumentBuf>, MongoError> {
        let rows = collection.aggregate(pipeline).collation(simple()).max_time(self.operation_timeout);
        let rows = async { rows.await?.with_type::<RawDocumentBuf>().try_collect().await };
        self.until(deadline, rows).await
    }

    /// The requests with these ids.
    async fn requests_of(
        &self,
        ids: Vec<Bson>,
        deadline: Instant,
    ) -> Result<Vec<RawDocumentBuf>, MongoError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let find = self.requests.find(doc! { ID: { "$in": ids } }).max_time(self.operation_timeout);
        self.until(deadline, async { find.await?.try_collect().await }).await
    }
}

/// The request that was joined with a dispense.
fn joined(dispense: &RawDocument, request: Uuid) -> Option<RawDocumentBuf> {
    let joined = dispense.get_array(ITS_REQUEST).into_iter().flatten().flatten();
    let mut joined = joined.filter_map(RawBsonRef::as_document);
    joined.find(|joined| uuid(joined, ID) == Some(request)).map(RawDocument::to_owned)
}

/// The request that a dispense names by text, as other systems do: the server joins ids of the same type alone.
fn request_named_by_text(dispense: &RawDocumentBuf) -> Option<Uuid> {
    let is_text = matches!(value_at(dispense, REQUEST), At::Value(RawBsonRef::String(_)));
    let id = document::request(dispense).filter(|_| is_text)?.uuid();
    joined(dispense, id).is_none().then_some(id)
}

/// The request of a dispense: joined with it, or among these.
fn request_of(dispense: &RawDocument, further: &[RawDocumentBuf]) -> Option<RawDocumentBuf> {
    let id = document::request(dispense)?.uuid();
    joined(dispense, id).or_else(|| further.iter().find(|request| uuid(request, ID) == Some(id)).cloned())
}

/// A dispense and its request, as they are stored.
#[derive(Debug, Default, Clone)]
pub(crate) struct DispenseAndRequest {
    pub(super) dispense: Option<RawDocumentBuf>,
    pub(super) request: Option<RawDocumentBuf>,
}

impl DispenseAndRequest {
    /// Decodes them. Their version is both, as they are stored.
    pub(super) fn facts(self, id: DispenseId) -> Result<DispenseFacts, StoreError> {
        let stored = self.dispense.as_deref().map(|stored| document::to_dispense(id, stored));
        let request = self.request.as_deref().map(to_request);
        Ok(DispenseFacts { stored: stored.transpose()?, request, basis: Basis::new(self) })
    }
}

/// The times of the wrong codes that still count.
pub(super) fn counting(document: &RawDocument, query: &RequestQuery) -> Result<Vec<Timestamp>, StoreError> {
    let times = wrong_codes(document)?.into_iter();
    Ok(times.filter(|time| *time > query.codes_since).collect())
}

/// Dispenses of requests that are in progress: the request of each, and when it was recorded if that can be read.
pub(super) struct ActiveDispenses(Vec<(DeviceRequestId, Option<Timestamp>)>);

impl ActiveDispenses {
    /// The fields that are read.
    pub(super) fn fields() -> Document {
        doc! { ID: 0, REQUEST: 1, INSERTED_AT: 1 }
    }

    /// Decodes rows of these fields, and leaves out other rows.
    pub(super) fn read(rows: &[RawDocumentBuf]) -> Self {
        let dispense = |row: &RawDocumentBuf| Some((document::request(row)?, time(row, INSERTED_AT)));
        Self(rows.iter().filter_map(dispense).collect())
    }

    /// Whether the request has a dispense that counts.
    pub(super) fn has(&self, query: &RequestQuery) -> bool {
        let Self(dispenses) = self;
        dispenses
            .iter()
            .any(|(request, recorded)| *request == query.request && query.counts_as_active(*recorded))
    }
}

/// One aggregation: requests first, then taken ids, then active dispenses; a later part may see more than an earlier one.
fn pipeline(queries: &[RequestQuery]) -> Vec<Document> {
    let union = |conditions: Document, fields: Document| {
        let pipeline = [doc! { "$match": conditions }, doc! { "$project": fields }];
        doc! { "$unionWith": { "coll": COLLECTION, "pipeline": pipeline.to_vec() } }
    };
    let is_one_of = |ids: Vec<Bson>| doc! { ID: { "$in": ids } };
    let requests = queries.iter().map(|query| binary(query.request.uuid())).collect();
    let dispenses = queries.iter().map(|query| binary(query.id.uuid())).collect();
    vec![
        doc! { "$match": is_one_of(requests) },
        doc! { "$project": { ID: 0, REQUEST_FIELD: "$$ROOT" } },
        union(is_one_of(dispenses), doc! { ID: 0, TAKEN_FIELD: "$_id" }),
        union(in_progress(queries.iter()), ActiveDispenses::fields()),
    ]
}

/// Dispenses, each with its request in one of its fields.
fn joining(ids: &[DispenseId]) -> Vec<Document> {
    let lookup = doc! { "from": REQUESTS, "localField": REQUEST, "foreignField": ID, "as": ITS_REQUEST };
    let ids: Vec<Bson> = ids.iter().map(|id| binary(id.uuid())).collect();
    vec![doc! { "$match": { ID: { "$in": ids } } }, doc! { "$lookup": lookup }]
}

/// The conditions that a dispense of the requests meets that is in progress.
pub(super) fn in_progress<'a>(queries: impl Iterator<Item = &'a RequestQuery>) -> Document {
    let mut conditions = Document::new();
    for parent in REQUEST_PARENTS {
        conditions.insert(parent, no_array(doc! {}));
    }
    let forms: Vec<Bson> = queries.flat_map(|query| stored_forms(query.request.uuid())).collect();
    conditions.insert(REQUEST, no_array(doc! { "$in": forms, "$type": ["string", "binData"] }));
    conditions.insert(STATUS, one_of(&[DispenseStatus::InProgress]));
    conditions
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
