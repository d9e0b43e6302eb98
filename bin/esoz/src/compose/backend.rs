//! What a program does with the stores that it is configured for, beside their ports. Each kind of stores is one [`StoreBackend`], which needs a feature.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use esoz_device_dispense::PseudonymFingerprints;

use super::database::Database;
use super::stores::Stores;
use crate::config::Config;

/// Prints a step that was done.
pub(crate) type Report = fn(&str) -> Result<()>;

/// The stores of one kind.
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

/// A database as `doctor` finds it.
pub(crate) struct Opened {
    pub(crate) title: &'static str,
    pub(crate) remedy: &'static str,
    pub(crate) database: Result<Arc<dyn Database>>,
}
