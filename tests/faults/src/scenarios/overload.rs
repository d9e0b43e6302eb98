//! Twice as many requests as the servers can carry: they go on at their pace, and refuse the rest at once. What was refused is asked again when they
//! have time, and then it is done.
//!
//! The clients are on the same machine, and twice as many of them take more of it. So what is compared is what is done in a second of the processor time that
//! the clients leave.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use esoz_test_servers::processor_time;
use esoz_tests::Kind;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, block_in_place};

use super::{Form, Run};
use crate::client::Connection;
use crate::fixtures::Size;
use crate::history::{Operation, Outcome};
use crate::report::Report;
use crate::requests::{Asked, Sender};
use crate::trial::{Setup, Trial};

/// Requests that the server works on at once under overload. Above it, it refuses.
const IN_FLIGHT: usize = 64;
/// Connections over which requests are offered, whatever becomes of those before.
const CONNECTIONS: u32 = 512;
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const MEASURED_FOR: Duration = Duration::from_secs(3);
/// Peak and overload take turns, since a machine is not always equally fast. What counts is the median of their ratios.
const ROUNDS: usize = 5;
/// As short as a timer can tell: what comes in bursts leaves the server idle in between.
const TICK: Duration = Duration::from_millis(1);
/// How much of the peak is to be done under overload, each for the processor time that was there for it. It is told whether it was, and does
/// not decide: how fast something is depends on the machine. Less than the half of it would be a collapse, on any.
const KEPT: f64 = 0.9;
const COLLAPSED: f64 = 0.5;
/// The longest that nineteen of twenty refusals may take.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);
/// What a soak offers, of the capacity; and how much memory may grow in it.
const SOAKED_AT: f64 = 0.7;
const GROWN_MAX: f64 = 1.05;
/// After each of these parts of a soak it is looked at what the server occupies: growth that goes on looks different from a step.
const PARTS: u32 = 10;

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    // A throughput is no property of a machine that is busy with something else: not for the short form.
    if run.form == Form::Short {
        return Ok(Vec::new());
    }
    let mut trial = begin(run, "overload", Some(IN_FLIGHT)).await?;
    let offering = Offering::on(&trial)?;
    let mut rounds = Vec::new();
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let (round, refused) = round(&trial, &offering)?;
        rounds.push(round);
        took.extend(refused);
    }
    took.sort_unstable();
    let slow = Duration::from_micros(took.get(took.len() * 19 / 20).copied().unwrap_or_default());
    rounds.sort_by(|one, other| one.kept().total_cmp(&other.kept()));
    let Round { peak, peak_had, done, had } = rounds[ROUNDS / 2];
    let kept = rounds[ROUNDS / 2].kept();
    trial.notes.push(format!(
        "in the median of {ROUNDS} rounds: peak {peak:.0}/s with {peak_had:.2} processors beside the clients; at twice that {done:.0}/s done \
         with {had:.2}, so {:.0} % for each ({:.0} to {:.0} %; {:.0} % wanted); {} refused in all, 95% of them within {} ms",
        kept * 100.0,
        rounds[0].kept() * 100.0,
        rounds[ROUNDS - 1].kept() * 100.0,
        KEPT * 100.0,
        took.len(),
        slow.as_millis()
    ));
    ensure!(!took.is_empty(), "nothing was refused at twice the peak of {peak:.0}/s");
    ensure!(kept >= COLLAPSED, "too little is done under overload: {}", trial.notes.join(", "));
    ensure!(slow <= REFUSED_WITHIN, "a refusal took {slow:?}");
    Ok(vec![trial.end().await?])
}

/// What was done at the peak and at twice its rate, a second, and how many processors the clients left.
#[derive(Clone, Copy)]
struct Round {
    peak: f64,
    peak_had: f64,
    done: f64,
    had: f64,
}

impl Round {
    /// How much of the peak is done under overload, each for the processor time that was there for it.
    fn kept(self) -> f64 {
        (self.done / self.had) / (self.peak / self.peak_had)
    }
}

