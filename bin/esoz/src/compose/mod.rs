//! Builds the adapter behind each port, by the configuration.

pub(crate) mod backend;
pub(crate) mod bus;
pub(crate) mod caches;
pub(crate) mod documents;
pub(crate) mod jobs;
#[cfg(feature = "servers")]
mod kafka;
pub(crate) mod missing_indexes;
pub(crate) mod patient_key;
pub(crate) mod registries;
#[cfg(feature = "servers")]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
pub(crate) mod stores;
pub(crate) mod tokens;
pub(crate) mod transport;
pub(crate) mod trust;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_device_dispense::{Access, PatientAccess, StaticPatientAccess};
use esoz_events::EventPublisher;
use esoz_http::{Inspector, MonotonicClock, ProcessClock, Samples};
use esoz_kernel::system::{KyivCalendar, RandomIds, SystemClock};
use esoz_kernel::{Calendar, Clock, IdGenerator};
use esoz_signed_content::{MediaStorage, SignatureVerifier};

use crate::config::{Config, refuse_all};
use backend::store_backend;
use patient_key::is_unavailable;
use stores::Stores;
use trust::TrustReload;

/// The adapters that a server is composed of. A test replaces those that it controls.
pub struct Parts {
    /// Every store port.
    pub stores: Stores,
    /// Decides whose dispenses of a patient a caller may list.
    pub patient_access: Arc<dyn PatientAccess>,
    /// Publishes events to the bus.
    pub publisher: Arc<dyn EventPublisher>,
    /// Verifies signed documents.
    pub verifier: Arc<dyn SignatureVerifier>,
    /// Keeps signed documents.
    pub media: Arc<dyn MediaStorage>,
    /// The day in Ukraine.
    pub calendar: Arc<dyn Calendar>,
    /// Wall clock: timestamps of changes and events, expiry of tokens.
    pub clock: Arc<dyn Clock>,
    /// Monotonic clock of the rate limits.
    pub monotonic_clock: Arc<dyn MonotonicClock>,
    /// Generates ids.
    pub ids: Arc<dyn IdGenerator>,
    /// What the request inspector offers to try.
    pub samples: Option<Samples>,
}

impl Parts {
    /// Builds the configured stores and bus, with the system clock and random ids.
    ///
    /// # Errors
    /// When the configuration does not fit what it names, e.g. a store whose schema is too old, or whose pseudonyms are made with another key. A server
    /// that cannot be reached is no error.
    pub async fn configured(config: &Config) -> Result<Self> {
        Ok(Self::with_reload(config).await?.0)
    }

    /// Builds them, and what reloads the files of the verifier, if it has any.
    pub(crate) async fn with_reload(config: &Config) -> Result<(Self, Option<TrustReload>)> {
        let mut stores = Stores::open_or_create(config).await?;
        if let Some(issuer) = tokens::issuer(config)? {
            stores.access_tokens = issuer.access_tokens(stores.blocks.clone());
            stores.token_issuer = Some(Arc::new(issuer));
        }
        match stores.patient_key(config)?.require().await {
            Err(error) if is_unavailable(&error) => tracing::warn!(
                error = format!("{error:#}"),
                "whether the patient key is that of the store cannot be told until the store is reached; a server whose key is another one stops then"
            ),
            required => required?,
        }
        if let Some(service) = registries::service(config)? {
            service.replace(&mut stores);
        }
        let publisher = bus::publisher(config, &stores)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (verifier, reload) = documents::verifier(config, &clock)?;
        let parts = Self {
            verifier,
            media: documents::media(config)?,
            calendar: Arc::new(KyivCalendar::new().context("the time zone of Ukraine")?),
            stores,
            patient_access: Arc::new(StaticPatientAccess(patient_list(config)?)),
            publisher,
            clock,
            monotonic_clock: Arc::new(ProcessClock::default()),
            ids: Arc::new(RandomIds),
            samples: None,
        };
        Ok((parts, reload))
    }

    /// The request inspector.
    pub(crate) fn inspector(&self) -> Arc<Inspector> {
        Arc::new(Inspector::new(self.clock.clone(), self.samples.clone()))
    }
}

