//! Scanning what belongs to contracts: [`LegalEntityRegistry`](esoz_legal_entity::LegalEntityRegistry),
//! [`ContractRegistry`](esoz_contract_division::ContractRegistry).

use std::collections::HashSet;
use std::fmt::Debug;

use esoz_contract_division::{
    ContractDivision, ContractRecord, ContractStatus, ContractType, DivisionRecord, DivisionStatus,
};
use esoz_kernel::{ScanCursor, ScanPage, StoreError, Written};
use esoz_legal_entity::{LegalEntityRecord, LegalEntityStatus, LegalEntityType};

use super::ContractStore;
use super::contract_divisions::fixtures::{Fixture, put_contract, put_record, stored_legal_entity};
use super::scans::all_pages;
use crate::builders::{contract_division, contract_of, division_of, legal_entity};
use crate::contract_divisions::Update;

/// The records of all pages of that size.
async fn scan<T: Debug, F>(limit: u32, page: impl Fn(Option<ScanCursor>, u32) -> F) -> Vec<T>
where
    F: Future<Output = Result<ScanPage<T>, StoreError>>,
{
    all_pages(limit, page).await.into_iter().map(Result::unwrap).collect()
}

async fn legal_entities(store: &ContractStore, limit: u32) -> Vec<LegalEntityRecord> {
    scan(limit, |after, limit| store.legal_entity_registry.scan_legal_entities(after, limit)).await
}

async fn divisions(store: &ContractStore, limit: u32) -> Vec<DivisionRecord> {
    scan(limit, |after, limit| store.registry.scan_divisions(after, limit)).await
}

async fn contracts(store: &ContractStore, limit: u32) -> Vec<ContractRecord> {
    scan(limit, |after, limit| store.registry.scan_contracts(after, limit)).await
}

async fn contract_divisions(store: &ContractStore) -> Vec<ContractDivision> {
    let all = store.registry.snapshot_contract_divisions().await.unwrap();
    all.into_iter().map(Result::unwrap).collect()
}

/// Scans of nothing are one empty page.
pub async fn scans_of_nothing_are_empty(store: ContractStore) {
    assert_eq!(legal_entities(&store, 10).await, []);
    assert_eq!(divisions(&store, 10).await, []);
    assert_eq!(contracts(&store, 10).await, []);
    assert_eq!(contract_divisions(&store).await, []);
}

