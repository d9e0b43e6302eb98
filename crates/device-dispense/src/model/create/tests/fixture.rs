//! A create of which nothing is wrong: two packages of three pieces, of a device that a program pays 30 hryvnias for.

use esoz_kernel::{
    CivilDate, DeviceDefinitionId, DeviceRequestId, DispenseId, DivisionId, EmployeeId, LegalEntityId,
    MedicalProgramId, PartyId, ProgramDeviceId, Pseudonym, UserId, Uuid,
};
use esoz_registries::{
    DeviceDefinition, Employee, Location, MedicalProgram, Party, Person, PersonStatus, ProgramDevice,
    RegistryFacts, Reimbursement, VerificationStatus,
};

use super::super::*;
use crate::{DeviceRequest, DeviceRequestStatus, OccurrencePeriod, RequestedDevice, RequestedQuantity};

/// The type of the device.
pub(super) const STRIPS: &str = "strips";

pub(super) fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) fn named<Id>(id: Id) -> Named<Id> {
    Named { id, text: String::new() }
}

pub(super) fn device(number: u128) -> NewDevice {
    NewDevice::Reference(AnyReference { code: "device_definition".to_owned(), named: named(uuid(number)) })
}

pub(super) struct Fixture {
    pub(super) facts: CreateFacts,
    pub(super) found: RequestFacts,
}

/// The definition of a device of the type, in packages of three pieces.
pub(super) fn definition(number: u128) -> DeviceDefinition {
    DeviceDefinition {
        id: DeviceDefinitionId::new(uuid(number)),
        is_active: true,
        classification_type: STRIPS.to_owned(),
        packaging_unit: "piece".to_owned(),
        packaging_count: 3.into(),
    }
}

/// A device of the program.
pub(super) fn program_device(number: u128, of: u128) -> ProgramDevice {
    ProgramDevice {
        id: ProgramDeviceId::new(uuid(number)),
        program: MedicalProgramId::new(uuid(8)),
        device_definition: DeviceDefinitionId::new(uuid(of)),
        is_active: true,
        start_date: "2026-01-01".parse().unwrap(),
        end_date: None,
        reimbursement: Reimbursement::Fixed(30.into()),
        max_daily_count: Some(1.into()),
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        let (owner, party) = (LegalEntityId::new(uuid(2)), PartyId::new(uuid(3)));
        let subject = Pseudonym::new("P");
        let detail = NewDetail {
            device: device(9),
            quantity: 6.into(),
            unit: "piece".to_owned(),
            program_device: None,
            sell_price: Some(50.into()),
            discount_amount: Some(60.into()),
        };
        let body = NewDispense {
            id: DispenseId::new(uuid(1)),
            performer: named(EmployeeId::new(uuid(4))),
            location: named(DivisionId::new(uuid(5))),
            based_on: named(DeviceRequestId::new(uuid(6))),
            program: Some(named(MedicalProgramId::new(uuid(8)))),
            primary_source: true,
            note: None,
            when_handed_over: None,
            verification_code: None,
            details: vec![detail],
        };
        let registries = RegistryFacts {
            person: Some(Person { status: PersonStatus::Active, verification: VerificationStatus::Verified }),
            party: Some(Party { id: party, drfo: None }),
            legal_entity_name: Some("Аптека".to_owned()),
            performer: Some(Employee {
                id: EmployeeId::new(uuid(4)),
                party,
                legal_entity: owner,
                status: Employee::APPROVED.to_owned(),
                is_active: true,
                end_date: None,
                name: "Шевченко Т. Г.".to_owned(),
            }),
            location: Some(Location {
                legal_entity: owner,
                is_active: true,
                is_in_use: true,
                is_dls_verified: None,
                name: "Аптека № 1".to_owned(),
            }),
            program: Some(MedicalProgram { is_active: true, name: "Доступні ліки".to_owned() }),
            definitions: vec![definition(9)],
            program_devices: vec![(program_device(10, 9), definition(9))],
        };
        let request = DeviceRequest {
            id: DeviceRequestId::new(uuid(6)),
            subject: subject.clone(),
            status: DeviceRequestStatus::Active,
            intent: DeviceRequest::ORDER.to_owned(),
            program: Some(MedicalProgramId::new(uuid(8))),
            device: RequestedDevice::Type(STRIPS.to_owned()),
            quantity: Some(RequestedQuantity { value: 6.into(), code: "piece".to_owned() }),
            occurrence_period: Some(OccurrencePeriod { start: day("2026-01-01"), end: day("2026-01-31") }),
            dispense_valid_to: day("2026-02-28"),
            verification_code: None,
        };
        let facts = CreateFacts {
            body,
            subject,
            owner,
            user: UserId::new(uuid(7)),
            at: "2026-01-31T08:15:30.123Z".parse().unwrap(),
            today: day("2026-01-31"),
            registries,
            policy: CreatePolicy::default(),
        };
        Self { facts, found: RequestFacts { request: Some(request), ..RequestFacts::default() } }
    }

    pub(super) fn request(&mut self) -> &mut DeviceRequest {
        self.found.request.as_mut().unwrap()
    }

    pub(super) fn detail(&mut self) -> &mut NewDetail {
        &mut self.facts.body.details[0]
    }

    pub(super) fn decide(&self) -> Result<Dispense, CreateRefusal> {
        self.facts.decide(&self.found)
    }
}

pub(super) fn day(text: &str) -> CivilDate {
    text.parse().unwrap()
}
