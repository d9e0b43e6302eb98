use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_contract_division::{
    ContractDivision, ContractDivisions, ContractRecord, Current, DivisionRecord, Facts, Filter, Pair,
    Refusal, Write,
};
use esoz_kernel::{
    ContractDivisionId, ContractId, DivisionId, IdempotencyRecords, LegalEntityId, Page, PageRequest,
    StoreError, StoreErrorKind, Timestamp, UserId, Written, time::rfc3339_micros,
};
use esoz_legal_entity::{LegalEntities, LegalEntity, LegalEntityRecord};
use serde_json::{Map, Value, json};

use super::{Locked, keys::Keys};
use crate::contract::{Audit, AuditRow, ContractStore};

/// Legal entities, divisions, contracts, contract divisions and their audit log, in memory.
#[derive(Debug, Default)]
pub struct FakeContracts(pub(super) Locked<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) legal_entities: HashMap<LegalEntityId, LegalEntityRecord>,
    pub(super) divisions: HashMap<DivisionId, DivisionRecord>,
    pub(super) contracts: HashMap<ContractId, ContractRecord>,
    pub(super) records: HashMap<ContractDivisionId, ContractDivision>,
    audit: Vec<(ContractDivisionId, AuditRow)>,
    keys: Keys<ContractDivision>,
    is_audit_broken: bool,
}

impl FakeContracts {
    /// An empty one, as the contract suites want it.
    pub fn under_test() -> ContractStore {
        let fake = Arc::new(Self::default());
        ContractStore {
            contract_divisions: fake.clone(),
            registry: fake.clone(),
            legal_entities: fake.clone(),
            legal_entity_registry: fake.clone(),
            keys: fake.clone(),
            audit: fake,
            keep: Box::new(()),
        }
    }
}

impl State {
    /// Whether an active record other than that one has the pair.
    pub(super) fn is_pair_taken(
        &self,
        besides: ContractDivisionId,
        contract_id: ContractId,
        division_id: DivisionId,
    ) -> bool {
        self.records.values().any(|record| {
            record.id != besides
                && record.is_active
                && record.contract_id == contract_id
                && record.division_id == division_id
        })
    }

    /// Writes the record together with its audit row, or neither.
    pub(super) fn write(
        &mut self,
        after: ContractDivision,
        actor_id: UserId,
        request_id: Option<String>,
    ) -> Result<(), StoreError> {
        if self.is_audit_broken {
            let attempted = format!("writing contract division {}: its audit row was refused", after.id);
            return Err(StoreError::new(StoreErrorKind::Unexpected, attempted));
        }
        let before = self.records.insert(after.id, after);
        let (action, before, after_columns) = match before {
            None => ("INSERT", None, columns(&after)),
            Some(before) => {
                let (before, after) = differing(&columns(&before), &columns(&after));
                ("UPDATE", Some(Value::Object(before)), Value::Object(after))
            }
        };
        let row = AuditRow {
            actor_id,
            resource: "contract_divisions".to_owned(),
            action: action.to_owned(),
            before,
            after: Some(after_columns),
            request_id,
        };
        self.audit.push((after.id, row));
        Ok(())
    }

    fn current(&self, id: ContractDivisionId) -> Option<Current> {
        let record = *self.records.get(&id)?;
        let contract = self.contracts.get(&record.contract_id)?.facts;
        Some(Current { record, contract })
    }

    /// All that the rules read.
    fn facts(&self, id: ContractDivisionId, pair: Option<Pair>) -> Facts {
        Facts {
            current: self.current(id),
            division: pair.and_then(|pair| Some(self.divisions.get(&pair.division_id)?.facts)),
            contract: pair.and_then(|pair| Some(self.contracts.get(&pair.contract_id)?.facts)),
            is_pair_taken: pair
                .is_some_and(|pair| self.is_pair_taken(id, pair.contract_id, pair.division_id)),
        }
    }
}

fn columns(record: &ContractDivision) -> Value {
    json!({
        "id": record.id.to_string(),
        "contract_id": record.contract_id.to_string(),
        "division_id": record.division_id.to_string(),
        "is_active": record.is_active,
        "inserted_at": rfc3339_micros(record.stamps.inserted_at),
        "inserted_by": record.stamps.inserted_by.to_string(),
        "updated_at": rfc3339_micros(record.stamps.updated_at),
        "updated_by": record.stamps.updated_by.to_string(),
    })
}

/// The columns in which the two differ, of each.
fn differing(before: &Value, after: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let of = |one: &Value, other: &Value| {
        let columns = one.as_object().into_iter().flatten();
        columns
            .filter(|(name, value)| other.get(name.as_str()) != Some(*value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    (of(before, after), of(after, before))
}

#[async_trait]
impl ContractDivisions for FakeContracts {
    async fn find(&self, id: ContractDivisionId) -> Result<Option<Current>, StoreError> {
        Ok(self.0.lock().current(id))
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<ContractDivision, StoreError>>, StoreError> {
        let state = self.0.lock();
        let all = state.records.keys().filter_map(|id| state.current(*id));
        let mut matching: Vec<_> =
            all.filter(|current| filter.matches(current)).map(|current| current.record).collect();
        matching.sort_unstable_by_key(|record| (record.stamps.inserted_at, record.id));
        Ok(Page::of(matching.into_iter().map(Ok).collect(), page))
    }

    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        let mut state = self.0.lock();
        if let Some(replay) = state.keys.replay(write.idempotency.as_ref(), write.at) {
            return Ok(replay.into());
        }
        let record = match (write.decide)(&state.facts(write.id, write.pair)) {
            Ok(record) => record,
            Err(refusal) => return Ok(Written::Refused(refusal)),
        };
        state.write(record, record.stamps.updated_by, Some(write.request_id.to_string()))?;
        state.keys.keep(write.idempotency.as_ref(), write.at, &record);
        Ok(Written::Applied(record))
    }
}

#[async_trait]
impl IdempotencyRecords for FakeContracts {
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError> {
        Ok(self.0.lock().keys.forget(until, most))
    }
}

#[async_trait]
impl LegalEntities for FakeContracts {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        Ok(self.0.lock().legal_entities.get(&id).map(|record| record.facts.clone()))
    }
}

#[async_trait]
impl Audit for FakeContracts {
    async fn rows(&self, resource_id: ContractDivisionId) -> Vec<AuditRow> {
        let state = self.0.lock();
        let of_resource = state.audit.iter().filter(|(id, _)| *id == resource_id);
        of_resource.map(|(_, row)| row.clone()).collect()
    }

    async fn break_writing(&self) {
        self.0.lock().is_audit_broken = true;
    }
}
