//! Opens one connection and sets up its session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::ConnectionResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};
#[cfg(unix)]
use tokio_postgres::{NoTls, config::Host};

use crate::error::Failure;
use crate::settings::PostgresSettings;
use crate::wire::{Listening, Wire};

/// The role that the service works as; the first migration makes it.
const SERVICE_ROLE: &str = "esoz_service";

/// What to do when the role is not there.
pub(crate) const NO_ROLE: &str = "the database has no role esoz_service: run `esoz migrate`";
const NOT_A_MEMBER: &str =
    "the login may not take the role esoz_service: run `GRANT esoz_service TO …` for it as an administrator";

/// A connection that is listened to.
pub(crate) struct Connection {
    pub(crate) db: AsyncPgConnection,
    pub(crate) wire: Arc<Wire>,
    /// Whether a statement is under way. Still so once the caller is gone, it leaves the connection in a state nobody knows.
    pub(crate) is_busy: bool,
    /// Whether the last statement failed because the connection was ended.
    pub(crate) is_lost: bool,
    /// When the server last said that it was done.
    pub(crate) last_answer: Instant,
    /// How often connections were found lost when this one was last known to work; see [`Manager`](crate::pool::Manager).
    pub(crate) losses_known: u64,
    /// How long an answer is waited for before the connection is given up: what the server's own limits do not cover, a server or a
    /// network that stands still.
    pub(crate) answer_timeout: Duration,
}

/// Opens a connection and runs `session`, the statements that set it up.
pub(crate) async fn open(config: &Config, session: &str) -> Result<(AsyncPgConnection, Arc<Wire>), Failure> {
    let (db, wire) = match config.get_hosts() {
        #[cfg(unix)]
        [Host::Unix(folder)] => over_unix_socket(config, folder).await?,
        _ => over_tcp(config).await?,
    };
    let mut db = db.map_err(|error| Failure::of_setting_up(error, wire.take_sql_state()))?;
    db.batch_execute(session).await.map_err(|error| Failure::of_query(error, wire.take_sql_state()))?;
    Ok((db, wire))
}

/// A connection that the driver has yet to set up, or could not.
type Opened = (ConnectionResult<AsyncPgConnection>, Arc<Wire>);

async fn over_tcp(config: &Config) -> Result<Opened, Failure> {
    // Direct negotiation hands the fresh socket to our connector; nothing on the wire tells that it is there.
    let mut config = config.clone();
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    let listener = Listener::default();
    let (client, connection) = config.connect(listener.clone()).await.map_err(Failure::of_connecting)?;
    Ok((AsyncPgConnection::try_from_client_and_connection(client, connection).await, listener.wire()))
}

/// The driver asks no connector about a Unix socket, so it is opened here.
#[cfg(unix)]
async fn over_unix_socket(config: &Config, folder: &std::path::Path) -> Result<Opened, Failure> {
    let wire = Arc::new(Wire::default());
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let socket = tokio::net::UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")));
    let stream = Listening::new(socket.await.map_err(Failure::unavailable)?, Arc::clone(&wire));
    let mut config = config.clone();
    config.ssl_mode(SslMode::Disable);
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(Failure::of_connecting)?;
    // Ends when the client is dropped; the calls under way then learn why.
    tokio::spawn(async move { drop(connection.await) });
    Ok((AsyncPgConnection::try_from(client).await, wire))
}

/// Opens a connection of the service: everything in its session, the role included, is set.
pub(crate) async fn open_for_service(
    config: &Config,
    session: &str,
) -> Result<(AsyncPgConnection, Arc<Wire>), Failure> {
    let (mut db, wire) = open(config, session).await?;
    db.batch_execute(&format!("SET ROLE {SERVICE_ROLE}")).await.map_err(|error| {
        let failure = Failure::of_query(error, wire.take_sql_state());
        match failure.sql_state() {
            Some(state) if *state == SqlState::INVALID_PARAMETER_VALUE => failure.advise(NO_ROLE),
            Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => failure.advise(NOT_A_MEMBER),
            _ => failure,
        }
    })?;
    Ok((db, wire))
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

/// Puts [`Listening`] between socket and driver. Each socket that the driver tries has a wire of its own: what the hosts that it
/// passes over say, and that they hang up, is of no concern to the connection that it ends up with.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Arc<Wire>>>);

impl Listener {
    /// The wire of the latest socket.
    fn wire(&self) -> Arc<Wire> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fresh_wire(&self) -> Arc<Wire> {
        let wire = Arc::new(Wire::default());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&wire);
        wire
    }
}

impl MakeTlsConnect<Socket> for Listener {
    type Stream = Listening<Socket>;
    type TlsConnect = Self;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Self::Error> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Listener {
    type Stream = Listening<Socket>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: Socket) -> Self::Future {
        std::future::ready(Ok(Listening::new(stream, self.fresh_wire())))
    }
}
