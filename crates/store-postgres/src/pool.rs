//! Connection pool: opens connections on demand and hands out none that is known to be broken.

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, Object, RecycleError, RecycleResult};
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use esoz_kernel::StoreError;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::connection::{Connection, open, service_session};
use crate::endpoint::EndpointSource;
use crate::error::Failure;
use crate::settings::PostgresSettings;

pub(crate) type Pool = managed::Pool<Manager>;

/// How long after its last answer a connection is reused without validation.
///
/// Validation before every call would double its round trips. A connection that the server closes is detected at once; this bounds how long a
/// silent loss (a host without power, a network that drops packets) stays undetected.
const VALIDATION_INTERVAL: Duration = Duration::from_secs(1);

/// Opens and validates the connections of the service.
pub(crate) struct Manager {
    pub(crate) endpoint: Arc<EndpointSource>,
    session: String,
    pub(crate) connect_timeout: Duration,
    answer_timeout: Duration,
    /// Runs the task of each connection, which must outlive the runtime of the call that opened it.
    runtime: Option<Handle>,
    /// Number of connections that were lost in use. A connection that was validated before the last loss is validated again before use.
    losses: AtomicU64,
}

impl Manager {
    /// Connections run on the Tokio runtime of this call or, without one, on that of the call that opens them.
    pub(crate) fn new(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let endpoint = settings.endpoint()?;
        endpoint.read()?;
        Ok(Self {
            endpoint: Arc::new(endpoint),
            session: service_session(settings),
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            answer_timeout: settings.answer_timeout(),
            runtime: Handle::try_current().ok(),
            losses: AtomicU64::new(0),
        })
    }

    fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Failure;

    async fn create(&self) -> Result<Connection, Failure> {
        let losses_known = self.losses();
        let (endpoint, session) = (self.endpoint.clone(), self.session.clone());
        // On the heap: it is large, and rarely needed.
        let opening = timeout(self.connect_timeout, Box::pin(async move { open(endpoint, &session).await }));
        let opened = match &self.runtime {
            Some(runtime) => runtime.spawn(opening).await.map_err(Failure::unavailable)?,
            None => opening.await,
        };
        let (db, monitor) = opened
            .map_err(|_| Failure::unavailable("the server did not respond within connect_timeout_ms"))??;
        let (last_answer, answer_timeout) = (Instant::now(), self.answer_timeout);
        let (is_busy, is_lost, prepared) = (false, false, HashSet::new());
        Ok(Connection { db, monitor, is_busy, is_lost, last_answer, losses_known, answer_timeout, prepared })
    }

    /// Rejects a broken connection, and validates an idle one with a ping, so that a restart of the server in between fails no call. The pool
    /// closes a rejected connection and tries or opens another one.
    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Failure> {
        if connection.is_busy {
            return Err(RecycleError::message("the last caller was cancelled during its statement"));
        }
        if connection.monitor.has_ended() {
            return Err(RecycleError::message("the server has closed the connection"));
        }
        if connection.monitor.take_sql_state().is_some() {
            return Err(RecycleError::message("the server has announced that it closes the connection"));
        }
        let losses = self.losses();
        if connection.losses_known == losses && connection.last_answer.elapsed() < VALIDATION_INTERVAL {
            return Ok(());
        }
        let answer = timeout(self.connect_timeout, connection.db.batch_execute("")).await;
        match answer {
            Ok(Ok(())) => {
                connection.losses_known = losses;
                connection.last_answer = Instant::now();
                Ok(())
            }
            Ok(Err(error)) => {
                Err(RecycleError::Backend(Failure::of_query(error, connection.monitor.take_sql_state())))
            }
            Err(_) => Err(RecycleError::message("the server does not answer")),
        }
    }
}

/// The connections of a store. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) pool: Pool,
    pub(crate) wait: Duration,
    pub(crate) on_wait: Arc<OnceLock<WaitObserver>>,
    /// How many of them this kind of work may hold at once, if not all.
    share: Option<Arc<Semaphore>>,
}

/// A connection that is used, with its place in the share of its kind of work.
pub(crate) struct Lease {
    connection: Object<Manager>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// Receives how long a call waited for its connection.
pub(crate) type WaitObserver = Box<dyn Fn(Duration) + Send + Sync>;

impl Connections {
    pub(crate) fn new(pool: Pool, wait: Duration) -> Self {
        Self { pool, wait, on_wait: Arc::default(), share: None }
    }

    /// The same connections for a kind of work that may hold so many of them at once, and leaves the others to other kinds.
    pub(crate) fn with_share(&self, most: usize) -> Self {
        Self { share: Some(Arc::new(Semaphore::new(most.max(1)))), ..self.clone() }
    }

    /// Runs a query that changes nothing; see [`Connection::rows`]. If the connection is lost, it is repeated once on another one, so that a
    /// restart of the server fails no call.
    pub(crate) async fn query<Row, Q>(&self, query: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: LoadQuery<'static, AsyncPgConnection, Row> + Clone + Send + 'static,
    {
        let mut connection = self.connection().await?;
        match connection.rows(query.clone()).await {
            Err(_) if connection.is_lost => self.replace(connection).await?.rows(query).await,
            answer => answer,
        }
    }

    /// Runs a statement that changes something and returns rows; see [`Connection::rows`]. If the connection is lost, it is repeated once on
    /// another one only if the server cannot have started it.
    pub(crate) async fn query_write<Row, Q>(&self, statement: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: LoadQuery<'static, AsyncPgConnection, Row> + Clone + Send + 'static,
    {
        let mut connection = self.connection().await?;
        match connection.rows(statement.clone()).await {
            Err(_) if connection.lost_before_start() => self.replace(connection).await?.rows(statement).await,
            answer => answer,
        }
    }

    /// Runs a statement that returns no rows, and commits it; returns how many rows it changed. It is repeated like
    /// [`query_write`](Self::query_write).
    pub(crate) async fn execute<Q>(&self, statement: Q) -> Result<usize, Failure>
    where
        Q: ExecuteDsl<AsyncPgConnection> + Clone + Send + 'static,
    {
        let mut connection = self.connection().await?;
        match connection.run(statement.clone()).await {
            Err(_) if connection.lost_before_start() => self.replace(connection).await?.run(statement).await,
            answer => answer,
        }
    }

    /// Replaces a lost connection. The others are validated before their next use.
    pub(crate) async fn replace(&self, lost: Lease) -> Result<Lease, Failure> {
        self.pool.manager().losses.fetch_add(1, Ordering::AcqRel);
        drop(lost);
        self.connection().await
    }

    /// Takes a connection from the pool, within the share.
    pub(crate) async fn connection(&self) -> Result<Lease, Failure> {
        let began = Instant::now();
        let mut has_place = false;
        let connection = timeout(self.wait, async {
            let place = match self.share.clone() {
                Some(share) => Some(share.acquire_owned().await.map_err(Failure::unavailable)?),
                None => None,
            };
            has_place = true;
            Ok::<_, Failure>(Lease { connection: self.pool.get().await?, _place: place })
        })
        .await;
        if let Some(observer) = self.on_wait.get() {
            observer(began.elapsed());
        }
        connection.unwrap_or_else(|_| {
            // Open connections alone are counted: while none is, the share is used up by those that are being opened.
            let status = self.pool.status();
            let are_in_use = status.size >= if has_place { status.max_size } else { 1 };
            Err(Failure::unavailable(if are_in_use {
                "no connection was free within pool_wait_timeout_ms"
            } else {
                "the server did not respond within pool_wait_timeout_ms, so no connection was opened"
            }))
        })
    }
}
