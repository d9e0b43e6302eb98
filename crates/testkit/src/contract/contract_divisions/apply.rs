use std::slice;
use std::sync::Arc;

use esoz_contract_division::{
    ContractDivision, ContractRecord, ContractStatus, ContractType, Current, Decide, DivisionRecord,
    DivisionStatus, Facts, Refusal, Write,
};
use esoz_kernel::{
    ContractDivisionId, ContractId, DivisionId, IdempotentRequest, Put, Timestamp, Written, time::to_micros,
};

use super::fixtures::{
    Fixture, applied, audited_updates, expected_after, facts, inactive_contract, inactive_division,
    put_contract, put_division, put_record, stored, stored_division, stored_record, update_contract,
    update_division,
};
use crate::builders::{
    at_micros, client, contract_division, contract_of, division_of, fresh, idempotency_key, request_id,
};
use crate::contract::ContractStore;
use crate::contract_divisions::Update;

/// It sets the two ids and the two stamps, nothing else and nowhere else; what it returns is what is found.
pub async fn an_update_sets_four_columns(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let untouched = Fixture::set(&store).await;
    let update = fixture.update();
    let after = applied(&store, &update).await;
    assert_eq!(after, expected_after(&fixture.record, &update));
    let seen = facts(&store, &fixture, &fixture.change()).await;
    assert_eq!(seen.current.unwrap().record, after);
    assert_eq!(seen.current.unwrap().contract, fixture.new_contract.facts);
    assert_eq!(stored(&store, &untouched).await, untouched.record);
}

/// An update that changes neither id is an update of the two stamps.
pub async fn an_update_to_the_same_pair_is_an_update(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let update = fixture.update_to(&fixture.old_contract, &fixture.old_division);
    let after = applied(&store, &update).await;
    assert_eq!(after, expected_after(&fixture.record, &update));
    assert_eq!(stored(&store, &fixture).await, after);
}

/// A record that was written at the first or the last time that can be said is found, updated and found again.
pub async fn a_record_from_the_ends_of_time_is_updated(store: ContractStore) {
    for at in [Timestamp::MIN, Timestamp::MAX] {
        let mut fixture = Fixture::set(&store).await;
        let contract = contract_of(fixture.contractor);
        put_contract(&store, &contract).await;
        fixture.record = contract_division(contract.facts.id, fixture.old_division.facts.id);
        fixture.record.stamps.inserted_at = to_micros(at);
        fixture.record.stamps.updated_at = to_micros(at);
        put_record(&store, &fixture.record).await;
        assert_eq!(stored(&store, &fixture).await, fixture.record);
        let update = fixture.update_to(&contract, &fixture.new_division);
        let after = applied(&store, &update).await;
        assert_eq!(after, expected_after(&fixture.record, &update));
        assert_eq!(stored(&store, &fixture).await, after);
    }
}

/// To another division of the same contract, and back.
pub async fn a_pair_that_was_left_is_free(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    applied(&store, &fixture.update_to(&fixture.old_contract, &fixture.new_division)).await;
    let second = contract_division(fixture.old_contract.facts.id, fixture.old_division.facts.id);
    put_record(&store, &second).await;
    let back = fixture.update_to(&fixture.old_contract, &fixture.old_division);
    assert_refused(&store, &back, Refusal::PairTaken).await;
    applied(&store, &fixture.update()).await;
}

/// To a contract of another legal entity, with a division of that one (U15).
pub async fn a_record_can_move_to_another_legal_entity(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let contract = contract_of(fixture.stranger);
    put_contract(&store, &contract).await;
    let division = stored_division(&store, fixture.stranger).await;
    let update = fixture.update_to(&contract, &division);
    assert_eq!(applied(&store, &update).await, expected_after(&fixture.record, &update));
}

/// A pair that an inactive record has is free.
pub async fn an_inactive_record_holds_no_pair(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let mut inactive = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    inactive.is_active = false;
    put_record(&store, &inactive).await;
    let update = fixture.update();
    assert_eq!(applied(&store, &update).await, expected_after(&fixture.record, &update));
}

/// What no rule reads may change: names, statuses, suspension (U24).
pub async fn only_the_facts_of_the_rules_matter(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let mut division = fixture.new_division.clone();
    division.status = DivisionStatus::Inactive;
    division.name.push_str(", renamed");
    update_division(&store, &division).await;
    for contract in [&fixture.old_contract, &fixture.new_contract] {
        let mut contract = contract.clone();
        contract.status = ContractStatus::Terminated;
        contract.is_suspended = true;
        update_contract(&store, &contract).await;
    }
    applied(&store, &fixture.update()).await;
}

