//! Servers are killed at random instants, again and again, while clients work on the others or wait.

use anyhow::Result;
use esoz_tests::Kind;

use super::{Run, millis};
use crate::report::Report;
use crate::trial::{Setup, Trial};

/// Servers side by side, and how many of them are killed in the short form, which leaves out those with none, and in the whole.
const PARTS: [(Kind, usize, usize, usize); 4] = [
    (Kind::Servers, 1, 0, 60),
    (Kind::Servers, 2, 6, 60),
    (Kind::Servers, 3, 0, 60),
    (Kind::Sqlite, 1, 4, 40),
];

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (kind, replicas, short, full) in PARTS {
        let kills = run.of(short, full);
        if kills == 0 {
            continue;
        }
        let mut rng = run.rng(u64::try_from(reports.len())?);
        let store = if kind == Kind::Sqlite { "SQLite" } else { "PostgreSQL and MongoDB" };
        let setup = Setup::new(&format!("kill, {replicas} on {store}"), rng.u64(..), replicas);
        let mut trial = Trial::begin(setup, run.stores(kind).await?).await?;
        for _ in 0..kills {
            tokio::time::sleep(millis(&mut rng, 100, 1_200)).await;
            let number = rng.usize(0..replicas);
            trial.kill(number, millis(&mut rng, 0, 100)).await?;
        }
        reports.push(trial.end().await?);
    }
    Ok(reports)
}
