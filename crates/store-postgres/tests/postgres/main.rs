//! What is special to PostgreSQL, against a real server: migrations, rights, the audit trigger, locks, outages.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: a failure is to end them")]

mod audit;
mod audit_sabotage;
mod batch;
mod corrupt;
mod corrupt_registries;
mod idempotency;
mod locks;
mod migrations;
mod outages;
mod pooler;
mod rights;
mod schema;
mod support;
mod tls;
