//! How much memory the server has after very many requests.

use anyhow::Result;

use super::{Figure, Measured, Settings};
use crate::drive::{TOGETHER, run_apart};
use crate::job::{Job, Work};
use crate::stage::{Events, Stage, Store};
use crate::stats::float;

/// How many requests there are for each record that there is to begin with.
const REQUESTS_PER_RECORD: u64 = 100;

const AT_MOST_MIB: f64 = 40.0;

/// Longer than they take.
const HOURS_MS: u64 = 36_000_000;

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let stage = Stage::new(Store::Sqlite, &settings.program, &settings.venue)?;
    stage.load_records(Store::Sqlite, settings.records)?;
    let server = stage.serve(Events::Go)?;
    let requests = settings.records * REQUESTS_PER_RECORD;
    tell(&format!("memory: {requests} requests"));
    let job = Job {
        work: Work::Update(stage.update_work(settings.records)),
        way: stage.over_http(&server),
        at_once: 2 * TOGETHER,
        warm_up_ms: 0,
        measure_ms: HOURS_MS,
        first: 0,
        most: requests,
    };
    let outcome = run_apart(&job)?;
    let mib = |kib| float(kib) / 1_024.0;
    let after = format!("after {} requests on SQLite", outcome.done);
    measured.figures.push(
        Figure::new(format!("memory resident {after}"), mib(server.resident_kib()?), "MiB")
            .at_most(AT_MOST_MIB),
    );
    measured.figures.push(Figure::new(format!("most memory ever {after}"), mib(server.peak_kib()?), "MiB"));
    server.stop()
}
