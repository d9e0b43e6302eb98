use esoz_kernel::{
    ClientId, DeviceDefinitionId, DeviceRequestId, DispenseId, DivisionId, EmployeeId, LegalEntityId,
    MedicalProgramId, ProgramDeviceId, StoreErrorKind, UserId, Uuid, Written,
};
use esoz_legal_entity::{LegalEntity, LegalEntityStatus, LegalEntityType, MockLegalEntities};
use esoz_registries::{
    DeviceDefinition, MedicalProgram, MockRegistries, ProgramDevice, RegistryFacts, Reimbursement,
};
use pollster::block_on;

use super::super::fixtures::{FixedCalendar, FixedClock, FixedIds, permit};
use super::*;
use crate::{
    AnyReference, DeviceRequest, DeviceRequestStatus, MockDispenseWrites, MockPatientPseudonyms, Named,
    NewDetail, RequestFacts, RequestedDevice,
};

const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));
const USER: UserId = UserId::new(Uuid::from_u128(7));

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn named<Id>(id: Id) -> Named<Id> {
    Named { id, text: String::new() }
}

fn input() -> CreateInput {
    let detail = NewDetail {
        device: NewDevice::Reference(AnyReference {
            code: "device_definition".to_owned(),
            named: named(uuid(9)),
        }),
        quantity: 6.into(),
        unit: "piece".to_owned(),
        program_device: None,
        sell_price: None,
        discount_amount: None,
    };
    CreateInput {
        patient_id: Some(PatientId::new(uuid(3))),
        body: NewDispense {
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
        },
        request_id: RequestId::from_uuid(uuid(23)),
        trace: None,
        idempotency_key: IdempotencyKey::parse("key"),
    }
}

fn request() -> DeviceRequest {
    DeviceRequest {
        id: DeviceRequestId::new(uuid(6)),
        subject: Pseudonym::new("P"),
        status: DeviceRequestStatus::Active,
        intent: DeviceRequest::ORDER.to_owned(),
        program: Some(MedicalProgramId::new(uuid(8))),
        device: RequestedDevice::Type("strips".to_owned()),
        quantity: None,
        occurrence_period: None,
        dispense_valid_to: "2026-12-31".parse().unwrap(),
        verification_code: None,
    }
}

fn legal_entities(status: LegalEntityStatus) -> Arc<MockLegalEntities> {
    let mut legal_entities = MockLegalEntities::new();
    legal_entities
        .expect_find()
        .returning(move |id| Ok(Some(LegalEntity { id, kind: LegalEntityType::new("PHARMACY"), status })));
    Arc::new(legal_entities)
}

fn operation(writes: MockDispenseWrites, registries: MockRegistries) -> CreateDispense {
    let mut pseudonyms = MockPatientPseudonyms::new();
    pseudonyms.expect_of().returning(|_| Pseudonym::new("P"));
    CreateDispense {
        writes: Arc::new(writes),
        registries: Arc::new(registries),
        legal_entities: legal_entities(LegalEntityStatus::Active),
        allowed_types: AllowedTypes::default(),
        pseudonyms: Arc::new(pseudonyms),
        clock: Arc::new(FixedClock),
        calendar: Arc::new(FixedCalendar),
        ids: Arc::new(FixedIds),
        policy: CreatePolicy { lifetime: Some(std::time::Duration::from_mins(1)), ..CreatePolicy::default() },
    }
}

fn execute(operation: &CreateDispense, input: CreateInput) -> Result<Dispense, CreateError> {
    block_on(operation.execute(&permit(USER, CLIENT), input))
}

#[test]
fn given_a_create_then_registries_and_store_are_asked_for_what_it_names_and_no_more() {
    let (mut writes, mut registries) = (MockDispenseWrites::new(), MockRegistries::new());
    registries.expect_facts().once().returning(|query| {
        let expected = RegistryQuery {
            subject: Pseudonym::new("P"),
            user: USER,
            legal_entity: LegalEntityId::new(uuid(2)),
            performer: EmployeeId::new(uuid(4)),
            location: DivisionId::new(uuid(5)),
            program: Some(MedicalProgramId::new(uuid(8))),
            definitions: vec![DeviceDefinitionId::new(uuid(9)), DeviceDefinitionId::new(uuid(10))],
            program_devices: DeviceChoice {
                ids: vec![ProgramDeviceId::new(uuid(11))],
                program: Some(MedicalProgramId::new(uuid(8))),
                definitions: vec![DeviceDefinitionId::new(uuid(9)), DeviceDefinitionId::new(uuid(10))],
                classification_types: vec!["strips".to_owned()],
            },
        };
        assert_eq!(*query, expected);
        Ok(RegistryFacts::default())
    });
    writes.expect_request_facts().once().returning(|query| {
        let expected = RequestQuery {
            request: DeviceRequestId::new(uuid(6)),
            id: DispenseId::new(uuid(1)),
            active_since: Some("2026-01-31T08:14:30.123Z".parse().unwrap()),
            codes_since: "2026-01-31T07:15:30.123Z".parse().unwrap(),
        };
        assert_eq!(*query, expected);
        Ok(RequestFacts::default())
    });
    writes.expect_create().once().returning(|create| {
        let refused = (create.decide)(&create.seen).unwrap_err();
        assert!(create.idempotency.is_some());
        assert_eq!((create.event.entity_id, create.event.new_status.as_str()), (uuid(1), "in_progress"));
        assert_eq!((create.at, create.event.event_time), (create.event.event_time, create.at));
        assert_eq!(
            (create.owner, create.subject.clone()),
            (LegalEntityId::new(uuid(2)), Pseudonym::new("P"))
        );
        Ok(Written::Refused(refused))
    });
    let mut input = input();
    let mut other = input.body.details[0].clone();
    other.device =
        NewDevice::Reference(AnyReference { code: "device_definition".to_owned(), named: named(uuid(10)) });
    other.program_device = Some(AnyReference { code: "program_device".to_owned(), named: named(uuid(11)) });
    let mut by_code = other.clone();
    by_code.device =
        NewDevice::Code { system: "s".to_owned(), code: "strips".to_owned(), text: String::new() };
    by_code.program_device = None;
    input.body.details.extend([other, by_code]);
    let refused = execute(&operation(writes, registries), input).unwrap_err();
    assert!(matches!(refused, CreateError::Refused(CreateRefusal::PatientNotFound)), "{refused:?}");
}

