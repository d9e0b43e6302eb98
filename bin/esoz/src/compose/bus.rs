//! Which bus events are published to.

use std::sync::Arc;

use anyhow::Result;
use esoz_events::EventPublisher;

use super::broker::BrokerBackend;
use super::stores::Stores;
use crate::config::{Bus, Config};

/// How one copy of the topic is corrected.
pub(crate) const REPLICATION_REMEDY: &str = "set kafka.replication to 3, or to the number of brokers if there are fewer; a topic that is there already is \
    changed by the tools of Kafka";

/// The brokers that the configuration names; none if events go to the log.
///
/// # Errors
/// When this build lacks their client.
pub(crate) fn broker_backend(config: &Config) -> Result<Option<&'static dyn BrokerBackend>> {
    match config.bus()? {
        Bus::Log => Ok(None),
        #[cfg(feature = "servers")]
        Bus::Kafka => Ok(Some(&super::kafka::KafkaBackend)),
        #[cfg(not(feature = "servers"))]
        Bus::Kafka => Err(config.lacks_kafka()),
    }
}

/// Warns of a topic with one copy. For a server at its start.
pub(crate) fn warn_of_single_replica(config: &Config) -> Result<()> {
    if let Some(broker) = broker_backend(config)?
        && let Some(problem) = broker.single_replica(config)?
    {
        tracing::warn!(problem, remedy = REPLICATION_REMEDY, "events may be lost with one broker");
    }
    Ok(())
}

/// Builds the configured publisher. The log is a table of the SQLite file.
pub(super) fn publisher(config: &Config, stores: &Stores) -> Result<Arc<dyn EventPublisher>> {
    match broker_backend(config)? {
        Some(broker) => Ok(broker.connect(config, None)?),
        None => Ok(stores.log_bus()?),
    }
}
