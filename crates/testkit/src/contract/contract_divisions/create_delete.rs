use esoz_contract_division::{ContractDivision, Filter, Pair, Refusal, Visibility, Write};
use esoz_kernel::{
    ContractDivisionId, ContractId, DivisionId, ErrorKind, Failure, IdempotentRequest, PageRequest, Stamps,
    Written, time::rfc3339_micros,
};
use serde_json::json;

use super::audit::columns;
use super::fixtures::{
    Fixture, audited_updates, inactive_contract, inactive_division, put_contract, put_record, stored,
    stored_division, stored_record, update_contract, update_division,
};
use super::list::list;
use crate::builders::{at_micros, client, contract_division, contract_of, fresh, idempotency_key, user};
use crate::contract::{AuditRow, ContractStore};
use crate::contract_divisions::{create, delete};

/// Writes it.
pub(super) async fn write(store: &ContractStore, write: &Write) -> Written<ContractDivision, Refusal> {
    store.contract_divisions.write(write).await.unwrap()
}

/// The active records with that pair.
pub(super) async fn active_with(store: &ContractStore, pair: Pair) -> Vec<ContractDivision> {
    let Pair { contract_id, division_id } = pair;
    let (contract_id, division_id) = (Some(contract_id), Some(division_id));
    let filter = Filter { id: None, contract_id, division_id, visibility: Visibility::SHOWN };
    list(store, filter, 1, PageRequest::DEFAULT_SIZE).await.items
}

fn under_a_key(write: Write, asked: &str) -> Write {
    let idempotency = IdempotentRequest::new("test", client(), &idempotency_key(), &[asked.as_bytes()]);
    Write { idempotency: Some(idempotency), ..write }
}

/// The record is active, inserted and updated at one time by one user, and audited whole as an insertion on behalf of its request (D05).
pub async fn a_created_record_is_stored_and_audited_whole(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let (pair, at, by) = (fixture.change(), at_micros(1), user());
    let asked = create(pair, at, by);
    let Pair { contract_id, division_id } = pair;
    let stamps = Stamps { inserted_at: at, inserted_by: by, updated_at: at, updated_by: by };
    let record = ContractDivision { id: asked.id, contract_id, division_id, is_active: true, stamps };
    assert_eq!(write(&store, &asked).await, Written::Applied(record));
    assert_eq!(stored_record(&store, asked.id).await, record);
    assert_eq!(active_with(&store, pair).await, [record]);
    let row = AuditRow {
        actor_id: by,
        resource: "contract_divisions".to_owned(),
        action: "INSERT".to_owned(),
        before: None,
        after: Some(columns(&record)),
        request_id: Some(asked.request_id.to_string()),
    };
    assert_eq!(store.audit.rows(asked.id).await, [row]);
    assert_eq!(stored(&store, &fixture).await, fixture.record);
}

/// What the pair names is not there, not active, or does not belong together: nothing is written (D03).
pub async fn a_create_is_refused_by_what_its_pair_names(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let good = fixture.change();
    let foreign = stored_division(&store, fixture.stranger).await;
    let closed = stored_division(&store, fixture.contractor).await;
    update_division(&store, &inactive_division(&closed)).await;
    let capitation = fixture.capitation(&store).await;
    let ended = contract_of(fixture.contractor);
    put_contract(&store, &ended).await;
    update_contract(&store, &inactive_contract(&ended)).await;
    for (pair, refusal) in [
        (Pair { division_id: DivisionId::new(fresh()), ..good }, Refusal::DivisionNotFound),
        (Pair { division_id: closed.facts.id, ..good }, Refusal::DivisionNotFound),
        (Pair { division_id: foreign.facts.id, ..good }, Refusal::DivisionOfAnotherLegalEntity),
        (Pair { contract_id: ContractId::new(fresh()), ..good }, Refusal::ContractNotUsable),
        (Pair { contract_id: capitation.facts.id, ..good }, Refusal::ContractNotUsable),
        (Pair { contract_id: ended.facts.id, ..good }, Refusal::ContractNotUsable),
    ] {
        let asked = create(pair, at_micros(1), user());
        assert_eq!(write(&store, &asked).await, Written::Refused(refusal), "{pair:?}");
        assert_eq!(store.contract_divisions.find(asked.id).await.unwrap(), None);
        assert_eq!(store.audit.rows(asked.id).await, []);
    }
}

/// An active record holds its pair, an inactive one does not (D04).
pub async fn a_pair_is_created_once(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let pair = fixture.change();
    let mut inactive = contract_division(pair.contract_id, pair.division_id);
    inactive.is_active = false;
    put_record(&store, &inactive).await;
    let first = create(pair, at_micros(1), user());
    assert!(matches!(write(&store, &first).await, Written::Applied(_)));
    let second = create(pair, at_micros(2), user());
    assert_eq!(write(&store, &second).await, Written::Refused(Refusal::PairTaken));
    assert_eq!(store.audit.rows(second.id).await, []);
    assert_eq!(stored_record(&store, inactive.id).await, inactive);
}

