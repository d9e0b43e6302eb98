#![doc = include_str!("../README.md")]

mod connection;
mod contract_divisions;
mod credentials;
mod error;
mod keys;
mod legal_entities;
mod migrations;
mod pool;
mod registry;
mod schema;
mod settings;
mod sqlstate;
mod statement;
mod store;
mod time;
mod tokens;
mod update_statements;
mod updates;

pub use migrations::{Migrated, MigrationSettings, Schema, SchemaError, migrate};
pub use settings::PostgresSettings;
pub use store::PostgresStore;
