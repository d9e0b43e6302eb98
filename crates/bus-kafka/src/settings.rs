use std::{collections::BTreeMap, fmt, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use zeroize::Zeroizing;

use crate::BusError;

/// What the publisher promises rests on these; they cannot be set from outside.
const RESERVED: [&str; 16] = [
    "acks",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.idempotence",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "partitioner",
    "queuing.strategy",
    "request.required.acks",
    "retries",
    "socket.timeout.ms",
    "test.mock.num.brokers",
    "transactional.id",
];

/// Where Kafka is and how long to wait for it. `Debug` hides the values of [`KafkaSettings::properties`], and they are wiped when
/// dropped: they may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port`, several with commas between: where to ask for the brokers.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// How long an event may be on its way before it counts as not published, in milliseconds; at least 1.
    pub delivery_timeout_ms: u32,
    /// How long a question to the brokers may take, in milliseconds; at least 1: for [`KafkaPublisher::ping`] and
    /// [`ensure_topic`].
    ///
    /// [`KafkaPublisher::ping`]: crate::KafkaPublisher::ping
    /// [`ensure_topic`]: crate::ensure_topic
    pub request_timeout_ms: u32,
    /// More settings of librdkafka, by its own names, e.g. `security.protocol`. Those that this crate sets are refused.
    pub properties: BTreeMap<String, Zeroizing<String>>,
}

impl KafkaSettings {
    /// Settings for these brokers and this topic; 10 s for an event, 5 s for a question.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic: topic.into(),
            delivery_timeout_ms: 10_000,
            request_timeout_ms: 5_000,
            properties: BTreeMap::new(),
        }
    }

    pub(crate) fn delivery_timeout(&self) -> Duration {
        Duration::from_millis(self.delivery_timeout_ms.into())
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }

    /// What every client of these brokers is told.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, BusError> {
        let refused = |setting: &str, reason: &str| {
            Err(BusError::Settings { setting: setting.to_owned(), reason: reason.to_owned() })
        };
        // To librdkafka zero is no limit.
        if self.delivery_timeout_ms == 0 {
            return refused("delivery_timeout_ms", "must be at least 1");
        }
        if self.request_timeout_ms == 0 {
            return refused("request_timeout_ms", "must be at least 1");
        }
        if let Some(reserved) = self.properties.keys().find(|key| RESERVED.contains(&key.as_str())) {
            return refused(reserved, "is set by esoz itself and cannot be changed");
        }
        let mut config = ClientConfig::new();
        for (key, value) in &self.properties {
            config.set(key, value.as_str());
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "esoz")
            // Back within a second when a broker is back, not within the usual ten.
            .set("reconnect.backoff.max.ms", "1000")
            // Brokers close idle connections as a matter of course.
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        Ok(config)
    }

    /// What the producer is told.
    pub(crate) fn producer_config(&self) -> Result<ClientConfig, BusError> {
        let mut config = self.client_config()?;
        config
            .set("acks", "all")
            // So a success is always a write into the log, never a broker's word that it has seen this before (ADR 0018).
            .set("enable.idempotence", "false")
            // What must be sent again is sent before anything that came after it.
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.timeout.ms", self.delivery_timeout_ms.to_string())
            // As the Java clients spread keys, so that an event finds the partition where others put its entity's.
            .set("partitioner", "murmur2_random");
        Ok(config)
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, topic, delivery_timeout_ms, request_timeout_ms, properties } = self;
        formatter
            .debug_struct("KafkaSettings")
            .field("brokers", brokers)
            .field("topic", topic)
            .field("delivery_timeout_ms", delivery_timeout_ms)
            .field("request_timeout_ms", request_timeout_ms)
            .field("properties", &properties.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> KafkaSettings {
        let mut settings = KafkaSettings::new("localhost:9092", "topic");
        settings.properties.insert(key.to_owned(), Zeroizing::new(value.to_owned()));
        settings
    }

    #[test]
    fn a_password_hides_from_debug() {
        let shown = format!("{:?}", with("sasl.password", "secret"));
        assert!(shown.contains("sasl.password") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn what_the_promises_rest_on_cannot_be_changed() {
        for key in RESERVED {
            let error = with(key, "1").producer_config().unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn without_a_limit_there_are_no_settings() {
        let settings = KafkaSettings::new("localhost:9092", "topic");
        assert!(KafkaSettings { delivery_timeout_ms: 0, ..settings.clone() }.producer_config().is_err());
        assert!(KafkaSettings { request_timeout_ms: 0, ..settings.clone() }.producer_config().is_err());
        let config = settings.producer_config().unwrap();
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("enable.idempotence"), Some("false"));
        assert_eq!(config.get("max.in.flight.requests.per.connection"), Some("1"));
        assert_eq!(config.get("message.timeout.ms"), Some("10000"));
    }
}
