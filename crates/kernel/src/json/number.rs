//! Numbers of JSON, to the last digit.

use crate::lossless_f64;
use serde_json::Number;

/// Parses a number; `None` when neither a 64-bit integer nor a double holds it exactly.
pub fn number(text: &str) -> Option<Number> {
    let integer =
        || text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
    integer().or_else(|| Number::from_f64(lossless_f64(text)?))
}
