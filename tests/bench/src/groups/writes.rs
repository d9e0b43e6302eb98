//! Creates and completes of dispenses beside stops, by the server alone, and creates that all want the same device request.

use std::collections::HashMap;

use anyhow::{Context as _, Result};

use super::{Figure, Measured, Settings, whole};
use crate::drive::{TOGETHER, run_apart, statuses_at_once};
use crate::job::{Job, Outcome, Way, Work};
use crate::stage::{Events, Server, Stage, Store};
use crate::stats::{Spread, float};

/// What a create does in a second, for one stop.
const CREATE_AT_LEAST: f64 = 0.6;
/// The same of a complete.
const COMPLETE_AT_LEAST: f64 = 0.5;

/// How often many creates want the same request.
const RACES: u64 = 10;

/// More than any method does in a second, for all that is known beforehand.
const GUESS: f64 = 5_000.0;
/// However slow it was before: so many turns for each who asks.
const LEAST_TURNS: f64 = 1_600.0;

/// Where the numbers of the requests begin that dispenses are recorded for, and of those that many want: none is loaded twice.
const CREATED_FROM: u64 = 1 << 40;
const RACED_FROM: u64 = 1 << 41;

/// The methods that write dispenses on request, in the order in which they are measured first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Method {
    Stop,
    Create,
    Complete,
}

impl Method {
    const ALL: [Self; 3] = [Self::Stop, Self::Create, Self::Complete];

    const fn plural(self) -> &'static str {
        match self {
            Self::Stop => "stops",
            Self::Create => "creates",
            Self::Complete => "completes",
        }
    }
}

pub(super) fn measure(
    store: Store,
    settings: &Settings,
    measured: &mut Measured,
    tell: &dyn Fn(&str),
) -> Result<()> {
    let name = store.name();
    tell(&format!("creates and completes on {name}: making the stores"));
    let stage = Stage::for_writes(store, &settings.program, &settings.venue)?;
    stage.load_dispenses(store, 0, settings.records)?;
    stage.load_requests(store, 0, settings.records)?;
    let server = stage.serve(Events::Stay)?;
    let mut bench = Bench {
        store,
        settings,
        stage: &stage,
        server: &server,
        used: settings.records,
        rates: HashMap::new(),
    };
    for round in 0..settings.rounds {
        bench.round(round, tell)?;
    }
    for method in Method::ALL {
        let what = format!("{} on {name}, 32 at once, beside the others", method.plural());
        let rates = Spread::of(bench.rates(method).iter().copied());
        measured.figures.extend(rates.map(|rates| Figure::of(what, rates, "a second")));
    }
    let stops = bench.rates(Method::Stop);
    for (what, method, least) in [
        ("creates", Method::Create, CREATE_AT_LEAST),
        ("completes, documents kept in memory,", Method::Complete, COMPLETE_AT_LEAST),
    ] {
        let ratios = bench.rates(method).iter().zip(stops).map(|(rate, stops)| rate / stops);
        let what = format!("{what} on {name}, 32 at once, to stops");
        let ratio = Spread::of(ratios).map(|ratio| Figure::of(what, ratio, "times").at_least(least));
        measured.figures.extend(ratio);
    }
    races(&bench, measured, tell)?;
    server.stop()
}

struct Bench<'a> {
    store: Store,
    settings: &'a Settings,
    stage: &'a Stage,
    server: &'a Server,
    /// How many numbers are used up.
    used: u64,
    /// How many of each method were done in a second, round by round.
    rates: HashMap<Method, Vec<f64>>,
}

impl Bench<'_> {
    fn rates(&self, method: Method) -> &[f64] {
        self.rates.get(&method).map(Vec::as_slice).unwrap_or_default()
    }

    /// Measures each method once.
    fn round(&mut self, round: usize, tell: &dyn Fn(&str)) -> Result<()> {
        let mut methods = Method::ALL;
        methods.rotate_left(round % Method::ALL.len());
        for method in methods {
            let outcome = self.run(method)?;
            self.rates.entry(method).or_default().push(outcome.per_second());
            tell(&format!(
                "round {}: {} on {}, 32 at once: {:>6.0}/s, p50 {:.2} ms, p99 {:.2} ms",
                round + 1,
                method.plural(),
                self.store.name(),
                outcome.per_second(),
                outcome.p50_us / 1_000.0,
                outcome.p99_us / 1_000.0,
            ));
        }
        Ok(())
    }

    fn run(&mut self, method: Method) -> Result<Outcome> {
        let pace = self.rates(method).last().map_or(GUESS, |rate| rate * 1.5);
        let wanted = whole((pace * (self.settings.seconds + self.settings.warm_up())).max(LEAST_TURNS));
        let (base, store) = (self.used, self.store);
        self.used += wanted;
        let work = match method {
            Method::Stop => {
                self.stage.load_dispenses(store, base, wanted)?;
                Work::Stop(self.stage.stop_work(base, wanted))
            }
            Method::Create => {
                self.stage.load_requests(store, CREATED_FROM + base, wanted)?;
                Work::Create(self.stage.create_work(CREATED_FROM + base, wanted)?)
            }
            Method::Complete => {
                self.stage.load_dispenses(store, base, wanted)?;
                self.stage.load_requests(store, base, wanted)?;
                Work::Complete(self.stage.complete_work(base, wanted)?)
            }
        };
        run_apart(&self.job(work, wanted)?)
    }

    fn job(&self, work: Work, most: u64) -> Result<Job> {
        let Way::Http { address, api_key, .. } = self.stage.over_http(self.server) else {
            anyhow::bail!("this goes over HTTP")
        };
        Ok(Job {
            work,
            way: Way::Http { address, token: self.stage.write_token()?.to_owned(), api_key },
            at_once: TOGETHER,
            warm_up_ms: whole(self.settings.warm_up() * 1_000.0),
            measure_ms: whole(self.settings.seconds * 1_000.0),
            first: 0,
            most,
        })
    }
}

/// Many creates at once for one request that allows one, again and again: in each round one is recorded, and none fails.
fn races(bench: &Bench<'_>, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let name = bench.store.name();
    let (mut with_one, mut failed) = (0, 0);
    for round in 0..RACES {
        let base = RACED_FROM + round * 1_000;
        bench.stage.load_requests(bench.store, base, 1)?;
        let most = u64::try_from(TOGETHER).context("a number")?;
        let job = bench.job(Work::Create(bench.stage.create_work(base, 1)?), most)?;
        let statuses = statuses_at_once(&job)?;
        let count = |is: fn(&u16) -> bool| statuses.iter().filter(|status| is(status)).count();
        let (recorded, broken) = (count(|status| *status == 201), count(|status| *status >= 500));
        tell(&format!(
            "race {} on {name}: {recorded} of {} recorded, {broken} answered 5xx",
            round + 1,
            statuses.len()
        ));
        with_one += u64::from(recorded == 1);
        failed += u64::try_from(broken).context("a number")?;
    }
    let what = |what: &str| format!("32 creates at once for one request on {name}, {RACES} rounds: {what}");
    measured
        .figures
        .push(Figure::new(what("with one recorded"), float(with_one), "rounds").at_least(float(RACES)));
    measured.figures.push(Figure::new(what("answered 5xx"), float(failed), "requests").at_most(0.0));
    Ok(())
}
