//! One trial: stores, a workload on servers, faults, and the check of what is left.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use esoz_tests::TestStores;
use tokio::task::block_in_place;

use crate::checker::{self, Finding};
use crate::fixtures::{self, Fixtures, Size};
use crate::history::{self, Operation, Recorder};
use crate::load::{Load, Pace, Shared};
use crate::read;
use crate::reopen::Reopening;
use crate::report::Report;
use crate::server::Replicas;

/// How long a server may take to end when it is asked to.
const ENDED_WITHIN: Duration = Duration::from_secs(15);
pub(crate) const POLL_EVERY: Duration = Duration::from_millis(50);

/// What a trial begins with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The name of the scenario, or of a part of it.
    pub name: String,
    /// From which every choice follows.
    pub seed: u64,
    /// Servers side by side.
    pub replicas: usize,
    /// How much is loaded.
    pub size: Size,
    /// How clients behave.
    pub pace: Pace,
    /// Whether the event log is held against the topic in the end. Not where servers are asked to stop, which can fall into the time in which
    /// their consumers join the group: the broker of the tests (tansu) keeps a member that is gone since then as the leader of the group, for
    /// whose assignment the others wait for ever. Kafka drops it after its session timeout.
    pub checks_event_log: bool,
    /// What servers have in their environment beside the usual.
    pub variables: Vec<(String, String)>,
}

impl Setup {
    /// The usual trial.
    pub fn new(name: &str, seed: u64, replicas: usize) -> Self {
        Self {
            name: name.to_owned(),
            seed,
            replicas,
            size: Size { dispenses: 400, overdue: 60, contracts: 8, records: 24, tokens: 16 },
            pace: Pace::default(),
            checks_event_log: true,
            variables: Vec::new(),
        }
    }

    /// With that in the servers' environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }
}

/// A trial under way.
pub struct Trial {
    /// The servers under test.
    pub replicas: Replicas,
    /// What clients share.
    pub shared: Arc<Shared>,
    /// The stores.
    pub stores: Arc<TestStores>,
    /// What is told of it beside the counts.
    pub notes: Vec<String>,
    /// How many servers were killed.
    pub kills: usize,
    setup: Setup,
    load: Option<Load>,
    folder: PathBuf,
    began: Instant,
    /// Whether it was checked.
    is_over: bool,
}

