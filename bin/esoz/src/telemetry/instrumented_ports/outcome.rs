use esoz_auth::{ApiKeyFacts, TokenFacts};
use esoz_device_dispense::StoredDispense;
use esoz_events::{Backlog, Claimed, PublishError, SetAside};
use esoz_kernel::{Committed, StoreError, StoreErrorKind, Written};
use esoz_legal_entity::LegalEntity;

const OK: &str = "ok";
/// What a change rested on was no longer so; nothing was written.
const STALE: &str = "stale";
/// A rule refused the write; nothing was written.
const REFUSED: &str = "refused";
/// The change was made before, or its idempotency key was used for another; nothing was written.
const RECALLED: &str = "recalled";
/// The bus did not take all events.
const UNDELIVERED: &str = "undelivered";
/// Nobody waited for the answer any longer. What the store made of the call is not known.
pub(super) const CANCELLED: &str = "cancelled";

/// Every way in which a call may end.
pub(crate) const OUTCOMES: [&str; 10] = [
    OK,
    STALE,
    REFUSED,
    RECALLED,
    StoreErrorKind::Unavailable.as_str(),
    StoreErrorKind::Conflict.as_str(),
    StoreErrorKind::Corrupt.as_str(),
    StoreErrorKind::Unexpected.as_str(),
    UNDELIVERED,
    CANCELLED,
];

/// An answer that can be told as one word.
pub(super) trait Outcome {
    fn outcome(&self) -> &'static str;
}

impl<T: Success> Outcome for Result<T, StoreError> {
    fn outcome(&self) -> &'static str {
        match self {
            Ok(success) => success.outcome(),
            Err(error) => error.kind().as_str(),
        }
    }
}

impl Outcome for Vec<Result<(), PublishError>> {
    fn outcome(&self) -> &'static str {
        if self.iter().all(Result::is_ok) { OK } else { UNDELIVERED }
    }
}

/// What a port answers when the store did not fail. That something is not there is as good an answer as any.
pub(super) trait Success {
    fn outcome(&self) -> &'static str {
        OK
    }
}

impl Success for () {}
impl Success for Option<TokenFacts> {}
impl Success for Option<ApiKeyFacts> {}
impl Success for Option<LegalEntity> {}
impl Success for u64 {}
impl Success for bool {}
impl Success for Claimed {}
impl Success for Vec<SetAside> {}
impl Success for Backlog {}

impl Success for Option<StoredDispense> {
    fn outcome(&self) -> &'static str {
        let corrupt = self.as_ref().and_then(|found| found.dispense.as_ref().err());
        corrupt.map_or(OK, |error| error.kind().as_str())
    }
}

impl<T> Success for Committed<T> {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Applied(_) => OK,
            Self::Stale => STALE,
            Self::Replayed(_) | Self::KeyReused => RECALLED,
        }
    }
}

impl<T, R> Success for Written<T, R> {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Applied(_) => OK,
            Self::Refused(_) => REFUSED,
            Self::Replayed(_) | Self::KeyReused => RECALLED,
        }
    }
}
