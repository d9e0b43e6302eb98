//! Dispenses that are recorded, completed and marked in error while faults happen, each request under an idempotency key and repeated until it is
//! answered: what is left is known then to the last entry.

mod check;
mod client;
mod fixtures;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use esoz_tests::TestStores;
use fastrand::Rng;
use tokio::task::JoinSet;

pub use check::{Stored, check};
pub use client::{Step, Taken, Told};

use crate::checker::Finding;
use crate::fixtures::variables;
use crate::read;
use crate::report::Report;
use crate::server::Replicas;
use client::{Client, Counts};
use fixtures::Fixtures;

/// How many clients are at work.
const CLIENTS: usize = 12;
const SETTLED_WITHIN: Duration = Duration::from_mins(2);
const ENDED_WITHIN: Duration = Duration::from_secs(15);
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Clients at work on servers, and what they have done.
pub struct Course {
    /// The servers under test.
    pub replicas: Replicas,
    /// What is told of it beside the counts.
    pub notes: Vec<String>,
    name: String,
    seed: u64,
    kills: usize,
    stores: TestStores,
    fixtures: Arc<Fixtures>,
    counts: Arc<Counts>,
    stopping: Arc<AtomicBool>,
    clients: JoinSet<Result<(Vec<Taken>, Vec<Finding>)>>,
    folder: PathBuf,
    began: Instant,
}

impl Course {
    /// Loads what creates rest on, starts the servers, lets the clients begin.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn begin(name: &str, seed: u64, replicas: usize, stores: TestStores) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("esoz-faults-").tempdir()?.keep();
        let mut variables = variables(&stores);
        let fixtures = Arc::new(Fixtures::load(&variables).await.context("loading")?);
        variables.extend(fixtures.documents.variables());
        let replicas = Replicas::start(replicas, &variables, &folder).await?;
        let (counts, stopping) = (Arc::<Counts>::default(), Arc::<AtomicBool>::default());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let rng = Rng::with_seed(seed ^ (u64::try_from(number)? << 32));
            let listening = replicas.listening();
            let client = Client::new(number, rng, fixtures.clone(), listening, counts.clone());
            clients.spawn(client.run(stopping.clone()));
        }
        let (name, notes, began) = (name.to_owned(), Vec::new(), Instant::now());
        Ok(Self {
            replicas,
            notes,
            name,
            seed,
            kills: 0,
            stores,
            fixtures,
            counts,
            stopping,
            clients,
            folder,
            began,
        })
    }

    /// Kills a server and starts it again after a while.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn kill(&mut self, number: usize, down: Duration) -> Result<()> {
        self.replicas.kill(number)?;
        self.kills += 1;
        tokio::time::sleep(down).await;
        self.replicas.launch(number).await
    }

    /// Waits until that many requests more are answered as done, or something is found.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn until_more_done(&self, more: usize, within: Duration) -> Result<()> {
        let (before, started) = (self.counts.done(), Instant::now());
        while self.counts.done() < before + more && !self.counts.has_findings() {
            let done = self.counts.done() - before;
            let why = self.counts.unanswered();
            ensure!(
                started.elapsed() < within,
                "{done} requests done within {within:?}, of {more} to come; without a clear answer: {why:?}"
            );
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    }

    /// Lets the clients finish, waits until everything is delivered, stops the servers, and holds what is left against what was answered.
    ///
    /// # Errors
    /// When something could not be read or does not end.
    pub async fn end(mut self) -> Result<Report> {
        self.stopping.store(true, Ordering::SeqCst);
        let (mut taken, mut findings) = (Vec::new(), Vec::new());
        while let Some(ended) = self.clients.join_next().await {
            let (of_client, found) = ended.context("a client")??;
            taken.extend(of_client);
            findings.extend(found);
        }
        let took = self.began.elapsed();
        self.wait_for_delivery().await?;
        for number in 0..self.replicas.len() {
            self.replicas.terminate(number)?;
            let (status, _) = self.replicas.wait(number, ENDED_WITHIN).await?;
            ensure!(status.success(), "server {number} ended with {status}");
        }
        let state = read::state(&self.stores).await?;
        let stored = self.fixtures.stored(&state).await?;
        findings.extend(check(&taken, &stored, &state.topic));
        let distinct: BTreeSet<&String> = state.topic.iter().map(|event| &event.id).collect();
        let is_kept = !findings.is_empty();
        if !is_kept {
            std::fs::remove_dir_all(&self.folder)?;
        }
        let ends = |status: &str| {
            let is_it = |taken: &&Taken| taken.steps.last().is_some_and(|step| step.status == status);
            taken.iter().filter(is_it).count()
        };
        let (completed, in_error) = (ends("completed"), ends("entered_in_error"));
        self.notes.push(format!(
            "{} dispenses recorded, {completed} completed, {in_error} marked in error",
            taken.len()
        ));
        let why = self.counts.unanswered();
        let unanswered = why.values().sum();
        Ok(Report {
            name: self.name,
            seed: self.seed,
            took,
            operations: self.counts.sent(),
            why,
            acknowledged: self.counts.done(),
            unanswered,
            // A client goes on only when its request is answered.
            resolved: unanswered,
            kills: self.kills,
            events: distinct.len(),
            repeated: state.topic.len() - distinct.len(),
            notes: self.notes,
            findings,
            kept: is_kept.then_some(self.folder),
            ..Report::default()
        })
    }

    async fn wait_for_delivery(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let not_yet = match self.fixtures.stores.backlog().await {
                Ok(backlog) if backlog.depth == 0 => return Ok(()),
                Ok(backlog) => format!("{} events wait in the outbox", backlog.depth),
                Err(error) => error.to_string(),
            };
            if started.elapsed() > SETTLED_WITHIN {
                bail!("after {SETTLED_WITHIN:?}, {not_yet}");
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }
}
