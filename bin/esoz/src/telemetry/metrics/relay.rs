use std::sync::Arc;

use ::metrics::{Counter, Histogram};
use async_trait::async_trait;
use esoz_events::{EventPublisher, PublishError, RelayRound, StatusChangeEvent};
use esoz_kernel::{Clock, StoreError};

use super::Metrics;
use super::definitions::{JOB_RUNS, RELAY_DELIVERY, RELAY_EVENTS, RELAY_ROUNDS};

const IDLE: &str = "idle";
const DELIVERED: &str = "delivered";
const UNDELIVERED: &str = "undelivered";
const SET_ASIDE: &str = "set_aside";
const OUTBOX_FAILED: &str = "outbox_failed";
const DONE: &str = "done";
const FAILED: &str = "failed";

/// Every way in which a round may end.
pub(crate) const ROUND_OUTCOMES: [&str; 5] = [IDLE, DELIVERED, UNDELIVERED, SET_ASIDE, OUTBOX_FAILED];
/// What may become of an event in a round.
pub(crate) const EVENT_OUTCOMES: [&str; 3] = [DELIVERED, UNDELIVERED, SET_ASIDE];
/// The jobs, by the names that metrics and the log have for them.
pub(crate) const RELAY: &str = "relay";
pub(crate) const PURGE_KEYS: &str = "purge_keys";
pub(crate) const JOBS: [&str; 2] = [RELAY, PURGE_KEYS];
/// How a run of a job may end.
pub(crate) const RUN_OUTCOMES: [&str; 2] = [DONE, FAILED];

/// Counts the runs of a job.
pub(crate) struct JobRuns([Counter; 2]);

impl JobRuns {
    /// Each outcome begins at 0, so that the first of a kind is seen to come.
    pub(crate) fn new(metrics: &Metrics, job: &'static str, store: &'static str) -> Self {
        let counter = |outcome| {
            let counter = metrics.counter(&JOB_RUNS, [job, store, outcome]);
            counter.absolute(0);
            counter
        };
        Self(RUN_OUTCOMES.map(counter))
    }

    /// Counts a run.
    pub(crate) fn record(&self, is_done: bool) {
        let Self([done, failed]) = self;
        if is_done { done } else { failed }.increment(1);
    }
}

/// Counts what the relay does.
pub(crate) struct Rounds(Arc<Metrics>);

impl Rounds {
    /// Each outcome begins at 0, so that the first of a kind is seen to come.
    pub(crate) fn new(metrics: &Arc<Metrics>) -> Self {
        for outcome in ROUND_OUTCOMES {
            metrics.counter(&RELAY_ROUNDS, [outcome]).absolute(0);
        }
        for outcome in EVENT_OUTCOMES {
            metrics.counter(&RELAY_EVENTS, [outcome]).absolute(0);
        }
        Self(metrics.clone())
    }

    /// Counts a round.
    pub(crate) fn record(&self, round: &Result<RelayRound, StoreError>) {
        let outcome = match round {
            Ok(round) if round.is_idle() => IDLE,
            Ok(round) if round.failed > 0 => UNDELIVERED,
            Ok(round) if !round.set_aside.is_empty() => SET_ASIDE,
            Ok(_) => DELIVERED,
            Err(_) => OUTBOX_FAILED,
        };
        self.0.counter(&RELAY_ROUNDS, [outcome]).increment(1);
        if let Ok(round) = round {
            for (outcome, events) in [
                (DELIVERED, round.delivered),
                (UNDELIVERED, round.failed),
                (SET_ASIDE, round.set_aside.len()),
            ] {
                let events = u64::try_from(events).unwrap_or(u64::MAX);
                self.0.counter(&RELAY_EVENTS, [outcome]).increment(events);
            }
        }
    }
}

/// A publisher that measures how long events took to get through it, from the change that they tell of.
pub(crate) struct Delivery {
    inner: Arc<dyn EventPublisher>,
    clock: Arc<dyn Clock>,
    took: Histogram,
}

impl Delivery {
    pub(crate) fn new(inner: Arc<dyn EventPublisher>, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Self {
        Self { inner, clock: clock.clone(), took: metrics.histogram_alone(&RELAY_DELIVERY) }
    }
}

#[async_trait]
impl EventPublisher for Delivery {
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let answers = self.inner.publish(events).await;
        let now = self.clock.now();
        for (event, _) in events.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()) {
            // Another replica, whose clock was ahead, may have made the change.
            self.took.record(now.duration_since(event.event_time).as_secs_f64().max(0.0));
        }
        answers
    }
}
