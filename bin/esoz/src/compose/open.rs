//! Opens the configured stores.

use anyhow::Result;

use super::backend::StoreBackend;
use super::stores::Stores;
use crate::config::{Config, StoreKind};

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

impl Stores {
    /// Opens the configured stores. A database server that is down is no error: requests that need it are answered 503 until it is up.
    ///
    /// # Errors
    /// When there is no SQLite file, the schema of a store does not fit this version, or its address cannot be parsed.
    pub async fn open(config: &Config) -> Result<Self> {
        store_backend(config)?.open(config).await
    }

    /// Opens the configured stores as [`Stores::open`] does, but creates a SQLite file that does not exist: no setup is needed to serve or to
    /// import.
    ///
    /// # Errors
    /// As [`Stores::open`]; and when the file cannot be created.
    pub async fn open_or_create(config: &Config) -> Result<Self> {
        store_backend(config)?.open_or_create(config).await
    }
}
