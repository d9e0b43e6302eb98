//! How SQLite carries a query out.

use diesel::debug_query;
use diesel::prelude::*;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::{Integer, Text};
use diesel::sqlite::Sqlite;
use tempfile::TempDir;

use crate::{SqliteSettings, connection, migrate};

/// A connection to a migrated database, in a folder that is removed with its guard.
pub(crate) fn migrated() -> (TempDir, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let settings = SqliteSettings::at(folder.path().join("esoz.db"));
    migrate(&settings).unwrap();
    let connection = connection::for_writing(&settings).unwrap();
    (folder, connection)
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct Instruction {
    #[diesel(sql_type = Text)]
    opcode: String,
    #[diesel(sql_type = Integer)]
    p1: i32,
}

/// The cursor of the table: the first that a query opens.
const TABLE: i32 = 0;

/// The plan of a query, and whether it reads rows of the table beside those of the index.
pub(crate) fn plan(connection: &mut SqliteConnection, query: &impl QueryFragment<Sqlite>) -> (String, bool) {
    let shown = debug_query::<Sqlite, _>(query).to_string();
    let (sql, _) = shown.split_once(" -- binds: ").unwrap();
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(connection).unwrap();
    let program: Vec<Instruction> = diesel::sql_query(format!("EXPLAIN {sql}")).load(connection).unwrap();
    let reads_rows = program.iter().any(|step| (step.opcode.as_str(), step.p1) == ("Column", TABLE));
    (steps.iter().map(|step| step.detail.as_str()).collect::<Vec<_>>().join("; "), reads_rows)
}
