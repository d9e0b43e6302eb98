//! Cached prepared statements.
//!
//! A query for one row by its key is run by `get_result`, not by `first`: that adds `LIMIT ?`, whose value SQLite plans by, so that it parses the cached
//! statement again each time.

use diesel::connection::LoadConnection as _;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Integer;
use diesel::sqlite::Sqlite;

/// An update whose SQL text is always the same: its prepared statement is cached on the connection.
///
/// diesel prepares every update anew, because the columns that an update sets may depend on its values. That took longer than the update
/// itself. The cache is keyed by the text, so a text that varies would still be right, but never be evicted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prepared<Q>(pub(crate) Q);

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Sqlite) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<SqliteConnection> for Prepared<Q> {}

impl<Q: QueryFragment<Sqlite>> Prepared<Q> {
    /// Runs an update that returns no rows. `execute` would not do: it hands on a reference, and diesel asks what is behind one whether it may be
    /// cached, but not whoever wraps it.
    pub(crate) fn run(self, connection: &mut SqliteConnection) -> QueryResult<()> {
        let mut rows = connection.load(Prepared(WithoutRows(self.0)))?;
        rows.try_for_each(|row| row.map(drop))
    }
}

/// A statement that returns no rows, as a query: the type of its rows is never asked for.
struct WithoutRows<Q>(Q);

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for WithoutRows<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

impl<Q> Query for WithoutRows<Q> {
    type SqlType = Integer;
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use diesel::connection::InstrumentationEvent;
    use diesel::table;

    use super::*;

    table! {
        things (id) {
            id -> Integer,
            name -> Text,
        }
    }

    #[test]
    fn an_update_is_prepared_once_and_changes_what_it_says() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        diesel::sql_query("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
            .execute(&mut connection)
            .unwrap();
        let new = diesel::insert_into(things::table).values((things::id.eq(1), things::name.eq("a")));
        new.execute(&mut connection).unwrap();
        let prepared: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = prepared.clone();
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { sql, .. } = event {
                seen.lock().unwrap().push(sql.to_owned());
            }
        });
        for name in ["b", "c", "d"] {
            let update = diesel::update(things::table.find(1)).set(things::name.eq(name));
            Prepared(update).run(&mut connection).unwrap();
        }
        let name: String = things::table.find(1).select(things::name).get_result(&mut connection).unwrap();
        assert_eq!(name, "d");
        let updates = prepared.lock().unwrap().iter().filter(|sql| sql.starts_with("UPDATE")).count();
        assert_eq!(updates, 1);
    }
}
