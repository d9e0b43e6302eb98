//! The one place where a driver's error becomes a [`StoreError`]: by SQLSTATE, never by text.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use deadpool::managed::PoolError;
use diesel::result::{ConnectionError, DatabaseErrorKind, Error as QueryError};
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// Why the database did not do what was asked, before it is known what for.
///
/// A clone tells another caller of the same.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    kind: StoreErrorKind,
    sql_state: Option<SqlState>,
    constraint: Option<String>,
    hint: Option<&'static str>,
    cause: Arc<dyn Error + Send + Sync>,
}

impl Failure {
    /// A query failed; `sql_state` is what the server said, if it said anything.
    pub(crate) fn of_query(error: QueryError, sql_state: Option<SqlState>) -> Self {
        let constraint = match &error {
            QueryError::DatabaseError(_, information) => information.constraint_name().map(str::to_owned),
            _ => None,
        };
        // What the server said before it hung up is the cause of the hanging up.
        let kind = sql_state.as_ref().map_or_else(|| kind_of_query_error(&error), kind_of);
        Self { kind, sql_state, constraint, hint: None, cause: Arc::new(error) }
    }

    /// No connection could be opened.
    pub(crate) fn of_connecting(error: tokio_postgres::Error) -> Self {
        let sql_state = error.code().cloned();
        // Without a SQLSTATE it was not the server that refused: it could not be reached, or went away.
        let kind = sql_state.as_ref().map_or(StoreErrorKind::Unavailable, kind_of);
        Self { kind, sql_state, constraint: None, hint: None, cause: Arc::new(error) }
    }

    /// A connection was opened and then could not be set up.
    pub(crate) fn of_setting_up(error: ConnectionError, sql_state: Option<SqlState>) -> Self {
        match error {
            ConnectionError::CouldntSetupConfiguration(error) => Self::of_query(error, sql_state),
            error => {
                let kind = sql_state.as_ref().map_or(StoreErrorKind::Unavailable, kind_of);
                Self { kind, sql_state, constraint: None, hint: None, cause: Arc::new(error) }
            }
        }
    }

    /// A socket could not be opened, or something did not happen in time.
    pub(crate) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let kind = StoreErrorKind::Unavailable;
        Self { kind, sql_state: None, constraint: None, hint: None, cause: Arc::from(cause.into()) }
    }

    /// Something that is nobody's passing trouble.
    pub(crate) fn unexpected(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let kind = StoreErrorKind::Unexpected;
        Self { kind, sql_state: None, constraint: None, hint: None, cause: Arc::from(cause.into()) }
    }

    /// Others were quicker; nothing was written.
    pub(crate) fn conflict(cause: &'static str) -> Self {
        let kind = StoreErrorKind::Conflict;
        Self { kind, sql_state: None, constraint: None, hint: None, cause: Arc::from(Box::from(cause)) }
    }

    /// The same, with what to do about it.
    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What to do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    /// What the server said.
    pub(crate) fn sql_state(&self) -> Option<&SqlState> {
        self.sql_state.as_ref()
    }

    /// The constraint that the change would have violated, if that is what it failed for.
    pub(crate) fn violated_constraint(&self) -> Option<&str> {
        self.class_is("23").then_some(self.constraint.as_deref()).flatten()
    }

    /// Whether the server refused the values that it was given (and took back the statement), not the statement.
    pub(crate) fn is_data_error(&self) -> bool {
        self.class_is("22") || self.class_is("23")
    }

    /// Whether others were quicker, and nothing was written: they have what must be unique, or this was the victim of a deadlock.
    pub(crate) fn is_conflict(&self) -> bool {
        self.kind == StoreErrorKind::Conflict || self.sql_state == Some(SqlState::UNIQUE_VIOLATION)
    }

    /// Whether the server said that it hangs up.
    pub(crate) fn is_server_shutdown(&self) -> bool {
        self.class_is("57P") || self.sql_state == Some(SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT)
    }

    /// Whether the server took back what it was asked for: it said what was wrong, and stays.
    pub(crate) fn is_rolled_back(&self) -> bool {
        let is_unknown = |state: &SqlState| *state == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
        let is_said = self.sql_state.as_ref().is_some_and(|state| !is_unknown(state));
        (is_said || self.kind == StoreErrorKind::Conflict) && !self.breaks_connection()
    }

    /// Whether the connection cannot serve the next call: it is gone, or ends at a server that takes no writes (any more).
    pub(crate) fn breaks_connection(&self) -> bool {
        match &self.sql_state {
            Some(state) => {
                self.class_is("08")
                    || self.is_server_shutdown()
                    || *state == SqlState::READ_ONLY_SQL_TRANSACTION
            }
            None => self.kind == StoreErrorKind::Unavailable,
        }
    }

    /// The error of a port, once it is known what was attempted.
    pub(crate) fn during(self, attempted: impl fmt::Display) -> StoreError {
        let attempted = match self.hint {
            Some(hint) => format!("{attempted} ({hint})"),
            None => attempted.to_string(),
        };
        StoreError::new(self.kind, attempted).because(Cause { sql_state: self.sql_state, cause: self.cause })
    }

    fn class_is(&self, class: &str) -> bool {
        self.sql_state.as_ref().is_some_and(|state| state.code().starts_with(class))
    }
}

