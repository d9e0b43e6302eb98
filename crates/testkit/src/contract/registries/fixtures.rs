//! A store with something in it, and how it is asked.

use std::fmt::Debug;

use esoz_kernel::{CivilDate, Decimal, LegalEntityId, MedicalProgramId, Put};
use esoz_registries::{DeviceDefinitionRecord, ProgramDeviceRecord, Registry, RegistryRecords};

use super::super::RegistryStore;
use super::super::scans::all_pages;
use crate::builders::{device_definition, legal_entity, program_device_of};
use crate::registries::RegistryFixture;

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
{
    put(store, std::slice::from_ref(record)).await.remove(0)
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

/// One record of each kind, stored.
pub(super) async fn stored_fixture(store: &RegistryStore) -> RegistryFixture {
    let fixture = RegistryFixture::build();
    fixture.store(&*store.records, &*store.contracts, &*store.legal_entities).await;
    fixture
}
