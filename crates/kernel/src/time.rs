//! UTC time in the two precisions that ESOZ keeps (conventions, "Time, ids, limits").

use jiff::{Timestamp, Unit};

/// The time cut to milliseconds: dispenses and events.
pub fn to_millis(time: Timestamp) -> Timestamp {
    cut(time, Unit::Millisecond)
}

/// The time cut to microseconds: contract records, tokens.
pub fn to_micros(time: Timestamp) -> Timestamp {
    cut(time, Unit::Microsecond)
}

/// ISO 8601 with `Z` and exactly three decimals, e.g. `2026-01-31T08:15:30.123Z`.
pub fn rfc3339_millis(time: Timestamp) -> String {
    format!("{:.3}", to_millis(time))
}

/// ISO 8601 with `Z` and exactly six decimals, e.g. `2026-01-31T08:15:30.123456Z`.
pub fn rfc3339_micros(time: Timestamp) -> String {
    format!("{:.6}", to_micros(time))
}

fn cut(time: Timestamp, unit: Unit) -> Timestamp {
    let floor = jiff::TimestampRound::new().smallest(unit).mode(jiff::RoundMode::Floor);
    // Rounding fails only for units larger than an hour.
    time.round(floor).unwrap_or(time)
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
    }
}
