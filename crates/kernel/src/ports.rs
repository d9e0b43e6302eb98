use jiff::Timestamp;
use uuid::Uuid;

/// Where a use case takes the time from, so that a test can say what time it is.
pub trait Clock: Send + Sync {
    /// The current time, UTC.
    fn now(&self) -> Timestamp;
}

/// Where a use case takes fresh ids from, so that a test can say which.
pub trait IdGenerator: Send + Sync {
    /// A UUID that was never given out before.
    fn fresh(&self) -> Uuid;
}
