//! One store is locked or stands still under requests of one method; those of the other method, which do not need it, go on at their pace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use esoz_tests::Kind;
use tokio::task::JoinSet;

use super::network::before;
use super::workload::{IN_FLIGHT, MEASURED_FOR, per_second};
use super::{Form, Run};
use crate::client::Connection;
use crate::fixtures::{Size, Token};
use crate::history::{Operation, Outcome};
use crate::report::Report;
use crate::requests::{Asked, Sender};
use crate::trial::{Setup, Trial};

/// Clients of the method that is not in the way, and of the one that is: more of them than the server has connections.
const OTHERS: u32 = 8;
const IN_THE_WAY: u32 = 48;
/// How long the store is in the way: from before the first look at the others until after the last.
const HELD_FOR: Duration = Duration::from_secs(10);
/// How much of their throughput the others are to keep. It is told whether they did, and does not decide: how fast something is depends on the
/// machine. Less than the half of it would be a common queue, on any.
const KEPT: f64 = 0.9;
const STARVED: f64 = 0.5;
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    Ok(vec![locked_row(run).await?, still_mongodb(run).await?])
}

/// Updates wait for one locked row; stops go on.
async fn locked_row(run: &mut Run) -> Result<Report> {
    let stores = run.stores(Kind::Servers).await?;
    let mut trial =
        Trial::without_load(setup("updates of a locked row beside stops", run.seed), stores).await?;
    let fixtures = &trial.shared.fixtures;
    let target = fixtures.dispenses[0].clone();
    let stopping = fixtures.stopping.at(target.pharmacy);
    let mut first = sender(&trial, 0);
    first.send(&Asked::stop(&target, None), Some(&stopping), None).await.context("a stop")?;
    // Everything but the change itself: who asks, whose it is, what it is now.
    let other = |_: u32| (Asked::refused_stop(&target, 409), stopping.clone());
    let record = &fixtures.records[0];
    let (contract, division) = fixtures.loaded.records[record].clone();
    let waiting = |_: u32| (Asked::update(fixtures, record, &contract, &division, None), 0);
    let database = trial.stores.clone();
    let lock = format!(
        "SELECT FROM contract_divisions WHERE id = '{record}' FOR UPDATE; SELECT pg_sleep({})",
        HELD_FOR.as_secs()
    );
    let hold = move || {
        tokio::task::spawn_blocking(move || {
            let database = database.database().context("no PostgreSQL here")?;
            database.try_execute(&lock).map(drop).map_err(anyhow::Error::msg)
        })
    };
    let told = compare(&trial, run.form, other, waiting, Method::Update, hold).await?;
    trial.notes.push(told);
    trial.end().await
}

/// Stops wait for a MongoDB that stands still; updates go on.
async fn still_mongodb(run: &mut Run) -> Result<Report> {
    let stores = run.stores(Kind::Servers).await?;
    let variable = "ESOZ_MONGODB__URI";
    let (proxy, uri) = before(stores.variables(), variable)?;
    let setup =
        setup("stops on a MongoDB that stands still beside updates", run.seed).variable(variable, uri);
    let mut trial = Trial::without_load(setup, stores).await?;
    let fixtures = &trial.shared.fixtures;
    let updating = fixtures.updating.at(0);
    let other = |number: u32| {
        let record = &fixtures.records[usize::try_from(number).unwrap_or_default() % fixtures.records.len()];
        let (contract, division) = &fixtures.loaded.records[record];
        (Asked::update(fixtures, record, contract, division, None), updating.clone())
    };
    let waiting = |number: u32| {
        let place = usize::try_from(number).unwrap_or_default() % fixtures.dispenses.len();
        let target = &fixtures.dispenses[place];
        (Asked::stop(target, None), target.pharmacy)
    };
    let proxy = Arc::new(proxy);
    let stalled = proxy.clone();
    let hold = move || {
        tokio::task::spawn_blocking(move || {
            stalled.stall();
            std::thread::sleep(HELD_FOR);
            stalled.heal();
            Ok(())
        })
    };
    let told = compare(&trial, run.form, other, waiting, Method::Stop, hold).await?;
    trial.notes.push(told);
    let report = trial.end().await;
    tokio::task::block_in_place(|| drop(proxy));
    report
}

