//! From stored text to the domain's words. What cannot be is reported by table, id and column, never repaired.

use std::str::FromStr;

use diesel::SqliteConnection;
use diesel::result::{DatabaseErrorKind, Error as Driver};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{Put, Stamps, StoreError};

use crate::SqliteStore;
use crate::error::SqliteError;

/// The most records that one transaction takes: loading many must not keep others from writing for long.
pub(crate) const MAX_RECORDS_PER_TRANSACTION: usize = 500;

/// Stores the records in order, one answer each. A transaction that is broken off is made again, so its rows are kept until it is over.
pub(crate) async fn put_all<Record, Row>(
    store: &SqliteStore,
    attempted: &'static str,
    records: &[Record],
    put: fn(&mut SqliteConnection, Row) -> Result<Put, SqliteError>,
) -> Result<Vec<Put>, StoreError>
where
    Row: for<'a> From<&'a Record> + Clone + Send + 'static,
{
    let mut answers = Vec::with_capacity(records.len());
    for some in records.chunks(MAX_RECORDS_PER_TRANSACTION) {
        let rows: Vec<Row> = some.iter().map(Row::from).collect();
        let put_some = move |connection: &mut SqliteConnection| {
            rows.iter().cloned().map(|row| put(connection, row)).collect::<Result<Vec<Put>, SqliteError>>()
        };
        answers.extend(store.writer.write_unshared(attempted, put_some).await?);
    }
    Ok(answers)
}

/// Names one stored row, for whoever has to look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Location<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a str,
}

impl Location<'_> {
    /// The value of a column as what it must be.
    pub(crate) fn parse<T: FromStr>(self, column: &'static str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    /// That the column holds what cannot be.
    pub(crate) fn corrupt(self, column: &'static str) -> StoreError {
        StoreError::corrupt(self.table, self.id, column)
    }

    /// Who wrote the row and when.
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

/// What became of a statement that stores one record: a reference to what is not there refuses that record alone.
pub(crate) fn put_unless_dangling(
    result: Result<usize, Driver>,
    done: Put,
    missing: impl FnOnce() -> String,
) -> Result<Put, SqliteError> {
    match result {
        Ok(_) => Ok(done),
        Err(Driver::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => Ok(Put::Refused(missing())),
        Err(error) => Err(error.into()),
    }
}
