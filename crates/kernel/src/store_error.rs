use std::error::Error;
use std::fmt;

use crate::{ErrorKind, Failure, with_causes};

/// The kind of a store failure. Each adapter maps its driver's error codes to it in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store is unreachable, overloaded or too slow. Whether a write took effect may be unknown.
    Unavailable,
    /// A concurrent change won; nothing was written. The same call again may succeed.
    Conflict,
    /// A stored record cannot be one that ESOZ wrote.
    Corrupt,
    /// Any other failure.
    Unexpected,
}

impl StoreErrorKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Unavailable, Self::Conflict, Self::Corrupt, Self::Unexpected];

    /// Returns the name under which failures of ports are counted.
    pub const fn as_str(self) -> &'static str {
        self.texts().0
    }

    /// Its name, the code of the failure, and the text of the error.
    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Unavailable => ("unavailable", "store_unavailable", "the store is unavailable"),
            Self::Conflict => ("conflict", "store_conflict", "the store refused a concurrent change"),
            Self::Corrupt => ("corrupt", "store_corrupt", "corrupt data"),
            Self::Unexpected => ("unexpected", "store_unexpected", "the store failed"),
        }
    }
}

/// The error of every port: opaque, with a kind, the attempted action, and the cause.
///
/// Absence is no error: a port returns `Ok(None)`.
#[derive(Debug, thiserror::Error)]
#[error("{} while {attempted}", .kind.texts().2)]
pub struct StoreError {
    kind: StoreErrorKind,
    attempted: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// Creates a failure of that kind; `attempted` names the action, e.g. "finding a token".
    pub fn new(kind: StoreErrorKind, attempted: impl Into<String>) -> Self {
        Self { kind, attempted: attempted.into(), source: None }
    }

    /// Creates the failure of a corrupt record: its table or collection, its id, and the field at fault.
    pub fn corrupt(collection: &str, id: impl fmt::Display, field: &str) -> Self {
        Self::new(
            StoreErrorKind::Corrupt,
            format!("reading {collection}, id {id}: field {field} holds what ESOZ never writes"),
        )
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Renders the error chain in one line, for the log.
    pub fn with_causes(&self) -> String {
        with_causes(self)
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Unavailable | StoreErrorKind::Conflict)
    }
}

impl Failure for StoreError {
    fn kind(&self) -> ErrorKind {
        if self.is_retryable() { ErrorKind::Unavailable } else { ErrorKind::Internal }
    }

    fn code(&self) -> &'static str {
        self.kind.texts().1
    }

    fn examples() -> Vec<Self> {
        StoreErrorKind::ALL.map(|kind| Self::new(kind, "using the store")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_is_unavailable_and_the_rest_internal() {
        for (kind, expected) in [
            (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
            (StoreErrorKind::Conflict, ErrorKind::Unavailable),
            (StoreErrorKind::Corrupt, ErrorKind::Internal),
            (StoreErrorKind::Unexpected, ErrorKind::Internal),
        ] {
            let error = StoreError::new(kind, "testing");
            assert_eq!(Failure::kind(&error), expected, "{kind:?}");
            assert_eq!(error.code(), format!("store_{}", kind.as_str()));
            assert!(StoreError::codes().contains(&error.code()));
        }
    }

    #[test]
    fn every_cause_is_told_behind_what_happened() {
        let error = StoreError::new(StoreErrorKind::Unavailable, "testing");
        assert_eq!(error.with_causes(), "the store is unavailable while testing");
        let inner = StoreError::new(StoreErrorKind::Conflict, "trying").because("no server");
        assert_eq!(
            error.because(inner).with_causes(),
            "the store is unavailable while testing: the store refused a concurrent change while trying: no server"
        );
    }

    #[test]
    fn a_corrupt_record_is_named_by_place_id_and_field() {
        let error = StoreError::corrupt("device_dispenses", "42", "status");
        assert_eq!(
            error.to_string(),
            "corrupt data while reading device_dispenses, id 42: field status holds what ESOZ never writes"
        );
    }
}
