//! Every key of the configuration with its default and, for a number, its range. `docs/esoz.example.toml` explains the keys; a test
//! holds it against this file.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use esoz_device_dispense::{CreatePolicy, DispensePolicy};
use esoz_kernel::SecretString;
use serde::{Deserialize, Serialize};

use super::masked::{properties, secret, secret_url};

/// One hour, the upper bound of every time limit.
pub(super) const HOUR_MS: u64 = 3_600_000;

/// A hundred years, the upper bound of a dispense's lifetime.
const LIFETIME_MAX_S: u64 = 36_525 * 86_400;

/// MongoDB's relays share one document, which holds the claims of dozens of relays if each claims at most so many entities.
const MAX_ENTITIES: u64 = 10_000;

/// Defines the sections: `section: Type { key: type [range] = default; }`. A range that depends on other keys is in `validate.rs`.
macro_rules! sections {
    ($($section:ident: $name:ident {
        $($(#[$meta:meta])? $key:ident: $kind:ty $([$range:expr])? = $default:expr;)+
    })+) => {
        $(
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $name {
                $($(#[$meta])? pub(crate) $key: $kind),+
            }

            impl Default for $name {
                fn default() -> Self {
                    Self { $($key: $default),+ }
                }
            }
        )+

        /// The whole configuration.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Sections {
            $(pub(crate) $section: $name),+
        }

        impl Sections {
            /// Every key, as `section.key`.
            pub(super) fn key_names() -> Vec<&'static str> {
                vec![$($(concat!(stringify!($section), ".", stringify!($key))),+),+]
            }

            /// The keys with another value there, as `section.key`.
            pub(crate) fn changed_keys(&self, other: &Self) -> Vec<&'static str> {
                let keys = [$($((
                    concat!(stringify!($section), ".", stringify!($key)),
                    self.$section.$key != other.$section.$key,
                )),+),+];
                keys.into_iter().filter_map(|(key, is_changed)| is_changed.then_some(key)).collect()
            }

            /// The keys of numbers with their values and ranges.
            pub(super) fn numbers(&self) -> Vec<(&'static str, u64, RangeInclusive<u64>)> {
                vec![$($($(
                    (concat!(stringify!($section), ".", stringify!($key)), self.$section.$key, $range),
                )?)+)+]
            }
        }
    };
}

sections! {
    http: Http {
        bind: String = "127.0.0.1:8080".to_owned();
        public_url: String = String::new();
        trusted_proxies: Vec<String> = Vec::new();
        body_max_bytes: u64 [2..=64 << 20] = 65_536;
        signed_body_max_bytes: u64 [2..=64 << 20] = 1 << 20;
        headers_max_bytes: u64 [1_024..=128 << 10] = 32_768;
        headers_max_count: u64 [16..=96] = 64;
        head_timeout_ms: u64 [1..=HOUR_MS] = 5_000;
        body_timeout_ms: u64 [1..=HOUR_MS] = 10_000;
        request_timeout_ms: u64 [1..=HOUR_MS] = 30_000;
        keep_alive_ms: u64 [0..=HOUR_MS] = 5_000;
        max_connections: u64 [1..=1_000_000] = 10_000;
        max_in_flight: u64 [1..=1_000_000] = 1_024;
        workers: u64 [0..=1_024] = 0;
        inspector: bool = false;
        drain_ms: u64 [0..=HOUR_MS] = 500;
        shutdown_timeout_s: u64 [0..=3_600] = 6;
    }
    tls: Tls {
        certificate_file: String = String::new();
        private_key_file: String = String::new();
        reload_ms: u64 [100..=HOUR_MS] = 5_000;
    }
    rate_limit: RateLimit {
        requests_per_second: u64 [0..=1_000_000] = 0;
        burst: u64 = 0;
        failed_authentications_per_minute: u64 [0..=1_000_000] = 0;
    }
    cors: Cors {
        allowed_origins: Vec<String> = Vec::new();
    }
    store: Store {
        kind: String = "sqlite".to_owned();
    }
    sqlite: Sqlite {
        path: String = "esoz.sqlite".to_owned();
        max_connections: u64 [1..=64] = 4;
        busy_timeout_ms: u64 [1..=HOUR_MS] = 5_000;
        read_timeout_ms: u64 [1..=HOUR_MS] = 5_000;
    }
    postgres: Postgres {
        #[serde(with = "secret_url")] url: SecretString = SecretString::default();
        url_file: String = String::new();
        #[serde(with = "secret_url")] migration_url: SecretString = SecretString::default();
        migration_url_file: String = String::new();
        root_certificate_file: String = String::new();
        client_certificate_file: String = String::new();
        client_private_key_file: String = String::new();
        max_connections: u64 [1..=1_024] = 16;
        connect_timeout_ms: u64 [1..=HOUR_MS] = 2_000;
        pool_wait_timeout_ms: u64 [1..=HOUR_MS] = 2_000;
        statement_timeout_ms: u64 [1..=HOUR_MS] = 5_000;
        lock_timeout_ms: u64 [1..=HOUR_MS] = 3_000;
    }
    mongodb: Mongodb {
        #[serde(with = "secret_url")] uri: SecretString = SecretString::default();
        uri_file: String = String::new();
        root_certificate_file: String = String::new();
        client_certificate_file: String = String::new();
        database: String = "esoz".to_owned();
        max_connections: u64 [1..=10_000] = 64;
        connect_timeout_ms: u64 [1..=HOUR_MS] = 2_000;
        server_selection_timeout_ms: u64 [1..=HOUR_MS] = 2_000;
        operation_timeout_ms: u64 [1..=HOUR_MS] = 5_000;
    }
    events: Events {
        bus: String = String::new();
        topic: String = "event_manager_topic".to_owned();
        poll_ms: u64 [10..=HOUR_MS] = 1_000;
        lease_ms: u64 = 20_000;
        max_entities: u64 [1..=MAX_ENTITIES] = 500;
        backoff_first_ms: u64 [1..=HOUR_MS] = 100;
        backoff_longest_ms: u64 = 5_000;
        store: bool = true;
        group: String = "event_topic_group".to_owned();
        skip_entity_types: Vec<String> = vec!["Person".to_owned(), "Preperson".to_owned()];
        list_max_period_hours: u64 [1..=8_784] = 1;
        keep_days: u64 [1..=36_500] = 30;
        keep_count: u64 [0..=4_000_000_000] = 0;
    }
    kafka: Kafka {
        brokers: String = String::new();
        tls: String = "auto".to_owned();
        root_certificate_file: String = String::new();
        client_certificate_file: String = String::new();
        client_private_key_file: String = String::new();
        sasl_mechanism: String = String::new();
        username: String = String::new();
        #[serde(with = "secret")] password: SecretString = SecretString::default();
        password_file: String = String::new();
        token_file: String = String::new();
        delivery_timeout_ms: u64 [100..=HOUR_MS] = 10_000;
        partitions: u64 [1..=10_000] = 6;
        replication: u64 [1..=100] = 1;
        #[serde(with = "properties")] properties: BTreeMap<String, SecretString> = BTreeMap::new();
    }
    patient: Patient {
        pseudonym: String = "hmac-sha256".to_owned();
        #[serde(with = "secret")] key: SecretString = SecretString::default();
        key_file: String = String::new();
        #[serde(with = "secret")] iv: SecretString = SecretString::default();
        iv_file: String = String::new();
    }
    device_dispense: DeviceDispense {
        lifetime_s: u64 [0..=LIFETIME_MAX_S] = 0;
        expire_every_s: u64 [1..=86_400] = 60;
        system_user_id: String = String::new();
        patient_list: String = "own".to_owned();
        active_patients: bool = CreatePolicy::default().requires_active_patient;
        verified_patients: bool = CreatePolicy::default().requires_verified_patient;
        division_dls_verify: bool = CreatePolicy::default().requires_dls_verification;
        discount_tolerance: String = CreatePolicy::default().discount_tolerance.to_string();
        discount_deviation: String = String::new();
        max_wrong_codes: u64 [1..=1_000] = CreatePolicy::default().max_wrong_codes.into();
        units: BTreeMap<String, String> = CreatePolicy::default().units;
        complete_by_author: bool = DispensePolicy::default().is_author_required;
        mark_in_error_reasons: Vec<String> = DispensePolicy::default().mark_in_error_reasons.into_iter().collect();
    }
    signature: Signature {
        verifier: String = "none".to_owned();
        authorities_file: String = String::new();
        revocation_lists_file: String = String::new();
        revocation_required: bool = false;
        validity_time: String = "now".to_owned();
        non_repudiation: bool = false;
        url: String = String::new();
        timeout_ms: u64 [1..=60_000] = 10_000;
        max_answer_bytes: u64 [1..=16 << 20] = 4 << 20;
        max_concurrent_requests: u64 [1..=1_024] = 16;
        root_certificate_file: String = String::new();
        accept_unsigned: bool = false;
        unsigned_drfo: String = String::new();
    }
    media: Media {
        storage: String = "folder".to_owned();
        folder: String = "esoz-media".to_owned();
        endpoint: String = String::new();
        bucket: String = String::new();
        region: String = "us-east-1".to_owned();
        prefix: String = String::new();
        access_key_id: String = String::new();
        #[serde(with = "secret")] secret_access_key: SecretString = SecretString::default();
        secret_access_key_file: String = String::new();
        root_certificate_file: String = String::new();
        timeout_ms: u64 [1..=HOUR_MS] = 10_000;
        max_concurrent_operations: u64 [1..=1_024] = 16;
        sweep_every_s: u64 [1..=86_400] = 3_600;
        sweep_days: u64 [0..=365] = 7;
    }
    auth: Auth {
        tokens: String = "store".to_owned();
        url: String = String::new();
        issuer: String = String::new();
        audience: String = String::new();
        algorithms: Vec<String> = Vec::new();
        client_id: String = String::new();
        #[serde(with = "secret")] client_secret: SecretString = SecretString::default();
        client_secret_file: String = String::new();
        timeout_ms: u64 [1..=HOUR_MS] = 3_000;
        root_certificate_file: String = String::new();
    }
    registries: Registries {
        source: String = "store".to_owned();
        kinds: Vec<String> = Vec::new();
        url: String = String::new();
        #[serde(with = "secret")] token: SecretString = SecretString::default();
        token_file: String = String::new();
        timeout_ms: u64 [1..=60_000] = 3_000;
        max_answer_bytes: u64 [1..=16 << 20] = 1 << 20;
        max_concurrent_requests: u64 [1..=1_024] = 64;
        root_certificate_file: String = String::new();
        cache_ttl_ms: u64 [0..=HOUR_MS] = 5_000;
        cache_max_entries: u64 [1..=100_000_000] = 10_000;
    }
    legal_entity: LegalEntity {
        allowed_types: Vec<String> = Vec::new();
    }
    cache: Cache {
        ttl_ms: u64 [0..=HOUR_MS] = 2_000;
        max_entries: u64 [1..=100_000_000] = 100_000;
    }
    metrics: Metrics {
        bind: String = String::new();
    }
    log: Log {
        level: String = "info".to_owned();
        format: String = "auto".to_owned();
    }
    tracing: Tracing {
        endpoint: String = String::new();
        sample_permille: u64 [0..=1_000] = 1_000;
        service_name: String = "esoz".to_owned();
        timeout_ms: u64 [1..=HOUR_MS] = 3_000;
        root_certificate_file: String = String::new();
    }
}
