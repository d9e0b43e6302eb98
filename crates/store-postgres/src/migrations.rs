//! Making the schema, and checking that it is the one that this program knows.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use diesel::migration::{Migration as _, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

use crate::PostgresStore;
use crate::connection::{NO_ROLE, open};
use crate::error::Failure;
use crate::schema::schema_compatibility;
use crate::settings::{HIDDEN, parse};
use zeroize::Zeroizing;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Held while migrating ("esoz"), so that of several programs that migrate one database at once, one does the work.
const LOCK: i64 = 0x6573_6f7a;

/// How to migrate a database.
#[derive(Clone, PartialEq, Eq)]
pub struct MigrationSettings {
    /// URL of the database under a login that may make tables in its schema `public` and, unless the role `esoz_service` is
    /// there, roles. Hidden from `Debug` and wiped when dropped: it holds a password.
    pub url: Zeroizing<String>,
    /// Longest time to connect, in milliseconds.
    pub connect_timeout_ms: u32,
    /// Longest time to wait for another program that is migrating the same database, in milliseconds.
    pub wait_timeout_ms: u32,
    /// Longest time that one migration waits for a lock that a running service holds, in milliseconds. Whoever comes
    /// after it waits with it.
    pub lock_timeout_ms: u32,
}

impl MigrationSettings {
    /// The settings for a URL: 5 s to connect, 60 s for another program, 5 s for a lock.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Zeroizing::new(url.into()),
            connect_timeout_ms: 5_000,
            wait_timeout_ms: 60_000,
            lock_timeout_ms: 5_000,
        }
    }
}

impl fmt::Debug for MigrationSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MigrationSettings")
            .field("url", &HIDDEN)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("wait_timeout_ms", &self.wait_timeout_ms)
            .field("lock_timeout_ms", &self.lock_timeout_ms)
            .finish()
    }
}

/// What migrating a database came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The names of the migrations that were run, in their order; none when there was nothing to do.
    pub applied: Vec<String>,
    /// The versions of migrations that the database has had and this program does not know. If there is any, nothing was done.
    pub unknown: Vec<String>,
}

/// Brings the database to the schema that this program knows. One that has migrations that it does not know is left as it is.
///
/// Each migration is a transaction. It may be run again, by several at once, and while the service runs. It must be called on
/// a tokio runtime; dropping the future does not stop a migration that has begun.
///
/// # Errors
/// [`StoreError`]; migrations that were run before the one that failed stay, and running it again goes on from there.
pub async fn migrate(settings: &MigrationSettings) -> Result<Migrated, StoreError> {
    let connect_timeout = Duration::from_millis(settings.connect_timeout_ms.into());
    let config = parse(&settings.url, "esoz migrate", connect_timeout)?;
    let attempted = "connecting to the database to migrate";
    let session = format!(
        "SET search_path = public;
         SET TIME ZONE 'UTC';
         SET statement_timeout = 0;
         SET lock_timeout = {};",
        settings.wait_timeout_ms
    );
    let (mut db, monitor) = tokio::time::timeout(connect_timeout, open(&config, &session))
        .await
        .unwrap_or_else(|_| {
            Err(Failure::unavailable("the server did not let us in within connect_timeout_ms"))
        })
        .map_err(|failure| failure.during(attempted))?;
    let lock = format!("SELECT pg_advisory_lock({LOCK}); SET lock_timeout = {};", settings.lock_timeout_ms);
    db.batch_execute(&lock).await.map_err(|error| {
        let failure = Failure::of_query(error, monitor.take_sql_state());
        failure.during("waiting for another program that is migrating the same database")
    })?;
    // The lock goes with the connection, which the task drops when it is done.
    let run = tokio::task::spawn_blocking(move || run_pending(db));
    let done = run.await.map_err(|error| {
        StoreError::new(StoreErrorKind::Unexpected, "migrating the database").because(error)
    })?;
    done.map_err(|(attempted, cause)| failed(cause, monitor.take_sql_state()).during(attempted))
}

type Cause = Box<dyn Error + Send + Sync>;

/// Runs what is missing, one after the other; an error comes with what was attempted.
fn run_pending(db: AsyncPgConnection) -> Result<Migrated, (String, Cause)> {
    let read_failed = |cause| (String::from("looking which migrations the database has"), cause);
    let mut db = AsyncConnectionWrapper::<AsyncPgConnection>::from(db);
    let known = known().map_err(read_failed)?;
    let applied = db.applied_migrations().map_err(read_failed)?;
    let applied: BTreeSet<String> = applied.iter().map(ToString::to_string).collect();
    let unknown = unknown(&known, applied);
    if !unknown.is_empty() {
        return Ok(Migrated { applied: Vec::new(), unknown });
    }
    let pending = db.pending_migrations(MIGRATIONS).map_err(read_failed)?;
    let mut done = Vec::with_capacity(pending.len());
    for migration in &pending {
        let name = migration.name().to_string();
        db.run_migration(migration).map_err(|cause| (format!("running migration {name}"), cause))?;
        tracing::info!(migration = %name, "migration done");
        done.push(name);
    }
    Ok(Migrated { applied: done, unknown })
}