impl From<PoolError<Self>> for Failure {
    fn from(error: PoolError<Self>) -> Self {
        match error {
            PoolError::Backend(failure) => failure,
            error @ PoolError::Timeout(_) => Self::unavailable(error.to_string()),
            error => Self::unexpected(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, formatter)
    }
}

impl Error for Failure {}

/// The driver's error, preceded by the SQLSTATE that it does not tell.
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

/// What an SQLSTATE means to the caller of a port.
fn kind_of(state: &SqlState) -> StoreErrorKind {
    match (state.code().get(..2).unwrap_or_default(), state.code()) {
        // Others were at it at the same time; the statement was taken back.
        (_, "40001" | "40P01") => StoreErrorKind::Conflict,
        // 08: the connection. 53: no memory, disk or connection slots. 57: cancelled by a timeout or by an operator, server
        // shutting down or starting up. The others: a lock was not free in time; the server is a replica (a failover is under
        // way); the commit's fate is unknown; the server ended an idle transaction.
        ("08" | "53" | "57", _) | (_, "55P03" | "25006" | "40003" | "25P03") => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Unexpected,
    }
}

/// What an error means that did not come from the server.
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
mod tests {
    use super::*;

    fn failure(code: &str) -> Failure {
        Failure::of_query(QueryError::NotFound, Some(SqlState::from_code(code)))
    }

    #[test]
    fn sqlstate_decides_the_kind() {
        for (kind, codes) in [
            (StoreErrorKind::Conflict, &["40001", "40P01"][..]),
            (
                StoreErrorKind::Unavailable,
                &[
                    "08000", "08006", "08P01", "53100", "53200", "53300", "57014", "57P01", "57P02", "57P03",
                    "55P03", "25006", "25P03", "40003",
                ][..],
            ),
            (
                StoreErrorKind::Unexpected,
                &["42601", "42501", "23505", "22021", "28P01", "3D000", "XX000", "P0001"][..],
            ),
        ] {
            for code in codes {
                assert_eq!(failure(code).during("testing").kind(), kind, "{code}");
            }
        }
    }

    #[test]
    fn without_sqlstate_a_lost_connection_is_unavailable_and_the_rest_unexpected() {
        let lost = || Box::new(String::from("connection closed"));
        for (kind, error) in [
            (
                StoreErrorKind::Unavailable,
                QueryError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, lost()),
            ),
            (
                StoreErrorKind::Unavailable,
                QueryError::DatabaseError(DatabaseErrorKind::ClosedConnection, lost()),
            ),
            (StoreErrorKind::Unexpected, QueryError::DeserializationError("bad".into())),
        ] {
            assert_eq!(Failure::of_query(error, None).during("testing").kind(), kind);
        }
    }

    #[test]
    fn a_connection_that_lost_its_server_or_found_a_replica_is_not_used_again() {
        for code in ["08006", "57P01", "25P03", "25006"] {
            assert!(failure(code).breaks_connection(), "{code}");
        }
        for code in ["57014", "55P03", "40P01", "23505"] {
            assert!(!failure(code).breaks_connection(), "{code}");
        }
        assert!(Failure::unavailable("no answer").breaks_connection());
    }

    #[test]
    fn the_cause_tells_the_sqlstate() {
        let error = failure("55P03").with_hint("look who holds it").during("testing");
        assert_eq!(error.to_string(), "the store is unavailable while testing (look who holds it)");
        assert_eq!(error.source().unwrap().to_string(), "SQLSTATE 55P03: Record not found");
    }
}
