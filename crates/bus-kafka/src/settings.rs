use std::{collections::BTreeMap, time::Duration};

use esoz_kernel::SecretString;
use esoz_tls::ClientTls;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::{BusError, Sasl, security::Credentials};

/// Settings that the guarantees of publisher and consumer depend on, or that [`KafkaSettings`] has fields for; `properties` cannot override them.
const RESERVED: [&str; 30] = [
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
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.key.location",
    "test.mock.num.brokers",
    "transactional.id",
];

/// Address, time limits and protection of Kafka. The values of [`KafkaSettings::properties`] are hidden from `Debug` and wiped when dropped: they may
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
    /// Whom connections trust, and the certificate that they show. None: they are not encrypted. Files are read again whenever something is
    /// published or asked, and after a failure to read; with something else in them the client is made anew.
    pub tls: Option<ClientTls>,
    /// How we prove who we are, if brokers ask. Read again as the files of `tls` are.
    pub sasl: Option<Sasl>,
    /// Further settings by their names in librdkafka, e.g. `socket.keepalive.enable`. Names that this crate sets itself are refused.
    pub properties: BTreeMap<String, SecretString>,
}

impl KafkaSettings {
    /// Settings for these brokers and this topic: 10 s for an event, 5 s for a request, no TLS.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic: topic.into(),
            delivery_timeout_ms: 10_000,
            request_timeout_ms: 5_000,
            tls: None,
            sasl: None,
            properties: BTreeMap::new(),
        }
    }

    pub(crate) fn delivery_timeout(&self) -> Duration {
        Duration::from_millis(self.delivery_timeout_ms.into())
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }

    /// Validates [`properties`](Self::properties): each is known to librdkafka and has a value that it takes.
    ///
    /// # Errors
    /// [`BusError::Settings`] names the first that cannot be used.
    pub fn check_properties(&self) -> Result<(), BusError> {
        self.property_config().map(drop)
    }

    fn property_config(&self) -> Result<ClientConfig, BusError> {
        if let Some(reserved) = self.properties.keys().find(|key| RESERVED.contains(&key.as_str())) {
            let reason = "is set by esoz itself: by another key, or not to be changed";
            return Err(BusError::settings(reserved, reason));
        }
        let mut config = ClientConfig::new();
        for (key, value) in &self.properties {
            config.set(key, value.expose());
        }
        config.create_native_config().map_err(|error| BusError::new("its settings", &error))?;
        Ok(config)
    }

    /// The configuration of every client. Validates the settings.
    pub(crate) fn client_config(&self, credentials: &Credentials) -> Result<ClientConfig, BusError> {
        let refused = |setting: &str, reason: &str| Err(BusError::settings(setting, reason));
        // To librdkafka 0 means no limit.
        if self.delivery_timeout_ms == 0 {
            return refused("delivery_timeout_ms", "must be at least 1");
        }
        if self.request_timeout_ms == 0 {
            return refused("request_timeout_ms", "must be at least 1");
        }
        let mut config = self.property_config()?;
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "esoz")
            // Reconnects within a second after a broker returns; the default is ten.
            .set("reconnect.backoff.max.ms", "1000")
            // Brokers regularly close idle connections.
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        self.secure(&mut config, credentials)?;
        Ok(config)
    }

    /// The configuration of the producer.
    pub(crate) fn producer_config(&self, credentials: &Credentials) -> Result<ClientConfig, BusError> {
        let mut config = self.client_config(credentials)?;
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
    pub(crate) fn consumer_config(
        &self,
        group: &str,
        credentials: &Credentials,
    ) -> Result<ClientConfig, BusError> {
        let mut config = self.client_config(credentials)?;
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

    fn producer(settings: &KafkaSettings) -> Result<ClientConfig, BusError> {
        settings.producer_config(&settings.credentials()?)
    }

    fn with(key: &str, value: &str) -> KafkaSettings {
        let mut settings = KafkaSettings::new("localhost:9092", "topic");
        settings.properties.insert(key.to_owned(), SecretString::new(value));
        settings
    }

    #[test]
    fn debug_hides_a_password() {
        let shown = format!("{:?}", with("ssl.key.password", "secret"));
        assert!(shown.contains("ssl.key.password") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn reserved_settings_cannot_be_changed() {
        for key in RESERVED {
            let error = producer(&with(key, "1")).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn a_zero_limit_is_refused() {
        let settings = KafkaSettings::new("localhost:9092", "topic");
        assert!(producer(&KafkaSettings { delivery_timeout_ms: 0, ..settings.clone() }).is_err());
        assert!(producer(&KafkaSettings { request_timeout_ms: 0, ..settings.clone() }).is_err());
        let config = producer(&settings).unwrap();
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("enable.idempotence"), Some("false"));
        assert_eq!(config.get("max.in.flight.requests.per.connection"), Some("1"));
        assert_eq!(config.get("message.timeout.ms"), Some("10000"));
    }
}
