//! How safe the connections to the configured servers are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use esoz_tls::Transport;

use super::bus::broker_backend;
use super::database::Database;
use super::stores::Stores;
use crate::components::{COLLECTOR, KAFKA};
use crate::config::Config;
use crate::telemetry::span_export;

/// What to do about a connection that is not safe.
pub(crate) const REMEDY: &str = "anybody on the way can read what is sent, health data to the stores, or pass for the server: use TLS and check its \
    certificate (postgres.url with sslmode=verify-full, mongodb.uri without tls=false, kafka.tls=on, tracing.endpoint with https), or an isolated network";

/// The pause between two looks at the connections.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// The connections to the servers that are in use, by the name of the component.
pub(crate) struct Transports {
    databases: Vec<Arc<dyn Database>>,
    /// Those that stay as they are.
    others: Vec<(&'static str, Transport)>,
    /// What was found last.
    last: Mutex<Vec<(&'static str, Transport)>>,
}

impl Transports {
    /// Finds out how each connection is made.
    pub(crate) fn new(config: &Config, stores: &Stores) -> Result<Arc<Self>> {
        let kafka = broker_backend(config)?.map(|broker| broker.transport(config)).transpose()?;
        let collector = span_export::transport(config)?;
        let others = [(KAFKA, kafka), (COLLECTOR, collector)];
        let others = others.into_iter().filter_map(|(name, transport)| Some((name, transport?))).collect();
        let transports = Self { databases: stores.databases.clone(), others, last: Mutex::default() };
        transports.check();
        Ok(Arc::new(transports))
    }

    /// What was found last.
    pub(crate) fn last(&self) -> Vec<(&'static str, Transport)> {
        self.lock().clone()
    }

    /// Checks the connections periodically, until aborted.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let transports = self.clone();
            // It fails only when the runtime ends as well.
            let _ = tokio::task::spawn_blocking(move || transports.check()).await;
        }
    }

    /// Finds out how each connection is made now: the URL of PostgreSQL may be a file that is replaced. Warns of what is not safe, if it was not found so
    /// before.
    fn check(&self) {
        let databases = self.databases.iter();
        let databases = databases.filter_map(|database| Some((database.name(), database.transport()?)));
        let found: Vec<_> = databases.chain(self.others.iter().copied()).collect();
        let mut last = self.lock();
        for (component, transport) in &found {
            if let Transport::Weak(why) = transport
                && !last.contains(&(*component, *transport))
            {
                tracing::warn!(
                    component,
                    why,
                    remedy = REMEDY,
                    "the connection to a server is not encrypted or not verified"
                );
            }
        }
        *last = found;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(&'static str, Transport)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "servers"))]
mod tests {
    use esoz_store_postgres::{PostgresSettings, PostgresStore};
    use esoz_tls::SecretSource;

    use super::*;
    use crate::components::POSTGRESQL;

    #[tokio::test]
    async fn given_a_url_file_that_is_replaced_by_a_weaker_one_when_it_is_checked_then_it_is_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let replace = |mode: &str| {
            std::fs::write(file.path(), format!("postgres://db.example/esoz?sslmode={mode}")).unwrap();
        };
        replace("verify-full");
        let url = SecretSource::File(file.path().to_owned());
        let postgres =
            PostgresStore::connect(&PostgresSettings { url, ..PostgresSettings::new("") }).unwrap();
        let others = vec![(KAFKA, Transport::Local)];
        let transports = Transports { databases: vec![Arc::new(postgres)], others, last: Mutex::default() };
        transports.check();
        assert_eq!(transports.last(), [(POSTGRESQL, Transport::Verified), (KAFKA, Transport::Local)]);
        replace("disable");
        transports.check();
        assert!(matches!(transports.last()[0], (POSTGRESQL, Transport::Weak(_))));
    }
}
