//! Which store implements each port.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use esoz_auth::{AccessTokens, ApiKeys, Blocks, Credentials};
use esoz_contract_division::{ContractDivisions, ContractRegistry};
use esoz_device_dispense::{
    DeviceDispenses, DeviceRequestRecord, DispenseRegistry, DispenseWrites, PseudonymFingerprints,
};
use esoz_events::{Backlog, EventLog, Outbox};
use esoz_kernel::{IdempotencyRecords, StoreError, StoreErrorKind};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry};
use esoz_registries::{Registries, Registry, RegistryOverrides, RegistryRecords};
use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_store_postgres::{PostgresSettings, PostgresStore, Schema, SchemaError};
use esoz_store_sqlite::{SqliteSettings, SqliteStore};

use super::patient_key::PatientKey;
use super::registries::RegistryService;
use super::tokens::TokenIssuer;
use crate::config::{Config, StoreKind, optional};

/// The names of the stores in metrics, logs and health checks.
pub(crate) const SQLITE: &str = "sqlite";
pub(crate) const POSTGRESQL: &str = "postgresql";
pub(crate) const MONGODB: &str = "mongodb";
/// The names of their indexes in health checks.
pub(crate) const POSTGRESQL_INDEXES: &str = "postgresql_indexes";
pub(crate) const MONGODB_INDEXES: &str = "mongodb_indexes";

/// Returns the names of the configured stores in metrics and logs: the store of everything but dispenses, then the store of dispenses.
pub(crate) fn store_names(config: &Config) -> Result<(&'static str, &'static str)> {
    Ok(match config.store_kind()? {
        StoreKind::Sqlite => (SQLITE, SQLITE),
        StoreKind::Servers => (POSTGRESQL, MONGODB),
    })
}

