//! Scans of every registry.

use std::fmt::Debug;

use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registry, RegistryRecords,
};

use super::super::RegistryStore;
use super::fixtures::{create, put_one, scan, stored_legal_entity};
use crate::builders::{
    device_definition, employee_of, medical_program, party_of, person, program_device_of, user,
};

/// Scans of nothing are one empty page.
pub async fn scans_of_nothing_are_empty(store: RegistryStore) {
    assert_eq!(scan::<PersonRecord>(&store, 10).await, []);
    assert_eq!(scan::<PartyRecord>(&store, 10).await, []);
    assert_eq!(scan::<EmployeeRecord>(&store, 10).await, []);
    assert_eq!(scan::<MedicalProgramRecord>(&store, 10).await, []);
    assert_eq!(scan::<DeviceDefinitionRecord>(&store, 10).await, []);
    assert_eq!(scan::<ProgramDeviceRecord>(&store, 10).await, []);
}

/// Stores the records and scans them in pages of several sizes.
async fn assert_pages<R, Key: Ord>(store: &RegistryStore, mut records: Vec<R>, key: fn(&R) -> Key)
where
    dyn RegistryRecords: Registry<R>,
    R: PartialEq + Debug,
{
    create(store, &records).await;
    records.sort_unstable_by_key(key);
    for limit in [1, 2, 8, 9, 10, 1_000] {
        assert_eq!(scan::<R>(store, limit).await, records, "in pages of {limit}");
    }
}

/// Whatever the size of a page, every record comes once, as it was put, in the order of ids, or of pseudonyms.
pub async fn pages_are_in_order_and_complete(store: RegistryStore) {
    let persons = (0..9).map(|_| person()).collect();
    assert_pages(&store, persons, |record: &PersonRecord| record.subject.clone()).await;
    let parties: Vec<_> = (0..9).map(|place| party_of((0..place % 3).map(|_| user()))).collect();
    let (party, owner) = (parties[0].facts.id, stored_legal_entity(&store).await);
    assert_pages(&store, parties, |record| record.facts.id).await;
    let employees = (0..9).map(|_| employee_of(party, owner)).collect();
    assert_pages(&store, employees, |record| record.facts.id).await;
    let programs: Vec<_> = (0..9).map(|_| medical_program()).collect();
    let program = programs[0].id;
    assert_pages(&store, programs, |record| record.id).await;
    let definitions: Vec<_> = (0..9).map(|_| device_definition()).collect();
    let definition = definitions[0].facts.id;
    assert_pages(&store, definitions, |record| record.facts.id).await;
    let devices = (0..9).map(|_| program_device_of(program, definition)).collect();
    assert_pages(&store, devices, |record| record.facts.id).await;
}

/// What is there during the whole scan comes once, though records are loaded meanwhile.
pub async fn a_scan_goes_on_while_records_are_loaded(store: RegistryStore) {
    let persons: Vec<_> = (0..9).map(|_| person()).collect();
    create(&store, &persons).await;
    let (mut scanned, mut after) = (Vec::new(), None);
    for _ in &persons {
        let page = Registry::<PersonRecord>::scan(&*store.records, after, 3).await.unwrap();
        scanned.extend(page.records.into_iter().map(|record| record.unwrap().subject));
        after = page.next;
        if after.is_none() {
            break;
        }
        put_one(&store, &person()).await;
    }
    assert!(after.is_none(), "it has an end");
    assert!(scanned.is_sorted_by(|one, next| one < next), "{} out of order", scanned.len());
    assert!(persons.iter().all(|person| scanned.contains(&person.subject)));
}
