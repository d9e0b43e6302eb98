//! Converts times and dates; PostgreSQL counts both from 2000-01-01.

use std::time::Duration;

use diesel::data_types::{PgDate, PgTimestamp};
use esoz_kernel::time::to_micros;
use esoz_kernel::{CivilDate, Timestamp};

/// 2000-01-01T00:00:00Z in microseconds since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// 2000-01-01.
const EPOCH_DATE: CivilDate = CivilDate::constant(2000, 1, 1);

/// Converts a time, truncated to microseconds.
pub(crate) fn to_pg(time: Timestamp) -> PgTimestamp {
    PgTimestamp(to_micros(time).as_microsecond() - EPOCH_MICROS)
}

/// Converts a stored time; `None` when it is infinite or outside the years 0000 to 9999.
pub(crate) fn from_pg(PgTimestamp(micros): PgTimestamp) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros.checked_add(EPOCH_MICROS)?).ok()
}

/// Converts a stored date; `None` when it is infinite or outside the years 0000 to 9999.
pub(crate) fn date_from_pg(PgDate(days): PgDate) -> Option<CivilDate> {
    let distance = Duration::from_hours(u64::from(days.unsigned_abs()) * 24);
    let date = if days < 0 { EPOCH_DATE.checked_sub(distance) } else { EPOCH_DATE.checked_add(distance) };
    date.ok().filter(|date| date.year() >= 0)
}

/// Converts a date.
pub(crate) fn date_to_pg(date: CivilDate) -> PgDate {
    // The difference of two dates of the years -9999 to 9999 fits with room to spare.
    let days = date.duration_since(EPOCH_DATE).as_hours() / 24;
    PgDate(i32::try_from(days).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_in_microseconds() {
        for (time, stored) in [
            ("2000-01-01T00:00:00Z", 0),
            ("2000-01-01T00:00:00.000001999Z", 1),
            ("1999-12-31T23:59:59.999999Z", -1),
            ("2026-01-31T08:15:30.123456Z", 823_162_530_123_456),
            ("0000-01-01T00:00:00Z", -63_113_904_000_000_000),
            ("9999-12-31T23:59:59.999999Z", 252_455_615_999_999_999),
        ] {
            let time: Timestamp = time.parse().unwrap();
            assert_eq!(to_pg(time), PgTimestamp(stored), "{time}");
            assert_eq!(from_pg(to_pg(time)), Some(to_micros(time)));
        }
    }

    #[test]
    fn a_time_that_no_answer_can_say_is_none() {
        let (first, last) = (to_pg(Timestamp::MIN), to_pg(Timestamp::MAX));
        for micros in [i64::MIN, i64::MIN + 1, first.0 - 1, last.0 + 1, i64::MAX - 1, i64::MAX] {
            assert_eq!(from_pg(PgTimestamp(micros)), None, "{micros}");
        }
    }

    #[test]
    fn a_date_is_counted_from_2000() {
        for (date, days) in [
            ("2000-01-01", 0),
            ("1999-12-31", -1),
            ("0000-01-01", -730_485),
            ("9999-12-31", 2_921_939),
            ("2026-01-31", 9_527),
        ] {
            assert_eq!(date_to_pg(date.parse().unwrap()), PgDate(days), "{date}");
            assert_eq!(date_from_pg(PgDate(days)), Some(date.parse().unwrap()), "{date}");
        }
        for days in [i32::MIN, date_to_pg(CivilDate::constant(-1, 12, 31)).0, i32::MAX] {
            assert_eq!(date_from_pg(PgDate(days)), None, "{days}");
        }
    }
}
