//! The file under the SQLite of an operator's shell, which is older than the one that is compiled in.

use std::path::Path;
use std::process::Command;

use diesel::connection::SimpleConnection as _;
use esoz_store_sqlite::{SqliteStore, migrate};
use esoz_test_servers::sqlite_shell;

use crate::common::fresh;
use crate::{UpdateFixture, ask, count, shell};

/// Every audit row as one text, in order.
const ROWS: &str = "SELECT json_group_array(json_array(id, actor_id, resource, resource_id, action, \"before\", \"after\", request_id, inserted_at)) AS answer
    FROM (SELECT * FROM audit_log ORDER BY id)";

/// What the operator's shell prints of commands on a file.
fn printed(file: &Path, commands: &[&str]) -> String {
    let output =
        Command::new(sqlite_shell().unwrap()).arg("-bail").arg(file).args(commands).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_shell_finds_the_file_sound_and_loads_its_dump_whole() {
    // given: rows without a state before, with both, and without one after
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    fixture.apply(&fresh.store).await;
    let mut shell = shell(&fresh.settings.path);
    shell.batch_execute("DELETE FROM contract_divisions").unwrap();
    assert_eq!(count(&mut shell, "SELECT count(DISTINCT action) AS number FROM audit_log"), 3);
    // when
    assert_eq!(printed(&fresh.settings.path, &["PRAGMA integrity_check"]), "ok\n");
    let (dump, copy) = (fresh.dir.path().join("esoz.sql"), fresh.dir.path().join("copy.db"));
    std::fs::write(&dump, printed(&fresh.settings.path, &[".dump"])).unwrap();
    printed(&copy, &[&format!(".read {}", dump.display())]);
    // then
    assert_eq!(printed(&copy, &["PRAGMA integrity_check"]), "ok\n");
    assert_eq!(ask(&mut crate::shell(&copy), ROWS), ask(&mut shell, ROWS));
    SqliteStore::open(&esoz_store_sqlite::SqliteSettings::at(copy)).unwrap();
}

/// The audit log as every version before made it.
const BEFORE: &str = "
    DROP TABLE audit_log;
    CREATE TABLE audit_log (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, actor_id TEXT NOT NULL, resource TEXT NOT NULL, resource_id TEXT NOT NULL,
      action TEXT NOT NULL CHECK (action IN ('INSERT', 'UPDATE', 'DELETE')),
      \"before\" TEXT CHECK (json_valid(\"before\")), \"after\" TEXT CHECK (json_valid(\"after\")),
      request_id TEXT, inserted_at TEXT NOT NULL) STRICT;
    CREATE INDEX audit_log_resource ON audit_log (resource, resource_id);
    DELETE FROM __diesel_schema_migrations WHERE version = '0015'";

#[tokio::test(flavor = "multi_thread")]
async fn audit_rows_outlive_the_new_table_which_goes_on_with_their_ids_and_is_guarded() {
    // given: a file of the version before, whose last audit rows an operator has taken away
    let fresh = fresh();
    let mut shell = shell(&fresh.settings.path);
    shell.batch_execute(BEFORE).unwrap();
    let fixture = UpdateFixture::set(&fresh.store).await;
    fixture.apply(&fresh.store).await;
    shell.batch_execute("UPDATE sqlite_sequence SET seq = 40 WHERE name = 'audit_log'").unwrap();
    let rows = ask(&mut shell, ROWS);
    // when
    assert_eq!(migrate(&fresh.settings).unwrap(), ["0015_audit_log_of_older_sqlite"]);
    // then
    assert_eq!(ask(&mut shell, ROWS), rows);
    assert_eq!(printed(&fresh.settings.path, &["PRAGMA integrity_check"]), "ok\n");
    fixture.apply(&fresh.store).await;
    let last = "SELECT max(id) AS number FROM audit_log";
    assert_eq!(count(&mut shell, last), 41);
    for sql in [
        "UPDATE audit_log SET actor_id = ''",
        "DELETE FROM audit_log",
        "REPLACE INTO audit_log SELECT * FROM audit_log",
    ] {
        let refusal = shell.batch_execute(sql).unwrap_err().to_string();
        assert_eq!(refusal, "audit_log is append-only", "{sql}");
    }
    for wrong in ["'{'", "''"] {
        let row = format!(
            "INSERT INTO audit_log (actor_id, resource, resource_id, action, \"after\", inserted_at) VALUES ('', '', '', 'INSERT', {wrong}, '')"
        );
        let refusal = shell.batch_execute(&row).unwrap_err().to_string();
        assert!(refusal.starts_with("CHECK constraint failed"), "{refusal}");
    }
}

/// A file that has no audit row yet has no entry in the table of sequences either.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_audit_log_is_made_anew_as_well() {
    let fresh = fresh();
    let mut shell = shell(&fresh.settings.path);
    shell.batch_execute(BEFORE).unwrap();
    migrate(&fresh.settings).unwrap();
    UpdateFixture::set(&fresh.store).await;
    assert_eq!(count(&mut shell, "SELECT max(id) AS number FROM audit_log"), 1);
}
