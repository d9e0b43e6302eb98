//! Lines of each kind, good ones and bad ones.

mod bad;
mod device_request;
mod export;
mod field;
mod good;
mod registries;
mod registry_faults;
mod unknown;

use esoz_device_dispense::{MockPatientPseudonyms, PatientPseudonyms, Pseudonym};
use esoz_kernel::{PatientId, Stamps, Timestamp};
use esoz_signed_content::{Drfo, DrfoDigest, DrfoDigests};
use serde_json::json;

use super::*;
use crate::{PseudonymousLines, SYSTEM_USER, UnknownFields};

const PATIENT: &str = "7C3DA506-804D-4550-8993-BF17F9EE0402";

/// The n-th UUID as a line spells it, and as it is stored.
fn upper(n: u32) -> String {
    format!("AAAAAAAA-0000-4000-8000-{n:012}")
}

fn lower(n: u32) -> String {
    upper(n).to_lowercase()
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(n: u32) -> T {
    upper(n).parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn pseudonyms() -> impl PatientPseudonyms {
    let patient: PatientId = PATIENT.parse().unwrap();
    let mut pseudonyms = MockPatientPseudonyms::new();
    pseudonyms.expect_of().withf(move |given| *given == patient).return_const(Pseudonym::new("P"));
    pseudonyms
}

/// The digests of a test: the number, told apart from others.
struct Digests;

impl DrfoDigests for Digests {
    fn of(&self, drfo: &Drfo) -> DrfoDigest {
        DrfoDigest::new(format!("digest of {}", drfo.expose()))
    }
}

fn parse_with(line: &str, unknown_fields: UnknownFields) -> Result<Record, LineError> {
    let now = time("2026-02-03T04:05:06.123456789Z");
    let pseudonymous_lines = PseudonymousLines::Refuse;
    let (pseudonyms, drfo_digests) = (&pseudonyms(), &Digests);
    parse_line(line, &ImportContext { now, pseudonyms, drfo_digests, unknown_fields, pseudonymous_lines })
}

fn parse_text(line: &str) -> Result<Record, LineError> {
    parse_with(line, UnknownFields::Refuse)
}

fn parse(kind: &str, data: &Value) -> Result<Record, LineError> {
    parse_text(&json!({"kind": kind, "data": data}).to_string())
}

/// The same data with one thing done to it.
fn with(data: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut data = data.clone();
    change(&mut data);
    data
}

fn without(data: &Value, field: &str) -> Value {
    with(data, |data| {
        data.as_object_mut().unwrap().remove(field).unwrap();
    })
}

fn add(data: &mut Value, fields: &Value) {
    let fields = fields.as_object().unwrap().clone();
    data.as_object_mut().unwrap().extend(fields);
}

/// The four optional fields, given, and as they are read.
fn given_stamps() -> (Value, Stamps) {
    let fields = json!({
        "inserted_at": "2026-01-01T02:00:00.123456789+02:00", "inserted_by": upper(90),
        "updated_at": "2026-01-02T00:00:00Z", "updated_by": upper(91),
    });
    let stamps = Stamps {
        inserted_at: time("2026-01-01T00:00:00.123456Z"),
        inserted_by: id(90),
        updated_at: time("2026-01-02T00:00:00Z"),
        updated_by: id(91),
    };
    (fields, stamps)
}

fn default_stamps() -> Stamps {
    let now = time("2026-02-03T04:05:06.123456Z");
    Stamps { inserted_at: now, inserted_by: SYSTEM_USER, updated_at: now, updated_by: SYSTEM_USER }
}

fn legal_entity() -> Value {
    json!({"id": upper(1), "name": "Аптека", "edrpou": "12345678", "type": "PHARMACY", "status": "SUSPENDED", "is_active": true})
}

fn division() -> Value {
    json!({
        "id": upper(2), "legal_entity_id": upper(1), "name": "Філія", "type": "CLINIC", "status": "INACTIVE", "is_active": true,
        "dls_verified": false,
    })
}

fn contract() -> Value {
    json!({
        "id": upper(3), "type": "GB_CBP", "status": "TERMINATED", "contract_number": "0000-1", "contractor_legal_entity_id": upper(1),
        "start_date": "2026-01-01", "end_date": "2026-12-31", "is_active": true, "is_suspended": false,
    })
}

fn contract_division() -> Value {
    json!({"id": upper(4), "contract_id": upper(3), "division_id": upper(2), "is_active": false})
}

fn person() -> Value {
    json!({"id": PATIENT, "status": "active", "verification_status": "VERIFICATION_NOT_NEEDED"})
}

/// The taxpayer number of the party, as it is written there.
const TAX_ID: &str = "36 9000 4711";

fn party() -> Value {
    json!({"id": upper(20), "tax_id": TAX_ID, "users": [upper(91), upper(90)]})
}

fn employee() -> Value {
    json!({
        "id": upper(21), "party_id": upper(20), "legal_entity_id": upper(1), "type": "PHARMACIST", "status": "APPROVED",
        "is_active": true, "end_date": "9999-12-31", "name": "Олена Б.",
    })
}

fn medical_program() -> Value {
    json!({"id": upper(22), "name": "Програма", "type": "DEVICE", "is_active": true})
}

fn device_definition() -> Value {
    json!({
        "id": upper(23), "name": "Смужки", "is_active": true, "classification_type": "30221", "packaging_unit": "piece",
        "packaging_count": 50,
    })
}

fn program_device() -> Value {
    json!({
        "id": upper(24), "program_id": upper(22), "device_definition_id": upper(23), "is_active": true,
        "start_date": "2026-01-01", "end_date": "2026-12-31", "reimbursement": {"type": "FIXED", "amount": 100.07},
        "max_daily_count": 0.5,
    })
}

fn reference(code: &str, n: u32) -> Value {
    json!({"identifier": {"type": {"coding": [{"system": "eHealth/resources", "code": code}]}, "value": upper(n)}})
}

fn stored_reference(code: &str, n: u32) -> Value {
    json!({
        "identifier": {"type": {"coding": [{"system": "eHealth/resources", "code": code}], "text": ""}, "value": lower(n)},
        "display_value": null,
    })
}

fn concept() -> Value {
    json!({"coding": [{"system": "some/codes", "code": "x"}]})
}

/// A dispense with what it must have, and no more.
fn dispense() -> Value {
    json!({
        "id": upper(5), "patient_id": PATIENT, "status": "in_progress",
        "based_on": reference("device_request", 10), "performer": reference("employee", 11),
        "location": reference("division", 12), "performer_legal_entity": reference("legal_entity", 13),
        "details": [{"device_code": concept(), "quantity": quantity()}],
    })
}

fn quantity() -> Value {
    json!({"value": 2, "system": "eHealth/units", "code": "piece", "unit": "шт"})
}

/// A dispense with everything that it can have.
fn full_dispense() -> Value {
    let stamps = given_stamps().0;
    with(&dispense(), |data| {
        add(data, &stamps);
        add(
            data,
            &json!({
                "status_reason": {"coding": [{"system": "some/codes", "code": "x"}], "text": "so"},
                "status_history": [
                    {"status": "in_progress", "inserted_at": "2026-01-01T00:00:00Z", "inserted_by": upper(90)},
                    {"status": "stopped", "status_reason": null, "inserted_at": "2026-01-01T00:00:00.9999Z", "inserted_by": upper(91)},
                ],
                "program": reference("medical_program", 14),
                "primary_source": true, "when_handed_over": "2026-01-01T10:00:00+02:00", "note": null, "explanatory_letter": "Лист",
                "details": [{
                    "device": reference("device_definition", 15), "device_code": null, "quantity": quantity(),
                    "program_device": {"any": ["thing"]}, "sell_price": 10.05, "discount_amount": 0, "reimbursement_amount": 10,
                }],
                "payment_id": "p", "payment_amount": 1e3, "part_of": {"any": 1}, "encounter": {"any": 2}, "context_episode_id": "e",
                "origin_episode_id": null, "supporting_info": [1, {"a": null}], "external_provider": {}, "report_origin": [],
                "signed_content_links": ["link"],
            }),
        );
    })
}

/// A device request with what it must have, and no more.
fn device_request() -> Value {
    json!({
        "id": upper(6), "patient_id": PATIENT, "status": "active", "intent": "order", "code": "30221",
        "dispense_valid_to": "2026-03-31",
    })
}

/// A device request with everything that it can have.
fn full_device_request() -> Value {
    let stamps = given_stamps().0;
    with(&without(&device_request(), "code"), |data| {
        add(data, &stamps);
        add(
            data,
            &json!({
                "program": upper(14), "code": null, "code_reference": upper(15),
                "quantity": {"value": 12.50, "system": "device_unit", "code": "piece"},
                "occurrence_period": {"start": "2026-01-01", "end": "2026-01-31"}, "verification_code": "0420",
            }),
        );
    })
}

/// A good line of each kind.
fn every_kind() -> [(&'static str, Value); 12] {
    [
        ("legal_entity", legal_entity()),
        ("division", division()),
        ("contract", contract()),
        ("contract_division", contract_division()),
        ("person", person()),
        ("party", party()),
        ("employee", employee()),
        ("medical_program", medical_program()),
        ("device_definition", device_definition()),
        ("program_device", program_device()),
        ("device_request", device_request()),
        ("device_dispense", dispense()),
    ]
}
