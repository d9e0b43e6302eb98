//! Loading divisions, contracts and contract divisions: [`ContractRegistry`](esoz_contract_division::ContractRegistry).

use esoz_contract_division::{ContractDivision, ContractType, DivisionRecord, Pair};
use esoz_kernel::{ContractId, DivisionId, LegalEntityId, Put};

use super::ContractStore;
use super::contract_divisions::fixtures::{
    Fixture, facts, put_contract, put_record, stored, stored_division, stored_legal_entity,
};
use crate::builders::{contract_division, contract_of, division_of, fresh, stamps};
use crate::contract_divisions;

/// More than a store takes in one step.
const MANY: usize = 550;

/// A refusal says in words what is missing. What it calls the record itself does not count.
fn assert_refused_for(answer: &Put, missing: &str) {
    let Put::Refused(words) = answer else { panic!("{answer:?} where a refusal was due") };
    let words = words.to_lowercase().replace('_', " ").replace("contract division", "");
    assert!(words.contains(missing), "{words:?} does not name what is missing: {missing}");
}

/// A division is created, then takes new content.
pub async fn a_division_takes_new_content(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let first = division_of(fixture.contractor);
    assert_eq!(store.registry.put_divisions(std::slice::from_ref(&first)).await.unwrap(), [Put::Created]);
    let mut second = division_of(fixture.stranger);
    second.facts.id = first.facts.id;
    second.facts.is_active = false;
    let third = division_of(fixture.contractor);
    let answers = store.registry.put_divisions(&[second.clone(), third.clone()]).await.unwrap();
    assert_eq!(answers, [Put::Updated, Put::Created]);
    for record in [&second, &third] {
        let change = Pair { division_id: record.facts.id, ..fixture.change() };
        assert_eq!(facts(&store, &fixture, &change).await.division, Some(record.facts));
    }
    assert_eq!(store.registry.put_divisions(&[]).await.unwrap(), []);
}

/// A contract is created, then takes new content.
pub async fn a_contract_takes_new_content(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    for kind in ContractType::ALL {
        let mut first = contract_of(fixture.contractor);
        assert_eq!(store.registry.put_contracts(&[first.clone()]).await.unwrap(), [Put::Created]);
        first.facts.kind = kind;
        first.facts.contractor = fixture.stranger;
        first.facts.is_active = false;
        first.stamps = stamps();
        let other = contract_of(fixture.contractor);
        let answers = store.registry.put_contracts(&[first.clone(), other.clone()]).await.unwrap();
        assert_eq!(answers, [Put::Updated, Put::Created]);
        for record in [&first, &other] {
            let change = Pair { contract_id: record.facts.id, ..fixture.change() };
            assert_eq!(facts(&store, &fixture, &change).await.contract, Some(record.facts));
        }
    }
    assert_eq!(store.registry.put_contracts(&[]).await.unwrap(), []);
}

/// A contract division that is there stays as it is, whatever the file says by now.
pub async fn a_contract_division_stays_as_it_is(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let mut changed = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    changed.id = fixture.record.id;
    changed.is_active = false;
    let other = contract_division(fixture.new_contract.facts.id, fixture.old_division.facts.id);
    let records = [fixture.record, changed, other, other];
    let answers = store.registry.put_contract_divisions(&records).await.unwrap();
    assert_eq!(answers, [Put::Kept, Put::Kept, Put::Created, Put::Kept]);
    assert_eq!(stored(&store, &fixture).await, fixture.record);
    assert_eq!(store.registry.put_contract_divisions(&[]).await.unwrap(), []);
}

/// A record whose legal entity is not there is refused, in words; the others of the call are stored.
pub async fn what_belongs_to_no_legal_entity_is_refused(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let nobody = LegalEntityId::new(fresh());
    let divisions = [division_of(fixture.contractor), division_of(nobody), division_of(fixture.stranger)];
    let answers = store.registry.put_divisions(&divisions).await.unwrap();
    assert_eq!((answers.len(), &answers[0], &answers[2]), (3, &Put::Created, &Put::Created));
    assert_refused_for(&answers[1], "legal entit");
    for (division, expected) in divisions.iter().zip([true, false, true]) {
        let change = Pair { division_id: division.facts.id, ..fixture.change() };
        assert_eq!(facts(&store, &fixture, &change).await.division, expected.then_some(division.facts));
    }

    let contracts = [contract_of(nobody), contract_of(fixture.contractor)];
    let answers = store.registry.put_contracts(&contracts).await.unwrap();
    assert_eq!((answers.len(), &answers[1]), (2, &Put::Created));
    assert_refused_for(&answers[0], "legal entit");
    for (contract, expected) in contracts.iter().zip([false, true]) {
        let change = Pair { contract_id: contract.facts.id, ..fixture.change() };
        assert_eq!(facts(&store, &fixture, &change).await.contract, expected.then_some(contract.facts));
    }
}

