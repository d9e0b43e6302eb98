//! Hands out turns and takes the time.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::job::{Job, Outcome};
use crate::stats::{float, quantile};

/// Turns and time of one job, shared by all who do it.
pub struct Meter {
    next: AtomicU64,
    first: u64,
    end: u64,
    counts_from: Instant,
    stops_at: Instant,
    /// Whether something has begun that counts: before that it is never over, however slow the machine.
    has_counted: AtomicBool,
    finished: Mutex<Finished>,
}

#[derive(Default)]
struct Finished {
    /// How long each took that counts, in nanoseconds.
    took: Vec<u64>,
    last: Option<Instant>,
}

/// What one worker did, which nobody else needs to know before the end.
#[derive(Default)]
pub struct Lane {
    took: Vec<u64>,
    last: Option<Instant>,
}

impl Meter {
    /// Starts the time.
    pub fn start(job: &Job) -> Self {
        let counts_from = Instant::now() + Duration::from_millis(job.warm_up_ms);
        Self {
            next: AtomicU64::new(job.first),
            first: job.first,
            end: job.first.saturating_add(job.most),
            counts_from,
            stops_at: counts_from + Duration::from_millis(job.measure_ms),
            has_counted: AtomicBool::new(false),
            finished: Mutex::default(),
        }
    }

    /// The next turn; none when the time is over or all are taken.
    pub fn turn(&self) -> Option<u64> {
        self.turns(1).next()
    }

    /// The next turns; fewer at the end, and in the end none.
    pub fn turns(&self, most: usize) -> Range<u64> {
        let now = Instant::now();
        if now >= self.stops_at && self.has_counted.load(Ordering::Relaxed) {
            return 0..0;
        }
        if now >= self.counts_from {
            self.has_counted.store(true, Ordering::Relaxed);
        }
        let most = u64::try_from(most).unwrap_or(1);
        let from = self.next.fetch_add(most, Ordering::Relaxed).min(self.end);
        from..from.saturating_add(most).min(self.end)
    }

    /// Notes that something begun then is done now.
    pub fn done(&self, lane: &mut Lane, began: Instant) {
        if began >= self.counts_from {
            let now = Instant::now();
            lane.took.push(u64::try_from((now - began).as_nanos()).unwrap_or(u64::MAX));
            lane.last = Some(now);
        }
    }

    /// Takes over what one worker did.
    pub fn hand_in(&self, lane: Lane) {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.took.extend(lane.took);
        finished.last = finished.last.max(lane.last);
    }

    /// What came of it, once all have handed in.
    pub fn outcome(self) -> Result<Outcome> {
        let Finished { mut took, last } = self.finished.into_inner().unwrap_or_else(PoisonError::into_inner);
        let last = last.context("the turns were used up, or the time was over, before anything counted")?;
        took.sort_unstable();
        let micros = |permille| quantile(&took, permille).map(|nanos| float(nanos) / 1_000.0);
        Ok(Outcome {
            counted: u64::try_from(took.len()).unwrap_or(u64::MAX),
            done: self.next.into_inner().min(self.end) - self.first,
            seconds: (last - self.counts_from).as_secs_f64(),
            p50_us: micros(500).unwrap_or_default(),
            p99_us: micros(990).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Way, Work};

    fn job(warm_up_ms: u64, measure_ms: u64, most: u64) -> Job {
        let way = Way::Sqlite { path: "x".into(), together: 1 };
        Job { work: Work::Refusals, way, at_once: 1, warm_up_ms, measure_ms, first: 100, most }
    }

    #[test]
    fn every_turn_is_handed_out_once() {
        let meter = Meter::start(&job(0, 60_000, 5));
        assert_eq!(meter.turn(), Some(100));
        assert_eq!(meter.turns(3), 101..104);
        assert_eq!(meter.turns(3), 104..105);
        assert_eq!(meter.turns(3), 105..105);
        assert_eq!(meter.turn(), None);
        let mut lane = Lane::default();
        meter.done(&mut lane, Instant::now());
        meter.hand_in(lane);
        let outcome = meter.outcome().unwrap();
        assert_eq!((outcome.done, outcome.counted), (5, 1));
    }

    #[test]
    fn what_began_before_it_counts_does_not_count() {
        let meter = Meter::start(&job(60_000, 60_000, 5));
        let mut lane = Lane::default();
        meter.done(&mut lane, Instant::now());
        meter.hand_in(lane);
        assert!(meter.outcome().is_err());
    }

    #[test]
    fn when_the_time_is_over_there_are_no_turns() {
        let meter = Meter::start(&job(0, 0, 5));
        assert_eq!([meter.turn(), meter.turn()], [Some(100), None], "but for one that counts");
    }
}