impl Trial {
    /// Loads the fixtures, starts the servers, lets the clients begin.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn begin(setup: Setup, stores: TestStores) -> Result<Self> {
        let mut trial = Self::without_load(setup, stores).await?;
        trial.work();
        Ok(trial)
    }

    /// Lets the clients begin.
    pub fn work(&mut self) {
        self.load = Some(Load::start(&self.shared, self.setup.seed, self.setup.pace));
        self.began = Instant::now();
    }

    /// The same with no client yet.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn without_load(setup: Setup, stores: TestStores) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("esoz-faults-").tempdir()?.keep();
        let stores = Arc::new(stores);
        let mut variables = fixtures::variables(&stores);
        let fixtures = Fixtures::load(&variables, setup.size).await.context("loading")?;
        variables.extend(setup.variables.iter().cloned());
        let replicas = Replicas::start(setup.replicas, &variables, &folder).await?;
        let shared = Arc::new(Shared {
            fixtures,
            recorder: Arc::new(Recorder::default()),
            listening: replicas.listening(),
            reopening: Reopening::on(stores.clone()),
        });
        let (notes, kills, load, began) = (Vec::new(), 0, None, Instant::now());
        Ok(Self { replicas, shared, stores, notes, kills, setup, load, folder, began, is_over: false })
    }

    /// How many changes were acknowledged until now.
    pub fn acknowledged(&self) -> usize {
        self.shared.recorder.count(is_acknowledged) + self.shared.recorder.counted()
    }

    /// How many requests were answered with that status until now.
    pub fn refused_with(&self, wanted: u16) -> usize {
        let is_it = |operation: &Operation| matches!(operation.outcome, history::Outcome::Refused { status, .. } if status == wanted);
        self.shared.recorder.count(is_it)
    }

    /// Waits until that many changes more than before were acknowledged; gives how many it are.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn until_more_acknowledged(
        &self,
        before: usize,
        more: usize,
        within: Duration,
    ) -> Result<usize> {
        let started = Instant::now();
        loop {
            let acknowledged = self.acknowledged();
            if acknowledged >= before + more {
                return Ok(acknowledged);
            }
            if started.elapsed() > within {
                let got = acknowledged.saturating_sub(before);
                bail!("{got} changes acknowledged within {within:?}, of {more} that were to come");
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Lets the clients finish what they have begun, and begin nothing else.
    pub async fn pause(&mut self) {
        if let Some(load) = self.load.take() {
            load.finish().await;
        }
    }

    /// Runs statements in the PostgreSQL database as its owner.
    ///
    /// # Errors
    /// When there is none, or it refuses them.
    pub fn database(&self, sql: &str) -> Result<String> {
        let database = self.stores.database().context("no PostgreSQL here")?;
        database.try_execute(sql).map_err(anyhow::Error::msg)
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

    /// Lets the clients finish, waits until everything is delivered, stops the servers, and holds what is left against the history.
    ///
    /// # Errors
    /// When something could not be read or does not end.
    pub async fn end(mut self) -> Result<Report> {
        let worked = self.finish().await?;
        let history = self.shared.recorder.history();
        let mut state = read::state(&self.stores).await?;
        state.log = state.log.filter(|_| self.setup.checks_event_log);
        let findings = checker::check(&self.shared.fixtures.loaded, &history, &state);
        let mut report = self.report(worked, &history, findings)?;
        let distinct: BTreeSet<&String> = state.topic.iter().map(|event| &event.id).collect();
        report.events = distinct.len();
        report.repeated = state.topic.len() - distinct.len();
        report.audited = state.audit.iter().filter(|row| row.action == "UPDATE").count();
        Ok(report)
    }

    /// The same for updates alone of which those that were done were only counted: each must have its audit row, and one.
    ///
    /// # Errors
    /// When something could not be read or does not end.
    pub async fn end_counted(mut self) -> Result<Report> {
        let worked = self.finish().await?;
        let done = self.shared.recorder.counted();
        let (rows, requests) = block_in_place(|| {
            let count = |what: &str| -> Result<usize> {
                let sql = format!("SELECT count({what}) FROM audit_log WHERE action = 'UPDATE'");
                Ok(self.database(&sql)?.trim().parse()?)
            };
            anyhow::Ok((count("*")?, count("DISTINCT request_id")?))
        })?;
        let findings = checker::check_counts(done, rows, requests);
        let mut report = self.report(worked, &self.shared.recorder.history(), findings)?;
        report.operations += done;
        report.acknowledged += done;
        report.audited = rows;
        Ok(report)
    }

    /// What there is to tell of a trial that is over.
    fn report(&mut self, worked: Duration, history: &[Operation], findings: Vec<Finding>) -> Result<Report> {
        self.is_over = true;
        let kept = if findings.is_empty() { None } else { Some(self.keep(history)?) };
        if kept.is_none() {
            std::fs::remove_dir_all(&self.folder)?;
        }
        let mut report = Report::of(&self.setup.name, self.setup.seed, history, findings);
        report.took = worked;
        report.kills = self.kills;
        report.notes = std::mem::take(&mut self.notes);
        report.kept = kept;
        Ok(report)
    }

    /// Lets the clients finish, waits until everything has expired, was delivered and is in the event log, and stops the servers; tells how
    /// long the clients were at work.
    async fn finish(&mut self) -> Result<Duration> {
        self.pause().await;
        let worked = self.began.elapsed();
        self.wait_for_expiry().await?;
        self.wait_for_delivery().await?;
        if self.setup.checks_event_log {
            self.wait_for_event_log().await?;
        }
        for number in 0..self.replicas.len() {
            if self.replicas.pid(number).is_some() {
                self.replicas.terminate(number)?;
                let (status, _) = self.replicas.wait(number, ENDED_WITHIN).await?;
                anyhow::ensure!(status.success(), "server {number} ended with {status}");
            }
        }
        Ok(worked)
    }

    fn keep(&self, history: &[Operation]) -> Result<PathBuf> {
        let path = self.folder.join("history.jsonl");
        history::write(&path, history)?;
        Ok(path)
    }
}

impl Drop for Trial {
    /// A trial that was not ended has failed: its history is what tells why.
    #[expect(clippy::print_stderr, reason = "there is nobody to give it to")]
    fn drop(&mut self) {
        if !self.is_over {
            match self.keep(&self.shared.recorder.history()) {
                Ok(path) => eprintln!("{}: the history is {}", self.setup.name, path.display()),
                Err(error) => eprintln!("{}: the history is lost: {error:#}", self.setup.name),
            }
        }
    }
}

/// Whether a change was acknowledged.
pub fn is_acknowledged(operation: &Operation) -> bool {
    use history::Action::{Stop, Update};
    operation.is_done() && matches!(operation.action, Stop { .. } | Update { .. })
}
