use std::time::{Duration, Instant};

/// Monotonic time since a fixed moment, e.g. the start of the process. Unlike the time of day, it never goes back.
pub trait MonotonicClock: Send + Sync {
    /// Returns the time since that moment.
    fn elapsed(&self) -> Duration;
}

/// The monotonic clock of the machine, since it was created.
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
