//! The limit of open files of the process, and what the configuration needs of it.

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, StoreKind};
use crate::telemetry::metrics::endpoint;

/// A connection, and the handle by which a slow client is disconnected.
const PER_CONNECTION: u64 = 2;

/// A connection to SQLite opens the file, its log and its index.
const PER_SQLITE_CONNECTION: u64 = 3;

/// Listening sockets, log, runtime, certificates, jobs, Kafka, the issuer of tokens, and what is open for a moment.
const OTHERS: u64 = 128;

/// What to do when the files do not suffice.
pub(crate) const REMEDY: &str =
    "lower `http.max_connections`, or raise the hard limit of open files (systemd: LimitNOFILE=)";

/// Raises the soft limit of open files to the hard one. If the system refuses it, [`shortage`] tells what is missing.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// Describes that more connections are configured than the process may open, if so.
pub(crate) fn shortage(config: &Config) -> Result<Option<String>> {
    Ok(match getrlimit(Resource::Nofile).current {
        Some(limit) => shortage_at(config, limit)?,
        None => None,
    })
}

/// Warns of a [`shortage`].
pub(crate) fn warn_of_shortage(config: &Config) -> Result<()> {
    if let Some(shortage) = shortage(config)? {
        tracing::warn!(
            shortage,
            remedy = REMEDY,
            "the process may not open as many files as it has connections; beyond them clients are not accepted and stores fail"
        );
    }
    Ok(())
}

fn shortage_at(config: &Config, limit: u64) -> Result<Option<String>> {
    let sections = &config.sections;
    let (max_connections, workers) = (sections.http.max_connections, config.workers()?);
    let connections = max_connections.saturating_mul(u64::try_from(workers)?);
    let stores = match config.store_kind()? {
        StoreKind::Sqlite => sections.sqlite.max_connections.saturating_mul(PER_SQLITE_CONNECTION),
        StoreKind::Servers => {
            sections.postgres.max_connections.saturating_add(sections.mongodb.max_connections)
        }
    };
    let scrapers = if config.metrics_bind()?.is_some() { endpoint::MAX_CONNECTIONS } else { 0 };
    let needed = connections
        .saturating_add(u64::try_from(scrapers)?)
        .saturating_mul(PER_CONNECTION)
        .saturating_add(stores)
        .saturating_add(OTHERS);
    Ok((needed > limit).then(|| {
        format!(
            "`http.max_connections` ({max_connections}) for each of {workers} workers (`http.workers`) and the connections to the stores \
             need {needed} open files, of which the process may have {limit}"
        )
    }))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Config::from_sources(None, variables).unwrap()
    }

    #[test]
    fn both_numbers_and_the_keys_are_named() {
        let config = config(&[
            ("ESOZ_HTTP__MAX_CONNECTIONS", "1000"),
            ("ESOZ_HTTP__WORKERS", "3"),
            ("ESOZ_SQLITE__MAX_CONNECTIONS", "4"),
        ]);
        // 2 * 1000 * 3, 3 * 4 of SQLite and 128 others.
        let shortage = shortage_at(&config, 6_139).unwrap().unwrap();
        for part in ["`http.max_connections` (1000)", "3 workers (`http.workers`)", "6140", "6139"] {
            assert!(shortage.contains(part), "{shortage}");
        }
        assert_eq!(shortage_at(&config, 6_140).unwrap(), None);
    }

    #[cfg(feature = "servers")]
    #[test]
    fn scrapers_and_store_servers_count() {
        let config = config(&[
            ("ESOZ_HTTP__MAX_CONNECTIONS", "1000"),
            ("ESOZ_HTTP__WORKERS", "1"),
            ("ESOZ_METRICS__BIND", "127.0.0.1:0"),
            ("ESOZ_STORE__KIND", "servers"),
            ("ESOZ_POSTGRES__URL", "postgres://localhost/esoz"),
            ("ESOZ_MONGODB__URI", "mongodb://localhost"),
            ("ESOZ_KAFKA__BROKERS", "localhost:9092"),
            ("ESOZ_POSTGRES__MAX_CONNECTIONS", "16"),
            ("ESOZ_MONGODB__MAX_CONNECTIONS", "64"),
        ]);
        // 2 * (1000 + 256), 16 + 64 of the stores and 128 others.
        assert!(shortage_at(&config, 2_719).unwrap().unwrap().contains("2720"));
        assert_eq!(shortage_at(&config, 2_720).unwrap(), None);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        let lowered = before.maximum.map(|maximum| maximum - 1);
        setrlimit(Resource::Nofile, Rlimit { current: lowered, maximum: before.maximum }).unwrap();
        raise_limit();
        let after = getrlimit(Resource::Nofile);
        assert_eq!((after.current, after.maximum), (before.maximum, before.maximum));
    }
}
