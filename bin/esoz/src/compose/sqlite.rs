//! Everything in one SQLite file.

use std::path::{self, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use esoz_device_dispense::PseudonymFingerprints;
use esoz_http::RESOURCES;
use esoz_kernel::{PoolStatus, StoreError};
use esoz_store_sqlite::{SqliteSettings, SqliteStore};

use super::backend::{Opened, Report, StoreBackend, report_migrations};
use super::database::{Database, LogBus};
use super::stores::Stores;
use crate::components::SQLITE;
use crate::config::{Config, number};

/// The store `sqlite`.
pub(super) struct SqliteBackend;

#[async_trait]
impl StoreBackend for SqliteBackend {
    async fn open(&self, config: &Config) -> Result<Stores> {
        Ok(stores(Arc::new(open(config)?)))
    }

    async fn open_or_create(&self, config: &Config) -> Result<Stores> {
        let settings = settings(config)?;
        if !settings.path.exists() {
            let path = path::absolute(&settings.path)?;
            tracing::info!("a new, empty store is made: {} (`sqlite.path`)", path.display());
        }
        let store = SqliteStore::open_or_create(&settings);
        Ok(stores(Arc::new(store.context("opening the SQLite file")?)))
    }

    async fn fingerprints(&self, config: &Config) -> Result<Arc<dyn PseudonymFingerprints>> {
        Ok(Arc::new(open(config)?))
    }

    async fn databases(&self, config: &Config) -> Vec<Opened> {
        let database = open(config).map(|store| -> Arc<dyn Database> { Arc::new(store) });
        let remedy = "check sqlite.path, that the user of this program may write the file, those beside it and their folder, and that their disk has \
            room; `esoz migrate` updates an older schema";
        vec![Opened { title: "SQLite", remedy, database }]
    }

    fn missing_file(&self, config: &Config) -> Option<PathBuf> {
        Some(settings(config).ok()?.path).filter(|path| !path.exists())
    }

    async fn migrate(&self, config: &Config, report: Report) -> Result<()> {
        let settings = settings(config)?;
        let applied = esoz_store_sqlite::migrate(&settings).context("SQLite")?;
        report_migrations(&format!("SQLite {}", settings.path.display()), &applied, report)
    }
}

fn stores(store: Arc<SqliteStore>) -> Stores {
    Stores {
        outboxes: vec![(SQLITE, store.clone())],
        keys: vec![(SQLITE, store.clone())],
        databases: vec![store.clone()],
        log_bus: Some(store.clone()),
        ..Stores::of(&store, &store)
    }
}

/// Opens a SQLite file that exists. A command that only uses what is stored must not create a file: its path is mistyped.
fn open(config: &Config) -> Result<SqliteStore> {
    let settings = settings(config)?;
    ensure!(
        settings.path.exists(),
        "there is no SQLite file {} (`sqlite.path`): check the path; `esoz migrate`, `esoz import` and `esoz serve` create the file",
        settings.path.display()
    );
    SqliteStore::open(&settings).context("opening the SQLite file")
}

fn settings(config: &Config) -> Result<SqliteSettings> {
    let sqlite = &config.sections.sqlite;
    Ok(SqliteSettings {
        max_connections: number(sqlite.max_connections)?,
        busy_timeout_ms: number(sqlite.busy_timeout_ms)?,
        read_timeout_ms: number(sqlite.read_timeout_ms)?,
        ..SqliteSettings::at(&sqlite.path)
    })
}

#[async_trait]
impl Database for SqliteStore {
    fn name(&self) -> &'static str {
        SQLITE
    }

    fn needed_by(&self) -> &'static [&'static str] {
        &RESOURCES
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ping().await
    }

    fn pool_status(&self) -> PoolStatus {
        self.pool_status()
    }
}

#[async_trait]
impl LogBus for SqliteStore {
    async fn delivered_after(&self, sequence: i64, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
        self.delivered_after(sequence, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapter_has_the_defaults_of_the_configuration() {
        let config = Config::from_sources(None, std::iter::empty()).unwrap();
        assert_eq!(settings(&config).unwrap(), SqliteSettings::at("esoz.sqlite"));
    }
}
