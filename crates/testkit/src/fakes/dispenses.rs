use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use esoz_device_dispense::{
    DeviceDispenses, DeviceRequestRecord, Dispense, DispenseRegistry, EncodedDispense, Filter, Overdue,
    OverdueFilter, Pseudonym, RecordFields, StoredDispense, Transition,
};
use esoz_events::{Backlog, Claim, Claimed, EventRef, Outbox, Refused, SetAside, StatusChangeEvent, Which};
use esoz_kernel::{
    Committed, DeviceRequestId, DispenseId, IdempotencyRecords, LegalEntityId, Page, PageRequest, Put,
    Replay, ScanCursor, ScanPage, StoreError, StoreErrorKind, Timestamp, Uuid, time::rfc3339_millis,
};
use serde_json::{Map, Value, json};

use super::{Locked, keys::Keys, outbox::Waiting, scan};
use crate::contract::{DispenseStore, OutboxUnderTest, RawDispenses, RawOutbox};

pub(super) const COLLECTION: &str = "device_dispenses";

/// Dispenses, the device requests that they are based on, and their outbox, in memory. A dispense is kept as a document, as in a real store.
#[derive(Debug, Default)]
pub struct FakeDispenses(pub(super) Locked<State>);

#[derive(Default)]
pub(super) struct State {
    pub(super) documents: HashMap<DispenseId, Map<String, Value>>,
    pub(super) waiting: Waiting,
    pub(super) keys: Keys<Dispense>,
    pub(super) requests: HashMap<DeviceRequestId, DeviceRequestRecord>,
    pub(super) unreadable_requests: HashSet<DeviceRequestId>,
    /// For which requests wrong codes were given, and when.
    pub(super) wrong_codes: Vec<(DeviceRequestId, Timestamp)>,
}

impl std::fmt::Debug for State {
    /// Leaves out the documents: they are health data.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("dispenses", &self.documents.len()).finish_non_exhaustive()
    }
}

impl FakeDispenses {
    /// An empty one, as the contract suites want it.
    pub fn under_test() -> DispenseStore {
        Self::shared_under_test().1
    }

    /// An empty one, and the same as the contract suites want it.
    pub(super) fn shared_under_test() -> (Arc<Self>, DispenseStore) {
        let fake = Arc::new(Self::default());
        let store = DispenseStore {
            dispenses: fake.clone(),
            registry: fake.clone(),
            outbox: fake.clone(),
            keys: fake.clone(),
            raw: fake.clone(),
            keep: Box::new(()),
        };
        (fake, store)
    }

    /// The outbox of an empty one, as its contract suite wants it.
    pub fn outbox_under_test() -> OutboxUnderTest {
        let fake = Arc::new(Self::default());
        OutboxUnderTest { outbox: fake.clone(), raw: fake, keep: Box::new(()) }
    }
}

pub(super) fn document(dispense: &Dispense) -> Map<String, Value> {
    let mut document = dispense.record.clone();
    document.insert("_id".to_owned(), json!(dispense.id.to_string()));
    document.insert("subject".to_owned(), json!(dispense.subject.expose()));
    document
}

/// Reads a document; what cannot be read is corrupt.
pub(super) fn read(id: DispenseId, document: &Map<String, Value>) -> Result<StoredDispense, StoreError> {
    decode(id, document, RecordFields::Known)
}

fn decode(
    id: DispenseId,
    document: &Map<String, Value>,
    fields: RecordFields,
) -> Result<StoredDispense, StoreError> {
    let corrupt = |field: &str| StoreError::corrupt(COLLECTION, id, field);
    let text =
        |field: &'static str| document.get(field).and_then(Value::as_str).ok_or_else(|| corrupt(field));
    let owner = owner(document).ok_or_else(|| corrupt("performer_legal_entity.identifier.value"))?;
    let status =
        text("status").and_then(|word| word.parse().map_err(|unknown| corrupt("status").because(unknown)));
    let subject = text("subject").map(Pseudonym::new);
    Ok(StoredDispense::new(id, status, subject, owner, document.clone(), fields))
}

fn owner(document: &Map<String, Value>) -> Option<LegalEntityId> {
    document.get("performer_legal_entity")?.pointer("/identifier/value")?.as_str()?.parse().ok()
}

fn matches(filter: &Filter, document: &Map<String, Value>) -> bool {
    let subject = document.get("subject").and_then(Value::as_str).map(Pseudonym::new);
    filter.matches(owner(document), subject.as_ref(), document)
}

/// Makes the change in the document.
fn apply(change: &Transition, document: &mut Map<String, Value>) -> Result<(), StoreError> {
    let (to, at, by) = (change.to.as_str(), rfc3339_millis(change.at), change.by.to_string());
    let entry = json!({"status": to, "inserted_at": at, "inserted_by": by});
    match document.entry("status_history").or_insert_with(|| json!([])) {
        Value::Array(history) => history.push(entry),
        _ => return Err(StoreError::corrupt(COLLECTION, change.id, "status_history")),
    }
    document.insert("status".to_owned(), json!(to));
    document.insert("updated_at".to_owned(), json!(at));
    document.insert("updated_by".to_owned(), json!(by));
    Ok(())
}

