#![doc = include_str!("../README.md")]

mod audit;
mod connection;
mod contract_division;
mod credentials;
mod device_dispense;
mod device_request;
mod error;
mod event_log;
mod fingerprint;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod idempotency;
mod known_migrations;
mod legal_entities;
mod migrations;
mod opened_file;
mod outbox;
mod prepared;
#[cfg(test)]
mod query_plan;
mod read_limit;
mod readers;
mod registries;
mod rows;
mod scan;
mod schema;
mod settings;
mod store;
mod tokens;
mod write_probe;
mod writer;

pub use migrations::migrate;
pub use settings::SqliteSettings;
pub use store::SqliteStore;
