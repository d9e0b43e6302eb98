use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::Clock;

/// How long it is since some moment that stays the same. Never goes back: unlike the time of day, which people set.
pub trait Stopwatch: Send + Sync {
    /// The time since then.
    fn elapsed(&self) -> Duration;
}

/// The machine's own, since it was made.
#[derive(Debug)]
pub struct SinceStart(Instant);

impl Default for SinceStart {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Stopwatch for SinceStart {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Stands still.
pub(super) struct Stopped;

impl Stopwatch for Stopped {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// A stopwatch as the budgets read it.
#[derive(Clone)]
pub(super) struct Watched(pub(super) Arc<dyn Stopwatch>);

impl Clock for Watched {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watched")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Stands still until told to go on.
    #[derive(Default)]
    pub(in crate::guards) struct Manual(Mutex<Duration>);

    impl Manual {
        pub(in crate::guards) fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }
    }

    impl Stopwatch for Manual {
        fn elapsed(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn the_machines_own_goes_on() {
        let watch = SinceStart::default();
        let first = watch.elapsed();
        assert!(watch.elapsed() >= first);
    }
}
