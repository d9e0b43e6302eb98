//! Text that is stored in the SQLite file.

use esoz_device_dispense::{Dispense, DispenseStatus, RECORD};
use esoz_kernel::RequestId;
use esoz_store_sqlite::fuzzing;
use esoz_testkit::builders;
use serde_json::Value;

use super::{Target, mongo, seeds};
use crate::json::has_twice;
use crate::secrecy::assert_keeps_quiet;

/// See [`Target::about`].
pub(super) const SQLITE_DOCUMENT: Target = Target {
    name: "sqlite_document",
    about: "a stored document: corrupt and told so, or a dispense that is stored as the same document again",
    run: document,
    seeds: || {
        let built = builders::dispense().build();
        let mut all = seeds([
            r#"{"status":"canary-7f3a","subject":"canary-7f3a"}"#,
            r#"{"status":"stopped","subject":"S","performer_legal_entity":{"identifier":{"value":"canary-7f3a"}}}"#,
            r#"{"status":"in_progress","subject":"S","performer_legal_entity":{"identifier":{"value":"AFF00BF6-68BF-4B49-B66D-F031D48922B3"}},"note":1e400}"#,
            r#"{"status":"in_progress","subject":"","performer_legal_entity":{"identifier":{"value":"aff00bf6-68bf-4b49-b66d-f031d48922b3"}},"payment_amount":0.1,"x":[]}"#,
            r#"{"status":"stopped","subject":"S","performer_legal_entity":{"identifier":{"value":"aff00bf6-68bf-4b49-b66d-f031d48922b3"}},"status":1}"#,
            "[]",
        ]);
        all.push(fuzzing::document(&built).expect("a document").into_bytes());
        all
    },
};

/// See [`Target::about`].
pub(super) const SQLITE_OUTBOX: Target = Target {
    name: "sqlite_outbox",
    about: "a row of the outbox, a column a line: corrupt and told so, or an event",
    run: outbox,
    seeds: || {
        seeds([
            "29dc859e-37fa-481d-8526-e95ac76036dd\nDeviceDispense\n07ba637c-15d8-46fb-8304-c738a54e14bb\nstopped\n2026-01-31T08:15:30.123Z\n5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01\n0192a4f0-6c1e-7b34-9d2f-5e8a7c6041bb\n00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "29dc859e-37fa-481d-8526-e95ac76036dd\nDeviceDispense\n07ba637c-15d8-46fb-8304-c738a54e14bb\n\"\\canary-7f3a\n-009999-01-02T01:59:59Z\n5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01\ncanary-7f3a-canary-7f3a",
            "x\ncanary-7f3a\ncanary-7f3a\n\n\n\n\n",
        ])
    },
};

const ID: &str = "29dc859e-37fa-481d-8526-e95ac76036dd";

fn document(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match fuzzing::dispense(ID, text) {
        Err(error) => assert_keeps_quiet(&format!("{} {error:?}", error.with_causes())),
        Ok(dispense) => {
            assert!(DispenseStatus::ALL.contains(&dispense.status));
            assert!(dispense.record.keys().all(|field| RECORD.field(field).is_some()));
            assert_keeps_quiet(&format!("{dispense:?}"));
            // Of what stands twice the first counts; `canceled` is read as `cancelled`; what no reader of JSON holds (a number like 1e400, deep nesting) is shown as its text.
            if !has_twice(text)
                && let Ok(given) =
                    serde_json::from_str::<Value>(&text.replace("\"canceled\"", "\"cancelled\""))
            {
                assert_eq!(given["status"], dispense.status.as_str());
                assert!(
                    dispense.record.iter().all(|(field, value)| given[field] == *value),
                    "carried as it is"
                );
            }
            comes_back(&dispense);
        }
    }
}

/// A dispense that is stored is read as exactly what it was.
pub(super) fn comes_back(dispense: &Dispense) {
    let stored = fuzzing::document(dispense).expect("its owner is in its record");
    let read = fuzzing::dispense(&dispense.id.to_string(), &stored).expect("as ESOZ writes it");
    let shown = dispense.record.iter().filter(|(field, _)| RECORD.field(field).is_some());
    assert_eq!(read.record, shown.map(|(field, value)| (field.clone(), value.clone())).collect());
    assert_eq!((read.id, read.status, read.owner), (dispense.id, dispense.status, dispense.owner));
    assert_eq!(read.subject, dispense.subject);
}

fn outbox(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let row = [(); 7].map(|()| lines.next().unwrap_or_default());
    let traceparent = lines.next();
    match fuzzing::event(row, traceparent) {
        Err(error) => {
            let told = format!("{} {error:?}", error.with_causes());
            // The id of an event says which row to look at, and nothing about anybody.
            assert!(row[0].contains("canary-7f3a") || !told.contains("canary-7f3a"), "{told}");
        }
        Ok(event) => {
            assert_eq!(event.id.to_string(), row[0].to_ascii_lowercase());
            assert_eq!((event.entity_type.as_str(), event.new_status.as_str()), (row[1], row[3]));
            assert!(RequestId::parse(row[6]).is_some());
            mongo::on_the_wire(&event);
        }
    }
}