fn failed(cause: Cause, sql_state: Option<SqlState>) -> Failure {
    let failure = match cause.downcast::<diesel::result::Error>() {
        Ok(error) => Failure::of_query(*error, sql_state),
        Err(cause) => match sql_state {
            Some(state) => Failure::of_query(diesel::result::Error::QueryBuilderError(cause), Some(state)),
            None => Failure::unexpected(cause),
        },
    };
    match failure.sql_state() {
        Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => failure.with_hint(
            "the login may not: it must own the database, and may it not make roles, an administrator runs \
             `CREATE ROLE esoz_service NOLOGIN` first",
        ),
        Some(state) if *state == SqlState::LOCK_NOT_AVAILABLE => {
            failure.with_hint("a table is in use by others; nothing of it was done, run it again")
        }
        _ => failure,
    }
}

/// A schema that this program works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// It is the one that this program knows.
    Known,
    /// It is newer, and each migration that this program does not know says that it may go on.
    Newer {
        /// Their versions.
        unknown: Vec<String>,
        /// The last version that this program knows.
        known_until: String,
    },
}

/// Why the schema is not one that this program works on.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Migrations are missing.
    #[error("the database's schema is older than this program: run `esoz migrate` (missing: {})", .missing.join(", "))]
    Older {
        /// Which.
        missing: Vec<String>,
    },
    /// There are migrations that this program does not know, and not all of them say that it may go on.
    #[error(
        "the database's schema is newer than this program, and not made for it: update the program (unknown to it: {})",
        .unknown.join(", ")
    )]
    Newer {
        /// Their versions.
        unknown: Vec<String>,
    },
    /// It could not be found out.
    #[error("the database's schema could not be checked")]
    Store(#[source] StoreError),
}

diesel::table! {
    /// The migrations that were run; diesel's own table.
    #[sql_name = "__diesel_schema_migrations"]
    schema_migrations (version) {
        version -> Text,
    }
}

impl PostgresStore {
    /// Checks that the database has a schema that this program works on: the one that it knows, or a newer one whose migrations all let it.
    /// For the start of a service, so that it is refused there and not at the first request.
    ///
    /// # Errors
    /// [`SchemaError`], which says what to do.
    pub async fn check_schema(&self) -> Result<Schema, SchemaError> {
        let attempted = "reading which migrations the database has";
        let known = known().map_err(|cause| {
            SchemaError::Store(StoreError::new(StoreErrorKind::Unexpected, attempted).because(cause))
        })?;
        let applied: BTreeSet<String> =
            match self.connections.query(schema_migrations::table.select(schema_migrations::version)).await {
                Ok(versions) => versions.into_iter().collect(),
                // Nothing was migrated yet: there is no table of migrations, or not even the role to look for it as.
                Err(failure) if is_of_an_empty_database(&failure) => BTreeSet::new(),
                Err(failure) => return Err(SchemaError::Store(failure.during(attempted))),
            };
        let missing = known.iter().filter(|(version, _)| !applied.contains(version));
        let missing: Vec<String> = missing.map(|(_, name)| name.clone()).collect();
        let unknown = unknown(&known, applied);
        if !missing.is_empty() && unknown.is_empty() {
            return Err(SchemaError::Older { missing });
        }
        if unknown.is_empty() {
            return Ok(Schema::Known);
        }
        let newest = known.last().map(|(version, _)| version.as_str()).unwrap_or_default();
        if missing.is_empty() && self.is_compatible(newest, &unknown).await? {
            Ok(Schema::Newer { unknown, known_until: newest.to_owned() })
        } else {
            Err(SchemaError::Newer { unknown })
        }
    }

    /// Whether each of these migrations says that a program which knows all up to that one may go on.
    async fn is_compatible(&self, newest: &str, unknown: &[String]) -> Result<bool, SchemaError> {
        let stated = schema_compatibility::table
            .filter(schema_compatibility::works_from.le(newest.to_owned()))
            .select(schema_compatibility::version);
        let stated: Vec<String> = match self.connections.query(stated).await {
            Ok(stated) => stated,
            Err(failure) if failure.sql_state() == Some(&SqlState::UNDEFINED_TABLE) => Vec::new(),
            Err(failure) => {
                return Err(SchemaError::Store(failure.during("reading who may work on a newer schema")));
            }
        };
        Ok(unknown.iter().all(|version| stated.contains(version)))
    }
}

fn is_of_an_empty_database(failure: &Failure) -> bool {
    failure.sql_state() == Some(&SqlState::UNDEFINED_TABLE) || failure.hint() == Some(NO_ROLE)
}

/// Those of these versions that the program does not know.
fn unknown(known: &[(String, String)], applied: BTreeSet<String>) -> Vec<String> {
    applied.into_iter().filter(|version| known.iter().all(|(known, _)| known != version)).collect()
}

/// Versions and names of the migrations of this program, in their order.
fn known() -> Result<Vec<(String, String)>, Cause> {
    let mut known: Vec<_> = MigrationSource::<Pg>::migrations(&MIGRATIONS)?
        .iter()
        .map(|migration| (migration.name().version().to_string(), migration.name().to_string()))
        .collect();
    known.sort();
    Ok(known)
}
