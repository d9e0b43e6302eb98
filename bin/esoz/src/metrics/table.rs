//! Every metric: what it is called, what it tells, and which values its labels may have.

use crate::observed::{OPERATIONS, OUTCOMES, STORES};

/// What sort of number it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// How often something has happened since the start.
    Counter,
    /// How it is now.
    Gauge,
    /// How values are spread: how many were not above each of these bounds, how many there were, and their sum.
    Histogram(&'static [f64]),
}

/// A label, and every value that it may have.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    pub(crate) name: &'static str,
    values: fn() -> Vec<String>,
}

/// A metric with that many labels.
pub(crate) struct Metric<const N: usize> {
    pub(crate) name: &'static str,
    kind: Kind,
    help: &'static str,
    pub(crate) labels: [Label; N],
}

/// A metric, as whoever reads about it needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its name, which ends in its unit.
    pub name: &'static str,
    /// What sort of number it is.
    pub kind: Kind,
    /// What it tells.
    pub help: &'static str,
    /// Its labels, each with every value that it may have.
    pub labels: Vec<(&'static str, Vec<String>)>,
}

impl<const N: usize> Metric<N> {
    fn described(&self) -> Described {
        let Self { name, kind, help, labels } = self;
        let labels = labels.iter().map(|label| (label.name, (label.values)())).collect();
        Described { name, kind: *kind, help, labels }
    }
}

/// Every metric.
pub fn all() -> Vec<Described> {
    vec![BUILD_INFO.described(), START_TIME.described(), STORE_OPERATION_DURATION.described()]
}

/// From what a cache or an index answers to what only a timeout ends, in seconds.
const STORE_SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const VERSION: Label = Label { name: "version", values: || owned(&[env!("CARGO_PKG_VERSION")]) };
const STORE: Label = Label { name: "store", values: || owned(STORES) };
const PORT: Label = Label { name: "port", values: || owned(OPERATIONS.iter().map(|(port, _)| port)) };
const OPERATION: Label =
    Label { name: "operation", values: || owned(OPERATIONS.iter().flat_map(|(_, operations)| *operations)) };
const OUTCOME: Label = Label { name: "outcome", values: || owned(OUTCOMES) };

pub(crate) const BUILD_INFO: Metric<1> = Metric {
    name: "esoz_build_info",
    kind: Kind::Gauge,
    help: "Always 1; which version runs.",
    labels: [VERSION],
};

pub(crate) const START_TIME: Metric<0> = Metric {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    help: "When the server started, in seconds since 1970.",
    labels: [],
};

pub(crate) const STORE_OPERATION_DURATION: Metric<4> = Metric {
    name: "esoz_store_operation_duration_seconds",
    kind: Kind::Histogram(STORE_SECONDS),
    help: "How long stores and the bus took for each call, by how it ended.",
    labels: [STORE, PORT, OPERATION, OUTCOME],
};

/// Each once, in the order of their first coming.
fn owned<'a>(words: impl IntoIterator<Item = &'a &'static str>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for word in words {
        if !each.iter().any(|known| known == word) {
            each.push((*word).to_owned());
        }
    }
    each
}