fn setup(name: &str, seed: u64) -> Setup {
    let mut setup = Setup::new(name, seed, 1)
        .variable("ESOZ_HTTP__MAX_IN_FLIGHT", IN_FLIGHT.to_string())
        .variable("ESOZ_POSTGRES__MAX_CONNECTIONS", "16")
        .variable("ESOZ_MONGODB__OPERATION_TIMEOUT_MS", "2000");
    setup.size = Size { dispenses: 64, overdue: 0, contracts: 24, records: 64, tokens: 4 };
    setup
}

fn sender(trial: &Trial, number: u32) -> Sender {
    Sender { number, shared: trial.shared.clone(), connection: Connection::new(ANSWER_WITHIN, true) }
}

/// Whose requests are in the way.
#[derive(Clone, Copy)]
enum Method {
    Stop,
    Update,
}

/// Measures the others alone, and beside those that wait for what `hold` holds; tells both. None of the others may be refused. What was in the way is asked again until it is clear what became of it.
async fn compare(
    trial: &Trial,
    form: Form,
    other: impl Fn(u32) -> (Asked, Token),
    waiting: impl Fn(u32) -> (Asked, usize),
    method: Method,
    hold: impl FnOnce() -> tokio::task::JoinHandle<Result<()>>,
) -> Result<String> {
    let alone = measure(trial, &other).await?;
    let holding = hold();
    let began = Instant::now();
    let mut in_the_way = JoinSet::new();
    for number in OTHERS..OTHERS + IN_THE_WAY {
        let (mut sender, (asked, place)) = (sender(trial, number), waiting(number));
        in_the_way.spawn(async move {
            let shared = sender.shared.clone();
            let tokens = match method {
                Method::Stop => &shared.fixtures.stopping,
                Method::Update => &shared.fixtures.updating,
            };
            let mut unclear = Vec::new();
            while began.elapsed() < HELD_FOR {
                let sent = sender.send(&asked, Some(&tokens.at(place)), None).await;
                unclear.extend(sent.filter(Operation::is_unclear));
            }
            for first in &unclear {
                sender.resolve(&asked, Some((tokens, place)), first).await;
            }
        });
    }
    // Time for all of them to reach the server, where nothing tells from outside that they wait. One that is late makes the comparison kinder, never harder.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let beside = measure(trial, &other).await?;
    ensure!(began.elapsed() < HELD_FOR, "the others were looked at for longer than the store was in the way");
    while let Some(ended) = in_the_way.join_next().await {
        ended?;
    }
    holding.await??;
    let kept = beside.rate / alone.rate;
    let told = format!(
        "alone {:.0}/s, p99 {} ms; beside {IN_THE_WAY} that wait {:.0}/s, p99 {} ms: {:.0} % ({:.0} % wanted)",
        alone.rate,
        alone.p99.as_millis(),
        beside.rate,
        beside.p99.as_millis(),
        kept * 100.0,
        KEPT * 100.0
    );
    // A throughput is no property of a machine that is busy with something else: not for the short form.
    ensure!(form == Form::Short || kept >= STARVED, "the others starve: {told}");
    Ok(told)
}

/// How many requests a second are answered, and how long one of a hundred takes at least.
struct Pace {
    rate: f64,
    p99: Duration,
}

async fn measure(trial: &Trial, other: impl Fn(u32) -> (Asked, Token)) -> Result<Pace> {
    let before = trial.shared.recorder.count(|_| true);
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..OTHERS {
        let (mut sender, (asked, token)) = (sender(trial, number), other(number));
        clients.spawn(async move {
            while began.elapsed() < MEASURED_FOR {
                sender.send(&asked, Some(&token), None).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended?;
    }
    let took = began.elapsed();
    let history = trial.shared.recorder.history();
    let theirs: Vec<&Operation> =
        history[before..].iter().filter(|operation| operation.client < OTHERS).collect();
    let is_shed = |operation: &&&Operation| {
        !matches!(operation.outcome, Outcome::Done { .. } | Outcome::Refused { status: 409, .. })
    };
    let shed = theirs.iter().filter(is_shed).count();
    ensure!(shed == 0, "{shed} of {} requests that need nothing of it were not answered", theirs.len());
    let mut times: Vec<u64> =
        theirs.iter().map(|operation| operation.ended_us - operation.started_us).collect();
    times.sort_unstable();
    let p99 = Duration::from_micros(times.get(times.len() * 99 / 100).copied().unwrap_or_default());
    Ok(Pace { rate: per_second(theirs.len(), took), p99 })
}
