use std::time::Duration;

use esoz_kernel::time::ceil_to_millis;
use esoz_kernel::{Timestamp, failure};

failure! {
    /// Why a period cannot be listed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum PeriodError {
        /// It is longer than a list may cover.
        TooLong(max_hours: u32 = 1) => Invalid, "period_too_long",
            "Period must be less than or equal to {max_hours} hours. Please set allowed period to the query", at "$.date_to";
        /// It ends before it begins, or as soon as it begins.
        EndsTooEarly => Invalid, "period_ends_too_early", "date_to must be after date", at "$.date_to";
    }
}

/// The period that a list of events covers, in milliseconds as events have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: Timestamp,
    until: Timestamp,
}

impl Period {
    /// The period from `date` until `date_to`, as they were asked for. Without both it ends now; without one of them the other is `max_hours` away.
    ///
    /// # Errors
    /// [`PeriodError`].
    pub fn new(
        date: Option<Timestamp>,
        date_to: Option<Timestamp>,
        max_hours: u32,
        now: Timestamp,
    ) -> Result<Self, PeriodError> {
        let longest = Duration::from_hours(max_hours.into());
        let (from, until) = match (date, date_to) {
            (Some(from), Some(until)) => (from, until),
            (Some(from), None) => (from, from.saturating_add(longest)),
            (None, until) => {
                let until = until.unwrap_or(now);
                (until.saturating_sub(longest), until)
            }
        };
        let length = until.duration_since(from);
        if !length.is_positive() {
            Err(PeriodError::EndsTooEarly)
        } else if length.unsigned_abs() > longest {
            Err(PeriodError::TooLong(max_hours))
        } else {
            // An event has whole milliseconds, so it is before an instant exactly when it is before that one rounded up.
            Ok(Self { from: ceil_to_millis(from), until: ceil_to_millis(until) })
        }
    }

    /// Its first instant.
    pub const fn from(self) -> Timestamp {
        self.from
    }

    /// The first instant after it.
    pub const fn until(self) -> Timestamp {
        self.until
    }

    /// Whether an instant is in it.
    pub fn contains(self, time: Timestamp) -> bool {
        (self.from..self.until).contains(&time)
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{ErrorKind, Failure as _};

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-31T{text}Z").parse().unwrap()
    }

    fn period(date: Option<&str>, date_to: Option<&str>, max_hours: u32) -> Result<Period, PeriodError> {
        Period::new(date.map(at), date_to.map(at), max_hours, at("12:00:00"))
    }

    #[test]
    fn given_neither_one_or_both_dates_then_the_period_is_as_long_as_it_may_be_or_as_asked_for() {
        for (date, date_to, max_hours, from, until) in [
            (None, None, 1, "11:00:00", "12:00:00"),
            (None, None, 3, "09:00:00", "12:00:00"),
            (Some("08:00:00"), None, 2, "08:00:00", "10:00:00"),
            (None, Some("08:00:00"), 2, "06:00:00", "08:00:00"),
            (Some("08:00:00"), Some("09:00:00"), 1, "08:00:00", "09:00:00"),
            (Some("08:00:00"), Some("08:00:00.001"), 1, "08:00:00", "08:00:00.001"),
        ] {
            assert_eq!(
                period(date, date_to, max_hours),
                Ok(Period { from: at(from), until: at(until) }),
                "{date:?} {date_to:?}"
            );
        }
    }

    #[test]
    fn given_a_period_that_is_too_long_or_does_not_end_after_its_begin_then_it_is_refused_at_its_end() {
        let too_long = period(Some("08:00:00"), Some("10:00:00.001"), 2).unwrap_err();
        assert_eq!(too_long, PeriodError::TooLong(2));
        assert_eq!(
            too_long.to_string(),
            "Period must be less than or equal to 2 hours. Please set allowed period to the query"
        );
        for date_to in ["08:00:00", "07:59:59"] {
            let early = period(Some("08:00:00"), Some(date_to), 2).unwrap_err();
            assert_eq!(early, PeriodError::EndsTooEarly);
            assert_eq!((early.kind(), early.entry().as_deref()), (ErrorKind::Invalid, Some("$.date_to")));
        }
    }

    #[test]
    fn given_the_ends_of_time_then_the_period_ends_there() {
        let last = Period::new(Some(at("12:00:00")), None, u32::MAX, at("12:00:00")).unwrap();
        assert_eq!(last.until(), "9999-12-31T23:59:59.999Z".parse().unwrap());
        let begin = Timestamp::MIN.saturating_add(Duration::from_secs(1));
        assert_eq!(Period::new(None, Some(begin), 1, begin).unwrap().from(), Timestamp::MIN);
        assert_eq!(Period::new(None, Some(Timestamp::MIN), 1, begin), Err(PeriodError::EndsTooEarly));
    }

    #[test]
    fn given_instants_between_milliseconds_then_events_before_them_are_before_the_period_and_in_it() {
        let period = period(Some("08:00:00.0001"), Some("08:00:00.0029"), 1).unwrap();
        let events = ["08:00:00", "08:00:00.001", "08:00:00.002", "08:00:00.003"];
        assert_eq!(events.map(|event| period.contains(at(event))), [false, true, true, false]);
        assert_eq!((period.from(), period.until()), (at("08:00:00.001"), at("08:00:00.003")));
    }

    #[test]
    fn the_begin_is_in_the_period_and_the_end_is_not() {
        let period = period(Some("08:00:00"), Some("09:00:00"), 1).unwrap();
        for (time, expected) in
            [("07:59:59.999", false), ("08:00:00", true), ("08:59:59.999", true), ("09:00:00", false)]
        {
            assert_eq!(period.contains(at(time)), expected, "{time}");
        }
    }
}