/// A record that is there is not moved to a legal entity that is not.
pub async fn a_refused_update_changes_nothing(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let nobody = LegalEntityId::new(fresh());
    let (mut division, mut contract) = (fixture.new_division.clone(), fixture.new_contract.clone());
    division.facts.legal_entity = nobody;
    division.facts.is_active = false;
    contract.facts.contractor = nobody;
    contract.facts.is_active = false;
    assert_refused_for(&store.registry.put_divisions(&[division]).await.unwrap()[0], "legal entit");
    assert_refused_for(&store.registry.put_contracts(&[contract]).await.unwrap()[0], "legal entit");
    let seen = facts(&store, &fixture, &fixture.change()).await;
    assert_eq!(seen.division, Some(fixture.new_division.facts));
    assert_eq!(seen.contract, Some(fixture.new_contract.facts));
}

/// A contract division of a contract or division that is not there is refused; the others of the call are stored.
pub async fn a_contract_division_of_nothing_is_refused(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let records = [
        contract_division(ContractId::new(fresh()), fixture.new_division.facts.id),
        contract_division(fixture.new_contract.facts.id, DivisionId::new(fresh())),
        contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id),
    ];
    let answers = store.registry.put_contract_divisions(&records).await.unwrap();
    assert_eq!((answers.len(), &answers[2]), (3, &Put::Created));
    assert_refused_for(&answers[0], "contract");
    assert_refused_for(&answers[1], "division");
    for (record, is_there) in records.iter().zip([false, false, true]) {
        let seen = contract_divisions::stored(&*store.contract_divisions, record.id).await.unwrap();
        assert_eq!(seen, is_there.then_some(*record));
    }
}

/// A second active record with the same pair is refused; an inactive one is not.
pub async fn a_second_active_record_with_a_pair_is_refused(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let same_pair = || contract_division(fixture.record.contract_id, fixture.record.division_id);
    let mut inactive = same_pair();
    inactive.is_active = false;
    let active = same_pair();
    let new_pair = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    let again = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    let records = [active, inactive, new_pair, again];
    let answers = store.registry.put_contract_divisions(&records).await.unwrap();
    assert_eq!(answers.len(), 4);
    assert_refused_for(&answers[0], "contract");
    assert_refused_for(&answers[0], "division");
    assert_eq!(answers[1..3], [Put::Created, Put::Created]);
    assert_refused_for(&answers[3], "contract");
    for (record, is_there) in records.iter().zip([false, true, true, false]) {
        let seen = contract_divisions::stored(&*store.contract_divisions, record.id).await.unwrap();
        assert_eq!(seen, is_there.then_some(*record));
    }
}

/// A bad record in the middle of many is refused alone, wherever it stands and however many there are.
pub async fn a_bad_record_among_many_is_refused_alone(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let nobody = LegalEntityId::new(fresh());
    for bad in [&[311][..], &[0, 17, 18, 512, 548]] {
        let owner = |place| if bad.contains(&place) { nobody } else { fixture.contractor };
        let divisions: Vec<_> = (0..MANY).map(|place| division_of(owner(place))).collect();
        let answers = store.registry.put_divisions(&divisions).await.unwrap();
        assert_eq!(answers.len(), MANY);
        for (place, answer) in answers.iter().enumerate() {
            if bad.contains(&place) {
                assert_refused_for(answer, "legal entit");
            } else {
                assert_eq!(answer, &Put::Created, "{place} of {bad:?}");
            }
        }
        // What is not there is refused by what it refers to.
        let contract = contract_of(fixture.contractor);
        put_contract(&store, &contract).await;
        let record = |division: &DivisionRecord| contract_division(contract.facts.id, division.facts.id);
        let records: Vec<_> = divisions.iter().map(record).collect();
        let answers = store.registry.put_contract_divisions(&records).await.unwrap();
        let refused = answers.iter().enumerate().filter(|(_, answer)| **answer != Put::Created);
        assert_eq!(refused.map(|(place, _)| place).collect::<Vec<_>>(), bad);
        for place in bad.iter().flat_map(|place| [*place, place + 1]) {
            let audited = store.audit.rows(records[place].id).await.len();
            assert_eq!(audited, usize::from(!bad.contains(&place)), "audit rows of {place} of {bad:?}");
        }
    }
}

