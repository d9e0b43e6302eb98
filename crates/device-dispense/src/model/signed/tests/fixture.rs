//! Changes of which nothing is wrong.

use esoz_kernel::{
    DeviceRequestId, DispenseId, EventId, LegalEntityId, PatientId, Pseudonym, RequestId, UserId, Uuid,
};
use serde_json::{Value, json};

use super::super::*;
use crate::{
    DeviceRequest, DeviceRequestStatus, DispenseStatus, RequestedDevice, RequestedQuantity, StoredDispense,
};

pub(super) fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn at() -> Timestamp {
    "2026-01-31T08:15:30.123Z".parse().unwrap()
}

fn reference(code: &str, number: u128) -> Value {
    json!({
        "identifier": {"type": {"coding": [{"system": "eHealth/resources", "code": code}], "text": ""}, "value": uuid(number).to_string()},
        "display_value": "Назва",
    })
}

/// What is stored of the dispense.
fn record() -> Value {
    json!({
        "status": "in_progress",
        "status_reason": null,
        "status_history": [{"status": "in_progress", "inserted_at": "2026-01-30T08:00:00.000Z", "inserted_by": uuid(7).to_string()}],
        "based_on": reference("device_request", 6),
        "performer": reference("employee", 4),
        "location": reference("division", 5),
        "performer_legal_entity": reference("legal_entity", 2),
        "program": reference("medical_program", 8),
        "primary_source": true,
        "note": "n",
        "details": [{
            "device": reference("device_definition", 9),
            "quantity": {"value": 10, "system": "device_unit", "code": "piece", "unit": "шт"},
            "sell_price": 50.5,
        }],
        "inserted_at": "2026-01-30T08:00:00.000Z",
        "inserted_by": uuid(7).to_string(),
        "updated_at": "2026-01-30T08:00:00.000Z",
        "updated_by": uuid(7).to_string(),
    })
}

pub(super) struct Fixture {
    pub(super) stored: Value,
    pub(super) status: DispenseStatus,
    pub(super) owner: LegalEntityId,
    pub(super) subject: Pseudonym,
    pub(super) request: Option<DeviceRequest>,
    pub(super) signed: Value,
    pub(super) user: u128,
    pub(super) is_author_required: bool,
    pub(super) handed_over: Option<&'static str>,
}

impl Fixture {
    pub(super) fn new(status: &str) -> Self {
        let mut signed = record();
        signed["id"] = uuid(1).to_string().into();
        signed["subject"] = reference("patient", 3);
        signed["status"] = status.into();
        Self {
            stored: record(),
            status: DispenseStatus::InProgress,
            owner: LegalEntityId::new(uuid(2)),
            subject: Pseudonym::new("P"),
            request: Some(DeviceRequest {
                id: DeviceRequestId::new(uuid(6)),
                subject: Pseudonym::new("P"),
                status: DeviceRequestStatus::Active,
                intent: DeviceRequest::ORDER.to_owned(),
                program: None,
                device: RequestedDevice::Type("strips".to_owned()),
                quantity: Some(RequestedQuantity { value: 10.into(), code: "piece".to_owned() }),
                occurrence_period: None,
                dispense_valid_to: "2026-01-31".parse().unwrap(),
                verification_code: None,
            }),
            signed,
            user: 7,
            is_author_required: true,
            handed_over: Some("2026-01-31"),
        }
    }

    /// A complete of which nothing is wrong.
    pub(super) fn complete() -> Self {
        let mut fixture = Self::new("completed");
        fixture.signed["when_handed_over"] = "2026-01-31T10:15:30+02:00".into();
        fixture.signed["payment_amount"] = json!(10.50);
        fixture
    }

    /// A mark in error of which nothing is wrong.
    pub(super) fn mark() -> Self {
        let mut fixture = Self::new("entered_in_error");
        fixture.signed["status_reason"] =
            json!({"coding": [{"system": "reasons", "code": "duplicate"}], "text": "t"});
        fixture
    }

    fn change(&self, free: &[&str]) -> SignedChange {
        SignedChange {
            patient: PatientId::new(uuid(3)),
            subject: Pseudonym::new("P"),
            owner: LegalEntityId::new(uuid(2)),
            cause: Cause {
                at: at(),
                by: UserId::new(uuid(self.user)),
                request_id: RequestId::from_uuid(uuid(23)),
                trace: None,
            },
            today: "2026-01-31".parse().unwrap(),
            content: SignedDispense::parse(self.signed.to_string().as_bytes(), free, None).unwrap(),
            link: "key".to_owned(),
            event_ids: [EventId::new(uuid(21)), EventId::new(uuid(22))],
        }
    }

    fn found(&self) -> DispenseFacts {
        let Value::Object(record) = self.stored.clone() else { unreachable!() };
        let dispense = Dispense {
            id: DispenseId::new(uuid(1)),
            status: self.status,
            subject: self.subject.clone(),
            owner: self.owner,
            record,
        };
        let stored = Some(StoredDispense::from(dispense));
        DispenseFacts { stored, request: self.request.clone().map(Ok), ..DispenseFacts::default() }
    }

    pub(super) fn decide_complete(&self) -> Result<DispenseUpdate, ChangeRefusal> {
        let facts = CompleteFacts {
            change: self.change(&CompleteFacts::FREE),
            handed_over: self.handed_over.map(|day| day.parse().unwrap()),
            is_author_required: self.is_author_required,
        };
        facts.decide(self.found(), at()).unwrap()
    }

    /// What completing it gives when its request cannot be read.
    pub(super) fn complete_on_corrupt_request(
        &self,
    ) -> Result<Result<DispenseUpdate, ChangeRefusal>, StoreError> {
        let request = Some(Err(StoreError::corrupt("device_requests", "6", "status")));
        let found = DispenseFacts { request, ..self.found() };
        let change = self.change(&CompleteFacts::FREE);
        CompleteFacts { change, handed_over: None, is_author_required: true }.decide(found, at())
    }

    pub(super) fn decide_mark(&self) -> Result<DispenseUpdate, ChangeRefusal> {
        let reasons = ["duplicate".to_owned(), "incorrect_device".to_owned()].into();
        MarkInErrorFacts { change: self.change(&MarkInErrorFacts::FREE), reasons }
            .decide(self.found(), at())
            .unwrap()
    }

    pub(super) fn request(&mut self) -> &mut DeviceRequest {
        self.request.as_mut().unwrap()
    }
}
