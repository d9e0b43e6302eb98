//! Reads a page of a registry's table by its key.

use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use esoz_kernel::{ScanCursor, StoreError};
use uuid::Uuid;

use crate::scan::id_of;

/// The columns of [`StampColumns`](crate::scan::StampColumns), as they are selected.
pub(super) const STAMPS: &str = "inserted_at, inserted_by, updated_at, updated_by";
pub(super) type StampsSql = (Timestamptz, SqlUuid, Timestamptz, SqlUuid);

/// A position in a scan: the key of the last row.
#[derive(Clone)]
pub(super) enum Position {
    Id(Uuid),
    Text(String),
}

/// Selects a page of a table: the columns, then the stamps. The first page has no condition, since one that may be left out would not be
/// answered by the index.
pub(super) struct ScanPage<Sql> {
    pub(super) table: &'static str,
    /// The column of the primary key.
    pub(super) key: &'static str,
    pub(super) columns: &'static str,
    pub(super) after: Option<Position>,
    pub(super) limit: i64,
    pub(super) sql_type: PhantomData<fn() -> Sql>,
}

impl<Sql> ScanPage<Sql> {
    /// Selects a page of a table whose key is its id.
    ///
    /// # Errors
    /// As of [`id_of`].
    pub(super) fn by_id(
        table: &'static str,
        columns: &'static str,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<Self, StoreError> {
        let after = id_of(after)?.map(Position::Id);
        Ok(Self { table, key: "id", columns, after, limit: limit.into(), sql_type: PhantomData })
    }
}

impl<Sql> Clone for ScanPage<Sql> {
    fn clone(&self) -> Self {
        Self { after: self.after.clone(), ..*self }
    }
}

impl<Sql> QueryFragment<Pg> for ScanPage<Sql> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self { table, key, columns, .. } = self;
        out.push_sql(&format!("SELECT {columns}, {STAMPS} FROM {table}"));
        match &self.after {
            None => {}
            Some(Position::Id(id)) => {
                out.push_sql(&format!(" WHERE {key} > "));
                out.push_bind_param::<SqlUuid, _>(id)?;
            }
            Some(Position::Text(text)) => {
                out.push_sql(&format!(" WHERE {key} > "));
                out.push_bind_param::<Text, _>(text)?;
            }
        }
        out.push_sql(&format!(" ORDER BY {key} LIMIT "));
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<Sql> Query for ScanPage<Sql> {
    type SqlType = Sql;
}

/// The text depends on the table, so that the type alone does not identify the prepared statement.
impl<Sql> QueryId for ScanPage<Sql> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
