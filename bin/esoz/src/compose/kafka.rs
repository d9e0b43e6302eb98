//! The bus Kafka.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use esoz_bus_kafka::{BusError, ConsumedMessage, KafkaConsumer, KafkaPublisher, Lag};
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_tls::Transport;

use super::broker::{Broker, BrokerBackend, TopicConsumer, TopicMessage};
use crate::config::{Config, number};

/// The bus `kafka`.
pub(super) struct KafkaBackend;

#[async_trait]
impl BrokerBackend for KafkaBackend {
    fn connect(&self, config: &Config, timeout: Option<Duration>) -> Result<Arc<dyn Broker>> {
        let mut settings = config.kafka()?;
        if let Some(timeout) = timeout {
            settings.request_timeout_ms = u32::try_from(timeout.as_millis())?;
        }
        let publisher = KafkaPublisher::new(&settings).map_err(|error| config.kafka_error(error))?;
        Ok(Arc::new(publisher))
    }

    fn consumer(&self, config: &Config, group: &str) -> Result<Arc<dyn TopicConsumer>> {
        let consumer = KafkaConsumer::subscribe(&config.kafka()?, group);
        Ok(Arc::new(consumer.map_err(|error| config.kafka_error(error))?))
    }

    fn check(&self, config: &Config) -> Result<()> {
        config.kafka()?.check().map_err(|error| config.kafka_error(error))
    }

    fn transport(&self, config: &Config) -> Result<Transport> {
        Ok(config.kafka()?.transport())
    }

    fn single_replica(&self, config: &Config) -> Result<Option<String>> {
        config.single_replica()
    }

    async fn create_topic(&self, config: &Config) -> Result<()> {
        let kafka = &config.sections.kafka;
        let (partitions, replication) = (number(kafka.partitions)?, number(kafka.replication)?);
        let ensured = esoz_bus_kafka::ensure_topic(&config.kafka()?, partitions, replication).await;
        ensured.map_err(|error| config.kafka_error(error))
    }
}

#[async_trait]
impl Broker for KafkaPublisher {
    async fn ping(&self) -> Result<()> {
        Ok(self.ping().await?)
    }
}

#[async_trait]
impl TopicConsumer for KafkaConsumer {
    fn lag(&self) -> [u64; 2] {
        let Lag { partitions, messages } = self.lag();
        [partitions, messages]
    }

    fn read(&self, most: usize) -> Result<Vec<TopicMessage>, StoreError> {
        let messages = self.read(most).map_err(reading)?.into_iter();
        let message = |message: ConsumedMessage| TopicMessage {
            payload: message.payload,
            partition: message.partition,
            offset: message.offset,
        };
        Ok(messages.map(message).collect())
    }

    fn mark_processed(&self) {
        self.mark_processed();
    }

    async fn ready(&self) {
        self.ready().await;
    }

    async fn close(self: Arc<Self>) {
        if let Some(consumer) = Arc::into_inner(self) {
            consumer.close().await;
        }
    }
}

/// A failure to read the topic. A refusal is no outage.
fn reading(error: BusError) -> StoreError {
    let kind = match error {
        BusError::Unavailable { .. } => StoreErrorKind::Unavailable,
        BusError::Settings { .. } | BusError::Refused { .. } => StoreErrorKind::Unexpected,
    };
    StoreError::new(kind, "reading the topic").because(error)
}

#[cfg(test)]
mod tests {
    use esoz_bus_kafka::KafkaSettings;

    use super::*;

    #[test]
    fn the_adapter_has_the_defaults_of_the_configuration() {
        let variables = [("ESOZ_KAFKA__BROKERS".into(), "127.0.0.1:9092".into())];
        let config = Config::from_sources(None, variables.into_iter()).unwrap();
        assert_eq!(config.kafka().unwrap(), KafkaSettings::new("127.0.0.1:9092", "event_manager_topic"));
    }

    #[test]
    fn that_the_brokers_are_away_is_an_outage_and_their_refusal_is_none() {
        let (attempted, reason) = (String::from("reading"), String::from("it may not"));
        let away = BusError::Unavailable { attempted: attempted.clone(), reason: reason.clone() };
        assert_eq!(reading(away).kind(), StoreErrorKind::Unavailable);
        assert_eq!(reading(BusError::Refused { attempted, reason }).kind(), StoreErrorKind::Unexpected);
    }
}
