//! The environment variables that steer where test servers come from, and the one place that reads them.

use std::path::PathBuf;

use super::error::ServerError;

/// URL of a PostgreSQL superuser's (or database creator's) database; tests make databases of their own beside it.
pub const POSTGRES_URL: &str = "ESOZ_TEST_POSTGRES_URL";
/// Folder with the certificates by which the server of [`POSTGRES_URL`] takes its user `esoz_tls`.
pub const POSTGRES_TLS_DIR: &str = "ESOZ_TEST_POSTGRES_TLS_DIR";
/// Connection string of a MongoDB replica set; tests make databases of their own on it.
pub const MONGODB_URI: &str = "ESOZ_TEST_MONGODB_URI";
/// `host:port[,host:port…]` of Kafka brokers; tests make topics of their own on them.
pub const KAFKA_BROKERS: &str = "ESOZ_TEST_KAFKA_BROKERS";
/// Folder where fetched server programs are kept (default: `esoz-test-servers` in the user's cache folder).
pub const SERVERS_DIR: &str = "ESOZ_TEST_SERVERS_DIR";

/// A variable's value, or nothing when it is unset, empty or not UTF-8.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration file: the runner tells them of servers by the environment"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder of fetched programs, which may not exist yet.
pub(super) fn servers_dir() -> Result<PathBuf, ServerError> {
    if let Some(dir) = variable(SERVERS_DIR) {
        return Ok(PathBuf::from(dir));
    }
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .ok_or_else(|| {
            ServerError::new(format!(
                "no folder to keep test servers in: none of {SERVERS_DIR}, XDG_CACHE_HOME and HOME is set; set one"
            ))
        })?;
    Ok(cache.join("esoz-test-servers"))
}
