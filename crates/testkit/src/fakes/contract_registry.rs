use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractRecord, ContractRegistry, DivisionRecord};
use esoz_kernel::{
    ContractId, DivisionId, LegalEntityId, Put, ScanCursor, ScanPage, Stamps, StoreError, time::to_micros,
};
use esoz_legal_entity::{LegalEntityRecord, LegalEntityRegistry};

use super::contracts::{FakeContracts, State};
use super::scan;

/// A record that takes new content, but for who wrote it first and when.
pub(super) trait Renewable: Clone + PartialEq {
    fn stamps(&mut self) -> &mut Stamps;
}

impl Renewable for LegalEntityRecord {
    fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }
}

impl Renewable for DivisionRecord {
    fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }
}

impl Renewable for ContractRecord {
    fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }
}

fn in_micros(stamps: Stamps) -> Stamps {
    let (inserted_at, updated_at) = (to_micros(stamps.inserted_at), to_micros(stamps.updated_at));
    Stamps { inserted_at, updated_at, ..stamps }
}

pub(super) fn renew<K: Eq + Hash, R: Renewable>(table: &mut HashMap<K, R>, key: K, record: &R) -> Put {
    let mut record = record.clone();
    *record.stamps() = in_micros(*record.stamps());
    match table.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(record);
            Put::Created
        }
        Entry::Occupied(mut occupied) => {
            let first = *occupied.get_mut().stamps();
            let Stamps { inserted_at, inserted_by, .. } = first;
            *record.stamps() = Stamps { inserted_at, inserted_by, ..*record.stamps() };
            if *occupied.get() == record {
                return Put::Kept;
            }
            occupied.insert(record);
            Put::Updated
        }
    }
}

impl State {
    fn missing_legal_entity(&self, id: LegalEntityId) -> Option<Put> {
        let is_missing = !self.legal_entities.contains_key(&id);
        is_missing.then(|| Put::Refused(format!("legal entity {id} is not there: load it first")))
    }

    fn put_contract_division(&mut self, record: &ContractDivision) -> Result<Put, StoreError> {
        let ContractDivision { id, contract_id, division_id, .. } = *record;
        if self.records.contains_key(&id) {
            return Ok(Put::Kept);
        }
        if !self.contracts.contains_key(&contract_id) {
            return Ok(Put::Refused(format!("contract {contract_id} is not there: load it first")));
        }
        if !self.divisions.contains_key(&division_id) {
            return Ok(Put::Refused(format!("division {division_id} is not there: load it first")));
        }
        if record.is_active && self.is_pair_taken(id, contract_id, division_id) {
            return Ok(Put::Refused(format!(
                "another active record has contract {contract_id} and division {division_id} already"
            )));
        }
        let stamps = in_micros(record.stamps);
        self.write(ContractDivision { stamps, ..*record }, stamps.updated_by, None)?;
        Ok(Put::Created)
    }
}

#[async_trait]
impl LegalEntityRegistry for FakeContracts {
    async fn put_legal_entities(&self, records: &[LegalEntityRecord]) -> Result<Vec<Put>, StoreError> {
        let mut state = self.0.lock();
        let put = |record: &LegalEntityRecord| renew(&mut state.legal_entities, record.facts.id, record);
        Ok(records.iter().map(put).collect())
    }

    async fn scan_legal_entities(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<LegalEntityRecord>, StoreError> {
        let state = self.0.lock();
        Ok(scan(&state.legal_entities, LegalEntityId::uuid, after, limit, |_, record| Ok(record.clone())))
    }
}

#[async_trait]
impl ContractRegistry for FakeContracts {
    async fn put_divisions(&self, records: &[DivisionRecord]) -> Result<Vec<Put>, StoreError> {
        let mut state = self.0.lock();
        let put = |record: &DivisionRecord| {
            let refused = state.missing_legal_entity(record.facts.legal_entity);
            refused.unwrap_or_else(|| renew(&mut state.divisions, record.facts.id, record))
        };
        Ok(records.iter().map(put).collect())
    }

    async fn put_contracts(&self, records: &[ContractRecord]) -> Result<Vec<Put>, StoreError> {
        let mut state = self.0.lock();
        let put = |record: &ContractRecord| {
            let refused = state.missing_legal_entity(record.facts.contractor);
            refused.unwrap_or_else(|| renew(&mut state.contracts, record.facts.id, record))
        };
        Ok(records.iter().map(put).collect())
    }

    async fn put_contract_divisions(&self, records: &[ContractDivision]) -> Result<Vec<Put>, StoreError> {
        let mut state = self.0.lock();
        records.iter().map(|record| state.put_contract_division(record)).collect()
    }
    async fn scan_divisions(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DivisionRecord>, StoreError> {
        let state = self.0.lock();
        Ok(scan(&state.divisions, DivisionId::uuid, after, limit, |_, record| Ok(record.clone())))
    }

    async fn scan_contracts(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<ContractRecord>, StoreError> {
        let state = self.0.lock();
        Ok(scan(&state.contracts, ContractId::uuid, after, limit, |_, record| Ok(record.clone())))
    }

    async fn snapshot_contract_divisions(
        &self,
    ) -> Result<Vec<Result<ContractDivision, StoreError>>, StoreError> {
        let mut all: Vec<_> = self.0.lock().records.values().copied().collect();
        all.sort_unstable_by_key(|record| record.id);
        Ok(all.into_iter().map(Ok).collect())
    }
}