/// A peak and an overload; also how long each refusal took, in microseconds. What was refused is asked again afterwards.
fn round(trial: &Trial, offering: &Offering) -> Result<(Round, Vec<u64>)> {
    let (peak, peak_had) = beside_clients(|| offering.closed(trial, IN_FLIGHT, MEASURED_FOR))?;
    let before = trial.shared.recorder.count(|_| true);
    let ((), had) = beside_clients(|| offering.open(trial, peak * 2.0, MEASURED_FOR))?;
    let history = trial.shared.recorder.history();
    let offered = &history[before..];
    let done = offered.iter().filter(|operation| operation.is_done()).count();
    let is_refused =
        |operation: &&Operation| matches!(operation.outcome, Outcome::Refused { status: 503, .. });
    let refused: Vec<&Operation> = offered.iter().filter(is_refused).collect();
    let others = offered.len() - done - refused.len();
    ensure!(others == 0, "{others} requests were neither done nor refused with 503");
    offering.again(trial, &refused)?;
    let took = refused.iter().map(|operation| operation.ended_us - operation.started_us).collect();
    Ok((Round { peak, peak_had, done: per_second(done, MEASURED_FOR), had }, took))
}

/// For that long, most of what the server can carry: no error, no growth.
pub(super) async fn soak(run: &mut Run, length: Duration) -> Result<Vec<Report>> {
    // Whatever else goes on on the machine for a moment: what waits is not refused.
    let mut trial = begin(run, "soak", None).await?;
    trial.shared.recorder.only_count_what_is_done();
    let offering = Offering::on(&trial)?;
    let peak = offering.closed(&trial, IN_FLIGHT, MEASURED_FOR)?;
    // What a server once needed its allocator keeps. It is to have needed the most: caches and pools filled, and a request on every connection,
    // as there is when a machine pauses.
    offering.closed(&trial, usize::MAX, MEASURED_FOR)?;
    offering.open(&trial, peak * SOAKED_AT, length / 10)?;
    let (before, done_before) = (Footprint::of(&trial)?, trial.acknowledged());
    let mut after = Vec::new();
    for _ in 0..PARTS {
        offering.open(&trial, peak * SOAKED_AT, length / PARTS)?;
        after.push(Footprint::of(&trial)?);
    }
    let rate = per_second(trial.acknowledged() - done_before, length);
    let memory: Vec<String> = after.iter().map(|footprint| footprint.memory_kb.to_string()).collect();
    let descriptors = after.iter().map(|footprint| footprint.descriptors).max().unwrap_or_default();
    let connections = after.iter().map(|footprint| footprint.connections).max().unwrap_or_default();
    trial.notes.push(format!(
        "{} minutes at {rate:.0}/s; memory {} kB, and after each of {PARTS} parts {}; descriptors {}, at most {descriptors}; connections \
         to PostgreSQL {}, at most {connections}",
        length.as_secs() / 60,
        before.memory_kb,
        memory.join(", "),
        before.descriptors,
        before.connections
    ));
    let memory_kb = after.last().context("a soak has parts")?.memory_kb;
    ensure!(memory_kb <= before.memory_kb * GROWN_MAX, "memory grew: {}", trial.notes.join(", "));
    ensure!(descriptors <= before.descriptors, "descriptors grew: {}", trial.notes.join(", "));
    ensure!(connections <= before.connections, "connections grew: {}", trial.notes.join(", "));
    let mut report = trial.end_counted().await?;
    report.must_answer_all();
    Ok(vec![report])
}

