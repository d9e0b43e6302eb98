use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use esoz_auth::Credentials as _;
use esoz_device_dispense::{DeviceDispenses, DispenseRegistry as _, Filter};
use esoz_events::{Attribute, Claim, EventFilter, EventLog, EventPublisher as _, Outbox as _, Period, wire};
use esoz_kernel::{PageRequest, StoreErrorKind};
use esoz_store_sqlite::{SqliteSettings, SqliteStore, migrate};
use esoz_testkit::builders::{access_token, at_millis, dispense, event_of, fresh as fresh_id, secret};

use crate::common::fresh;
use crate::{count, shell};

/// The migrations of this crate, in their order.
pub(crate) fn all() -> Vec<String> {
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let names: BTreeSet<String> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.into_iter().collect()
}

#[test]
fn migrate_makes_the_file_and_does_nothing_the_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SqliteSettings::at(dir.path().join("a name?with=all&sorts of#things.db"));
    assert_eq!(migrate(&settings).unwrap(), all());
    assert_eq!(migrate(&settings).unwrap(), [""; 0]);
    SqliteStore::open(&settings).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = settings.path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others may read the file");
    }
}

#[test]
fn of_many_that_migrate_at_once_one_does_it() {
    const MIGRATORS: usize = 8;
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("esoz.db");
        let settings = SqliteSettings { busy_timeout_ms: 60_000, ..SqliteSettings::at(path) };
        let gate = Barrier::new(MIGRATORS);
        let applied: Vec<Vec<String>> = thread::scope(|scope| {
            let migrate_at_once = || {
                gate.wait();
                migrate(&settings).unwrap()
            };
            let migrators: Vec<_> = (0..MIGRATORS).map(|_| scope.spawn(migrate_at_once)).collect();
            migrators.into_iter().map(|migrator| migrator.join().unwrap()).collect()
        });
        let did_it: Vec<_> = applied.into_iter().filter(|applied| !applied.is_empty()).collect();
        assert_eq!(did_it, [all()]);
        SqliteStore::open(&settings).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_runs_beside_a_server_that_writes() {
    let fresh = fresh();
    let (store, settings) = (fresh.store.clone(), fresh.settings.clone());
    let writing = tokio::spawn(async move {
        for _ in 0..50 {
            store.add_token(&access_token(&secret())).await.unwrap();
        }
    });
    let migrating =
        tokio::task::spawn_blocking(move || (0..20).map(|_| migrate(&settings).unwrap()).collect::<Vec<_>>());
    assert_eq!(migrating.await.unwrap(), vec![Vec::<String>::new(); 20]);
    writing.await.unwrap();
    assert_eq!(count(&mut shell(&fresh.settings.path), "SELECT count(*) AS number FROM access_tokens"), 50);
}

#[test]
fn a_file_that_is_not_there_is_not_made_by_opening_it() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SqliteSettings::at(dir.path().join("none.db"));
    let text = SqliteStore::open(&settings).unwrap_err().to_string();
    assert!(text.contains("no such file; run `esoz migrate`"), "{text}");
    assert!(!settings.path.exists());
}

#[test]
fn an_older_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SqliteSettings::at(dir.path().join("esoz.db"));
    std::fs::write(&settings.path, "").unwrap();
    let text = SqliteStore::open(&settings).unwrap_err().to_string();
    let versions: Vec<String> = all().iter().map(|name| name.split('_').next().unwrap().to_owned()).collect();
    let lacking = format!("older than this program (it lacks {}); run `esoz migrate`", versions.join(", "));
    assert!(text.contains(&lacking), "{text}");
    let mut shell = shell(&settings.path);
    assert_eq!(count(&mut shell, "SELECT count(*) AS number FROM sqlite_master"), 0);

    // As if one migration, which can be applied again, was missing.
    migrate(&settings).unwrap();
    let forget = "DELETE FROM __diesel_schema_migrations WHERE version = '0010'";
    shell.batch_execute(forget).unwrap();
    let text = SqliteStore::open(&settings).unwrap_err().to_string();
    assert!(text.contains("older than this program (it lacks 0010); run `esoz migrate`"), "{text}");
    assert_eq!(migrate(&settings).unwrap(), ["0010_outbox_of_any_entity"]);
    SqliteStore::open(&settings).unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let fresh = fresh();
    let mut shell = shell(&fresh.settings.path);
    shell.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')").unwrap();
    for error in [SqliteStore::open(&fresh.settings).unwrap_err(), migrate(&fresh.settings).unwrap_err()] {
        let text = error.to_string();
        assert!(text.contains("newer than this program, which does not know migration 9999"), "{text}");
        assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    }
}

#[test]
fn a_migration_that_breaks_a_reference_is_taken_back() {
    let fresh = fresh();
    let mut shell = shell(&fresh.settings.path);
    let dangle = "PRAGMA foreign_keys = OFF;
        INSERT INTO api_keys (digest, client_id, scope, issued_at) VALUES (zeroblob(32), 'nobody', '', '');
        DROP TABLE event_log; DELETE FROM __diesel_schema_migrations WHERE version = '0007'";
    shell.batch_execute(dangle).unwrap();
    let error = migrate(&fresh.settings).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let logs = "SELECT count(*) AS number FROM sqlite_master WHERE name = 'event_log'";
    assert_eq!(count(&mut shell, logs), 0, "half of it stayed");
}

