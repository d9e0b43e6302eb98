//! Which store stands behind each port.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_auth::{AccessTokens, ApiKeys, Blocks, Credentials};
use esoz_contract_division::{ContractDivisions, ContractRegistry};
use esoz_device_dispense::{DeviceDispenses, DispenseRegistry};
use esoz_events::{Backlog, Outbox};
use esoz_kernel::{IdempotencyRecords, StoreError, StoreErrorKind};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry};
use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_store_postgres::{PostgresSettings, PostgresStore, Schema, SchemaError};
use esoz_store_sqlite::{SqliteSettings, SqliteStore};

use crate::config::{Config, StoreKind};

/// What the stores are called in metrics and in the log.
pub(crate) const SQLITE: &str = "sqlite";
pub(crate) const POSTGRESQL: &str = "postgresql";
pub(crate) const MONGODB: &str = "mongodb";

/// Every store port, whatever is behind it.
#[derive(Clone)]
pub struct Stores {
    /// Looks up tokens.
    pub access_tokens: Arc<dyn AccessTokens>,
    /// Looks up api keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Looks up who is blocked.
    pub blocks: Arc<dyn Blocks>,
    /// Issues, revokes, blocks.
    pub credentials: Arc<dyn Credentials>,
    /// Looks up legal entities.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// Loads legal entities.
    pub legal_entity_registry: Arc<dyn LegalEntityRegistry>,
    /// Keeps contract divisions.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// Loads divisions, contracts and contract divisions.
    pub contract_registry: Arc<dyn ContractRegistry>,
    /// Keeps dispenses.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Loads dispenses.
    pub dispense_registry: Arc<dyn DispenseRegistry>,
    /// Everywhere that events wait, each with the name of its store; those of dispenses in the first.
    pub outboxes: Vec<(&'static str, Arc<dyn Outbox>)>,
    /// Everywhere that idempotency keys are kept, each with the name of its store.
    pub keys: Vec<(&'static str, Arc<dyn IdempotencyRecords>)>,
    /// The SQLite store, for whoever delivers to its log.
    pub(crate) sqlite: Option<Arc<SqliteStore>>,
    /// The PostgreSQL store, for whoever looks whether it answers.
    pub(crate) postgres: Option<Arc<PostgresStore>>,
    /// The MongoDB store, for whoever makes its indexes.
    pub(crate) mongo: Option<Arc<MongoStore>>,
}

impl Stores {
    /// Opens the configured stores. A server that is down is no obstacle: its requests are answered 503 until it is back.
    ///
    /// # Errors
    /// When a store has a schema that this version does not know, or its address makes no sense.
    pub async fn open(config: &Config) -> Result<Self> {
        match config.store_kind()? {
            StoreKind::Sqlite => Ok(Self::on_sqlite(Arc::new(open_sqlite(config)?))),
            StoreKind::Servers => Self::on_servers(config).await,
        }
    }

    /// How much waits in all outboxes.
    ///
    /// # Errors
    /// When one cannot be looked at.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let mut all = Backlog::default();
        for (_, outbox) in &self.outboxes {
            let one = outbox.backlog().await?;
            all.depth += one.depth;
            all.set_aside += one.set_aside;
            all.oldest = all.oldest.into_iter().chain(one.oldest).min();
        }
        Ok(all)
    }

    fn on_sqlite(store: Arc<SqliteStore>) -> Self {
        Self {
            access_tokens: store.clone(),
            api_keys: store.clone(),
            blocks: store.clone(),
            credentials: store.clone(),
            legal_entities: store.clone(),
            legal_entity_registry: store.clone(),
            contract_divisions: store.clone(),
            contract_registry: store.clone(),
            dispenses: store.clone(),
            dispense_registry: store.clone(),
            outboxes: vec![(SQLITE, store.clone())],
            keys: vec![(SQLITE, store.clone())],
            sqlite: Some(store),
            postgres: None,
            mongo: None,
        }
    }

    async fn on_servers(config: &Config) -> Result<Self> {
        let postgres = Arc::new(PostgresStore::connect(&postgres_settings(config)?).context("PostgreSQL")?);
        match postgres.check_schema().await {
            Err(SchemaError::Store(error)) if error.kind() == StoreErrorKind::Unavailable => {
                tracing::warn!(
                    "PostgreSQL cannot be reached yet; requests that need it are answered 503 until it can"
                );
            }
            Ok(Schema::Newer { unknown, known_until }) => {
                let unknown = unknown.join(", ");
                tracing::warn!(
                    unknown,
                    known_until,
                    "PostgreSQL's schema is newer than this program, which may work on it: update it"
                );
            }
            checked => drop(checked.context("PostgreSQL")?),
        }
        let mongo = Arc::new(MongoStore::connect(&mongo_settings(config)?).await.context("MongoDB")?);
        Ok(Self {
            access_tokens: postgres.clone(),
            api_keys: postgres.clone(),
            blocks: postgres.clone(),
            credentials: postgres.clone(),
            legal_entities: postgres.clone(),
            legal_entity_registry: postgres.clone(),
            contract_divisions: postgres.clone(),
            contract_registry: postgres.clone(),
            dispenses: mongo.clone(),
            dispense_registry: mongo.clone(),
            outboxes: vec![(MONGODB, mongo.clone()), (POSTGRESQL, postgres.clone())],
            keys: vec![(POSTGRESQL, postgres.clone()), (MONGODB, mongo.clone())],
            sqlite: None,
            postgres: Some(postgres),
            mongo: Some(mongo),
        })
    }
}

/// Opens the SQLite file; one that is not there yet is made, so that there is nothing to set up.
pub(crate) fn open_sqlite(config: &Config) -> Result<SqliteStore> {
    let settings = sqlite_settings(config)?;
    if !settings.path.exists() {
        esoz_store_sqlite::migrate(&settings).context("making the SQLite file")?;
    }
    SqliteStore::open(&settings).context("opening the SQLite file")
}

/// A number of the configuration as the type that a setting wants; the checks keep it in range.
pub(crate) fn number<T: TryFrom<u64>>(value: u64) -> Result<T> {
    T::try_from(value).ok().with_context(|| format!("{value} is out of range"))
}

pub(crate) fn sqlite_settings(config: &Config) -> Result<SqliteSettings> {
    let sqlite = &config.sections.sqlite;
    Ok(SqliteSettings {
        max_connections: number(sqlite.max_connections)?,
        busy_timeout_ms: number(sqlite.busy_timeout_ms)?,
        ..SqliteSettings::at(&sqlite.path)
    })
}

pub(crate) fn postgres_settings(config: &Config) -> Result<PostgresSettings> {
    let postgres = &config.sections.postgres;
    Ok(PostgresSettings {
        max_connections: number(postgres.max_connections)?,
        connect_timeout_ms: number(postgres.connect_timeout_ms)?,
        pool_wait_timeout_ms: number(postgres.pool_wait_timeout_ms)?,
        statement_timeout_ms: number(postgres.statement_timeout_ms)?,
        lock_timeout_ms: number(postgres.lock_timeout_ms)?,
        ..PostgresSettings::new(postgres.url.expose())
    })
}

pub(crate) fn mongo_settings(config: &Config) -> Result<MongoSettings> {
    let mongodb = &config.sections.mongodb;
    Ok(MongoSettings {
        max_pool_size: number(mongodb.max_connections)?,
        connect_timeout_ms: number(mongodb.connect_timeout_ms)?,
        server_selection_timeout_ms: number(mongodb.server_selection_timeout_ms)?,
        operation_timeout_ms: number(mongodb.operation_timeout_ms)?,
        ..MongoSettings::new(mongodb.uri.expose(), &mongodb.database)
    })
}
