//! Migrates the schema, and checks that it is one that this program can use.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::Migration as _;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use diesel_migrations::MigrationHarness;
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::PostgresStore;
use crate::audit;
use crate::connection::open;
use crate::endpoint::EndpointSource;
use crate::error::{During as _, Failure};
use crate::indexes::create_missing;
use crate::known_migrations::{MIGRATIONS, READING, known};
use crate::pooler::require_sessions;
use crate::schema::schema_compatibility;
use crate::settings::PostgresSettings;
use crate::sqlstate::SqlstateMonitor;

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries to take the advisory lock ("esoz") that serializes migrations. Polled, because a statement that waits holds a snapshot, which
/// CREATE INDEX CONCURRENTLY would wait for: a deadlock.
const TRY_LOCK: &str = "pg_try_advisory_lock(1702063994)";

/// Longest time to wait for another program that migrates the same database, and the time between two looks.
const LOCK_TIMEOUT: Duration = Duration::from_mins(1);
const LOCK_POLL: Duration = Duration::from_millis(50);

const SESSION: &str = "SET search_path = public; SET TIME ZONE 'UTC'; SET statement_timeout = 0";

/// A migration waits only so long for a lock that a running service holds: statements that come later wait behind it.
const WAIT_BRIEFLY: &str = "SET lock_timeout = '5s'";

/// Prepares a concurrent build of an index: drops what an interrupted build left, by its name, since others may build indexes here; and lets the
/// build wait for older transactions, since it blocks no other statement while it waits.
const PREPARE_BUILD: &str = "DO $$ BEGIN
    IF EXISTS (
        SELECT FROM pg_index AS built JOIN pg_class AS index ON index.oid = built.indexrelid
        WHERE NOT built.indisvalid AND index.relnamespace = 'public'::regnamespace
            AND index.relname = 'contract_divisions_inserted_at')
    THEN
        DROP INDEX public.contract_divisions_inserted_at;
    END IF;
END $$; SET lock_timeout = '10min'";

/// The result of [`migrate`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Names of the migrations that were applied, in order, `index` with the name of each index that was missing and was created, and
    /// `function` or `trigger` with the name of each part of the audit that was replaced and was restored.
    pub applied: Vec<String>,
    /// Versions of applied migrations that this program does not know. If there are any, nothing was done.
    pub unknown: Vec<String>,
}

/// Migrates the database at the URL of the settings, whose limits do not apply, to the schema of this program, and creates indexes that are missing. Leaves a database with unknown
/// migrations as it is.
///
/// The login of the URL needs the right to create tables in the schema `public` and, unless the role `esoz_service` exists, roles.
///
/// Each migration is a transaction, or one statement that can be run again. It is safe to run this repeatedly, concurrently, and while the
/// service runs. It waits 5 s for a connection, 60 s for another program that migrates the same database, and 5 s for a lock of a running service. Requires a Tokio runtime; dropping
/// the future does not stop a migration that has started.
///
/// # Errors
/// [`StoreError`]; the migrations before the one that failed stay applied, and the next run continues after them.
pub async fn migrate(settings: &PostgresSettings) -> Result<Migrated, StoreError> {
    let (url, tls) = (settings.url.clone(), settings.tls.clone());
    let endpoint = Arc::new(EndpointSource::new(url, tls, "esoz migrate", CONNECT_TIMEOUT));
    endpoint.read()?;
    // Before anything is set, since it would be set for others.
    require_sessions(&endpoint, CONNECT_TIMEOUT).await.during("connecting to the database to migrate")?;
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, open(endpoint, SESSION)).await;
    let opened = opened.unwrap_or_else(|_| Err(Failure::unavailable("the server did not respond in time")));
    let (mut db, monitor) = opened.during("connecting to the database to migrate")?;
    let locked = tokio::time::timeout(LOCK_TIMEOUT, lock(&mut db, &monitor)).await;
    let locked = locked.unwrap_or_else(|_| Err(Failure::unavailable("it did not end in time")));
    locked.during("waiting for another program that is migrating the same database")?;
    // The lock is released with the connection, which the task drops when it is done.
    let run = tokio::task::spawn_blocking(move || run_pending(db, &monitor)).await;
    run.map_err(|error| StoreError::new(StoreErrorKind::Unexpected, "migrating the database").because(error))?
}

