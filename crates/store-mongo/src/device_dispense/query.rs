//! Reads dispenses from the primary.

use std::collections::HashMap;

use bson::{Bson, Document, RawDocument, RawDocumentBuf, Timestamp, doc};
use esoz_device_dispense::{Filter, Overdue, OverdueFilter, Pseudonym, RECORD, SearchValue};
use esoz_kernel::{DispenseId, Page, PageRequest, StoreError, StoreErrorKind, Uuid};
use futures_util::TryStreamExt;
use mongodb::options::{Hint, ReadConcern};

use super::commit::{no_array, one_of, simple};
use crate::{
    collections::Collections,
    error::MongoError,
    fields::{
        BY_OWNER, BY_STATUS, BY_SUBJECT, ID, IN_PROGRESS, INSERTED_AT, OWNER, STATUS, SUBJECT,
        WHEN_HANDED_OVER,
    },
    values::{binary, millis, stored_forms, time, uuid},
};

impl Collections {
    pub(crate) async fn find(&self, id: DispenseId) -> Result<Option<RawDocumentBuf>, MongoError> {
        let find = self.dispenses.find_one(doc! { ID: binary(id.uuid()) });
        self.with_timeout(find.max_time(self.operation_timeout)).await
    }

    /// The document as of a time of the server (a snapshot read, which a replica set supports for some minutes).
    pub(crate) async fn find_as_of(
        &self,
        id: DispenseId,
        time: Timestamp,
    ) -> Result<Option<RawDocumentBuf>, MongoError> {
        let find = async {
            let session = self.database.client().start_session().snapshot(true).snapshot_time(time);
            let find = self.dispenses.find_one(doc! { ID: binary(id.uuid()) });
            let find = find.read_concern(ReadConcern::snapshot()).max_time(self.operation_timeout);
            find.session(&mut session.await?).await
        };
        self.with_timeout(find).await
    }

    /// Lists overdue dispenses by the partial index of those in progress. Ids that are no UUIDs cannot be listed: no operation knows them.
    pub(crate) async fn overdue(
        &self,
        filter: &OverdueFilter,
        limit: u32,
    ) -> Result<Vec<Overdue>, MongoError> {
        // To MongoDB a limit of zero is no limit.
        if limit == 0 {
            return Ok(Vec::new());
        }
        let find = self
            .dispenses
            .find(overdue(filter))
            .collation(simple())
            .sort(order())
            .hint(Hint::Name(IN_PROGRESS.to_owned()))
            .projection(doc! { INSERTED_AT: 1 })
            .limit(limit.into())
            .max_time(self.operation_timeout);
        let found: Vec<RawDocumentBuf> = self.with_timeout(async { find.await?.try_collect().await }).await?;
        Ok(found.iter().filter_map(|document| position(document)).collect())
    }

    pub(crate) async fn find_all(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, RawDocumentBuf>, MongoError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Bson> = ids.iter().copied().map(binary).collect();
        let find = self.dispenses.find(doc! { ID: { "$in": ids } }).max_time(self.operation_timeout);
        let found: Vec<RawDocumentBuf> = self.with_timeout(async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().filter_map(|document| Some((uuid(&document, ID)?, document))).collect())
    }

    /// A page of the documents that meet a filter. They are counted only when the page does not tell how many there are (docs/adr/0025).
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<RawDocumentBuf>, MongoError> {
        let (conditions, hint) = (conditions(filter), Hint::Name(index_for(filter).to_owned()));
        // One more than the limit, or the server keeps the cursor open.
        let batch_size = page.size().saturating_add(1);
        let find = self
            .dispenses
            .find(conditions.clone())
            .sort(order())
            .skip(page.offset())
            .limit(page.size().into())
            .batch_size(batch_size)
            .projection(shown())
            .collation(simple())
            .hint(hint.clone())
            .max_time(self.operation_timeout);
        let items: Vec<RawDocumentBuf> = self.with_timeout(async { find.await?.try_collect().await }).await?;
        let total_entries = if let Some(total) = page.total_if_last(items.len()) {
            total
        } else {
            let count = self.dispenses.count_documents(conditions).collation(simple()).hint(hint);
            self.with_timeout(count.max_time(self.operation_timeout)).await?
        };
        Ok(Page { items, total_entries })
    }
}

