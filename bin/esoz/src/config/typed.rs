//! The typed values of keys that the file and the environment give as texts.

use std::net::IpAddr;
use std::num::NonZero;
use std::time::Duration;

use anyhow::{Context as _, Result};
use esoz_device_dispense::Access;
use esoz_http::PublicUrl;
use esoz_kernel::UserId;
use esoz_tls::{CertificateFiles, ClientTls};
use ipnet::IpNet;

use super::bind::BindAddress;
use super::load::Config;

/// Which stores are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Sqlite,
    Servers,
}

/// Which bus events are published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    Log,
    Kafka,
}

/// Which access tokens are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// Tokens in our own store, which `esoz token issue` issues.
    Store,
    /// JWTs, verified by the key set of their issuer.
    Jwt,
    /// Tokens that a remote server introspects (RFC 7662).
    Introspection,
    /// Tokens that an ESOZ server verifies.
    Esoz,
}

/// The value of a key that may be left empty; none if it is.
pub(crate) fn optional<T: for<'a> From<&'a str>>(text: &str) -> Option<T> {
    (!text.is_empty()).then(|| text.into())
}

/// Converts a number of the configuration to the type of an adapter's setting. Validation has checked its range.
pub(crate) fn number<T: TryFrom<u64>>(value: u64) -> Result<T> {
    T::try_from(value).ok().with_context(|| format!("{value} is out of range"))
}

impl Config {
    /// The address to listen on.
    pub(crate) fn bind(&self) -> Result<BindAddress> {
        self.bind_address("http.bind", &self.sections.http.bind)
    }

    /// The worker threads: as configured, or one per core.
    pub(crate) fn workers(&self) -> Result<usize> {
        let configured = usize::try_from(self.sections.http.workers)?;
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(if configured == 0 { cores() } else { configured })
    }

    /// The fixed URL of the server, if there is one.
    pub(crate) fn public_url(&self) -> Result<Option<PublicUrl>> {
        let url = &self.sections.http.public_url;
        if url.is_empty() {
            return Ok(None);
        }
        let what = "must be empty or a URL such as https://esoz.example, without user, query and fragment";
        PublicUrl::parse(url).map(Some).ok_or_else(|| self.refuse("http.public_url", what))
    }

    /// The networks of the proxies whose headers are believed.
    pub(crate) fn trusted_proxies(&self) -> Result<Vec<IpNet>> {
        let network = |text: &String| {
            let network =
                text.parse().or_else(|_| text.parse().map(|address: IpAddr| address.to_canonical().into()));
            let what = match network {
                // Addresses are compared as IPv4 addresses when they are mapped, so such a network would hold none.
                Ok(IpNet::V6(network)) if network.addr().to_ipv4_mapped().is_some() => {
                    format!(
                        "must hold IPv4 networks as such, 10.0.0.0/8 instead of ::ffff:10.0.0.0/104, not {text:?}"
                    )
                }
                Ok(network) => return Ok(network),
                Err(_) => format!(
                    "must hold addresses and networks, such as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32, not {text:?}"
                ),
            };
            Err(self.refuse("http.trusted_proxies", &what))
        };
        self.sections.http.trusted_proxies.iter().map(network).collect()
    }

    /// The address of the metrics endpoint, if there is one.
    pub(crate) fn metrics_bind(&self) -> Result<Option<BindAddress>> {
        let bind = &self.sections.metrics.bind;
        if bind.is_empty() { Ok(None) } else { self.bind_address("metrics.bind", bind).map(Some) }
    }

    fn bind_address(&self, key: &'static str, text: &str) -> Result<BindAddress> {
        let refused = || self.refuse(key, &format!("must be {}", BindAddress::FORM));
        BindAddress::parse(key, text).ok_or_else(refused)
    }

    /// The files of the TLS certificate and its private key, if TLS is on. Does not read them.
    pub(crate) fn tls_files(&self) -> Result<Option<CertificateFiles>> {
        let tls = &self.sections.tls;
        Self::certificate(
            ("tls.certificate_file", &tls.certificate_file),
            ("tls.private_key_file", &tls.private_key_file),
        )
    }

    /// Whom connections to PostgreSQL trust, and the certificate that they show. Does not read the files.
    pub(crate) fn postgres_tls(&self) -> Result<ClientTls> {
        let postgres = &self.sections.postgres;
        let certificate = Self::certificate(
            ("postgres.client_certificate_file", &postgres.client_certificate_file),
            ("postgres.client_private_key_file", &postgres.client_private_key_file),
        )?;
        Ok(ClientTls { root_certificate_file: optional(&postgres.root_certificate_file), certificate })
    }

    /// The files of a certificate and its private key, of which none or both must be named.
    pub(super) fn certificate(
        (certificate_key, certificate): (&str, &str),
        (private_key_key, private_key): (&str, &str),
    ) -> Result<Option<CertificateFiles>> {
        if certificate.is_empty() && private_key.is_empty() {
            return Ok(None);
        }
        Self::require(certificate_key, certificate, &format!("`{private_key_key}` is"))?;
        Self::require(private_key_key, private_key, &format!("`{certificate_key}` is"))?;
        Ok(Some(CertificateFiles::new(certificate, private_key)))
    }