/// A create that cannot be audited does not happen, and keeps no key.
pub async fn without_its_audit_row_there_is_no_create(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let asked = under_a_key(create(fixture.change(), at_micros(1), user()), "a create");
    store.audit.break_writing().await;
    for _ in 0..2 {
        let error = store.contract_divisions.write(&asked).await.unwrap_err();
        assert_eq!(Failure::kind(&error), ErrorKind::Internal, "{error}");
    }
    assert_eq!(active_with(&store, fixture.change()).await, []);
}

/// The record stays, inactive; what changed is audited as an update on behalf of the request (D10).
pub async fn a_delete_sets_three_columns(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let (before, at, by) = (fixture.record, at_micros(1), user());
    let asked = delete(before.id, at, by);
    let stamps = Stamps { updated_at: at, updated_by: by, ..before.stamps };
    let after = ContractDivision { is_active: false, stamps, ..before };
    assert_eq!(write(&store, &asked).await, Written::Applied(after));
    assert_eq!(stored(&store, &fixture).await, after);
    let row = AuditRow {
        actor_id: by,
        resource: "contract_divisions".to_owned(),
        action: "UPDATE".to_owned(),
        before: Some(json!({
            "is_active": true,
            "updated_at": rfc3339_micros(before.stamps.updated_at),
            "updated_by": before.stamps.updated_by.to_string(),
        })),
        after: Some(json!({
            "is_active": false,
            "updated_at": rfc3339_micros(at),
            "updated_by": by.to_string(),
        })),
        request_id: Some(asked.request_id.to_string()),
    };
    assert_eq!(audited_updates(&store, &fixture).await, [row]);
}

/// A record that is not there or not active is not found; one of another type stays; whether its contract is active does not matter (D09).
pub async fn a_delete_looks_at_the_record_and_the_type_of_its_contract(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let [inactive, of_capitation] = fixture.hidden(&store).await;
    for (id, refusal) in [
        (ContractDivisionId::new(fresh()), Refusal::RECORD_NOT_FOUND),
        (inactive.id, Refusal::RECORD_INACTIVE),
        (of_capitation.id, Refusal::NotDeletable),
    ] {
        assert_eq!(write(&store, &delete(id, at_micros(1), user())).await, Written::Refused(refusal));
    }
    assert_eq!(stored_record(&store, inactive.id).await, inactive);
    assert_eq!(stored_record(&store, of_capitation.id).await, of_capitation);
    update_contract(&store, &inactive_contract(&fixture.old_contract)).await;
    let deleted = write(&store, &delete(fixture.record.id, at_micros(1), user())).await;
    assert!(matches!(deleted, Written::Applied(ContractDivision { is_active: false, .. })), "{deleted:?}");
}

/// After a delete neither a second one nor an update finds the record, and its pair is free (D10).
pub async fn a_deleted_record_is_gone_and_its_pair_is_free(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let ContractDivision { id, contract_id, division_id, .. } = fixture.record;
    let pair = Pair { contract_id, division_id };
    assert!(matches!(write(&store, &delete(id, at_micros(1), user())).await, Written::Applied(_)));
    let not_found = Written::Refused(Refusal::RECORD_INACTIVE);
    assert_eq!(write(&store, &delete(id, at_micros(2), user())).await, not_found);
    assert_eq!(write(&store, &fixture.update().write()).await, not_found);
    assert_eq!(active_with(&store, pair).await, []);
    let created = write(&store, &create(pair, at_micros(3), user())).await;
    assert_eq!(
        active_with(&store, pair).await.into_iter().map(Written::Applied).collect::<Vec<_>>(),
        [created]
    );
    assert_eq!(audited_updates(&store, &fixture).await.len(), 1);
}

/// A repeated create gets the record of the first, whose id it cannot know, whatever became of that since (D06).
pub async fn a_repeated_create_gets_the_first_answer(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let pair = fixture.change();
    let first = under_a_key(create(pair, at_micros(1), user()), "a create");
    let created = write(&store, &first).await;
    let Written::Applied(record) = created else { panic!("{created:?}") };
    let repeated = Write { idempotency: first.idempotency, ..create(pair, at_micros(2), user()) };
    assert_eq!(write(&store, &repeated).await, Written::Replayed(record));
    assert!(matches!(write(&store, &delete(record.id, at_micros(3), user())).await, Written::Applied(_)));
    assert_eq!(write(&store, &repeated).await, Written::Replayed(record));
    assert_eq!(active_with(&store, pair).await, []);
    assert_eq!(store.contract_divisions.find(repeated.id).await.unwrap(), None);
}

/// A repeated delete gets the first answer, even when the pair was created anew (D12).
pub async fn a_repeated_delete_gets_the_first_answer(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let ContractDivision { id, contract_id, division_id, .. } = fixture.record;
    let asked = under_a_key(delete(id, at_micros(1), user()), "a delete");
    let deleted = write(&store, &asked).await;
    let Written::Applied(after) = deleted else { panic!("{deleted:?}") };
    assert_eq!(write(&store, &asked).await, Written::Replayed(after));
    let created = write(&store, &create(Pair { contract_id, division_id }, at_micros(2), user())).await;
    assert!(matches!(created, Written::Applied(_)), "{created:?}");
    assert_eq!(write(&store, &asked).await, Written::Replayed(after));
    assert_eq!(audited_updates(&store, &fixture).await.len(), 1);
}
