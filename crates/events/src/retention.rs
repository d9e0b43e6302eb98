use std::time::Duration;

use esoz_kernel::time::ceil_to_millis;
use esoz_kernel::{EventId, StoreError, Timestamp, Uuid};

use crate::{EventLog, EventPosition};

/// How long events are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Events older than this are removed.
    pub keep: Duration,
    /// The most events that are kept; 0: any number.
    pub keep_count: u64,
}

impl Retention {
    /// Returns the position before which events are removed: those that are too old, and those beyond the number to be kept. When the latter
    /// cannot be counted, the age alone decides, and the failure is returned beside it: what is too old must not stay for that.
    pub async fn cutoff(&self, log: &dyn EventLog, now: Timestamp) -> (EventPosition, Option<StoreError>) {
        let event_time = ceil_to_millis(now.saturating_sub(self.keep));
        let by_age = EventPosition { event_time, id: EventId::new(Uuid::nil()) };
        if self.keep_count == 0 {
            return (by_age, None);
        }
        match log.nth_newest(self.keep_count).await {
            Ok(by_count) => (by_count.map_or(by_age, |by_count| by_count.max(by_age)), None),
            Err(failure) => (by_age, Some(failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::StoreErrorKind;
    use mockall::predicate::eq;
    use pollster::block_on;

    use super::*;
    use crate::MockEventLog;

    const DAY: Duration = Duration::from_hours(24);

    fn at(text: &str) -> EventPosition {
        EventPosition { event_time: text.parse().unwrap(), id: EventId::new(Uuid::from_u128(7)) }
    }

    fn cutoff(keep_count: u64, nth: Option<EventPosition>) -> EventPosition {
        let mut log = MockEventLog::new();
        if keep_count > 0 {
            log.expect_nth_newest().with(eq(keep_count)).times(1).returning(move |_| Ok(nth));
        }
        let retention = Retention { keep: 30 * DAY, keep_count };
        block_on(retention.cutoff(&log, "2026-01-31T00:00:00Z".parse().unwrap())).0
    }

    #[test]
    fn given_events_that_cannot_be_counted_then_the_age_decides_and_the_failure_is_told() {
        let mut log = MockEventLog::new();
        let failure = || StoreError::new(StoreErrorKind::Unavailable, "testing");
        log.expect_nth_newest().times(1).returning(move |_| Err(failure()));
        let retention = Retention { keep: 30 * DAY, keep_count: 3 };
        let (cutoff, failure) = block_on(retention.cutoff(&log, "2026-01-31T00:00:00Z".parse().unwrap()));
        assert_eq!(cutoff, EventPosition { id: EventId::new(Uuid::nil()), ..at("2026-01-01T00:00:00Z") });
        assert_eq!(failure.unwrap().kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn given_an_age_and_a_number_then_the_stricter_one_decides() {
        let by_age = EventPosition { id: EventId::new(Uuid::nil()), ..at("2026-01-01T00:00:00Z") };
        assert_eq!(cutoff(0, None), by_age);
        assert_eq!(cutoff(3, None), by_age);
        assert_eq!(cutoff(3, Some(at("2025-12-31T00:00:00Z"))), by_age);
        assert_eq!(cutoff(3, Some(at("2026-01-30T00:00:00Z"))), at("2026-01-30T00:00:00Z"));
    }
}
