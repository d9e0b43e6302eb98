use std::error::Error;
use std::fmt;

/// What sort of failure an error is. Every error of a use case maps to one; a transport maps these, and nothing else, to
/// its own codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// It is not known who calls: what proves it is missing, or is an api key that is not valid.
    Unauthenticated,
    /// It is not known who calls: the access token is not valid.
    InvalidToken,
    /// The caller may not do this.
    Forbidden,
    /// The thing is not there, or not for this caller.
    NotFound,
    /// The thing, or one that it depends on, is in a state that rules this out.
    Conflict,
    /// A store or a bus cannot be reached now; the same request may succeed later.
    Unavailable,
    /// Something is broken on our side. Details are for the log, never for the caller.
    Internal,
}

/// An error of a use case, as a transport needs to see it. `Display` is the text for the caller when the kind is neither
/// [`ErrorKind::Unavailable`] nor [`ErrorKind::Internal`]; for those two a transport sends a constant text instead.
pub trait Failure: Error {
    /// Which kind it is.
    fn kind(&self) -> ErrorKind;

    /// The word under which it is counted, in snake_case: one of [`Failure::codes`]. It says which variant it is and nothing about the
    /// request.
    fn code(&self) -> &'static str;

    /// Every code that an error of this type may have.
    fn codes() -> Vec<&'static str>
    where
        Self: Sized;

    /// The property of the request that the failure is about, e.g. `$.division_id`, if it is about one.
    fn entry(&self) -> Option<&'static str> {
        None
    }

    /// The allowances that the caller lacks, if that is what is wrong.
    fn missing_allowances(&self) -> &[&'static str] {
        &[]
    }
}

/// Why a store could not do what a port asked. Drivers' errors are translated into it by code, in one file per adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// Unreachable, overloaded or out of time. Whether a write took effect may be unknown.
    Unavailable,
    /// Others were at it at the same time, and this one lost; nothing was written. Trying again may succeed.
    Conflict,
    /// A stored record cannot be one that ESOZ wrote.
    Corrupt,
    /// Anything else.
    Unexpected,
}

impl StoreErrorKind {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [Self::Unavailable, Self::Conflict, Self::Corrupt, Self::Unexpected];

    /// The word for it where failures are counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Conflict => "conflict",
            Self::Corrupt => "corrupt",
            Self::Unexpected => "unexpected",
        }
    }
}

/// The one error of every port: opaque, with a kind, what was being attempted, and the cause.
///
/// Not for absence: a port answers `Ok(None)` then.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    attempted: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// A failure of the given kind while attempting what `attempted` says, e.g. "finding a token".
    pub fn new(kind: StoreErrorKind, attempted: impl Into<String>) -> Self {
        Self { kind, attempted: attempted.into(), source: None }
    }

    /// A stored record that cannot be right: where it is (table or collection), its id, and which field.
    pub fn corrupt(collection: &str, id: impl fmt::Display, field: &str) -> Self {
        Self::new(
            StoreErrorKind::Corrupt,
            format!("reading {collection}, id {id}: field {field} holds what ESOZ never writes"),
        )
    }

    /// The same, with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Which kind it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What happened and what is behind it, in one line.
    pub fn with_causes(&self) -> String {
        with_causes(self)
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self.kind {
            StoreErrorKind::Unavailable | StoreErrorKind::Conflict => true,
            StoreErrorKind::Corrupt | StoreErrorKind::Unexpected => false,
        }
    }
}

/// What happened and what is behind it, in one line: for the log, not for a client.
pub fn with_causes(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            StoreErrorKind::Unavailable => "the store is unavailable",
            StoreErrorKind::Conflict => "the store refused a concurrent change",
            StoreErrorKind::Corrupt => "corrupt data",
            StoreErrorKind::Unexpected => "the store failed",
        };
        write!(formatter, "{what} while {}", self.attempted)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| -> &(dyn Error + 'static) { source })
    }
}

impl Failure for StoreError {
    fn kind(&self) -> ErrorKind {
        if self.is_retryable() { ErrorKind::Unavailable } else { ErrorKind::Internal }
    }

    fn code(&self) -> &'static str {
        store_code(self.kind)
    }

    fn codes() -> Vec<&'static str> {
        StoreErrorKind::ALL.map(store_code).to_vec()
    }
}

const fn store_code(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::Unavailable => "store_unavailable",
        StoreErrorKind::Conflict => "store_conflict",
        StoreErrorKind::Corrupt => "store_corrupt",
        StoreErrorKind::Unexpected => "store_unexpected",
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
