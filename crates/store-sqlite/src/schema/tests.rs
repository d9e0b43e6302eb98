//! The tables of this module against those that the migrations make.

use std::collections::BTreeSet;

use diesel::debug_query;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, HasSqlType, Text};
use diesel::sqlite::{Sqlite, SqliteType};

use crate::{SqliteSettings, connection, migrate};

/// Tables that only triggers, or diesel's migrations, write and read.
const WITHOUT_CODE: [&str; 2] = ["__diesel_schema_migrations", "audit_log"];

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    is_required: i64,
}

/// What is said here about a column: its name, its type, whether it must have a value.
type Said = (String, &'static str, bool);

trait Columns {
    /// For each column its type, and whether it must have a value.
    fn columns() -> Vec<(&'static str, bool)>;
}

macro_rules! columns {
    ($($column:ident)+) => {
        impl<$($column: diesel::sql_types::SqlType),+> Columns for ($($column,)+)
        where
            $(Sqlite: HasSqlType<$column>, $column::IsNull: IsRequired),+
        {
            fn columns() -> Vec<(&'static str, bool)> {
                vec![$((
                    word(<Sqlite as HasSqlType<$column>>::metadata(&mut ())),
                    <$column::IsNull as IsRequired>::IS_REQUIRED,
                )),+]
            }
        }
    };
}

trait IsRequired {
    const IS_REQUIRED: bool;
}

impl IsRequired for diesel::sql_types::is_nullable::NotNull {
    const IS_REQUIRED: bool = true;
}

impl IsRequired for diesel::sql_types::is_nullable::IsNullable {
    const IS_REQUIRED: bool = false;
}

columns!(A B);
columns!(A B C);
columns!(A B C D);
columns!(A B C D E);
columns!(A B C D E F);
columns!(A B C D E F G);
columns!(A B C D E F G H);
columns!(A B C D E F G H I);
columns!(A B C D E F G H I J);
columns!(A B C D E F G H I J K);
columns!(A B C D E F G H I J K L);
columns!(A B C D E F G H I J K L M);
columns!(A B C D E F G H I J K L M N);
columns!(A B C D E F G H I J K L M N O P Q);

/// The names in `SELECT `a`.`b`, … FROM …`, of the columns.
fn names(sql: &str) -> Vec<String> {
    let list = sql.split(" FROM ").next().unwrap().trim_start_matches("SELECT ");
    list.split(", ").map(|column| column.split('`').nth(3).unwrap().to_owned()).collect()
}

macro_rules! said {
    ($($table:ident)+) => {
        vec![$((
            stringify!($table),
            {
                use crate::schema::$table::{SqlType, table};
                let names = names(&debug_query::<Sqlite, _>(&table.select(table::all_columns())).to_string());
                let columns = <SqlType as Columns>::columns();
                let said: BTreeSet<Said> =
                    names.into_iter().zip(columns).map(|(name, (kind, required))| (name, kind, required)).collect();
                said
            },
        )),+]
    };
}

fn word(kind: SqliteType) -> &'static str {
    match kind {
        SqliteType::Binary => "BLOB",
        SqliteType::Text => "TEXT",
        SqliteType::Integer | SqliteType::Long | SqliteType::SmallInt => "INTEGER",
        SqliteType::Float | SqliteType::Double => "REAL",
    }
}

#[test]
fn every_table_is_here_as_the_migrations_make_it() {
    let said = said![
        users clients access_tokens api_keys legal_entities divisions contracts contract_divisions request_context
        device_dispenses device_requests device_request_wrong_codes outbox event_log idempotency_keys
        persons parties party_users employees medical_programs device_definitions program_devices settings
    ];
    let dir = tempfile::tempdir().unwrap();
    let settings = SqliteSettings::at(dir.path().join("esoz.db"));
    migrate(&settings).unwrap();
    let mut connection = connection::for_writing(&settings).unwrap();
    for (table, said) in &said {
        let columns: Vec<Column> = diesel::sql_query(
            "SELECT name, type AS kind, \"notnull\" AS is_required FROM pragma_table_xinfo(?)",
        )
        .bind::<Text, _>(*table)
        .load(&mut connection)
        .unwrap();
        let made: BTreeSet<_> = columns
            .iter()
            .map(|column| (column.name.clone(), column.kind.as_str(), column.is_required == 1))
            .collect();
        // A generated column is listed with its type and the words that make it generated.
        let made: BTreeSet<_> = made
            .into_iter()
            .map(|(name, kind, required)| (name, kind.split(' ').next().unwrap(), required))
            .collect();
        assert_eq!(*said, made, "{table}");
    }
    let tables: Vec<Column> = diesel::sql_query(
        "SELECT name, type AS kind, 1 AS is_required FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .load(&mut connection)
    .unwrap();
    let made: BTreeSet<_> = tables.iter().map(|table| table.name.as_str()).collect();
    let known: BTreeSet<_> = said.iter().map(|(table, _)| *table).chain(WITHOUT_CODE).collect();
    assert_eq!(known, made);
}
