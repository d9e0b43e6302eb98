//! Documents of MongoDB, as other systems may have written them.

use bson::spec::BinarySubtype;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_device_dispense::{Dispense, DispenseStatus, RECORD};
use esoz_events::wire;
use esoz_kernel::{DispenseId, Uuid};
use esoz_store_mongo::fuzzing;
use esoz_testkit::builders;
use serde_json::Value;

use super::Target;
use crate::json::{Members, is_uuid};
use crate::secrecy::{CANARY, assert_keeps_quiet};

/// See [`Target::about`].
pub(super) const MONGO_DOCUMENT: Target = Target {
    name: "mongo_document",
    about: "a stored document: corrupt and told so, or a dispense whose record is sound JSON",
    run: document,
    seeds: document_seeds,
};

/// See [`Target::about`].
pub(super) const MONGO_OUTBOX: Target = Target {
    name: "mongo_outbox",
    about: "the events that wait in a stored document: corrupt and told so, or each there and back",
    run: outbox,
    seeds: outbox_seeds,
};

const ID: Uuid = Uuid::from_u128(0x29dc_859e_37fa_481d_8526_e95a_c760_36dd);

fn document(data: &[u8]) {
    match fuzzing::dispense(DispenseId::new(ID), data) {
        None => {}
        Some(Err(error)) => assert_keeps_quiet(&format!("{} {error:?}", error.with_causes())),
        Some(Ok(dispense)) => {
            assert!(DispenseStatus::ALL.contains(&dispense.status));
            assert!(
                fuzzing::belongs_to(data, dispense.owner, &dispense.subject),
                "it is its owner's and its patient's"
            );
            assert!(dispense.record.keys().all(|field| RECORD.field(field).is_some()));
            assert_keeps_quiet(&format!("{dispense:?}"));
            let json = Value::Object(dispense.record.clone()).to_string();
            assert_eq!(
                serde_json::from_str::<Value>(&json).ok(),
                Some(Value::Object(dispense.record.clone()))
            );
            comes_back(&dispense);
        }
    }
}

/// A dispense that is stored is read as what it was; then it is in its final form, and is stored as that for ever.
pub(super) fn comes_back(dispense: &Dispense) {
    let Ok(stored) = fuzzing::document(dispense) else { return };
    let read = fuzzing::dispense(dispense.id, &stored).expect("a document").expect("as ESOZ writes it");
    assert_eq!((read.id, read.status, read.owner), (dispense.id, dispense.status, dispense.owner));
    assert_eq!(read.subject, dispense.subject);
    let names: Vec<_> = dispense.record.keys().filter(|field| RECORD.field(field).is_some()).collect();
    assert!(names.into_iter().all(|field| read.record.contains_key(field)), "nothing is lost");
    let stored_again = fuzzing::document(&read).expect("what was stored once");
    let read_again = fuzzing::dispense(dispense.id, &stored_again).expect("a document").expect("the same");
    assert_eq!(read_again.record, read.record);
}

fn outbox(data: &[u8]) {
    match fuzzing::events(ID, data) {
        None => {}
        Some(Err(error)) => assert_keeps_quiet(&format!("{} {error:?}", error.with_causes())),
        Some(Ok(events)) => {
            for event in events {
                assert_eq!(event.entity_id, ID);
                let stored = fuzzing::outbox(&event).expect("it came from a document");
                let read = fuzzing::events(ID, &stored).expect("a document").expect("events");
                assert_eq!(read, std::slice::from_ref(&event));
                on_the_wire(&event);
            }
        }
    }
}

/// An event is one line of JSON, whatever is in it.
pub(super) fn on_the_wire(event: &esoz_events::StatusChangeEvent) {
    let json = wire::json(event);
    assert!(!json.contains('\n'));
    let message: Members = serde_json::from_str(&json).expect("an object");
    assert_eq!(message.0.len(), 7);
    for id in ["id", "entity_id", "changed_by"] {
        assert!(message.of(id)[0].as_str().is_some_and(is_uuid), "{json}");
    }
    assert_eq!(message.of("properties")[0]["status"]["new_value"], event.new_status.as_str());
    let time = message.of("event_time")[0].as_str().expect("a text");
    assert_eq!(time.parse().ok(), Some(esoz_kernel::time::to_millis(event.event_time)));
    assert_eq!(time.find('.').map(|point| time.len() - point), Some(".123Z".len()));
    assert_eq!(wire::key(event), event.entity_id.to_string());
}

fn bytes(document: &Document) -> Vec<u8> {
    RawDocumentBuf::try_from(document).expect("a document").into_bytes()
}

fn uuid(number: u128) -> Bson {
    let bytes = Uuid::from_u128(number).into_bytes().to_vec();
    Bson::Binary(bson::Binary { subtype: BinarySubtype::Uuid, bytes })
}

fn document_seeds() -> Vec<Vec<u8>> {
    let built = builders::dispense().id(DispenseId::new(ID)).build();
    let owner = |value: Bson| doc! { "identifier": { "type": { "text": CANARY }, "value": value } };
    let of = |owner_id: Bson, note: Bson| {
        doc! { "_id": uuid(1), "status": "in_progress", "subject": CANARY, "performer_legal_entity": owner(owner_id), "note": note }
    };
    let upper = "AFF00BF6-68BF-4B49-B66D-F031D48922B3";
    let decimal: bson::Decimal128 = "12.50".parse().expect("a decimal");
    let code = bson::JavaScriptCodeWithScope { code: "x".to_owned(), scope: doc! {} };
    let mut seeds = vec![fuzzing::document(&built).expect("a document")];
    let notes = [
        Bson::Double(f64::NAN),
        Bson::Decimal128(decimal),
        Bson::DateTime(bson::DateTime::MAX),
        Bson::Array(vec![
            Bson::Int64(i64::MIN),
            Bson::Document(doc! { "inserted_by": upper, "when_handed_over": 1 }),
        ]),
        Bson::JavaScriptCodeWithScope(code),
        Bson::Timestamp(bson::Timestamp { time: 3, increment: 4 }),
        Bson::Binary(bson::Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2, 3] }),
        Bson::MinKey,
    ];
    seeds.extend(notes.into_iter().map(|note| bytes(&of(uuid(2), note))));
    seeds.push(bytes(&of(upper.into(), CANARY.into())));
    seeds.push(bytes(&doc! { "status": CANARY, "subject": 1, "performer_legal_entity": [] }));
    seeds
}

fn outbox_seeds() -> Vec<Vec<u8>> {
    let event = builders::event_of(ID);
    let broken = doc! { "esoz_outbox": { "since": bson::DateTime::MIN, "events": [{ "id": uuid(1), "new_status": CANARY }] } };
    vec![
        fuzzing::outbox(&event).expect("an event"),
        fuzzing::outbox(&esoz_events::StatusChangeEvent { trace: None, ..event }).expect("an event"),
        bytes(&broken),
        bytes(&doc! { "esoz_outbox": { "events": [] } }),
    ]
}