/// A thing to put into the registry before an update is applied.
enum Moved {
    Contract(ContractRecord),
    Division(DivisionRecord),
    Record(ContractDivision),
}

/// Something that an update may rest on, how it moves, and what speaks against the update then.
type Row = (&'static str, Refusal, fn(&Fixture) -> Moved);

const ROWS: [Row; 8] = [
    ("the current contract deactivated", Refusal::NotGlobalBudget, |fixture| {
        Moved::Contract(inactive_contract(&fixture.old_contract))
    }),
    ("the current contract of another type", Refusal::NotGlobalBudget, |fixture| {
        Moved::Contract(capitation(&fixture.old_contract))
    }),
    ("the division deactivated", Refusal::DivisionNotFound, |fixture| {
        Moved::Division(inactive_division(&fixture.new_division))
    }),
    ("the division of another legal entity", Refusal::DivisionOfAnotherLegalEntity, |fixture| {
        let mut division = fixture.new_division.clone();
        division.facts.legal_entity = fixture.stranger;
        Moved::Division(division)
    }),
    ("the contract deactivated", Refusal::ContractNotUsable, |fixture| {
        Moved::Contract(inactive_contract(&fixture.new_contract))
    }),
    ("the contract of another type", Refusal::ContractNotUsable, |fixture| {
        Moved::Contract(capitation(&fixture.new_contract))
    }),
    ("the contract of another contractor", Refusal::DivisionOfAnotherLegalEntity, |fixture| {
        let mut contract = fixture.new_contract.clone();
        contract.facts.contractor = fixture.stranger;
        Moved::Contract(contract)
    }),
    ("the pair taken", Refusal::PairTaken, |fixture| {
        Moved::Record(contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id))
    }),
];

fn capitation(contract: &ContractRecord) -> ContractRecord {
    let mut contract = contract.clone();
    contract.facts.kind = ContractType::Capitation;
    contract
}

/// Whatever it rests on has moved: it is refused, and nothing is written.
pub async fn an_update_is_refused_when_what_it_rests_on_has_moved(store: ContractStore) {
    for (what, refusal, moved) in ROWS {
        let fixture = Fixture::set(&store).await;
        let update = fixture.update();
        match moved(&fixture) {
            Moved::Contract(contract) => update_contract(&store, &contract).await,
            Moved::Division(division) => update_division(&store, &division).await,
            Moved::Record(record) => put_record(&store, &record).await,
        }
        assert_untouched(&store, &fixture, &update, refusal, what).await;
    }
}

/// When it comes back to what it was, the update applies: only the facts count, not their past.
pub async fn an_update_applies_when_the_facts_allow_it_again(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    update_division(&store, &inactive_division(&fixture.new_division)).await;
    let refusal = Refusal::DivisionNotFound;
    assert_untouched(&store, &fixture, &fixture.update(), refusal, "the division deactivated").await;
    update_division(&store, &fixture.new_division).await;
    applied(&store, &fixture.update()).await;
}

/// What it names is not there at all.
pub async fn an_update_is_refused_when_what_it_names_is_not_there(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let id = ContractDivisionId::new(fresh());
    let update = Update { id, ..fixture.update() };
    assert_untouched(&store, &fixture, &update, Refusal::RECORD_NOT_FOUND, "no such record").await;
    let mut update = fixture.update();
    update.change.division_id = DivisionId::new(fresh());
    assert_untouched(&store, &fixture, &update, Refusal::DivisionNotFound, "no such division").await;
    let mut update = fixture.update();
    update.change.contract_id = ContractId::new(fresh());
    assert_untouched(&store, &fixture, &update, Refusal::ContractNotUsable, "no such contract").await;
    assert_eq!(store.audit.rows(id).await, []);
}

/// A record that is not active cannot be updated.
pub async fn an_update_of_an_inactive_record_is_refused(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let mut record = contract_division(fixture.old_contract.facts.id, fixture.old_division.facts.id);
    record.is_active = false;
    put_record(&store, &record).await;
    let fixture = Fixture { record, ..fixture };
    let refusal = Refusal::RECORD_INACTIVE;
    assert_untouched(&store, &fixture, &fixture.update(), refusal, "the record is inactive").await;
}

