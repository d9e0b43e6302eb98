use anyhow::{Context as _, Result};
use esoz_store_postgres::PostgresSettings;

use super::args::MigrateArgs;
use super::print;
use crate::compose::patient_key::PatientKey;
use crate::compose::stores::{connect_mongo, number, postgres_settings, sqlite_settings};
use crate::config::{Bus, Config, StoreKind};

/// Migrates the configured stores, and creates the topic. Prints what it did.
pub(crate) async fn run(config: &Config, args: &MigrateArgs) -> Result<()> {
    match config.store_kind()? {
        StoreKind::Sqlite => {
            let settings = sqlite_settings(config)?;
            let applied = esoz_store_sqlite::migrate(&settings).context("SQLite")?;
            report(&format!("SQLite {}", settings.path.display()), &applied)?;
        }
        StoreKind::Servers => {
            let settings =
                PostgresSettings { url: config.postgres_migration_url()?, ..postgres_settings(config)? };
            let migrated = esoz_store_postgres::migrate(&settings).await.context("PostgreSQL")?;
            if migrated.unknown.is_empty() {
                report("PostgreSQL", &migrated.applied)?;
            } else {
                let unknown = migrated.unknown.join(", ");
                print(&format!(
                    "PostgreSQL: nothing was done: the schema is newer than this program (unknown to it: {unknown})"
                ))?;
            }
            connect_mongo(config).await?.migrate().await.context("MongoDB")?;
            print("MongoDB: the indexes are there")?;
        }
    }
    if args.accept_patient_key {
        let key = PatientKey::of_configured(config).await?;
        key.accept().await.context("accepting the patient key")?;
        print("patient key: the configured one is that of the store now")?;
    }
    if config.bus()? == Bus::Kafka {
        let kafka = &config.sections.kafka;
        let settings = config.kafka()?;
        let (partitions, replication) = (number(kafka.partitions)?, number(kafka.replication)?);
        let ensured = esoz_bus_kafka::ensure_topic(&settings, partitions, replication).await;
        ensured.map_err(|error| config.kafka_error(error))?;
        print(&format!("Kafka: the topic {} is there", settings.topic))?;
    }
    Ok(())
}

fn report(store: &str, applied: &[String]) -> Result<()> {
    match applied {
        [] => print(&format!("{store}: is up to date")),
        applied => applied.iter().try_for_each(|migration| print(&format!("{store}: applied {migration}"))),
    }
}
