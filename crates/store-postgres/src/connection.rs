//! One connection: it is opened and set up, and runs statements, each of which is a transaction of its own.

use std::any::TypeId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::ConnectionResult;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};
#[cfg(unix)]
use tokio_postgres::{NoTls, config::Host};

use crate::error::Failure;
use crate::settings::PostgresSettings;
use crate::sqlstate::{MonitoredStream, SqlstateMonitor};

/// The role that the service works as; the first migration makes it.
const SERVICE_ROLE: &str = "esoz_service";

/// A connection that is listened to.
pub(crate) struct Connection {
    pub(crate) db: AsyncPgConnection,
    pub(crate) monitor: Arc<SqlstateMonitor>,
    /// Whether a statement is under way. Still so once the caller is gone, it leaves the connection in a state nobody knows.
    pub(crate) is_busy: bool,
    /// Whether the last statement failed because the connection was ended.
    pub(crate) is_lost: bool,
    /// When the server last said that it was done.
    pub(crate) last_answer: Instant,
    /// How often connections were found lost when this one was last known to work.
    pub(crate) losses_known: u64,
    /// How long an answer is waited for before the connection is given up: what the server's own limits do not cover, a server or a
    /// network that stands still.
    pub(crate) answer_timeout: Duration,
    /// The statements with which transactions were committed on it.
    pub(crate) prepared: HashSet<TypeId>,
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
    pub(crate) async fn run<Q>(&mut self, statement: Q) -> Result<usize, Failure>
    where
        Q: ExecuteDsl<AsyncPgConnection> + Send + 'static,
    {
        self.begin();
        let answer = timeout(self.answer_timeout, statement.execute(&mut self.db)).await;
        self.end(answer)
    }

    /// Asks for nothing but an answer.
    pub(crate) async fn ping(&mut self) -> Result<(), Failure> {
        self.begin();
        let answer = timeout(self.answer_timeout, self.db.batch_execute("")).await;
        self.end(answer)
    }

    /// Whether the last statement failed because the connection was ended before the server can have begun it.
    pub(crate) fn lost_before_start(&self) -> bool {
        self.is_lost && self.monitor.statement_not_started()
    }

    /// From here on, and until [`end`](Self::end), nobody else may have this connection, also when the caller is dropped: its
    /// statement may still be running, and the answer to it come to the next caller.
    pub(crate) fn begin(&mut self) {
        self.is_busy = true;
        self.is_lost = false;
        self.monitor.begin();
    }

    /// The statement is over, well or badly, or was given up.
    pub(crate) fn end<T>(
        &mut self,
        answer: Result<diesel::QueryResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        let Ok(result) = answer else {
            return Err(Failure::unavailable("there was no answer in time; the connection is given up"));
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
    config: &Config,
    session: &str,
) -> Result<(AsyncPgConnection, Arc<SqlstateMonitor>), Failure> {
    let (db, monitor) = match config.get_hosts() {
        #[cfg(unix)]
        [Host::Unix(folder)] => over_unix_socket(config, folder).await?,
        _ => over_tcp(config).await?,
    };
    let mut db = db.map_err(|error| Failure::of_setting_up(error, monitor.take_sql_state()))?;
    db.batch_execute(session).await.map_err(|error| Failure::of_query(error, monitor.take_sql_state()))?;
    Ok((db, monitor))
}

/// A connection that the driver has yet to set up, or could not.
type Opened = (ConnectionResult<AsyncPgConnection>, Arc<SqlstateMonitor>);

async fn over_tcp(config: &Config) -> Result<Opened, Failure> {
    // Direct negotiation hands the fresh socket to our connector; nothing on the wire tells that it is there.
    let mut config = config.clone();
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    let listener = MonitoringConnector::default();
    let (client, connection) = config.connect(listener.clone()).await.map_err(Failure::of_connecting)?;
    Ok((AsyncPgConnection::try_from_client_and_connection(client, connection).await, listener.monitor()))
}

/// The driver asks no connector about a Unix socket, so it is opened here.
#[cfg(unix)]
async fn over_unix_socket(config: &Config, folder: &std::path::Path) -> Result<Opened, Failure> {
    let monitor = Arc::new(SqlstateMonitor::default());
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let socket = tokio::net::UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")));
    let stream = MonitoredStream::new(socket.await.map_err(Failure::unavailable)?, Arc::clone(&monitor));
    let mut config = config.clone();
    config.ssl_mode(SslMode::Disable);
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(Failure::of_connecting)?;
    // Ends when the client is dropped; the calls under way then learn why.
    tokio::spawn(async move { drop(connection.await) });
    Ok((AsyncPgConnection::try_from(client).await, monitor))
}

/// Opens a connection of the service: everything in its session, the role included, is set.
pub(crate) async fn open_for_service(
    config: &Config,
    session: &str,
) -> Result<(AsyncPgConnection, Arc<SqlstateMonitor>), Failure> {
    let (mut db, monitor) = open(config, session).await?;
    db.batch_execute(&format!("SET ROLE {SERVICE_ROLE}"))
        .await
        .map_err(|error| Failure::of_set_role(error, monitor.take_sql_state()))?;
    Ok((db, monitor))
}

/// What every session of the service has set. The isolation level is part of what makes an update right: each row is looked at
/// as it is once its lock is had.
pub(crate) fn service_session(settings: &PostgresSettings) -> String {
    format!(
        "SET search_path = public;
         SET TIME ZONE 'UTC';
         SET default_transaction_isolation = 'read committed';
         SET statement_timeout = {};
         SET lock_timeout = {};
         SET idle_in_transaction_session_timeout = {};",
        settings.statement_timeout_ms, settings.lock_timeout_ms, settings.idle_in_transaction_timeout_ms
    )
}

/// Puts [`MonitoredStream`] between socket and driver. Each socket that the driver tries has a monitor of its own: what the hosts that it
/// passes over say, and that they hang up, is of no concern to the connection that it ends up with.
#[derive(Clone, Default)]
struct MonitoringConnector(Arc<Mutex<Arc<SqlstateMonitor>>>);

impl MonitoringConnector {
    /// The monitor of the latest socket.
    fn monitor(&self) -> Arc<SqlstateMonitor> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fresh_monitor(&self) -> Arc<SqlstateMonitor> {
        let monitor = Arc::new(SqlstateMonitor::default());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&monitor);
        monitor
    }
}

impl MakeTlsConnect<Socket> for MonitoringConnector {
    type Stream = MonitoredStream<Socket>;
    type TlsConnect = Self;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Self::Error> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for MonitoringConnector {
    type Stream = MonitoredStream<Socket>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: Socket) -> Self::Future {
        std::future::ready(Ok(MonitoredStream::new(stream, self.fresh_monitor())))
    }
}