/// The configured access to the dispenses of a patient. Warns of the one that spans legal entities.
fn patient_list(config: &Config) -> Result<Access> {
    let access = config.patient_list()?;
    if access == Access::All {
        tracing::warn!(
            "device_dispense.patient_list is \"all\": every caller with the scope device_dispense:read can list the dispenses of every patient at every legal entity; \
             set it to \"own\" unless access to patients is controlled in front of this server"
        );
    }
    Ok(access)
}

/// Refuses everything that the adapters cannot use at once, without a connection to a server; only the hosts of `mongodb+srv` are looked up, and it is
/// no error that they cannot be. For a server pseudonyms are needed, and the URL for migrations is not: its file may be where only those run.
pub(crate) async fn check(config: &Config, is_server: bool) -> Result<()> {
    let patient = &config.sections.patient;
    let has_key = !(patient.key.is_empty() && patient.key_file.is_empty());
    let pseudonyms = if has_key || is_server { config.pseudonyms().map(drop) } else { Ok(()) };
    let tls = match config.tls_files()? {
        Some(files) => files.load().map(drop).context("section `tls`"),
        None => Ok(()),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let verifier = documents::verifier(config, &clock).map(drop);
    let registries = registries::check(config);
    let mut problems: Vec<anyhow::Error> =
        [pseudonyms, tokens::issuer(config).map(drop), tls, verifier, registries]
            .into_iter()
            .filter_map(Result::err)
            .collect();
    problems.extend(store_backend(config)?.problems(config, is_server).await);
    if let Some(broker) = bus::broker_backend(config)? {
        problems.extend(broker.check(config).err());
    }
    refuse_all(problems.iter().map(|problem| format!("{problem:#}")).collect())
}

#[cfg(all(test, feature = "sqlite", feature = "servers"))]
mod tests {
    use super::*;

    async fn checked(variables: &[(&str, &str)]) -> Result<()> {
        let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
        check(&Config::from_sources(None, environment)?, false).await
    }

    #[tokio::test]
    async fn what_no_adapter_could_use_is_refused_without_a_server() {
        let aes = ("ESOZ_PATIENT__PSEUDONYM", "aes-128-cbc");
        let (key, iv) = (("ESOZ_PATIENT__KEY", "8grv872gt3trc92b"), ("ESOZ_PATIENT__IV", "99yBSYB*Y99yr932"));
        let kafka = ("ESOZ_KAFKA__BROKERS", "127.0.0.1:1");
        let bus = ("ESOZ_EVENTS__BUS", "kafka");
        let servers = ("ESOZ_STORE__KIND", "servers");
        let (postgres, mongo) = (
            ("ESOZ_POSTGRES__URL", "postgres://127.0.0.1/esoz"),
            ("ESOZ_MONGODB__URI", "mongodb://127.0.0.1"),
        );
        let jwt = [
            ("ESOZ_AUTH__TOKENS", "jwt"),
            ("ESOZ_AUTH__ISSUER", "https://issuer.example"),
            ("ESOZ_AUTH__AUDIENCE", "esoz"),
        ];
        let http = ("ESOZ_REGISTRIES__SOURCE", "http");
        let registries = |url| vec![http, ("ESOZ_REGISTRIES__URL", url)];
        let with = |url| [jwt.as_slice(), &[("ESOZ_AUTH__URL", url)]].concat();
        for sound in [
            vec![],
            vec![key],
            vec![aes, key, iv],
            vec![servers, postgres, mongo, kafka],
            vec![bus, kafka],
            // Nothing there is known by DNS.
            vec![servers, postgres, ("ESOZ_MONGODB__URI", "mongodb+srv://mongo.invalid"), kafka],
            with("https://issuer.example/keys"),
            registries("https://registries.example/api"),
        ] {
            checked(&sound).await.unwrap();
        }
        for (wrong, expected) in [
            (vec![("ESOZ_PATIENT__KEY", "short")], "has 5 bytes"),
            (vec![key, ("ESOZ_PATIENT__KEY_FILE", "/nowhere")], "are both set"),
            (vec![("ESOZ_PATIENT__KEY_FILE", "/nowhere")], "cannot be read"),
            (vec![aes, key, ("ESOZ_PATIENT__IV", "short")], "the iv of aes-128-cbc has 5 bytes"),
            (vec![servers, ("ESOZ_POSTGRES__URL", "127.0.0.1"), mongo, kafka], "PostgreSQL (`postgres.url`)"),
            (vec![servers, postgres, ("ESOZ_MONGODB__URI", "127.0.0.1"), kafka], "MongoDB (`mongodb.uri`)"),
            (
                vec![servers, postgres, ("ESOZ_MONGODB__URI", "mongodb+srv://mongo.invalid:1"), kafka],
                "MongoDB",
            ),
            (
                vec![servers, postgres, ("ESOZ_POSTGRES__MIGRATION_URL", "127.0.0.1"), mongo, kafka],
                "`postgres.migration_url`",
            ),
            (
                vec![bus, kafka, ("ESOZ_KAFKA__PROPERTIES", r#"{ "socket.max.fails" = "x" }"#)],
                "`kafka.properties` cannot be used: librdkafka does not know socket.max.fails",
            ),
            (with("issuer.example/keys"), "is not an absolute http or https address"),
            (with("http://issuer.example/keys"), "must be https"),
            (registries("http://registries.example"), "`registries.url` must be https"),
            (registries("https://registries.example?a=b"), "`registries.url` must have no query"),
            (
                [registries("https://registries.example"), vec![("ESOZ_REGISTRIES__TOKEN", "a\nb")]].concat(),
                "`registries.token` cannot be sent in a header",
            ),
        ] {
            let refused = format!("{:#}", checked(&wrong).await.unwrap_err());
            assert!(refused.contains(expected), "{refused}");
        }
        let config = Config::from_sources(None, std::iter::empty()).unwrap();
        check(&config, false).await.unwrap();
        let refused = check(&config, true).await.unwrap_err().to_string();
        assert!(refused.contains("ESOZ_PATIENT__KEY"), "{refused}");
    }

    #[tokio::test]
    async fn what_no_adapter_could_use_is_told_at_once() {
        let wrong = [
            ("ESOZ_PATIENT__KEY", "short"),
            ("ESOZ_STORE__KIND", "servers"),
            ("ESOZ_POSTGRES__URL", "127.0.0.1"),
            ("ESOZ_MONGODB__URI", "127.0.0.1"),
            ("ESOZ_KAFKA__BROKERS", "127.0.0.1:1"),
            ("ESOZ_REGISTRIES__SOURCE", "http"),
            ("ESOZ_REGISTRIES__URL", "127.0.0.1"),
        ];
        let refused = format!("{:#}", checked(&wrong).await.unwrap_err());
        for expected in ["has 5 bytes", "PostgreSQL", "MongoDB", "`registries.url`"] {
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[tokio::test]
    async fn files_that_kafka_needs_are_read_before_there_is_a_client() {
        if !esoz_bus_kafka::HAS_TLS {
            return;
        }
        let empty = tempfile::NamedTempFile::new().unwrap();
        let empty = empty.path().to_str().unwrap();
        for (wrong, expected) in [
            (
                vec![
                    ("ESOZ_KAFKA__SASL_MECHANISM", "PLAIN"),
                    ("ESOZ_KAFKA__USERNAME", "esoz"),
                    ("ESOZ_KAFKA__PASSWORD_FILE", empty),
                ],
                "`kafka.password_file` cannot be used: ",
            ),
            (
                vec![("ESOZ_KAFKA__ROOT_CERTIFICATE_FILE", empty)],
                "`kafka.root_certificate_file` cannot be used: ",
            ),
            (
                vec![
                    ("ESOZ_KAFKA__CLIENT_CERTIFICATE_FILE", empty),
                    ("ESOZ_KAFKA__CLIENT_PRIVATE_KEY_FILE", empty),
                ],
                "`kafka.client_certificate_file` cannot be used: ",
            ),
        ] {
            let kafka = [("ESOZ_EVENTS__BUS", "kafka"), ("ESOZ_KAFKA__BROKERS", "127.0.0.1:1")];
            let refused = format!("{:#}", checked(&[wrong.as_slice(), &kafka].concat()).await.unwrap_err());
            assert!(refused.contains(expected) && refused.contains(empty), "{refused}");
        }
    }
}
