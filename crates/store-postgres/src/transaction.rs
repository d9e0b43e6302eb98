//! Transactions of two round trips: the first opens one and reads, the second writes and commits.
//!
//! Both are pipelined: their messages are sent at once and carried out in order.

use std::any::TypeId;

use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join, join_all};
use tokio::task::coop::unconstrained;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::error::Failure;

/// Statements that rest on the transaction look for its setting: outside of it they do nothing.
const BEGIN: &str = "BEGIN; SET LOCAL esoz.transaction = 'open'";

impl Connection {
    /// Opens a transaction and runs queries in it, one after the other; gives the rows of the last. The transaction is open then, and nobody else
    /// gets the connection until it has ended. After a failure there is none.
    pub(crate) async fn begin_with<Row, Q>(&mut self, queries: Vec<Q>) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: for<'a> LoadQuery<'static, &'a AsyncPgConnection, Row> + Send + 'static,
    {
        self.begin();
        let db = &self.db;
        let trip = async move {
            let opening = async move { (&mut { db }).batch_execute(BEGIN).await };
            let queries = queries.into_iter().map(|query| load(query, db));
            let (opened, answers) = join(opening, join_all(queries)).await;
            opened?;
            answers.into_iter().try_fold(Vec::new(), |_, rows| rows)
        };
        let answer = timeout(self.answer_timeout, unconstrained(trip)).await;
        let rows = self.end(answer);
        match &rows {
            Ok(_) => self.is_busy = true,
            Err(failure) if failure.breaks_connection() => {}
            // Should that fail, the connection is closed, which does the same.
            Err(_) => drop(self.roll_back().await),
        }
        rows
    }

    /// Runs a statement in the open transaction and commits; gives the statement's rows. Whatever comes of it, the transaction has ended.
    pub(crate) async fn commit_with<Row, Q>(&mut self, statement: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: for<'a> LoadQuery<'static, &'a AsyncPgConnection, Row> + Send + 'static,
    {
        // A statement that has yet to be prepared takes a round trip before it is sent, in which the commit would overtake it.
        let is_prepared = !self.prepared.insert(TypeId::of::<Q>());
        self.begin();
        let db = &self.db;
        let trip = async move {
            let statement = load(statement, db);
            // After a statement that failed it rolls back.
            let commit = async move { (&mut { db }).batch_execute("COMMIT").await };
            let (rows, committed) =
                if is_prepared { join(statement, commit).await } else { (statement.await, commit.await) };
            let rows = rows?;
            committed.map(|()| rows)
        };
        // Nor may the scheduler hold the statement back from the commit.
        let answer = timeout(self.answer_timeout, unconstrained(trip)).await;
        self.end(answer)
    }

    /// Ends the open transaction; nothing in it has happened.
    pub(crate) async fn roll_back(&mut self) -> Result<(), Failure> {
        self.begin();
        let answer = timeout(self.answer_timeout, self.db.batch_execute("ROLLBACK")).await;
        self.end(answer)
    }
}

fn load<'a, Row, Q>(query: Q, db: &'a AsyncPgConnection) -> BoxFuture<'a, diesel::QueryResult<Vec<Row>>>
where
    Row: Send + 'static,
    Q: LoadQuery<'static, &'a AsyncPgConnection, Row> + Send + 'static,
{
    async move { query.load(&mut { db }).await }.boxed()
}