/// What the current contract must be is judged by the contract at that time, whichever it is then.
pub async fn the_current_contract_is_the_one_at_the_time_of_writing(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let first = fixture.update();
    let second = fixture.update_to(&fixture.old_contract, &fixture.old_division);
    applied(&store, &first).await;
    // The record left this contract: what becomes of it does not matter to an update that goes elsewhere.
    update_contract(&store, &inactive_contract(&fixture.old_contract)).await;
    applied(&store, &fixture.update_to(&fixture.new_contract, &fixture.old_division)).await;
    assert_refused(&store, &second, Refusal::ContractNotUsable).await;
}

/// A division that is put in a later call can be used at once.
pub async fn what_was_just_loaded_can_be_used(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let division = division_of(fixture.contractor);
    put_division(&store, &division).await;
    applied(&store, &fixture.update_to(&fixture.new_contract, &division)).await;
    let again = store.registry.put_contract_divisions(slice::from_ref(&fixture.record)).await.unwrap();
    assert_eq!(again, [Put::Kept], "loading again never undoes an update");
    assert_eq!(stored(&store, &fixture).await.division_id, division.facts.id);
}

/// What was decided where no record was is inserted, under its key, and audited as an insertion by who asked for it.
pub async fn a_record_that_was_not_there_is_inserted(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let (new_contract, new_division) = (fixture.new_contract.facts, fixture.new_division.facts);
    let record = contract_division(new_contract.id, new_division.id);
    let idempotency = IdempotentRequest::new("test", client(), &idempotency_key(), &[b"a record"]);
    let decide: Decide = Arc::new(move |facts| {
        let expected = (None, Some(new_division), Some(new_contract));
        assert_eq!((facts.current, facts.division, facts.contract), expected);
        if facts.is_pair_taken { Err(Refusal::PairTaken) } else { Ok(record) }
    });
    let pair = Some(fixture.change());
    let (id, at, request_id) = (record.id, at_micros(1), request_id());
    let write = Write { id, pair, decide, at, request_id, idempotency: Some(idempotency) };
    assert_eq!(store.contract_divisions.write(&write).await.unwrap(), Written::Applied(record));
    assert_eq!(stored_record(&store, id).await, record);
    let rows = store.audit.rows(id).await;
    let told: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.request_id.as_deref())).collect();
    assert_eq!(told, [("INSERT", Some(write.request_id.as_str()))]);
    assert_eq!(store.contract_divisions.write(&write).await.unwrap(), Written::Replayed(record));
    let other = Write { id: ContractDivisionId::new(fresh()), idempotency: None, ..write };
    assert_eq!(store.contract_divisions.write(&other).await.unwrap(), Written::Refused(Refusal::PairTaken));
}

/// A write about the record alone is decided by the record and its contract; the whole row takes effect.
pub async fn a_write_without_a_pair_reads_the_record_alone(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let after = ContractDivision { is_active: false, ..fixture.record };
    let current = Current { record: fixture.record, contract: fixture.old_contract.facts };
    let alone = Facts { current: Some(current), division: None, contract: None, is_pair_taken: false };
    let decide: Decide = Arc::new(move |facts| {
        assert_eq!(*facts, alone);
        Ok(after)
    });
    let (id, at, request_id) = (fixture.record.id, at_micros(1), request_id());
    let write = Write { id, pair: None, decide, at, request_id, idempotency: None };
    assert_eq!(store.contract_divisions.write(&write).await.unwrap(), Written::Applied(after));
    assert_eq!(stored(&store, &fixture).await, after);
}

async fn assert_refused(store: &ContractStore, update: &Update, refusal: Refusal) {
    assert_eq!(update.apply(&*store.contract_divisions).await.unwrap(), Written::Refused(refusal));
}

async fn assert_untouched(
    store: &ContractStore,
    fixture: &Fixture,
    update: &Update,
    refusal: Refusal,
    what: &str,
) {
    let before = stored(store, fixture).await;
    let outcome = update.apply(&*store.contract_divisions).await.unwrap();
    assert_eq!(outcome, Written::Refused(refusal), "{what}");
    assert_eq!(stored(store, fixture).await, before, "{what}");
    assert_eq!(audited_updates(store, fixture).await, [], "{what}");
}
