use async_trait::async_trait;
use esoz_device_dispense::{
    Basis, Change, ChangeRefusal, Create, CreateRefusal, DeviceRequest, DeviceRequestRecord,
    DeviceRequestStatus, Dispense, DispenseFacts, DispenseStatus, DispenseUpdate, DispenseWrites, Pseudonym,
    RequestFacts, RequestQuery, concerns,
};
use esoz_kernel::{
    DeviceRequestId, DispenseId, IdempotentRequest, LegalEntityId, Put, Replay, ScanCursor, ScanPage, Stamps,
    StoreError, StoreErrorKind, Timestamp, Written, parse_uuid,
    time::{rfc3339_millis, to_millis},
};
use esoz_registries::Registry;
use serde_json::{Map, Value, json};

use super::contract_registry::{Renewable, renew};
use super::dispenses::{COLLECTION, FakeDispenses, State, document, read};
use super::scan;
use crate::contract::{DispenseWriteStore, RawDeviceRequests};

impl FakeDispenses {
    /// An empty one, as the contract suite of creates and changes wants it.
    pub fn writes_under_test() -> DispenseWriteStore {
        let (fake, dispenses) = Self::shared_under_test();
        DispenseWriteStore { writes: fake.clone(), requests: fake.clone(), raw_requests: fake, dispenses }
    }
}

impl Renewable for DeviceRequestRecord {
    fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }
}

/// The request that a document is based on.
fn based_on(document: &Map<String, Value>) -> Option<DeviceRequestId> {
    let id = document.get("based_on")?.pointer("/identifier/value")?.as_str()?;
    parse_uuid(id).ok().map(DeviceRequestId::new)
}

/// Whether a dispense is in progress and counts.
fn is_active(document: &Map<String, Value>, query: &RequestQuery) -> bool {
    let text = |field| document.get(field).and_then(Value::as_str);
    let inserted_at: Option<Timestamp> = text("inserted_at").and_then(|time| time.parse().ok());
    text("status") == Some(DispenseStatus::InProgress.as_str()) && query.counts_as_active(inserted_at)
}

impl State {
    fn request(&self, id: DeviceRequestId) -> Result<Option<DeviceRequest>, StoreError> {
        if self.unreadable_requests.contains(&id) {
            return Err(StoreError::corrupt("device_requests", id, "status"));
        }
        Ok(self.requests.get(&id).map(|record| record.facts.clone()))
    }

    fn request_facts(&self, query: &RequestQuery) -> Result<RequestFacts, StoreError> {
        let is_of_request = |document: &&Map<String, Value>| based_on(document) == Some(query.request);
        let mut of_request = self.documents.values().filter(is_of_request);
        let counts = |(request, at): &&(DeviceRequestId, Timestamp)| {
            *request == query.request && *at > query.codes_since
        };
        let codes = || self.wrong_codes.iter().filter(counts);
        Ok(RequestFacts {
            request: self.request(query.request)?,
            is_id_taken: self.documents.contains_key(&query.id),
            has_active_dispense: of_request.any(|document| is_active(document, query)),
            wrong_codes: u32::try_from(codes().count()).unwrap_or(u32::MAX),
            oldest_wrong_code: codes().map(|(_, at)| *at).min(),
            ..RequestFacts::default()
        })
    }

    fn facts(&self, id: DispenseId) -> Result<DispenseFacts, StoreError> {
        let Some(document) = self.documents.get(&id) else { return Ok(DispenseFacts::default()) };
        let request = based_on(document).and_then(|request| self.request(request).transpose());
        let basis = Basis::new(self.compared(id));
        Ok(DispenseFacts { stored: Some(read(id, document)?), request, basis })
    }

    /// A dispense and its request as they are stored.
    fn compared(&self, id: DispenseId) -> Option<(Map<String, Value>, Option<DeviceRequestRecord>)> {
        let document = self.documents.get(&id)?;
        let request = based_on(document).and_then(|request| self.requests.get(&request));
        Some((document.clone(), request.cloned()))
    }

    /// What a write is answered under its key, unless the dispense has come to somebody else since.
    fn replay(
        &self,
        idempotency: Option<&IdempotentRequest>,
        at: Timestamp,
        id: DispenseId,
        (owner, subject): (LegalEntityId, &Pseudonym),
    ) -> Option<Replay<Dispense>> {
        let replay = self.keys.replay(idempotency, at)?;
        let now = self.documents.get(&id).and_then(|document| read(id, document).ok()?.dispense.ok());
        let is_seen = now
            .is_some_and(|now| concerns((Some(owner), Some(subject)), (Some(now.owner), Some(&now.subject))));
        (is_seen || matches!(replay, Replay::KeyReused)).then_some(replay)
    }
}

