//! The migrations of this program.

use diesel::migration::{MigrationName, MigrationSource};
use diesel::pg::Pg;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use esoz_kernel::StoreError;

use crate::error::{During as _, Failure};

pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

pub(crate) const READING: &str = "reading which migrations the database has";

/// The newest version that this program knows.
pub(crate) fn newest_known() -> String {
    known().ok().and_then(|mut known| known.pop()).map(|(version, _)| version).unwrap_or_default()
}

/// Versions and names of the migrations of this program, in order.
pub(crate) fn known() -> Result<Vec<(String, String)>, StoreError> {
    let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS);
    let migrations = migrations.map_err(|cause| Failure::of_migration(cause, None)).during(READING)?;
    let name = |name: &dyn MigrationName| (name.version().to_string(), name.to_string());
    let mut known: Vec<_> = migrations.iter().map(|migration| name(migration.name())).collect();
    known.sort();
    Ok(known)
}
