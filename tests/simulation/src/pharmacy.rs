//! What a dispense needs from its birth to its end: requests, registries in which everybody may act, and what clients send.

use async_trait::async_trait;
use esoz_device_dispense::{
    CreateInput, DeviceRequest, DeviceRequestRecord, Named, NewDetail, NewDevice, NewDispense,
};
use esoz_kernel::{
    Calendar, CivilDate, DeviceRequestId, DivisionId, EmployeeId, IdempotencyKey, PartyId, PatientId,
    RequestId, StoreError, Timestamp, UserId, time::rfc3339_millis,
};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, Employee, Location, Party, ProgramDevice, Registries, RegistryFacts,
    RegistryQuery,
};
use esoz_signed_content::{Drfo, DrfoDigest, DrfoDigests};
use esoz_testkit::builders::{device_request, employee_of, person, reference, stamps};
use serde_json::{Map, Value, json};

use crate::watch::Belongs;
use crate::world::id;

/// The taxpayer number of everybody: one person has all users.
pub(crate) const DRFO: &str = "1234567890";
/// The classification type that is prescribed.
const TYPE: &str = "30221";

/// The request of that number. The first asks for a quantity, so that it is completed by one dispense; the second goes on for ever.
pub(crate) fn request(number: usize, patient: PatientId) -> DeviceRequestRecord {
    let record = device_request();
    let is_once = number == 0;
    DeviceRequestRecord {
        facts: DeviceRequest {
            id: DeviceRequestId::new(id(9, number)),
            subject: esoz_device_dispense::Pseudonym::new(patient.uuid().to_string()),
            program: None,
            quantity: record.facts.quantity.filter(|_| is_once),
            occurrence_period: None,
            ..record.facts
        },
        stamps: stamps(),
    }
}

/// What a client sends to have the dispense recorded.
pub(crate) fn create(
    of: &Belongs,
    request_id: RequestId,
    idempotency_key: Option<IdempotencyKey>,
) -> CreateInput {
    let detail = NewDetail {
        device: NewDevice::Code { system: "types".to_owned(), code: TYPE.to_owned(), text: String::new() },
        quantity: 3.into(),
        unit: "piece".to_owned(),
        program_device: None,
        sell_price: None,
        discount_amount: None,
    };
    let body = NewDispense {
        id: of.dispense,
        performer: named(EmployeeId::new(id(10, 0))),
        location: named(DivisionId::new(id(11, 0))),
        based_on: named(of.request),
        program: None,
        primary_source: true,
        note: None,
        when_handed_over: None,
        verification_code: None,
        details: vec![detail],
    };
    CreateInput { patient_id: Some(of.patient), body, request_id, trace: None, idempotency_key }
}

fn named<Id>(id: Id) -> Named<Id> {
    Named { id, text: String::new() }
}

/// What is signed to complete the dispense, as it is stored.
pub(crate) fn completed(of: &Belongs, document: &Map<String, Value>) -> String {
    let handed_over = document.get("inserted_at").cloned();
    content(of, document, "completed", ("when_handed_over", handed_over.unwrap_or_default()))
}

/// The only reason in the dictionary of reasons for a mark in error.
pub(crate) const REASON: &str = "typo";

/// What is signed to mark the dispense in error, as it is stored.
pub(crate) fn in_error(of: &Belongs, document: &Map<String, Value>) -> String {
    let reason = json!({"coding": [{"system": "reasons", "code": REASON}], "text": ""});
    content(of, document, "entered_in_error", ("status_reason", reason))
}

fn content(of: &Belongs, document: &Map<String, Value>, status: &str, given: (&str, Value)) -> String {
    let stored = ["based_on", "performer", "location", "performer_legal_entity", "details"];
    let stored = stored.into_iter().filter_map(|field| Some((field, document.get(field)?.clone())));
    let own = [
        ("id", of.dispense.to_string().into()),
        ("subject", reference("patient", of.patient.uuid())),
        ("status", status.into()),
        given,
    ];
    let fields = own.into_iter().chain(stored).map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.collect()).to_string()
}

/// Registries in which whoever asks is an approved employee, and works where it is asked for.
pub(crate) struct PermissiveRegistries;

#[async_trait]
impl Registries for PermissiveRegistries {
    async fn facts(&self, query: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
        let employee = employee_of(party().id, query.legal_entity).facts;
        Ok(RegistryFacts {
            person: Some(person().facts),
            party: Some(party()),
            legal_entity_name: Some("Pharmacy".to_owned()),
            performer: Some(Employee { id: query.performer, name: "Pharmacist".to_owned(), ..employee }),
            location: Some(Location {
                legal_entity: query.legal_entity,
                is_active: true,
                is_in_use: true,
                is_dls_verified: None,
                name: "Branch".to_owned(),
            }),
            ..RegistryFacts::default()
        })
    }

    async fn program_devices(
        &self,
        _: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        Ok(Vec::new())
    }

    async fn party(&self, _: UserId) -> Result<Option<Party>, StoreError> {
        Ok(Some(party()))
    }
}

fn party() -> Party {
    Party { id: PartyId::new(id(12, 0)), drfo: Some(DrfoDigest::new(DRFO)) }
}

/// Numbers stand for themselves: how a digest is made plays no part here.
pub(crate) struct PlainDigests;

impl DrfoDigests for PlainDigests {
    fn of(&self, drfo: &Drfo) -> DrfoDigest {
        DrfoDigest::new(drfo.expose())
    }
}

/// The day in UTC.
pub(crate) struct UtcCalendar;

impl Calendar for UtcCalendar {
    fn day_of(&self, time: Timestamp) -> CivilDate {
        rfc3339_millis(time)[..10].parse().expect("a day")
    }
}
