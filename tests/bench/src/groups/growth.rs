//! Whether it is as fast with much stored as with little, and with many events waiting.

use anyhow::Result;

use super::{Figure, Measured, Method, Settings, whole};
use crate::drive::{TOGETHER, run_apart};
use crate::goals::CASES;
use crate::job::{Job, Statements, Way, Work};
use crate::stage::{Events, Server, Stage, Store};
use crate::stats::Spread;

/// How many times the small case the others are, and how many events wait in one more.
const TIMES: [u64; 3] = [1, 10, 100];
const WAITING_TIMES: u64 = 10;

/// How many of the records of the smallest case are stopped in a round: none can be stopped twice.
const STOPPED_PERMILLE: u64 = 900;

/// What larger cases may lose.
const AT_LEAST: f64 = 0.9;

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    for (method, store) in CASES {
        let mut cases = Vec::new();
        for times in TIMES {
            tell(&format!(
                "growth: {} on {}: loading {}",
                method.name(),
                store.name(),
                settings.records * times
            ));
            cases.push(Size::new(method, store, settings, times, 0)?);
        }
        if method == Method::Stop {
            let waiting = settings.records * WAITING_TIMES;
            tell(&format!("growth: {} on {}: making {waiting} events wait", method.name(), store.name()));
            cases.push(Size::new(method, store, settings, 1, waiting)?);
        }
        for round in 0..settings.rounds {
            for turn in 0..cases.len() {
                let index = (turn + round) % cases.len();
                if let Some(case) = cases.get_mut(index) {
                    let rate = case.measure(settings)?;
                    tell(&format!("round {}: {}: {rate:.0}/s", round + 1, case.words()));
                }
            }
        }
        if let Some((small, others)) = cases.split_first() {
            measured.figures.extend(others.iter().filter_map(|case| case.figure(small)));
        }
    }
    Ok(())
}

/// One amount of things stored, with a server of its own.
struct Size {
    method: Method,
    store: Store,
    stored: u64,
    waiting: u64,
    server: Server,
    stage: Stage,
    next: u64,
    rates: Vec<f64>,
}

impl Size {
    fn new(method: Method, store: Store, settings: &Settings, times: u64, waiting: u64) -> Result<Self> {
        let stage = Stage::new(store, &settings.program, &settings.venue)?;
        let stored = settings.records * times;
        match method {
            Method::Stop => stage.load_dispenses(store, 0, stored + waiting)?,
            Method::Update => stage.load_records(store, stored)?,
        }
        if waiting > 0 {
            stop_directly(&stage, store, stored, waiting)?;
        }
        let server = stage.serve(Events::Stay)?;
        Ok(Self { method, store, stored, waiting, server, stage, next: 0, rates: Vec::new() })
    }

    fn words(&self) -> String {
        let (method, store, stored) = (self.method.name(), self.store.name(), self.stored);
        match self.waiting {
            0 => format!("{method} on {store} among {stored}"),
            waiting => format!("{method} on {store} among {stored} with {waiting} events waiting"),
        }
    }

    fn measure(&mut self, settings: &Settings) -> Result<f64> {
        let way = self.stage.over_http(&self.server);
        let measure_ms = whole(settings.seconds * 1_000.0);
        let (work, most) = match self.method {
            Method::Stop => {
                let rounds = u64::try_from(settings.rounds)?.max(1);
                let most = settings.records * STOPPED_PERMILLE / 1_000 / rounds;
                (Work::Stop(self.stage.stop_work(0, self.stored)), most)
            }
            Method::Update => (Work::Update(self.stage.update_work(self.stored)), u64::MAX / 2),
        };
        let job = Job { work, way, at_once: TOGETHER, warm_up_ms: 0, measure_ms, first: self.next, most };
        let outcome = run_apart(&job)?;
        self.next += outcome.done;
        self.rates.push(outcome.per_second());
        Ok(outcome.per_second())
    }

    fn figure(&self, small: &Self) -> Option<Figure> {
        let ratios = self.rates.iter().zip(&small.rates).map(|(mine, small)| mine / small);
        let what = format!("{}, to {} alone", self.words(), small.stored);
        Spread::of(ratios).map(|ratio| Figure::of(what, ratio, "times").at_least(AT_LEAST))
    }
}

/// Stops dispenses straight in the store, so that their events wait there.
pub(super) fn stop_directly(stage: &Stage, store: Store, base: u64, count: u64) -> Result<()> {
    const HOURS_MS: u64 = 10_000_000;
    let way: Way = stage.directly(store, TOGETHER, Statements::Rows)?;
    let work = Work::Stop(stage.stop_work(base, count));
    run_apart(&Job {
        work,
        way,
        at_once: 2 * TOGETHER,
        warm_up_ms: 0,
        measure_ms: HOURS_MS,
        first: 0,
        most: count,
    })?;
    Ok(())
}
