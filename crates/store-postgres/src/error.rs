//! Translates errors of the driver into [`StoreError`]s: by SQLSTATE, never by text.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use deadpool::managed::PoolError;
use diesel::result::{ConnectionError, DatabaseErrorKind, Error as QueryError};
use esoz_kernel::{StoreError, StoreErrorKind, with_causes};
use tokio_postgres::error::SqlState;

/// What to do when the service role does not exist; the first migration creates it.
const NO_ROLE: &str = "the database has no role esoz_service: run `esoz migrate`";
const NOT_A_MEMBER: &str =
    "the login may not take the role esoz_service: run `GRANT esoz_service TO …` for it as an administrator";
const NOT_THE_OWNER: &str = "the login lacks the right: it must own the database and its tables, and unless it may create roles, an administrator \
     runs `CREATE ROLE esoz_service NOLOGIN` first";
const READ_ONLY: &str = "it takes no writes: it is a standby, or default_transaction_read_only is on";
/// What to do when changes of contract divisions would not be audited.
const AUDIT_OFF: &str = "the audit trigger is off or gone; as the owner: `CREATE OR REPLACE TRIGGER contract_divisions_audit AFTER INSERT OR UPDATE \
     OR DELETE ON contract_divisions FOR EACH ROW EXECUTE FUNCTION esoz_audit()`, then `ALTER TABLE contract_divisions ENABLE ALWAYS \
     TRIGGER contract_divisions_audit`";
/// The SQLSTATE of our own function that requires the audit.
const NOT_AUDITED: &str = "ES001";
const TABLE_IN_USE: &str = "a table is in use, or an older transaction is open; run the migration again";

/// A failure of the database, before it is known what was attempted. A clone answers another caller of the same batch.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct Failure {
    kind: StoreErrorKind,
    sql_state: Option<SqlState>,
    constraint: Option<String>,
    hint: Option<&'static str>,
    cause: Arc<dyn Error + Send + Sync>,
}

impl Failure {
    pub(crate) fn new(
        kind: StoreErrorKind,
        sql_state: Option<SqlState>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let kind = sql_state.as_ref().map_or(kind, kind_of);
        Self { kind, sql_state, constraint: None, hint: None, cause: Arc::from(cause.into()) }
    }

    /// Adds where the server is, or the servers are.
    pub(crate) fn at(self, servers: &str) -> Self {
        let cause: Box<dyn Error + Send + Sync> = format!("{servers}: {}", with_causes(&*self.cause)).into();
        Self { cause: Arc::from(cause), ..self }
    }

    /// A query failed; `sql_state` is what the server sent, if anything.
    pub(crate) fn of_query(error: QueryError, sql_state: Option<SqlState>) -> Self {
        let constraint = match &error {
            QueryError::DatabaseError(_, information) => information.constraint_name().map(str::to_owned),
            _ => None,
        };
        let failure = Self { constraint, ..Self::new(kind_of_query_error(&error), sql_state, error) };
        failure
            .with_hint(&SqlState::from_code(NOT_AUDITED), AUDIT_OFF)
            .with_hint(&SqlState::READ_ONLY_SQL_TRANSACTION, READ_ONLY)
    }

    /// No connection could be opened. Without a SQLSTATE the server did not refuse: it could not be reached, or closed the connection.
    pub(crate) fn of_connecting(error: tokio_postgres::Error) -> Self {
        Self::new(StoreErrorKind::Unavailable, error.code().cloned(), error)
    }

    /// A connection was opened and could not be set up.
    pub(crate) fn of_setting_up(error: ConnectionError, sql_state: Option<SqlState>) -> Self {
        match error {
            ConnectionError::CouldntSetupConfiguration(error) => Self::of_query(error, sql_state),
            error => Self::new(StoreErrorKind::Unavailable, sql_state, error),
        }
    }

    /// The session could not be set up; the service's takes its role as well.
    pub(crate) fn of_session(error: QueryError, sql_state: Option<SqlState>) -> Self {
        Self::of_query(error, sql_state)
            .with_hint(&SqlState::INVALID_PARAMETER_VALUE, NO_ROLE)
            .with_hint(&SqlState::INSUFFICIENT_PRIVILEGE, NOT_A_MEMBER)
    }

    /// A migration, or reading which ones were applied, failed.
    pub(crate) fn of_migration(cause: Box<dyn Error + Send + Sync>, sql_state: Option<SqlState>) -> Self {
        let error = cause.downcast().map_or_else(QueryError::QueryBuilderError, |error| *error);
        Self::of_query(error, sql_state)
            .with_hint(&SqlState::INSUFFICIENT_PRIVILEGE, NOT_THE_OWNER)
            .with_hint(&SqlState::LOCK_NOT_AVAILABLE, TABLE_IN_USE)
    }

