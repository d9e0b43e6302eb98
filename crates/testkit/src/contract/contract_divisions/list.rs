use esoz_contract_division::{ContractDivision, ContractType, Filter, Visibility};
use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, Page, PageRequest};

use super::fixtures::{
    Fixture, inactive_contract, put_contract, put_record, stored_division, update_contract,
};
use crate::builders::{at_micros, contract_division, contract_of, fresh};
use crate::contract::ContractStore;

const EVERYTHING: Filter =
    Filter { id: None, contract_id: None, division_id: None, visibility: Visibility::SHOWN };

pub(super) async fn list(
    store: &ContractStore,
    filter: Filter,
    number: u32,
    size: u32,
) -> Page<ContractDivision> {
    let page = PageRequest::new(number, size).unwrap();
    let Page { items, total_entries } = store.contract_divisions.list(&filter, page).await.unwrap();
    Page { items: items.into_iter().map(Result::unwrap).collect(), total_entries }
}

/// A store without records has an empty list.
pub async fn a_list_of_nothing_is_empty(store: ContractStore) {
    assert_eq!(list(&store, EVERYTHING, 1, 50).await, Page::empty());
    Fixture::set(&store).await;
    let nothing = Filter { id: Some(ContractDivisionId::new(fresh())), ..EVERYTHING };
    assert_eq!(list(&store, nothing, 1, 50).await, Page::empty());
}

/// Each filter alone, and two together.
pub async fn a_list_holds_what_meets_every_filter(store: ContractStore) {
    let Fixture { record, new_contract, old_division, new_division, .. } = Fixture::set(&store).await;
    let other = contract_division(new_contract.facts.id, new_division.facts.id);
    put_record(&store, &other).await;
    for (filter, expected) in [
        (Filter { id: Some(record.id), ..EVERYTHING }, vec![record]),
        (Filter { contract_id: Some(other.contract_id), ..EVERYTHING }, vec![other]),
        (Filter { division_id: Some(old_division.facts.id), ..EVERYTHING }, vec![record]),
        (Filter { contract_id: Some(ContractId::new(fresh())), ..EVERYTHING }, vec![]),
        (Filter { division_id: Some(DivisionId::new(fresh())), ..EVERYTHING }, vec![]),
        (Filter { id: Some(other.id), contract_id: Some(other.contract_id), ..EVERYTHING }, vec![other]),
        (Filter { id: Some(record.id), contract_id: Some(other.contract_id), ..EVERYTHING }, vec![]),
    ] {
        let page = list(&store, filter, 1, 50).await;
        assert_eq!(page.items, expected, "{filter:?}");
        assert_eq!(page.total_entries, u64::try_from(expected.len()).unwrap(), "{filter:?}");
    }
}

/// A record that is not visible is not listed; whether its contract is active does not matter.
pub async fn a_list_holds_what_is_visible(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let [inactive, of_capitation] = fixture.hidden(&store).await;
    update_contract(&store, &inactive_contract(&fixture.old_contract)).await;

    assert_eq!(list(&store, EVERYTHING, 1, 50).await.items, [fixture.record]);
    for (visibility, expected) in [
        (Visibility { is_active: false, ..Visibility::SHOWN }, inactive),
        (Visibility { contract_type: ContractType::Capitation, ..Visibility::SHOWN }, of_capitation),
    ] {
        assert_eq!(list(&store, Filter { visibility, ..EVERYTHING }, 1, 50).await.items, [expected]);
    }
}

/// Every entry stands on one page, in order of time and then id; a page after the last is empty with the true total.
pub async fn pages_are_in_order_and_complete(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let contract = contract_of(fixture.contractor);
    put_contract(&store, &contract).await;
    let mut expected = Vec::new();
    for place in 0..13_i64 {
        let division = stored_division(&store, fixture.contractor).await;
        let mut record = contract_division(contract.facts.id, division.facts.id);
        // Few distinct times, so that the id decides as well.
        record.stamps.inserted_at = at_micros(place % 3);
        record.stamps.updated_at = record.stamps.inserted_at;
        put_record(&store, &record).await;
        expected.push(record);
    }
    expected.sort_unstable_by_key(|record| (record.stamps.inserted_at, record.id));
    let filter = Filter { contract_id: Some(contract.facts.id), ..EVERYTHING };
    let mut seen = Vec::new();
    for (number, entries) in [(1, 5), (2, 5), (3, 3), (4, 0), (PageRequest::MAX_NUMBER, 0)] {
        let page = list(&store, filter, number, 5).await;
        assert_eq!((page.items.len(), page.total_entries), (entries, 13), "page {number}");
        seen.extend(page.items);
    }
    assert_eq!(seen, expected);
}
