//! Which failures are logged: an outage has a line when it begins, one a minute while it lasts, and one when it ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use esoz_http::{Condition, Health, MonotonicClock};
use esoz_kernel::{StoreError, StoreErrorKind};

/// The pause between two lines about one outage.
const REMINDER_INTERVAL: Duration = Duration::from_mins(1);

/// How long calls of a component may fail before a job logs it: within that time the health checks notice that the component is down.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lines of one kind of failure.
#[derive(Debug, Default)]
pub(crate) struct OutageLog(Option<Outage>);

#[derive(Debug)]
struct Outage {
    since: Duration,
    failures: u64,
    /// When the last line was due, and the last kind of failure that was news.
    logged: Option<(Duration, StoreErrorKind)>,
}

/// A line that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Whether it is the first one of the outage.
    pub(crate) is_first: bool,
    /// How long the outage has lasted, in seconds.
    pub(crate) seconds: u64,
    /// The number of failures until now.
    pub(crate) failures: u64,
}

impl OutageLog {
    /// Records a failure at a monotonic time. The first line is due when failures have lasted that long; another one when failures of this kind are
    /// new and worse than unavailability, or a minute after the last.
    pub(crate) fn failed(&mut self, at: Duration, patience: Duration, kind: StoreErrorKind) -> Option<Due> {
        let outage = self.0.get_or_insert(Outage { since: at, failures: 0, logged: None });
        outage.failures = outage.failures.saturating_add(1);
        let is_due = match outage.logged {
            None => at.saturating_sub(outage.since) >= patience,
            Some((last, known)) => {
                let is_new = kind != StoreErrorKind::Unavailable && kind != known;
                is_new || at.saturating_sub(last) >= REMINDER_INTERVAL
            }
        };
        is_due.then(|| {
            let is_first = outage.logged.replace((at, kind)).is_none();
            outage.due(at, is_first)
        })
    }

    /// Records a failure that belongs to an outage with lines of its own.
    pub(crate) fn failed_with_another(&mut self) {
        // The patience begins anew: the other outage may end first.
        self.0.take_if(|outage| outage.logged.is_none());
    }

    /// Records a success. A line is due if the beginning of the outage had one.
    pub(crate) fn worked(&mut self, at: Duration) -> Option<Due> {
        let outage = self.0.take()?;
        outage.logged.map(|_| outage.due(at, false))
    }
}

impl Outage {
    fn due(&self, at: Duration, is_first: bool) -> Due {
        let lasted = at.saturating_sub(self.since);
        Due { is_first, seconds: lasted.as_secs(), failures: self.failures }
    }
}

/// What the jobs need to know which of their failures to log.
#[derive(Clone)]
pub(crate) struct OutageContext {
    /// The last health checks, which log that a component is down.
    pub(crate) health: Arc<Health>,
    /// The time between lines.
    pub(crate) clock: Arc<dyn MonotonicClock>,
}

impl OutageContext {
    /// The log of failing calls of this component.
    pub(crate) fn calls_of(&self, component: &'static str) -> CallLog {
        CallLog { component, context: self.clone(), log: Mutex::default() }
    }
}

/// The lines of failing calls of a component. While its health checks fail as well, only these are logged.
pub(crate) struct CallLog {
    component: &'static str,
    context: OutageContext,
    log: Mutex<OutageLog>,
}

impl CallLog {
    /// Records that the component is unavailable.
    pub(crate) fn unavailable(&self) -> Option<Due> {
        let is_down = |(name, condition)| name == self.component && condition == Condition::Down;
        let is_down = self.context.health.conditions().into_iter().any(is_down);
        self.with(|log, at| {
            if is_down {
                log.failed_with_another();
                return None;
            }
            log.failed(at, PATIENCE, StoreErrorKind::Unavailable)
        })
    }

    /// Records a failed call. What is no unavailability is logged at once.
    pub(crate) fn failed(&self, error: &StoreError) -> Option<Due> {
        if error.kind() == StoreErrorKind::Unavailable {
            return self.unavailable();
        }
        self.with(|log, at| log.failed(at, Duration::ZERO, error.kind()))
    }

    /// Records a success.
    pub(crate) fn worked(&self) -> Option<Due> {
        self.with(OutageLog::worked)
    }

