//! The clock and the ids of a running system (feature `system`).

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use uuid::{NoContext, Uuid};

use crate::{Calendar, CivilDate, Clock, IdGenerator, Timestamp};

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(jiff::Timestamp::now().as_duration())
    }
}

/// Generates UUIDs of version 7, which are ordered by time and keep an index compact.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdGenerator for RandomIds {
    /// # Panics
    /// When the operating system has no randomness to give. Going on would give out ids that others can guess.
    fn fresh(&self) -> Uuid {
        Uuid::new_v7(uuid::Timestamp::now(NoContext))
    }
}

/// The calendar of Ukraine: days begin at midnight in Europe/Kyiv, by the time zone data that is compiled in.
#[derive(Debug, Clone)]
pub struct KyivCalendar(TimeZone);

impl KyivCalendar {
    /// The time zone.
    const ZONE: &str = "Europe/Kyiv";

    /// Creates the calendar.
    ///
    /// # Errors
    /// When the data that is compiled in lacks the time zone.
    pub fn new() -> Result<Self, jiff::Error> {
        TimeZoneDatabase::bundled().get(Self::ZONE).map(Self)
    }
}

impl Calendar for KyivCalendar {
    fn day_of(&self, time: Timestamp) -> CivilDate {
        let instant = jiff::Timestamp::from_duration(time.as_duration());
        let offset = instant.map_or(WINTER, |instant| self.0.to_offset(instant));
        let local = time.as_duration().saturating_add(SignedDuration::from_secs(offset.seconds().into()));
        EPOCH.saturating_add(local).date()
    }
}

/// The offset at the end of time, to which the time zone does not reach.
const WINTER: Offset = Offset::constant(2);

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_differ() {
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| RandomIds.fresh()).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn a_day_in_ukraine_begins_two_hours_before_that_of_utc_and_three_in_summer() {
        let calendar = KyivCalendar::new().unwrap();
        for (time, day) in [
            ("2026-01-31T21:59:59.999Z", "2026-01-31"),
            ("2026-01-31T22:00:00Z", "2026-02-01"),
            ("2026-07-31T20:59:59.999Z", "2026-07-31"),
            ("2026-07-31T21:00:00Z", "2026-08-01"),
            // The clocks are put forward at 01:00 UTC, and back.
            ("2026-03-28T21:59:59Z", "2026-03-28"),
            ("2026-03-29T20:59:59Z", "2026-03-29"),
            ("2026-03-29T21:00:00Z", "2026-03-30"),
            ("2026-10-25T21:59:59Z", "2026-10-25"),
            ("1969-12-31T21:59:59Z", "1970-01-01"),
            ("0000-01-01T00:00:00Z", "0000-01-01"),
            ("9999-12-31T23:59:59Z", "9999-12-31"),
        ] {
            assert_eq!(calendar.day_of(time.parse().unwrap()).to_string(), day, "{time}");
        }
    }
}
