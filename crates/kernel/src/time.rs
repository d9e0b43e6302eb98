//! UTC time in the two precisions that ESOZ keeps (conventions, "Time, ids, limits").

use jiff::SignedDuration;

use crate::Timestamp;

/// Truncates to milliseconds, the precision of dispenses and events.
pub fn to_millis(time: Timestamp) -> Timestamp {
    time.floor_to(1_000_000)
}

/// Rounds up to milliseconds; a time after the last millisecond of the year 9999 becomes that one.
pub fn ceil_to_millis(time: Timestamp) -> Timestamp {
    let floor = to_millis(time);
    let next = || to_millis(floor.saturating_add(SignedDuration::from_millis(1)));
    if floor == time { floor } else { next() }
}

/// Truncates to microseconds, the precision of contract records and tokens.
pub fn to_micros(time: Timestamp) -> Timestamp {
    time.floor_to(1_000)
}

/// Renders ISO 8601 with `Z` and exactly three decimals, e.g. `2026-01-31T08:15:30.123Z`.
pub fn rfc3339_millis(time: Timestamp) -> String {
    format!("{:.3}", to_millis(time))
}

/// Renders ISO 8601 with `Z` and exactly six decimals, e.g. `2026-01-31T08:15:30.123456Z`.
pub fn rfc3339_micros(time: Timestamp) -> String {
    format!("{:.6}", to_micros(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_not_rounded_and_keep_their_zeros() {
        let time: Timestamp = "2026-01-31T08:15:30.1239999Z".parse().unwrap();
        assert_eq!(rfc3339_millis(time), "2026-01-31T08:15:30.123Z");
        assert_eq!(rfc3339_micros(time), "2026-01-31T08:15:30.123999Z");
        let whole: Timestamp = "2026-01-31T08:15:30Z".parse().unwrap();
        assert_eq!(rfc3339_millis(whole), "2026-01-31T08:15:30.000Z");
        assert_eq!(to_millis(time).as_millisecond(), time.as_millisecond());
        let before_1970: Timestamp = "1969-12-31T23:59:59.9999999Z".parse().unwrap();
        assert_eq!(rfc3339_millis(before_1970), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339_micros(before_1970), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn a_time_is_rounded_up_to_the_next_millisecond() {
        for (time, expected) in [
            ("2026-01-31T08:15:30.123Z", "2026-01-31T08:15:30.123Z"),
            ("2026-01-31T08:15:30.123000001Z", "2026-01-31T08:15:30.124Z"),
            ("1969-12-31T23:59:59.9991Z", "1970-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.9991Z", "9999-12-31T23:59:59.999Z"),
        ] {
            let rounded = ceil_to_millis(time.parse().unwrap());
            assert_eq!((rounded, rfc3339_millis(rounded).as_str()), (to_millis(rounded), expected), "{time}");
        }
    }

    #[test]
    fn the_ends_of_time_are_rendered_as_they_are() {
        assert_eq!(rfc3339_millis(Timestamp::MIN), "0000-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_millis(Timestamp::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339_micros(Timestamp::MIN), "0000-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339_micros(Timestamp::MAX), "9999-12-31T23:59:59.999999Z");
    }
}
