//! Rows: imports them, and parses stored text into domain types. An invalid value is reported by table, id and column, never repaired.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::{QueryResult, SqliteConnection};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{Put, Stamps, StoreError};

use crate::SqliteStore;
use crate::connection::expect_many_inserts;
use crate::error::{SqliteError, is_foreign_key_violation};

/// The most records in one transaction of a purge: it must not block other writes for long.
pub(crate) const MAX_PURGED_PER_TRANSACTION: usize = 500;

/// How long a transaction of an import takes records: it must not block other writes for long, however large the records are.
const IMPORT_TRANSACTION: Duration = Duration::from_millis(50);

/// So many rows at once are an import.
const MANY_ROWS: usize = 100;

/// Stores the records in order, one outcome each; see [`put_rows`].
pub(crate) async fn put_all<Record, Row>(
    store: &SqliteStore,
    attempted: &'static str,
    records: &[Record],
    put: fn(&mut SqliteConnection, &Row) -> Result<Put, SqliteError>,
) -> Result<Vec<Put>, StoreError>
where
    Row: for<'a> From<&'a Record> + Send + Sync + 'static,
{
    put_rows(store, attempted, records.iter().map(Row::from).collect(), put).await
}

/// Stores the rows in order, one outcome each, in short transactions. One that is rolled back runs again, so its rows are kept until it
/// commits.
pub(crate) async fn put_rows<Row: Send + Sync + 'static>(
    store: &SqliteStore,
    attempted: &'static str,
    rows: Arc<[Row]>,
    put: fn(&mut SqliteConnection, &Row) -> Result<Put, SqliteError>,
) -> Result<Vec<Put>, StoreError> {
    let mut answers = Vec::with_capacity(rows.len());
    while answers.len() < rows.len() {
        let (rows, stored) = (Arc::clone(&rows), answers.len());
        let put_some = move |connection: &mut SqliteConnection| {
            let began = Instant::now();
            if rows.len() >= MANY_ROWS {
                expect_many_inserts(connection)?;
            }
            let mut puts = Vec::new();
            for row in rows.iter().skip(stored) {
                puts.push(put(connection, row)?);
                if began.elapsed() >= IMPORT_TRANSACTION {
                    break;
                }
            }
            Ok(puts)
        };
        answers.extend(store.writer.write_unshared(attempted, put_some).await?);
    }
    Ok(answers)
}

/// Replaces in errors the key of a row that may not show: the digest of a secret, the pseudonym of a patient.
pub(crate) const HIDDEN: &str = "(hidden)";

/// The location of a stored row, for error messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Location<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a str,
}

impl Location<'_> {
    /// Parses the text of a column.
    pub(crate) fn parse<T: FromStr>(self, column: &'static str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    /// The error for an invalid value in a column.
    pub(crate) fn corrupt(self, column: &'static str) -> StoreError {
        StoreError::corrupt(self.table, self.id, column)
    }

    /// Parses the four columns of [`Stamps`].
    pub(crate) fn stamps(self, row: [&str; 4]) -> Result<Stamps, StoreError> {
        let [inserted_at, inserted_by, updated_at, updated_by] = row;
        Ok(Stamps {
            inserted_at: self.parse("inserted_at", inserted_at)?,
            inserted_by: self.parse("inserted_by", inserted_by)?,
            updated_at: self.parse("updated_at", updated_at)?,
            updated_by: self.parse("updated_by", updated_by)?,
        })
    }
}

/// The four columns of [`Stamps`], in their order.
pub(crate) fn stamp_columns(stamps: &Stamps) -> [String; 4] {
    [
        rfc3339_micros(stamps.inserted_at),
        stamps.inserted_by.to_string(),
        rfc3339_micros(stamps.updated_at),
        stamps.updated_by.to_string(),
    ]
}

/// Stores a row: inserts it, or updates the one with its key, whose `inserted_at` and `inserted_by` stay, if they differ. Most rows of a large
/// import are new, so it is inserted first and looked up only if that did nothing.
macro_rules! put_row {
    ($connection:expr, $table:ident, $row:ident: $Row:ty) => {
        put_row!($connection, $table by id, $row: $Row)
    };
    ($connection:expr, $table:ident by $key:ident, $row:ident: $Row:ty) => {{
        let insert = diesel::insert_into($table::table).values($row).on_conflict($table::$key).do_nothing();
        insert.execute($connection).and_then(|inserted| {
            if inserted > 0 {
                return Ok(Put::Created);
            }
            let there: $Row = $table::table.find(&$row.$key).get_result($connection)?;
            let mut wanted = $row.clone();
            wanted.inserted_at.clone_from(&there.inserted_at);
            wanted.inserted_by.clone_from(&there.inserted_by);
            if wanted == there {
                return Ok(Put::Kept);
            }
            let update = diesel::update($table::table.find(&$row.$key)).set($row);
            Prepared(update).run($connection).map(|()| Put::Updated)
        })
    }};
}
pub(crate) use put_row;

/// The outcome of storing one record: a dangling reference refuses that record alone.
pub(crate) fn refused_if_dangling(
    put: QueryResult<Put>,
    missing: impl FnOnce() -> String,
) -> Result<Put, SqliteError> {
    match put {
        Err(error) if is_foreign_key_violation(&error) => Ok(Put::Refused(missing())),
        put => Ok(put?),
    }
}
