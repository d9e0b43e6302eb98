//! A clock that a test sets and ids that a test can foresee.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use esoz_kernel::{Clock, IdGenerator, Timestamp, Uuid};

/// A clock that stands still until it is told to go on.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows that time.
    pub const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// From now on it shows that time, earlier ones included.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// From now on it shows a time that much later. Stops at the end of time.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids 1, 2, 3, …: `00000000-0000-0000-0000-000000000001` and so on.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl SequentialIds {
    /// The id that the n-th call gives, counted from one.
    pub fn nth(n: u64) -> Uuid {
        Uuid::from_u128(u128::from(n))
    }
}

impl IdGenerator for SequentialIds {
    fn fresh(&self) -> Uuid {
        Self::nth(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_what_it_was_told() {
        let start: Timestamp = "2026-01-31T08:15:30Z".parse().unwrap();
        let clock = ManualClock::new(start);
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().to_string(), "2026-01-31T08:15:31.5Z");
        clock.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn the_ids_count_up_from_one() {
        let ids = SequentialIds::default();
        assert_eq!([ids.fresh(), ids.fresh()], [SequentialIds::nth(1), SequentialIds::nth(2)]);
    }
}
