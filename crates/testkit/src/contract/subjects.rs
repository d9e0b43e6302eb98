use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{AccessTokens, ApiKeys, Blocks, Credentials};
use esoz_contract_division::{ContractDivisions, ContractRegistry};
use esoz_device_dispense::{
    DeviceDispenses, DeviceRequestRecord, DispenseRegistry, DispenseWrites, PseudonymFingerprints, Transition,
};
use esoz_events::{EventLog, EventPublisher, EventRef, Outbox, StatusChangeEvent};
use esoz_kernel::{
    Committed, ContractDivisionId, DeviceRequestId, DispenseId, EventId, IdempotencyRecords, UserId,
};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry};
use esoz_registries::{Registries, Registry, RegistryRecords};
use esoz_signed_content::MediaStorage;
use serde_json::Value;

use crate::builders::{change_of, dispense};

/// A store of dispenses, fresh and empty.
pub struct DispenseStore {
    /// Finds and changes.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Loads.
    pub registry: Arc<dyn DispenseRegistry>,
    /// Where the same store puts its events.
    pub outbox: Arc<dyn Outbox>,
    /// Where the same store keeps the keys of changes.
    pub keys: Arc<dyn IdempotencyRecords>,
    /// Past all ports.
    pub raw: Arc<dyn RawDispenses>,
    /// What must live as long as the store, e.g. its folder.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Looks at a stored dispense directly, and tampers with it.
#[async_trait]
pub trait RawDispenses: Send + Sync {
    /// The whole document as stored, rendered as a JSON object of its top-level fields, the adapter's own ones included.
    async fn document(&self, id: DispenseId) -> Value;

    /// Sets a top-level field of the stored document, whether ESOZ knows it or not.
    async fn set_field(&self, id: DispenseId, field: &str, value: Value);
}

/// A store of dispenses and of the device requests that they are based on, fresh and empty.
pub struct DispenseWriteStore {
    /// Records dispenses and changes them with their requests.
    pub writes: Arc<dyn DispenseWrites>,
    /// Loads and scans device requests.
    pub requests: Arc<dyn Registry<DeviceRequestRecord>>,
    /// Past all ports.
    pub raw_requests: Arc<dyn RawDeviceRequests>,
    /// The dispenses of the same store.
    pub dispenses: DispenseStore,
}

/// Tampers with stored device requests.
#[async_trait]
pub trait RawDeviceRequests: Send + Sync {
    /// Makes the status of a stored request one that cannot be read.
    async fn make_unreadable(&self, id: DeviceRequestId);
}

/// An outbox, fresh and empty.
pub struct OutboxUnderTest {
    /// The outbox.
    pub outbox: Arc<dyn Outbox>,
    /// Past the port.
    pub raw: Arc<dyn RawOutbox>,
    /// What must live as long as the outbox, e.g. its folder.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Fills an outbox, and tampers with what waits.
#[async_trait]
pub trait RawOutbox: Send + Sync {
    /// Puts an event there, as the store does with the change that it tells of.
    async fn put(&self, event: &StatusChangeEvent);

    /// Makes a stored event one that cannot be read, or mends it.
    async fn make_readable(&self, event: EventRef, is_readable: bool);
}

/// Makes the change that the event tells of, of a dispense that is loaded first if it is not there: for [`RawOutbox::put`].
///
/// # Panics
/// When the store fails, or does not make the change.
pub async fn put_with_change<S: DeviceDispenses + DispenseRegistry>(store: &S, event: &StatusChangeEvent) {
    let id = DispenseId::new(event.entity_id);
    let found = if let Some(found) = store.find(id).await.unwrap() {
        found.dispense.unwrap()
    } else {
        let one = dispense().id(id).build();
        store.put_dispenses(std::slice::from_ref(&one)).await.unwrap();
        one
    };
    let change = change_of(&found, event.new_status.parse().unwrap(), event.event_time);
    let change = Transition { event: event.clone(), ..change };
    assert!(matches!(store.commit(&change).await.unwrap(), Committed::Applied(_)));
}

/// A store of legal entities, divisions, contracts and contract divisions, fresh and empty.
pub struct ContractStore {
    /// Reads and writes contract divisions.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// Loads divisions, contracts and contract divisions.
    pub registry: Arc<dyn ContractRegistry>,
    /// Finds legal entities.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// Loads legal entities.
    pub legal_entity_registry: Arc<dyn LegalEntityRegistry>,
    /// Where the same store keeps the keys of writes.
    pub keys: Arc<dyn IdempotencyRecords>,
    /// What the store's trigger wrote.
    pub audit: Arc<dyn Audit>,
    /// What must live as long as the store.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// A store of the administrative registries, fresh and empty.
pub struct RegistryStore {
    /// Finds.
    pub registries: Arc<dyn Registries>,
    /// Loads and scans.
    pub records: Arc<dyn RegistryRecords>,
    /// Loads the legal entities of the same store.
    pub legal_entities: Arc<dyn LegalEntityRegistry>,
    /// Loads the divisions of the same store.
    pub contracts: Arc<dyn ContractRegistry>,
    /// What must live as long as the store.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Looks at the audit log directly.
#[async_trait]
pub trait Audit: Send + Sync {
    /// The rows about that contract division, in the order of their writing.
    async fn rows(&self, resource_id: ContractDivisionId) -> Vec<AuditRow>;

