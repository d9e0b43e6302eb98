//! The answers of a stop.

use esoz_auth::{AuthError, Principal, Scope};
use esoz_device_dispense::{Dispense, DispenseStatus, Pseudonym, StopError, StopPermit};
use esoz_kernel::{ClientId, DispenseId, LegalEntityId, PatientId, UserId, Uuid};
use esoz_legal_entity::LegalEntityError;
use serde_json::{Map, Value, json};
use utoipa::IntoResponses;

use super::answers::{Answers, Responses};
use crate::context::Repetition;
use crate::extract::body;
use crate::routes::device_dispenses::{reference, rendered};

const PATIENT: Uuid = Uuid::from_u128(0x7c3d_a506_804d_4550_8993_bf17_f9ee_0402);
const DISPENSE: Uuid = Uuid::from_u128(0xaff0_0bf6_68bf_4b49_b66d_f031_d489_22b3);
const PHARMACY: Uuid = Uuid::from_u128(0x4cbf_3a4b_4a5e_4a0b_9d35_0b1c_2f0a_6d11);

/// The user of the examples.
pub(super) const USER: Uuid = Uuid::from_u128(0x5a3a_9d04_c5c0_4a5d_8b1f_2a3f_6f5f_1c77);

/// What a stop may answer.
pub(crate) struct StopAnswers;

impl IntoResponses for StopAnswers {
    fn responses() -> Responses {
        let path = format!("/api/patients/{PATIENT}/device_dispenses/{DISPENSE}/actions/stop");
        let stopped = rendered(dispense(), Some(PatientId::new(PATIENT)));
        Answers::of_path(&path, "PATCH")
            .under_load()
            .with_budgets()
            .with_body()
            .success("stopped", "The dispense after the change.", "DeviceDispense", stopped)
            .failure("no_bearer_token", &AuthError::NoBearerToken)
            .failure("invalid_token", &AuthError::InvalidToken)
            .refusals([
                ("malformed", body::parse_nothing(b"{")),
                ("not_an_object", body::parse_nothing(b"[]")),
                ("additional_property", body::parse_nothing(br#"{"reason":1}"#)),
            ])
            .refusals([("idempotency_key", Repetition::Unclear.key())])
            .failed("missing_allowance", StopPermit::for_caller(&without_scope()))
            .failure("not_found", &StopError::NotFound)
            .failure("invalid_type", &StopError::LegalEntity(LegalEntityError::InvalidType))
            .failure("not_active", &StopError::LegalEntity(LegalEntityError::NotActive))
            .failure("wrong_status", &StopError::WrongStatus(DispenseStatus::Completed))
            .failure("already_stopped", &StopError::WrongStatus(DispenseStatus::Stopped))
            .failure("idempotency_key_reused", &StopError::KeyReused)
            .responses()
    }
}

/// A caller who may do nothing.
pub(super) fn without_scope() -> Principal {
    Principal { user_id: UserId::new(USER), client_id: ClientId::new(PHARMACY), scope: Scope::default() }
}

fn dispense() -> Dispense {
    Dispense {
        id: DispenseId::new(DISPENSE),
        status: DispenseStatus::Stopped,
        subject: Pseudonym::new(""),
        owner: LegalEntityId::new(PHARMACY),
        record: record(),
    }
}

/// What such a dispense holds.
fn record() -> Map<String, Value> {
    let (user, begun, stopped) = (USER.to_string(), "2026-01-31T08:15:30.123Z", "2026-01-31T09:02:11.480Z");
    let record = json!({
        "status": DispenseStatus::Stopped.as_str(),
        "status_history": [
            {"status": DispenseStatus::InProgress.as_str(), "inserted_at": begun, "inserted_by": user},
            {"status": DispenseStatus::Stopped.as_str(), "inserted_at": stopped, "inserted_by": user},
        ],
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
        "updated_at": stopped,
        "updated_by": user,
    });
    match record {
        Value::Object(record) => record,
        _ => Map::new(),
    }
}
