//! Refuses impossible values, each with the name of its key and its source.

use anyhow::{Result, anyhow, bail};

use super::Config;
use super::problems::{NEXT, refuse_all};
use super::schema::HOUR_MS;
use super::typed::{StoreKind, TokenSource};
use super::variables::variable_of;

/// How much a relay's claim must outlive `kafka.delivery_timeout_ms`, in milliseconds: the publisher reports a timeout a few seconds late.
const DELIVERY_GRACE_MS: u64 = 6_000;

/// Why the addresses of servers are required.
pub(super) const SERVERS: &str = "`store.kind` is `servers`";

impl Config {
    /// Lists every problem of every value.
    pub(super) fn value_problems(&self) -> Vec<String> {
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
        let refused = [
            self.bind().err(),
            self.public_url().err(),
            self.trusted_proxies().err(),
            self.metrics_bind().err(),
            self.require_stores().err(),
            self.store_kind().and_then(|kind| self.validate_stores(kind)).err(),
            self.require_bus().err(),
            self.bus().err(),
            #[cfg(feature = "servers")]
            self.validate_kafka().err(),
            self.consumer_group().err(),
            self.expiry().err(),
            self.token_source().and_then(|source| self.validate_tokens(source)).err(),
            self.patient_list().err(),
            self.dispense_policy().err(),
            self.verifier_kind().err(),
            self.media_kind().err(),
            self.validate_registries().err(),
            self.tls_files().err(),
            self.burst().err(),
            self.allowed_origins().err(),
            self.log_level().err(),
            self.log_as_json(false).err(),
            self.require_span_export().err(),
            #[cfg(feature = "otlp")]
            self.otlp().err(),
        ];
        for error in refused.into_iter().flatten() {
            problems.extend(error.to_string().split(NEXT).map(str::to_owned));
        }
        problems.dedup();
        problems
    }

    pub(crate) fn problem(&self, key: &str, what: &str) -> String {
        format!("`{key}` {what} (from {})", self.sources.of(key))
    }

    pub(crate) fn refuse(&self, key: &str, what: &str) -> anyhow::Error {
        anyhow!(self.problem(key, what))
    }

    /// Refuses an empty value of a key that another value requires.
    pub(super) fn require(key: &str, value: &str, why: &str) -> Result<()> {
        if value.is_empty() {
            bail!("`{key}` is not set, but {why} (set it in the file or as {})", variable_of(key))
        }
        Ok(())
    }

    /// Refuses all empty values of keys that another value requires.
    pub(super) fn require_all<const N: usize>(keys: [(&str, &str); N], why: &str) -> Result<()> {
        let missing = keys.into_iter().filter_map(|(key, value)| Self::require(key, value, why).err());
        refuse_all(missing.map(|error| error.to_string()).collect())
    }

    fn validate_stores(&self, kind: StoreKind) -> Result<()> {
        let all = &self.sections;
        match kind {
            StoreKind::Sqlite => Self::require("sqlite.path", &all.sqlite.path, "`store.kind` is `sqlite`"),
            StoreKind::Servers => {
                let refused = [
                    self.postgres_url().and_then(|_| self.postgres_migration_url()).err(),
                    self.postgres_tls().err(),
                    self.mongodb_uri().err(),
                    Self::require("mongodb.database", &all.mongodb.database, SERVERS).err(),
                ];
                refuse_all(refused.into_iter().flatten().map(|error| format!("{error:#}")).collect())
            }
        }
    }

    fn validate_registries(&self) -> Result<()> {
        let kinds = self.remote_registries();
        let token = match &kinds {
            Ok(kinds) if kinds.is_empty() => None,
            _ => self.registries_token().err(),
        };
        let refused = [kinds.err(), token].into_iter().flatten();
        refuse_all(refused.map(|error| format!("{error:#}")).collect())
    }

    fn validate_tokens(&self, source: TokenSource) -> Result<()> {
        let auth = &self.sections.auth;
        let why = format!("`auth.tokens` is `{}`", auth.tokens);
        let url = ("auth.url", &*auth.url);
        match source {
            TokenSource::Store => Ok(()),
            TokenSource::Esoz => Self::require_all([url], &why),
            TokenSource::Jwt => {
                let needed = [url, ("auth.issuer", &auth.issuer), ("auth.audience", &auth.audience)];
                Self::require_all(needed, &why)
            }
            TokenSource::Introspection => {
                let required = Self::require_all([url, ("auth.client_id", &auth.client_id)], &why);
                let refused = [required.err(), self.client_secret().err()].into_iter().flatten();
                refuse_all(refused.map(|error| format!("{error:#}")).collect())
            }
        }
    }
}
