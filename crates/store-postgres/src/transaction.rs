//! Transactions of two round trips: the first begins and reads, the second writes and commits.
//!
//! Both are pipelined: the messages are sent together and executed in order.

use std::any::TypeId;

use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join, join_all};
use tokio::task::coop::unconstrained;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::error::Failure;

/// Statements that rely on the transaction check its setting; outside of it they do nothing.
const BEGIN: &str = "BEGIN; SET LOCAL esoz.transaction = 'open'";

const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl Connection {
    /// Begins a transaction and runs queries in it in order; returns the rows of the last. The transaction then stays open and the connection
    /// busy until it ends. After a failure no transaction is open.
    pub(crate) async fn begin_with<Row, Q>(&mut self, queries: Vec<Q>) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: for<'a> LoadQuery<'static, &'a AsyncPgConnection, Row> + Send + 'static,
    {
        self.begin();
        let db = &self.db;
        let pipeline = async move {
            let opening = async move { (&mut { db }).batch_execute(BEGIN).await };
            let queries = queries.into_iter().map(|query| load(query, db));
            let (opened, answers) = join(opening, join_all(queries)).await;
            opened?;
            answers.into_iter().try_fold(Vec::new(), |_, rows| rows)
        };
        let answer = timeout(self.answer_timeout, unconstrained(pipeline)).await;
        let rows = self.end(answer);
        match &rows {
            Ok(_) => self.is_busy = true,
            Err(failure) if failure.breaks_connection() => {}
            // If the rollback fails, the connection is closed, which rolls back as well.
            Err(_) => drop(self.roll_back().await),
        }
        rows
    }

    /// Runs a statement in the open transaction and commits; returns the statement's rows. The transaction has ended afterwards in any case.
    pub(crate) async fn commit_with<Row, Q>(&mut self, statement: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: for<'a> LoadQuery<'static, &'a AsyncPgConnection, Row> + Send + 'static,
    {
        // Preparing a statement takes a round trip before it is sent, in which a pipelined commit would overtake it.
        let is_prepared = !self.prepared.insert(TypeId::of::<Q>());
        self.begin();
        let db = &self.db;
        let pipeline = async move {
            let statement = load(statement, db);
            // After a failed statement COMMIT rolls back.
            let commit = async move { (&mut { db }).batch_execute("COMMIT").await };
            let (rows, committed) =
                if is_prepared { join(statement, commit).await } else { (statement.await, commit.await) };
            let rows = rows?;
            committed.map(|()| rows)
        };
        // Unconstrained, because the scheduler must not delay the statement past the commit.
        let answer = timeout(self.answer_timeout, unconstrained(pipeline)).await;
        self.end(answer)
    }

    /// Begins a transaction that sees one instant and writes nothing. It stays open and the connection busy until it is rolled back.
    pub(crate) async fn begin_snapshot(&mut self) -> Result<(), Failure> {
        self.begin();
        let answer = timeout(self.answer_timeout, self.db.batch_execute(BEGIN_SNAPSHOT)).await;
        self.end(answer)?;
        self.is_busy = true;
        Ok(())
    }

    /// Runs a query in the open transaction, which stays open. After a failure the connection is not used again.
    pub(crate) async fn rows_of_snapshot<Row, Q>(&mut self, query: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: LoadQuery<'static, AsyncPgConnection, Row> + Send + 'static,
    {
        let rows = self.rows(query).await;
        self.is_busy = true;
        rows
    }

    /// Rolls the open transaction back.
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
