//! What is refused, and that it is refused alone.

use esoz_kernel::{DeviceDefinitionId, LegalEntityId, MedicalProgramId, PartyId, Put};
use esoz_registries::{DeviceDefinitionRecord, EmployeeRecord, PersonRecord, ProgramDeviceRecord};

use super::super::RegistryStore;
use super::fixtures::{
    assert_refused_for, create, decimal, put, put_one, scan, stored_fixture, stored_legal_entity,
};
use crate::builders::{
    device_definition, employee_of, fresh, medical_program, party_of, person, program_device_of,
};
use crate::registries::RegistryFixture;

/// More than a store takes in one step.
const MANY: usize = 550;

/// An employee of a party or at a legal entity that is not there is refused, in words; the others of the call are stored.
pub async fn an_employee_of_nothing_is_refused(store: RegistryStore) {
    let (owner, party) = (stored_legal_entity(&store).await, party_of([]));
    create(&store, std::slice::from_ref(&party)).await;
    let party = party.facts.id;
    let records = [
        employee_of(party, owner),
        employee_of(PartyId::new(fresh()), owner),
        employee_of(party, LegalEntityId::new(fresh())),
        employee_of(party, owner),
    ];
    let answers = put(&store, &records).await;
    assert_eq!((&answers[0], &answers[3]), (&Put::Created, &Put::Created));
    assert_refused_for(&answers[1], &["party", "not there"]);
    assert_refused_for(&answers[2], &["legal entity", "not there"]);
    assert_eq!(scan::<EmployeeRecord>(&store, 10).await.len(), 2);
}

/// A device of a program or of a definition that is not there is refused, in words; the others of the call are stored.
pub async fn a_program_device_of_nothing_is_refused(store: RegistryStore) {
    let (program, definition) = (medical_program(), device_definition());
    create(&store, std::slice::from_ref(&program)).await;
    create(&store, std::slice::from_ref(&definition)).await;
    let (program, definition) = (program.id, definition.facts.id);
    let records = [
        program_device_of(program, definition),
        program_device_of(MedicalProgramId::new(fresh()), definition),
        program_device_of(program, DeviceDefinitionId::new(fresh())),
        program_device_of(program, definition),
    ];
    let answers = put(&store, &records).await;
    assert_eq!((&answers[0], &answers[3]), (&Put::Created, &Put::Created));
    assert_refused_for(&answers[1], &["medical program", "not there"]);
    assert_refused_for(&answers[2], &["device definition", "not there"]);
    assert_eq!(scan::<ProgramDeviceRecord>(&store, 10).await.len(), 2);
}

/// What was stored before stays as it was.
pub async fn a_refused_update_changes_nothing(store: RegistryStore) {
    let RegistryFixture { employee, device, .. } = stored_fixture(&store).await;
    let mut moved = employee.clone();
    "Another name".clone_into(&mut moved.facts.name);
    moved.facts.party = PartyId::new(fresh());
    assert_refused_for(&put_one(&store, &moved).await, &["party"]);
    assert_eq!(scan::<EmployeeRecord>(&store, 10).await, [employee]);
    let mut moved = device.clone();
    moved.facts.is_active = false;
    moved.facts.program = MedicalProgramId::new(fresh());
    assert_refused_for(&put_one(&store, &moved).await, &["program"]);
    assert_eq!(scan::<ProgramDeviceRecord>(&store, 10).await, [device]);
}

/// A bad record in the middle of many is refused alone, wherever it stands.
pub async fn a_bad_record_among_many_is_refused_alone(store: RegistryStore) {
    let (program, definition) = (medical_program(), device_definition());
    create(&store, std::slice::from_ref(&program)).await;
    create(&store, std::slice::from_ref(&definition)).await;
    let (bad, nothing) = ([0, 17, 311, 549], DeviceDefinitionId::new(fresh()));
    let of = |place| if bad.contains(&place) { nothing } else { definition.facts.id };
    let records: Vec<_> = (0..MANY).map(|place| program_device_of(program.id, of(place))).collect();
    for (place, answer) in put(&store, &records).await.iter().enumerate() {
        if bad.contains(&place) {
            assert_refused_for(answer, &["device definition"]);
        } else {
            assert_eq!(answer, &Put::Created, "{place}");
        }
    }
    assert_eq!(scan::<ProgramDeviceRecord>(&store, 1_000).await.len(), MANY - bad.len());
}

/// A record that comes several times in one call has the outcomes that it has one call after the other: the last line wins.
pub async fn a_record_that_comes_again_in_a_call_takes_the_last_content(store: RegistryStore) {
    let first = device_definition();
    let counting = |count| {
        let mut record = first.clone();
        record.facts.packaging_count = decimal(count);
        record
    };
    let records = [counting("1"), counting("1"), counting("2"), device_definition(), counting("1.5")];
    let answers = put(&store, &records).await;
    assert_eq!(answers, [Put::Created, Put::Kept, Put::Updated, Put::Created, Put::Updated]);
    let stored = scan::<DeviceDefinitionRecord>(&store, 10).await;
    assert!(stored.contains(&records[3]) && stored.contains(&records[4]), "{stored:?}");

    let mut unverified = person();
    let persons = [unverified.clone(), person(), unverified.clone()];
    assert_eq!(put(&store, &persons).await, [Put::Created, Put::Created, Put::Kept]);
    unverified.facts.status = esoz_registries::PersonStatus::Inactive;
    let answers = put(&store, &[unverified.clone(), persons[0].clone(), unverified.clone()]).await;
    assert_eq!(answers, [Put::Updated, Put::Updated, Put::Updated]);
    assert!(scan::<PersonRecord>(&store, 10).await.contains(&unverified));
    assert_eq!(put::<PersonRecord>(&store, &[]).await, []);
}