#[async_trait]
impl DeviceDispenses for FakeDispenses {
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError> {
        self.0.lock().documents.get(&id).map(|document| read(id, document)).transpose()
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<Dispense, StoreError>>, StoreError> {
        let state = self.0.lock();
        let mut found: Vec<_> =
            state.documents.iter().filter(|(_, document)| matches(filter, document)).collect();
        found.sort_by_key(|(id, document)| {
            let inserted_at = document.get("inserted_at").and_then(Value::as_str).map(str::to_owned);
            (inserted_at, **id)
        });
        let read_one = |(id, document): (&DispenseId, &Map<String, Value>)| read(*id, document)?.dispense;
        Ok(Page::of(found.into_iter().map(read_one).collect(), page))
    }

    async fn overdue(&self, filter: &OverdueFilter, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let state = self.0.lock();
        let listed = |(id, document): (&DispenseId, &Map<String, Value>)| {
            let text = |field| document.get(field).and_then(Value::as_str);
            let (status, inserted_at) = (text("status")?.parse().ok()?, text("inserted_at")?.parse().ok()?);
            // A time in another form is none that a store writes.
            let is_overdue = filter.from.contains(&status)
                && inserted_at < filter.inserted_before
                && text("inserted_at") == Some(&*rfc3339_millis(inserted_at));
            is_overdue.then_some(Overdue { inserted_at, id: *id })
        };
        let mut overdue: Vec<Overdue> = state.documents.iter().filter_map(listed).collect();
        overdue.retain(|overdue| filter.after.is_none_or(|after| *overdue > after));
        overdue.sort_unstable();
        overdue.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(overdue)
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let mut state = self.0.lock();
        if let Some(replay) = state.keys.replay(change.idempotency.as_ref(), change.at) {
            let stored = state.documents.get(&change.id);
            let is_seen = stored
                .and_then(|document| read(change.id, document).ok()?.dispense.ok())
                .is_some_and(|now| change.concerns(Some(now.owner), Some(&now.subject)));
            let is_hidden = matches!(replay, Replay::Replayed(_)) && !is_seen;
            return Ok(if is_hidden { Committed::Stale } else { replay.into() });
        }
        let Some(document) = state.documents.get(&change.id) else { return Ok(Committed::Stale) };
        if !change.applies_to(&read(change.id, document)?.dispense?) {
            return Ok(Committed::Stale);
        }
        let mut document = document.clone();
        apply(change, &mut document)?;
        let after = read(change.id, &document)?.dispense?;
        state.documents.insert(change.id, document);
        state.waiting.push(change.event.clone());
        state.keys.keep(change.idempotency.as_ref(), change.at, &after);
        Ok(Committed::Applied(after))
    }
}

#[async_trait]
impl IdempotencyRecords for FakeDispenses {
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError> {
        Ok(self.0.lock().keys.forget(until, most))
    }
}

#[async_trait]
impl DispenseRegistry for FakeDispenses {
    fn encode(&self, dispense: &Dispense) -> Result<EncodedDispense, String> {
        let document = serde_json::to_vec(&document(dispense)).map_err(|error| error.to_string())?;
        Ok(EncodedDispense { id: dispense.id, document })
    }

    async fn put_encoded(&self, dispenses: Vec<EncodedDispense>) -> Result<Vec<Put>, StoreError> {
        let mut state = self.0.lock();
        let put = |EncodedDispense { id, document }| {
            let document = serde_json::from_slice(&document).map_err(|error| {
                StoreError::new(StoreErrorKind::Unexpected, "loading dispenses").because(error)
            })?;
            Ok(match state.documents.entry(id) {
                Entry::Occupied(_) => Put::Kept,
                Entry::Vacant(entry) => {
                    entry.insert(document);
                    Put::Created
                }
            })
        };
        dispenses.into_iter().map(put).collect()
    }

    async fn scan_dispenses(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<Dispense>, StoreError> {
        let read = |id, document: &_| decode(id, document, RecordFields::All)?.dispense;
        Ok(scan(&self.0.lock().documents, DispenseId::uuid, after, limit, read))
    }
}

#[async_trait]
impl Outbox for FakeDispenses {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        Ok(self.0.lock().waiting.claim(claim))
    }

    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError> {
        self.0.lock().waiting.remove(delivered);
        Ok(())
    }

    async fn set_aside(&self, refused: &[Refused], now: Timestamp) -> Result<(), StoreError> {
        self.0.lock().waiting.set_aside(refused, now);
        Ok(())
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        self.0.lock().waiting.release(by);
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(self.0.lock().waiting.backlog())
    }

    async fn list_set_aside(&self, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        Ok(self.0.lock().waiting.list_set_aside(limit))
    }

    async fn retry(&self, which: &Which) -> Result<u64, StoreError> {
        Ok(self.0.lock().waiting.retry(which))
    }

    async fn drop_set_aside(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.0.lock().waiting.drop_set_aside(id))
    }
}

#[async_trait]
impl RawOutbox for FakeDispenses {
    async fn put(&self, event: &StatusChangeEvent) {
        self.0.lock().waiting.push(event.clone());
    }

    async fn make_readable(&self, event: EventRef, is_readable: bool) {
        self.0.lock().waiting.make_readable(event.id, is_readable);
    }
}

#[async_trait]
impl RawDispenses for FakeDispenses {
    async fn document(&self, id: DispenseId) -> Value {
        self.0.lock().documents.get(&id).cloned().map_or(Value::Null, Value::Object)
    }

    async fn set_field(&self, id: DispenseId, field: &str, value: Value) {
        if let Some(document) = self.0.lock().documents.get_mut(&id) {
            document.insert(field.to_owned(), value);
        }
    }
}
