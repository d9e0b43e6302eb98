//! Scans of tables by keyset pagination: each page is a short query by the primary key.

use std::fmt::Display;

use diesel::data_types::PgTimestamp;
use esoz_kernel::{ScanCursor, ScanPage, Stamps, StoreError, StoreErrorKind, UserId, is_full_page};
use uuid::Uuid;

use crate::time::from_pg;

/// The columns of [`Stamps`], in the order of the tables.
pub(crate) type StampColumns = (PgTimestamp, Uuid, PgTimestamp, Uuid);

/// The location of a stored row, for error messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Location<Id = Uuid> {
    pub(crate) table: &'static str,
    pub(crate) id: Id,
}

impl<Id: Display + Copy> Location<Id> {
    /// The error for an invalid value in a column.
    pub(crate) fn corrupt(self, column: &str) -> StoreError {
        StoreError::corrupt(self.table, self.id, column)
    }

    /// Parses the text of a column.
    pub(crate) fn parse<T: std::str::FromStr>(self, column: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    /// Converts the four columns of [`Stamps`].
    pub(crate) fn stamps(self, columns: StampColumns) -> Result<Stamps, StoreError> {
        let (inserted_at, inserted_by, updated_at, updated_by) = columns;
        Ok(Stamps {
            inserted_at: from_pg(inserted_at).ok_or_else(|| self.corrupt("inserted_at"))?,
            inserted_by: UserId::new(inserted_by),
            updated_at: from_pg(updated_at).ok_or_else(|| self.corrupt("updated_at"))?,
            updated_by: UserId::new(updated_by),
        })
    }
}

/// The id after which a page begins; `None`: it is the first page.
///
/// # Errors
/// [`StoreError`] of kind unexpected when the cursor is one of another store.
pub(crate) fn id_of(after: Option<ScanCursor>) -> Result<Option<Uuid>, StoreError> {
    after.map(|after| Uuid::from_slice(after.id())).transpose().map_err(foreign_cursor)
}

/// The text after which a page begins; `None`: it is the first page.
///
/// # Errors
/// As of [`id_of`].
pub(crate) fn text_of(after: Option<ScanCursor>) -> Result<Option<String>, StoreError> {
    after.map(|after| String::from_utf8(after.id().to_vec())).transpose().map_err(foreign_cursor)
}

fn foreign_cursor(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::new(StoreErrorKind::Unexpected, "reading the cursor of a scan").because(error)
}

/// Makes a page of rows in the order of their ids. After a page that is not full there is no other.
pub(crate) fn page<Row, T>(
    rows: Vec<Row>,
    limit: u32,
    id: impl Fn(&Row) -> Uuid,
    record: impl Fn(Row) -> Result<T, StoreError>,
) -> ScanPage<T> {
    page_by(rows, limit, |row| ScanCursor::new(*id(row).as_bytes()), record)
}

/// Makes a page of rows in the order of their keys, which are in the cursors.
pub(crate) fn page_by<Row, T>(
    rows: Vec<Row>,
    limit: u32,
    cursor: impl Fn(&Row) -> ScanCursor,
    record: impl Fn(Row) -> Result<T, StoreError>,
) -> ScanPage<T> {
    let has_more = is_full_page(rows.len(), limit);
    let next = rows.last().filter(|_| has_more).map(cursor);
    ScanPage { records: rows.into_iter().map(record).collect(), next }
}

/// Reads a page of a table, as rows of the columns that are selected. The first page has a query of its own, since a condition that may be
/// left out would not be answered by the index.
macro_rules! scan_table {
    ($store:ident, $table:ident: $Row:ty, $after:ident, $limit:ident, $columns:expr) => {{
        let rows = $table::table.order($table::id).limit($limit.into()).select($columns);
        let rows = match $crate::scan::id_of($after)? {
            None => $store.connections.query::<$Row, _>(rows).await,
            Some(after) => $store.connections.query::<$Row, _>(rows.filter($table::id.gt(after))).await,
        };
        rows.during(concat!("scanning ", stringify!($table)))
    }};
}
pub(crate) use scan_table;
