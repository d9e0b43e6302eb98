//! What the project wants to reach, held against what was measured.

use serde::Serialize;

use crate::groups::{Method, Reading, Results, Series, WayName};
use crate::stage::Store;
use crate::stats::Spread;

/// A goal and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What is wanted.
    pub goal: String,
    /// What was measured, with its unit.
    pub measured: String,
    /// Whether that is enough.
    pub met: bool,
}

/// On which side of a bound one wants to be.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
        }
    }
}

/// The work that goals are about: each method on each database that carries it out.
pub(crate) const CASES: [(Method, Store); 4] = [
    (Method::Stop, Store::Mongodb),
    (Method::Update, Store::Postgres),
    (Method::Stop, Store::Sqlite),
    (Method::Update, Store::Sqlite),
];

/// All goals about which something was measured.
pub fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let all: Vec<&Series> = results.throughput().collect();
    for (method, store) in CASES {
        let case = Case { all: &all, method, store };
        let rate = |reading: &Reading| reading.outcome.per_second();
        let p99 = |reading: &Reading| reading.outcome.p99_us;
        let (what, against, at_32) = match (store, method) {
            // Sharing commits is worth what a flush costs; L2 shares as many.
            (Store::Sqlite, _) => ("a second, times L2", WayName::L2, 0.5),
            (_, Method::Stop) => ("a second, times L1", WayName::L1, 1.25),
            (_, Method::Update) => ("a second, times L1", WayName::L1, 1.0),
        };
        verdicts.extend(case.held(what, 32, against, rate, Bound::AtLeast(at_32)));
        if store != Store::Sqlite {
            verdicts.extend(case.held("a second, times L2", 64, WayName::L2, rate, Bound::AtLeast(0.5)));
        }
        verdicts.extend(case.held("a second, times L1", 1, WayName::L1, rate, Bound::AtLeast(0.85)));
        verdicts.extend(case.held("p99, times L1's", 32, WayName::L1, p99, Bound::AtMost(1.0)));
    }
    verdicts.extend(results.figures().filter_map(|figure| {
        let (bound, words) = match (figure.at_least, figure.at_most) {
            (Some(least), _) => (Bound::AtLeast(least), format!("at least {least}")),
            (None, Some(most)) => (Bound::AtMost(most), format!("at most {most}")),
            (None, None) => return None,
        };
        Some(Verdict {
            goal: format!("{}: {words} {}", figure.what, figure.unit),
            measured: format!("{} {}", figure.shown(), figure.unit),
            met: bound.holds(figure.value),
        })
    }));
    verdicts
}

struct Case<'a> {
    all: &'a [&'a Series],
    method: Method,
    store: Store,
}

impl Case<'_> {
    fn series(&self, at_once: usize, way: WayName) -> Option<&Series> {
        let it = (self.method, self.store, at_once, way);
        self.all
            .iter()
            .copied()
            .find(|series| (series.method, series.store, series.at_once, series.way) == it)
    }

    fn held(
        &self,
        what: &str,
        at_once: usize,
        against: WayName,
        value: impl Fn(&Reading) -> f64,
        bound: Bound,
    ) -> Option<Verdict> {
        let (ours, theirs) = (self.series(at_once, WayName::Esoz)?, self.series(at_once, against)?);
        let Spread { median, min, max } = ours.ratio_to(theirs, value)?;
        let (method, store) = (self.method.name(), self.store.name());
        Some(Verdict {
            goal: format!("{method} on {store}, {at_once} at once: {what}: {}", bound.words()),
            measured: format!("{median:.2} ({min:.2}–{max:.2})"),
            met: bound.holds(median),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::{Figure, Measured};
    use crate::job::Outcome;

    fn series(at_once: usize, way: WayName, rate: u64, p99_us: f64) -> Series {
        let outcome = Outcome { counted: rate, done: rate, seconds: 1.0, p50_us: 1.0, p99_us };
        let readings = vec![Reading { outcome, processor_seconds: None }];
        Series { method: Method::Stop, store: Store::Mongodb, at_once, way, readings }
    }

    fn of(measured: Measured) -> Results {
        Results([("x".to_owned(), measured)].into())
    }

    fn met(results: &Results) -> Vec<(String, bool)> {
        verdicts(results).into_iter().map(|verdict| (verdict.goal, verdict.met)).collect()
    }

    #[test]
    fn what_was_not_measured_has_no_verdict() {
        assert_eq!(verdicts(&Results::default()), []);
    }

    #[test]
    fn each_goal_is_held_against_its_own_limit() {
        let throughput = vec![
            series(32, WayName::L1, 1_000, 50.0),
            series(32, WayName::Esoz, 1_250, 51.0),
            series(64, WayName::L2, 1_000, 50.0),
            series(64, WayName::Esoz, 499, 1.0),
        ];
        let results = of(Measured { throughput, ..Measured::default() });
        let expected = [
            ("stop on MongoDB, 32 at once: a second, times L1: at least 1.25", true),
            ("stop on MongoDB, 64 at once: a second, times L2: at least 0.5", false),
            ("stop on MongoDB, 32 at once: p99, times L1's: at most 1", false),
        ];
        assert_eq!(met(&results), expected.map(|(goal, met)| (goal.to_owned(), met)));
    }

    #[test]
    fn a_figure_has_a_verdict_if_it_has_a_bound() {
        let figures = vec![
            Figure::new("memory", 41.0, "MiB").at_most(40.0),
            Figure::new("refusals", 20_000.0, "a second").at_least(20_000.0),
            Figure::new("something", 1.0, "apple"),
        ];
        let results = of(Measured { figures, ..Measured::default() });
        let expected = [
            ("memory: at most 40 MiB".to_owned(), false),
            ("refusals: at least 20000 a second".to_owned(), true),
        ];
        assert_eq!(met(&results), expected);
    }
}
