//! Servers are killed, and MongoDB loses its primary, while dispenses are recorded, completed and marked in error.

use std::time::Duration;

use anyhow::Result;
use bson::doc;
use esoz_test_servers::MongoSet;
use esoz_tests::Kind;
use tokio::task::block_in_place;

use super::mongodb::{lose_primary, lost_primaries};
use super::{Run, millis};
use crate::dispensing::Course;
use crate::report::Report;

const MEMBERS: usize = 3;
/// Requests that must be answered as done after each loss.
const DONE_BETWEEN: usize = 20;
const RECOVERED_WITHIN: Duration = Duration::from_mins(1);

/// The limit of transactions that MongoDB comes with, and the one here, so that a run need not wait so long.
const LIMIT_USUAL_S: i32 = 60;
const LIMIT_HERE_S: i32 = 2;

/// Servers side by side, and how many of them are killed in the short form and in the whole.
const KILLED: [(Kind, usize, usize, usize); 2] = [(Kind::Servers, 2, 6, 60), (Kind::Sqlite, 1, 4, 40)];

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (kind, replicas, short, full) in KILLED {
        let kills = run.of(short, full);
        if kind == Kind::Servers {
            limit_transactions(run, LIMIT_HERE_S).await?;
        }
        let mut rng = run.rng(20 + u64::try_from(reports.len())?);
        let store = if kind == Kind::Sqlite { "SQLite" } else { "PostgreSQL and MongoDB" };
        let name = format!("creates, completes, marks in error: kill, {replicas} on {store}");
        let mut course = Course::begin(&name, rng.u64(..), replicas, run.stores(kind).await?).await?;
        for _ in 0..kills {
            tokio::time::sleep(millis(&mut rng, 100, 1_200)).await;
            let number = rng.usize(0..replicas);
            course.kill(number, millis(&mut rng, 0, 100)).await?;
        }
        course.until_more_done(DONE_BETWEEN, RECOVERED_WITHIN).await?;
        reports.push(course.end().await?);
    }
    limit_transactions(run, LIMIT_USUAL_S).await?;
    reports.push(without_primary(run).await?);
    Ok(reports)
}

/// Sets how long MongoDB keeps the transaction of a server that was killed: until then others cannot write what it has written (ADR 0035).
async fn limit_transactions(run: &Run, seconds: i32) -> Result<()> {
    let mongodb = &run.servers().await?.mongodb;
    let limit = doc! { "setParameter": 1, "transactionLifetimeLimitSeconds": seconds };
    block_in_place(|| mongodb.command(limit))?;
    Ok(())
}

/// The primary of a replica set is killed and stepped down in turn.
async fn without_primary(run: &Run) -> Result<Report> {
    let mut rng = run.rng(22);
    let mut set = tokio::task::spawn_blocking(|| MongoSet::start(MEMBERS)).await??;
    let stores = run.servers().await?.stores_with(&set.uri()).await?;
    let name = "creates, completes, marks in error: MongoDB's primary killed and stepped down, 2 servers";
    let mut course = Course::begin(name, rng.u64(..), 2, stores).await?;
    let losses = run.of(2, 12);
    for loss in 0..losses {
        course.until_more_done(DONE_BETWEEN, RECOVERED_WITHIN).await?;
        tokio::time::sleep(millis(&mut rng, 0, 1_000)).await;
        set = lose_primary(set, loss).await?;
    }
    course.until_more_done(DONE_BETWEEN, RECOVERED_WITHIN).await?;
    course.notes.push(lost_primaries(losses));
    let report = course.end().await?;
    tokio::task::spawn_blocking(move || drop(set)).await?;
    Ok(report)
}
