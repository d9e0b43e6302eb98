use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::Clock;

/// How long it is since some moment that stays the same. Never goes back: unlike the time of day, which people set.
pub trait MonotonicClock: Send + Sync {
    /// The time since then.
    fn elapsed(&self) -> Duration;
}

/// The machine's own, since it was made.
#[derive(Debug)]
pub struct ProcessClock(Instant);

impl Default for ProcessClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl MonotonicClock for ProcessClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Stands still.
pub(super) struct FrozenClock;

impl MonotonicClock for FrozenClock {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// A monotonic_clock as the budgets read it.
#[derive(Clone)]
pub(super) struct GovernorClock(pub(super) Arc<dyn MonotonicClock>);

impl Clock for GovernorClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl fmt::Debug for GovernorClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GovernorClock")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Stands still until told to go on.
    #[derive(Default)]
    pub(in crate::middleware) struct Manual(Mutex<Duration>);

    impl Manual {
        pub(in crate::middleware) fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }
    }

    impl MonotonicClock for Manual {
        fn elapsed(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn the_machines_own_goes_on() {
        let watch = ProcessClock::default();
        let first = watch.elapsed();
        assert!(watch.elapsed() >= first);
    }
}
