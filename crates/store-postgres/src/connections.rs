//! Calls over the connections of the pool: each is one statement, and so a transaction of its own.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use deadpool::managed::Object;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::time::timeout;

use crate::connect::Connection;
use crate::error::Failure;
use crate::pool::{Manager, Pool};

/// The connections of a store. A clone shares them.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) pool: Pool,
    pub(crate) wait: Duration,
    pub(crate) waited: Arc<OnceLock<Waited>>,
}

/// Is told how long a call waited for its connection.
pub(crate) type Waited = Box<dyn Fn(Duration) + Send + Sync>;

impl Connections {
    /// Asks the server for an answer.
    pub(crate) async fn answer(&self) -> Result<(), Failure> {
        let mut connection = self.connection().await?;
        match connection.answer().await {
            Err(_) if connection.is_lost => self.another(connection).await?.answer().await,
            answer => answer,
        }
    }

    /// Runs a query that only looks, on a connection of the pool; see [`Connection::rows`]. If the connection turns out to be lost, it is
    /// asked once more on another one: it does no harm, and else a server that went and came back would fail a call.
    pub(crate) async fn look<Row, Q>(&self, query: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: LoadQuery<'static, AsyncPgConnection, Row> + Clone + Send + 'static,
    {
        let mut connection = self.connection().await?;
        match connection.rows(query.clone()).await {
            Err(_) if connection.is_lost => self.another(connection).await?.rows(query).await,
            answer => answer,
        }
    }

    /// Runs a statement that changes something and gives rows, on a connection of the pool; see [`Connection::rows`]. If the connection turns
    /// out to be lost, it is asked once more on another one only when it was not begun: else it may have been carried out.
    pub(crate) async fn change<Row, Q>(&self, statement: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: LoadQuery<'static, AsyncPgConnection, Row> + Clone + Send + 'static,
    {
        let mut connection = self.connection().await?;
        match connection.rows(statement.clone()).await {
            Err(_) if connection.is_lost_unbegun() => self.another(connection).await?.rows(statement).await,
            answer => answer,
        }
    }

    /// Runs a statement that gives no rows and tells how many it changed, once that is committed. It is asked once more as in
    /// [`change`](Self::change).
    pub(crate) async fn execute<Q>(&self, statement: Q) -> Result<usize, Failure>
    where
        Q: ExecuteDsl<AsyncPgConnection> + Clone + Send + 'static,
    {
        let mut connection = self.connection().await?;
        match connection.run(statement.clone()).await {
            Err(_) if connection.is_lost_unbegun() => self.another(connection).await?.run(statement).await,
            answer => answer,
        }
    }

    /// A connection in the place of one that is lost. Those that were trusted with it are asked for an answer from now on.
    async fn another(&self, lost: Object<Manager>) -> Result<Object<Manager>, Failure> {
        self.pool.manager().lost_one();
        drop(lost);
        self.connection().await
    }

    /// A connection that works, as far as is known.
    pub(crate) async fn connection(&self) -> Result<Object<Manager>, Failure> {
        let began = Instant::now();
        let connection = timeout(self.wait, self.pool.get()).await;
        if let Some(told) = self.waited.get() {
            told(began.elapsed());
        }
        match connection {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(Failure::unavailable("there was no connection within pool_wait_timeout_ms")),
        }
    }
}

impl Connection {
    /// Runs a query and gives all its rows, once what it changed is committed.
    ///
    /// It is one statement and so a transaction of its own. (All rows are taken, also of a statement that gives at most one: the commit
    /// comes after the last row, and who stops reading before does not learn of it.)
    pub(crate) async fn rows<Row, Q>(&mut self, query: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: LoadQuery<'static, AsyncPgConnection, Row> + Send + 'static,
    {
        self.begin();
        let answer = timeout(self.answer_timeout, query.load(&mut self.db)).await;
        self.end(answer)
    }

    /// Runs a statement that gives no rows.
    async fn run<Q>(&mut self, statement: Q) -> Result<usize, Failure>
    where
        Q: ExecuteDsl<AsyncPgConnection> + Send + 'static,
    {
        self.begin();
        let answer = timeout(self.answer_timeout, statement.execute(&mut self.db)).await;
        self.end(answer)
    }

    /// Asks for nothing but an answer.
    async fn answer(&mut self) -> Result<(), Failure> {
        self.begin();
        let answer = timeout(self.answer_timeout, self.db.batch_execute("")).await;
        self.end(answer)
    }

    /// Whether the last statement failed because the connection was ended before the server can have begun it.
    fn is_lost_unbegun(&self) -> bool {
        self.is_lost && self.wire.has_not_begun()
    }

    /// From here on, and until [`end`](Self::end), nobody else may have this connection, also when the caller is dropped: its
    /// statement may still be running, and the answer to it come to the next caller.
    fn begin(&mut self) {
        self.is_busy = true;
        self.is_lost = false;
        self.wire.begin();
    }

    /// The statement is over, well or badly, or was given up.
    fn end<T>(
        &mut self,
        answer: Result<diesel::QueryResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        let Ok(result) = answer else {
            return Err(Failure::unavailable("there was no answer in time; the connection is given up"));
        };
        let result = result.map_err(|error| Failure::of_query(error, self.wire.take_sql_state()));
        self.is_busy = result.as_ref().is_err_and(Failure::is_of_the_connection);
        self.is_lost =
            self.is_busy && (self.wire.has_ended() || result.as_ref().is_err_and(Failure::is_a_goodbye));
        if !self.is_busy {
            self.last_answer = Instant::now();
        }
        result
    }
}
