//! How Kafka is reached.

use anyhow::Result;
use esoz_bus_kafka::{BusError, HAS_TLS, KafkaSettings, PasswordMechanism, Sasl};
use esoz_tls::{ClientTls, SecretSource};

use super::typed::Bus;
use super::{Config, optional};
use crate::features::Feature;

impl Config {
    /// Refuses settings that no client of Kafka could use, if events go there. Does not read files.
    pub(super) fn validate_kafka(&self) -> Result<()> {
        match self.bus()? {
            Bus::Log => Ok(()),
            Bus::Kafka => self.kafka().map(drop),
        }
    }

    /// The settings of every client of Kafka. Does not read files.
    pub(crate) fn kafka(&self) -> Result<KafkaSettings> {
        let kafka = &self.sections.kafka;
        let settings = KafkaSettings {
            // Validation refuses a number out of range; here it only must fit.
            delivery_timeout_ms: u32::try_from(kafka.delivery_timeout_ms).unwrap_or(u32::MAX),
            sasl: self.kafka_sasl()?,
            properties: kafka.properties.clone(),
            ..KafkaSettings::new(&kafka.brokers, &self.sections.events.topic)
        };
        settings.check_properties().map_err(|error| self.kafka_error(error))?;
        Ok(KafkaSettings { tls: self.kafka_tls(settings.is_local())?, ..settings })
    }

    /// What is wrong with one copy of the topic, where there are several brokers or other machines; none if that is as it should be.
    pub(crate) fn single_replica(&self) -> Result<Option<String>> {
        let kafka = &self.sections.kafka;
        if kafka.replication != 1 || (self.kafka()?.is_local() && !kafka.brokers.contains(',')) {
            return Ok(None);
        }
        let what = "is 1: a topic that `esoz migrate` creates is on one broker alone, and its events are lost with the disk of that broker";
        Ok(Some(self.problem("kafka.replication", what)))
    }

    /// Names the key of a setting that a client of Kafka cannot use.
    pub(crate) fn kafka_error(&self, error: BusError) -> anyhow::Error {
        match error {
            BusError::Settings { setting, reason } => {
                self.refuse(&format!("kafka.{setting}"), &format!("cannot be used: {reason}"))
            }
            other => other.into(),
        }
    }

    /// Whom connections to Kafka trust, and the certificate that they show; none if they are not encrypted, as by itself when every broker is this
    /// machine. Does not read the files.
    fn kafka_tls(&self, is_local: bool) -> Result<Option<ClientTls>> {
        let kafka = &self.sections.kafka;
        let certificate = Self::certificate(
            ("kafka.client_certificate_file", &kafka.client_certificate_file),
            ("kafka.client_private_key_file", &kafka.client_private_key_file),
        )?;
        let root_certificate_file = optional(&kafka.root_certificate_file);
        let has_files = root_certificate_file.is_some() || certificate.is_some();
        let is_on = match kafka.tls.as_str() {
            "off" if has_files => {
                return Err(self.refuse("kafka.tls", "is `off`, but certificates for TLS are named"));
            }
            "off" => false,
            "on" => true,
            "auto" => has_files || !is_local,
            _ => return Err(self.refuse("kafka.tls", "must be `auto`, `on` or `off`")),
        };
        if !is_on {
            return Ok(None);
        }
        if !HAS_TLS {
            let needed = Feature::KafkaTls.needed();
            let what = format!("{needed}: brokers on another machine are reached by TLS, unless it is `off`");
            return Err(self.refuse("kafka.tls", &what));
        }
        Ok(Some(ClientTls { root_certificate_file, certificate }))
    }

    /// How we prove to Kafka who we are. Does not read the files.
    fn kafka_sasl(&self) -> Result<Option<Sasl>> {
        let kafka = &self.sections.kafka;
        let key = "kafka.sasl_mechanism";
        let name = kafka.sasl_mechanism.as_str();
        if name.is_empty() {
            let keys = [
                ("kafka.username", kafka.username.is_empty()),
                ("kafka.password", kafka.password.is_empty()),
                ("kafka.password_file", kafka.password_file.is_empty()),
                ("kafka.token_file", kafka.token_file.is_empty()),
            ];
            return match keys.iter().find(|(_, is_empty)| !is_empty) {
                Some((given, _)) => Err(self.refuse(key, &format!("is not set, but `{given}` is"))),
                None => Ok(None),
            };
        }
        let why = format!("`{key}` is `{name}`");
        let mechanism = PasswordMechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name);
        let sasl = match mechanism {
            Some(mechanism) => {
                Self::require("kafka.username", &kafka.username, &why)?;
                let password = self.source("kafka.password", &kafka.password, &kafka.password_file, &why)?;
                Sasl::Password { mechanism, username: kafka.username.clone(), password }
            }
            None if name == Sasl::OAUTHBEARER => {
                Self::require("kafka.token_file", &kafka.token_file, &why)?;
                Sasl::Token(SecretSource::File(kafka.token_file.clone().into()))
            }
            None => {
                let what = "must be empty, `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`";
                return Err(self.refuse(key, what));
            }
        };
        if !HAS_TLS {
            return Err(self.refuse(key, &Feature::KafkaTls.needed()));
        }
        Ok(Some(sasl))
    }
}
