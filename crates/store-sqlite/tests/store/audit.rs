use diesel::connection::SimpleConnection as _;
use esoz_kernel::StoreErrorKind;
use esoz_store_sqlite::migrate;

use crate::common::fresh;
use crate::{UpdateFixture, ask, count, shell};

/// Every audit row, as one text.
const ROWS: &str =
    "SELECT json_group_array(json_array(id, actor_id, action, \"after\")) AS answer FROM audit_log";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_or_deletes_an_audit_row() {
    let fresh = fresh();
    UpdateFixture::set(&fresh.store).await;
    let mut shell = shell(&fresh.settings.path);
    let before = ask(&mut shell, ROWS);
    for sql in [
        "UPDATE audit_log SET actor_id = 'somebody else'",
        "DELETE FROM audit_log",
        "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
        "REPLACE INTO audit_log (id, actor_id, resource, resource_id, action, inserted_at)
            SELECT id, 'somebody else', '', '', 'DELETE', '' FROM audit_log",
    ] {
        let refusal = shell.batch_execute(sql).unwrap_err().to_string();
        assert_eq!(refusal, "audit_log is append-only", "{sql}");
    }
    assert_eq!(ask(&mut shell, ROWS), before);
    assert_eq!(count(&mut shell, "SELECT count(*) AS number FROM audit_log"), 1);
}

/// Who holds the file can do with it what they want: there are no roles. What the schema can promise is that no statement on the rows
/// changes them, however it is dressed, and that taking the guard away is itself a change of the schema, which is seen.
#[tokio::test(flavor = "multi_thread")]
async fn no_statement_on_audit_rows_changes_them_and_to_take_the_guard_away_is_seen() {
    let fresh = fresh();
    UpdateFixture::set(&fresh.store).await;
    let mut shell = shell(&fresh.settings.path);
    let before = ask(&mut shell, ROWS);
    for sql in [
        "UPDATE OR REPLACE audit_log SET actor_id = 'somebody else'",
        "UPDATE OR IGNORE audit_log SET actor_id = 'somebody else'",
        "UPDATE audit_log SET id = id + 1",
        "UPDATE audit_log SET rowid = 7",
        "DELETE FROM audit_log WHERE id = 1",
        "DELETE FROM audit_log RETURNING id",
        "PRAGMA recursive_triggers = OFF; DELETE FROM audit_log",
        "PRAGMA foreign_keys = OFF; DELETE FROM audit_log",
        "PRAGMA ignore_check_constraints = ON; UPDATE audit_log SET action = 'NOTHING'",
        "INSERT INTO audit_log SELECT * FROM audit_log WHERE true ON CONFLICT (id) DO UPDATE SET actor_id = 'somebody else'",
        "CREATE VIEW seen AS SELECT * FROM audit_log; UPDATE seen SET actor_id = 'somebody else'",
    ] {
        assert!(shell.batch_execute(sql).is_err(), "{sql}");
        assert_eq!(ask(&mut shell, ROWS), before, "{sql}");
    }
    // The version of the schema is in the file's head: whoever drops a trigger leaves it changed.
    let version = "SELECT schema_version AS number FROM pragma_schema_version";
    let untouched = count(&mut shell, version);
    shell.batch_execute("DROP TRIGGER audit_log_no_delete").unwrap();
    assert!(count(&mut shell, version) > untouched);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_from_a_shell_is_audited_without_a_request() {
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    fixture.apply(&fresh.store).await;
    let mut shell = shell(&fresh.settings.path);
    let context = "SELECT coalesce(request_id, 'none') AS answer FROM request_context";
    assert_eq!(ask(&mut shell, context).as_deref(), Some("none"));
    shell.batch_execute("UPDATE contract_divisions SET is_active = 0, updated_by = 'me'").unwrap();
    shell.batch_execute("DELETE FROM contract_divisions").unwrap();
    let last_two = "SELECT json_group_array(json_array(actor_id, action, coalesce(request_id, 'none'),
            json(\"before\") -> 'is_active', json(\"after\") -> 'is_active')) AS answer
        FROM (SELECT * FROM audit_log ORDER BY id LIMIT -1 OFFSET 2)";
    let rows: serde_json::Value = serde_json::from_str(&ask(&mut shell, last_two).unwrap()).unwrap();
    let expected =
        serde_json::json!([["me", "UPDATE", "none", true, false], ["me", "DELETE", "none", false, null],]);
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_an_audit_row_is_as_wide_as_every_other() {
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    fixture.apply(&fresh.store).await;
    let odd = "SELECT count(*) AS number FROM audit_log
        WHERE inserted_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]000Z'";
    assert_eq!(count(&mut shell(&fresh.settings.path), odd), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_was_dropped_or_replaced_or_is_not_ours_is_told_and_ours_are_restored_by_a_migration()
{
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    let mut shell = shell(&fresh.settings.path);
    for (sabotage, what, restored) in [
        (
            "DROP TRIGGER contract_divisions_audit_update",
            "the trigger contract_divisions_audit_update is off or another one",
            Some("trigger contract_divisions_audit_update"),
        ),
        (
            "DROP TRIGGER contract_divisions_audit_update;
             CREATE TRIGGER contract_divisions_audit_update AFTER UPDATE ON contract_divisions BEGIN SELECT 1; END",
            "the trigger contract_divisions_audit_update is off or another one",
            Some("trigger contract_divisions_audit_update"),
        ),
        (
            "DROP TRIGGER audit_log_no_delete",
            "the trigger audit_log_no_delete is off or another one",
            Some("trigger audit_log_no_delete"),
        ),
        (
            "CREATE TRIGGER swallow BEFORE INSERT ON Audit_Log BEGIN SELECT RAISE(IGNORE); END",
            "there is a trigger swallow",
            None,
        ),
    ] {
        fresh.store.ping().await.unwrap();
        shell.batch_execute(sabotage).unwrap();
        let error = fresh.store.ping().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{sabotage}");
        let told = error.with_causes();
        assert!(told.contains(what) && told.contains("`esoz migrate` restores"), "{sabotage}: {told}");
        let applied = migrate(&fresh.settings).unwrap();
        assert_eq!(applied, restored.into_iter().collect::<Vec<_>>(), "{sabotage}");
    }
    shell.batch_execute("DROP TRIGGER swallow").unwrap();
    fresh.store.ping().await.unwrap();
    fixture.apply(&fresh.store).await;
    assert_eq!(count(&mut shell, "SELECT count(*) AS number FROM audit_log"), 2);
}

/// A newer program, which migrated the file under a running server, may have made it otherwise for a reason.
#[tokio::test(flavor = "multi_thread")]
async fn the_triggers_of_a_newer_schema_are_not_judged() {
    let fresh = fresh();
    let mut shell = shell(&fresh.settings.path);
    shell.batch_execute("CREATE TRIGGER more AFTER INSERT ON audit_log BEGIN SELECT 1; END").unwrap();
    fresh.store.ping().await.unwrap_err();
    shell.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('9001')").unwrap();
    fresh.store.ping().await.unwrap();
}
