use esoz_contract_division::{ContractStatus, ContractType, Current, DivisionStatus, Facts, Pair};
use esoz_kernel::{ContractDivisionId, ContractId, DivisionId};

use super::fixtures::{
    Fixture, facts, inactive_contract, inactive_division, put_contract, put_record, stored_division,
    update_contract, update_division,
};
use crate::builders::{contract_division, contract_of, fresh};
use crate::contract::ContractStore;
use crate::contract_divisions;

/// What is not there is a value, not an error.
pub async fn facts_of_nothing(store: ContractStore) {
    let id = ContractDivisionId::new(fresh());
    let change = Pair { division_id: DivisionId::new(fresh()), contract_id: ContractId::new(fresh()) };
    let nothing = Facts { current: None, division: None, contract: None, is_pair_taken: false };
    assert_eq!(
        contract_divisions::facts(&*store.contract_divisions, id, Some(change)).await.unwrap(),
        nothing
    );
    assert_eq!(store.contract_divisions.find(id).await.unwrap(), None);
}

/// Everything that there is, each part independent of the others, to the microsecond.
pub async fn facts_of_everything(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let all = Facts {
        current: Some(Current { record: fixture.record, contract: fixture.old_contract.facts }),
        division: Some(fixture.new_division.facts),
        contract: Some(fixture.new_contract.facts),
        is_pair_taken: false,
    };
    let change = fixture.change();
    assert_eq!(facts(&store, &fixture, &change).await, all);
    assert_eq!(store.contract_divisions.find(fixture.record.id).await.unwrap(), all.current);

    let unknown = ContractDivisionId::new(fresh());
    let without_record =
        contract_divisions::facts(&*store.contract_divisions, unknown, Some(change)).await.unwrap();
    assert_eq!(without_record, Facts { current: None, ..all });
    let no_division = Pair { division_id: DivisionId::new(fresh()), ..change };
    assert_eq!(facts(&store, &fixture, &no_division).await, Facts { division: None, ..all });
    let no_contract = Pair { contract_id: ContractId::new(fresh()), ..change };
    assert_eq!(facts(&store, &fixture, &no_contract).await, Facts { contract: None, ..all });
}

/// What is inactive is there as well: the rules decide what that means.
pub async fn facts_of_what_is_inactive(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let division = inactive_division(&fixture.new_division);
    update_division(&store, &division).await;
    let mut contract = inactive_contract(&fixture.new_contract);
    contract.facts.kind = ContractType::Capitation;
    update_contract(&store, &contract).await;
    let mut current = inactive_contract(&fixture.old_contract);
    current.facts.kind = ContractType::Reimbursement;
    update_contract(&store, &current).await;
    let mut record = contract_division(current.facts.id, fixture.old_division.facts.id);
    record.is_active = false;
    put_record(&store, &record).await;

    let seen = contract_divisions::facts(&*store.contract_divisions, record.id, Some(fixture.change()))
        .await
        .unwrap();
    let expected = Facts {
        current: Some(Current { record, contract: current.facts }),
        division: Some(division.facts),
        contract: Some(contract.facts),
        is_pair_taken: false,
    };
    assert_eq!(seen, expected);
    assert_eq!(store.contract_divisions.find(record.id).await.unwrap(), expected.current);
}

/// The statuses and the suspension say nothing about what is active (U24).
pub async fn facts_read_is_active_and_no_status(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let mut division = stored_division(&store, fixture.contractor).await;
    division.status = DivisionStatus::Inactive;
    update_division(&store, &division).await;
    let mut contract = contract_of(fixture.contractor);
    contract.status = ContractStatus::Terminated;
    contract.is_suspended = true;
    put_contract(&store, &contract).await;
    let change = Pair { division_id: division.facts.id, contract_id: contract.facts.id };
    let seen = facts(&store, &fixture, &change).await;
    assert_eq!((seen.division, seen.contract), (Some(division.facts), Some(contract.facts)));
}

/// A pair is taken by another active record, and by nothing else.
pub async fn a_pair_is_taken_by_another_active_record_only(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let own = Pair { division_id: fixture.record.division_id, contract_id: fixture.record.contract_id };
    assert!(
        !facts(&store, &fixture, &own).await.is_pair_taken,
        "the record itself does not stand in its way"
    );

    let half = contract_division(fixture.new_contract.facts.id, fixture.old_division.facts.id);
    put_record(&store, &half).await;
    let other_half = contract_division(fixture.old_contract.facts.id, fixture.new_division.facts.id);
    put_record(&store, &other_half).await;
    let mut inactive = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    inactive.is_active = false;
    put_record(&store, &inactive).await;
    assert!(
        !facts(&store, &fixture, &fixture.change()).await.is_pair_taken,
        "half a pair, or an inactive one"
    );

    let active = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    put_record(&store, &active).await;
    assert!(facts(&store, &fixture, &fixture.change()).await.is_pair_taken);
    let by_the_holder =
        contract_divisions::facts(&*store.contract_divisions, active.id, Some(fixture.change()))
            .await
            .unwrap();
    assert!(!by_the_holder.is_pair_taken);
    let by_nobody = contract_divisions::facts(
        &*store.contract_divisions,
        ContractDivisionId::new(fresh()),
        Some(fixture.change()),
    )
    .await
    .unwrap();
    assert!(by_nobody.is_pair_taken);
}
