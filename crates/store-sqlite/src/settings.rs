use std::path::{Path, PathBuf};
use std::time::Duration;

use esoz_kernel::{StoreError, StoreErrorKind};

/// The path of the file and the limits of its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSettings {
    /// The database file. SQLite keeps two more beside it, named alike with `-wal` and `-shm` at the end. The directory must be on
    /// a disk of this machine: SQLite's locks do not hold on network file systems.
    pub path: PathBuf,
    /// The most connections for reading, 1 to 1,000. Writing has one more of its own.
    pub max_connections: u32,
    /// How long a call waits for a lock on the file or in the queue of writes, in milliseconds, 1 to 600,000. After that it fails as
    /// unavailable.
    pub busy_timeout_ms: u32,
    /// The time limit of a read that looks into documents or events, such as a search by device code, in milliseconds, 1 to 3,600,000. After that
    /// it fails as unavailable.
    pub read_timeout_ms: u32,
    /// The maximum length of the queue of writes in this process, 1 to 1,000,000. Writes beyond it fail as unavailable at once.
    pub max_waiting_writes: u32,
}

impl SqliteSettings {
    /// Creates settings for that file with the defaults: 4 connections for reading, 5 s for a lock or the queue, 5 s for a read, 1,024 queued
    /// writes.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_connections: 4,
            busy_timeout_ms: 5_000,
            read_timeout_ms: 5_000,
            max_waiting_writes: 1_024,
        }
    }

    /// Refuses settings outside their limits, naming the first.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let limits = [
            ("max_connections", self.max_connections, 1_000),
            ("busy_timeout_ms", self.busy_timeout_ms, 600_000),
            ("read_timeout_ms", self.read_timeout_ms, 3_600_000),
            ("max_waiting_writes", self.max_waiting_writes, 1_000_000),
        ];
        for (name, value, most) in limits {
            if !(1..=most).contains(&value) {
                return Err(StoreError::new(
                    StoreErrorKind::Unexpected,
                    format!("checking the settings of SQLite: {name} is {value}, it must be 1 to {most}"),
                ));
            }
        }
        Ok(())
    }

    /// The longest that a call waits.
    pub(crate) fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms.into())
    }

    /// The longest that a read takes.
    pub(crate) fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms.into())
    }

    /// The file as SQLite takes it, to open it if it is there; SQLite must not make one.
    pub(crate) fn url(&self) -> Result<String, StoreError> {
        let path = std::path::absolute(&self.path).map_err(|error| {
            let attempted = format!("finding the database {}", self.path.display());
            StoreError::new(StoreErrorKind::Unexpected, attempted).because(error)
        })?;
        Ok(format!("file:{}?mode=rw", percent_encoded(&path)))
    }
}

/// The path of a `file:` URI: all that could mean something in a URI is escaped, so that any file name will do.
fn percent_encoded(path: &Path) -> String {
    let escaped = |byte: &u8| match char::from(*byte) {
        '\\' if cfg!(windows) => "/".to_owned(),
        plain @ ('a'..='z' | 'A'..='Z' | '0'..='9' | '/' | '-' | '.' | '_' | '~' | ':') => plain.to_string(),
        _ => format!("%{byte:02X}"),
    };
    let root = if cfg!(windows) { "/" } else { "" };
    root.chars().map(String::from).chain(path.as_os_str().as_encoded_bytes().iter().map(escaped)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_limits() {
        let good = SqliteSettings::at("esoz.db");
        assert!(good.check().is_ok());
        for (bad, name) in [
            (SqliteSettings { max_connections: 0, ..good.clone() }, "max_connections"),
            (SqliteSettings { busy_timeout_ms: 600_001, ..good.clone() }, "busy_timeout_ms"),
            (SqliteSettings { read_timeout_ms: 0, ..good.clone() }, "read_timeout_ms"),
            (SqliteSettings { max_waiting_writes: 0, ..good.clone() }, "max_waiting_writes"),
        ] {
            let text = bad.check().unwrap_err().to_string();
            assert!(text.contains(name), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_file_name_is_taken_for_more_than_a_name() {
        let url = SqliteSettings::at("/tmp/a b?mode=memory#%00.db").url().unwrap();
        assert_eq!(url, "file:/tmp/a%20b%3Fmode%3Dmemory%23%2500.db?mode=rw");
    }
}
