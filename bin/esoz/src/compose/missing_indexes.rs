//! Indexes that are missing, for health checks and `doctor`: nothing fails without them, but lists and jobs are slow.

use esoz_kernel::StoreError;
use esoz_store_mongo::MongoStore;
use esoz_store_postgres::PostgresStore;

/// How the indexes of PostgreSQL are created again.
pub(crate) const POSTGRESQL_REMEDY: &str =
    "create them again by their statements in crates/store-postgres/migrations";
/// How those of MongoDB are.
pub(crate) const MONGODB_REMEDY: &str = "`esoz migrate` creates them";

/// Looks for the indexes of PostgreSQL.
///
/// # Errors
/// What is missing, or why the database could not be asked.
pub(crate) async fn postgres(store: &PostgresStore) -> Result<(), String> {
    none_missing(store.missing_indexes().await)
}

/// Looks for the indexes of MongoDB.
///
/// # Errors
/// What is missing, or why the server cannot be used.
pub(crate) async fn mongo(store: &MongoStore) -> Result<(), String> {
    none_missing(store.check_schema().await)
}

fn none_missing(missing: Result<Vec<String>, StoreError>) -> Result<(), String> {
    let missing = missing.map_err(|error| error.with_causes())?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("indexes are missing, so that lists and jobs are slow: {}", missing.join(", ")))
}
