//! Whether changes of contract divisions are audited as the migrations made it. Who can write the file can drop or replace a trigger without an error
//! for anybody.

use std::sync::OnceLock;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::error::{SqliteError, connection_failed};
use crate::known_migrations::{is_newer, run_all};

const ATTEMPTED: &str = "checking the audit of contract divisions (`esoz migrate` restores its triggers; drop a trigger that is not esoz's)";

const SELECT: &str = "SELECT name, sql FROM sqlite_master
    WHERE type = 'trigger' AND lower(tbl_name) IN ('contract_divisions', 'audit_log') ORDER BY name";

/// A trigger, with the statement that made it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(crate) struct Trigger {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    sql: String,
}

/// The triggers of the audit in a file, by name.
fn triggers(connection: &mut SqliteConnection) -> QueryResult<Vec<Trigger>> {
    diesel::sql_query(SELECT).load(connection)
}

/// The triggers that the migrations make.
fn made() -> Result<&'static [Trigger], StoreError> {
    static MADE: OnceLock<Vec<Trigger>> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made);
    }
    let mut connection =
        SqliteConnection::establish(":memory:").map_err(|error| connection_failed(ATTEMPTED, error))?;
    run_all(&mut connection, ATTEMPTED)?;
    let made = triggers(&mut connection).map_err(|error| SqliteError::from(error).during(ATTEMPTED))?;
    Ok(MADE.get_or_init(|| made))
}

/// Names what is wrong with the triggers of a file: nothing in one that a newer program migrated, which may have made them otherwise for a reason.
pub(crate) fn wrong(connection: &mut SqliteConnection) -> Result<Vec<String>, SqliteError> {
    let (made, found) = (made()?, triggers(connection)?);
    if found == made || is_newer(connection, ATTEMPTED)? {
        return Ok(Vec::new());
    }
    let changed = made.iter().filter(|trigger| !found.contains(trigger));
    let changed = changed.map(|Trigger { name, .. }| format!("the trigger {name} is off or another one"));
    let is_known = |trigger: &Trigger| made.iter().any(|made| made.name == trigger.name);
    let foreign = found.iter().filter(|trigger| !is_known(trigger));
    let foreign = foreign.map(|Trigger { name, .. }| format!("there is a trigger {name}"));
    Ok(changed.chain(foreign).collect())
}

/// Refuses an audit of which something is wrong.
pub(crate) fn require_unchanged(wrong: &[String]) -> Result<(), StoreError> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(StoreError::new(StoreErrorKind::Unavailable, ATTEMPTED).because(wrong.join(", ")))
}

/// Puts triggers that were dropped or replaced back, and returns their names.
pub(crate) fn restore(connection: &mut SqliteConnection) -> Result<Vec<String>, SqliteError> {
    let found = triggers(connection)?;
    let changed = made()?.iter().filter(|trigger| !found.contains(trigger));
    let mut restored = Vec::new();
    for Trigger { name, sql } in changed {
        connection.batch_execute(&format!("DROP TRIGGER IF EXISTS \"{name}\"; {sql};"))?;
        tracing::info!(name, "the trigger of the audit was restored");
        restored.push(name.clone());
    }
    Ok(restored)
}
