//! Medians, spreads and quantiles.

/// A count as a number to reckon with; exact up to 2^53.
pub fn float(count: u64) -> f64 {
    const HALF: f64 = 4_294_967_296.0;
    let part = |bits: u64| f64::from(u32::try_from(bits).unwrap_or(u32::MAX));
    part(count >> 32) * HALF + part(count & u64::from(u32::MAX))
}

/// The quantile of values in ascending order, `permille` of them being at most it; none of none.
pub fn quantile<T: Copy>(ascending: &[T], permille: usize) -> Option<T> {
    let rank = (ascending.len() * permille).div_ceil(1_000).max(1);
    ascending.get(rank - 1).or(ascending.last()).copied()
}

/// The middle of some values and how far they go to either side.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spread {
    /// The median: of an even number of values the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of those values; none of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "these are exact")]
    fn counts_become_numbers() {
        assert_eq!(float(0), 0.0);
        assert_eq!(float(1_000_000), 1e6);
        assert_eq!(float(5_000_000_000), 5e9);
    }

    #[test]
    fn quantiles_are_values_that_were_there() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&hundred, 500), Some(50));
        assert_eq!(quantile(&hundred, 990), Some(99));
        assert_eq!(quantile(&hundred, 1_000), Some(100));
        assert_eq!(quantile(&hundred, 0), Some(1));
        assert_eq!(quantile(&[7], 990), Some(7));
        assert_eq!(quantile::<u32>(&[], 500), None);
    }

    #[test]
    fn a_spread_has_a_middle_and_two_ends() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(of(&[]), None);
    }
}