/// The failure of a query that names an index.
pub(crate) fn index_missing_or(attempted: &str, index: &str, error: &MongoError) -> StoreError {
    let failed = error.during(attempted);
    if !error.is_bad_hint() {
        return failed;
    }
    let missing = format!("{attempted}: the index {index} is missing; `esoz migrate` creates it");
    StoreError::new(StoreErrorKind::Unavailable, missing).because(failed)
}

/// The index that finds what meets a filter. Named in each query: the server would choose a plan by one list and keep it for others, and
/// without the index it would read every document.
pub(super) fn index_for(filter: &Filter) -> &'static str {
    match (&filter.subject, filter.status) {
        (Some(_), _) => BY_SUBJECT,
        (None, Some(_)) => BY_STATUS,
        (None, None) => BY_OWNER,
    }
}

/// The fields of which a dispense is made; what other systems keep in a document can be large.
fn shown() -> Document {
    let fields = RECORD.fields.iter().map(|field| field.name).chain([SUBJECT]);
    fields.map(|field| (field.to_owned(), Bson::Int32(1))).collect()
}

/// The order of a list.
fn order() -> Document {
    doc! { INSERTED_AT: 1, ID: 1 }
}

/// What a document must be to meet a filter. Those on owner, subject, status and the time of recording are answered by an index alone
/// (`schema.rs`), and so have no condition on a type.
fn conditions(filter: &Filter) -> Document {
    let mut conditions = Document::new();
    conditions.extend(filter.owner.map(|owner| (OWNER.to_owned(), any_of(stored_forms(owner.uuid())))));
    let subject = filter.subject.as_ref().map(Pseudonym::expose);
    conditions.extend(subject.map(|subject| (SUBJECT.to_owned(), subject.into())));
    let spellings = filter.status.map(|status| status.spellings().iter().copied());
    conditions.extend(spellings.map(|words| (STATUS.to_owned(), any_of(words.map(Bson::from)))));
    for (field, range) in [(INSERTED_AT, filter.inserted_at), (WHEN_HANDED_OVER, filter.when_handed_over)] {
        let bounds = range.bounds().map(|[from, to]| doc! { "$gte": millis(from), "$lte": millis(to) });
        conditions.extend(bounds.map(|bounds| (field.to_owned(), bounds.into())));
    }
    let searched = filter.search.iter().map(|search| {
        let value = match &search.value {
            SearchValue::Id(id) => any_of(stored_forms(*id)),
            SearchValue::Code(code) => Bson::from(code),
        };
        (search.parameter.path.join("."), value)
    });
    conditions.extend(searched);
    conditions
}

fn any_of(values: impl IntoIterator<Item = Bson>) -> Bson {
    doc! { "$in": values.into_iter().collect::<Vec<_>>() }.into()
}

fn overdue(filter: &OverdueFilter) -> Document {
    // From the first time that can be said: an earlier one would come first and could not be told.
    let first = millis(esoz_kernel::Timestamp::MIN);
    let before = no_array(doc! { "$gte": first, "$lt": millis(filter.inserted_before) });
    let uuids = doc! { "$gte": binary(Uuid::nil()), "$lte": binary(Uuid::max()) };
    let mut query = doc! { STATUS: one_of(&filter.from), INSERTED_AT: before, ID: uuids };
    if let Some(Overdue { inserted_at, id }) = filter.after {
        let (at, id) = (millis(inserted_at), binary(id.uuid()));
        let later = [doc! { INSERTED_AT: { "$gt": at } }, doc! { INSERTED_AT: at, ID: { "$gt": id } }];
        query.insert("$and", [doc! { INSERTED_AT: { "$gte": at } }, doc! { "$or": later.to_vec() }].to_vec());
    }
    query
}

fn position(document: &RawDocument) -> Option<Overdue> {
    Some(Overdue { inserted_at: time(document, INSERTED_AT)?, id: DispenseId::new(uuid(document, ID)?) })
}

#[cfg(test)]
#[path = "query_tests.rs"]
pub(crate) mod tests;
