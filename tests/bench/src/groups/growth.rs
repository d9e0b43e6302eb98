//! Whether it is as fast with much stored as with little, and with many events waiting; and what the database alone loses, which L1 shows.

use anyhow::Result;

use super::{Figure, Measured, Method, Settings, WayName, whole};
use crate::drive::{TOGETHER, run_apart};
use crate::goals::CASES;
use crate::job::{Job, Statements, Way, Work};
use crate::stage::{Events, Server, Stage, Store};
use crate::stats::Spread;

/// How many times the small case the others are, and how many events wait in one more.
const TIMES: [u64; 3] = [1, 10, 100];
const WAITING_TIMES: u64 = 10;
/// In which ways the same is done.
const WAYS: [WayName; 2] = [WayName::L1, WayName::Esoz];

/// How many of the records of the smallest case are stopped, all rounds together: none can be stopped twice.
const STOPPED_PERMILLE: u64 = 900;

/// What larger cases may lose.
const AT_LEAST: f64 = 0.9;

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    for (method, store) in CASES {
        let mut cases = Vec::new();
        for way in WAYS {
            let asked = Asked { method, store, way };
            for times in TIMES {
                cases.push(Case::new(asked, settings, times, 0, tell)?);
            }
            if method == Method::Stop {
                cases.push(Case::new(asked, settings, 1, settings.records * WAITING_TIMES, tell)?);
            }
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
        for of_way in cases.chunk_by(|one, other| one.asked == other.asked) {
            if let Some((small, others)) = of_way.split_first() {
                measured.figures.extend(others.iter().filter_map(|case| case.figure(small)));
            }
        }
    }
    Ok(())
}

/// What is asked of which store, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Asked {
    method: Method,
    store: Store,
    way: WayName,
}

/// One amount of things stored, with a store and a server of its own.
struct Case {
    asked: Asked,
    stored: u64,
    waiting: u64,
    server: Server,
    stage: Stage,
    next: u64,
    rates: Vec<f64>,
}

impl Case {
    fn new(asked: Asked, settings: &Settings, times: u64, waiting: u64, tell: &dyn Fn(&str)) -> Result<Self> {
        let Asked { method, store, .. } = asked;
        let stored = settings.records * times;
        tell(&format!(
            "growth: {} on {}: loading {stored}, and {waiting} of which events wait",
            method.name(),
            store.name()
        ));
        let stage = Stage::new(store, &settings.program, &settings.venue)?;
        match method {
            Method::Stop => stage.load_dispenses(store, 0, stored + waiting)?,
            Method::Update => stage.load_records(store, stored)?,
        }
        if waiting > 0 {
            stop_directly(&stage, store, stored, waiting)?;
        }
        let server = stage.serve(Events::Stay)?;
        Ok(Self { asked, stored, waiting, server, stage, next: 0, rates: Vec::new() })
    }

    fn words(&self) -> String {
        let Asked { method, store, way } = self.asked;
        let (method, store, way, stored) = (method.name(), store.name(), way.name(), self.stored);
        match self.waiting {
            0 => format!("{method} on {store} among {stored}, {way}"),
            waiting => format!("{method} on {store} among {stored} with {waiting} events waiting, {way}"),
        }
    }

    fn measure(&mut self, settings: &Settings) -> Result<f64> {
        let way = self.asked.way.on(&self.stage, self.asked.store, &self.server, Statements::Single)?;
        let measure_ms = whole(settings.seconds * 1_000.0);
        let (work, most) = match self.asked.method {
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

    /// Only what the server does has a goal.
    fn figure(&self, small: &Self) -> Option<Figure> {
        let ratios = self.rates.iter().zip(&small.rates).map(|(mine, small)| mine / small);
        let what = format!("{}, to {} alone", self.words(), small.stored);
        let figure = Figure::of(what, Spread::of(ratios)?, "times");
        Some(if self.asked.way == WayName::Esoz { figure.at_least(AT_LEAST) } else { figure })
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