/// Waits for the lock of migrations.
async fn lock(db: &mut AsyncPgConnection, monitor: &SqlstateMonitor) -> Result<(), Failure> {
    loop {
        // diesel has a method of that name as well.
        let locked = RunQueryDsl::get_result(diesel::select(sql::<Bool>(TRY_LOCK)), db).await;
        if locked.map_err(|error| Failure::of_query(error, monitor.take_sql_state()))? {
            return Ok(());
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

/// Applies the missing migrations in order.
fn run_pending(db: AsyncPgConnection, monitor: &SqlstateMonitor) -> Result<Migrated, StoreError> {
    let failed =
        |cause, attempted: &str| Failure::of_migration(cause, monitor.take_sql_state()).during(attempted);
    let mut db = AsyncConnectionWrapper::<AsyncPgConnection>::from(db);
    let known = known()?;
    let applied = db.applied_migrations().map_err(|cause| failed(cause, READING))?;
    let unknown = unknown(&known, applied.iter().map(ToString::to_string).collect());
    if !unknown.is_empty() {
        return Ok(Migrated { applied: Vec::new(), unknown });
    }
    let pending = db.pending_migrations(MIGRATIONS).map_err(|cause| failed(cause, READING))?;
    let mut applied = Vec::with_capacity(pending.len());
    for migration in &pending {
        let name = migration.name().to_string();
        let prepare = if migration.metadata().run_in_transaction() { WAIT_BRIEFLY } else { PREPARE_BUILD };
        let prepared = SimpleConnection::batch_execute(&mut db, prepare);
        prepared.map_err(|error| failed(error.into(), &format!("preparing migration {name}")))?;
        db.run_migration(migration).map_err(|cause| failed(cause, &format!("running migration {name}")))?;
        tracing::info!(migration = %name, "migration done");
        applied.push(name);
    }
    let created = create_missing(&mut db);
    let created = created.map_err(|error| failed(error.into(), "creating indexes that are missing"))?;
    applied.extend(created.iter().map(|name| format!("index {name}")));
    let restored = audit::restore(&mut db);
    applied.extend(restored.map_err(|error| failed(error.into(), "restoring the audit"))?);
    Ok(Migrated { applied, unknown })
}

/// A schema that this program can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// It equals the program's own.
    Known,
    /// It is newer, and each unknown migration declares itself compatible with this program.
    Newer {
        /// Versions of the unknown migrations.
        unknown: Vec<String>,
        /// The last version that this program knows.
        known_until: String,
    },
}

/// A schema that this program cannot use, or that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Migrations are missing.
    #[error("the database's schema is older than this program: run `esoz migrate` (missing: {})", .missing.join(", "))]
    Older {
        /// Names of the missing migrations.
        missing: Vec<String>,
    },
    /// There are unknown migrations, and not all declare themselves compatible with this program.
    #[error(
        "the database's schema is newer than this program, and not made for it: update the program (unknown to it: {})",
        .unknown.join(", ")
    )]
    Newer {
        /// Versions of the unknown migrations.
        unknown: Vec<String>,
    },
    /// The schema could not be read.
    #[error("the database's schema could not be checked")]
    Store(#[from] StoreError),
}

diesel::table! {
    /// The applied migrations; diesel's own table.
    #[sql_name = "__diesel_schema_migrations"]
    schema_migrations (version) {
        version -> Text,
    }
}

impl PostgresStore {
    /// Checks that this program can use the schema: it equals the program's own, or is newer and declared compatible; and that each connection has a
    /// session of the server to itself. Services call it at startup, before anything else, so that what is wrong fails there and not at the first
    /// request.
    ///
    /// # Errors
    /// [`SchemaError`], which names the remedy.
    pub async fn check_schema(&self) -> Result<Schema, SchemaError> {
        let manager = self.connections.pool.manager();
        let sessions = require_sessions(&manager.endpoint, manager.connect_timeout).await;
        sessions.during("connecting to PostgreSQL")?;
        let known = known()?;
        let applied =
            self.versions(schema_migrations::table.select(schema_migrations::version), READING).await?;
        let missing = known.iter().filter(|(version, _)| !applied.contains(version));
        let missing: Vec<String> = missing.map(|(_, name)| name.clone()).collect();
        let unknown = unknown(&known, applied);
        if unknown.is_empty() {
            return if missing.is_empty() { Ok(Schema::Known) } else { Err(SchemaError::Older { missing }) };
        }
        let newest = known.last().map(|(version, _)| version.as_str()).unwrap_or_default();
        if missing.is_empty() && self.is_compatible(newest, &unknown).await? {
            Ok(Schema::Newer { unknown, known_until: newest.to_owned() })
        } else {
            Err(SchemaError::Newer { unknown })
        }
    }

    /// Whether each of these migrations declares itself compatible with a program that knows all up to `newest`.
    async fn is_compatible(&self, newest: &str, unknown: &[String]) -> Result<bool, StoreError> {
        let declared = schema_compatibility::table
            .filter(schema_compatibility::works_from.le(newest.to_owned()))
            .select(schema_compatibility::version);
        let declared =
            self.versions(declared, "reading which programs a newer schema is compatible with").await?;
        Ok(unknown.iter().all(|version| declared.contains(version)))
    }

    /// Reads versions of migrations; none from a database that was never migrated.
    async fn versions<Q>(&self, query: Q, attempted: &str) -> Result<BTreeSet<String>, StoreError>
    where
        Q: LoadQuery<'static, AsyncPgConnection, String> + Clone + Send + 'static,
    {
        // Boxed, because an embedder's startup nests this future deeply.
        match Box::pin(self.connections.query(query)).await {
            Err(failure) if failure.is_missing_schema() => Ok(BTreeSet::new()),
            versions => Ok(versions.during(attempted)?.into_iter().collect()),
        }
    }
}

/// The applied versions that this program does not know.
fn unknown(known: &[(String, String)], applied: BTreeSet<String>) -> Vec<String> {
    applied.into_iter().filter(|version| known.iter().all(|(known, _)| known != version)).collect()
}
