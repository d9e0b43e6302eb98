//! Thirty-two requests at once for what only one of them can have, again and again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use esoz_tests::Kind;
use fastrand::Rng;
use futures_util::future::join_all;

use super::Run;
use crate::checker::{Finding, Kind as Fault};
use crate::client::Connection;
use crate::fixtures::{Fixtures, Size};
use crate::history::{Operation, Outcome};
use crate::report::Report;
use crate::requests::{Asked, Sender};
use crate::state::Pair;
use crate::trial::{Setup, Trial};

/// Requests of a round.
const AT_ONCE: usize = 32;
/// How long an answer may take: nothing is broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (kind, short, full) in [(Kind::Servers, 40, 10_000), (Kind::Sqlite, 40, 2_000)] {
        let rounds = run.of(short, full);
        let store = if kind == Kind::Sqlite { "SQLite" } else { "MongoDB" };
        let name = format!("races, {rounds} rounds of {AT_ONCE} on one dispense, {store}");
        let mut setup = Setup::new(&name, run.seed, 2);
        setup.size = Size { dispenses: rounds, overdue: 0, contracts: 2, records: 1, tokens: 4 };
        reports.push(dispenses(setup, run.stores(kind).await?, rounds).await?);

        let store = if kind == Kind::Sqlite { "SQLite" } else { "PostgreSQL" };
        let name = format!("races, {rounds} rounds of {AT_ONCE} on one pair, {store}");
        let mut setup = Setup::new(&name, run.seed, 2);
        setup.size = Size { dispenses: 4, overdue: 0, contracts: 8, records: AT_ONCE, tokens: 4 };
        reports.push(pairs(setup, run.stores(kind).await?, rounds, run.rng(7)).await?);
    }
    Ok(reports)
}

/// Clients with a connection each.
fn senders(trial: &Trial) -> Vec<Sender> {
    let sender = |number| Sender {
        number,
        shared: trial.shared.clone(),
        connection: Connection::new(ANSWER_WITHIN, false),
    };
    (0..).map(sender).take(AT_ONCE).collect()
}

async fn dispenses(setup: Setup, stores: esoz_tests::TestStores, rounds: usize) -> Result<Report> {
    let trial = Trial::without_load(setup, stores).await?;
    let mut senders = senders(&trial);
    let mut pace = Rounds::default();
    let fixtures = trial.shared.fixtures.clone();
    for target in fixtures.dispenses.iter().take(rounds) {
        let token = fixtures.stopping.at(target.pharmacy);
        let asked = Asked::stop(target, None);
        let began = Instant::now();
        let answers =
            join_all(senders.iter_mut().map(|sender| sender.send(&asked, Some(&token), None))).await;
        pace.take(began, &answers);
    }
    pace.end(trial).await
}

async fn pairs(setup: Setup, stores: esoz_tests::TestStores, rounds: usize, mut rng: Rng) -> Result<Report> {
    let trial = Trial::without_load(setup, stores).await?;
    let mut senders = senders(&trial);
    let mut pace = Rounds::default();
    let fixtures = trial.shared.fixtures.clone();
    let mut held: BTreeMap<String, Pair> = fixtures.loaded.records.clone();
    for _ in 0..rounds {
        let pair = free_pair(&fixtures, &held, &mut rng);
        let token = fixtures.updating.at(0);
        let asked: Vec<Asked> = fixtures
            .records
            .iter()
            .map(|record| Asked::update(&fixtures, record, &pair.0, &pair.1, None))
            .collect();
        let began = Instant::now();
        let sent =
            senders.iter_mut().zip(&asked).map(|(sender, asked)| sender.send(asked, Some(&token), None));
        let answers = join_all(sent).await;
        pace.take(began, &answers);
        for (record, answer) in fixtures.records.iter().zip(&answers) {
            if answer.as_ref().is_some_and(Operation::is_done) {
                held.insert(record.clone(), pair.clone());
            }
        }
    }
    pace.end(trial).await
}

/// A pair that no record holds.
fn free_pair(fixtures: &Fixtures, held: &BTreeMap<String, Pair>, rng: &mut Rng) -> Pair {
    loop {
        let contract = &fixtures.contracts[rng.usize(0..fixtures.contracts.len())];
        let division = &fixtures.divisions[rng.usize(0..fixtures.divisions.len())];
        let pair = (contract.clone(), division.clone());
        if held.values().all(|other| *other != pair) {
            return pair;
        }
    }
}

/// How the rounds went.
#[derive(Default)]
struct Rounds {
    slowest: Duration,
    findings: Vec<Finding>,
}

impl Rounds {
    /// One winner, and all others refused with 409.
    fn take(&mut self, began: Instant, answers: &[Option<Operation>]) {
        self.slowest = self.slowest.max(began.elapsed());
        let won = answers.iter().flatten().filter(|answer| answer.is_done()).count();
        let lost = answers.iter().flatten();
        let lost =
            lost.filter(|answer| matches!(answer.outcome, Outcome::Refused { status: 409, .. })).count();
        if won != 1 || lost != AT_ONCE - 1 {
            let others = answers.iter().filter(|answer| {
                !answer.as_ref().is_some_and(|answer| {
                    matches!(answer.outcome, Outcome::Done { .. } | Outcome::Refused { status: 409, .. })
                })
            });
            let others: Vec<_> = others.collect();
            self.findings.push(Finding::new(
                Fault::Unexpected,
                format!("a round with {won} winners and {lost} losers; the others: {others:?}"),
            ));
        }
    }

    async fn end(self, mut trial: Trial) -> Result<Report> {
        trial.notes.push(format!("slowest round {} ms", self.slowest.as_millis()));
        let mut report = trial.end().await?;
        report.findings.extend(self.findings);
        Ok(report)
    }
}