/// Makes the change in the document.
fn apply(
    change: &Change,
    update: &DispenseUpdate,
    document: &mut Map<String, Value>,
) -> Result<(), StoreError> {
    let (to, at, by) = (update.to.as_str(), rfc3339_millis(update.at()), change.by.to_string());
    let mut entry = json!({"status": to, "inserted_at": at, "inserted_by": by});
    if let (Some(entry), Some(reason)) = (entry.as_object_mut(), &update.reason) {
        entry.insert("status_reason".to_owned(), reason.clone());
        document.insert("status_reason".to_owned(), reason.clone());
    }
    document.extend(update.set.clone());
    for (field, value) in [("status_history", entry), ("signed_content_links", update.link.clone().into())] {
        match document.entry(field).or_insert(Value::Null) {
            Value::Array(list) => list.push(value),
            absent @ Value::Null => *absent = json!([value]),
            _ => return Err(StoreError::corrupt(COLLECTION, change.id, field)),
        }
    }
    for (field, value) in [("status", to), ("updated_at", &at), ("updated_by", &by)] {
        document.insert(field.to_owned(), value.into());
    }
    Ok(())
}

#[async_trait]
impl DispenseWrites for FakeDispenses {
    async fn request_facts(&self, query: &RequestQuery) -> Result<RequestFacts, StoreError> {
        self.0.lock().request_facts(query)
    }

    async fn create(&self, create: &Create) -> Result<Written<Dispense, CreateRefusal>, StoreError> {
        let Create { query, owner, subject, decide, at, event, idempotency, .. } = create;
        let mut state = self.0.lock();
        if let Some(replay) = state.replay(idempotency.as_ref(), *at, query.id, (*owner, subject)) {
            return Ok(replay.into());
        }
        let dispense = match decide(&state.request_facts(query)?) {
            Ok(dispense) => dispense,
            Err(refusal) => {
                if refusal == CreateRefusal::WrongCode {
                    state.wrong_codes.push((query.request, *at));
                }
                return Ok(Written::Refused(refusal));
            }
        };
        let document = document(&dispense);
        let after = read(dispense.id, &document)?.dispense?;
        state.documents.insert(dispense.id, document);
        state.waiting.push(event.clone());
        state.keys.keep(idempotency.as_ref(), *at, &after);
        Ok(Written::Applied(after))
    }

    async fn facts(&self, id: DispenseId) -> Result<DispenseFacts, StoreError> {
        self.0.lock().facts(id)
    }

    async fn change(&self, change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        let Change { id, owner, subject, decided, decide, at, by, idempotency } = change;
        let mut state = self.0.lock();
        if let Some(replay) = state.replay(idempotency.as_ref(), *at, *id, (*owner, subject)) {
            return Ok(replay.into());
        }
        let decided = match decided {
            Some((basis, update)) if basis.get() == Some(&state.compared(*id)) => Ok(update.clone()),
            _ => decide(state.facts(*id)?)?,
        };
        let update = match decided {
            Ok(update) => update,
            Err(refusal) => return Ok(Written::Refused(refusal)),
        };
        let gone = || StoreError::new(StoreErrorKind::Unexpected, "changing what is not there");
        let mut document = state.documents.get(id).cloned().ok_or_else(gone)?;
        apply(change, &update, &mut document)?;
        let after = read(*id, &document)?.dispense?;
        if let Some(event) = &update.completed_request {
            let request = DeviceRequestId::new(event.entity_id);
            let request = state.requests.get_mut(&request).ok_or_else(gone)?;
            request.facts.status = DeviceRequestStatus::Completed;
            request.stamps = Stamps { updated_at: update.at(), updated_by: *by, ..request.stamps };
        }
        state.documents.insert(*id, document);
        state.waiting.push(update.event);
        update.completed_request.into_iter().for_each(|event| state.waiting.push(event));
        state.keys.keep(idempotency.as_ref(), *at, &after);
        Ok(Written::Applied(after))
    }
}

#[async_trait]
impl Registry<DeviceRequestRecord> for FakeDispenses {
    async fn put(&self, records: &[DeviceRequestRecord]) -> Result<Vec<Put>, StoreError> {
        let mut state = self.0.lock();
        let put = |record: &DeviceRequestRecord| {
            let Stamps { inserted_at, updated_at, .. } = record.stamps;
            let (inserted_at, updated_at) = (to_millis(inserted_at), to_millis(updated_at));
            let stamps = Stamps { inserted_at, updated_at, ..record.stamps };
            let record = DeviceRequestRecord { stamps, ..record.clone() };
            let there = state.requests.get(&record.facts.id).map(|there| there.facts.status);
            if there.is_some_and(|there| there.outlasts(record.facts.status)) {
                return Put::Kept;
            }
            renew(&mut state.requests, record.facts.id, &record)
        };
        Ok(records.iter().map(put).collect())
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DeviceRequestRecord>, StoreError> {
        let state = self.0.lock();
        let read = |id, record: &DeviceRequestRecord| state.request(id).map(|_| record.clone());
        Ok(scan(&state.requests, DeviceRequestId::uuid, after, limit, read))
    }
}

#[async_trait]
impl RawDeviceRequests for FakeDispenses {
    async fn make_unreadable(&self, id: DeviceRequestId) {
        self.0.lock().unreadable_requests.insert(id);
    }
}
