//! A store with something in it, and how it is asked.

use std::fmt::Debug;

use esoz_contract_division::DivisionRecord;
use esoz_kernel::{CivilDate, Decimal, LegalEntityId, MedicalProgramId, Put, UserId};
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registry, RegistryQuery, RegistryRecords,
};

use super::super::RegistryStore;
use super::super::scans::all_pages;
use crate::builders::{
    device_choice, device_definition, division_of, employee_of, legal_entity, medical_program, party_of,
    person, program_device_of, user,
};

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn day(text: &str) -> CivilDate {
    text.parse().unwrap()
}

/// Puts records in one call.
pub(super) async fn put<R>(store: &RegistryStore, records: &[R]) -> Vec<Put>
where
    dyn RegistryRecords: Registry<R>,
{
    let answers = Registry::<R>::put(&*store.records, records).await.unwrap();
    assert_eq!(answers.len(), records.len());
    answers
}

/// Puts one record.
pub(super) async fn put_one<R>(store: &RegistryStore, record: &R) -> Put
where
    dyn RegistryRecords: Registry<R>,
    R: Clone,
{
    put(store, &[record.clone()]).await.remove(0)
}

/// Stores records that are not there yet.
pub(super) async fn create<R>(store: &RegistryStore, records: &[R])
where
    dyn RegistryRecords: Registry<R>,
{
    assert_eq!(put(store, records).await, vec![Put::Created; records.len()]);
}

/// The records of all pages of that size.
pub(super) async fn scan<R: Debug>(store: &RegistryStore, limit: u32) -> Vec<R>
where
    dyn RegistryRecords: Registry<R>,
{
    let pages = all_pages(limit, |after, limit| Registry::<R>::scan(&*store.records, after, limit)).await;
    pages.into_iter().map(Result::unwrap).collect()
}

/// A refusal says in words what is missing. What it calls the record itself does not count.
pub(super) fn assert_refused_for(answer: &Put, words: &[&str]) {
    let Put::Refused(reason) = answer else { panic!("{answer:?} where a refusal was due") };
    let reason = reason.to_lowercase().replace('_', " ");
    for word in words {
        assert!(reason.contains(word), "{reason:?} does not say {word}");
    }
}

/// A legal entity, stored.
pub(super) async fn stored_legal_entity(store: &RegistryStore) -> LegalEntityId {
    let record = legal_entity();
    let id = record.facts.id;
    assert_eq!(store.legal_entities.put_legal_entities(&[record]).await.unwrap(), [Put::Created]);
    id
}

/// A device in that program, with its definition, both stored.
pub(super) async fn stored_device(
    store: &RegistryStore,
    program: MedicalProgramId,
    classification_type: &str,
) -> (ProgramDeviceRecord, DeviceDefinitionRecord) {
    let mut definition = device_definition();
    definition.facts.classification_type = classification_type.to_owned();
    create(store, std::slice::from_ref(&definition)).await;
    let device = program_device_of(program, definition.facts.id);
    create(store, std::slice::from_ref(&device)).await;
    (device, definition)
}

/// One record of each kind, stored, and a query that names them all.
pub(super) struct Fixture {
    pub(super) user: UserId,
    pub(super) legal_entity_name: String,
    pub(super) person: PersonRecord,
    pub(super) party: PartyRecord,
    pub(super) employee: EmployeeRecord,
    pub(super) division: DivisionRecord,
    pub(super) program: MedicalProgramRecord,
    pub(super) definition: DeviceDefinitionRecord,
    pub(super) device: ProgramDeviceRecord,
    pub(super) query: RegistryQuery,
}

impl Fixture {
    pub(super) async fn set(store: &RegistryStore) -> Self {
        let (user, legal_entity) = (user(), legal_entity());
        let owner = legal_entity.facts.id;
        let legal_entity_name = legal_entity.name.clone();
        assert_eq!(store.legal_entities.put_legal_entities(&[legal_entity]).await.unwrap(), [Put::Created]);
        let division = division_of(owner);
        assert_eq!(store.contracts.put_divisions(&[division.clone()]).await.unwrap(), [Put::Created]);
        let (person, party, program) = (person(), party_of([user]), medical_program());
        let employee = employee_of(party.facts.id, owner);
        create(store, std::slice::from_ref(&person)).await;
        create(store, std::slice::from_ref(&party)).await;
        create(store, std::slice::from_ref(&employee)).await;
        create(store, std::slice::from_ref(&program)).await;
        let (device, definition) = stored_device(store, program.id, "30221").await;
        let query = RegistryQuery {
            subject: person.subject.clone(),
            user,
            legal_entity: owner,
            performer: employee.facts.id,
            location: division.facts.id,
            program: Some(program.id),
            definitions: vec![definition.facts.id],
            program_devices: device_choice(program.id, [definition.facts.id]),
        };
        Self {
            user,
            legal_entity_name,
            person,
            party,
            employee,
            division,
            program,
            definition,
            device,
            query,
        }
    }
}
