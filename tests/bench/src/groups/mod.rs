//! What is measured, group by group.

mod throughput;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use throughput::{Method, Reading, Series, WayName};

use crate::stage::{Store, Whose};

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's program.
    pub program: PathBuf,
    /// On whose servers.
    pub whose: Whose,
    /// How often each thing is measured.
    pub rounds: usize,
    /// How long each time, in seconds.
    pub seconds: f64,
    /// How much there is to begin with: contract divisions, and dispenses beside those that are used up.
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
}

impl Group {
    /// What it is called on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// All that was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// The same work by different ways.
    pub throughput: Vec<Series>,
    /// What else is to be known about them.
    pub notes: Vec<String>,
}

impl Results {
    /// Measures a group. `tell` gets a line whenever something is known.
    pub fn measure(&mut self, group: Group, settings: &Settings, tell: &dyn Fn(&str)) -> Result<()> {
        let (method, store) = match group {
            Group::StopMongodb => (Method::Stop, Store::Mongodb),
            Group::StopSqlite => (Method::Stop, Store::Sqlite),
            Group::UpdatePostgres => (Method::Update, Store::Postgres),
            Group::UpdateSqlite => (Method::Update, Store::Sqlite),
        };
        throughput::measure(method, store, settings, self, tell)
    }
}
