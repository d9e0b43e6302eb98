//! Claims that JWTs and introspection responses share.

use esoz_kernel::{TimeError, Timestamp};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// Seconds since 1970, whole or fractional (RFC 7519, section 2). A number outside the range of [`Timestamp`] is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct NumericDate(pub(crate) Timestamp);

impl TryFrom<f64> for NumericDate {
    type Error = TimeError;

    fn try_from(seconds: f64) -> Result<Self, TimeError> {
        let since_1970 = SignedDuration::try_from_secs_f64(seconds).map_err(|_| TimeError::OutOfRange)?;
        Timestamp::from_duration(since_1970).map(Self)
    }
}

/// The audience of a token: one name or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub(crate) fn names(&self, wanted: &str) -> bool {
        match self {
            Self::One(name) => name == wanted,
            Self::Several(names) => names.iter().any(|name| name == wanted),
        }
    }
}

/// Deserializes the presence of a member, whatever its value. To be used with `default`.
pub(crate) fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(json: &str) -> Option<String> {
        serde_json::from_str::<NumericDate>(json).ok().map(|date| date.0.to_string())
    }

    #[test]
    fn a_numeric_date_is_a_number_of_seconds() {
        assert_eq!(date("1700000000").as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(date("1700000000.5").as_deref(), Some("2023-11-14T22:13:20.5Z"));
        assert_eq!(date("1.7e9").as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(date("-1").as_deref(), Some("1969-12-31T23:59:59Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for json in [
            "99999999999999",
            "18446744073709551615",
            "-99999999999999",
            "1e300",
            "-1e300",
            "\"1700000000\"",
            "null",
            "true",
            "[1]",
            "{}",
        ] {
            assert_eq!(date(json), None, "{json}");
        }
    }

    #[test]
    fn an_audience_is_one_name_or_several() {
        let names =
            |json: &str| serde_json::from_str::<Audience>(json).map(|audience| audience.names("esoz"));
        assert!(names("\"esoz\"").unwrap() && names("[\"other\", \"esoz\"]").unwrap());
        assert!(!names("\"esoz2\"").unwrap() && !names("[\"ESOZ\"]").unwrap() && !names("[]").unwrap());
        assert!(names("{\"esoz\": 1}").is_err() && names("[1]").is_err());
    }
}
