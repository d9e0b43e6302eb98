//! A single figure, with the bound that it should keep if there is one.

use serde::{Deserialize, Serialize};

use crate::stats::Spread;

/// Something that was measured, in one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub what: String,
    /// How much: the median where it was measured several times.
    pub value: f64,
    /// How far the measurements went to either side.
    pub spread: Option<(f64, f64)>,
    /// Of what.
    pub unit: String,
    /// The least that is wanted.
    pub at_least: Option<f64>,
    /// The most that is wanted.
    pub at_most: Option<f64>,
}

impl Figure {
    /// A number without a bound.
    pub fn new(what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { what: what.into(), value, spread: None, unit: unit.to_owned(), at_least: None, at_most: None }
    }

    /// The median of some numbers.
    pub fn of(what: impl Into<String>, Spread { median, min, max }: Spread, unit: &str) -> Self {
        Self { spread: Some((min, max)), ..Self::new(what, median, unit) }
    }

    /// It should be that much.
    #[must_use]
    pub fn at_least(self, least: f64) -> Self {
        Self { at_least: Some(least), ..self }
    }

    /// It should not be more than that.
    #[must_use]
    pub fn at_most(self, most: f64) -> Self {
        Self { at_most: Some(most), ..self }
    }

    /// The number as it is shown: with as many digits as say something.
    pub fn shown(&self) -> String {
        let digits = |value: f64| match value.abs() {
            size if size >= 100.0 => format!("{value:.0}"),
            size if size >= 10.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        };
        match self.spread {
            Some((min, max)) => format!("{} ({}–{})", digits(self.value), digits(min), digits(max)),
            None => digits(self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_shows_no_more_digits_than_it_has() {
        let shown = |value| Figure::new("x", value, "y").shown();
        assert_eq!([shown(24_321.7), shown(24.37), shown(0.973)], ["24322", "24.4", "0.97"]);
        let spread = Spread { median: 1.0, min: 0.5, max: 12.0 };
        assert_eq!(Figure::of("x", spread, "y").shown(), "1.00 (0.50–12.0)");
    }
}
