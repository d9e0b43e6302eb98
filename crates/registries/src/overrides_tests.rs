use std::sync::Mutex;

use esoz_kernel::{Decimal, PartyId, ProgramDeviceId, StoreErrorKind, Uuid};
use pollster::block_on;

use super::*;
use crate::{MockRegistries, PersonStatus, Reimbursement, VerificationStatus};

/// What a store finds: everything.
fn everything() -> RegistryFacts {
    let (id, day) = (Uuid::nil(), "2026-01-31".parse().unwrap());
    let definition = DeviceDefinition {
        id: DeviceDefinitionId::new(id),
        is_active: true,
        classification_type: "30221".to_owned(),
        packaging_unit: "piece".to_owned(),
        packaging_count: Decimal::from(50),
    };
    let device = ProgramDevice {
        id: ProgramDeviceId::new(id),
        program: MedicalProgramId::new(id),
        device_definition: definition.id,
        is_active: true,
        start_date: day,
        end_date: None,
        reimbursement: Reimbursement::Fixed(1.into()),
        max_daily_count: None,
    };
    RegistryFacts {
        person: Some(Person { status: PersonStatus::Active, verification: VerificationStatus::Verified }),
        party: Some(Party { id: PartyId::new(id), drfo: None }),
        legal_entity_name: Some("pharmacy".to_owned()),
        performer: Some(Employee {
            id: EmployeeId::new(id),
            party: PartyId::new(id),
            legal_entity: LegalEntityId::new(id),
            status: Employee::APPROVED.to_owned(),
            is_active: true,
            end_date: None,
            name: "pharmacist".to_owned(),
        }),
        location: Some(Location {
            legal_entity: LegalEntityId::new(id),
            is_active: true,
            is_in_use: true,
            is_dls_verified: None,
            name: "division".to_owned(),
        }),
        program: Some(MedicalProgram { is_active: true, name: "program".to_owned() }),
        definitions: vec![definition.clone()],
        program_devices: vec![(device, definition)],
    }
}

fn query() -> RegistryQuery {
    let id = Uuid::nil();
    RegistryQuery {
        subject: Pseudonym::new("A"),
        user: UserId::new(id),
        legal_entity: LegalEntityId::new(id),
        performer: EmployeeId::new(id),
        location: DivisionId::new(id),
        program: Some(MedicalProgramId::new(id)),
        definitions: vec![DeviceDefinitionId::new(id)],
        program_devices: DeviceChoice { ids: vec![ProgramDeviceId::new(id)], ..DeviceChoice::default() },
    }
}

/// Sets one override, which finds nothing; takes what it finds nothing of out of the facts, and what is not asked of the store out of the query.
type One = (fn(&mut RegistryOverrides), fn(&mut RegistryFacts), fn(&mut RegistryQuery));

const EACH: [One; 8] = [
    (|it| it.persons = Some(Arc::new(Nothing)), |facts| facts.person = None, |_| {}),
    (|it| it.parties = Some(Arc::new(Nothing)), |facts| facts.party = None, |_| {}),
    (|it| it.employees = Some(Arc::new(Nothing)), |facts| facts.performer = None, |_| {}),
    (|it| it.locations = Some(Arc::new(Nothing)), |facts| facts.location = None, |_| {}),
    (|it| it.legal_entity_names = Some(Arc::new(Nothing)), |facts| facts.legal_entity_name = None, |_| {}),
    (
        |it| it.medical_programs = Some(Arc::new(Nothing)),
        |facts| facts.program = None,
        |query| query.program = None,
    ),
    (
        |it| it.device_definitions = Some(Arc::new(Nothing)),
        |facts| facts.definitions.clear(),
        |query| query.definitions.clear(),
    ),
    (
        |it| it.program_devices = Some(Arc::new(Nothing)),
        |facts| facts.program_devices.clear(),
        |query| query.program_devices = DeviceChoice::default(),
    ),
];

#[test]
fn given_an_override_then_that_alone_is_not_the_stores() {
    for (set, take_out, leave_out) in EACH {
        let (mut overrides, mut expected, mut left) = (RegistryOverrides::default(), everything(), query());
        set(&mut overrides);
        take_out(&mut expected);
        leave_out(&mut left);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut store = MockRegistries::new();
        let seen = asked.clone();
        store.expect_facts().returning(move |query| {
            seen.lock().unwrap().push(query.clone());
            Ok(everything())
        });
        store.expect_party().returning(|_| Ok(everything().party));
        store.expect_program_devices().returning(|_| Ok(everything().program_devices));
        let registries = overrides.over(Arc::new(store));
        assert_eq!(block_on(registries.facts(&query())).unwrap(), expected);
        assert_eq!(*asked.lock().unwrap(), [left]);
        assert_eq!(block_on(registries.party(query().user)).unwrap(), expected.party);
        let devices = block_on(registries.program_devices(&query().program_devices)).unwrap();
        assert_eq!(devices, expected.program_devices);
    }
}

#[test]
fn given_that_all_are_set_then_the_store_is_not_asked() {
    let mut overrides = RegistryOverrides::default();
    for (set, ..) in EACH {
        set(&mut overrides);
    }
    let registries = overrides.over(Arc::new(MockRegistries::new()));
    assert_eq!(block_on(registries.facts(&query())).unwrap(), RegistryFacts::default());
    assert_eq!(block_on(registries.party(query().user)).unwrap(), None);
}

/// Fails where the other one finds nothing.
struct Failing;

#[async_trait]
impl Persons for Failing {
    async fn find(&self, _: &Pseudonym) -> Result<Option<Person>, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unavailable, "testing"))
    }
}

#[test]
fn given_one_that_fails_then_the_whole_fails() {
    let failing = RegistryOverrides { persons: Some(Arc::new(Failing)), ..RegistryOverrides::default() };
    let mut store = MockRegistries::new();
    store.expect_facts().returning(|_| Ok(everything()));
    assert!(block_on(failing.over(Arc::new(store)).facts(&query())).is_err());

    let mut store = MockRegistries::new();
    store.expect_facts().returning(|_| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
    let overrides = RegistryOverrides { persons: Some(Arc::new(Nothing)), ..RegistryOverrides::default() };
    assert!(block_on(overrides.over(Arc::new(store)).facts(&query())).is_err());
}
