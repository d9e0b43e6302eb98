#![doc = include_str!("../README.md")]

mod audit;
mod columns;
mod connection;
mod connector;
mod contract_division;
mod credentials;
mod endpoint;
mod error;
mod event_log;
mod idempotency;
mod indexes;
mod key;
mod known_migrations;
mod legal_entities;
mod migrations;
mod outbox;
mod pool;
mod pooler;
mod registries;
mod scan;
mod schema;
mod settings;
mod sqlstate;
mod statement;
mod store;
mod time;
mod tokens;
mod transaction;
mod upsert;

pub use migrations::{Migrated, Schema, SchemaError, migrate};
pub use settings::PostgresSettings;
pub use store::PostgresStore;
