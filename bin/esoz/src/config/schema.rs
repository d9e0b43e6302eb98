//! Every key of the configuration with its default. What each means stands in `docs/esoz.example.toml`, which a test holds
//! against this file.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

/// A value that no log and no error shows, and that is wiped from memory when dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(String);

impl Hidden {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is shown in its place.
    fn masked(&self) -> Self {
        Self::new(if self.is_empty() { "" } else { "…" })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Hidden {}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.masked().0)
    }
}

macro_rules! section {
    ($name:ident { $($key:ident: $kind:ty = $default:expr),+ $(,)? }) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $(pub(crate) $key: $kind),+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default),+ }
            }
        }
    };
}

section!(Http {
    bind: String = "127.0.0.1:8080".to_owned(),
    body_max_bytes: u64 = 65_536,
    headers_max_bytes: u64 = 32_768,
    headers_max_count: u64 = 64,
    head_timeout_ms: u64 = 5_000,
    body_timeout_ms: u64 = 10_000,
    request_timeout_ms: u64 = 30_000,
    keep_alive_ms: u64 = 5_000,
    max_connections: u64 = 10_000,
    max_in_flight: u64 = 1_024,
    workers: u64 = 0,
    drain_ms: u64 = 500,
    shutdown_timeout_s: u64 = 6,
});

section!(Tls {
    certificate_file: String = String::new(),
    private_key_file: String = String::new(),
    reload_ms: u64 = 5_000,
});

section!(RateLimit {
    requests_per_second: u64 = 0,
    burst: u64 = 0,
    failed_authentications_per_minute: u64 = 0,
});

section!(Cors { allowed_origins: Vec<String> = Vec::new() });

section!(Store { kind: String = "sqlite".to_owned() });

section!(Sqlite {
    path: String = "esoz.sqlite".to_owned(),
    max_connections: u64 = 4,
    busy_timeout_ms: u64 = 5_000,
});

section!(Postgres {
    url: Hidden = Hidden::default(),
    migration_url: Hidden = Hidden::default(),
    max_connections: u64 = 16,
    connect_timeout_ms: u64 = 2_000,
    pool_wait_timeout_ms: u64 = 2_000,
    statement_timeout_ms: u64 = 5_000,
    lock_timeout_ms: u64 = 3_000,
});

section!(Mongodb {
    uri: Hidden = Hidden::default(),
    database: String = "esoz".to_owned(),
    max_connections: u64 = 64,
    connect_timeout_ms: u64 = 2_000,
    server_selection_timeout_ms: u64 = 2_000,
    operation_timeout_ms: u64 = 5_000,
});

section!(Events {
    bus: String = String::new(),
    topic: String = "event_manager_topic".to_owned(),
    poll_ms: u64 = 1_000,
    lease_ms: u64 = 20_000,
    max_entities: u64 = 500,
    backoff_first_ms: u64 = 100,
    backoff_longest_ms: u64 = 5_000,
});

section!(Kafka {
    brokers: String = String::new(),
    delivery_timeout_ms: u64 = 10_000,
    partitions: u64 = 6,
    replication: u64 = 1,
});

section!(Patient {
    pseudonym: String = "hmac-sha256".to_owned(),
    key: Hidden = Hidden::default(),
    key_file: String = String::new(),
    iv: Hidden = Hidden::default(),
    iv_file: String = String::new(),
});

section!(Auth {
    tokens: String = "store".to_owned(),
    url: String = String::new(),
    issuer: String = String::new(),
    audience: String = String::new(),
    algorithms: Vec<String> = Vec::new(),
    client_id: String = String::new(),
    client_secret: Hidden = Hidden::default(),
    client_secret_file: String = String::new(),
    timeout_ms: u64 = 3_000,
    root_certificate_file: String = String::new(),
});

section!(LegalEntity { allowed_types: Vec<String> = Vec::new() });

section!(Cache { ttl_ms: u64 = 2_000, max_entries: u64 = 100_000 });

section!(Metrics { bind: String = String::new() });

section!(Log { level: String = "info".to_owned(), format: String = "auto".to_owned() });

section!(Tracing {
    endpoint: String = String::new(),
    sample_permille: u64 = 1_000,
    service_name: String = "esoz".to_owned(),
    timeout_ms: u64 = 3_000,
    root_certificate_file: String = String::new(),
});

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sections {
    pub(crate) http: Http,
    pub(crate) tls: Tls,
    pub(crate) rate_limit: RateLimit,
    pub(crate) cors: Cors,
    pub(crate) store: Store,
    pub(crate) sqlite: Sqlite,
    pub(crate) postgres: Postgres,
    pub(crate) mongodb: Mongodb,
    pub(crate) events: Events,
    pub(crate) kafka: Kafka,
    pub(crate) patient: Patient,
    pub(crate) auth: Auth,
    pub(crate) legal_entity: LegalEntity,
    pub(crate) cache: Cache,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) tracing: Tracing,
}

impl Sections {
    /// The same with nothing in it that may not be shown.
    pub(crate) fn masked(&self) -> Self {
        let mut masked = self.clone();
        for secret in [
            &mut masked.postgres.url,
            &mut masked.postgres.migration_url,
            &mut masked.mongodb.uri,
            &mut masked.patient.key,
            &mut masked.patient.iv,
            &mut masked.auth.client_secret,
        ] {
            *secret = secret.masked();
        }
        masked
    }
}
