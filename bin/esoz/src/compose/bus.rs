//! Which bus events are published to.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use esoz_events::EventPublisher;
use esoz_tls::Transport;

use super::stores::Stores;
use crate::config::{Bus, Config};
use crate::jobs::consume_events::TopicConsumer;

/// The name of Kafka in metrics, logs and health checks.
pub(crate) const KAFKA: &str = "kafka";

/// How one copy of the topic is corrected.
pub(crate) const REPLICATION_REMEDY: &str = "set kafka.replication to 3, or to the number of brokers if there are fewer; a topic that is there already is \
    changed by the tools of Kafka";

/// What a program does with the brokers that it is configured for. It needs the feature `servers`.
#[async_trait]
pub(crate) trait BrokerBackend: Send + Sync {
    /// Makes a client, with this time limit of a request or the usual one. Does not wait for a broker.
    fn connect(&self, config: &Config, timeout: Option<Duration>) -> Result<Arc<dyn Broker>>;

    /// Joins this consumer group. Does not wait for a broker.
    fn consumer(&self, config: &Config, group: &str) -> Result<Arc<dyn TopicConsumer>>;

    /// Refuses what no client could use, without a connection.
    fn check(&self, config: &Config) -> Result<()>;

    /// How the brokers are reached.
    fn transport(&self, config: &Config) -> Result<Transport>;

    /// What is wrong with one copy of the topic; none if that is as it should be.
    fn single_replica(&self, config: &Config) -> Result<Option<String>>;

    /// Creates the topic, if it is not there.
    async fn create_topic(&self, config: &Config) -> Result<()>;
}

/// A client of the brokers.
#[async_trait]
pub(crate) trait Broker: EventPublisher {
    /// Checks that the brokers answer and that the topic can be used.
    async fn ping(&self) -> Result<()>;
}

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