async fn begin(run: &mut Run, name: &str, in_flight: Option<usize>) -> Result<Trial> {
    let stores = run.stores(Kind::Servers).await?;
    let mut setup = Setup::new(name, run.seed, 1);
    if let Some(in_flight) = in_flight {
        setup = setup.variable("ESOZ_HTTP__MAX_IN_FLIGHT", in_flight.to_string());
    }
    setup.size = Size { dispenses: 4, overdue: 0, contracts: 24, records: 512, tokens: 4 };
    Trial::without_load(setup, stores).await
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a number to be told")]
fn per_second(count: usize, during: Duration) -> f64 {
    count as f64 / during.as_secs_f64()
}

/// Does this, and tells how many processors were there for everybody else than this process, which is the clients.
fn beside_clients<T>(asking: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let taken = || processor_time(std::process::id()).context("this process has no times");
    let processors = f64::from(u32::try_from(std::thread::available_parallelism()?.get())?);
    let (began, before) = (Instant::now(), taken()?);
    let asked = asking()?;
    let by_clients = taken()?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    Ok((asked, processors - by_clients))
}

/// What a server occupies.
#[derive(Clone, Copy)]
struct Footprint {
    memory_kb: f64,
    descriptors: usize,
    connections: usize,
}

impl Footprint {
    fn of(trial: &Trial) -> Result<Self> {
        let pid = trial.replicas.pid(0).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let memory_kb = memory.trim().trim_end_matches("kB").trim().parse()?;
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'esoz' AND datname = current_database()";
        let connections = block_in_place(|| trial.database(sql))?.trim().parse()?;
        Ok(Self { memory_kb, descriptors, connections })
    }
}

/// Connections over which updates are offered, each of a record of its own.
struct Offering {
    free: Arc<Mutex<VecDeque<(Sender, Asked)>>>,
    /// One thread has time for all clients; more would take it from the server, which is on the same machine.
    runtime: Option<Runtime>,
}

impl Drop for Offering {
    fn drop(&mut self) {
        // It ends in an asynchronous context, where a runtime may not wait for its threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Offering {
    fn on(trial: &Trial) -> Result<Self> {
        let fixtures = &trial.shared.fixtures;
        let one = |number: u32| {
            let place = usize::try_from(number).unwrap_or_default() % fixtures.records.len();
            let record = &fixtures.records[place];
            // The pair that it has: nobody else can be in its way.
            let (contract, division) = &fixtures.loaded.records[record];
            let asked = Asked::update(fixtures, record, contract, division, None);
            let shared = trial.shared.clone();
            (Sender { number, shared, connection: Connection::new(ANSWER_WITHIN, true) }, asked)
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { free: Arc::new(Mutex::new((0..CONNECTIONS).map(one).collect())), runtime: Some(runtime) })
    }

    fn take(&self) -> Option<(Sender, Asked)> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn block_on<T>(&self, asking: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = self.runtime.as_ref().context("the runtime of the clients has ended")?;
        block_in_place(|| runtime.block_on(asking))
    }

    /// That many requests at once, or one on every connection, each followed by the next; gives how many a second were done.
    fn closed(&self, trial: &Trial, at_once: usize, during: Duration) -> Result<f64> {
        self.block_on(self.ask_in_turn(trial, at_once, during))
    }

    async fn ask_in_turn(&self, trial: &Trial, at_once: usize, during: Duration) -> Result<f64> {
        let mut clients = JoinSet::new();
        let before = trial.acknowledged();
        let began = Instant::now();
        for _ in 0..at_once {
            let Some((mut sender, asked)) = self.take() else { break };
            let (free, token) = (self.free.clone(), trial.shared.fixtures.updating.at(0));
            clients.spawn(async move {
                while began.elapsed() < during {
                    sender.send(&asked, Some(&token), None).await;
                }
                give_back(&free, sender, asked);
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended?;
        }
        Ok(per_second(trial.acknowledged() - before, began.elapsed()))
    }

    /// That many requests a second, whatever becomes of them. One for which no connection is left is not offered.
    fn open(&self, trial: &Trial, rate: f64, during: Duration) -> Result<()> {
        self.block_on(self.ask_at_a_rate(trial, rate, during))
    }

    async fn ask_at_a_rate(&self, trial: &Trial, rate: f64, during: Duration) -> Result<()> {
        let mut requests: JoinSet<Option<Operation>> = JoinSet::new();
        let began = Instant::now();
        let mut offered = 0.0;
        while began.elapsed() < during {
            while offered < rate * began.elapsed().as_secs_f64() {
                offered += 1.0;
                let Some((mut sender, asked)) = self.take() else { continue };
                let (free, token) = (self.free.clone(), trial.shared.fixtures.updating.at(0));
                requests.spawn(async move {
                    let sent = sender.send(&asked, Some(&token), None).await;
                    give_back(&free, sender, asked);
                    sent
                });
            }
            while requests.try_join_next().is_some() {}
            tokio::time::sleep(TICK).await;
        }
        while let Some(ended) = requests.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Each of these once more, by its own client, no more at once than the server works on.
    fn again(&self, trial: &Trial, refused: &[&Operation]) -> Result<()> {
        self.block_on(self.ask_again(trial, refused))
    }

    async fn ask_again(&self, trial: &Trial, refused: &[&Operation]) -> Result<()> {
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let Some((mut sender, asked)) = self.take() else { break };
            let own = refused.iter().filter(|operation| operation.client == sender.number);
            let own: Vec<Operation> = own.map(|operation| (*operation).clone()).collect();
            let (free, shared) = (self.free.clone(), trial.shared.clone());
            if clients.len() == IN_FLIGHT {
                clients.join_next().await.transpose()?;
            }
            clients.spawn(async move {
                for first in &own {
                    sender.resolve(&asked, Some((&shared.fixtures.updating, 0)), first).await;
                }
                give_back(&free, sender, asked);
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended?;
        }
        Ok(())
    }
}

fn give_back(free: &Mutex<VecDeque<(Sender, Asked)>>, sender: Sender, asked: Asked) {
    free.lock().unwrap_or_else(PoisonError::into_inner).push_back((sender, asked));
}