    /// From now on no audit row can be inserted.
    async fn break_writing(&self);
}

/// One row of the audit log (conventions, "Audit").
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Who did it.
    pub actor_id: UserId,
    /// The table.
    pub resource: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub action: String,
    /// The row before: of an update the changed columns, of a deletion all. UUIDs as lower-case text, times as ISO 8601 in UTC
    /// with microseconds.
    pub before: Option<Value>,
    /// The row after: of an update the changed columns, of an insertion all.
    pub after: Option<Value>,
    /// The request, if it was one.
    pub request_id: Option<String>,
}

/// A store of tokens and api keys, fresh and empty.
pub struct CredentialStore {
    /// Finds tokens.
    pub tokens: Arc<dyn AccessTokens>,
    /// Finds api keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Finds blocks.
    pub blocks: Arc<dyn Blocks>,
    /// Issues, revokes, blocks.
    pub credentials: Arc<dyn Credentials>,
    /// What must live as long as the store.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// A store that remembers the scheme and key of pseudonyms, fresh and empty.
pub struct FingerprintsUnderTest {
    /// Remembers.
    pub fingerprints: Arc<dyn PseudonymFingerprints>,
    /// Past the port.
    pub raw: Arc<dyn RawFingerprints>,
    /// What must live as long as the store, e.g. its folder.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Tampers with the stored fingerprint.
#[async_trait]
pub trait RawFingerprints: Send + Sync {
    /// Makes the stored fingerprint one that cannot be read.
    async fn make_unreadable(&self);
}

/// A publisher to a place where nothing has arrived yet.
pub struct PublisherUnderTest {
    /// The publisher.
    pub publisher: Arc<dyn EventPublisher>,
    /// The other end.
    pub delivered: Arc<dyn Delivered>,
    /// What must live as long as the publisher.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// An event log, fresh and empty.
pub struct EventLogUnderTest {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Past the port.
    pub raw: Arc<dyn RawEventLog>,
    /// What must live as long as the log, e.g. its folder.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Tampers with stored events.
#[async_trait]
pub trait RawEventLog: Send + Sync {
    /// Makes the properties of a stored event ones that cannot be read.
    async fn make_unreadable(&self, id: EventId);
}

/// What a consumer sees.
#[async_trait]
pub trait Delivered: Send + Sync {
    /// Every message that arrived until now; those of one key in the order of their delivery.
    async fn messages(&self) -> Vec<Message>;
}

/// A message as a consumer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its key.
    pub key: String,
    /// Its body.
    pub json: Value,
    /// Its header with the request id.
    pub request_id: Option<String>,
    /// Its header with the span that caused it.
    pub traceparent: Option<String>,
}

/// A media storage, fresh and empty.
pub struct MediaStorageUnderTest {
    /// The storage.
    pub storage: Arc<dyn MediaStorage>,
    /// Past the port.
    pub raw: Arc<dyn RawMediaStorage>,
    /// What must live as long as the storage, e.g. its folder.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Stores in a media storage what ESOZ never does.
#[async_trait]
pub trait RawMediaStorage: Send + Sync {
    /// Stores something under a name, whose parts have `/` between.
    async fn put(&self, name: &str);
}
