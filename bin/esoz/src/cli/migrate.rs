use anyhow::{Context as _, Result};

use super::args::MigrateArgs;
use super::print;
use crate::compose::bus::broker_backend;
use crate::compose::open::store_backend;
use crate::compose::patient_key::PatientKey;
use crate::config::Config;

/// Migrates the configured stores, and creates the topic. Prints what it did.
pub(crate) async fn run(config: &Config, args: &MigrateArgs) -> Result<()> {
    store_backend(config)?.migrate(config, print).await?;
    if args.accept_patient_key {
        let key = PatientKey::of_configured(config).await?;
        key.accept().await.context("accepting the patient key")?;
        print("patient key: the configured one is that of the store now")?;
    }
    if let Some(broker) = broker_backend(config)? {
        broker.create_topic(config).await?;
        print(&format!("Kafka: the topic {} is there", config.sections.events.topic))?;
    }
    Ok(())
}
