//! Twice as many requests as the servers can carry: they go on at their pace, and refuse the rest at once. What was refused is asked again when they
//! have time, and then it is done.
//!
//! The clients are on the same machine, and twice as many of them take more of it. So what is compared is what is done in a second of the processor time that
//! the clients leave.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use esoz_test_servers::processor_time;

use super::workload::{IN_FLIGHT, MEASURED_FOR, Offering, begin, per_second};
use super::{Form, Run};
use crate::history::{Operation, Outcome};
use crate::report::Report;
use crate::trial::Trial;

/// Peak and overload take turns, since a machine is not always equally fast. What counts is the median of their ratios.
const ROUNDS: usize = 5;

/// How much of the peak is to be done under overload, each for the processor time that was there for it. It is told whether it was, and does
/// not decide: how fast something is depends on the machine. Less than the half of it would be a collapse, on any.
const KEPT: f64 = 0.9;

const COLLAPSED: f64 = 0.5;

/// The longest that nineteen of twenty refusals may take.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);

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

/// Does this, and tells how many processors were there for everybody else than this process, which is the clients.
fn beside_clients<T>(asking: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let taken = || processor_time(std::process::id()).context("this process has no times");
    let processors = f64::from(u32::try_from(std::thread::available_parallelism()?.get())?);
    let (began, before) = (Instant::now(), taken()?);
    let asked = asking()?;
    let by_clients = taken()?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    Ok((asked, processors - by_clients))
}
