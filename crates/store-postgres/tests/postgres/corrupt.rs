use esoz_auth::{AccessTokens, Credentials, NewAccessToken, Scope, Secret, TokenKind};
use esoz_contract_division::{ContractDivisions, ContractRegistry as _, Filter, Refusal, Visibility};
use esoz_events::{EventFilter, EventLog, EventPosition, LoggedEvent, Period, Retention};
use esoz_kernel::{
    ClientId, EventId, Listed, PageRequest, StoreError, StoreErrorKind, UserId, Uuid, Written,
};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry as _};
use esoz_testkit::builders::{at_millis, logged_event};

use super::support::{TestDatabase, audit_rows, contract_division, fixture, fresh, time, update};

fn assert_corrupt(error: &StoreError, told: &[&str]) {
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    for word in told {
        assert!(error.to_string().contains(word), "{error} does not name {word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_esoz_never_writes_is_told_with_table_id_and_column() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    for sql in [
        "ALTER TABLE legal_entities DROP CONSTRAINT legal_entities_status",
        "UPDATE legal_entities SET status = 'GONE'",
    ] {
        test_db.admin(sql);
    }
    let error = LegalEntities::find(&test_db.store, fixture.legal_entity).await.unwrap_err();
    assert_corrupt(&error, &["legal_entities", &fixture.legal_entity.to_string(), "status"]);

    // What could not be shown is not written.
    for time in ["infinity", "-infinity", "10000-01-01T00:00:00Z", "0002-12-31T23:59:59Z BC"] {
        test_db.admin(&format!("UPDATE contract_divisions SET inserted_at = '{time}'"));
        let audited = audit_rows(&test_db, fixture.record.id);
        let error = update(fixture.record.id, &fixture.to).apply(&test_db.store).await.unwrap_err();
        assert_corrupt(&error, &["contract_divisions", &fixture.record.id.to_string(), "inserted_at"]);
        assert_eq!(audit_rows(&test_db, fixture.record.id), audited);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_times_cannot_be_shown_is_an_error_in_its_place() {
    let filter = Filter { id: None, contract_id: None, division_id: None, visibility: Visibility::SHOWN };
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let another = contract_division(&test_db.store, fixture.to.contract_id, fixture.to.division_id).await;
    for (column, time) in [
        ("updated_at", "10000-01-01T00:00:00Z"),
        ("updated_at", "0002-12-31T23:59:59Z BC"),
        ("inserted_at", "-infinity"),
        ("inserted_at", "infinity"),
    ] {
        let id = another.id;
        test_db.admin(&format!("UPDATE contract_divisions SET {column} = '{time}' WHERE id = '{id}'"));
        let page = ContractDivisions::list(&test_db.store, &filter, PageRequest::FIRST).await.unwrap();
        assert_eq!(page.total_entries, 2);
        let Listed { page, unreadable } = page.into();
        assert_eq!(page.items, [fixture.record], "{time}");
        let [error] = unreadable.as_slice() else { panic!("{unreadable:?}") };
        assert_corrupt(error, &["contract_divisions", &id.to_string(), column]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_names_what_cannot_be_and_goes_on() {
    for (table, column, value) in [
        ("legal_entities", "status", "GONE"),
        ("legal_entities", "updated_at", "infinity"),
        ("divisions", "status", "GONE"),
        ("contracts", "type", "GLOBAL"),
        ("contracts", "status", "GONE"),
        ("contracts", "start_date", "-infinity"),
        ("contracts", "end_date", "10000-01-01"),
        ("contract_divisions", "inserted_at", "0002-12-31T23:59:59Z BC"),
    ] {
        let test_db = fresh().await;
        fixture(&test_db.store).await;
        test_db.admin(&format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_{column}"));
        test_db.admin(&format!("UPDATE {table} SET {column} = '{value}'"));
        let store = &test_db.store;
        let errors: Vec<StoreError> = match table {
            "legal_entities" => errors(store.scan_legal_entities(None, 100).await.unwrap().records),
            "divisions" => errors(store.scan_divisions(None, 100).await.unwrap().records),
            "contracts" => errors(store.scan_contracts(None, 100).await.unwrap().records),
            _ => errors(store.snapshot_contract_divisions().await.unwrap()),
        };
        assert!(!errors.is_empty(), "{table}");
        for error in errors {
            assert_corrupt(&error, &[table, column]);
            assert!(!error.with_causes().contains(value), "{error}");
        }
    }
}

/// The errors of records of which none can be read.
fn errors<T: std::fmt::Debug>(records: Vec<Result<T, StoreError>>) -> Vec<StoreError> {
    records.into_iter().map(Result::unwrap_err).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_of_a_type_that_is_not_known_is_none_of_a_global_budget() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    test_db.admin("ALTER TABLE contracts DROP CONSTRAINT contracts_type");
    for (contract, refusal) in [
        (fixture.to.contract_id, Refusal::ContractNotUsable),
        (fixture.record.contract_id, Refusal::NotGlobalBudget),
    ] {
        let set =
            |kind| test_db.admin(&format!("UPDATE contracts SET type = '{kind}' WHERE id = '{contract}'"));
        set("GLOBAL");
        assert_eq!(update.apply(&test_db.store).await.unwrap(), Written::Refused(refusal));
        set("GB_CBP");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_token_is_told_without_its_digest() {
    let test_db = fresh().await;
    let token = Secret::new("canary");
    let stored = NewAccessToken {
        digest: token.digest(),
        kind: TokenKind::Access,
        user_id: UserId::new(Uuid::from_u128(1)),
        client_id: ClientId::new(Uuid::from_u128(2)),
        scope: Scope::parse("a:read"),
        expires_at: time("2027-01-01T00:00:00Z"),
        issued_at: time("2026-01-01T00:00:00Z"),
    };
    test_db.store.add_token(&stored).await.unwrap();
    test_db.admin("ALTER TABLE access_tokens DROP CONSTRAINT access_tokens_kind");
    test_db.admin("UPDATE access_tokens SET kind = 'another'");
    let error = AccessTokens::find(&test_db.store, &token).await.unwrap_err();
    assert_corrupt(&error, &["access_tokens", "kind"]);

    // In a list it is an error in its place.
    let sound = NewAccessToken { digest: Secret::new("another").digest(), ..stored };
    test_db.store.add_token(&sound).await.unwrap();
    let listed = test_db.store.list_tokens(None, None, 10).await.unwrap();
    let (sound, corrupt): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
    assert_eq!(sound.len(), 1);
    assert_corrupt(corrupt[0].as_ref().unwrap_err(), &["access_tokens", "kind"]);
}

/// A database with events a millisecond apart, of which the third was tampered with.
async fn tampered_log(set: &str) -> (TestDatabase, [LoggedEvent; 4]) {
    let test_db = fresh().await;
    let events = [0, 1, 2, 3].map(|millis| LoggedEvent { event_time: at_millis(millis), ..logged_event() });
    assert_eq!(test_db.store.store(&events).await.unwrap(), 4);
    let [_, _, third, _] = &events;
    test_db.admin(&format!("UPDATE event_log SET {set} WHERE id = '{}'", third.id));
    (test_db, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_properties_cannot_be_read_is_an_error_in_its_place() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for properties in ["[\"a-canary\"]", "null", "7", "{\"a\": 1e999}", &format!("{{\"a\": {deep}}}")] {
        let (test_db, events) = tampered_log(&format!("properties = '{properties}'")).await;
        let period = Period::new(Some(at_millis(0)), None, 1, at_millis(0)).unwrap();
        let filter = EventFilter { period, event_type: None, entity_type: None, attribute: None };
        let page = EventLog::list(&test_db.store, &filter, PageRequest::FIRST).await.unwrap();
        assert_eq!(page.total_entries, 4, "{properties}");
        let Listed { page, unreadable } = page.into();
        let [first, second, third, fourth] = events;
        assert_eq!(page.items, [first, second, fourth], "{properties}");
        let [error] = unreadable.as_slice() else { panic!("{unreadable:?}") };
        assert_corrupt(error, &["event_log", &third.id.to_string(), "properties"]);
        assert!(!error.with_causes().contains("canary"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_no_answer_can_say_does_not_stop_retention() {
    for (event_time, stays) in [
        ("-infinity", false),
        ("0002-12-31T23:59:59Z BC", false),
        ("infinity", true),
        ("10000-01-01T00:00:00Z", true),
    ] {
        let (test_db, [_, second, ..]) = tampered_log(&format!("event_time = '{event_time}'")).await;
        let retention = Retention { keep: std::time::Duration::from_hours(24), keep_count: 2 };
        let cutoff = retention.cutoff(&test_db.store, at_millis(0)).await.0;
        assert_eq!(cutoff, second.position(), "{event_time}");
        let end = EventPosition { event_time: at_millis(10), id: EventId::new(Uuid::nil()) };
        let removed = test_db.store.remove_before(end, 10).await.unwrap();
        assert_eq!(removed, if stays { 3 } else { 4 }, "{event_time}");
    }
}
