//! Refuses impossible values, each with the name of its key and its source.

use anyhow::{Result, anyhow, bail};

use super::Config;
use super::schema::HOUR_MS;
use super::typed::{StoreKind, TokenSource};

/// How much a relay's claim must outlive `kafka.delivery_timeout_ms`, in milliseconds: the publisher reports a timeout a few seconds late.
const DELIVERY_GRACE_MS: u64 = 6_000;

/// Why the addresses of servers are required.
pub(super) const SERVERS: &str = "`store.kind` is `servers`";

impl Config {
    /// Validates every key, and refuses all impossible values at once.
    pub(super) fn validate(&self) -> Result<()> {
        let (events, kafka) = (&self.sections.events, &self.sections.kafka);
        let mut numbers = self.sections.numbers();
        numbers.extend([
            ("events.lease_ms", events.lease_ms, kafka.delivery_timeout_ms + DELIVERY_GRACE_MS..=HOUR_MS),
            ("events.backoff_longest_ms", events.backoff_longest_ms, events.backoff_first_ms..=HOUR_MS),
        ]);
        let mut problems = Vec::new();
        for (key, value, range) in numbers {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                problems.push(self.problem(key, &format!("must be from {least} to {most}, not {value}")));
            }
        }
        for refused in [
            self.bind().err(),
            self.metrics_bind().err(),
            self.store_kind().and_then(|kind| self.validate_stores(kind)).err(),
            self.bus().err(),
            self.consumer_group().err(),
            self.expiry().err(),
            self.token_source().and_then(|source| self.validate_tokens(source)).err(),
            self.patient_list().err(),
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

    pub(super) fn problem(&self, key: &str, what: &str) -> String {
        format!("`{key}` {what} (from {})", self.sources.of(key))
    }

    pub(super) fn refuse(&self, key: &str, what: &str) -> anyhow::Error {
        anyhow!(self.problem(key, what))
    }

    /// Refuses an empty value of a key that another value requires.
    pub(super) fn require(key: &str, value: &str, why: &str) -> Result<()> {
        if value.is_empty() {
            bail!("`{key}` is not set, but {why} (set it in the file or as {})", Self::variable(key))
        }
        Ok(())
    }

    /// The name of the environment variable that sets a key.
    pub(super) fn variable(key: &str) -> String {
        format!("ESOZ_{}", key.to_ascii_uppercase().replace('.', "__"))
    }

    fn validate_stores(&self, kind: StoreKind) -> Result<()> {
        let all = &self.sections;
        match kind {
            StoreKind::Sqlite => Self::require("sqlite.path", &all.sqlite.path, "`store.kind` is `sqlite`"),
            StoreKind::Servers => {
                self.postgres_url()?;
                self.postgres_migration_url()?;
                self.postgres_tls()?;
                self.mongodb_uri()?;
                Self::require("mongodb.database", &all.mongodb.database, SERVERS)
            }
        }
    }

    fn validate_tokens(&self, source: TokenSource) -> Result<()> {
        let auth = &self.sections.auth;
        let why = format!("`auth.tokens` is `{}`", auth.tokens);
        if source != TokenSource::Store {
            Self::require("auth.url", &auth.url, &why)?;
        }
        match source {
            TokenSource::Store | TokenSource::Esoz => Ok(()),
            TokenSource::Jwt => {
                Self::require("auth.issuer", &auth.issuer, &why)?;
                Self::require("auth.audience", &auth.audience, &why)
            }
            TokenSource::Introspection => {
                Self::require("auth.client_id", &auth.client_id, &why)?;
                self.client_secret().map(drop)
            }
        }
    }
}