    fn with(&self, record: impl FnOnce(&mut OutageLog, Duration) -> Option<Due>) -> Option<Due> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        record(&mut log, self.context.clock.elapsed())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use esoz_http::RESOURCES;
    use esoz_kernel::Timestamp;

    use super::*;

    /// Stands still until it is moved on.
    #[derive(Default)]
    pub(crate) struct ManualClock(Mutex<Duration>);

    impl ManualClock {
        pub(crate) fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }
    }

    impl MonotonicClock for ManualClock {
        fn elapsed(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    /// A context of one component, and its clock.
    pub(crate) fn context(component: &'static str) -> (OutageContext, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let health = Arc::new(Health::new([(component, RESOURCES.as_slice())], Timestamp::UNIX_EPOCH));
        (OutageContext { health, clock: clock.clone() }, clock)
    }

    const fn due(is_first: bool, seconds: u64, failures: u64) -> Due {
        Due { is_first, seconds, failures }
    }

    #[test]
    fn an_outage_of_three_minutes_has_a_line_when_it_begins_one_a_minute_and_one_when_it_ends() {
        let mut log = OutageLog::default();
        let lines: Vec<_> = (0..=180)
            .filter_map(|second| {
                log.failed(Duration::from_secs(second), Duration::ZERO, StoreErrorKind::Unavailable)
            })
            .collect();
        let expected = [due(true, 0, 1), due(false, 60, 61), due(false, 120, 121), due(false, 180, 181)];
        assert_eq!(lines, expected);
        assert_eq!(log.worked(Duration::from_secs(181)), Some(due(false, 181, 181)));
        assert_eq!(log.worked(Duration::from_secs(182)), None);
    }

    #[test]
    fn given_a_component_that_is_down_when_calls_fail_then_they_have_no_lines_of_their_own() {
        let (context, clock) = context("kafka");
        let calls = context.calls_of("kafka");
        // The health checks have not noticed yet.
        assert_eq!(calls.unavailable(), None);
        clock.advance(Duration::from_secs(2));
        context.health.record("kafka", Condition::Down, Timestamp::UNIX_EPOCH);
        for _ in 0..100 {
            assert_eq!(calls.unavailable(), None);
            clock.advance(Duration::from_secs(2));
        }
        // It is back, and the calls need a moment longer.
        context.health.record("kafka", Condition::Up, Timestamp::UNIX_EPOCH);
        assert_eq!(calls.unavailable(), None);
        assert_eq!(calls.worked(), None);
    }

    #[test]
    fn given_a_component_that_is_up_when_calls_keep_failing_then_they_are_logged_until_they_work() {
        let (context, clock) = context("kafka");
        let calls = context.calls_of("kafka");
        context.health.record("kafka", Condition::Up, Timestamp::UNIX_EPOCH);
        assert_eq!(calls.unavailable(), None);
        clock.advance(PATIENCE);
        assert_eq!(calls.unavailable(), Some(due(true, 5, 2)));
        clock.advance(REMINDER_INTERVAL);
        assert_eq!(calls.unavailable(), Some(due(false, 65, 3)));
        assert_eq!(calls.worked(), Some(due(false, 65, 3)));
    }

    #[test]
    fn what_is_no_unavailability_is_logged_at_once_whatever_the_health_checks_say() {
        let (context, _clock) = context("mongodb");
        context.health.record("mongodb", Condition::Down, Timestamp::UNIX_EPOCH);
        let calls = context.calls_of("mongodb");
        let corrupt = StoreError::new(StoreErrorKind::Corrupt, "reading a document");
        assert_eq!(calls.failed(&corrupt), Some(due(true, 0, 1)));
        assert_eq!(calls.failed(&corrupt), None);
        assert_eq!(calls.worked(), Some(due(false, 0, 2)));
    }

    #[test]
    fn given_an_outage_that_is_logged_when_something_worse_fails_then_it_is_logged_at_once_and_once() {
        let (context, clock) = context("mongodb");
        let calls = context.calls_of("mongodb");
        let corrupt = StoreError::new(StoreErrorKind::Corrupt, "reading a document");
        calls.unavailable();
        clock.advance(PATIENCE);
        assert_eq!(calls.unavailable(), Some(due(true, 5, 2)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(calls.failed(&corrupt), Some(due(false, 6, 3)));
        assert_eq!(calls.unavailable(), None);
        assert_eq!(calls.failed(&corrupt), None);
    }
}
