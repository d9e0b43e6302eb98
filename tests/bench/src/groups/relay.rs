//! Events on their way from MongoDB to Kafka.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::growth::stop_directly;
use super::{Figure, Measured, Settings, whole};
use crate::drive::{Caller, TOGETHER, run_apart};
use crate::job::{Job, Way, Work};
use crate::stage::{Events, Server, Stage, Store, Topic};
use crate::stats::{Spread, float, quantile};

/// How many events wait, for each record that there is to begin with.
const WAITING_TIMES: u64 = 10;

/// How many events are followed from the request to the topic.
const FOLLOWED: u64 = 300;

/// How many ask while the backlog is delivered.
const MEANWHILE: usize = 4;

const DRAINED_WITHIN_S: f64 = 60.0;
const ARRIVED_WITHIN_MS: f64 = 100.0;
const TIMES_AS_FAST: f64 = 2.0;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(10);

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let (mut made, mut delivered, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        let (made_now, delivered_now) =
            (made_in_a_second(settings, tell)?, drained(settings, false, tell)?.per_second);
        made.push(made_now);
        delivered.push(delivered_now);
        times.push(delivered_now / made_now);
    }
    let figure = |what: &str, values: Vec<f64>, unit: &str| {
        Spread::of(values).map(|values| Figure::of(what, values, unit))
    };
    let times = figure("events delivered for one made", times, "times");
    measured.figures.extend(figure("events made, stopping 64 at once on MongoDB", made, "a second"));
    measured.figures.extend(figure("events delivered into Kafka", delivered, "a second"));
    measured.figures.extend(times.map(|times| times.at_least(TIMES_AS_FAST)));
    let meanwhile = drained(settings, true, tell)?;
    let what = format!("a backlog of {} delivered, while requests go on", settings.records * WAITING_TIMES);
    measured.figures.push(Figure::new(what, meanwhile.seconds, "s").at_most(DRAINED_WITHIN_S));
    measured.figures.push(from_request_to_topic(settings, tell)?);
    Ok(())
}

/// How many dispenses are stopped in a second, and so events made, while none is delivered.
fn made_in_a_second(settings: &Settings, tell: &dyn Fn(&str)) -> Result<f64> {
    let stage = Stage::new(Store::Mongodb, &settings.program, &settings.venue)?;
    let dispenses = settings.records * WAITING_TIMES;
    stage.load_dispenses(Store::Mongodb, 0, dispenses)?;
    let server = stage.serve(Events::Stay)?;
    let job = stops(settings, &stage, &server, 2 * TOGETHER, (0, dispenses));
    let rate = run_apart(&job)?.per_second();
    tell(&format!("relay: {rate:.0} events made a second"));
    server.stop()?;
    Ok(rate)
}

fn stops(
    settings: &Settings,
    stage: &Stage,
    server: &Server,
    at_once: usize,
    (base, count): (u64, u64),
) -> Job {
    let way: Way = stage.over_http(server);
    Job {
        work: Work::Stop(stage.stop_work(base, count)),
        way,
        at_once,
        warm_up_ms: 0,
        measure_ms: whole(settings.seconds * 1_000.0),
        first: 0,
        most: count,
    }
}

struct Drained {
    seconds: f64,
    per_second: f64,
}

/// Has many events wait, starts a server, and waits until a consumer has seen all of them.
fn drained(settings: &Settings, requests_go_on: bool, tell: &dyn Fn(&str)) -> Result<Drained> {
    let stage = Stage::new(Store::Mongodb, &settings.program, &settings.venue)?;
    let waiting = settings.records * WAITING_TIMES;
    stage.load_dispenses(Store::Mongodb, 0, 2 * waiting)?;
    stop_directly(&stage, Store::Mongodb, 0, waiting)?;
    let work = stage.stop_work(0, waiting);
    let mut missing: HashSet<String> = (0..waiting).map(|turn| work.dispense(turn).to_string()).collect();
    let topic = Topic::of(&stage)?;
    let server = stage.serve(Events::Go)?;
    let job = stops(settings, &stage, &server, MEANWHILE, (waiting, waiting));
    let began = Instant::now();
    let mut seen = 0;
    let is_over = AtomicBool::new(!requests_go_on);
    let requests = std::thread::scope(|scope| {
        let requests = scope.spawn(|| go_on(&job, &is_over));
        let followed = (|| {
            while !missing.is_empty() {
                ensure!(began.elapsed() < PATIENCE, "{} events never arrived", missing.len());
                topic.poll(Duration::from_millis(100), |dispense| {
                    seen += 1;
                    missing.remove(dispense);
                })?;
            }
            Ok(())
        })();
        is_over.store(true, Ordering::Relaxed);
        let requests = requests.join().ok().context("the requests broke down")?;
        followed.and(requests)
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let per_second = float(seen) / seconds;
    tell(&format!(
        "relay: {waiting} waiting events were delivered in {seconds:.1} s, {per_second:.0}/s; requests meanwhile: {requests}"
    ));
    server.stop()?;
    Ok(Drained { seconds, per_second })
}

/// Asks again and again until it is over or everything is asked for; gives how many were answered.
fn go_on(job: &Job, is_over: &AtomicBool) -> Result<u64> {
    let mut job = job.clone();
    let mut answered = 0;
    while !is_over.load(Ordering::Relaxed) && job.most > 0 {
        let done = run_apart(&job)?.done;
        job.first += done;
        job.most -= done;
        answered += done;
    }
    Ok(answered)
}

/// How long the slowest but one in a hundred takes from the request to the topic, when there is nothing else to do. The request itself is
/// in it, so it is more than from commit to topic.
fn from_request_to_topic(settings: &Settings, tell: &dyn Fn(&str)) -> Result<Figure> {
    let stage = Stage::new(Store::Mongodb, &settings.program, &settings.venue)?;
    let followed = FOLLOWED.min(settings.records);
    stage.load_dispenses(Store::Mongodb, 0, followed + 1)?;
    let topic = Topic::of(&stage)?;
    let server = stage.serve(Events::Go)?;
    let work = stage.stop_work(0, followed + 1);
    let mut caller = Caller::new(&stops(settings, &stage, &server, 1, (0, followed + 1)))?;
    let mut took_ms = Vec::new();
    for turn in 0..=followed {
        let dispense = work.dispense(turn).to_string();
        let began = Instant::now();
        caller.ask(turn)?;
        let mut has_arrived = false;
        while !has_arrived {
            ensure!(began.elapsed() < PATIENCE, "the event of {dispense} never arrived");
            topic.poll(Duration::from_millis(5), |arrived| has_arrived |= arrived == dispense)?;
        }
        // The first one meets a producer and a consumer that are not connected yet.
        if turn > 0 {
            took_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    server.stop()?;
    took_ms.sort_by(f64::total_cmp);
    let p99 = quantile(&took_ms, 990).context("no event was followed")?;
    let what = "from the request to the topic, p99, when idle (the request included)";
    let figure = Figure::new(what, p99, "ms").at_most(ARRIVED_WITHIN_MS);
    tell(&format!("relay: {}: {} ms", figure.what, figure.shown()));
    Ok(figure)
}
