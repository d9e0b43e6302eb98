//! `src/schema.rs` is written by hand; the migrations must create each of its tables as declared.

use std::collections::BTreeMap;

use super::support::fresh;

/// Table → column → (diesel's type).
type Tables = BTreeMap<String, BTreeMap<String, String>>;

/// Reads the `table!` blocks of `src/schema.rs`.
fn written() -> Tables {
    let mut tables = Tables::new();
    let mut table = None;
    let mut sql_name = None;
    for line in include_str!("../../src/schema.rs").lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            table = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("#[sql_name = \"") {
            sql_name = rest.split('"').next().map(str::to_owned);
        } else if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ")
            && let Some(table) = &table
            && !line.contains('!')
        {
            let column = sql_name.take().unwrap_or_else(|| column.to_owned());
            tables.entry(table.clone()).or_default().insert(column, kind.to_owned());
        }
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_rs_equals_the_migrated_database() {
    let test_db = fresh().await;
    let rows = test_db.admin(
        "SELECT table_name, column_name, udt_name, is_nullable FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations'",
    );
    let written = written();
    let mut found = Tables::new();
    for row in rows.lines() {
        let [table, column, kind, nullable] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        if !written.contains_key(table) {
            continue;
        }
        let kind = match kind {
            "uuid" => "Uuid",
            "bool" => "Bool",
            "bytea" => "Bytea",
            "date" => "Date",
            "text" => "Text",
            "timestamptz" => "Timestamptz",
            "int8" => "Int8",
            other => panic!("{table}.{column}: what is {other} to diesel?"),
        };
        let kind = if nullable == "YES" { format!("Nullable<{kind}>") } else { kind.to_owned() };
        found.entry(table.to_owned()).or_default().insert(column.to_owned(), kind);
    }
    assert_eq!(found.len(), 10);
    assert_eq!(written, found);
}
