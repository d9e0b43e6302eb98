//! Decimal numbers and the doubles that hold them.

/// Parses a decimal number as a double without loss: the shortest decimal form of the double has the same value. `None` when a double would
/// round it, or the text is no number.
pub fn lossless_f64(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    (decimal(text)? == shortest(number)?).then_some(number)
}

/// The shortest decimal form of a double; of two that are equally near, the one with the even last digit, as JSON is written.
fn shortest(number: f64) -> Option<(bool, String, i64)> {
    let shortest = decimal(&format!("{number:e}"))?;
    // `{:e}` breaks a tie upwards; with a precision, ties are rounded to even.
    let even = format!("{number:.*e}", shortest.1.len().saturating_sub(1));
    let is_same_double = even.parse() == Ok(number);
    if is_same_double { decimal(&even) } else { Some(shortest) }
}

/// Normalizes a decimal: its sign, its digits without zeros at either end, and the power of ten of the last one. Zero has no digits.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (is_negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    let (fraction, zeros) =
        (i64::try_from(fraction.len()).ok()?, i64::try_from(digits.len() - significant.len()).ok()?);
    let power = exponent.parse::<i64>().ok()?.checked_sub(fraction)?.checked_add(zeros)?;
    Some((is_negative, significant.trim_start_matches('0').to_owned(), power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_a_double_holds_is_that_double() {
        for (text, number) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("0.00e5", 0.0),
            ("1", 1.0),
            ("-12.50", -12.5),
            ("0.1", 0.1),
            ("1e3", 1_000.0),
            ("1E+3", 1_000.0),
            ("0.00010e4", 1.0),
            ("1234567890123.91", 1_234_567_890_123.91),
            ("1.7976931348623157e308", f64::MAX),
            ("5e-324", 5e-324),
            ("18446744073709552000", 18_446_744_073_709_552_000.0),
            // Half way between two of as many digits.
            ("-2166504069673579.2", -8_666_016_278_694_317.0 / 4.0),
            ("2166504069673579.8", 8_666_016_278_694_319.0 / 4.0),
        ] {
            assert_eq!(lossless_f64(text).map(f64::to_bits), Some(f64::to_bits(number)), "{text}");
        }
    }

    #[test]
    fn a_number_that_a_double_would_round_is_none() {
        for text in [
            "123456789012345678.91",
            "9007199254740993",
            "18446744073709551615",
            "0.1000000000000000055511151231257827",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "4.9e-324",
            "-2166504069673579.3",
            "6e-324",
        ] {
            assert_eq!(lossless_f64(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "e5", "NaN", "inf", "-Infinity", "1.2.3", "1e", "0x10", "1 "] {
            assert_eq!(lossless_f64(text), None, "{text}");
        }
    }
}
