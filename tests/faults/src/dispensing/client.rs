//! A client: records one dispense after the other, and completes it, marks it in error or leaves it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use esoz_testkit::builders::fresh;
use fastrand::Rng;
use serde_json::Value;

use super::fixtures::Fixtures;
use crate::checker::{Finding, Kind};
use crate::client::{Ask, Connection, Sent};
use crate::requests::{AGAIN_AFTER, RESOLVED_WITHIN};
use crate::server::Listening;

const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// How many requests of all clients came to what.
#[derive(Default)]
pub(super) struct Counts {
    sent: AtomicUsize,
    /// What there was in the place of a clear answer.
    unanswered: Mutex<BTreeMap<String, usize>>,
    done: AtomicUsize,
    findings: AtomicUsize,
}

impl Counts {
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether something was found by then; there is no point in going on.
    pub(super) fn has_findings(&self) -> bool {
        self.findings.load(Ordering::Relaxed) > 0
    }

    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// How often there was what in the place of a clear answer.
    pub(super) fn unanswered(&self) -> BTreeMap<String, usize> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn unclear(&self, why: String) {
        let mut all = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(why).or_default() += 1;
    }
}

/// What an answer tells of a dispense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its status.
    pub status: String,
    /// When it was changed.
    pub at: String,
    /// By whom.
    pub by: String,
    /// Its signed documents.
    pub links: Vec<String>,
}

/// A change of a dispense that was answered as done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The status that it was to get.
    pub status: &'static str,
    /// Every answer to it, repetitions under its key included.
    pub answers: Vec<Told>,
}

/// A dispense, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The dispense.
    pub dispense: String,
    /// Its device request.
    pub request: String,
    /// The changes, in their order.
    pub steps: Vec<Step>,
}

/// A client.
pub(super) struct Client {
    number: usize,
    rng: Rng,
    fixtures: Arc<Fixtures>,
    listening: Listening,
    counts: Arc<Counts>,
    connections: [Connection; 2],
    findings: Vec<Finding>,
}

impl Client {
    pub(super) fn new(
        number: usize,
        rng: Rng,
        fixtures: Arc<Fixtures>,
        listening: Listening,
        counts: Arc<Counts>,
    ) -> Self {
        let connections = [(); 2].map(|()| Connection::new(ANSWER_WITHIN, false));
        Self { number, rng, fixtures, listening, counts, connections, findings: Vec::new() }
    }

    pub(super) async fn run(mut self, stopping: Arc<AtomicBool>) -> Result<(Vec<Taken>, Vec<Finding>)> {
        let mut all = Vec::new();
        while !stopping.load(Ordering::SeqCst) && !self.counts.has_findings() {
            let dispense = fresh().to_string();
            // Loading goes past the servers; while a store is away there is nothing to load.
            let request = match self.fixtures.request().await {
                Ok(request) => request,
                Err(error) => {
                    self.counts.unclear(format!("loading a request: {error:#}"));
                    tokio::time::sleep(AGAIN_AFTER).await;
                    continue;
                }
            };
            let mut taken = Taken { dispense, request, steps: Vec::new() };
            self.take(&mut taken).await?;
            all.extend((!taken.steps.is_empty()).then_some(taken));
        }
        Ok((all, self.findings))
    }

    /// Takes a dispense as far as chance wants. Each request waits until it is clear that the one before was done.
    async fn take(&mut self, taken: &mut Taken) -> Result<()> {
        let fixtures = self.fixtures.clone();
        let create = fixtures.create(&taken.dispense, &taken.request, &fresh().to_string());
        let Some(dispense) = self.step(taken, &create, 201, "in_progress").await? else { return Ok(()) };
        let key = fresh().to_string();
        let (ask, status) = match self.rng.u32(0..10) {
            0..6 => (fixtures.complete(&dispense, &key)?, "completed"),
            6..9 => (fixtures.mark_in_error(&dispense, &key)?, "entered_in_error"),
            _ => return Ok(()),
        };
        self.step(taken, &ask, 200, status).await?;
        Ok(())
    }

    /// Sends a request again and again under its key until it is answered as done; gives the dispense as it is after that.
    async fn step(
        &mut self,
        taken: &mut Taken,
        ask: &Ask,
        due: u16,
        status: &'static str,
    ) -> Result<Option<Value>> {
        let started = Instant::now();
        let mut answers = Vec::new();
        let mut dispense = None;
        // Some go on after the answer: a repetition is answered the same.
        let mut repetitions = self.rng.u32(0..2);
        while dispense.is_none() || repetitions > 0 {
            if started.elapsed() > RESOLVED_WITHIN {
                bail!("{} {} was not answered within {RESOLVED_WITHIN:?}", ask.method, ask.path);
            }
            if dispense.is_some() {
                repetitions -= 1;
            }
            for sent in self.send(ask).await {
                match sent {
                    Sent::Never(_) => tokio::time::sleep(AGAIN_AFTER).await,
                    Sent::Lost(why) => {
                        self.counts.unclear(why);
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                    Sent::Answer(status @ 500.., _) => {
                        self.counts.unclear(status.to_string());
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                    Sent::Answer(answered, mut body) if answered == due => {
                        let data = body["data"].take();
                        answers.push(told(&data).with_context(|| format!("an answer without: {data}"))?);
                        if dispense.is_none() {
                            self.counts.done.fetch_add(1, Ordering::Relaxed);
                        }
                        dispense = Some(data);
                    }
                    Sent::Answer(other, body) => {
                        let text = format!("{} {}: {other}, {}", ask.method, ask.path, body["error"]);
                        self.findings.push(Finding::new(Kind::Unexpected, text));
                        self.counts.findings.fetch_add(1, Ordering::Relaxed);
                        return Ok(None);
                    }
                }
            }
        }
        taken.steps.push(Step { status, answers });
        Ok(dispense)
    }

    /// Sends a request once, or twice at the same time.
    async fn send(&mut self, ask: &Ask) -> Vec<Sent> {
        let from = self.number + self.rng.usize(0..2);
        let [first, second] = [0, 1].map(|step| self.listening.pick(from + step));
        let (Some(first), Some(second)) = (first, second) else {
            return vec![Sent::Never("nobody is there".to_owned())];
        };
        let [one, other] = &mut self.connections;
        let sent = if self.rng.u32(0..4) == 0 {
            let (one, other) = tokio::join!(one.ask(first, ask), other.ask(second, ask));
            vec![one, other]
        } else {
            vec![one.ask(first, ask).await]
        };
        self.counts.sent.fetch_add(sent.len(), Ordering::Relaxed);
        sent
    }
}

fn told(data: &Value) -> Option<Told> {
    let text = |field: &str| data[field].as_str().map(str::to_owned);
    let links = data["signed_content_links"].as_array().into_iter().flatten();
    Some(Told {
        status: text("status")?,
        at: text("updated_at")?,
        by: text("updated_by")?,
        links: links.filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}
