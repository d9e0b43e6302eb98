//! A record takes new content, column by column, and keeps who wrote it first.

use std::fmt::Debug;
use std::slice;

use esoz_kernel::{Put, Stamps};
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord, PersonStatus,
    ProgramDeviceRecord, Registry, RegistryRecords, Reimbursement, VerificationStatus,
};

use super::super::RegistryStore;
use super::fixtures::{create, day, decimal, put_one, scan, stored_legal_entity};
use crate::builders::{
    device_definition, employee_of, medical_program, party_of, person, program_device_of, stamps, user,
};

/// A change of a record.
type Change<'a, R> = &'a (dyn Fn(&mut R) + Sync);

/// Puts a record, then each change of it, twice, and reads after each step what is stored.
async fn takes<R>(
    store: &RegistryStore,
    first: R,
    stamps_of: fn(&mut R) -> &mut Stamps,
    changes: &[Change<'_, R>],
) where
    dyn RegistryRecords: Registry<R>,
    R: Clone + PartialEq + Debug,
{
    let mut record = first;
    assert_eq!(put_one(store, &record).await, Put::Created);
    assert_eq!(put_one(store, &record).await, Put::Kept);
    assert_eq!(scan::<R>(store, 10).await, slice::from_ref(&record));
    for (place, change) in changes.iter().enumerate() {
        let before = record.clone();
        change(&mut record);
        assert_ne!(record, before, "change {place} is none");
        assert_eq!(put_one(store, &record).await, Put::Updated, "change {place}");
        assert_eq!(put_one(store, &record).await, Put::Kept, "change {place}");
        assert_eq!(scan::<R>(store, 10).await, slice::from_ref(&record), "change {place}");
    }
    // Who wrote it first, and when, stays.
    let written = *stamps_of(&mut record);
    let mut again = record.clone();
    *stamps_of(&mut again) = stamps();
    assert_eq!(put_one(store, &again).await, Put::Updated);
    let (inserted_at, inserted_by) = (written.inserted_at, written.inserted_by);
    *stamps_of(&mut again) = Stamps { inserted_at, inserted_by, ..*stamps_of(&mut again) };
    assert_eq!(put_one(store, &again).await, Put::Kept);
    assert_eq!(scan::<R>(store, 10).await, [again]);
}

/// In every status.
pub async fn a_person_takes_new_content(store: RegistryStore) {
    let inactive = |record: &mut PersonRecord| record.facts.status = PersonStatus::Inactive;
    let verified = VerificationStatus::ALL.into_iter().skip(1);
    let verified: Vec<_> =
        verified.map(|status| move |record: &mut PersonRecord| record.facts.verification = status).collect();
    let mut changes: Vec<Change<'_, PersonRecord>> = vec![&inactive];
    for change in &verified {
        changes.push(change);
    }
    takes(&store, person(), |record| &mut record.stamps, &changes).await;
}

/// With its users, and with a taxpayer number or none.
pub async fn a_party_takes_new_content(store: RegistryStore) {
    let users = party_of([user(), user()]).users;
    let one = users.first().copied().into_iter().collect::<Vec<_>>();
    takes(
        &store,
        party_of([]),
        |record| &mut record.stamps,
        &[
            &|record: &mut PartyRecord| record.facts.drfo = None,
            &|record| record.facts.drfo = party_of([]).facts.drfo,
            &move |record| record.users.clone_from(&users),
            &move |record| record.users.clone_from(&one),
            &|record| record.users.clear(),
        ],
    )
    .await;
}

/// With a last day or without, at another party and legal entity.
pub async fn an_employee_takes_new_content(store: RegistryStore) {
    let (owner, stranger) = (stored_legal_entity(&store).await, stored_legal_entity(&store).await);
    let parties = [party_of([]), party_of([])];
    create(&store, &parties).await;
    let [party, other] = parties.map(|party| party.facts.id);
    takes(
        &store,
        employee_of(party, owner),
        |record| &mut record.stamps,
        &[
            &|record: &mut EmployeeRecord| record.facts.end_date = Some(day("9999-12-31")),
            &|record| record.facts.end_date = Some(day("0000-01-01")),
            &|record| record.facts.end_date = None,
            &|record| "Звільнено".clone_into(&mut record.facts.status),
            &|record| record.facts.is_active = false,
            &|record| record.facts.name.push_str(" 'ї\"\\"),
            &|record| record.kind.push_str(" of another type"),
            &move |record| record.facts.party = other,
            &move |record| record.facts.legal_entity = stranger,
        ],
    )
    .await;
}

/// Name, type and whether it is active.
pub async fn a_medical_program_takes_new_content(store: RegistryStore) {
    takes(
        &store,
        medical_program(),
        |record| &mut record.stamps,
        &[
            &|record: &mut MedicalProgramRecord| record.facts.is_active = false,
            &|record| record.facts.name.push_str(" of another name"),
            &|record| record.kind.push_str(" of another type"),
        ],
    )
    .await;
}

/// Its count to the digit.
pub async fn a_device_definition_takes_new_content(store: RegistryStore) {
    takes(
        &store,
        device_definition(),
        |record| &mut record.stamps,
        &[
            &|record: &mut DeviceDefinitionRecord| record.facts.is_active = false,
            &|record| record.name.push_str(" of another name"),
            &|record| "Інший тип".clone_into(&mut record.facts.classification_type),
            &|record| "мл".clone_into(&mut record.facts.packaging_unit),
            &|record| record.facts.packaging_count = decimal("0.000000000000000000000000000001"),
            &|record| record.facts.packaging_count = decimal("123456789012345678901234567890"),
            &|record| record.facts.packaging_count = decimal("50.000000000000000000000000000001"),
        ],
    )
    .await;
}

/// Its numbers to the digit, its days at their ends.
pub async fn a_program_device_takes_new_content(store: RegistryStore) {
    let (programs, definitions) =
        ([medical_program(), medical_program()], [device_definition(), device_definition()]);
    create(&store, &programs).await;
    create(&store, &definitions).await;
    let [program, other_program] = programs.map(|program| program.id);
    let [definition, other_definition] = definitions.map(|definition| definition.facts.id);
    takes(
        &store,
        program_device_of(program, definition),
        |record| &mut record.stamps,
        &[
            &|record: &mut ProgramDeviceRecord| {
                record.facts.reimbursement = Reimbursement::Fixed(decimal("0"));
            },
            &|record| record.facts.reimbursement = Reimbursement::Percentage(decimal("0")),
            &|record| record.facts.reimbursement = Reimbursement::Percentage(decimal("100")),
            &|record| {
                record.facts.reimbursement = Reimbursement::Percentage(decimal("33.333333333333333333"));
            },
            &|record| record.facts.reimbursement = Reimbursement::Fixed(decimal("1234567890123456789012.07")),
            &|record| record.facts.max_daily_count = None,
            &|record| record.facts.max_daily_count = Some(decimal("0.30000000000000000000001")),
            &|record| record.facts.start_date = day("0000-01-01"),
            &|record| record.facts.end_date = Some(day("9999-12-31")),
            &|record| record.facts.end_date = None,
            &|record| record.facts.is_active = false,
            &move |record| record.facts.program = other_program,
            &move |record| record.facts.device_definition = other_definition,
        ],
    )
    .await;
}

/// The same number in another spelling is the same content.
pub async fn a_number_written_otherwise_is_no_change(store: RegistryStore) {
    let mut definition = device_definition();
    definition.facts.packaging_count = decimal("50.0");
    create(&store, slice::from_ref(&definition)).await;
    definition.facts.packaging_count = decimal("5e1");
    assert_eq!(put_one(&store, &definition).await, Put::Kept);
}
