use esoz_contract_division::{ContractDivision, Refusal};
use esoz_kernel::{ErrorKind, Failure, Written, time::rfc3339_micros};
use serde_json::{Value, json};

use super::fixtures::{Fixture, applied, audited_updates, inactive_division, stored, update_division};
use crate::builders::{at_micros, request_id};
use crate::contract::{AuditRow, ContractStore};
use crate::contract_divisions::Update;

pub(super) fn columns(record: &ContractDivision) -> Value {
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

fn row(action: &str, update: &Update, before: Value, after: Value) -> AuditRow {
    AuditRow {
        actor_id: update.by,
        resource: "contract_divisions".to_owned(),
        action: action.to_owned(),
        before: Some(before),
        after: Some(after),
        request_id: Some(update.request_id.to_string()),
    }
}

/// Loading a record is an insertion: the whole row, by who updated it last. Loading it again is nothing.
pub async fn an_insertion_is_audited_whole(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let expected = AuditRow {
        actor_id: fixture.record.stamps.updated_by,
        resource: "contract_divisions".to_owned(),
        action: "INSERT".to_owned(),
        before: None,
        after: Some(columns(&fixture.record)),
        request_id: None,
    };
    assert_eq!(store.audit.rows(fixture.record.id).await, std::slice::from_ref(&expected));
    store.registry.put_contract_divisions(&[fixture.record]).await.unwrap();
    assert_eq!(store.audit.rows(fixture.record.id).await, [expected]);
}

/// Actor, table, action, request, and before and after of the changed columns (U19).
pub async fn an_update_is_audited_with_what_it_changed(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let update = fixture.update();
    let after = applied(&store, &update).await;
    let mut before = columns(&fixture.record);
    let mut changed = columns(&after);
    for column in ["id", "is_active", "inserted_at", "inserted_by"] {
        before.as_object_mut().unwrap().remove(column);
        changed.as_object_mut().unwrap().remove(column);
    }
    assert_eq!(audited_updates(&store, &fixture).await, [row("UPDATE", &update, before, changed)]);
}

/// An update that changes no id is audited: the stamps that it changed, and those alone (U18).
pub async fn an_update_to_the_same_pair_is_audited(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let first = fixture.update_to(&fixture.old_contract, &fixture.old_division);
    let second = Update { at: at_micros(2_000_002), request_id: request_id(), ..first.clone() };
    applied(&store, &first).await;
    applied(&store, &second).await;
    let times = [fixture.record.stamps.updated_at, first.at, second.at].map(rfc3339_micros);
    let expected = [
        row(
            "UPDATE",
            &first,
            json!({"updated_at": times[0], "updated_by": fixture.record.stamps.updated_by.to_string()}),
            json!({"updated_at": times[1], "updated_by": first.by.to_string()}),
        ),
        row("UPDATE", &second, json!({"updated_at": times[1]}), json!({"updated_at": times[2]})),
    ];
    assert_eq!(audited_updates(&store, &fixture).await, expected);
}

/// What was not written is not audited.
pub async fn a_refused_update_is_not_audited(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let before = store.audit.rows(fixture.record.id).await;
    update_division(&store, &inactive_division(&fixture.new_division)).await;
    let outcome = fixture.update().apply(&*store.contract_divisions).await.unwrap();
    assert_eq!(outcome, Written::Refused(Refusal::DivisionNotFound));
    assert_eq!(store.audit.rows(fixture.record.id).await, before);
}

/// An update that cannot be audited does not happen (U20).
pub async fn without_its_audit_row_there_is_no_update(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let rows = store.audit.rows(fixture.record.id).await;
    store.audit.break_writing().await;
    let error = fixture.update().apply(&*store.contract_divisions).await.unwrap_err();
    assert_eq!(Failure::kind(&error), ErrorKind::Internal, "{error}");
    assert_eq!(stored(&store, &fixture).await, fixture.record);
    assert_eq!(store.audit.rows(fixture.record.id).await, rows);
}
