//! What a program does with the stores that it is configured for, beside their ports. Each kind of stores is one [`StoreBackend`], which needs a feature.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use esoz_device_dispense::PseudonymFingerprints;
use esoz_events::EventPublisher;
use esoz_kernel::{PoolStatus, StoreError};
use esoz_tls::Transport;

use super::stores::Stores;
use crate::config::{Config, StoreKind};

/// Prints a step that was done.
pub(crate) type Report = fn(&str) -> Result<()>;

/// The stores of one [`StoreKind`].
#[async_trait]
pub(crate) trait StoreBackend: Send + Sync {
    /// Opens them. A database server that is down is no error.
    ///
    /// # Errors
    /// When there is no SQLite file, the schema of a store does not fit this version, or its address cannot be parsed.
    async fn open(&self, config: &Config) -> Result<Stores>;

    /// Opens them, but creates a file that does not exist.
    ///
    /// # Errors
    /// As [`StoreBackend::open`]; and when the file cannot be created.
    async fn open_or_create(&self, config: &Config) -> Result<Stores> {
        self.open(config).await
    }

    /// Opens where the store of dispenses remembers the key of pseudonyms, and no other store.
    async fn fingerprints(&self, config: &Config) -> Result<Arc<dyn PseudonymFingerprints>>;

    /// Opens each database by itself, for `doctor`.
    async fn databases(&self, config: &Config) -> Vec<Opened>;

    /// The file that `esoz serve` will create; none if there is nothing to create.
    fn missing_file(&self, _config: &Config) -> Option<PathBuf> {
        None
    }

    /// Creates or updates tables and indexes. Reports each step.
    async fn migrate(&self, config: &Config, report: Report) -> Result<()>;

    /// Lists what the adapters cannot use of the configuration, without a connection. What only migrations need is no part of a server.
    async fn problems(&self, _config: &Config, _is_server: bool) -> Vec<anyhow::Error> {
        Vec::new()
    }
}

/// Reports what a migration of tables did.
#[cfg(any(feature = "sqlite", feature = "servers"))]
pub(super) fn report_migrations(store: &str, applied: &[String], report: Report) -> Result<()> {
    match applied {
        [] => report(&format!("{store}: is up to date")),
        applied => applied.iter().try_for_each(|migration| report(&format!("{store}: applied {migration}"))),
    }
}

/// The stores that the configuration names.
///
/// # Errors
/// When this build lacks them.
pub(crate) fn store_backend(config: &Config) -> Result<&'static dyn StoreBackend> {
    let kind: StoreKind = config.store_kind()?;
    match kind {
        #[cfg(feature = "sqlite")]
        StoreKind::Sqlite => Ok(&super::sqlite::SqliteBackend),
        #[cfg(feature = "servers")]
        StoreKind::Servers => Ok(&super::servers::ServersBackend),
        #[cfg(not(all(feature = "sqlite", feature = "servers")))]
        _ => Err(config.lacks_store(kind)),
    }
}

/// A database as `doctor` finds it.
pub(crate) struct Opened {
    pub(crate) title: &'static str,
    pub(crate) remedy: &'static str,
    pub(crate) database: Result<Arc<dyn Database>>,
}

/// The names of the indexes of a database.
pub(crate) struct IndexNames {
    /// In health checks.
    pub(crate) component: &'static str,
    /// In what `doctor` finds.
    pub(crate) title: &'static str,
}

/// Records how long a wait was.
pub(crate) type RecordWait = Box<dyn Fn(Duration) + Send + Sync>;

/// A database as its operator sees it: whether it answers, its pool, its indexes, its transport.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Its name in metrics, logs and health checks.
    fn name(&self) -> &'static str;

    /// The resources whose requests fail while it is down.
    fn needed_by(&self) -> &'static [&'static str];

    /// Checks that it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Checks that it answers and that its schema fits. Returns what is worth knowing.
    async fn inspect(&self) -> Result<Option<String>> {
        self.ping().await?;
        Ok(None)
    }

    /// The state of its pool.
    fn pool_status(&self) -> PoolStatus;

    /// Records each wait for a connection by what `recorder` makes; asks for none if waits are not measured.
    fn on_waited(&self, _recorder: &dyn Fn() -> RecordWait) {}

    /// How it is reached; none if it is a file, or it cannot be told at the moment.
    fn transport(&self) -> Option<Transport> {
        None
    }

    /// The names of its indexes; none if they come and go with its tables.
    fn indexes(&self) -> Option<IndexNames> {
        None
    }

    /// Lists the indexes that are missing.
    async fn missing_indexes(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Creates what a server creates itself when it starts.
    async fn create_indexes(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The bus of a server without a broker: a log in its store.
#[async_trait]
pub(crate) trait LogBus: EventPublisher {
    /// Returns delivered events after this sequence number, at most so many, each with its own.
    async fn delivered_after(&self, sequence: i64, limit: u32) -> Result<Vec<(i64, String)>, StoreError>;
}
