//! Opens a connection, sets its session up, and runs statements on it, each in a transaction of its own.

use std::any::TypeId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::ConnectionResult;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation};
#[cfg(unix)]
use tokio_postgres::{Config, NoTls, config::Host};

use crate::connector::Connector;
use crate::endpoint::{Endpoint, EndpointSource};
use crate::error::Failure;
use crate::settings::PostgresSettings;
#[cfg(unix)]
use crate::sqlstate::MonitoredStream;
use crate::sqlstate::SqlstateMonitor;

/// The role of every session of the service; the first migration creates it.
const SERVICE_ROLE: &str = "esoz_service";

/// A connection whose messages are monitored.
pub(crate) struct Connection {
    pub(crate) db: AsyncPgConnection,
    pub(crate) monitor: Arc<SqlstateMonitor>,
    /// Whether a statement is in progress. If it still is when the caller is gone, the state of the connection is unknown.
    pub(crate) is_busy: bool,
    /// Whether the last statement failed because the connection was closed.
    pub(crate) is_lost: bool,
    /// Time of the last completed statement.
    pub(crate) last_answer: Instant,
    /// The number of lost connections when this one was last known to work.
    pub(crate) losses_known: u64,
    /// Longest wait for an answer before the connection is closed. It covers what the server's own limits cannot: a server or a network that
    /// hangs.
    pub(crate) answer_timeout: Duration,
    /// The statements that [`commit_with`](Self::commit_with) has prepared on it.
    pub(crate) prepared: HashSet<TypeId>,
}

impl Connection {
    /// Runs a query in a transaction of its own and returns all rows after its commit.
    ///
    /// It reads to the end even when there is at most one row: the commit, and whether it failed, comes after the last row.
    pub(crate) async fn rows<Row, Q>(&mut self, query: Q) -> Result<Vec<Row>, Failure>
    where
        Row: Send + 'static,
        Q: LoadQuery<'static, AsyncPgConnection, Row> + Send + 'static,
    {
        self.begin();
        let answer = timeout(self.answer_timeout, query.load(&mut self.db)).await;
        self.end(answer)
    }

    /// Runs a statement that returns no rows.
    pub(crate) async fn run<Q>(&mut self, statement: Q) -> Result<usize, Failure>
    where
        Q: ExecuteDsl<AsyncPgConnection> + Send + 'static,
    {
        self.begin();
        let answer = timeout(self.answer_timeout, statement.execute(&mut self.db)).await;
        self.end(answer)
    }

    /// Whether the connection was closed before the server can have started the last statement.
    pub(crate) fn lost_before_start(&self) -> bool {
        self.is_lost && self.monitor.statement_not_started()
    }

    /// Marks the connection busy until [`end`](Self::end). If the caller is dropped in between, the pool closes the connection: the next caller
    /// would read the answer to this statement.
    pub(crate) fn begin(&mut self) {
        self.is_busy = true;
        self.is_lost = false;
        self.monitor.begin();
    }

    /// Records the result of the statement, or that no answer came in time.
    pub(crate) fn end<T>(
        &mut self,
        answer: Result<diesel::QueryResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        let Ok(result) = answer else {
            return Err(Failure::unavailable("the server sent no answer in time; the connection is closed"));
        };
        let result = result.map_err(|error| Failure::of_query(error, self.monitor.take_sql_state()));
        self.is_busy = result.as_ref().is_err_and(Failure::breaks_connection);
        self.is_lost = self.is_busy
            && (self.monitor.has_ended() || result.as_ref().is_err_and(Failure::is_server_shutdown));
        if !self.is_busy {
            self.last_answer = Instant::now();
        }
        result
    }
}

/// Opens a connection and runs `session`, the statements that set it up.
pub(crate) async fn open(
    endpoint: Arc<EndpointSource>,
    session: &str,
) -> Result<(AsyncPgConnection, Arc<SqlstateMonitor>), Failure> {
    let (mut db, monitor) = connect(endpoint).await?;
    db.batch_execute(session).await.map_err(|error| Failure::of_session(error, monitor.take_sql_state()))?;
    Ok((db, monitor))
}

/// Opens a connection as the server gives it.
pub(crate) async fn connect(
    endpoint: Arc<EndpointSource>,
) -> Result<(AsyncPgConnection, Arc<SqlstateMonitor>), Failure> {
    // The files may be on a disk that is slow.
    let endpoint =
        tokio::task::spawn_blocking(move || endpoint.read()).await.map_err(Failure::unavailable)?;
    let endpoint = endpoint.map_err(Failure::unavailable)?;
    let servers = servers(&endpoint.config);
    let opened = match endpoint.config.get_hosts() {
        #[cfg(unix)]
        [Host::Unix(folder)] => over_unix_socket(&endpoint.config, folder).await,
        _ => over_tcp(endpoint).await,
    };
    let (db, monitor) = opened.map_err(|failure| failure.at(&servers))?;
    let db = db.map_err(|error| Failure::of_setting_up(error, monitor.take_sql_state()))?;
    Ok((db, monitor))
}

/// Where the servers are, as `host:port` one after the other, for errors.
fn servers(config: &Config) -> String {
    let ports =
        config.get_ports().iter().chain(std::iter::repeat(config.get_ports().first().unwrap_or(&5432)));
    let at = |(host, port): (&Host, &u16)| match host {
        Host::Tcp(name) => format!("{name}:{port}"),
        #[cfg(unix)]
        Host::Unix(folder) => format!("{}:{port}", folder.display()),
    };
    config.get_hosts().iter().zip(ports).map(at).collect::<Vec<_>>().join(", ")
}

/// The driver's result of opening a connection, with the monitor of its socket.
type Opened = (ConnectionResult<AsyncPgConnection>, Arc<SqlstateMonitor>);

async fn over_tcp(Endpoint { mut config, tls, .. }: Endpoint) -> Result<Opened, Failure> {
    // With direct negotiation the driver hands the new socket to the connector and sends nothing for it.
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    let connector = Connector::new(tls);
    let (client, connection) = config.connect(connector.clone()).await.map_err(Failure::of_connecting)?;
    Ok((AsyncPgConnection::try_from_client_and_connection(client, connection).await, connector.monitor()))
}

/// Opens a Unix socket here, because the driver passes none to a connector.
#[cfg(unix)]
async fn over_unix_socket(config: &Config, folder: &std::path::Path) -> Result<Opened, Failure> {
    let monitor = Arc::new(SqlstateMonitor::default());
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let socket = tokio::net::UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")));
    let stream = MonitoredStream::new(socket.await.map_err(Failure::unavailable)?, Arc::clone(&monitor));
    let mut config = config.clone();
    config.ssl_mode(SslMode::Disable);
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(Failure::of_connecting)?;
    // Ends when the client is dropped; pending calls get the error.
    tokio::spawn(async move { drop(connection.await) });
    Ok((AsyncPgConnection::try_from(client).await, monitor))
}

/// The settings and the role of every session of the service. Updates rely on the isolation level: a row is read as it is once its lock is taken.
pub(crate) fn service_session(settings: &PostgresSettings) -> String {
    format!(
        "SET search_path = public;
         SET TIME ZONE 'UTC';
         SET default_transaction_isolation = 'read committed';
         SET statement_timeout = {};
         SET lock_timeout = {};
         SET idle_in_transaction_session_timeout = {};
         SET ROLE {SERVICE_ROLE}",
        settings.statement_timeout_ms, settings.lock_timeout_ms, settings.idle_in_transaction_timeout_ms
    )
}
