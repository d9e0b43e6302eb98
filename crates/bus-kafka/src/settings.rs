use std::{collections::BTreeMap, time::Duration};

use esoz_kernel::SecretString;
use esoz_tls::{Transport, is_this_machine};
use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::BusError;

/// Settings that the guarantees of publisher and consumer depend on; `properties` cannot override them.
const RESERVED: [&str; 21] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "partitioner",
    "queuing.strategy",
    "request.required.acks",
    "retries",
    "session.timeout.ms",
    "socket.timeout.ms",
    "test.mock.num.brokers",
    "transactional.id",
];

/// Address and time limits of Kafka. The values of [`KafkaSettings::properties`] are hidden from `Debug` and wiped when dropped: they may
/// hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Bootstrap servers: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic of the events.
    pub topic: String,
    /// Longest time until an event is delivered or counts as not published, in milliseconds; at least 1.
    pub delivery_timeout_ms: u32,
    /// Longest time of a request to the brokers by [`KafkaPublisher::ping`] or [`ensure_topic`], in milliseconds; at least 1.
    ///
    /// [`KafkaPublisher::ping`]: crate::KafkaPublisher::ping
    /// [`ensure_topic`]: crate::ensure_topic
    pub request_timeout_ms: u32,
    /// Further settings by their names in librdkafka, e.g. `security.protocol`. Names that this crate sets itself are refused.
    pub properties: BTreeMap<String, SecretString>,
}

impl KafkaSettings {
    /// Settings for these brokers and this topic: 10 s for an event, 5 s for a request.
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

    /// How safe the way to the brokers is, as far as the bootstrap servers tell.
    pub fn transport(&self) -> Transport {
        let host = |broker: &str| broker.rsplit_once(':').map_or(broker, |(host, _)| host).trim().to_owned();
        let property = |name: &str| {
            self.properties.get(name).map(SecretString::expose).unwrap_or_default().to_ascii_lowercase()
        };
        let is_encrypted = property("security.protocol").ends_with("ssl");
        if self.brokers.split(',').all(|broker| is_this_machine(&host(broker))) {
            Transport::Local
        } else if !is_encrypted {
            Transport::Weak("Kafka is reached without TLS: nothing is encrypted")
        } else if !["", "true", "t", "1"].contains(&property("enable.ssl.certificate.verification").as_str())
        {
            Transport::Weak(
                "enable.ssl.certificate.verification=false: the brokers' certificates are not checked",
            )
        } else if property("ssl.endpoint.identification.algorithm") == "none" {
            Transport::Weak(
                "ssl.endpoint.identification.algorithm=none: any host of a trusted authority is believed",
            )
        } else {
            Transport::Verified
        }
    }

    /// The configuration of every client. Validates the settings.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, BusError> {
        let refused = |setting: &str, reason: &str| {
            Err(BusError::Settings { setting: setting.to_owned(), reason: reason.to_owned() })
        };
        // To librdkafka 0 means no limit.
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
            config.set(key, value.expose());
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "esoz")
            // Reconnects within a second after a broker returns; the default is ten.
            .set("reconnect.backoff.max.ms", "1000")
            // Brokers regularly close idle connections.
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        Ok(config)
    }

    /// The configuration of the producer.
    pub(crate) fn producer_config(&self) -> Result<ClientConfig, BusError> {
        let mut config = self.client_config()?;
        config
            .set("acks", "all")
            // A success is then always a write to the log, never a duplicate that the broker recognised (ADR 0018).
            .set("enable.idempotence", "false")
            // Keeps the order: a retry is sent before later messages.
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.timeout.ms", self.delivery_timeout_ms.to_string())
            // The partitioner of the Java clients, so that all producers put an entity's events into one partition.
            .set("partitioner", "murmur2_random");
        Ok(config)
    }

    /// The configuration of a consumer of that group.
    pub(crate) fn consumer_config(&self, group: &str) -> Result<ClientConfig, BusError> {
        let mut config = self.client_config()?;
        config
            .set("group.id", group)
            // What was published before the group existed is read as well.
            .set("auto.offset.reset", "earliest")
            // An offset is committed once its message was processed, then within a second.
            .set("enable.auto.offset.store", "false")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            // The session timeout: after it, the partitions of a consumer that died go to others.
            .set("session.timeout.ms", "10000")
            // How late a message may be noticed, and a topic that was created after the subscription.
            .set("fetch.wait.max.ms", "100")
            .set("topic.metadata.refresh.interval.ms", "10000")
            // The lag is reported with the statistics.
            .set("statistics.interval.ms", "1000");
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> KafkaSettings {
        let mut settings = KafkaSettings::new("localhost:9092", "topic");
        settings.properties.insert(key.to_owned(), SecretString::new(value));
        settings
    }

    #[test]
    fn debug_hides_a_password() {
        let shown = format!("{:?}", with("sasl.password", "secret"));
        assert!(shown.contains("sasl.password") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn reserved_settings_cannot_be_changed() {
        for key in RESERVED {
            let error = with(key, "1").producer_config().unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn only_tls_that_is_checked_is_a_safe_way_to_another_machine() {
        let at = |brokers: &str, properties: &[(&str, &str)]| {
            let mut settings = KafkaSettings::new(brokers, "topic");
            let properties =
                properties.iter().map(|(key, value)| ((*key).to_owned(), SecretString::new(*value)));
            settings.properties = properties.collect();
            settings.transport()
        };
        let (ssl, plain) = (("security.protocol", "SASL_SSL"), ("security.protocol", "sasl_plaintext"));
        let unchecked = ("enable.ssl.certificate.verification", "False");
        let any_host = ("ssl.endpoint.identification.algorithm", "none");
        assert_eq!(at("localhost:9092, 127.0.0.1:9093,[::1]:9094", &[]), Transport::Local);
        assert_eq!(at("localhost:9092,kafka.example:9092", &[ssl]), Transport::Verified);
        for properties in [&[][..], &[plain], &[ssl, unchecked], &[ssl, any_host]] {
            assert!(matches!(at("kafka.example", properties), Transport::Weak(_)), "{properties:?}");
        }
    }

    #[test]
    fn a_zero_limit_is_refused() {
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
