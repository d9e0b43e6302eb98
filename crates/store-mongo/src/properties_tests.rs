//! Collections as others may have written them, drawn at random: what is shown of them never fails, and what is loaded is shown as it was.

use bson::{Document, RawDocument, RawDocumentBuf};
use esoz_device_dispense::{Dispense, DispenseStatus, Pseudonym, RECORD};
use esoz_kernel::{DispenseId, LegalEntityId, Uuid};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::device_dispense::{bson_to_json, document};
use crate::event;

#[path = "../tests/support/drawn.rs"]
mod drawn;

use drawn::{bsons, names, texts};

const ID: DispenseId = DispenseId::new(Uuid::from_u128(1));
const OWNER: LegalEntityId = LegalEntityId::new(Uuid::from_u128(2));

fn jsons(special: bool) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names(special), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A record with any content in fields that no rule reads and that hold neither users nor times.
fn records(special: bool) -> impl Strategy<Value = Map<String, Value>> {
    let fields = ["note", "details", "supporting_info", "payment_amount", "signed_content_links", "part_of"];
    prop::collection::vec((prop::sample::select(fields.to_vec()), jsons(special)), 0..6)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn loaded(record: Map<String, Value>) -> Dispense {
    let (status, subject) = (DispenseStatus::InProgress, Pseudonym::new("S"));
    Dispense { id: ID, status, subject, owner: OWNER, record }
}

/// What is shown of a dispense that was loaded with that record, but for what the dispense itself says.
fn shown(record: Map<String, Value>) -> Map<String, Value> {
    let stored = document::from_dispense(&loaded(record)).expect("a document");
    let found = document::to_dispense(ID, &stored).and_then(|found| found.dispense).expect("a dispense");
    assert_eq!((found.status, found.owner), (DispenseStatus::InProgress, OWNER));
    let mut record = found.record;
    record.retain(|name, _| !["status", "performer_legal_entity"].contains(&name.as_str()));
    record
}

fn documents() -> impl Strategy<Value = RawDocumentBuf> {
    let known = prop::sample::select(RECORD.fields).prop_map(|field| field.name.to_owned());
    prop::collection::vec((prop_oneof![3 => known, 1 => names(true)], bsons()), 0..8)
        .prop_filter_map("a document", |fields| {
            RawDocumentBuf::try_from(&fields.into_iter().collect::<Document>()).ok()
        })
}

proptest! {
    #[test]
    fn what_was_loaded_is_shown_as_it_was(record in records(false)) {
        prop_assert_eq!(shown(record.clone()), record);
    }

    #[test]
    fn what_is_shown_is_shown_the_same_when_it_is_loaded_again(record in records(true)) {
        let once = shown(record);
        prop_assert_eq!(shown(once.clone()), once);
    }

    #[test]
    fn every_document_of_others_is_shown(document in documents()) {
        let record = bson_to_json::record(&document);
        for name in record.keys() {
            prop_assert!(RECORD.field(name).is_some());
        }
        let stored = Document::try_from(document.clone()).expect("a document");
        for name in RECORD.fields.iter().map(|field| field.name) {
            prop_assert_eq!(record.contains_key(name), stored.contains_key(name), "{}", name);
        }
        // What rules read is strict, and says where; nothing of the document stands in what it says.
        if let Err(error) = document::to_dispense(ID, &document).and_then(|found| found.dispense) {
            let told = error.to_string();
            prop_assert!(told.contains("reading device_dispenses, id 00000000-0000-0000-0000-000000000001: field "), "{}", told);
        }
    }

    #[test]
    fn damaged_documents_are_shown_as_far_as_they_can_be_read(document in documents(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = document.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(damaged) = RawDocument::from_bytes(&bytes) {
            let _ = (bson_to_json::record(damaged), document::to_dispense(ID, damaged).is_ok(), event::events(crate::COLLECTION, ID.uuid(), damaged).map(Iterator::count).is_ok());
        }
    }

    #[test]
    fn an_event_is_read_back_as_it_was(ids in any::<[u128; 3]>(), millis in 0_i64..4_102_444_800_000, status in any::<String>(), traced in any::<bool>()) {
        let [id, user, request] = ids.map(Uuid::from_u128);
        let event = esoz_events::StatusChangeEvent {
            id: esoz_kernel::EventId::new(id),
            entity_type: esoz_events::EntityType::DEVICE_DISPENSE,
            entity_id: ID.uuid(),
            new_status: status,
            event_time: esoz_kernel::Timestamp::from_millisecond(millis).expect("a time"),
            changed_by: esoz_kernel::UserId::new(user),
            request_id: esoz_kernel::RequestId::from_uuid(request),
            trace: traced.then(|| esoz_kernel::TraceContext::new(7, 8, true)).flatten(),
        };
        let mut stored = Document::new();
        stored.insert("esoz_outbox", bson::doc! {"events": [event::stored(&event)]});
        let stored = RawDocumentBuf::try_from(&stored).expect("a document");
        let read: Result<Vec<_>, _> = event::events(crate::COLLECTION, ID.uuid(), &stored).expect("events").collect();
        prop_assert_eq!(read.expect("events"), vec![event]);
    }
}
