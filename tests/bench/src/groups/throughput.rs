//! The same work by different ways: straight to the database, one by one and together, and through the server.

use std::collections::HashMap;

use anyhow::Result;

use super::series::{Method, Reading, Series, WayName};
use super::{Figure, Measured, Settings, whole};
use crate::drive::{TOGETHER, run_apart};
use crate::job::{Job, Outcome, Statements, Way, Work};
use crate::stage::{Events, Server, Stage, Store};
use crate::stats::float;

/// How many ask at the same time.
const AT_ONCE: [usize; 3] = [1, 32, 64];

/// However slow it was before: so many turns for each who asks, so that some are left when it begins to count.
const LEAST_TURNS_EACH: u64 = 50;

/// What is measured in every round, in this order or one that begins elsewhere.
fn ways(at_once: usize) -> &'static [WayName] {
    // A commit is shared by those who wait at the same time.
    if at_once < TOGETHER {
        &[WayName::L1, WayName::Esoz]
    } else {
        &[WayName::L1, WayName::L2, WayName::Esoz]
    }
}

/// Measures one method on one database.
pub(super) fn measure(
    method: Method,
    store: Store,
    settings: &Settings,
    measured: &mut Measured,
    tell: &dyn Fn(&str),
) -> Result<()> {
    tell(&format!("{} on {}: making the stores", method.name(), store.name()));
    let stage = Stage::new(store, &settings.program, &settings.venue)?;
    if method == Method::Update {
        stage.load_records(store, settings.records)?;
    } else {
        stage.load_dispenses(store, 0, settings.records)?;
    }
    let server = stage.serve(Events::Stay)?;
    let mut bench = Bench::new(method, store, settings, &stage, &server);
    if store == Store::Postgres {
        let note = bench.choose_statements()?;
        tell(&note);
        measured.notes.push(note);
    }
    for round in 0..settings.rounds {
        bench.round(round, tell)?;
    }
    measured.throughput.extend(bench.series);
    let what = format!("most memory that the server had, {} on {}", method.name(), store.name());
    measured.figures.push(Figure::new(what, float(server.peak_kib()?) / 1_024.0, "MiB"));
    server.stop()
}

struct Bench<'a> {
    method: Method,
    store: Store,
    settings: &'a Settings,
    stage: &'a Stage,
    server: &'a Server,
    /// How PostgreSQL is told of many updates.
    shared: Statements,
    /// The first turn that nobody had; for stops within what was loaded for this round.
    next: u64,
    /// The first dispense of this round, and how many there are.
    loaded: (u64, u64),
    /// How many were done in a second at most.
    pace: HashMap<(usize, WayName), f64>,
    series: Vec<Series>,
}

impl<'a> Bench<'a> {
    fn new(
        method: Method,
        store: Store,
        settings: &'a Settings,
        stage: &'a Stage,
        server: &'a Server,
    ) -> Self {
        let series = AT_ONCE.iter().flat_map(|&at_once| {
            ways(at_once).iter().map(move |&way| Series { method, store, at_once, way, readings: Vec::new() })
        });
        Self {
            method,
            store,
            settings,
            stage,
            server,
            shared: Statements::Rows,
            next: 0,
            loaded: (settings.records, 0),
            pace: HashMap::new(),
            series: series.collect(),
        }
    }

    /// How many turns a measurement may want.
    fn wanted(&self, at_once: usize, way: WayName) -> u64 {
        let pace = self.pace.get(&(at_once, way)).map_or(way.guess(), |pace| pace * 1.5);
        let wanted = whole(pace * (self.settings.seconds + self.settings.warm_up()));
        wanted.max(LEAST_TURNS_EACH * u64::try_from(at_once).unwrap_or_default())
    }

    /// Makes the dispenses that this round will stop.
    fn load(&mut self) -> Result<()> {
        let wanted = self.series.iter().map(|series| self.wanted(series.at_once, series.way)).sum();
        let (base, count) = self.loaded;
        self.loaded = (base + count, wanted);
        self.next = 0;
        self.stage.load_dispenses(self.store, base + count, wanted)
    }

    fn round(&mut self, round: usize, tell: &dyn Fn(&str)) -> Result<()> {
        if self.method == Method::Stop {
            self.load()?;
        }
        for at_once in AT_ONCE {
            let ways = ways(at_once);
            for turn in 0..ways.len() {
                let Some(&way) = ways.get((turn + round) % ways.len()) else { continue };
                let reading = self.measure(at_once, way)?;
                tell(&format!(
                    "round {}: {} on {}, {at_once} at once, {:>4}: {:>6.0}/s, p50 {:.2} ms, p99 {:.2} ms",
                    round + 1,
                    self.method.name(),
                    self.store.name(),
                    way.name(),
                    reading.outcome.per_second(),
                    reading.outcome.p50_us / 1_000.0,
                    reading.outcome.p99_us / 1_000.0,
                ));
                let pace = self.pace.entry((at_once, way)).or_default();
                *pace = pace.max(reading.outcome.per_second());
                let of_these = |series: &&mut Series| series.at_once == at_once && series.way == way;
                if let Some(series) = self.series.iter_mut().find(of_these) {
                    series.readings.push(reading);
                }
            }
        }
        Ok(())
    }

    fn measure(&mut self, at_once: usize, way: WayName) -> Result<Reading> {
        let by = way.on(self.stage, self.store, self.server, self.shared)?;
        let before = self.server.processor_time()?;
        let outcome = self.run(at_once, by, self.wanted(at_once, way))?;
        let took = self.server.processor_time()?.saturating_sub(before).as_secs_f64();
        let processor_seconds = (way == WayName::Esoz).then(|| took * 1_000.0 / float(outcome.done));
        Ok(Reading { outcome, processor_seconds })
    }

    fn run(&mut self, at_once: usize, way: Way, most: u64) -> Result<Outcome> {
        let (base, count) = self.loaded;
        let (work, most) = match self.method {
            Method::Stop => (Work::Stop(self.stage.stop_work(base, count)), most.min(count - self.next)),
            Method::Update => (Work::Update(self.stage.update_work(self.settings.records)), u64::MAX / 2),
        };
        let measure_ms = whole(self.settings.seconds * 1_000.0);
        let warm_up_ms = whole(self.settings.warm_up() * 1_000.0);
        let job = Job { work, way, at_once, warm_up_ms, measure_ms, first: self.next, most };
        let outcome = run_apart(&job)?;
        self.next += outcome.done;
        Ok(outcome)
    }

    /// Looks which way to share commits PostgreSQL is faster by: the limit is what can be had.
    fn choose_statements(&mut self) -> Result<String> {
        let mut rates = Vec::new();
        for by in [Statements::Rows, Statements::Pipelined] {
            let way = self.stage.directly(self.store, TOGETHER, by)?;
            rates.push((self.run(TOGETHER, way, 0)?.per_second(), by));
        }
        rates.sort_by(|one, other| other.0.total_cmp(&one.0));
        if let Some((_, fastest)) = rates.first() {
            self.shared = *fastest;
        }
        let told: Vec<String> = rates.iter().map(|(rate, by)| format!("{by:?} {rate:.0}/s")).collect();
        Ok(format!("L2 on PostgreSQL takes the faster way to share a commit: {}.", told.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_shared_only_where_enough_wait() {
        assert_eq!(ways(1), [WayName::L1, WayName::Esoz]);
        assert_eq!(ways(32), [WayName::L1, WayName::L2, WayName::Esoz]);
    }
}