    /// The burst of the rate limit: as configured, or the requests of one second.
    pub(crate) fn burst(&self) -> Result<u64> {
        let (least, most) = (self.sections.rate_limit.requests_per_second, 1_000_000);
        match self.sections.rate_limit.burst {
            0 => Ok(least),
            burst if (least..=most).contains(&burst) => Ok(burst),
            burst => {
                let what = format!("must be 0 or from {least} to {most}, not {burst}");
                Err(self.refuse("rate_limit.burst", &what))
            }
        }
    }

    /// The allowed CORS origins.
    pub(crate) fn allowed_origins(&self) -> Result<&[String]> {
        let origins = &self.sections.cors.allowed_origins;
        match origins.iter().find(|origin| !is_origin(origin)) {
            None => Ok(origins),
            Some(wrong) => {
                let what = format!(
                    "must hold origins as browsers send them, such as https://mis.example or http://localhost:3000, in lower case and \
                     with nothing after the host and port, not {wrong:?}"
                );
                Err(self.refuse("cors.allowed_origins", &what))
            }
        }
    }

    /// Which stores are used.
    pub(crate) fn store_kind(&self) -> Result<StoreKind> {
        match self.sections.store.kind.as_str() {
            "sqlite" => Ok(StoreKind::Sqlite),
            "servers" => Ok(StoreKind::Servers),
            _ => Err(self.refuse("store.kind", "must be `sqlite` or `servers`")),
        }
    }

    /// Which bus events are published to: as configured, or the default of the stores.
    pub(crate) fn bus(&self) -> Result<Bus> {
        let all = &self.sections;
        match (all.events.bus.as_str(), self.store_kind()?) {
            ("" | "log", StoreKind::Sqlite) => Ok(Bus::Log),
            ("kafka", _) | ("", StoreKind::Servers) => {
                let needed = [("kafka.brokers", &*all.kafka.brokers), ("events.topic", &*all.events.topic)];
                Self::require_all(needed, "events go to Kafka")?;
                Ok(Bus::Kafka)
            }
            ("log", StoreKind::Servers) => {
                let what =
                    "cannot be `log` with `store.kind` = `servers`: the log is a table of the SQLite file";
                Err(self.refuse("events.bus", what))
            }
            _ => Err(self.refuse("events.bus", "must be `log` or `kafka`")),
        }
    }

    /// Whose dispenses of a patient every caller may list.
    pub(crate) fn patient_list(&self) -> Result<Access> {
        match self.sections.device_dispense.patient_list.as_str() {
            "own" => Ok(Access::Own),
            "all" => Ok(Access::All),
            _ => Err(self.refuse("device_dispense.patient_list", "must be `own` or `all`")),
        }
    }

    /// The consumer group that reads the topic into the event log; none if the log is not filled from the topic.
    pub(crate) fn consumer_group(&self) -> Result<Option<&str>> {
        let events = &self.sections.events;
        if !events.store || self.bus()? == Bus::Log {
            return Ok(None);
        }
        Self::require("events.group", &events.group, "the event log is filled from Kafka")?;
        Ok(Some(&events.group))
    }

    /// The lifetime of a device dispense in progress and the user in whose name it expires; `None` when dispenses do not expire.
    pub(crate) fn expiry(&self) -> Result<Option<(Duration, UserId)>> {
        let section = &self.sections.device_dispense;
        if section.lifetime_s == 0 {
            return Ok(None);
        }
        let key = "device_dispense.system_user_id";
        Self::require(key, &section.system_user_id, "`device_dispense.lifetime_s` is")?;
        let user = section.system_user_id.parse().map_err(|_| self.refuse(key, "must be a UUID"))?;
        Ok(Some((Duration::from_secs(section.lifetime_s), user)))
    }

    /// Which access tokens are accepted.
    pub(crate) fn token_source(&self) -> Result<TokenSource> {
        match self.sections.auth.tokens.as_str() {
            "store" => Ok(TokenSource::Store),
            "jwt" => Ok(TokenSource::Jwt),
            "introspection" => Ok(TokenSource::Introspection),
            "esoz" => Ok(TokenSource::Esoz),
            _ => Err(self.refuse("auth.tokens", "must be `store`, `jwt`, `introspection` or `esoz`")),
        }
    }

    /// The log level.
    pub(crate) fn log_level(&self) -> Result<tracing::Level> {
        let what = "must be `error`, `warn`, `info`, `debug` or `trace`";
        self.sections.log.level.parse().map_err(|_| self.refuse("log.level", what))
    }

    /// Whether the log is JSON: as configured, or unless it goes to a terminal.
    pub(crate) fn log_as_json(&self, is_terminal: bool) -> Result<bool> {
        match self.sections.log.format.as_str() {
            "json" => Ok(true),
            "text" => Ok(false),
            "auto" => Ok(!is_terminal),
            _ => Err(self.refuse("log.format", "must be `auto`, `json` or `text`")),
        }
    }
}

/// Whether the text is an origin as browsers serialize it: scheme, host, and the port unless it is the default of the scheme.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    !authority.is_empty() && authority.bytes().all(is_allowed) && !authority.ends_with(default_port)
}
