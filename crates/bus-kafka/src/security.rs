//! How connections to the brokers are protected: TLS, and who we are.

use esoz_kernel::SecretString;
use esoz_tls::{
    FileError, SecretSource, Transport, Verification, is_this_machine, platform_root_file, read_file,
};
use rdkafka::ClientConfig;
use zeroize::Zeroizing;

use crate::{BusError, KafkaSettings};

/// Whether librdkafka is built with TLS and SASL.
pub const HAS_TLS: bool = cfg!(feature = "tls");

/// How we prove who we are. `Debug` masks secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sasl {
    /// By a name and a password.
    Password {
        /// How the password is proved.
        mechanism: PasswordMechanism,
        /// Our name at the brokers.
        username: String,
        /// The password.
        password: SecretSource,
    },
    /// By a token of an authorisation server (`OAUTHBEARER`), which is read again before it ends.
    Token(SecretSource),
}

/// How a password is proved to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordMechanism {
    /// It is sent as it is.
    Plain,
    /// By a challenge (RFC 7677).
    ScramSha256,
    /// By a challenge, with the longer digest.
    ScramSha512,
}

impl PasswordMechanism {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Sasl {
    /// The registered name of the mechanism of tokens.
    pub const OAUTHBEARER: &str = "OAUTHBEARER";
}

/// What a client is made with. The library takes it once, so a client is made anew when it changes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    password: Option<SecretString>,
    files: Vec<Zeroizing<Vec<u8>>>,
}

impl KafkaSettings {
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
        let unusable = |setting: &str, error: &FileError| BusError::settings(setting, error.to_string());
        let password = match &self.sasl {
            Some(Sasl::Password { password, .. }) => {
                Some(password.read().map_err(|error| unusable("sasl.password", &error))?)
            }
            Some(Sasl::Token(_)) | None => None,
        };
        let mut files = Vec::new();
        if let Some(tls) = &self.tls {
            // Parsed as well: the library's own errors about a file name neither it nor the fault.
            tls.config(Verification::AuthorityAndHost)
                .map_err(|error| unusable("the certificates", &error))?;
            let certificate =
                tls.certificate.iter().flat_map(|files| [files.certificate(), files.private_key()]);
            for path in tls.root_certificate_file.as_deref().into_iter().chain(certificate) {
                let content = read_file(path).map_err(|error| {
                    BusError::settings("the certificates", format!("{}: {error}", path.display()))
                })?;
                files.push(content);
            }
        }
        Ok(Credentials { password, files })
    }

    /// Adds TLS and SASL to the configuration of a client.
    pub(crate) fn secure(
        &self,
        config: &mut ClientConfig,
        credentials: &Credentials,
    ) -> Result<(), BusError> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => return Ok(()),
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        if !HAS_TLS {
            let reason =
                "needs TLS and SASL, which this build has not: build it with the feature `kafka-tls`";
            return Err(BusError::settings("security.protocol", reason));
        }
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            // Without a file the library would look for one itself, and trust nobody where there is none.
            let roots = tls.root_certificate_file.clone().or_else(platform_root_file).ok_or_else(|| {
                let reason = "is not there: this machine has no file of certificate authorities, so name one";
                BusError::settings("ssl.ca.location", reason)
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
                config.set(
                    "sasl.password",
                    credentials.password.as_ref().map(SecretString::expose).unwrap_or_default(),
                );
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

    use esoz_tls::ClientTls;

    use super::*;

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
        for (settings, expected) in [
            (with(Some(sasl), None), "sasl.password /no/such/password cannot be read"),
            (with(None, Some(roots)), "the certificates /no/such/roots cannot be read"),
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
}
