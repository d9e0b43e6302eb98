//! Most of what a server can carry, for long: no error, no growth of memory, descriptors and connections.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::block_in_place;

use super::Run;
use super::workload::{IN_FLIGHT, MEASURED_FOR, Offering, begin, per_second};
use crate::report::Report;
use crate::trial::Trial;

/// What a soak offers, of the capacity; and how much memory may grow in it.
const SOAKED_AT: f64 = 0.7;

const GROWN_MAX: f64 = 1.05;

/// After each of these parts of a soak it is looked at what the server occupies: growth that goes on looks different from a step.
const PARTS: u32 = 10;

/// For that long, most of what the server can carry: no error, no growth.
pub(super) async fn run(run: &mut Run, length: Duration) -> Result<Vec<Report>> {
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
