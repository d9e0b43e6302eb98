//! Which bus events are published to.

use std::sync::Arc;

use anyhow::{Result, bail};
use esoz_bus_kafka::{KafkaConsumer, KafkaPublisher, KafkaSettings};
use esoz_events::EventPublisher;

use super::stores::Stores;
use crate::config::{Bus, Config};

/// The name of Kafka in metrics, logs and health checks.
pub(crate) const KAFKA: &str = "kafka";

/// How one copy of the topic is corrected.
pub(crate) const REPLICATION_REMEDY: &str = "set kafka.replication to 3, or to the number of brokers if there are fewer; a topic that is there already is \
    changed by the tools of Kafka";

/// Warns of a topic with one copy. For a server at its start.
pub(crate) fn warn_of_single_replica(config: &Config) -> Result<()> {
    if config.bus()? == Bus::Kafka
        && let Some(problem) = config.single_replica()?
    {
        tracing::warn!(problem, remedy = REPLICATION_REMEDY, "events may be lost with one broker");
    }
    Ok(())
}

/// Builds the configured publisher. The log is a table of the SQLite file.
pub(super) fn publisher(config: &Config, stores: &Stores) -> Result<Arc<dyn EventPublisher>> {
    match (config.bus()?, stores.sqlite.clone()) {
        (Bus::Log, Some(sqlite)) => Ok(sqlite),
        (Bus::Log, None) => bail!("`events.bus` is `log`, but no SQLite file is open to keep the log"),
        (Bus::Kafka, _) => Ok(Arc::new(connect_kafka(config, &config.kafka()?)?)),
    }
}

/// Joins the consumer group that fills the event log, if the log is filled from the topic.
pub(super) fn consumer(config: &Config) -> Result<Option<KafkaConsumer>> {
    let Some(group) = config.consumer_group()? else { return Ok(None) };
    let consumer = KafkaConsumer::subscribe(&config.kafka()?, group);
    Ok(Some(consumer.map_err(|error| config.kafka_error(error))?))
}

/// The client of Kafka with these settings, which are of the configuration. Does not wait for a broker.
pub(crate) fn connect_kafka(config: &Config, settings: &KafkaSettings) -> Result<KafkaPublisher> {
    KafkaPublisher::new(settings).map_err(|error| config.kafka_error(error))
}
