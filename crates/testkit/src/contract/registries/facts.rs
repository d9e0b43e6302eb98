//! The facts of a request.

use esoz_contract_division::DivisionStatus;
use esoz_kernel::{
    DeviceDefinitionId, DivisionId, EmployeeId, LegalEntityId, MedicalProgramId, Pseudonym, Put,
};
use esoz_registries::{DeviceChoice, Location, RegistryFacts, RegistryQuery};

use super::super::RegistryStore;
use super::fixtures::{put_one, stored_fixture};
use crate::builders::{fresh, user};
use crate::registries::RegistryFixture;

fn location(fixture: &RegistryFixture) -> Location {
    let division = &fixture.division;
    Location {
        legal_entity: division.facts.legal_entity,
        is_active: division.facts.is_active,
        is_in_use: division.status == DivisionStatus::Active,
        is_dls_verified: division.dls_verified,
        name: division.name.clone(),
    }
}

fn everything(fixture: &RegistryFixture) -> RegistryFacts {
    RegistryFacts {
        person: Some(fixture.person.facts),
        party: Some(fixture.party.facts.clone()),
        legal_entity_name: Some(fixture.legal_entity.name.clone()),
        performer: Some(fixture.employee.facts.clone()),
        location: Some(location(fixture)),
        program: Some(fixture.program.facts.clone()),
        definitions: vec![fixture.definition.facts.clone()],
        program_devices: vec![(fixture.device.facts.clone(), fixture.definition.facts.clone())],
    }
}

/// A query that names something that is not there, and what takes that out of the facts.
type Absent = (RegistryQuery, fn(&mut RegistryFacts));

async fn facts(store: &RegistryStore, query: &RegistryQuery) -> RegistryFacts {
    store.registries.facts(query).await.unwrap()
}

fn query_of_nothing() -> RegistryQuery {
    RegistryQuery {
        subject: Pseudonym::new("F".repeat(64)),
        user: user(),
        legal_entity: LegalEntityId::new(fresh()),
        performer: EmployeeId::new(fresh()),
        location: DivisionId::new(fresh()),
        program: Some(MedicalProgramId::new(fresh())),
        definitions: vec![DeviceDefinitionId::new(fresh())],
        program_devices: DeviceChoice {
            ids: vec![esoz_kernel::ProgramDeviceId::new(fresh())],
            program: Some(MedicalProgramId::new(fresh())),
            definitions: vec![DeviceDefinitionId::new(fresh())],
            classification_types: vec!["30221".to_owned()],
        },
    }
}

/// Nothing there is a value, not an error: in an empty store, and beside others.
pub async fn facts_of_nothing(store: RegistryStore) {
    assert_eq!(facts(&store, &query_of_nothing()).await, RegistryFacts::default());
    stored_fixture(&store).await;
    assert_eq!(facts(&store, &query_of_nothing()).await, RegistryFacts::default());
}

/// Each as it was put.
pub async fn facts_of_everything(store: RegistryStore) {
    let (fixture, _another) = (stored_fixture(&store).await, stored_fixture(&store).await);
    assert_eq!(facts(&store, &fixture.query()).await, everything(&fixture));
    assert_eq!(store.registries.party(fixture.user).await.unwrap(), Some(fixture.party.facts.clone()));
}

/// What is not there is absent, and everything else is told.
pub async fn each_fact_can_be_absent_alone(store: RegistryStore) {
    let fixture = stored_fixture(&store).await;
    let nothing = query_of_nothing();
    let cases: [Absent; 9] = [
        (RegistryQuery { subject: nothing.subject, ..fixture.query() }, |facts| facts.person = None),
        (RegistryQuery { user: nothing.user, ..fixture.query() }, |facts| facts.party = None),
        (RegistryQuery { legal_entity: nothing.legal_entity, ..fixture.query() }, |facts| {
            facts.legal_entity_name = None;
        }),
        (RegistryQuery { performer: nothing.performer, ..fixture.query() }, |facts| {
            facts.performer = None;
        }),
        (RegistryQuery { location: nothing.location, ..fixture.query() }, |facts| {
            facts.location = None;
        }),
        (RegistryQuery { program: nothing.program, ..fixture.query() }, |facts| facts.program = None),
        (RegistryQuery { program: None, ..fixture.query() }, |facts| facts.program = None),
        (RegistryQuery { definitions: Vec::new(), ..fixture.query() }, |facts| {
            facts.definitions.clear();
        }),
        (RegistryQuery { program_devices: DeviceChoice::default(), ..fixture.query() }, |facts| {
            facts.program_devices.clear();
        }),
    ];
    for (query, take) in cases {
        let mut expected = everything(&fixture);
        take(&mut expected);
        assert_eq!(facts(&store, &query).await, expected, "{query:?}");
    }
}

/// A definition is told once, however often it is named; what is not there is left out.
pub async fn definitions_are_told_once(store: RegistryStore) {
    let (one, other) = (stored_fixture(&store).await, stored_fixture(&store).await);
    let [first, second] = [&one, &other].map(|fixture| fixture.definition.facts.id);
    let definitions = vec![second, first, DeviceDefinitionId::new(fresh()), second];
    let mut told = facts(&store, &RegistryQuery { definitions, ..one.query() }).await.definitions;
    told.sort_unstable_by_key(|definition| definition.id);
    let mut expected = [one, other].map(|fixture| fixture.definition.facts);
    expected.sort_unstable_by_key(|definition| definition.id);
    assert_eq!(told, expected);
}

/// A location tells whether its record is active, whether it is in use, and whether it is verified or that is not known.
pub async fn a_location_is_the_division_as_it_is(store: RegistryStore) {
    let mut fixture = stored_fixture(&store).await;
    for status in DivisionStatus::ALL {
        for dls_verified in [None, Some(false), Some(true)] {
            fixture.division.status = status;
            fixture.division.dls_verified = dls_verified;
            fixture.division.facts.is_active = !fixture.division.facts.is_active;
            let put = store.contracts.put_divisions(&[fixture.division.clone()]).await.unwrap();
            assert_eq!(put, [Put::Updated]);
            assert_eq!(facts(&store, &fixture.query()).await, everything(&fixture));
        }
    }
}

/// What was just loaded is told, whatever was there before.
pub async fn new_content_is_told_at_once(store: RegistryStore) {
    let mut fixture = stored_fixture(&store).await;
    fixture.person.facts.status = esoz_registries::PersonStatus::Inactive;
    fixture.employee.facts.end_date = Some("2026-01-31".parse().unwrap());
    "DISMISSED".clone_into(&mut fixture.employee.facts.status);
    fixture.program.facts.is_active = false;
    fixture.definition.facts.packaging_count = "0.5".parse().unwrap();
    fixture.device.facts.max_daily_count = None;
    assert_eq!(put_one(&store, &fixture.person).await, Put::Updated);
    assert_eq!(put_one(&store, &fixture.employee).await, Put::Updated);
    assert_eq!(put_one(&store, &fixture.program).await, Put::Updated);
    assert_eq!(put_one(&store, &fixture.definition).await, Put::Updated);
    assert_eq!(put_one(&store, &fixture.device).await, Put::Updated);
    assert_eq!(facts(&store, &fixture.query()).await, everything(&fixture));
}
