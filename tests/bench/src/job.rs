//! What a process that drives load is told (on its standard input) and what it tells (on its standard output), as JSON.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Some work, to be done in some way for some time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// What to do.
    pub work: Work,
    /// By what way.
    pub way: Way,
    /// How many are doing it at the same time.
    pub at_once: usize,
    /// How long it is done before it counts, in milliseconds.
    pub warm_up_ms: u64,
    /// How long it is done then, in milliseconds.
    pub measure_ms: u64,
    /// The first turn; every turn is taken once, by whoever comes.
    pub first: u64,
    /// How many turns there are. When they are used up before the time is over, that is the end.
    pub most: u64,
}

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Work {
    /// Stop dispenses, one after the other.
    Stop(StopWork),
    /// Update contract divisions: each goes back and forth between two divisions.
    Update(UpdateWork),
    /// Record dispenses, each of a device request of its own as long as there are enough (over HTTP alone).
    Create(CreateWork),
    /// Complete dispenses, one after the other, by documents that are signed for them (over HTTP alone).
    Complete(CompleteWork),
    /// Ask without a token (over HTTP alone).
    Refusals,
    /// Find dispenses by their ids, one after the other.
    Show(StopWork),
    /// Get what is at that path, again and again (over HTTP alone).
    Get(String),
}

/// Which dispenses are stopped, or shown, and for whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StopWork {
    /// The number of the first of them.
    pub base: u64,
    /// How many there are from there on.
    pub dispenses: u64,
    /// Whose they are.
    pub patient: Uuid,
    /// What stands for the patient in the store.
    pub subject: String,
    /// The legal entity that they belong to.
    pub owner: Uuid,
    /// Who stops them.
    pub user: Uuid,
}

impl StopWork {
    /// The dispense whose turn it is.
    pub fn dispense(&self, turn: u64) -> Uuid {
        use crate::ids::{Numbered, id};
        id(Numbered::Dispense, self.number(turn))
    }

    /// Its number.
    pub fn number(&self, turn: u64) -> u64 {
        self.base + crate::ids::shuffled(turn, self.dispenses)
    }
}

/// What stands for the id of a dispense in a template.
pub const ID: &str = "{id}";
/// What stands for the id of its device request.
pub const REQUEST: &str = "{request}";

/// Which dispenses are recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateWork {
    /// The number of the first of their device requests, and of the first dispense.
    pub base: u64,
    /// How many requests there are from there on.
    pub requests: u64,
    /// Whose they are.
    pub patient: Uuid,
    /// The template of the body.
    pub body: String,
}

/// Which dispenses are completed, and by whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompleteWork {
    /// The dispenses.
    pub dispenses: StopWork,
    /// The template of what is signed.
    pub content: String,
    /// The signer's certificates, in PEM.
    pub certificates: String,
    /// The signer's key, in PEM.
    pub key: String,
}

/// Which contract divisions are updated, and by whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateWork {
    /// How many there are.
    pub records: u64,
    /// Who updates them.
    pub user: Uuid,
}

/// A contract division and what it shall become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toggle {
    /// The contract division.
    pub record: Uuid,
    /// Its contract, which stays.
    pub contract: Uuid,
    /// The division that it shall name.
    pub division: Uuid,
}

impl UpdateWork {
    /// What to do when it is that turn. In each pass over all records every one goes to its other division.
    pub fn toggle(&self, turn: u64) -> Toggle {
        use crate::ids::{Numbered, contract_of, division_of, id, shuffled};
        let records = self.records.max(1);
        let number = shuffled(turn % records, records);
        Toggle {
            record: id(Numbered::Record, number),
            contract: contract_of(number),
            division: division_of(number, (turn / records).is_multiple_of(2)),
        }
    }
}

/// By what way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Way {
    /// A request to the server.
    Http {
        /// Where it is.
        address: SocketAddr,
        /// The bearer token.
        token: String,
        /// The api key, where one is wanted.
        api_key: String,
    },
    /// MongoDB's driver.
    Mongodb {
        /// The connection string.
        uri: String,
        /// The database.
        database: String,
        /// How many requests share a commit.
        together: usize,
    },
    /// PostgreSQL's driver.
    Postgres {
        /// Where the database is.
        url: String,
        /// How.
        by: Statements,
    },
    /// SQLite itself.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// How many requests share a commit.
        together: usize,
    },
}

/// How PostgreSQL is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statements {
    /// One statement, a transaction of its own, for each request.
    Single,
    /// One statement for many requests.
    Rows,
    /// Many statements, sent without waiting for each other's answers, in one transaction.
    Pipelined,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// How many were done in the time that counts.
    pub counted: u64,
    /// How many were done altogether.
    pub done: u64,
    /// The time that counts, in seconds.
    pub seconds: f64,
    /// How long the middle one took, in microseconds.
    pub p50_us: f64,
    /// How long the slowest but one in a hundred took, in microseconds.
    pub p99_us: f64,
}

impl Outcome {
    /// How many were done a second.
    pub fn per_second(&self) -> f64 {
        crate::stats::float(self.counted) / self.seconds
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_record_never_becomes_what_it_is() {
        let work = UpdateWork { records: 7, user: Uuid::nil() };
        let mut now: HashMap<Uuid, Uuid> = (0..7)
            .map(|n| (crate::ids::id(crate::ids::Numbered::Record, n), crate::ids::division_of(n, false)))
            .collect();
        for turn in 0..70 {
            let Toggle { record, division, .. } = work.toggle(turn);
            let was = now.insert(record, division);
            assert!(was.is_some_and(|was| was != division), "turn {turn}");
        }
    }

    #[test]
    fn a_job_survives_its_way_to_the_driver() {
        let way = Way::Postgres { url: "postgres://x".to_owned(), by: Statements::Rows };
        let job =
            Job { work: Work::Refusals, way, at_once: 32, warm_up_ms: 1, measure_ms: 2, first: 3, most: 4 };
        let there: Job = serde_json::from_str(&serde_json::to_string(&job).unwrap()).unwrap();
        assert_eq!(format!("{there:?}"), format!("{job:?}"));
    }
}
