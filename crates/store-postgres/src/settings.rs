use std::time::Duration;

use esoz_kernel::{SecretString, StoreError, StoreErrorKind};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Address of the database, and the limits of every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`, with one or more hosts and the parameters of a PostgreSQL URL
    /// (`target_session_attrs`, `keepalives_idle`, `tcp_user_timeout`, …). Hidden from `Debug` and wiped when dropped: it holds a password.
    pub url: SecretString,
    /// Maximum number of open connections; at least 1.
    pub max_connections: usize,
    /// Longest time to open one connection and set it up, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Longest time until a call has a connection, be it from waiting, validating or connecting, in milliseconds.
    pub pool_wait_timeout_ms: u64,
    /// Longest time that one statement runs on the server, in milliseconds. A connection without an answer after this and
    /// [`connect_timeout_ms`](Self::connect_timeout_ms) together is closed.
    pub statement_timeout_ms: u32,
    /// Longest time that a statement waits for a lock, in milliseconds.
    pub lock_timeout_ms: u32,
    /// Longest time that a transaction may be idle before the server ends it, in milliseconds. It bounds how long locks are held if the
    /// process hangs inside a transaction.
    pub idle_in_transaction_timeout_ms: u32,
    /// Maximum number of updates of contract divisions that share a commit; at least 1. Only updates that wait at the same time share one.
    pub max_batch_size: usize,
    /// Maximum number of batches in flight; at least 1. Updates that arrive while one is in flight wait and share the next commit; a further
    /// batch starts only when half of `max_batch_size` wait. Updates that wait for a lock run alone and are not counted.
    pub max_concurrent_batches: usize,
    /// The name of the connections in `pg_stat_activity`.
    pub application_name: String,
}

impl PostgresSettings {
    /// Settings for a URL, with the limits of a service: 16 connections, 2 s to connect, 2 s for a connection from the pool, 5 s for a
    /// statement, 3 s for a lock, 10 s for an idle transaction.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::new(url),
            max_connections: 16,
            connect_timeout_ms: 2_000,
            pool_wait_timeout_ms: 2_000,
            statement_timeout_ms: 5_000,
            lock_timeout_ms: 3_000,
            idle_in_transaction_timeout_ms: 10_000,
            max_batch_size: 32,
            max_concurrent_batches: 2,
            application_name: String::from("esoz"),
        }
    }

    /// Validates the limits and parses the URL.
    pub(crate) fn config(&self) -> Result<Config, StoreError> {
        for (name, value) in [
            ("max_connections", u64::try_from(self.max_connections).unwrap_or(u64::MAX)),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("pool_wait_timeout_ms", self.pool_wait_timeout_ms),
            ("statement_timeout_ms", self.statement_timeout_ms.into()),
            ("lock_timeout_ms", self.lock_timeout_ms.into()),
            ("idle_in_transaction_timeout_ms", self.idle_in_transaction_timeout_ms.into()),
            ("max_batch_size", u64::try_from(self.max_batch_size).unwrap_or(u64::MAX)),
            ("max_concurrent_batches", u64::try_from(self.max_concurrent_batches).unwrap_or(u64::MAX)),
        ] {
            // To PostgreSQL 0 means no limit, and a number over i32::MAX is an error at its first use.
            if value == 0 || value > u64::from(i32::MAX.unsigned_abs()) {
                return Err(refused(format!("{name} must be from 1 to {}", i32::MAX)));
            }
        }
        parse(self.url.expose(), &self.application_name, Duration::from_millis(self.connect_timeout_ms))
    }

    /// Longest wait for the answer to a statement before its connection is closed.
    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.statement_timeout_ms).saturating_add(self.connect_timeout_ms))
    }
}

/// Parses a URL. Keepalives and timeouts that it leaves out are set so that a dead network is detected within about 20 seconds on an idle
/// connection and 10 on one that sends.
pub(crate) fn parse(
    url: &str,
    application_name: &str,
    connect_timeout: Duration,
) -> Result<Config, StoreError> {
    let mut config: Config =
        url.parse().map_err(|error| refused(String::from("the url is malformed")).because(error))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(refused(String::from(
            "the url asks for sslmode=require, and this program has no TLS for PostgreSQL; reach the server over a network \
             that you trust and leave sslmode out",
        )));
    }
    if !has_usable_hosts(&config) {
        return Err(refused(String::from(
            "the url must name one or more hosts by name or address, or the folder of one Unix socket",
        )));
    }
    config.application_name(application_name);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(connect_timeout);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(10));
    }
    if !url.contains("keepalives") {
        config.keepalives(true);
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(3));
        config.keepalives_retries(3);
    }
    Ok(config)
}

/// Whether the driver can connect to these hosts: several over TCP, or one Unix socket.
fn has_usable_hosts(config: &Config) -> bool {
    match config.get_hosts() {
        [] => false,
        [_] => true,
        several => several.iter().all(|host| matches!(host, Host::Tcp(_))),
    }
}

fn refused(why: String) -> StoreError {
    StoreError::new(StoreErrorKind::Unexpected, format!("reading the PostgreSQL settings: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "postgres://me:canary@db.example/esoz";

    /// Compiles only while it wipes itself.
    #[test]
    fn the_url_is_wiped_when_dropped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let url = "postgres://me:canary@host/esoz";
        wiped(&PostgresSettings::new(url).url);
    }

    #[test]
    fn the_password_shows_neither_in_debug_nor_in_errors() {
        let settings = PostgresSettings::new(URL);
        let malformed = PostgresSettings::new("postgres://me:canary@db.example:port/esoz");
        let error = malformed.config().unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert!(cause.is_some());
        assert!(!format!("{settings:?} {error} {error:?} {cause:?}").contains("canary"));
    }

    #[test]
    fn every_limit_is_checked_and_named() {
        type Break = fn(&mut PostgresSettings);
        let broken: [(&str, Break); 8] = [
            ("max_connections", |s| s.max_connections = 0),
            ("connect_timeout_ms", |s| s.connect_timeout_ms = 0),
            ("pool_wait_timeout_ms", |s| s.pool_wait_timeout_ms = u64::MAX),
            ("statement_timeout_ms", |s| s.statement_timeout_ms = u32::MAX),
            ("lock_timeout_ms", |s| s.lock_timeout_ms = 0),
            ("idle_in_transaction_timeout_ms", |s| s.idle_in_transaction_timeout_ms = 0),
            ("max_batch_size", |s| s.max_batch_size = 0),
            ("max_concurrent_batches", |s| s.max_concurrent_batches = 0),
        ];
        for (name, break_it) in broken {
            let mut settings = PostgresSettings::new(URL);
            assert!(settings.config().is_ok());
            break_it(&mut settings);
            assert!(settings.config().unwrap_err().to_string().contains(name), "{name}");
        }
    }

    #[test]
    fn a_url_that_asks_for_tls_is_refused_not_downgraded() {
        let error = PostgresSettings::new(format!("{URL}?sslmode=require")).config().unwrap_err();
        assert!(error.to_string().contains("TLS"), "{error}");
    }

    #[test]
    fn hosts_that_cannot_be_reached_are_refused() {
        let config = |url: &str| PostgresSettings::new(url).config();
        for url in ["postgres:///esoz", "postgres://%2Frun,db.example/esoz", "postgres://?hostaddr=127.0.0.1"]
        {
            assert!(config(url).unwrap_err().to_string().contains("hosts"), "{url}");
        }
        for url in
            ["postgres://%2Frun/esoz", "postgres://a.example:1,b.example:2/esoz", "postgres://[::1]/esoz"]
        {
            assert!(config(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_dead_network_is_noticed_unless_the_url_says_otherwise() {
        let config = PostgresSettings::new(URL).config().unwrap();
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(10)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(10));
        let own =
            PostgresSettings::new(format!("{URL}?keepalives_idle=61&tcp_user_timeout=5")).config().unwrap();
        assert_eq!(own.get_tcp_user_timeout(), Some(&Duration::from_secs(5)));
        assert_eq!(own.get_keepalives_idle(), Duration::from_secs(61));
    }
}
