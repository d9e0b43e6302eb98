//! The contract that every store of dispenses keeps.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Bson, doc};
use esoz_events::{EventRef, StatusChangeEvent};
use esoz_kernel::DeviceRequestId;
use esoz_store_mongo::MongoStore;
use esoz_test_servers::raw::MongoDocuments;
use esoz_testkit::contract::{
    DispenseStore, DispenseWriteStore, FingerprintsUnderTest, OutboxUnderTest, RawDeviceRequests,
    RawFingerprints, RawOutbox, put_with_change,
};
use support::Fresh;

// ANCHOR: suite
async fn fresh() -> DispenseStore {
    let fresh = Fresh::shared().await;
    DispenseStore {
        dispenses: Arc::new(fresh.store.clone()),
        registry: Arc::new(fresh.store.clone()),
        outbox: Arc::new(fresh.store.clone()),
        keys: Arc::new(fresh.store.clone()),
        raw: Arc::new(MongoDocuments::of(fresh.documents.clone())),
        keep: Box::new(fresh),
    }
}

esoz_testkit::dispense_store_contract!(fresh);
// ANCHOR_END: suite

/// The documents of device requests.
struct Requests(mongodb::Collection<bson::Document>);

#[async_trait]
impl RawDeviceRequests for Requests {
    async fn make_unreadable(&self, id: DeviceRequestId) {
        let filter = doc! { "_id": bson::Uuid::from_bytes(id.uuid().into_bytes()) };
        let broken = doc! { "$set": { "status": "exploded" } };
        assert_eq!(self.0.update_one(filter, broken).await.unwrap().matched_count, 1);
    }
}

async fn fresh_writes() -> DispenseWriteStore {
    let fresh = Fresh::shared().await;
    DispenseWriteStore {
        writes: Arc::new(fresh.store.clone()),
        requests: Arc::new(fresh.store.clone()),
        raw_requests: Arc::new(Requests(fresh.requests())),
        dispenses: DispenseStore {
            dispenses: Arc::new(fresh.store.clone()),
            registry: Arc::new(fresh.store.clone()),
            outbox: Arc::new(fresh.store.clone()),
            keys: Arc::new(fresh.store.clone()),
            raw: Arc::new(MongoDocuments::of(fresh.documents.clone())),
            keep: Box::new(fresh),
        },
    }
}

esoz_testkit::dispense_writes_contract!(fresh_writes);

/// The outboxes in the documents.
struct Outboxes {
    store: MongoStore,
    documents: mongodb::Collection<bson::Document>,
}

#[async_trait]
impl RawOutbox for Outboxes {
    async fn put(&self, event: &StatusChangeEvent) {
        put_with_change(&self.store, event).await;
    }

    async fn make_readable(&self, event: EventRef, is_readable: bool) {
        let uuid = |id: esoz_kernel::Uuid| {
            Bson::Binary(bson::Binary {
                subtype: bson::spec::BinarySubtype::Uuid,
                bytes: id.as_bytes().to_vec(),
            })
        };
        let filter = doc! { "_id": uuid(event.entity_id) };
        let mut document = self.documents.find_one(filter.clone()).await.unwrap().unwrap();
        let events = document.get_document_mut("esoz_outbox").unwrap().get_array_mut("events").unwrap();
        let id = uuid(event.id.uuid());
        let mut events_of = events.iter_mut().filter_map(Bson::as_document_mut);
        let stored = events_of.find(|stored| stored.get("id") == Some(&id)).unwrap();
        let text = stored.get_str("request_id").unwrap().trim().to_owned();
        stored.insert("request_id", if is_readable { text } else { format!(" {text}") });
        let events = Bson::Array(events.clone());
        let set = doc! { "$set": { "esoz_outbox.events": events } };
        self.documents.update_one(filter, set).await.unwrap();
    }
}

async fn fresh_outbox() -> OutboxUnderTest {
    let fresh = Fresh::shared().await;
    let raw = Outboxes { store: fresh.store.clone(), documents: fresh.documents.clone() };
    OutboxUnderTest { outbox: Arc::new(fresh.store.clone()), raw: Arc::new(raw), keep: Box::new(fresh) }
}

esoz_testkit::outbox_contract!(fresh_outbox);

/// The documents of settings.
struct Settings(mongodb::Collection<bson::Document>);

#[async_trait]
impl RawFingerprints for Settings {
    async fn make_unreadable(&self) {
        let broken = doc! { "$set": { "value": "exploded" } };
        assert_eq!(self.0.update_one(doc! {}, broken).await.unwrap().matched_count, 1);
    }
}

async fn fresh_fingerprints() -> FingerprintsUnderTest {
    let fresh = Fresh::shared().await;
    let database = fresh.documents.client().database(&fresh.settings.database);
    FingerprintsUnderTest {
        fingerprints: Arc::new(fresh.store.clone()),
        raw: Arc::new(Settings(database.collection("esoz_settings"))),
        keep: Box::new(fresh),
    }
}

esoz_testkit::fingerprints_contract!(fresh_fingerprints);

#[test]
fn every_sequence_of_operations_is_answered_as_by_the_model() {
    esoz_testkit::contract::sequences::every_sequence(12, file!(), fresh);
}
