//! The scenarios: each starts servers, lets clients work on them, injects its faults and has the rest checked.

mod broker;
mod bulkheads;
mod dispensing;
mod exhaustion;
mod kill;
mod mongodb;
mod network;
mod overload;
mod postgres;
mod races;
mod sigterm;
mod soak;
mod upgrade;
mod workload;

use std::time::Duration;

use anyhow::Result;
use esoz_tests::{Kind, TestStores};
use fastrand::Rng;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::report::Report;
use crate::servers::Servers;

/// How much of everything a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A few seconds of each scenario.
    Short,
    /// All that the project claims.
    Full,
}

/// A run of scenarios.
pub struct Run {
    /// How much of everything.
    pub form: Form,
    /// From which every choice follows.
    pub seed: u64,
    servers: OnceCell<Servers>,
}

impl Run {
    /// A run for which no server was started yet.
    pub const fn new(form: Form, seed: u64) -> Self {
        Self { form, seed, servers: OnceCell::const_new() }
    }

    /// One value for the short form, one for the whole.
    pub const fn of<T: Copy>(&self, short: T, full: T) -> T {
        match self.form {
            Form::Short => short,
            Form::Full => full,
        }
    }

    /// The choices of a part of the run.
    pub fn rng(&self, part: u64) -> Rng {
        Rng::with_seed(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ part)
    }

    /// Databases and broker, started when first asked for.
    ///
    /// # Errors
    /// When one cannot be started.
    pub async fn servers(&self) -> Result<&Servers> {
        self.servers.get_or_try_init(|| async { tokio::task::spawn_blocking(Servers::start).await? }).await
    }

    /// Databases and broker, if they were started.
    pub fn started(&mut self) -> Option<&mut Servers> {
        self.servers.get_mut()
    }

    /// What the databases and the broker are, if any was started.
    pub fn versions(&self) -> String {
        self.servers.get().map_or_else(|| String::from("SQLite alone"), Servers::versions)
    }

    /// Fresh stores of that kind.
    ///
    /// # Errors
    /// When they cannot be made.
    pub async fn stores(&self, kind: Kind) -> Result<TestStores> {
        match kind {
            Kind::Sqlite => Ok(TestStores::fresh(Kind::Sqlite).await),
            Kind::Servers => self.servers().await?.stores().await,
        }
    }
}

/// What a scenario is called, what it does, and how it is run; it gives a report for each of its parts.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub what: &'static str,
    /// Runs it.
    pub run: for<'a> fn(&'a mut Run) -> BoxFuture<'a, Result<Vec<Report>>>,
}

/// Every scenario, in the order in which a run goes through them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "kill",
        what: "kill -9 of one, two and three servers side by side at random instants, and of one on SQLite",
        run: |run| Box::pin(kill::run(run)),
    },
    Scenario {
        name: "races",
        what: "32 requests at once for one dispense, and for one pair of contract and division",
        run: |run| Box::pin(races::run(run)),
    },
    Scenario {
        name: "dispensing",
        what: "creates, completes and marks in error while servers are killed and MongoDB loses its primary",
        run: |run| Box::pin(dispensing::run(run)),
    },
    Scenario {
        name: "mongodb",
        what: "the primary of a replica set of three is killed and stepped down; no client can shorten the election of the next one",
        run: |run| Box::pin(mongodb::run(run)),
    },
    Scenario {
        name: "postgresql",
        what: "PostgreSQL is restarted, its connections are cut, its timeouts are hit",
        run: |run| Box::pin(postgres::run(run)),
    },
    Scenario {
        name: "broker",
        what: "the broker is away, slow, cut off, restarted",
        run: |run| Box::pin(broker::run(run)),
    },
    Scenario {
        name: "network",
        what: "the network between servers and each store is cut, stalled, delayed, half open",
        run: |run| Box::pin(network::run(run)),
    },
    Scenario {
        name: "sigterm",
        what: "servers are asked to stop under load: no request fails, and each ends within ten seconds",
        run: |run| Box::pin(sigterm::run(run)),
    },
    Scenario {
        name: "upgrade",
        what: "servers of the version before are restarted on a newer schema, under load",
        run: |run| Box::pin(upgrade::run(run)),
    },
    Scenario {
        name: "exhaustion",
        what: "pools of one connection, a full disk under the SQLite file, a clock that jumps",
        run: |run| Box::pin(exhaustion::run(run)),
    },
    Scenario {
        name: "bulkheads",
        what: "a locked row under updates, a MongoDB that stands still under stops: the other method goes on",
        run: |run| Box::pin(bulkheads::run(run)),
    },
    Scenario {
        name: "overload",
        what: "twice as many requests as a server can carry (not in the short form)",
        run: |run| Box::pin(overload::run(run)),
    },
];

/// Offers a server most of what it can carry, for that long: no error, no growth of memory, descriptors and connections.
///
/// # Errors
/// When it cannot be done, or something grew.
pub fn soak(run: &mut Run, length: Duration) -> BoxFuture<'_, Result<Vec<Report>>> {
    Box::pin(soak::run(run, length))
}

/// A random time between these, in milliseconds.
fn millis(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from..to))
}
