//! The load: a process that does one [`Job`] and tells what came of it.

mod bodies;
mod http;
mod meter;
mod mongodb;
mod mongodb_stop;
mod postgres;
mod postgres_sql;
mod sqlite;
mod sqlite_change;

use std::io::{Write as _, stdin, stdout};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::runtime::{Builder, Runtime};

pub use http::{Caller, statuses_at_once};
pub use meter::{Lane, Meter};
pub(crate) use mongodb::COLLECTION;
pub(crate) use mongodb_stop::binary;
pub(crate) use postgres::{Id, open as open_postgres};
pub(crate) use sqlite::open as open_sqlite;

use crate::job::{Job, Outcome, Way};

/// How many requests share a commit at most, where they do.
pub const TOGETHER: usize = 32;

/// The command that makes this program a driver.
pub(crate) const COMMAND: &str = "drive";

/// Has a process of its own do the job.
pub fn run_apart(job: &Job) -> Result<Outcome> {
    let program = std::env::current_exe().context("looking for the program of the bench")?;
    let mut child = Command::new(program)
        .arg(COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting a driver")?;
    let mut input = child.stdin.take().context("a driver without input")?;
    input.write_all(&serde_json::to_vec(job)?).context("telling the driver its job")?;
    drop(input);
    let output = child.wait_with_output().context("waiting for the driver")?;
    ensure!(output.status.success(), "a driver failed ({}): see above", output.status);
    serde_json::from_slice(&output.stdout).context("understanding the driver")
}

/// Does the job that standard input holds, and tells standard output what came of it.
pub(crate) fn run_told() -> Result<()> {
    let job: Job = serde_json::from_reader(stdin().lock()).context("understanding the job")?;
    let outcome = run(job)?;
    serde_json::to_writer(stdout().lock(), &outcome).context("telling the outcome")
}

fn run(job: Job) -> Result<Outcome> {
    ensure!(job.at_once > 0, "nobody is to do the job");
    let job = Arc::new(job);
    match &job.way {
        // One thread has time for all; a second one would only take it from the server.
        Way::Http { .. } => one_thread()?.block_on(http::run(&job)),
        Way::Mongodb { .. } => Runtime::new()?.block_on(mongodb::run(&job)),
        Way::Postgres { .. } => Runtime::new()?.block_on(postgres::run(&job)),
        Way::Sqlite { .. } => sqlite::run(&job),
    }
}

fn one_thread() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("starting a runtime")
}

/// Waits for all workers, and gives the first failure if one failed.
async fn all(workers: Vec<tokio::task::JoinHandle<Result<()>>>) -> Result<()> {
    for worker in workers {
        match worker.await {
            Ok(done) => done?,
            Err(_) => bail!("a worker broke down"),
        }
    }
    Ok(())
}
