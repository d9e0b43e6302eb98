//! Everything but dispenses in PostgreSQL, dispenses in MongoDB.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use esoz_device_dispense::PseudonymFingerprints;
use esoz_http::{DEVICE_DISPENSES, RESOURCES};
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};
use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_store_postgres::{PostgresSettings, PostgresStore, Schema, SchemaError};
use esoz_tls::Transport;

use super::backend::{Opened, Report, StoreBackend, report_migrations};
use super::database::{Database, IndexNames, RecordWait, is_unavailable};
use super::stores::Stores;
use crate::components::{MONGODB, MONGODB_INDEXES, POSTGRESQL, POSTGRESQL_INDEXES};
use crate::config::{Config, number, optional};

/// The stores `servers`.
pub(super) struct ServersBackend;

#[async_trait]
impl StoreBackend for ServersBackend {
    async fn open(&self, config: &Config) -> Result<Stores> {
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
        Ok(Stores {
            outboxes: vec![(MONGODB, mongo.clone()), (POSTGRESQL, postgres.clone())],
            keys: vec![(POSTGRESQL, postgres.clone()), (MONGODB, mongo.clone())],
            databases: vec![postgres.clone(), mongo.clone()],
            ..Stores::of(&postgres, &mongo)
        })
    }

    async fn fingerprints(&self, config: &Config) -> Result<Arc<dyn PseudonymFingerprints>> {
        Ok(Arc::new(connect_mongo(config).await?))
    }

    async fn databases(&self, config: &Config) -> Vec<Opened> {
        let postgres = connect_postgres(config).map(|store| -> Arc<dyn Database> { Arc::new(store) });
        let mongo = connect_mongo(config).await.map(|store| -> Arc<dyn Database> { Arc::new(store) });
        let of_postgres = "check postgres.url and that the server runs and accepts the login; `esoz migrate` updates an older schema";
        let of_mongo =
            "check mongodb.uri and that the server runs as a replica set with a primary (rs.status())";
        vec![
            Opened { title: "PostgreSQL", remedy: of_postgres, database: postgres },
            Opened { title: "MongoDB", remedy: of_mongo, database: mongo },
        ]
    }

    async fn migrate(&self, config: &Config, report: Report) -> Result<()> {
        let migrated = esoz_store_postgres::migrate(&migration_settings(config)?)
            .await
            .context(migration_login(config))?;
        if migrated.unknown.is_empty() {
            report_migrations("PostgreSQL", &migrated.applied, report)?;
        } else {
            let unknown = migrated.unknown.join(", ");
            report(&format!(
                "PostgreSQL: nothing was done: the schema is newer than this program (unknown to it: {unknown})"
            ))?;
        }
        connect_mongo(config).await?.migrate().await.context("MongoDB")?;
        report("MongoDB: the indexes are there")
    }

    async fn problems(&self, config: &Config, is_server: bool) -> Vec<anyhow::Error> {
        let postgres = connect_postgres(config).map(drop);
        let migrations = if is_server {
            Ok(())
        } else {
            let connect = |settings| Ok(PostgresStore::connect(&settings).map(drop)?);
            migration_settings(config).and_then(connect).context("`postgres.migration_url`")
        };
        let mongo = connect_mongo(config).await.map(drop);
        let mongo = mongo.err().filter(|error| !is_unavailable(error));
        postgres.err().into_iter().chain(migrations.err()).chain(mongo).collect()
    }
}

/// The client of the configured PostgreSQL. Opens no connection yet.
fn connect_postgres(config: &Config) -> Result<PostgresStore> {
    let key = if config.sections.postgres.url_file.is_empty() { "url" } else { "url_file" };
    PostgresStore::connect(&postgres_settings(config)?)
        .with_context(|| format!("PostgreSQL (`postgres.{key}`)"))
}

fn postgres_settings(config: &Config) -> Result<PostgresSettings> {
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

/// Whose login the migration has, for errors.
fn migration_login(config: &Config) -> &'static str {
    if config.has_migration_url() {
        "PostgreSQL (by the owner's URL)"
    } else {
        "PostgreSQL (by `postgres.url`, since the owner's `postgres.migration_url` or `postgres.migration_url_file` is not set)"
    }
}

fn migration_settings(config: &Config) -> Result<PostgresSettings> {
    Ok(PostgresSettings { url: config.postgres_migration_url()?, ..postgres_settings(config)? })
}

/// The client of the configured MongoDB. Does not wait for a server.
async fn connect_mongo(config: &Config) -> Result<MongoStore> {
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

#[async_trait]
impl Database for PostgresStore {
    fn name(&self) -> &'static str {
        POSTGRESQL
    }

    fn needed_by(&self) -> &'static [&'static str] {
        &RESOURCES
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ping().await
    }

    async fn inspect(&self) -> Result<Option<String>> {
        // A file with the URL that cannot be read is what is wrong.
        self.transport()?;
        let schema = self.check_schema().await?;
        self.ping().await?;
        Ok(match schema {
            Schema::Newer { unknown, known_until } => Some(format!(
                "the schema is newer than this program, but compatible with it (unknown to it: {}; it knows it up to {known_until})",
                unknown.join(", ")
            )),
            Schema::Known => None,
        })
    }

    fn pool_status(&self) -> PoolStatus {
        self.pool_status()
    }

    fn on_waited(&self, recorder: &dyn Fn() -> RecordWait) {
        self.on_waited(recorder());
    }

    fn transport(&self) -> Option<Transport> {
        self.transport().ok()
    }

    fn indexes(&self) -> Option<IndexNames> {
        Some(IndexNames { component: POSTGRESQL_INDEXES, title: "PostgreSQL indexes" })
    }

    async fn missing_indexes(&self) -> Result<Vec<String>, StoreError> {
        self.missing_indexes().await
    }
}

#[async_trait]
impl Database for MongoStore {
    fn name(&self) -> &'static str {
        MONGODB
    }

    fn needed_by(&self) -> &'static [&'static str] {
        &[DEVICE_DISPENSES]
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ping().await
    }

    fn pool_status(&self) -> PoolStatus {
        self.pool_status()
    }

    fn on_waited(&self, recorder: &dyn Fn() -> RecordWait) {
        self.on_waited(recorder());
    }

    fn transport(&self) -> Option<Transport> {
        Some(self.transport())
    }

    fn indexes(&self) -> Option<IndexNames> {
        Some(IndexNames { component: MONGODB_INDEXES, title: "MongoDB indexes" })
    }

    async fn missing_indexes(&self) -> Result<Vec<String>, StoreError> {
        self.check_schema().await
    }

    async fn create_indexes(&self) -> Result<(), StoreError> {
        self.migrate().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapters_have_the_defaults_of_the_configuration() {
        let (url, uri) = ("postgres://127.0.0.1/esoz", "mongodb://127.0.0.1");
        let variables = [("ESOZ_POSTGRES__URL", url), ("ESOZ_MONGODB__URI", uri)];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(None, variables.into_iter()).unwrap();
        assert_eq!(postgres_settings(&config).unwrap(), PostgresSettings::new(url));
        assert_eq!(mongo_settings(&config).unwrap(), MongoSettings::new(uri, "esoz"));
    }
}
