//! The dispense of the description's examples.

use esoz_device_dispense::{Dispense, DispenseStatus, ListedDispense, Pseudonym};
use esoz_kernel::{DispenseId, LegalEntityId, Page, PatientId, Uuid};
use serde_json::{Map, Value, json};

use super::{DispenseFields, reference, rendered};
use crate::openapi::example::USER;

pub(super) const PATIENT: Uuid = Uuid::from_u128(0x7c3d_a506_804d_4550_8993_bf17_f9ee_0402);
pub(super) const DISPENSE: Uuid = Uuid::from_u128(0xaff0_0bf6_68bf_4b49_b66d_f031_d489_22b3);
const PHARMACY: Uuid = Uuid::from_u128(0x4cbf_3a4b_4a5e_4a0b_9d35_0b1c_2f0a_6d11);

/// A stopped dispense, as it is shown.
pub(super) fn stopped() -> DispenseFields {
    shown(DispenseStatus::Stopped, json!({}))
}

/// A dispense that was just recorded.
pub(super) fn created() -> DispenseFields {
    shown(DispenseStatus::InProgress, json!({"status_reason": null}))
}

/// A completed dispense.
pub(super) fn completed() -> DispenseFields {
    let set = json!({"when_handed_over": "2026-01-31T08:30:00.000Z", "payment_amount": 54.5, "signed_content_links": links()});
    shown(DispenseStatus::Completed, set)
}

/// The links to the containers of a signed dispense.
fn links() -> Value {
    json!([format!("2026-01-31/{DISPENSE}/0192a4f0-6c1e-7b34-9d2f-5e8a7c6041bb")])
}

/// A dispense that was marked in error.
pub(super) fn marked_in_error() -> DispenseFields {
    let system = "device_dispense_mark_in_error_reasons";
    let reason = json!({"coding": [{"system": system, "code": "incorrect_patient"}], "text": ""});
    let mut history = record(DispenseStatus::EnteredInError).remove("status_history");
    if let Some(Value::Object(entry)) = history.as_mut().and_then(|history| history.pointer_mut("/1")) {
        entry.insert("status_reason".to_owned(), reason.clone());
    }
    let set = json!({
        "status_reason": reason, "status_history": history, "explanatory_letter": "The other of two brothers.",
        "signed_content_links": links(),
    });
    shown(DispenseStatus::EnteredInError, set)
}

/// A dispense of that status with these fields as well, as it is shown.
fn shown(status: DispenseStatus, set: Value) -> DispenseFields {
    let mut dispense = dispense(status);
    if let Value::Object(set) = set {
        dispense.record.extend(set);
    }
    rendered(dispense, Some(PatientId::new(PATIENT)))
}

/// A list with a stopped dispense of that patient.
pub(super) fn page(patient: Option<Uuid>) -> Page<ListedDispense> {
    Page { items: vec![(dispense(DispenseStatus::Stopped), patient.map(PatientId::new))], total_entries: 1 }
}

fn dispense(status: DispenseStatus) -> Dispense {
    Dispense {
        id: DispenseId::new(DISPENSE),
        status,
        subject: Pseudonym::new(""),
        owner: LegalEntityId::new(PHARMACY),
        record: record(status),
    }
}

fn record(status: DispenseStatus) -> Map<String, Value> {
    let (user, begun, ended) = (USER.to_string(), "2026-01-31T08:15:30.123Z", "2026-01-31T09:02:11.480Z");
    let entry = |status: DispenseStatus, at| json!({"status": status.as_str(), "inserted_at": at, "inserted_by": user});
    let mut history = vec![entry(DispenseStatus::InProgress, begun)];
    let is_changed = status != DispenseStatus::InProgress;
    history.extend(is_changed.then(|| entry(status, ended)));
    let record = json!({
        "status": status.as_str(),
        "status_history": history,
        "based_on": reference("device_request", "f2c5c1a6-1c5b-4b7e-8b44-7b0c1d2e3f40"),
        "performer": reference("employee", "0d7f6d8e-2f1a-4f6c-9f0b-3f8f2b6f7a51"),
        "location": reference("division", "b075f148-7f93-4fc2-b2ec-2d81b19a9b7b"),
        "performer_legal_entity": reference("legal_entity", &PHARMACY.to_string()),
        "program": reference("medical_program", "3f9d6f2e-6c55-4f0e-8a0e-55b0e6d1c862"),
        "primary_source": true,
        "details": [{
            "device_code": {
                "coding": [{"system": "device_definition_classification_type", "code": "30221"}],
                "text": "",
            },
            "quantity": {"value": 2, "system": "device_unit", "code": "piece", "unit": "шт"},
            "sell_price": 100.5,
            "reimbursement_amount": 73.75,
        }],
        "inserted_at": begun,
        "inserted_by": user,
        "updated_at": if is_changed { ended } else { begun },
        "updated_by": user,
    });
    match record {
        Value::Object(record) => record,
        _ => Map::new(),
    }
}
