use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode, Signed as _, Zero as _};

/// A decimal number of at most 30 digits before and after the point, for money and quantities. Sums and products are exact, and equal numbers are
/// equal however they are written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(BigDecimal);

/// The most digits before the point and after it, and the largest exponent: what a text may ask for must not cost memory.
const MAX_DIGITS: usize = 30;

/// The text is no decimal number, or one of too many digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no decimal number of at most 30 digits before and after the point")]
pub struct InvalidDecimal;

impl Decimal {
    /// The most digits before the point that a client may send: so many are exact in a double, with three after the point.
    pub const MAX_WHOLE_DIGITS: usize = 12;

    /// Returns how many digits after the point it needs.
    pub fn decimals(&self) -> u64 {
        self.0.normalized().fractional_digit_count().try_into().unwrap_or(0)
    }

    /// Returns how many digits before the point it has; zero has none.
    pub fn whole_digits(&self) -> usize {
        let whole = self.0.with_scale_round(0, RoundingMode::Down);
        if whole.is_zero() { 0 } else { usize::try_from(whole.digits()).unwrap_or(usize::MAX) }
    }

    /// Whether it is less than zero.
    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// Whether it is a whole multiple of the other number; of zero only zero is.
    pub fn is_multiple_of(&self, other: &Self) -> bool {
        if other.is_zero() { self.is_zero() } else { (&self.0 % &other.0).is_zero() }
    }

    /// Rounds to two digits after the point, half away from zero.
    #[must_use]
    pub fn rounded_to_hundredths(&self) -> Self {
        Self(self.0.with_scale_round(2, RoundingMode::HalfUp).normalized())
    }

    /// Multiplies by a power of ten: `-2` makes a fraction of a percentage.
    #[must_use]
    pub fn shifted(&self, power: i64) -> Self {
        let (digits, scale) = self.0.as_bigint_and_exponent();
        Self(BigDecimal::new(digits, scale.saturating_sub(power)))
    }
}

impl From<u32> for Decimal {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;

    /// Parses a number as JSON writes it.
    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |part: &str| {
            (1..=MAX_DIGITS).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let exponent: i16 = exponent.parse().map_err(|_| InvalidDecimal)?;
        if !are_digits(whole) || !are_digits(fraction) || usize::from(exponent.unsigned_abs()) > MAX_DIGITS {
            return Err(InvalidDecimal);
        }
        text.parse().map(|number: BigDecimal| Self(number.normalized())).map_err(|_| InvalidDecimal)
    }
}

impl fmt::Display for Decimal {
    /// Writes every digit, without an exponent.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Mul for &Decimal {
    type Output = Decimal;

    fn mul(self, other: Self) -> Decimal {
        Decimal(&self.0 * &other.0)
    }
}

impl Add for &Decimal {
    type Output = Decimal;

    fn add(self, other: Self) -> Decimal {
        Decimal(&self.0 + &other.0)
    }
}

impl Sub for &Decimal {
    type Output = Decimal;

    fn sub(self, other: Self) -> Decimal {
        Decimal(&self.0 - &other.0)
    }
}

impl std::iter::Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        Self(numbers.map(|number| number.0).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        for (one, other) in [("10", "10.0"), ("1e1", "10"), ("-0", "0"), ("1.50", "15E-1"), ("0.00", "0e5")] {
            assert_eq!(decimal(one), decimal(other), "{one} {other}");
        }
        assert_ne!(decimal("0.1"), decimal("0.1000000000000000055511151231"));
    }

    #[test]
    fn a_number_is_written_with_every_digit_and_no_other() {
        for (text, written) in
            [("12.50", "12.5"), ("1e3", "1000"), ("-1e-3", "-0.001"), ("0.0", "0"), ("33.33", "33.33")]
        {
            assert_eq!(decimal(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_or_too_long_is_refused() {
        let long = "1".repeat(31);
        for text in
            ["", "-", "+1", ".5", "5.", "1e", "1e31", "1e-999999999", "NaN", " 1", "1_0", "0x1", &long]
        {
            assert_eq!(text.parse::<Decimal>(), Err(InvalidDecimal), "{text}");
        }
    }

    #[test]
    fn decimals_are_those_that_the_value_needs() {
        for (text, decimals) in [("1.500", 1), ("100", 0), ("1e2", 0), ("0.001", 3), ("15e-3", 3)] {
            assert_eq!(decimal(text).decimals(), decimals, "{text}");
        }
        for (text, whole) in [("0.99", 0), ("0", 0), ("1", 1), ("-999.9", 3), ("1e12", 13), ("100", 3)] {
            assert_eq!(decimal(text).whole_digits(), whole, "{text}");
        }
    }

    #[test]
    fn money_is_exact_and_rounded_half_up() {
        let allowed = (&decimal("100.01") * &decimal("33.33")).shifted(-2);
        assert_eq!(allowed, decimal("33.333333"));
        assert_eq!(allowed.rounded_to_hundredths(), decimal("33.33"));
        assert_eq!(decimal("0.005").rounded_to_hundredths(), decimal("0.01"));
        assert_eq!(decimal("0.004999").rounded_to_hundredths(), decimal("0"));
        let sum: Decimal = ["0.1", "0.2"].map(decimal).into_iter().sum();
        assert_eq!((&sum + &decimal("1"), &sum - &decimal("0.3")), (decimal("1.3"), decimal("0")));
    }

    #[test]
    fn multiples_are_found_with_fractions_and_of_zero_only_zero_is_one() {
        for (number, of, expected) in [
            ("6", "3", true),
            ("7", "3", false),
            ("1.5", "0.5", true),
            ("0", "3", true),
            ("3", "0", false),
            ("0", "0", true),
        ] {
            assert_eq!(decimal(number).is_multiple_of(&decimal(of)), expected, "{number} {of}");
        }
    }
}