    /// A socket could not be opened, or a time limit was exceeded.
    pub(crate) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Unavailable, None, cause)
    }

    /// A concurrent transaction won; nothing was written.
    pub(crate) fn conflict(cause: &'static str) -> Self {
        Self::new(StoreErrorKind::Conflict, None, cause)
    }

    /// Adds the remedy for a SQLSTATE.
    fn with_hint(mut self, sql_state: &SqlState, hint: &'static str) -> Self {
        if self.is(sql_state) {
            self.hint = Some(hint);
        }
        self
    }

    /// Whether the database has not been migrated: a table is missing, or the service role.
    pub(crate) fn is_missing_schema(&self) -> bool {
        self.is(&SqlState::UNDEFINED_TABLE) || self.hint == Some(NO_ROLE)
    }

    /// The constraint that the statement would have violated.
    pub(crate) fn violated_constraint(&self) -> Option<&str> {
        self.class_is("23").then_some(self.constraint.as_deref()).flatten()
    }

    /// Whether the server refused the values rather than the statement. The statement was rolled back.
    pub(crate) fn is_data_error(&self) -> bool {
        self.class_is("22") || self.class_is("23")
    }

    /// Whether a concurrent transaction won (a unique value is taken, or a deadlock was resolved) and nothing was written.
    pub(crate) fn is_conflict(&self) -> bool {
        self.kind == StoreErrorKind::Conflict || self.is(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether the server announced that it closes the connection.
    pub(crate) fn is_server_shutdown(&self) -> bool {
        self.class_is("57P") || self.is(&SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT)
    }

    /// Whether the server rolled the transaction back and the connection stays usable.
    pub(crate) fn is_rolled_back(&self) -> bool {
        let is_known = self.sql_state.is_some() && !self.is(&SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN);
        (is_known || self.kind == StoreErrorKind::Conflict) && !self.breaks_connection()
    }

    /// Whether the connection cannot serve the next call: it is closed, or its server takes no writes.
    pub(crate) fn breaks_connection(&self) -> bool {
        if self.sql_state.is_none() {
            return self.kind == StoreErrorKind::Unavailable;
        }
        self.class_is("08") || self.is_server_shutdown() || self.is(&SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    /// The error of a port, once it is known what was attempted.
    pub(crate) fn during(self, attempted: impl fmt::Display) -> StoreError {
        let attempted = match self.hint {
            Some(hint) => format!("{attempted} ({hint})"),
            None => attempted.to_string(),
        };
        StoreError::new(self.kind, attempted).because(Cause { sql_state: self.sql_state, cause: self.cause })
    }

    pub(crate) fn is(&self, sql_state: &SqlState) -> bool {
        self.sql_state.as_ref() == Some(sql_state)
    }

    fn class_is(&self, class: &str) -> bool {
        self.sql_state.as_ref().is_some_and(|state| state.code().starts_with(class))
    }
}

/// Turns a [`Failure`] into the error of a port.
pub(crate) trait During<T> {
    /// Adds what was attempted.
    fn during(self, attempted: impl fmt::Display) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, Failure> {
    fn during(self, attempted: impl fmt::Display) -> Result<T, StoreError> {
        self.map_err(|failure| failure.during(attempted))
    }
}

impl From<PoolError<Self>> for Failure {
    fn from(error: PoolError<Self>) -> Self {
        match error {
            PoolError::Backend(failure) => failure,
            error @ PoolError::Timeout(_) => Self::unavailable(error.to_string()),
            error => Self::new(StoreErrorKind::Unexpected, None, error.to_string()),
        }
    }
}

/// The driver's error, preceded by the SQLSTATE, which its text lacks.
#[derive(Debug)]
struct Cause {
    sql_state: Option<SqlState>,
    cause: Arc<dyn Error + Send + Sync>,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(state) = &self.sql_state {
            write!(formatter, "SQLSTATE {}: ", state.code())?;
        }
        fmt::Display::fmt(&self.cause, formatter)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// Maps a SQLSTATE to the kind that a port reports.
fn kind_of(state: &SqlState) -> StoreErrorKind {
    match (state.code().get(..2).unwrap_or_default(), state.code()) {
        // A concurrent transaction won; the statement was rolled back.
        (_, "40001" | "40P01") => StoreErrorKind::Conflict,
        // 08: connection failure. 28: the login is refused, until the password is corrected. 53: no memory, disk or connection slots. 57: cancelled by a
        // timeout or an operator, or the server shuts down or starts up. The others: lock timeout, the audit is off, the server is a replica
        // (failover), unknown outcome of a commit, idle transaction ended.
        ("08" | "28" | "53" | "57", _) | (_, "55P03" | NOT_AUDITED | "25006" | "40003" | "25P03") => {
            StoreErrorKind::Unavailable
        }
        _ => StoreErrorKind::Unexpected,
    }
}

/// Maps an error of the driver that has no SQLSTATE.
fn kind_of_query_error(error: &QueryError) -> StoreErrorKind {
    match error {
        QueryError::DatabaseError(
            DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
            _,
        )
        | QueryError::BrokenTransactionManager => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Unexpected,
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
