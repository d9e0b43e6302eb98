use esoz_store_sqlite::{SqliteSettings, SqliteStore, migrate};
use tempfile::TempDir;

/// A store of its own, empty, on a file that goes when it goes.
pub(crate) struct Fresh {
    pub(crate) dir: TempDir,
    pub(crate) settings: SqliteSettings,
    pub(crate) store: SqliteStore,
}

pub(crate) fn fresh() -> Fresh {
    fresh_with(|settings| SqliteSettings { busy_timeout_ms: 60_000, ..settings })
}

pub(crate) fn fresh_with(set: impl FnOnce(SqliteSettings) -> SqliteSettings) -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let settings = set(SqliteSettings::at(dir.path().join("esoz.db")));
    migrate(&settings).unwrap();
    let store = SqliteStore::open(&settings).unwrap();
    Fresh { dir, settings, store }
}
