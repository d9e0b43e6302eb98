use std::sync::Arc;

use ::metrics::Histogram;
use async_trait::async_trait;
use esoz_events::{EventPublisher, PublishError, RelayRound, StatusChangeEvent};
use esoz_kernel::{Clock, StoreError};

use super::Metrics;
use super::table::{RELAY_DELIVERY, RELAY_EVENTS, RELAY_ROUNDS};

const IDLE: &str = "idle";
const DELIVERED: &str = "delivered";
const UNDELIVERED: &str = "undelivered";
const OUTBOX_FAILED: &str = "outbox_failed";

/// Every way in which a round may end.
pub(crate) const ROUND_OUTCOMES: [&str; 4] = [IDLE, DELIVERED, UNDELIVERED, OUTBOX_FAILED];
/// What may become of an event in a round.
pub(crate) const EVENT_OUTCOMES: [&str; 2] = [DELIVERED, UNDELIVERED];

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
    pub(crate) fn tell(&self, round: &Result<RelayRound, StoreError>) {
        let outcome = match round {
            Ok(round) if round.is_idle() => IDLE,
            Ok(round) if round.failed == 0 => DELIVERED,
            Ok(_) => UNDELIVERED,
            Err(_) => OUTBOX_FAILED,
        };
        self.0.counter(&RELAY_ROUNDS, [outcome]).increment(1);
        if let Ok(round) = round {
            for (outcome, events) in [(DELIVERED, round.delivered), (UNDELIVERED, round.failed)] {
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
