//! What a server could not start with.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_kernel::Clock;
use esoz_kernel::system::SystemClock;

use super::open::store_backend;
use super::{bus, documents, registries, tokens};
use crate::config::{Config, refuse_all};

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
