//! How fast dispenses are shown and listed, and whether that is as fast when a hundred times as many are stored.

use anyhow::Result;
use esoz_kernel::time::rfc3339_millis;

use super::{Figure, Measured, Settings, WayName, whole};
use crate::drive::{TOGETHER, run_apart};
use crate::ids::inserted_at;
use crate::job::{Job, Outcome, Statements, Work};
use crate::stage::{Events, Server, Stage, Store};
use crate::stats::{Spread, float};

const STORES: [Store; 2] = [Store::Mongodb, Store::Sqlite];

/// How many times what the legal entity itself has is stored: the rest belongs to others.
const TIMES: [u64; 2] = [1, 100];

const SHOW_AT_LEAST: f64 = 0.6;
const FIRST_PAGE_AT_MOST: f64 = 1.3;
const FIRST_PAGE_P99_AT_MOST_MS: f64 = 50.0;
const ENTRIES_AT_LEAST: f64 = 20_000.0;
const MOST_ENTRIES: u64 = 300;

/// A list.
struct List {
    what: &'static str,
    path: String,
}

fn lists(settings: &Settings, stage: &Stage) -> Vec<List> {
    let of_owner = |query: &str| format!("/api/device_dispenses{query}");
    let (some, patient) = (rfc3339_millis(inserted_at(0)), stage.stop_work(0, 1).patient);
    let last = settings.records.div_ceil(50).clamp(1, 100);
    vec![
        List { what: "the first page of 50", path: of_owner("") },
        List { what: "page 100, or the last one", path: of_owner(&format!("?page={last}")) },
        List { what: "those in progress", path: of_owner("?status=in_progress") },
        List { what: "those since a time", path: of_owner(&format!("?inserted_at_from={some}")) },
        List { what: "those with a device code", path: of_owner("?device_code=30221") },
        List { what: "those of a patient", path: format!("/api/patients/{patient}/device_dispenses") },
    ]
}

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    for store in STORES {
        let mut cases = Vec::new();
        for times in TIMES {
            let stored = settings.records * times;
            tell(&format!("lists: loading {stored} dispenses into {}", store.name()));
            let stage = Stage::new(store, &settings.program, &settings.venue)?;
            stage.load_dispenses(store, 0, settings.records)?;
            stage.load_dispenses_of_others(store, settings.records, stored - settings.records)?;
            let server = stage.serve(Events::Stay)?;
            cases.push(Case { store, stored, stage, server });
        }
        let [small, large] = cases.as_slice() else { anyhow::bail!("there are two cases") };
        shown(settings, small, measured, tell)?;
        for index in 0..lists(settings, &small.stage).len() {
            listed(settings, [small, large], index, measured, tell)?;
        }
        rendered(settings, small, measured, tell)?;
    }
    Ok(())
}

/// One amount of things stored, with a store and a server of its own.
struct Case {
    store: Store,
    stored: u64,
    stage: Stage,
    server: Server,
}

impl Case {
    fn run(&self, settings: &Settings, way: WayName, work: Work, at_once: usize) -> Result<Outcome> {
        let way = way.on(&self.stage, self.store, &self.server, Statements::Single)?;
        let warm_up_ms = whole(settings.warm_up() * 1_000.0);
        let measure_ms = whole(settings.seconds * 1_000.0);
        run_apart(&Job { work, way, at_once, warm_up_ms, measure_ms, first: 0, most: u64::MAX / 2 })
    }
}

/// Shows dispenses, beside the driver's own find by id where there is one.
fn shown(settings: &Settings, case: &Case, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let store = case.store.name();
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        let work = || Work::Show(case.stage.stop_work(0, settings.records));
        let rate = case.run(settings, WayName::Esoz, work(), TOGETHER)?.per_second();
        if case.store == Store::Mongodb {
            ratios.push(rate / case.run(settings, WayName::L1, work(), TOGETHER)?.per_second());
        }
        rates.push(rate);
    }
    let rates =
        Spread::of(rates).map(|rates| Figure::of(format!("shows on {store}, 32 at once"), rates, "a second"));
    let what = format!("shows on {store}, 32 at once, to the driver's own find by id");
    let ratios = Spread::of(ratios).map(|ratios| Figure::of(what, ratios, "times").at_least(SHOW_AT_LEAST));
    report([rates, ratios], measured, tell);
    Ok(())
}

/// Asks for a list, one request after the other, where little is stored and where much is.
fn listed(
    settings: &Settings,
    cases: [&Case; 2],
    index: usize,
    measured: &mut Measured,
    tell: &dyn Fn(&str),
) -> Result<()> {
    let (mut medians, mut slowest, mut ratios) = ([const { Vec::new() }; 2], Vec::new(), Vec::new());
    let what = lists(settings, &cases[0].stage).swap_remove(index).what;
    for _ in 0..settings.rounds {
        let mut outcomes = Vec::new();
        for (case, medians) in cases.iter().zip(&mut medians) {
            let path = lists(settings, &case.stage).swap_remove(index).path;
            let outcome = case.run(settings, WayName::Esoz, Work::Get(path), 1)?;
            medians.push(outcome.p50_us / 1_000.0);
            outcomes.push(outcome);
        }
        if let [small, large] = outcomes.as_slice() {
            ratios.push(large.p50_us / small.p50_us);
            slowest.push(large.p99_us / 1_000.0);
        }
    }
    let is_first = index == 0;
    for (case, medians) in cases.iter().zip(medians) {
        let what = format!("{what} on {} among {}, the middle one", case.store.name(), case.stored);
        report([Spread::of(medians).map(|medians| Figure::of(what, medians, "ms"))], measured, tell);
    }
    let [_, large] = cases;
    let among = format!("{what} on {} among {}", large.store.name(), large.stored);
    let slowest = Spread::of(slowest).map(|slowest| {
        let figure = Figure::of(format!("{among}, 99 of 100 take at most"), slowest, "ms");
        if is_first { figure.at_most(FIRST_PAGE_P99_AT_MOST_MS) } else { figure }
    });
    let ratios = Spread::of(ratios).map(|ratios| {
        let figure = Figure::of(format!("{among}, to {}", cases[0].stored), ratios, "times");
        if is_first { figure.at_most(FIRST_PAGE_AT_MOST) } else { figure }
    });
    report([slowest, ratios], measured, tell);
    Ok(())
}

/// Asks for the longest pages.
fn rendered(settings: &Settings, case: &Case, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let store = case.store.name();
    let entries = settings.records.min(MOST_ENTRIES);
    let mut rates = Vec::new();
    for _ in 0..settings.rounds {
        let path = format!("/api/device_dispenses?page_size={MOST_ENTRIES}");
        let outcome = case.run(settings, WayName::Esoz, Work::Get(path), TOGETHER)?;
        rates.push(outcome.per_second() * float(entries));
    }
    let what = format!("entries of pages of {entries} on {store}, 32 at once");
    let rates = Spread::of(rates).map(|rates| Figure::of(what, rates, "a second").at_least(ENTRIES_AT_LEAST));
    let memory = Figure::new(
        format!("memory resident after that on {store}"),
        float(case.server.resident_kib()?) / 1_024.0,
        "MiB",
    );
    report([rates, Some(memory)], measured, tell);
    Ok(())
}

fn report<const N: usize>(figures: [Option<Figure>; N], measured: &mut Measured, tell: &dyn Fn(&str)) {
    for figure in figures.into_iter().flatten() {
        tell(&format!("lists: {}: {} {}", figure.what, figure.shown(), figure.unit));
        measured.figures.push(figure);
    }
}