#[test]
fn given_no_device_of_the_create_fits_then_all_that_the_request_asks_for_are_looked_at() {
    let (mut writes, mut registries) = (MockDispenseWrites::new(), MockRegistries::new());
    registries.expect_facts().returning(|_| {
        let program = Some(MedicalProgram { is_active: true, name: String::new() });
        Ok(RegistryFacts { program, ..RegistryFacts::default() })
    });
    registries.expect_program_devices().once().returning(|choice| {
        assert_eq!(
            *choice,
            RequestedDevice::Type("strips".to_owned()).choice(MedicalProgramId::new(uuid(8)))
        );
        let device = ProgramDevice {
            id: ProgramDeviceId::new(uuid(11)),
            program: MedicalProgramId::new(uuid(8)),
            device_definition: DeviceDefinitionId::new(uuid(12)),
            is_active: true,
            start_date: "2026-01-01".parse().unwrap(),
            end_date: None,
            reimbursement: Reimbursement::Fixed(1.into()),
            max_daily_count: None,
        };
        let definition = DeviceDefinition {
            id: DeviceDefinitionId::new(uuid(12)),
            is_active: true,
            classification_type: "strips".to_owned(),
            packaging_unit: "piece".to_owned(),
            packaging_count: 1.into(),
        };
        Ok(vec![(device, definition)])
    });
    let found = || RequestFacts { request: Some(request()), ..RequestFacts::default() };
    writes.expect_request_facts().returning(move |_| Ok(found()));
    writes
        .expect_create()
        .returning(|create| Ok(Written::Refused((create.decide)(&create.seen).unwrap_err())));
    let refused = execute(&operation(writes, registries), input()).unwrap_err();
    assert!(matches!(refused, CreateError::Refused(CreateRefusal::PatientNotFound)), "{refused:?}");
}

#[test]
fn given_a_legal_entity_that_may_not_act_or_no_patient_then_nothing_is_looked_up() {
    let nothing = || operation(MockDispenseWrites::new(), MockRegistries::new());
    let closed = CreateDispense { legal_entities: legal_entities(LegalEntityStatus::Closed), ..nothing() };
    assert!(matches!(execute(&closed, input()), Err(CreateError::LegalEntity(_))));
    let refused = execute(&nothing(), CreateInput { patient_id: None, ..input() });
    assert!(matches!(refused, Err(CreateError::Refused(CreateRefusal::PatientNotFound))));
}

#[test]
fn given_a_store_that_fails_then_nothing_is_written() {
    let away = || StoreError::new(StoreErrorKind::Unavailable, "testing");
    for is_registry in [true, false] {
        let (mut writes, mut registries) = (MockDispenseWrites::new(), MockRegistries::new());
        registries
            .expect_facts()
            .returning(move |_| if is_registry { Err(away()) } else { Ok(RegistryFacts::default()) });
        writes
            .expect_request_facts()
            .returning(move |_| if is_registry { Ok(RequestFacts::default()) } else { Err(away()) });
        assert!(matches!(execute(&operation(writes, registries), input()), Err(CreateError::Store(_))));
    }
}

#[test]
fn given_a_request_that_cannot_be_read_then_the_rules_before_it_come_first() {
    let (mut writes, mut registries) = (MockDispenseWrites::new(), MockRegistries::new());
    registries.expect_facts().returning(|_| Ok(RegistryFacts::default()));
    writes
        .expect_request_facts()
        .returning(|_| Err(StoreError::corrupt("device_requests", uuid(6), "status")));
    let refused = execute(&operation(writes, registries), input());
    assert!(matches!(refused, Err(CreateError::Refused(CreateRefusal::PatientNotFound))), "{refused:?}");
}

fn dispense() -> Dispense {
    Dispense {
        id: DispenseId::new(uuid(1)),
        status: DispenseStatus::InProgress,
        subject: Pseudonym::new("P"),
        owner: LegalEntityId::new(uuid(2)),
        record: serde_json::Map::new(),
    }
}

#[test]
fn given_each_outcome_of_the_store_then_it_is_told() {
    let run = |written: fn() -> Written<Dispense, CreateRefusal>| {
        let (mut writes, mut registries) = (MockDispenseWrites::new(), MockRegistries::new());
        registries.expect_facts().returning(|_| Ok(RegistryFacts::default()));
        writes.expect_request_facts().returning(|_| Ok(RequestFacts::default()));
        writes.expect_create().returning(move |_| Ok(written()));
        execute(&operation(writes, registries), input())
    };
    assert_eq!(run(|| Written::Applied(dispense())).unwrap(), dispense());
    assert_eq!(run(|| Written::Replayed(dispense())).unwrap(), dispense());
    assert!(matches!(run(|| Written::KeyReused), Err(CreateError::Idempotency(_))));
    assert!(matches!(
        run(|| Written::Refused(CreateRefusal::IdTaken)),
        Err(CreateError::Refused(CreateRefusal::IdTaken))
    ));
}
