//! SQLite itself: one connection that writes, as the file has one writer at a time, to whom many bring their work.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use rusqlite::{Connection, TransactionBehavior};

use super::sqlite_change::change;
use super::{Lane, Meter};
use crate::job::{Job, Outcome, Way};

/// As the server sets up a connection for changes: a commit is on the disk before it is reported.
const SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;";

/// A turn whose work is to be done, and who wants to know that it is.
type Errand = (u64, Sender<()>);

pub(super) fn run(job: &Arc<Job>) -> Result<Outcome> {
    let Way::Sqlite { path, together } = &job.way else { bail!("this goes to SQLite") };
    let mut connection = open(path)?;
    let meter = Arc::new(Meter::start(job));
    if job.at_once == 1 {
        alone(job, &meter, &mut connection)?;
    } else {
        at_once(job, &meter, &mut connection, *together)?;
    }
    Arc::into_inner(meter).context("somebody is still at work")?.outcome()
}

/// Opens a connection for changes on a file that the server has made.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path).with_context(|| format!("opening {}", path.display()))?;
    connection.execute_batch(SETTINGS).context("setting up SQLite")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Nobody waits for anybody.
fn alone(job: &Job, meter: &Meter, connection: &mut Connection) -> Result<()> {
    let mut lane = Lane::default();
    while let Some(turn) = meter.turn() {
        let began = Instant::now();
        commit(job, connection, &[turn])?;
        meter.done(&mut lane, began);
    }
    meter.hand_in(lane);
    Ok(())
}

/// Many threads wait for one that writes, which takes what has come meanwhile, up to `together`, into one commit.
fn at_once(job: &Arc<Job>, meter: &Arc<Meter>, connection: &mut Connection, together: usize) -> Result<()> {
    let (errands, waiting) = channel();
    let callers: Vec<_> = (0..job.at_once)
        .map(|_| {
            let (meter, errands) = (meter.clone(), errands.clone());
            thread::spawn(move || call(&meter, &errands))
        })
        .collect();
    drop(errands);
    let written = write(job, connection, &waiting, together);
    // Whoever still waits learns that nobody writes.
    drop(waiting);
    let called: Vec<_> = callers.into_iter().map(thread::JoinHandle::join).collect();
    written?;
    for caller in called {
        caller.map_err(|_| anyhow!("a worker broke down"))??;
    }
    Ok(())
}

fn call(meter: &Meter, errands: &Sender<Errand>) -> Result<()> {
    let mut lane = Lane::default();
    let (done, is_done) = channel();
    while let Some(turn) = meter.turn() {
        let began = Instant::now();
        errands.send((turn, done.clone())).context("nobody writes")?;
        is_done.recv().context("nobody writes")?;
        meter.done(&mut lane, began);
    }
    meter.hand_in(lane);
    Ok(())
}

fn write(job: &Job, connection: &mut Connection, waiting: &Receiver<Errand>, together: usize) -> Result<()> {
    while let Ok(first) = waiting.recv() {
        let batch: Vec<Errand> =
            std::iter::once(first).chain(waiting.try_iter().take(together - 1)).collect();
        let turns: Vec<u64> = batch.iter().map(|(turn, _)| *turn).collect();
        commit(job, connection, &turns)?;
        for (_, done) in batch {
            // Who does not wait any more need not know.
            let _ = done.send(());
        }
    }
    Ok(())
}

fn commit(job: &Job, connection: &mut Connection, turns: &[u64]) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for &turn in turns {
        change(&transaction, &job.work, turn)?;
    }
    transaction.commit().context("committing to SQLite")
}
