//! Where events go, and who wakes the relay.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_device_dispense::{DeviceDispenses, Dispense, StoredDispense, Transition};
use esoz_events::EventPublisher;
use esoz_kernel::{Committed, DispenseId, StoreError};
use tokio::sync::Notify;

use super::stores::{Stores, number};
use crate::config::{Bus, Config};

/// The configured publisher. The log is a table of the SQLite file.
pub(crate) fn publisher(config: &Config, stores: &Stores) -> Result<Arc<dyn EventPublisher>> {
    match (config.bus()?, stores.sqlite.clone()) {
        (Bus::Log, Some(sqlite)) => Ok(sqlite),
        (Bus::Log, None) => bail!("events cannot go to the log of a SQLite file that is not used"),
        (Bus::Kafka, _) => Ok(Arc::new(KafkaPublisher::new(&kafka_settings(config)?).context("Kafka")?)),
    }
}

pub(crate) fn kafka_settings(config: &Config) -> Result<KafkaSettings> {
    let kafka = &config.sections.kafka;
    Ok(KafkaSettings {
        delivery_timeout_ms: number(kafka.delivery_timeout_ms)?,
        ..KafkaSettings::new(&kafka.brokers, &config.sections.events.topic)
    })
}

/// Dispenses that ring when a change has committed, so that its event need not wait for the relay's next look.
pub(crate) struct RingingDispenses {
    pub(crate) inner: Arc<dyn DeviceDispenses>,
    pub(crate) doorbell: Arc<Notify>,
}

#[async_trait]
impl DeviceDispenses for RingingDispenses {
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError> {
        self.inner.find(id).await
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let changed = self.inner.commit(change).await;
        // Also after an error: whether the change took effect may be unknown.
        if !matches!(changed, Ok(Committed::Stale)) {
            self.doorbell.notify_one();
        }
        changed
    }
}
