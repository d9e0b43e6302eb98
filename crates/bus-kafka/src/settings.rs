use std::{collections::BTreeMap, time::Duration};

use esoz_kernel::SecretString;
use esoz_tls::{ClientTls, Transport, is_this_machine};
use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::{BusError, Sasl, credentials::Credentials};

/// The password of the private key, which is read here as well.
const KEY_PASSWORD: &str = "ssl.key.password";

/// Settings that the guarantees of publisher and consumer depend on, or that [`KafkaSettings`] has fields for; `properties` cannot override them.
const RESERVED: [&str; 35] = [
    "acks",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "fetch.wait.max.ms",
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
    KEY_PASSWORD,
    "statistics.interval.ms",
    "test.mock.num.brokers",
    "topic.metadata.refresh.interval.ms",
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

    /// Validates all settings as a client would be made with, without one: reads the password and the certificates. A token is not read, since
    /// its writer may start later.
    ///
    /// # Errors
    /// [`BusError::Settings`] names the first that cannot be used.
    pub fn check(&self) -> Result<(), BusError> {
        let checked = self.producer_config(&self.credentials()?)?.create_native_config();
        checked.map(drop).map_err(|error| BusError::new("its settings", &error))
    }

    pub(crate) fn property_config(&self) -> Result<ClientConfig, BusError> {
        if let Some(reserved) = self.properties.keys().find(|key| RESERVED.contains(&key.as_str())) {
            let why = match reserved.as_str() {
                KEY_PASSWORD => "is not supported: keep the private key without a password",
                _ => "is set by esoz itself: by another key, or not to be changed",
            };
            return Err(BusError::settings("properties", format!("{reserved} {why}")));
        }
        let mut config = ClientConfig::new();
        config
            .set("client.id", "esoz")
            // Reconnects within a second after a broker returns; the default is ten.
            .set("reconnect.backoff.max.ms", "1000")
            // Brokers regularly close idle connections.
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        for (key, value) in &self.properties {
            config.set(key, value.expose());
        }
        config.create_native_config().map_err(|error| BusError::new("its settings", &error))?;
        Ok(config)
    }

    /// How the brokers are reached, as far as the bootstrap servers tell.
    pub fn transport(&self) -> Transport {
        let property = |name: &str| {
            self.properties.get(name).map(SecretString::expose).unwrap_or_default().to_ascii_lowercase()
        };
        if self.is_local() {
            Transport::Local
        } else if self.tls.is_none() {
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

    /// Whether all bootstrap servers are this machine.
    pub fn is_local(&self) -> bool {
        let host = |broker: &str| broker.rsplit_once(':').map_or(broker, |(host, _)| host).trim().to_owned();
        self.brokers.split(',').all(|broker| is_this_machine(&host(broker)))
    }

    /// Reads what the files hold now.
    pub(crate) fn credentials(&self) -> Result<Credentials, BusError> {
        Credentials::read(self.tls.as_ref(), self.sasl.as_ref())
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
        let shown = format!("{:?}", with("ssl.keystore.password", "secret"));
        assert!(shown.contains("ssl.keystore.password") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn reserved_settings_cannot_be_changed() {
        for key in RESERVED {
            let error = with(key, "1").check_properties().unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn only_tls_that_is_checked_is_a_safe_way_to_another_machine() {
        let at = |brokers: &str, tls: Option<ClientTls>, properties: &[(&str, &str)]| {
            let mut settings = KafkaSettings { tls, ..KafkaSettings::new(brokers, "topic") };
            let properties =
                properties.iter().map(|(key, value)| ((*key).to_owned(), SecretString::new(*value)));
            settings.properties = properties.collect();
            settings.transport()
        };
        let tls = || Some(ClientTls::default());
        let unchecked = ("enable.ssl.certificate.verification", "False");
        let any_host = ("ssl.endpoint.identification.algorithm", "none");
        assert_eq!(at("localhost:9092, 127.0.0.1:9093,[::1]:9094", None, &[]), Transport::Local);
        assert_eq!(at("localhost:9092,kafka.example:9092", tls(), &[]), Transport::Verified);
        for (tls, properties) in [(None, &[][..]), (tls(), &[unchecked]), (tls(), &[any_host])] {
            assert!(matches!(at("kafka.example", tls, properties), Transport::Weak(_)), "{properties:?}");
        }
    }
}
