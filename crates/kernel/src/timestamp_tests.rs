use super::*;

fn parse(text: &str) -> Result<String, TimeError> {
    text.parse::<Timestamp>().map(|time| time.to_string())
}

#[test]
fn the_first_and_the_last_instant_of_the_wire_format_are_times() {
    for (text, shown) in [
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ("0000-01-01T02:00:00+02:00", "0000-01-01T00:00:00Z"),
        ("-000001-12-31T22:00:00-02:00", "0000-01-01T00:00:00Z"),
        ("9999-12-30T22:00:01Z", "9999-12-30T22:00:01Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ("9999-12-31T21:59:59.5-02:00", "9999-12-31T23:59:59.5Z"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(shown), "{text}");
    }
    assert_eq!(
        (Timestamp::MIN.to_string(), Timestamp::MAX.to_string()),
        ("0000-01-01T00:00:00Z".to_owned(), "9999-12-31T23:59:59.999999999Z".to_owned())
    );
}

#[test]
fn a_time_outside_is_told_from_what_is_no_time() {
    for text in [
        "0000-01-01T00:00:00+02:00",
        "0000-01-01T01:59:59.999999999+02:00",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T22:00:00-02:00",
        "-000001-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
    ] {
        assert_eq!(parse(text), Err(TimeError::OutOfRange), "{text}");
    }
    for text in [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T08:15:30",
        "2026-02-30T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-01-31T08:15:30Zz",
        "2026-01-31T08:15:30+24:00",
        "2026-01-31T08:15:30-25:00",
        "2016-12-31T23:59:60Z",
        "2017-01-01 01:59:60.5+02:00",
        "20161231T235960Z",
    ] {
        assert_eq!(parse(text), Err(TimeError::Malformed), "{text}");
    }
}

#[test]
fn a_time_without_an_offset_is_in_utc_where_that_is_allowed() {
    let parse = |text: &str| Timestamp::parse_or_utc(text).map(|time| time.to_string());
    for (text, shown) in [
        ("2026-01-31T08:15:30", "2026-01-31T08:15:30Z"),
        ("2026-01-31T08:15", "2026-01-31T08:15:00Z"),
        ("2026-01-31T08:15:30.123Z", "2026-01-31T08:15:30.123Z"),
        ("2026-01-31T08:15:30.5+02:00", "2026-01-31T06:15:30.5Z"),
        ("2026-01-31T00:00:00-05:30", "2026-01-31T05:30:00Z"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(shown), "{text}");
    }
    for text in [
        "",
        "yesterday",
        "2026-01-31",
        "2026-01-31T",
        "2026-01-31 08:15:30Z",
        "2026-01-31T08:15:30 02:00",
        "2026-01-31T08:15:30z",
        "2026-01-31T08:15:30[Europe/Kyiv]",
        "2026-01-31T08:15:30+02:00[Europe/Kyiv]",
        "2026-02-30T08:15:30",
        "1769847330",
    ] {
        assert_eq!(parse(text), Err(TimeError::Malformed), "{text}");
    }
    assert_eq!(parse("-000001-01-01T00:00:00"), Err(TimeError::OutOfRange));
}

#[test]
fn every_unit_ends_where_the_years_end() {
    for bound in [Timestamp::MIN, Timestamp::MAX] {
        let (second, millisecond, microsecond) =
            (bound.as_second(), bound.as_millisecond(), bound.as_microsecond());
        let step = if bound == Timestamp::MIN { -1 } else { 1 };
        assert_eq!(Timestamp::from_second(second).map(Timestamp::as_second), Ok(second));
        assert_eq!(Timestamp::from_millisecond(millisecond).map(Timestamp::as_millisecond), Ok(millisecond));
        assert_eq!(Timestamp::from_microsecond(microsecond).map(Timestamp::as_microsecond), Ok(microsecond));
        assert_eq!(Timestamp::from_second(second + step), Err(TimeError::OutOfRange));
        assert_eq!(Timestamp::from_millisecond(millisecond + step), Err(TimeError::OutOfRange));
        assert_eq!(Timestamp::from_microsecond(microsecond + step), Err(TimeError::OutOfRange));
    }
    for most in [i64::MIN, i64::MAX] {
        assert!(Timestamp::from_second(most).is_err() && Timestamp::from_millisecond(most).is_err());
        assert!(Timestamp::from_microsecond(most).is_err() && Timestamp::new(most, 999_999_999).is_err());
    }
}

#[test]
fn reckoning_ends_where_the_years_end() {
    let hour = SignedDuration::from_hours(1);
    assert_eq!(
        (Timestamp::MAX.saturating_add(hour), Timestamp::MIN.saturating_sub(hour)),
        (Timestamp::MAX, Timestamp::MIN)
    );
    assert_eq!(Timestamp::MAX.saturating_add(std::time::Duration::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MAX.saturating_sub(SignedDuration::MAX), Timestamp::MIN);
    assert_eq!(Timestamp::MAX.checked_add(SignedDuration::from_nanos(1)), Err(TimeError::OutOfRange));
    assert_eq!(Timestamp::MIN.checked_add(SignedDuration::MIN), Err(TimeError::OutOfRange));
    assert_eq!(Timestamp::MIN.checked_add(Timestamp::MAX.duration_since(Timestamp::MIN)), Ok(Timestamp::MAX));
}
