//! What is measured of the same work by different ways, and how they compare.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::drive::TOGETHER;
use crate::job::{Outcome, Statements, Way};
use crate::stage::{Server, Stage, Store};
use crate::stats::Spread;

/// One of the two methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Stop a device dispense.
    Stop,
    /// Update a contract division.
    Update,
}

impl Method {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Update => "update",
        }
    }
}

/// What a way is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WayName {
    /// One request, one write.
    L1,
    /// Shared commits.
    L2,
    /// The server.
    #[serde(rename = "esoz")]
    Esoz,
}

impl WayName {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::Esoz => "esoz",
        }
    }

    /// How that store is asked by it; for L2 with these statements.
    pub(super) fn on(self, stage: &Stage, store: Store, server: &Server, shared: Statements) -> Result<Way> {
        Ok(match self {
            Self::L1 => stage.directly(store, 1, Statements::Single)?,
            Self::L2 => stage.directly(store, TOGETHER, shared)?,
            Self::Esoz => stage.over_http(server),
        })
    }

    /// More than it does in a second, for all that is known beforehand.
    pub(super) const fn guess(self) -> f64 {
        match self {
            Self::L1 => 8_000.0,
            Self::L2 => 30_000.0,
            Self::Esoz => 12_000.0,
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// What the load saw.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How many processor seconds the server took for 1,000 requests.
    pub processor_seconds: Option<f64>,
}

/// The same measurement in every round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Series {
    /// What was done.
    pub method: Method,
    /// By which database.
    pub store: Store,
    /// How many asked at the same time.
    pub at_once: usize,
    /// By what way.
    pub way: WayName,
    /// One reading for each round.
    pub readings: Vec<Reading>,
}

impl Series {
    /// How many were done a second.
    pub fn per_second(&self) -> Option<Spread> {
        self.of(|reading| Some(reading.outcome.per_second()))
    }

    /// How long the middle one took, in microseconds.
    pub fn p50_us(&self) -> Option<Spread> {
        self.of(|reading| Some(reading.outcome.p50_us))
    }

    /// How long the slowest but one in a hundred took, in microseconds.
    pub fn p99_us(&self) -> Option<Spread> {
        self.of(|reading| Some(reading.outcome.p99_us))
    }

    /// How many processor seconds the server took for 1,000 requests.
    pub fn processor_seconds(&self) -> Option<Spread> {
        self.of(|reading| reading.processor_seconds)
    }

    fn of(&self, value: impl Fn(&Reading) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.readings.iter().filter_map(value))
    }

    /// How this compares to another, round by round: what they were measured in together.
    pub fn ratio_to(&self, other: &Self, value: impl Fn(&Reading) -> f64) -> Option<Spread> {
        Spread::of(
            self.readings.iter().zip(&other.readings).map(|(mine, theirs)| value(mine) / value(theirs)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_the_rounds() {
        let series = |way, rates: &[u64]| Series {
            method: Method::Stop,
            store: Store::Sqlite,
            at_once: 1,
            way,
            readings: rates
                .iter()
                .map(|&counted| Reading {
                    outcome: Outcome { counted, done: counted, seconds: 1.0, p50_us: 1.0, p99_us: 2.0 },
                    processor_seconds: None,
                })
                .collect(),
        };
        let (slow, fast) = (series(WayName::L1, &[100, 10, 50]), series(WayName::Esoz, &[200, 30, 50]));
        let ratio = fast.ratio_to(&slow, |reading| reading.outcome.per_second());
        assert_eq!(ratio, Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    }
}
