//! The configuration of every client of librdkafka.

use esoz_tls::platform_root_file;
use rdkafka::ClientConfig;

use crate::credentials::Credentials;
use crate::sasl::HAS_TLS;
use crate::{BusError, KafkaSettings, Sasl};

impl KafkaSettings {
    /// The configuration of every client. Validates the settings.
    pub(crate) fn client_config(&self, credentials: &Credentials) -> Result<ClientConfig, BusError> {
        // To librdkafka 0 means no limit.
        for (setting, limit) in [
            ("delivery_timeout_ms", self.delivery_timeout_ms),
            ("request_timeout_ms", self.request_timeout_ms),
        ] {
            if limit == 0 {
                return Err(BusError::settings(setting, "it must be at least 1"));
            }
        }
        let mut config = self.property_config()?;
        config.set("bootstrap.servers", &self.brokers);
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

    /// Adds TLS and SASL to the configuration of a client.
    fn secure(&self, config: &mut ClientConfig, credentials: &Credentials) -> Result<(), BusError> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => return Ok(()),
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        if !HAS_TLS {
            let setting = if self.tls.is_some() { "tls" } else { "sasl_mechanism" };
            return Err(BusError::settings(setting, "it needs a build with the feature `kafka-tls`"));
        }
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            // Without `ssl.ca.location` librdkafka looks in paths of its own, and refuses every certificate where it finds none.
            let roots = tls.root_certificate_file.clone().or_else(platform_root_file).ok_or_else(|| {
                let reason = "it is not set, and this machine has no file of certificate authorities (or SSL_CERT_DIR or SSL_CERT_FILE names another place): name one";
                BusError::settings("root_certificate_file", reason)
            })?;
            config.set("ssl.ca.location", roots.display().to_string());
            if let Some(files) = &tls.certificate {
                config.set("ssl.certificate.location", files.certificate().display().to_string());
                config.set("ssl.key.location", files.private_key().display().to_string());
            }
        }
        match &self.sasl {
            Some(Sasl::Password { mechanism, username, .. }) => {
                config.set("sasl.mechanism", mechanism.name()).set("sasl.username", username);
                if let Some(password) = &credentials.password {
                    config.set("sasl.password", password.expose());
                }
            }
            Some(Sasl::Token(_)) => {
                config.set("sasl.mechanism", Sasl::OAUTHBEARER);
            }
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use esoz_kernel::SecretString;
    use esoz_tls::{CertificateFiles, ClientTls, SecretSource};

    use super::*;
    use crate::PasswordMechanism;

    fn client(settings: &KafkaSettings) -> Result<ClientConfig, BusError> {
        settings.client_config(&settings.credentials()?)
    }

    fn with(sasl: Option<Sasl>, tls: Option<ClientTls>) -> KafkaSettings {
        KafkaSettings { tls, sasl, ..KafkaSettings::new("localhost:9092", "topic") }
    }

    fn password(mechanism: PasswordMechanism) -> Sasl {
        let password = SecretSource::Inline(SecretString::new("canary"));
        Sasl::Password { mechanism, username: String::from("esoz"), password }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_before_there_is_a_client() {
        let missing = SecretSource::File(PathBuf::from("/no/such/password"));
        let sasl = Sasl::Password {
            mechanism: PasswordMechanism::Plain,
            username: String::new(),
            password: missing,
        };
        let roots =
            ClientTls { root_certificate_file: Some(PathBuf::from("/no/such/roots")), certificate: None };
        let certificate = ClientTls {
            root_certificate_file: None,
            certificate: Some(CertificateFiles::new("/no/such/certificate", "/no/such/key")),
        };
        for (settings, expected) in [
            (
                with(None, Some(certificate)),
                "the Kafka setting client_certificate_file cannot be used: /no/such/certificate cannot be read",
            ),
            (
                with(Some(sasl), None),
                "the Kafka setting password_file cannot be used: /no/such/password cannot be read",
            ),
            (
                with(None, Some(roots)),
                "the Kafka setting root_certificate_file cannot be used: /no/such/roots cannot be read",
            ),
        ] {
            let refused = client(&settings).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn debug_masks_a_password() {
        let shown = format!("{:?}", with(Some(password(PasswordMechanism::Plain)), None));
        assert!(shown.contains("Password") && !shown.contains("canary"), "{shown}");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn the_library_is_told_of_both() {
        let settings = with(Some(password(PasswordMechanism::ScramSha512)), Some(ClientTls::default()));
        let config = client(&settings).unwrap();
        for (name, expected) in [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "esoz"),
            ("sasl.password", "canary"),
        ] {
            assert_eq!(config.get(name), Some(expected));
        }
        assert!(config.get("ssl.ca.location").is_some());
        let token =
            client(&with(Some(Sasl::Token(SecretSource::Inline(SecretString::default()))), None)).unwrap();
        assert_eq!(
            (token.get("security.protocol"), token.get("sasl.mechanism")),
            (Some("sasl_plaintext"), Some("OAUTHBEARER"))
        );
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_says_so() {
        let refused = client(&with(None, Some(ClientTls::default()))).unwrap_err().to_string();
        assert!(refused.contains("feature `kafka-tls`"), "{refused}");
    }

    fn producer(settings: &KafkaSettings) -> Result<ClientConfig, BusError> {
        settings.producer_config(&settings.credentials()?)
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

    /// The settings that a client of each kind is given beyond those of `properties`.
    fn set_by_us(settings: &KafkaSettings) -> std::collections::BTreeMap<String, String> {
        let credentials = settings.credentials().unwrap();
        let producer = settings.producer_config(&credentials).unwrap();
        let consumer = settings.consumer_config("group", &credentials).unwrap();
        let (producer, consumer) = (producer.config_map(), consumer.config_map());
        producer.into_iter().chain(consumer).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_property_is_refused_or_in_force() {
        let mut settings = with(None, None);
        if crate::HAS_TLS {
            settings.sasl = Some(password(PasswordMechanism::Plain));
            settings.tls = Some(ClientTls::default());
        }
        for (key, value) in set_by_us(&settings) {
            let other = if value.parse::<u32>().is_ok() { "4711" } else { "true" };
            settings.properties = [(key.clone(), SecretString::new(other))].into();
            if settings.check_properties().is_ok() {
                assert_eq!(set_by_us(&settings)[&key], other, "{key}");
            }
        }
    }
}