/// The migration makes the table anew: what waits in it, and who holds what, is there afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_wait_and_claims_outlive_the_new_outbox() {
    let fresh = fresh();
    let claim = |millis| Claim {
        by: fresh_id(),
        now: at_millis(millis),
        lease: Duration::from_secs(10),
        max_entities: 10,
        except: Vec::new(),
    };
    // As the program of the version before puts an event there and claims it.
    let (held, free) = (event_of(fresh_id()), event_of(fresh_id()));
    let mut shell = shell(&fresh.settings.path);
    for (event, holder) in [(&held, "'somebody', '2026-01-31T08:15:40.000000Z'"), (&free, "NULL, NULL")] {
        let (by, at) = (event.changed_by, "2026-01-31T08:15:30.123Z");
        let put = format!(
            "INSERT INTO outbox (event_id, entity_type, entity_id, new_status, event_time, changed_by, request_id, traceparent, claimed_by, claimed_until)
             VALUES ('{}', 'DeviceDispense', '{}', 'stopped', '{at}', '{by}', '{}', NULL, {holder})",
            event.id, event.entity_id, event.request_id
        );
        shell.batch_execute(&put).unwrap();
    }
    shell.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '0010'").unwrap();
    migrate(&fresh.settings).unwrap();
    let ids = async |claim| {
        let claimed = fresh.store.claim(&claim).await.unwrap().events;
        claimed.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(claim(1_000)).await, [free.id]);
    assert_eq!(ids(claim(60_000)).await, [held.id, free.id]);
}

/// The migration adds a column and indexes: what the version before has stored is listed afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn dispenses_of_the_version_before_are_listed() {
    let fresh = fresh();
    let stored = dispense().build();
    fresh.store.put_dispenses(std::slice::from_ref(&stored)).await.unwrap();
    let undo = "DROP INDEX device_dispenses_in_progress; DROP INDEX device_dispenses_owner_inserted_at; DROP INDEX device_dispenses_owner_status_inserted_at;
        DROP INDEX device_dispenses_subject_owner_inserted_at; ALTER TABLE device_dispenses DROP COLUMN inserted_at;
        CREATE INDEX device_dispenses_owner ON device_dispenses (owner);
        DELETE FROM __diesel_schema_migrations WHERE version IN ('0012', '0013')";
    shell(&fresh.settings.path).batch_execute(undo).unwrap();
    assert_eq!(
        migrate(&fresh.settings).unwrap(),
        ["0012_lists_of_device_dispenses", "0013_overdue_device_dispenses"]
    );
    let store = SqliteStore::open(&fresh.settings).unwrap();
    let filter = Filter { owner: Some(stored.owner), ..Filter::default() };
    let listed = DeviceDispenses::list(&store, &filter, PageRequest::FIRST).await.unwrap();
    let ids: Vec<_> = listed.items.into_iter().map(|item| item.unwrap().id).collect();
    assert_eq!((ids, listed.total_entries), (vec![stored.id], 1));
}

/// The migration makes the log anew: what was delivered is there afterwards, in its order, and can be queried.
#[tokio::test(flavor = "multi_thread")]
async fn delivered_events_outlive_the_new_log_and_can_be_queried() {
    let fresh = fresh();
    let events = [event_of(fresh_id()), event_of(fresh_id())];
    let mut shell = shell(&fresh.settings.path);
    // As the program of the version before left it.
    let before = "DROP TABLE event_log;
        CREATE TABLE event_log (sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE,
            json TEXT NOT NULL CHECK (json_valid(json)), request_id TEXT NOT NULL, traceparent TEXT) STRICT;
        DELETE FROM __diesel_schema_migrations WHERE version = '0011'";
    shell.batch_execute(before).unwrap();
    for event in &events {
        let (id, json, request_id) = (event.id, wire::json(event), &event.request_id);
        let put = format!(
            "INSERT INTO event_log (event_id, json, request_id) VALUES ('{id}', '{json}', '{request_id}')"
        );
        shell.batch_execute(&put).unwrap();
    }
    assert_eq!(migrate(&fresh.settings).unwrap(), ["0011_event_log_to_be_queried"]);
    let delivered = fresh.store.delivered_after(0, 10).await.unwrap();
    assert_eq!(
        delivered.iter().map(|(_, json)| json.clone()).collect::<Vec<_>>(),
        events.each_ref().map(wire::json)
    );

    let later = event_of(fresh_id());
    fresh.store.publish(std::slice::from_ref(&later)).await.remove(0).unwrap();
    assert_eq!(fresh.store.delivered_after(delivered[1].0, 10).await.unwrap()[0].1, wire::json(&later));
    let period = Period::new(Some(at_millis(0)), None, 1, at_millis(0)).unwrap();
    let attribute = Attribute::new(Some("status".to_owned()), Some("stopped".to_owned())).unwrap();
    let filter = EventFilter { period, event_type: None, entity_type: None, attribute };
    let listed = EventLog::list(&fresh.store, &filter, PageRequest::FIRST).await.unwrap();
    assert_eq!(listed.total_entries, 3);
}
