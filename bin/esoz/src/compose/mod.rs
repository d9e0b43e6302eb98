//! Builds the adapter behind each port, by the configuration.

pub(crate) mod backend;
pub(crate) mod broker;
pub(crate) mod bus;
pub(crate) mod caches;
mod check;
pub(crate) mod database;
pub(crate) mod documents;
pub(crate) mod jobs;
#[cfg(feature = "servers")]
mod kafka;
pub(crate) mod missing_indexes;
pub(crate) mod open;
mod parts;
pub(crate) mod patient_key;
pub(crate) mod registries;
#[cfg(feature = "servers")]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
pub(crate) mod stores;
pub(crate) mod tokens;
pub(crate) mod transport;
pub(crate) mod trust;

pub(crate) use check::check;
pub use parts::Parts;
