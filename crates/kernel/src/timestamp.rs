use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// An instant in UTC, to the nanosecond, in the years 0000 to 9999: exactly the range of `YYYY-MM-DDThh:mm:ssZ`.
///
/// `jiff::Timestamp` has another range: it ends 26 hours before the year 9999 does, and it begins 9999 years before the year 0000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(SignedDuration);

/// Why a value is no [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text has another form.
    #[error("is not an ISO 8601 time with its offset, like 2026-01-31T08:15:30.123Z")]
    Malformed,
    /// It is a time that no store and no answer can hold.
    #[error("is outside the years 0000 to 9999 in UTC")]
    OutOfRange,
}

const DAY_SECONDS: i32 = 86_400;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

impl Timestamp {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self::constant(-62_167_219_200, 0);
    /// 9999-12-31T23:59:59.999999999Z.
    pub const MAX: Self = Self::constant(253_402_300_799, 999_999_999);
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self::constant(0, 0);

    /// Parses an ISO 8601 date and time; without an offset it is in UTC. A time zone, a blank and lower case are refused.
    ///
    /// # Errors
    /// [`TimeError`]
    pub fn parse_or_utc(text: &str) -> Result<Self, TimeError> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"-+:.,TZ".contains(&byte));
        if is_plain { parse(text, Some(Offset::UTC)) } else { Err(TimeError::Malformed) }
    }

    /// Creates a constant from seconds and nanoseconds since 1970. The caller ensures that it is in range.
    pub const fn constant(seconds: i64, nanoseconds: i32) -> Self {
        Self(SignedDuration::new(seconds, nanoseconds))
    }

    /// Creates the instant that long after 1970.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`]
    pub fn from_duration(since_epoch: SignedDuration) -> Result<Self, TimeError> {
        let time = Self(since_epoch);
        if (Self::MIN..=Self::MAX).contains(&time) { Ok(time) } else { Err(TimeError::OutOfRange) }
    }

    /// Creates the instant that many seconds and nanoseconds after 1970.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`]
    pub fn new(seconds: i64, nanoseconds: i32) -> Result<Self, TimeError> {
        let nanoseconds = SignedDuration::from_nanos(nanoseconds.into());
        let since_epoch = SignedDuration::from_secs(seconds).checked_add(nanoseconds);
        Self::from_duration(since_epoch.ok_or(TimeError::OutOfRange)?)
    }

    /// Creates the instant that many seconds after 1970.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`]
    pub fn from_second(seconds: i64) -> Result<Self, TimeError> {
        Self::from_duration(SignedDuration::from_secs(seconds))
    }

    /// Creates the instant that many milliseconds after 1970.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`]
    pub fn from_millisecond(milliseconds: i64) -> Result<Self, TimeError> {
        Self::from_duration(SignedDuration::from_millis(milliseconds))
    }

    /// Creates the instant that many microseconds after 1970.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`]
    pub fn from_microsecond(microseconds: i64) -> Result<Self, TimeError> {
        Self::from_duration(SignedDuration::from_micros(microseconds))
    }

    /// Returns the whole seconds since 1970, truncated towards 1970.
    pub fn as_second(self) -> i64 {
        self.0.as_secs()
    }

    /// Returns the whole milliseconds since 1970, truncated towards 1970.
    pub fn as_millisecond(self) -> i64 {
        self.0.as_secs() * 1_000 + i64::from(self.0.subsec_millis())
    }

    /// Returns the whole microseconds since 1970, truncated towards 1970.
    pub fn as_microsecond(self) -> i64 {
        self.0.as_secs() * 1_000_000 + i64::from(self.0.subsec_micros())
    }

    /// Returns the duration since 1970.
    pub const fn as_duration(self) -> SignedDuration {
        self.0
    }

    /// Returns the duration from `earlier` to this instant; negative if that one is later.
    pub fn duration_since(self, earlier: Self) -> SignedDuration {
        // The whole range has fewer seconds than 2^39.
        self.0 - earlier.0
    }

    /// Returns the instant that much later.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`]
    pub fn checked_add(self, by: SignedDuration) -> Result<Self, TimeError> {
        Self::from_duration(self.0.checked_add(by).ok_or(TimeError::OutOfRange)?)
    }

    /// Returns the instant that much later, within [`Timestamp::MIN`] and [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, by: impl TryInto<SignedDuration>) -> Self {
        Self(self.0.saturating_add(signed(by))).clamp(Self::MIN, Self::MAX)
    }

    /// Returns the instant that much earlier, within the same bounds.
    #[must_use]
    pub fn saturating_sub(self, by: impl TryInto<SignedDuration>) -> Self {
        Self(self.0.saturating_sub(signed(by))).clamp(Self::MIN, Self::MAX)
    }

    /// Truncates to a multiple of so many nanoseconds, towards the past.
    pub(crate) fn floor_to(self, nanoseconds: i128) -> Self {
        let floor = self.0.as_nanos().div_euclid(nanoseconds) * nanoseconds;
        // 0000-01-01 is such a multiple, so the result is in range.
        Self(SignedDuration::from_nanos_i128(floor))
    }
}

/// The duration; only a `std::time::Duration` can be too long for it.
fn signed(duration: impl TryInto<SignedDuration>) -> SignedDuration {
    duration.try_into().unwrap_or(SignedDuration::MAX)
}

/// Renders ISO 8601 with `Z`, with as many decimals as the precision, e.g. `{:.3}`, or as many as needed.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = EPOCH.saturating_add(self.0);
        match formatter.precision() {
            Some(decimals) => write!(formatter, "{civil:.decimals$}Z"),
            None => write!(formatter, "{civil}Z"),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Parses ISO 8601 with any offset.
impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        parse(text, None)
    }
}

/// Parses ISO 8601; a text without an offset has this one.
fn parse(text: &str, default: Option<Offset>) -> Result<Timestamp, TimeError> {
    let pieces = Pieces::parse(text).map_err(|_| TimeError::Malformed)?;
    let offset = pieces.to_numeric_offset().or(default);
    let (time, offset) = pieces.time().zip(offset).ok_or(TimeError::Malformed)?;
    // jiff takes more: offsets of more than a day, and a leap second, which it reads as the second before.
    let is_leap = |time: &str| time.replace(':', "").get(4..6) == Some("60");
    if offset.seconds().abs() >= DAY_SECONDS
        || text.split_once(['T', 't', ' ']).is_some_and(|it| is_leap(it.1))
    {
        return Err(TimeError::Malformed);
    }
    let local = pieces.date().to_datetime(time).duration_since(EPOCH);
    Timestamp::from_duration(local - SignedDuration::from_secs(offset.seconds().into()))
}

#[cfg(test)]
#[path = "timestamp_tests.rs"]
mod tests;