/// A record that comes several times in one call has the outcomes that it has one call after the other: the last line wins.
pub async fn a_record_that_comes_again_in_a_call_takes_the_last_content(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let nobody = LegalEntityId::new(fresh());
    let first = division_of(fixture.contractor);
    let moved_to = |legal_entity| {
        let mut record = first.clone();
        record.facts.legal_entity = legal_entity;
        record
    };
    let divisions = [
        moved_to(nobody),
        first.clone(),
        moved_to(fixture.stranger),
        moved_to(nobody),
        moved_to(fixture.stranger),
    ];
    let answers = store.registry.put_divisions(&divisions).await.unwrap();
    assert_eq!((&answers[1..3], &answers[4]), (&[Put::Created, Put::Updated][..], &Put::Kept));
    assert_refused_for(&answers[0], "legal entit");
    assert_refused_for(&answers[3], "legal entit");
    let change = Pair { division_id: first.facts.id, ..fixture.change() };
    let stored = facts(&store, &fixture, &change).await.division;
    assert_eq!(stored.map(|division| division.legal_entity), Some(fixture.stranger));

    let contract = contract_of(fixture.contractor);
    let mut ended = contract.clone();
    ended.facts.is_active = false;
    let contracts = [contract.clone(), ended.clone(), ended, contract.clone()];
    let answers = store.registry.put_contracts(&contracts).await.unwrap();
    assert_eq!(answers, [Put::Created, Put::Updated, Put::Kept, Put::Updated]);
    let change = Pair { contract_id: contract.facts.id, ..fixture.change() };
    assert_eq!(facts(&store, &fixture, &change).await.contract, Some(contract.facts));
}

/// A contract division that comes again in one call stays as it came first; one that was refused may come again.
pub async fn a_contract_division_that_comes_again_in_a_call_stays_as_it_is(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let first = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    let dangling = ContractDivision { contract_id: ContractId::new(fresh()), ..first };
    let moved = ContractDivision { division_id: fixture.old_division.facts.id, ..first };
    let rival = contract_division(first.contract_id, first.division_id);
    let records = [dangling, first, moved, rival, first];
    let answers = store.registry.put_contract_divisions(&records).await.unwrap();
    assert_refused_for(&answers[0], "contract");
    assert_eq!(answers[1..3], [Put::Created, Put::Kept]);
    assert_refused_for(&answers[3], "division");
    assert_eq!(answers[4], Put::Kept);
    let seen = contract_divisions::stored(&*store.contract_divisions, first.id).await.unwrap();
    assert_eq!(seen, Some(first));
    assert_eq!(store.audit.rows(first.id).await.len(), 1);
}

/// Legal entity, division, contract and contract division, one after the other, as a file is loaded.
pub async fn a_whole_file_is_loaded_and_loaded_again(store: ContractStore) {
    let owner = stored_legal_entity(&store).await;
    let division = stored_division(&store, owner).await;
    let contract = contract_of(owner);
    put_contract(&store, &contract).await;
    let record = contract_division(contract.facts.id, division.facts.id);
    put_record(&store, &record).await;
    let divisions = store.registry.put_divisions(&[division]).await.unwrap();
    assert!(matches!(divisions[..], [Put::Updated | Put::Kept]), "{divisions:?}");
    let contracts = store.registry.put_contracts(&[contract]).await.unwrap();
    assert!(matches!(contracts[..], [Put::Updated | Put::Kept]), "{contracts:?}");
    assert_eq!(store.registry.put_contract_divisions(&[record]).await.unwrap(), [Put::Kept]);
}
