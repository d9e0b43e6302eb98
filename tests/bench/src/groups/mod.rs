//! What is measured, group by group.

mod build;
mod figure;
mod growth;
mod import;
mod lists;
mod memory;
mod refusals;
mod relay;
mod series;
mod start;
mod throughput;
mod writes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use esoz_kernel::{Clock as _, system::SystemClock};
use serde::{Deserialize, Serialize};

pub use figure::Figure;
pub use series::{Method, Reading, Series, WayName};

use crate::stage::{Store, Venue};

/// How much is measured.
pub struct Settings {
    /// The server's program.
    pub program: PathBuf,
    /// Where.
    pub venue: Venue,
    /// How often each thing is measured.
    pub rounds: usize,
    /// How long each time, in seconds.
    pub seconds: f64,
    /// How much there is to begin with: contract divisions, and dispenses beside those that are used up. The lines of files to import.
    pub records: u64,
}

impl Settings {
    /// How long each measurement runs before it counts, in seconds.
    fn warm_up(&self) -> f64 {
        self.seconds / 10.0
    }
}

/// A group of measurements that can be made by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Stops on MongoDB
    StopMongodb,
    /// Stops on SQLite
    StopSqlite,
    /// Updates on PostgreSQL
    UpdatePostgres,
    /// Updates on SQLite
    UpdateSqlite,
    /// Creates and completes of dispenses beside stops, and creates for one request, on MongoDB
    WritesMongodb,
    /// The same on SQLite
    WritesSqlite,
    /// Stops and updates on all, with more and more stored and with many events waiting
    Growth,
    /// Dispenses, shown and listed, with more and more stored
    Lists,
    /// Events on their way to Kafka
    Relay,
    /// What the server keeps in memory after very many requests
    Memory,
    /// From the start of the server to its first answer
    Start,
    /// Requests without a token
    Refusals,
    /// Importing files into SQLite, beside one transaction of its own
    ImportSqlite,
    /// Importing files into MongoDB, beside its `insertMany`
    ImportMongodb,
    /// Importing files into PostgreSQL, beside its `COPY`
    ImportPostgres,
    /// Compiling a domain crate
    Build,
}

impl Group {
    /// What it is called on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What a group measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    /// On which day, UTC.
    pub day: String,
    /// The same work by different ways.
    pub throughput: Vec<Series>,
    /// Single figures.
    pub figures: Vec<Figure>,
    /// What else is to be known about them.
    pub notes: Vec<String>,
}

/// All that was measured, by the names of the groups.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results(pub BTreeMap<String, Measured>);

impl Results {
    /// The same work by different ways, of all groups.
    pub fn throughput(&self) -> impl Iterator<Item = &Series> {
        self.0.values().flat_map(|measured| &measured.throughput)
    }

    /// The single figures of all groups.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.0.values().flat_map(|measured| &measured.figures)
    }
}

impl Group {
    /// Measures it. `tell` gets a line whenever something is known.
    pub fn measure(self, settings: &Settings, tell: &dyn Fn(&str)) -> Result<Measured> {
        let day = SystemClock.now().to_string().chars().take("2026-01-31".len()).collect();
        let mut measured = Measured { day, ..Measured::default() };
        let mut same_work = |method, store| throughput::measure(method, store, settings, &mut measured, tell);
        match self {
            Self::StopMongodb => same_work(Method::Stop, Store::Mongodb)?,
            Self::StopSqlite => same_work(Method::Stop, Store::Sqlite)?,
            Self::UpdatePostgres => same_work(Method::Update, Store::Postgres)?,
            Self::UpdateSqlite => same_work(Method::Update, Store::Sqlite)?,
            Self::WritesMongodb => writes::measure(Store::Mongodb, settings, &mut measured, tell)?,
            Self::WritesSqlite => writes::measure(Store::Sqlite, settings, &mut measured, tell)?,
            Self::Growth => growth::measure(settings, &mut measured, tell)?,
            Self::Lists => lists::measure(settings, &mut measured, tell)?,
            Self::Relay => relay::measure(settings, &mut measured, tell)?,
            Self::Memory => memory::measure(settings, &mut measured, tell)?,
            Self::Start => start::measure(settings, &mut measured, tell)?,
            Self::Refusals => refusals::measure(settings, &mut measured, tell)?,
            Self::ImportSqlite => import::measure(Store::Sqlite, settings, &mut measured, tell)?,
            Self::ImportMongodb => import::measure(Store::Mongodb, settings, &mut measured, tell)?,
            Self::ImportPostgres => import::measure(Store::Postgres, settings, &mut measured, tell)?,
            Self::Build => build::measure(settings, &mut measured, tell)?,
        }
        Ok(measured)
    }
}

/// The whole part of a number that is neither negative nor enormous.
fn whole(number: f64) -> u64 {
    Duration::from_secs_f64(number.clamp(0.0, 1e12)).as_secs()
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn whole_numbers_are_cut() {
        assert_eq!([whole(1.9), whole(-3.0), whole(300.0)], [1, 0, 300]);
    }
}