/// Whatever the size of a page, every record comes once, with every column as it was put, in the order of ids.
pub async fn pages_are_in_order_and_complete(store: ContractStore) {
    let mut all_legal_entities: Vec<LegalEntityRecord> = Vec::new();
    for (place, status) in LegalEntityStatus::ALL.into_iter().cycle().take(9).enumerate() {
        let mut record = LegalEntityRecord { is_active: place % 2 == 0, ..legal_entity() };
        record.facts.status = status;
        record.facts.kind = LegalEntityType::new(format!("TYPE {place}"));
        all_legal_entities.push(record);
    }
    store.legal_entity_registry.put_legal_entities(&all_legal_entities).await.unwrap();
    all_legal_entities.sort_unstable_by_key(|record| record.facts.id);
    let owner = all_legal_entities[0].facts.id;

    let mut all_divisions: Vec<DivisionRecord> = (0..9).map(|_| division_of(owner)).collect();
    for (record, dls_verified) in
        all_divisions.iter_mut().zip([None, Some(false), Some(true)].into_iter().cycle())
    {
        record.dls_verified = dls_verified;
        record.facts.is_active = dls_verified.is_some();
        record.status =
            if dls_verified.is_some() { DivisionStatus::Active } else { DivisionStatus::Inactive };
    }
    store.registry.put_divisions(&all_divisions).await.unwrap();
    all_divisions.sort_unstable_by_key(|record| record.facts.id);

    let mut all_contracts: Vec<ContractRecord> = (0..9).map(|_| contract_of(owner)).collect();
    for (record, kind) in all_contracts.iter_mut().zip(ContractType::ALL.into_iter().cycle()) {
        record.facts.kind = kind;
        record.facts.is_active = kind == ContractType::GbCbp;
        record.is_suspended = kind == ContractType::Capitation;
        record.status =
            if record.is_suspended { ContractStatus::Terminated } else { ContractStatus::Verified };
    }
    let [first, last] = ["0000-01-01", "9999-12-31"].map(|day| day.parse().unwrap());
    (all_contracts[0].start_date, all_contracts[0].end_date) = (first, last);
    store.registry.put_contracts(&all_contracts).await.unwrap();
    all_contracts.sort_unstable_by_key(|record| record.facts.id);

    let mut all_contract_divisions: Vec<ContractDivision> = Vec::new();
    for (contract, division) in all_contracts.iter().zip(&all_divisions) {
        let mut record = contract_division(contract.facts.id, division.facts.id);
        record.is_active = division.facts.is_active;
        all_contract_divisions.push(record);
    }
    store.registry.put_contract_divisions(&all_contract_divisions).await.unwrap();
    all_contract_divisions.sort_unstable_by_key(|record| record.id);

    for limit in [1, 2, 8, 9, 10, 1_000] {
        assert_eq!(legal_entities(&store, limit).await, all_legal_entities, "in pages of {limit}");
        assert_eq!(divisions(&store, limit).await, all_divisions, "in pages of {limit}");
        assert_eq!(contracts(&store, limit).await, all_contracts, "in pages of {limit}");
    }
    assert_eq!(contract_divisions(&store).await, all_contract_divisions);
}

/// What is there during the whole scan comes once, though records are loaded meanwhile.
pub async fn a_scan_goes_on_while_records_are_loaded(store: ContractStore) {
    let mut ids = Vec::new();
    for _ in 0..9 {
        ids.push(stored_legal_entity(&store).await);
    }
    let (mut scanned, mut after) = (Vec::new(), None);
    for _ in 0..ids.len() {
        let page = store.legal_entity_registry.scan_legal_entities(after, 3).await.unwrap();
        scanned.extend(page.records.into_iter().map(|record| record.unwrap().facts.id));
        after = page.next;
        if after.is_none() {
            break;
        }
        stored_legal_entity(&store).await;
    }
    assert!(after.is_none(), "it has an end");
    assert!(scanned.is_sorted_by(|one, next| one < next), "{scanned:?}");
    assert!(ids.iter().all(|id| scanned.contains(id)), "{scanned:?}");
}

/// All contract divisions are read as of one instant: no pair of active ones is there twice, though records take the pairs that others leave.
pub async fn a_snapshot_has_each_active_pair_once(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let spare = contract_of(fixture.contractor);
    put_contract(&store, &spare).await;
    let rival = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
    put_record(&store, &rival).await;
    let moves = async {
        // One leaves its pair for the spare one, the other takes it, and so on.
        let mut pairs = [fixture.record, rival].map(|record| (record.contract_id, record.division_id));
        let mut free = (spare.facts.id, fixture.new_division.facts.id);
        for step in 0..60 {
            let place = step % 2;
            let id = [fixture.record.id, rival.id][place];
            let mut update = Update { id, ..fixture.update() };
            (update.change.contract_id, update.change.division_id) = free;
            let outcome = update.apply(&*store.contract_divisions).await.unwrap();
            assert!(matches!(outcome, Written::Applied(_)), "{outcome:?}");
            free = std::mem::replace(&mut pairs[place], free);
        }
    };
    let snapshots = async {
        for _ in 0..60 {
            let all = contract_divisions(&store).await;
            let pairs: HashSet<_> =
                all.iter().map(|record| (record.contract_id, record.division_id)).collect();
            assert_eq!((all.len(), pairs.len()), (2, 2), "{all:?}");
        }
    };
    tokio::join!(moves, snapshots);
}
