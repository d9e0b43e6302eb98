//! The time limit of a read. SQLite has none of its own, and its progress handler cannot be reached without unsafe code; so queries that look into
//! documents call a function of ours for each row, which fails when the time is over.

use std::cell::Cell;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::serialize::{IsNull, Output, Result as Serialized, ToSql};
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;

/// The error of SQLite when a read was ended.
pub(crate) const OUT_OF_TIME: &str = "the read took longer than its time limit";

thread_local! {
    /// When the read that runs on this thread must end.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

diesel::define_sql_function! {
    /// True; fails the query when the time of the read is over. Registered by [`register_function`].
    fn is_in_time() -> Bool;
}

/// Runs a read whose queries fail once they have taken that long.
pub(crate) fn limit<T>(time: Duration, read: impl FnOnce() -> T) -> T {
    /// Ends the limit, after a panic as well: the thread reads for others afterwards.
    struct Limited;

    impl Drop for Limited {
        fn drop(&mut self) {
            DEADLINE.set(None);
        }
    }

    let _limited = Limited;
    DEADLINE.set(Instant::now().checked_add(time));
    read()
}

/// Registers the function on a connection. It is not deterministic, so SQLite calls it for each row.
pub(crate) fn register_function(connection: &mut SqliteConnection) -> QueryResult<()> {
    is_in_time_utils::register_nondeterministic_impl(connection, || {
        InTime(DEADLINE.get().is_none_or(|deadline| Instant::now() < deadline))
    })
}

/// Whether there is time left; otherwise it is no value, but an error.
#[derive(Debug)]
struct InTime(bool);

impl ToSql<Bool, Sqlite> for InTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> Serialized {
        if !self.0 {
            return Err(OUT_OF_TIME.into());
        }
        out.set_value(1_i32);
        Ok(IsNull::No)
    }
}
