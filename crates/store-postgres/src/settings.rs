use std::time::Duration;

use esoz_kernel::{SecretString, StoreError};
use esoz_tls::{ClientTls, SecretSource};

use crate::endpoint::{EndpointSource, refused};

/// Address of the database, and the limits of every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`, with one or more hosts and the parameters of a PostgreSQL URL
    /// (`sslmode`, `target_session_attrs`, `keepalives_idle`, `tcp_user_timeout`, …). Hidden from `Debug` and wiped when dropped: it holds a
    /// password. A file is read again for each new connection, so that a password can be replaced while the service runs.
    ///
    /// `sslmode` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`. Without it: `verify-full`, but `prefer` for a host that is this
    /// machine.
    pub url: SecretSource,
    /// The certificate authorities that are trusted, and the client's certificate. The files are read again for each new connection.
    pub tls: ClientTls,
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
    /// batch starts only when half of `max_batch_size` wait. Updates that wait for a lock run alone and are not counted; while updates are so slow that
    /// none share a commit, three eighths of `max_connections` run beside each other, if that is more.
    pub max_concurrent_batches: usize,
    /// The name of the connections in `pg_stat_activity`.
    pub application_name: String,
}

impl PostgresSettings {
    /// Settings for a URL, with the platform's certificate authorities and the limits of a service: 16 connections, 2 s to connect, 2 s for a connection from the pool, 5 s for a
    /// statement, 3 s for a lock, 10 s for an idle transaction.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretSource::Inline(SecretString::new(url)),
            tls: ClientTls::default(),
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

    /// Validates the limits. Does not read the URL yet.
    pub(crate) fn endpoint(&self) -> Result<EndpointSource, StoreError> {
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
        let connect_timeout = Duration::from_millis(self.connect_timeout_ms);
        Ok(EndpointSource::new(self.url.clone(), self.tls.clone(), &self.application_name, connect_timeout))
    }

    /// Longest wait for the answer to a statement before its connection is closed.
    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.statement_timeout_ms).saturating_add(self.connect_timeout_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "postgres://me:canary@db.example/esoz";

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
            assert!(settings.endpoint().is_ok());
            break_it(&mut settings);
            assert!(settings.endpoint().err().unwrap().to_string().contains(name), "{name}");
        }
    }
}
