//! What the checks of the schema keep out was put in all the same: it is reported by table, id and column, and nothing is made of it.

use std::slice;

use diesel::connection::SimpleConnection as _;
use esoz_auth::{AccessTokens, ApiKeys, Credentials as _};
use esoz_contract_division::{ContractRegistry as _, Refusal};
use esoz_device_dispense::{DeviceDispenses, DispenseRegistry as _, DispenseStatus};
use esoz_events::{Claim, Claimed, Outbox as _};
use esoz_kernel::{Committed, ScanCursor, ScanPage, StoreError, StoreErrorKind, Written};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry as _};
use esoz_testkit::builders::{
    access_token, api_key, at_millis, change_of, contract_of, dispense, fresh as fresh_id, secret,
};

use crate::common::{Fresh, fresh};
use crate::{UpdateFixture, shell};

pub(crate) fn tamper(fresh: &Fresh, sql: &str) {
    let mut shell = shell(&fresh.settings.path);
    let all_allowed = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;";
    shell.batch_execute(&format!("{all_allowed} {sql}")).unwrap();
}

pub(crate) fn assert_corrupt(error: &StoreError, parts: &[&str]) {
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not name {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_record_that_cannot_be_is_named() {
    for (table, column, value) in [
        ("contracts", "contractor_legal_entity_id", "nobody"),
        ("divisions", "legal_entity_id", "nobody"),
        ("contract_divisions", "updated_at", "yesterday"),
        ("contract_divisions", "inserted_by", "nobody"),
    ] {
        let fresh = fresh();
        let fixture = UpdateFixture::set(&fresh.store).await;
        tamper(&fresh, &format!("UPDATE {table} SET {column} = '{value}'"));
        let error = fixture.update().apply(&fresh.store).await.unwrap_err();
        assert_corrupt(&error, &[table, column]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_of_a_type_that_is_not_known_is_none_of_a_global_budget() {
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    let other = contract_of(fixture.owner);
    fresh.store.put_contracts(slice::from_ref(&other)).await.unwrap();
    let mut update = fixture.update();
    update.change.contract_id = other.facts.id;
    let set = |id, kind| tamper(&fresh, &format!("UPDATE contracts SET type = '{kind}' WHERE id = '{id}'"));
    set(other.facts.id, "GLOBAL");
    let outcome = update.apply(&fresh.store).await.unwrap();
    assert_eq!(outcome, Written::Refused(Refusal::ContractNotUsable));
    set(other.facts.id, "GB_CBP");
    set(fixture.contract.facts.id, "GLOBAL");
    let outcome = update.apply(&fresh.store).await.unwrap();
    assert_eq!(outcome, Written::Refused(Refusal::NotGlobalBudget));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_entity_in_no_known_status_is_named() {
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    tamper(&fresh, "UPDATE legal_entities SET status = 'DREAMING'");
    let error = LegalEntities::find(&fresh.store, fixture.owner).await.unwrap_err();
    assert_corrupt(&error, &["legal_entities", &fixture.owner.to_string(), "status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_names_what_cannot_be_and_goes_on() {
    for (table, column) in [
        ("legal_entities", "status"),
        ("divisions", "legal_entity_id"),
        ("divisions", "status"),
        ("contracts", "type"),
        ("contracts", "end_date"),
        ("contract_divisions", "updated_at"),
    ] {
        let fresh = fresh();
        let fixture = UpdateFixture::set(&fresh.store).await;
        fresh.store.put_contracts(&[contract_of(fixture.owner)]).await.unwrap();
        let first = format!("(SELECT min(id) FROM {table})");
        tamper(&fresh, &format!("UPDATE {table} SET {column} = 'a canary' WHERE id = {first}"));
        let (read, unreadable) = scan(&fresh, table).await;
        let rows = crate::count(
            &mut shell(&fresh.settings.path),
            &format!("SELECT count(*) AS number FROM {table}"),
        );
        assert_eq!((i64::try_from(read).unwrap() + 1, unreadable.len()), (rows, 1), "{table}");
        assert_corrupt(&unreadable[0], &[table, column]);
        assert!(!unreadable[0].with_causes().contains("canary"), "{}", unreadable[0]);
    }
}

/// How many rows of a table are read in pages of one, and the errors of the others.
async fn scan(fresh: &Fresh, table: &str) -> (usize, Vec<StoreError>) {
    let (mut read, mut unreadable, mut after) = (0, Vec::new(), None);
    loop {
        let (records, next): (Vec<Result<(), StoreError>>, _) = match table {
            "legal_entities" => without_content(fresh.store.scan_legal_entities(after, 1).await.unwrap()),
            "divisions" => without_content(fresh.store.scan_divisions(after, 1).await.unwrap()),
            "contracts" => without_content(fresh.store.scan_contracts(after, 1).await.unwrap()),
            _ => {
                let records = fresh.store.snapshot_contract_divisions().await.unwrap();
                without_content(ScanPage { records, next: None })
            }
        };
        for record in records {
            match record {
                Ok(()) => read += 1,
                Err(error) => unreadable.push(error),
            }
        }
        after = next;
        if after.is_none() {
            return (read, unreadable);
        }
    }
}

fn without_content<T>(page: ScanPage<T>) -> (Vec<Result<(), StoreError>>, Option<ScanCursor>) {
    (page.records.into_iter().map(|record| record.map(drop)).collect(), page.next)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_cannot_be_is_named_without_its_digest() {
    for (column, value) in [("kind", "master"), ("expires_at", "never"), ("user_id", "me")] {
        let fresh = fresh();
        let token = secret();
        fresh.store.add_token(&access_token(&token)).await.unwrap();
        let user = "UPDATE users SET id = 'me'; ";
        let user = if column == "user_id" { user } else { "" };
        tamper(&fresh, &format!("{user}UPDATE access_tokens SET {column} = '{value}'"));
        let error = AccessTokens::find(&fresh.store, &token).await.unwrap_err();
        assert_corrupt(&error, &["access_tokens", "(hidden)", column]);

        // In a list it is an error in its place.
        fresh.store.add_token(&access_token(&secret())).await.unwrap();
        let listed = fresh.store.list_tokens(None, None, 10).await.unwrap();
        let (sound, corrupt): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
        assert_eq!((sound.len(), corrupt.len()), (1, 1));
        assert_corrupt(corrupt[0].as_ref().unwrap_err(), &["access_tokens", "(hidden)", column]);
    }
    let fresh = fresh();
    let key = secret();
    fresh.store.add_api_key(&api_key(&key)).await.unwrap();
    tamper(&fresh, "UPDATE clients SET id = 'me'; UPDATE api_keys SET client_id = 'me'");
    let error = ApiKeys::find(&fresh.store, &key).await.unwrap_err();
    assert_corrupt(&error, &["api_keys", "(hidden)", "client_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_is_named_by_field() {
    for (path, value, field) in [
        ("$.status", "\"exploded\"", "status"),
        ("$.status", "null", "status"),
        ("$.subject", "7", "subject"),
        (
            "$.performer_legal_entity.identifier.value",
            "\"nobody\"",
            "performer_legal_entity.identifier.value",
        ),
        ("$.performer_legal_entity", "[]", "performer_legal_entity.identifier.value"),
    ] {
        let fresh = fresh();
        let sound = dispense().build();
        fresh.store.put_dispenses(slice::from_ref(&sound)).await.unwrap();
        let set = "UPDATE device_dispenses SET document = json_set(document";
        tamper(&fresh, &format!("{set}, '{path}', json('{value}'))"));
        let found = DeviceDispenses::find(&fresh.store, sound.id).await;
        let error = found.and_then(|found| found.unwrap().dispense).unwrap_err();
        assert_corrupt(&error, &["device_dispenses", &sound.id.to_string(), field]);
        let change = change_of(&sound, DispenseStatus::Stopped, at_millis(1));
        assert_eq!(fresh.store.commit(&change).await.unwrap(), Committed::Stale);
        assert_eq!(fresh.store.backlog().await.unwrap().depth, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_is_set_aside_named_and_claimed_by_nobody() {
    for (column, value) in [
        ("event_id", "421B1BF3-B731-4EC8-BDDA-F24BDF17F532"),
        ("event_id", "no id"),
        ("entity_type", "no type"),
        ("event_time", "soon"),
        ("changed_by", "me"),
        ("request_id", "short"),
    ] {
        let fresh = fresh();
        let sound = dispense().build();
        fresh.store.put_dispenses(slice::from_ref(&sound)).await.unwrap();
        let change = change_of(&sound, DispenseStatus::Stopped, at_millis(1));
        fresh.store.commit(&change).await.unwrap();
        tamper(&fresh, &format!("UPDATE outbox SET {column} = '{value}'"));
        let lease = std::time::Duration::from_secs(1);
        let claim = Claim { by: fresh_id(), now: at_millis(2), lease, max_entities: 10, except: Vec::new() };
        let Claimed { events, set_aside } = fresh.store.claim(&claim).await.unwrap();
        assert_eq!((events.len(), set_aside.len()), (0, 1));
        let id = if column == "event_id" { value.to_owned() } else { change.event.id.to_string() };
        assert_eq!(set_aside[0].id, id);
        for part in ["outbox", set_aside[0].id.as_str(), column] {
            assert!(set_aside[0].reason.contains(part), "{set_aside:?} does not name {part}");
        }
        assert!(column == "event_id" || !set_aside[0].reason.contains(value), "{set_aside:?}");
        let claimed = "SELECT count(*) AS number FROM outbox WHERE claimed_by IS NOT NULL";
        assert_eq!(crate::count(&mut shell(&fresh.settings.path), claimed), 0);
    }
}
