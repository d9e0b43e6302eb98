use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use esoz_otlp::OtlpSettings;
use zeroize::Zeroizing;

use super::schema::Hidden;
use super::{Config, optional};
use crate::tls::PairFiles;

/// Which stores are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Sqlite,
    Servers,
}

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    Log,
    Kafka,
}

/// Whose access tokens are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// Ours: those that `esoz token issue` stores.
    Store,
    /// JWTs, checked against the keys of who issued them.
    Jwt,
    /// Whoever issued them is asked (RFC 7662).
    Introspection,
    /// Whoever issued them is asked, in the way of ESOZ.
    Esoz,
}

/// How a patient id becomes a pseudonym.
pub(crate) enum Pseudonym {
    HmacSha256 { key: Hidden },
    Aes128Cbc { key: Hidden, iv: Hidden },
}

/// How much longer than its time limit the publisher may take to say so, with room to spare, in milliseconds: a relay's claim must
/// outlive that.
const DELIVERY_GRACE_MS: u64 = 6_000;

/// With so many for each relay the one document that tells MongoDB's relays from each other has room for dozens of them.
const MAX_ENTITIES: u64 = 10_000;

/// An hour: longer than any time limit makes sense.
const HOUR_MS: u64 = 3_600_000;

impl Config {
    /// Refuses impossible values, all of them at once.
    pub(super) fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        self.check_numbers(&mut problems);
        for refused in [
            self.bind().err(),
            self.metrics_bind().err(),
            self.store_kind().and_then(|kind| self.check_stores(kind)).err(),
            self.bus().err(),
            self.token_source().and_then(|source| self.check_tokens(source)).err(),
            self.tls_files().err(),
            self.burst().err(),
            self.allowed_origins().err(),
            self.log_level().err(),
            self.log_as_json(false).err(),
            self.otlp().err(),
        ] {
            problems.extend(refused.map(|error| error.to_string()));
        }
        problems.dedup();
        if problems.is_empty() {
            Ok(())
        } else {
            bail!("the configuration cannot be used:\n  {}", problems.join("\n  "))
        }
    }

    fn check_numbers(&self, problems: &mut Vec<String>) {
        let all = &self.sections;
        for (key, value, least, most) in [
            ("http.body_max_bytes", all.http.body_max_bytes, 2, 64 << 20),
            ("http.headers_max_bytes", all.http.headers_max_bytes, 1_024, 128 << 10),
            ("http.headers_max_count", all.http.headers_max_count, 16, 96),
            ("http.head_timeout_ms", all.http.head_timeout_ms, 1, HOUR_MS),
            ("http.body_timeout_ms", all.http.body_timeout_ms, 1, HOUR_MS),
            ("http.request_timeout_ms", all.http.request_timeout_ms, 1, HOUR_MS),
            ("http.keep_alive_ms", all.http.keep_alive_ms, 0, HOUR_MS),
            ("http.max_connections", all.http.max_connections, 1, 1_000_000),
            ("http.max_in_flight", all.http.max_in_flight, 1, 1_000_000),
            ("http.workers", all.http.workers, 0, 1_024),
            ("http.drain_ms", all.http.drain_ms, 0, HOUR_MS),
            ("http.shutdown_timeout_s", all.http.shutdown_timeout_s, 0, 3_600),
            ("tls.reload_ms", all.tls.reload_ms, 100, HOUR_MS),
            ("rate_limit.requests_per_second", all.rate_limit.requests_per_second, 0, 1_000_000),
            (
                "rate_limit.failed_authentications_per_minute",
                all.rate_limit.failed_authentications_per_minute,
                0,
                1_000_000,
            ),
            ("sqlite.max_connections", all.sqlite.max_connections, 1, 64),
            ("sqlite.busy_timeout_ms", all.sqlite.busy_timeout_ms, 1, HOUR_MS),
            ("postgres.max_connections", all.postgres.max_connections, 1, 1_024),
            ("postgres.connect_timeout_ms", all.postgres.connect_timeout_ms, 1, HOUR_MS),
            ("postgres.pool_wait_timeout_ms", all.postgres.pool_wait_timeout_ms, 1, HOUR_MS),
            ("postgres.statement_timeout_ms", all.postgres.statement_timeout_ms, 1, HOUR_MS),
            ("postgres.lock_timeout_ms", all.postgres.lock_timeout_ms, 1, HOUR_MS),
            ("mongodb.max_connections", all.mongodb.max_connections, 1, 10_000),
            ("mongodb.connect_timeout_ms", all.mongodb.connect_timeout_ms, 1, HOUR_MS),
            ("mongodb.server_selection_timeout_ms", all.mongodb.server_selection_timeout_ms, 1, HOUR_MS),
            ("mongodb.operation_timeout_ms", all.mongodb.operation_timeout_ms, 1, HOUR_MS),
            ("events.poll_ms", all.events.poll_ms, 10, HOUR_MS),
            (
                "events.lease_ms",
                all.events.lease_ms,
                all.kafka.delivery_timeout_ms + DELIVERY_GRACE_MS,
                HOUR_MS,
            ),
            ("events.max_entities", all.events.max_entities, 1, MAX_ENTITIES),
            ("events.backoff_first_ms", all.events.backoff_first_ms, 1, HOUR_MS),
            (
                "events.backoff_longest_ms",
                all.events.backoff_longest_ms,
                all.events.backoff_first_ms,
                HOUR_MS,
            ),
            ("kafka.delivery_timeout_ms", all.kafka.delivery_timeout_ms, 100, HOUR_MS),
            ("kafka.partitions", all.kafka.partitions, 1, 10_000),
            ("kafka.replication", all.kafka.replication, 1, 100),
            ("auth.timeout_ms", all.auth.timeout_ms, 1, HOUR_MS),
            ("tracing.sample_permille", all.tracing.sample_permille, 0, 1_000),
            ("tracing.timeout_ms", all.tracing.timeout_ms, 1, HOUR_MS),
            ("cache.ttl_ms", all.cache.ttl_ms, 0, HOUR_MS),
            ("cache.max_entries", all.cache.max_entries, 1, 100_000_000),
        ] {
            if !(least..=most).contains(&value) {
                problems.push(self.problem(key, &format!("must be from {least} to {most}, not {value}")));
            }
        }
    }

    fn problem(&self, key: &str, what: &str) -> String {
        format!("`{key}` {what} (from {})", self.sources.of(key))
    }

    fn refuse(&self, key: &str, what: &str) -> anyhow::Error {
        anyhow!(self.problem(key, what))
    }

    /// The variable that sets a key, for a hint.
    fn variable(key: &str) -> String {
        format!("ESOZ_{}", key.to_ascii_uppercase().replace('.', "__"))
    }

    fn required(key: &str, is_set: bool, why: &str) -> Result<()> {
        if is_set {
            Ok(())
        } else {
            bail!("`{key}` is not set, but {why} (set it in the file or as {})", Self::variable(key))
        }
    }

    /// The address to listen on.
    pub(crate) fn bind(&self) -> Result<SocketAddr> {
        let bind = self.sections.http.bind.parse();
        bind.map_err(|_| self.refuse("http.bind", "must be an IP address and a port, such as 127.0.0.1:8080"))
    }

    /// The address that metrics are shown at, if they are.
    pub(crate) fn metrics_bind(&self) -> Result<Option<SocketAddr>> {
        let bind = &self.sections.metrics.bind;
        if bind.is_empty() {
            return Ok(None);
        }
        let what = "must be empty or an IP address and a port, such as 127.0.0.1:9100";
        bind.parse().map(Some).map_err(|_| self.refuse("metrics.bind", what))
    }

    /// The certificate and its private key, if TLS is spoken. What the files hold is not looked at here.
    pub(crate) fn tls_files(&self) -> Result<Option<PairFiles>> {
        let tls = &self.sections.tls;
        let (certificate, private_key) = (&tls.certificate_file, &tls.private_key_file);
        if certificate.is_empty() && private_key.is_empty() {
            return Ok(None);
        }
        for (key, file, other) in [
            ("tls.certificate_file", certificate, "tls.private_key_file"),
            ("tls.private_key_file", private_key, "tls.certificate_file"),
        ] {
            Self::required(key, !file.is_empty(), &format!("`{other}` is"))?;
        }
        Ok(Some(PairFiles::new(certificate, private_key)))
    }

    /// How many requests a client may send at once: as configured, or those of one second.
    pub(crate) fn burst(&self) -> Result<u64> {
        let limit = &self.sections.rate_limit;
        match limit.burst {
            0 => Ok(limit.requests_per_second),
            burst if burst < limit.requests_per_second => {
                let what = format!("must be 0 or from {} to 1000000, not {burst}", limit.requests_per_second);
                Err(self.refuse("rate_limit.burst", &what))
            }
            burst if burst > 1_000_000 => {
                Err(self.refuse("rate_limit.burst", &format!("must be at most 1000000, not {burst}")))
            }
            burst => Ok(burst),
        }
    }

    /// The web origins whose pages may read answers.
    pub(crate) fn allowed_origins(&self) -> Result<&[String]> {
        let origins = &self.sections.cors.allowed_origins;
        match origins.iter().find(|origin| !is_origin(origin)) {
            None => Ok(origins),
            Some(wrong) => {
                let what = format!(
                    "must hold origins as browsers send them, such as https://mis.example or http://localhost:3000, in small letters and \
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

    fn check_stores(&self, kind: StoreKind) -> Result<()> {
        let all = &self.sections;
        match kind {
            StoreKind::Sqlite => {
                Self::required("sqlite.path", !all.sqlite.path.is_empty(), "`store.kind` is `sqlite`")
            }
            StoreKind::Servers => {
                let why = "`store.kind` is `servers`";
                Self::required("postgres.url", !all.postgres.url.is_empty(), why)?;
                Self::required("mongodb.uri", !all.mongodb.uri.is_empty(), why)?;
                Self::required("mongodb.database", !all.mongodb.database.is_empty(), why)
            }
        }
    }

    /// Where events go: as configured, or where the stores make sense of.
    pub(crate) fn bus(&self) -> Result<Bus> {
        let all = &self.sections;
        let bus = match (all.events.bus.as_str(), self.store_kind()?) {
            ("" | "log", StoreKind::Sqlite) => Bus::Log,
            ("kafka", _) | ("", StoreKind::Servers) => Bus::Kafka,
            ("log", StoreKind::Servers) => {
                let what =
                    "cannot be `log` with `store.kind` = `servers`: the log is a table of the SQLite file";
                return Err(self.refuse("events.bus", what));
            }
            _ => return Err(self.refuse("events.bus", "must be `log` or `kafka`")),
        };
        if bus == Bus::Kafka {
            Self::required("kafka.brokers", !all.kafka.brokers.is_empty(), "events go to Kafka")?;
            Self::required("events.topic", !all.events.topic.is_empty(), "events go to Kafka")?;
        }
        Ok(bus)
    }

    /// Whose access tokens are accepted.
    pub(crate) fn token_source(&self) -> Result<TokenSource> {
        match self.sections.auth.tokens.as_str() {
            "store" => Ok(TokenSource::Store),
            "jwt" => Ok(TokenSource::Jwt),
            "introspection" => Ok(TokenSource::Introspection),
            "esoz" => Ok(TokenSource::Esoz),
            _ => Err(self.refuse("auth.tokens", "must be `store`, `jwt`, `introspection` or `esoz`")),
        }
    }

    fn check_tokens(&self, source: TokenSource) -> Result<()> {
        let auth = &self.sections.auth;
        let why = format!("`auth.tokens` is `{}`", auth.tokens);
        if source != TokenSource::Store {
            Self::required("auth.url", !auth.url.is_empty(), &why)?;
        }
        match source {
            TokenSource::Store | TokenSource::Esoz => Ok(()),
            TokenSource::Jwt => {
                Self::required("auth.issuer", !auth.issuer.is_empty(), &why)?;
                Self::required("auth.audience", !auth.audience.is_empty(), &why)
            }
            TokenSource::Introspection => {
                Self::required("auth.client_id", !auth.client_id.is_empty(), &why)?;
                self.client_secret().map(drop)
            }
        }
    }

    /// The secret with which the server that issued a token knows us.
    pub(crate) fn client_secret(&self) -> Result<Hidden> {
        let auth = &self.sections.auth;
        let (key, file_key) = ("auth.client_secret", "auth.client_secret_file");
        self.secret(
            key,
            &auth.client_secret,
            file_key,
            &auth.client_secret_file,
            "`auth.tokens` is `introspection`",
        )
    }

    /// How patient ids become pseudonyms. Not every command needs it, so it is not checked before it is asked for.
    pub(crate) fn pseudonym(&self) -> Result<Pseudonym> {
        let patient = &self.sections.patient;
        let why = "without it no patient can be told from another";
        let key = self.secret("patient.key", &patient.key, "patient.key_file", &patient.key_file, why)?;
        match patient.pseudonym.as_str() {
            "hmac-sha256" => Ok(Pseudonym::HmacSha256 { key }),
            "aes-128-cbc" => {
                let why = "`patient.pseudonym` is `aes-128-cbc`";
                let iv = self.secret("patient.iv", &patient.iv, "patient.iv_file", &patient.iv_file, why)?;
                Ok(Pseudonym::Aes128Cbc { key, iv })
            }
            _ => Err(self.refuse("patient.pseudonym", "must be `hmac-sha256` or `aes-128-cbc`")),
        }
    }

    /// A secret given in the configuration or in a file of its own; the line break at the file's end is not part of it.
    fn secret(&self, key: &str, inline: &Hidden, file_key: &str, file: &str, why: &str) -> Result<Hidden> {
        match (inline.is_empty(), file.is_empty()) {
            (false, false) => Err(self.refuse(key, &format!("and `{file_key}` are both set; set one"))),
            (false, true) => Ok(inline.clone()),
            (true, true) => Err(anyhow!(
                "neither `{key}` nor `{file_key}` is set, but {why} (set one in the file or as {} or {})",
                Self::variable(key),
                Self::variable(file_key)
            )),
            (true, false) => {
                let text =
                    std::fs::read_to_string(Path::new(file)).map(Zeroizing::new).with_context(|| {
                        self.problem(file_key, &format!("names {file}, which cannot be read"))
                    })?;
                Ok(Hidden::new(text.trim_end_matches(['\r', '\n'])))
            }
        }
    }

    /// The least severe lines that are logged.
    pub(crate) fn log_level(&self) -> Result<tracing::Level> {
        let what = "must be `error`, `warn`, `info`, `debug` or `trace`";
        self.sections.log.level.parse().map_err(|_| self.refuse("log.level", what))
    }

    /// Where spans go, if they go anywhere.
    pub(crate) fn otlp(&self) -> Result<Option<OtlpSettings>> {
        let tracing = &self.sections.tracing;
        if tracing.endpoint.is_empty() {
            return Ok(None);
        }
        // Out of range, it has been refused already.
        let kept = u32::try_from(tracing.sample_permille.min(1_000))?;
        let settings = OtlpSettings {
            endpoint: tracing.endpoint.clone(),
            timeout_ms: tracing.timeout_ms,
            sample_ratio: f64::from(kept) / 1_000.0,
            service_name: tracing.service_name.clone(),
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
            root_certificate_file: optional(&tracing.root_certificate_file),
        };
        let refused = |error: esoz_otlp::SettingsError| {
            self.refuse(&format!("tracing.{}", error.setting()), error.reason())
        };
        settings.checked().map_err(refused)?;
        Ok(Some(settings))
    }

    /// Whether logs are JSON: as configured, or unless a person reads them.
    pub(crate) fn log_as_json(&self, on_terminal: bool) -> Result<bool> {
        match self.sections.log.format.as_str() {
            "json" => Ok(true),
            "text" => Ok(false),
            "auto" => Ok(!on_terminal),
            _ => Err(self.refuse("log.format", "must be `auto`, `json` or `text`")),
        }
    }
}

/// Whether it is an origin as a browser sends it: scheme, host, and the port unless it is the scheme's own.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let is_authority =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    !authority.is_empty() && authority.bytes().all(is_authority) && !authority.ends_with(own_port)
}
