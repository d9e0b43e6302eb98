//! Loading divisions, contracts and contract divisions: [`ContractRegistry`](esoz_contract_division::ContractRegistry).

use esoz_contract_division::{ContractType, Pair};
use esoz_kernel::{ContractId, DivisionId, LegalEntityId, Put};

use super::ContractStore;
use super::contract_divisions::fixtures::{
    Fixture, facts, put_contract, put_record, stored, stored_division, stored_legal_entity,
};
use crate::builders::{contract_division, contract_of, division_of, fresh, stamps};
use crate::contract_divisions;

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