/// Every store port, with the adapters of the configured stores.
#[derive(Clone)]
pub struct Stores {
    /// Looks up access tokens.
    pub access_tokens: Arc<dyn AccessTokens>,
    /// Looks up api keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Looks up blocked users and clients.
    pub blocks: Arc<dyn Blocks>,
    /// Issues and revokes credentials, blocks users and clients.
    pub credentials: Arc<dyn Credentials>,
    /// Looks up legal entities.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// Imports legal entities.
    pub legal_entity_registry: Arc<dyn LegalEntityRegistry>,
    /// Looks up, lists and updates contract divisions.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// Imports divisions, contracts and contract divisions.
    pub contract_registry: Arc<dyn ContractRegistry>,
    /// Looks up what a dispense rests on.
    pub registries: Arc<dyn Registries>,
    /// Looks up what is not in the store.
    pub registry_overrides: RegistryOverrides,
    /// Imports persons, parties, employees, medical programs, device definitions and program devices.
    pub registry_records: Arc<dyn RegistryRecords>,
    /// Imports device requests.
    pub device_requests: Arc<dyn Registry<DeviceRequestRecord>>,
    /// Records device dispenses, and changes them together with their requests.
    pub dispense_writes: Arc<dyn DispenseWrites>,
    /// Looks up and updates device dispenses.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Imports device dispenses.
    pub dispense_registry: Arc<dyn DispenseRegistry>,
    /// Remembers with which scheme and key the pseudonyms of the store of dispenses are made.
    pub pseudonym_fingerprints: Arc<dyn PseudonymFingerprints>,
    /// The outboxes, each with the name of its store; that of device dispenses comes first.
    pub outboxes: Vec<(&'static str, Arc<dyn Outbox>)>,
    /// The event log.
    pub event_log: Arc<dyn EventLog>,
    /// The idempotency records, each with the name of their store.
    pub keys: Vec<(&'static str, Arc<dyn IdempotencyRecords>)>,
    /// The SQLite store, if it is configured.
    pub(crate) sqlite: Option<Arc<SqliteStore>>,
    /// The PostgreSQL store, if it is configured.
    pub(crate) postgres: Option<Arc<PostgresStore>>,
    /// The MongoDB store, if it is configured.
    pub(crate) mongo: Option<Arc<MongoStore>>,
    /// The remote issuer of access tokens, if they are not in a store of ours.
    pub(crate) token_issuer: Option<Arc<TokenIssuer>>,
    /// The registries that are asked over HTTP, if there are any.
    pub(crate) registry_service: Option<Arc<RegistryService>>,
}

impl Stores {
    /// Opens the configured stores. A database server that is down is no error: requests that need it are answered 503 until it is up.
    ///
    /// # Errors
    /// When there is no SQLite file, the schema of a store does not fit this version, or its address cannot be parsed.
    pub async fn open(config: &Config) -> Result<Self> {
        match config.store_kind()? {
            StoreKind::Sqlite => Ok(Self::on_sqlite(Arc::new(open_sqlite(config)?))),
            StoreKind::Servers => Self::on_servers(config).await,
        }
    }

    /// Opens the configured stores as [`Stores::open`] does, but creates a SQLite file that does not exist: no setup is needed to serve or to
    /// import.
    ///
    /// # Errors
    /// As [`Stores::open`]; and when the file cannot be created.
    pub async fn open_or_create(config: &Config) -> Result<Self> {
        match config.store_kind()? {
            StoreKind::Sqlite => {
                let store = SqliteStore::open_or_create(&sqlite_settings(config)?);
                Ok(Self::on_sqlite(Arc::new(store.context("opening the SQLite file")?)))
            }
            StoreKind::Servers => Self::on_servers(config).await,
        }
    }

    /// The backlog of all outboxes together.
    ///
    /// # Errors
    /// When an outbox cannot be read.
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

    /// The configured patient key, to be compared with that of the store.
    pub(crate) fn patient_key(&self, config: &Config) -> Result<PatientKey> {
        PatientKey::of(config, self.pseudonym_fingerprints.clone())
    }

    fn on_sqlite(store: Arc<SqliteStore>) -> Self {
        Self {
            device_requests: store.clone(),
            outboxes: vec![(SQLITE, store.clone())],
            keys: vec![(SQLITE, store.clone())],
            sqlite: Some(store.clone()),
            ..Self::of(&store, &store)
        }
    }

    async fn on_servers(config: &Config) -> Result<Self> {
        let postgres = Arc::new(connect_postgres(config)?);
        match postgres.check_schema().await {
            Err(SchemaError::Store(error)) if error.kind() == StoreErrorKind::Unavailable => {
                tracing::warn!(
                    error = error.with_causes(),
                    "PostgreSQL cannot be reached or refuses the login; requests that need it are answered 503 until it can"
                );
            }
            Ok(Schema::Newer { unknown, known_until }) => {
                let unknown = unknown.join(", ");
                tracing::warn!(
                    unknown,
                    known_until,
                    "the schema of PostgreSQL is newer than this program, but compatible with it: update the program"
                );
            }
            checked => drop(checked.context("PostgreSQL")?),
        }
        let mongo = Arc::new(connect_mongo(config).await?);
        Ok(Self {
            outboxes: vec![(MONGODB, mongo.clone()), (POSTGRESQL, postgres.clone())],
            keys: vec![(POSTGRESQL, postgres.clone()), (MONGODB, mongo.clone())],
            postgres: Some(postgres.clone()),
            mongo: Some(mongo.clone()),
            ..Self::of(&postgres, &mongo)
        })
    }

    /// The ports of a store that keeps everything but dispenses, and of one that keeps those.
    fn of<S, D>(store: &Arc<S>, dispenses: &Arc<D>) -> Self
    where
        S: AccessTokens + ApiKeys + Blocks + Credentials + LegalEntities + LegalEntityRegistry,
        S: ContractDivisions + ContractRegistry + Registries + RegistryRecords + EventLog + 'static,
        D: DeviceDispenses + DispenseRegistry + DispenseWrites + Registry<DeviceRequestRecord>,
        D: PseudonymFingerprints + 'static,
    {
        Self {
            access_tokens: store.clone(),
            api_keys: store.clone(),
            blocks: store.clone(),
            credentials: store.clone(),
            legal_entities: store.clone(),
            legal_entity_registry: store.clone(),
            contract_divisions: store.clone(),
            contract_registry: store.clone(),
            registries: store.clone(),
            registry_overrides: RegistryOverrides::default(),
            registry_records: store.clone(),
            device_requests: dispenses.clone(),
            dispense_writes: dispenses.clone(),
            dispenses: dispenses.clone(),
            dispense_registry: dispenses.clone(),
            pseudonym_fingerprints: dispenses.clone(),
            outboxes: Vec::new(),
            event_log: store.clone(),
            keys: Vec::new(),
            sqlite: None,
            postgres: None,
            mongo: None,
            token_issuer: None,
            registry_service: None,
        }
    }
}

/// Opens a SQLite file that exists. A command that only uses what is stored must not create a file: its path is mistyped.
pub(crate) fn open_sqlite(config: &Config) -> Result<SqliteStore> {
    let settings = sqlite_settings(config)?;
    ensure!(
        settings.path.exists(),
        "there is no SQLite file {} (`sqlite.path`): check the path; `esoz migrate`, `esoz import` and `esoz serve` create the file",
        settings.path.display()
    );
    SqliteStore::open(&settings).context("opening the SQLite file")
}

/// Converts a number of the configuration to the type of an adapter's setting. Validation has checked its range.
pub(crate) fn number<T: TryFrom<u64>>(value: u64) -> Result<T> {
    T::try_from(value).ok().with_context(|| format!("{value} is out of range"))
}

pub(crate) fn sqlite_settings(config: &Config) -> Result<SqliteSettings> {
    let sqlite = &config.sections.sqlite;
    Ok(SqliteSettings {
        max_connections: number(sqlite.max_connections)?,
        busy_timeout_ms: number(sqlite.busy_timeout_ms)?,
        read_timeout_ms: number(sqlite.read_timeout_ms)?,
        ..SqliteSettings::at(&sqlite.path)
    })
}

/// The client of the configured PostgreSQL. Opens no connection yet.
pub(crate) fn connect_postgres(config: &Config) -> Result<PostgresStore> {
    let key = if config.sections.postgres.url_file.is_empty() { "url" } else { "url_file" };
    PostgresStore::connect(&postgres_settings(config)?)
        .with_context(|| format!("PostgreSQL (`postgres.{key}`)"))
}

pub(crate) fn postgres_settings(config: &Config) -> Result<PostgresSettings> {
    let postgres = &config.sections.postgres;
    Ok(PostgresSettings {
        max_connections: number(postgres.max_connections)?,
        connect_timeout_ms: number(postgres.connect_timeout_ms)?,
        pool_wait_timeout_ms: number(postgres.pool_wait_timeout_ms)?,
        statement_timeout_ms: number(postgres.statement_timeout_ms)?,
        lock_timeout_ms: number(postgres.lock_timeout_ms)?,
        url: config.postgres_url()?,
        tls: config.postgres_tls()?,
        ..PostgresSettings::new("")
    })
}

/// The client of the configured MongoDB. Does not wait for a server.
pub(crate) async fn connect_mongo(config: &Config) -> Result<MongoStore> {
    let key = if config.sections.mongodb.uri_file.is_empty() { "uri" } else { "uri_file" };
    MongoStore::connect(&mongo_settings(config)?).await.with_context(|| format!("MongoDB (`mongodb.{key}`)"))
}

fn mongo_settings(config: &Config) -> Result<MongoSettings> {
    let mongodb = &config.sections.mongodb;
    Ok(MongoSettings {
        max_pool_size: number(mongodb.max_connections)?,
        connect_timeout_ms: number(mongodb.connect_timeout_ms)?,
        server_selection_timeout_ms: number(mongodb.server_selection_timeout_ms)?,
        operation_timeout_ms: number(mongodb.operation_timeout_ms)?,
        uri: config.mongodb_uri()?.read().context("`mongodb.uri_file`")?,
        root_certificate_file: optional(&mongodb.root_certificate_file),
        client_certificate_file: optional(&mongodb.client_certificate_file),
        ..MongoSettings::new("", &mongodb.database)
    })
}

#[cfg(test)]
mod tests {
    use esoz_bus_kafka::KafkaSettings;

    use super::*;

    #[test]
    fn the_adapters_have_the_defaults_of_the_configuration() {
        let (url, uri, brokers) = ("postgres://127.0.0.1/esoz", "mongodb://127.0.0.1", "127.0.0.1:9092");
        let variables =
            [("ESOZ_POSTGRES__URL", url), ("ESOZ_MONGODB__URI", uri), ("ESOZ_KAFKA__BROKERS", brokers)];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(None, variables.into_iter()).unwrap();
        assert_eq!(sqlite_settings(&config).unwrap(), SqliteSettings::at("esoz.sqlite"));
        assert_eq!(postgres_settings(&config).unwrap(), PostgresSettings::new(url));
        assert_eq!(mongo_settings(&config).unwrap(), MongoSettings::new(uri, "esoz"));
        assert_eq!(config.kafka().unwrap(), KafkaSettings::new(brokers, "event_manager_topic"));
    }
}
