use std::slice;

use esoz_contract_division::{ContractDivision, ContractRecord, ContractType, DivisionRecord, Facts, Pair};
use esoz_kernel::{ContractDivisionId, LegalEntityId, Put, Written};
use esoz_legal_entity::LegalEntityRecord;

use crate::builders::{
    at_micros, contract_division, contract_of, division_of, legal_entity, request_id, user,
};
use crate::contract::{AuditRow, ContractStore};
use crate::contract_divisions::{self, Update};

/// One contractor with two contracts and two divisions, a record that joins the first two, and a stranger.
pub(in crate::contract) struct Fixture {
    pub(in crate::contract) contractor: LegalEntityId,
    pub(in crate::contract) stranger: LegalEntityId,
    pub(in crate::contract) old_contract: ContractRecord,
    pub(in crate::contract) new_contract: ContractRecord,
    pub(in crate::contract) old_division: DivisionRecord,
    pub(in crate::contract) new_division: DivisionRecord,
    pub(in crate::contract) record: ContractDivision,
}

impl Fixture {
    /// All of it stored.
    pub(in crate::contract) async fn set(store: &ContractStore) -> Self {
        let contractor = stored_legal_entity(store).await;
        let stranger = stored_legal_entity(store).await;
        let [old_contract, new_contract] = [(); 2].map(|()| contract_of(contractor));
        let [old_division, new_division] = [(); 2].map(|()| division_of(contractor));
        let record = contract_division(old_contract.facts.id, old_division.facts.id);
        put_contract(store, &old_contract).await;
        put_contract(store, &new_contract).await;
        put_division(store, &old_division).await;
        put_division(store, &new_division).await;
        put_record(store, &record).await;
        Self { contractor, stranger, old_contract, new_contract, old_division, new_division, record }
    }

    /// A capitation contract of the contractor, stored.
    pub(in crate::contract) async fn capitation(&self, store: &ContractStore) -> ContractRecord {
        let mut contract = contract_of(self.contractor);
        contract.facts.kind = ContractType::Capitation;
        put_contract(store, &contract).await;
        contract
    }

    /// A record that is not active and one of a capitation contract, stored.
    pub(in crate::contract) async fn hidden(&self, store: &ContractStore) -> [ContractDivision; 2] {
        let mut inactive = contract_division(self.old_contract.facts.id, self.new_division.facts.id);
        inactive.is_active = false;
        let capitation = self.capitation(store).await;
        let of_capitation = contract_division(capitation.facts.id, self.old_division.facts.id);
        put_record(store, &inactive).await;
        put_record(store, &of_capitation).await;
        [inactive, of_capitation]
    }

    /// From the first pair to the second.
    pub(in crate::contract) fn change(&self) -> Pair {
        Pair { division_id: self.new_division.facts.id, contract_id: self.new_contract.facts.id }
    }

    /// The same as an update, by a user of its own.
    pub(in crate::contract) fn update(&self) -> Update {
        self.update_to(&self.new_contract, &self.new_division)
    }

    /// An update of the record to another pair.
    pub(in crate::contract) fn update_to(
        &self,
        contract: &ContractRecord,
        division: &DivisionRecord,
    ) -> Update {
        Update {
            id: self.record.id,
            change: Pair { division_id: division.facts.id, contract_id: contract.facts.id },
            at: at_micros(1_000_001),
            by: user(),
            request_id: request_id(),
            idempotency: None,
        }
    }
}

/// The record as the update must leave it.
pub(in crate::contract) fn expected_after(before: &ContractDivision, update: &Update) -> ContractDivision {
    let mut after = *before;
    after.contract_id = update.change.contract_id;
    after.division_id = update.change.division_id;
    after.stamps.updated_at = update.at;
    after.stamps.updated_by = update.by;
    after
}

/// The legal entity is stored, and was not there.
pub(in crate::contract) async fn put_legal_entity(store: &ContractStore, record: &LegalEntityRecord) {
    let answers = store.legal_entity_registry.put_legal_entities(slice::from_ref(record)).await.unwrap();
    assert_eq!(answers, [Put::Created]);
}

/// The division is stored, and was not there.
pub(in crate::contract) async fn put_division(store: &ContractStore, record: &DivisionRecord) {
    assert_eq!(store.registry.put_divisions(slice::from_ref(record)).await.unwrap(), [Put::Created]);
}

/// The contract is stored, and was not there.
pub(in crate::contract) async fn put_contract(store: &ContractStore, record: &ContractRecord) {
    assert_eq!(store.registry.put_contracts(slice::from_ref(record)).await.unwrap(), [Put::Created]);
}

/// The contract division is stored, and was not there.
pub(in crate::contract) async fn put_record(store: &ContractStore, record: &ContractDivision) {
    assert_eq!(store.registry.put_contract_divisions(slice::from_ref(record)).await.unwrap(), [Put::Created]);
}

/// Another legal entity, stored.
pub(in crate::contract) async fn stored_legal_entity(store: &ContractStore) -> LegalEntityId {
    let record = legal_entity();
    put_legal_entity(store, &record).await;
    record.facts.id
}

/// Another division of that legal entity, stored.
pub(in crate::contract) async fn stored_division(store: &ContractStore, of: LegalEntityId) -> DivisionRecord {
    let record = division_of(of);
    put_division(store, &record).await;
    record
}

/// The division takes that content.
pub(in crate::contract) async fn update_division(store: &ContractStore, record: &DivisionRecord) {
    assert_eq!(store.registry.put_divisions(slice::from_ref(record)).await.unwrap(), [Put::Updated]);
}

/// The contract takes that content.
pub(in crate::contract) async fn update_contract(store: &ContractStore, record: &ContractRecord) {
    assert_eq!(store.registry.put_contracts(slice::from_ref(record)).await.unwrap(), [Put::Updated]);
}

/// The same division, not active.
pub(in crate::contract) fn inactive_division(record: &DivisionRecord) -> DivisionRecord {
    let mut record = record.clone();
    record.facts.is_active = false;
    record
}

/// The same contract, not active.
pub(in crate::contract) fn inactive_contract(record: &ContractRecord) -> ContractRecord {
    let mut record = record.clone();
    record.facts.is_active = false;
    record
}

/// The facts about a change of a fixture's record.
pub(in crate::contract) async fn facts(store: &ContractStore, fixture: &Fixture, change: &Pair) -> Facts {
    contract_divisions::facts(&*store.contract_divisions, fixture.record.id, Some(*change)).await.unwrap()
}

/// The record of a fixture as it is stored now.
pub(in crate::contract) async fn stored(store: &ContractStore, fixture: &Fixture) -> ContractDivision {
    stored_record(store, fixture.record.id).await
}

/// That record as it is stored now.
pub(in crate::contract) async fn stored_record(
    store: &ContractStore,
    id: ContractDivisionId,
) -> ContractDivision {
    contract_divisions::stored(&*store.contract_divisions, id).await.unwrap().unwrap()
}

/// Applies an update that nothing speaks against.
pub(in crate::contract) async fn applied(store: &ContractStore, update: &Update) -> ContractDivision {
    match update.apply(&*store.contract_divisions).await.unwrap() {
        Written::Applied(record) => record,
        other => panic!("the update was not applied: {other:?}"),
    }
}

/// The audit rows of the updates of a fixture's record.
pub(in crate::contract) async fn audited_updates(store: &ContractStore, fixture: &Fixture) -> Vec<AuditRow> {
    let rows = store.audit.rows(fixture.record.id).await;
    rows.into_iter().filter(|row| row.action == "UPDATE").collect()
}
