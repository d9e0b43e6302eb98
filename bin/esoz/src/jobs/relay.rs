use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use esoz_events::{Relay, RelayFailure, RelayRound};
use esoz_kernel::StoreError;
use tokio::sync::Notify;

use super::job::{Job, JobFailure, Worked};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::definitions::{
    DELIVERED, EVENT_OUTCOMES, IDLE, OUTBOX_FAILED, RELAY, RELAY_EVENTS, RELAY_ROUNDS, ROUND_OUTCOMES,
    SET_ASIDE, UNDELIVERED,
};
use crate::telemetry::outage::{CallLog, Due};

/// Publishes the events of an outbox to the bus.
pub(crate) struct RelayEvents {
    store: &'static str,
    relay: Relay,
    doorbell: Arc<Notify>,
    poll: Duration,
    metrics: Arc<Metrics>,
    started: Instant,
    bus: CallLog,
}

impl RelayEvents {
    /// Relays when `doorbell` is notified, and every `poll` interval: for events of which no notification came, e.g. those of a replica
    /// that died.
    pub(crate) fn new(
        store: &'static str,
        relay: Relay,
        doorbell: Arc<Notify>,
        poll: Duration,
        metrics: Arc<Metrics>,
        bus: CallLog,
    ) -> Self {
        for outcome in ROUND_OUTCOMES {
            drop(metrics.counter_from_zero(&RELAY_ROUNDS, [outcome]));
        }
        for outcome in EVENT_OUTCOMES {
            drop(metrics.counter_from_zero(&RELAY_EVENTS, [outcome]));
        }
        Self { store, relay, doorbell, poll, metrics, started: Instant::now(), bus }
    }

    async fn round(&self, at: Duration) -> Result<RelayRound, StoreError> {
        let (round, failure) = match self.relay.run_once(at).await {
            Ok(round) => (round, None),
            Err(RelayFailure { error, round }) => (round, Some(error)),
        };
        self.count(&round, failure.is_some());
        if round.delivered > 0 {
            tracing::debug!(delivered = round.delivered, "events delivered");
        }
        for set_aside in &round.set_aside {
            tracing::error!(
                event_id = set_aside.id,
                entity_type = set_aside.entity_type,
                entity_id = set_aside.entity_id,
                reason = set_aside.reason,
                "an event cannot be delivered and was set aside; later events of its entity wait behind it: see `esoz events --failed`"
            );
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if round.failed > 0 {
            self.log_undelivered(&round);
        } else if round.resume.is_none()
            && let Some(Due { seconds, .. }) = self.bus.worked()
        {
            tracing::info!(seconds, "the bus takes all events again");
        }
        Ok(round)
    }

    fn log_undelivered(&self, round: &RelayRound) {
        let Some(Due { is_first, seconds, .. }) = self.bus.unavailable() else { return };
        let reason = round.failure.as_ref().map(ToString::to_string);
        let what = if is_first { "did not take" } else { "still does not take" };
        tracing::warn!(
            reason,
            waiting = round.failed,
            seconds,
            "the bus {what} all events; the relay retries until it does"
        );
    }

    fn count(&self, round: &RelayRound, has_failed: bool) {
        let outcome = if has_failed {
            OUTBOX_FAILED
        } else if round.is_idle() {
            IDLE
        } else if round.failed > 0 {
            UNDELIVERED
        } else if round.set_aside.is_empty() {
            DELIVERED
        } else {
            SET_ASIDE
        };
        self.metrics.counter(&RELAY_ROUNDS, [outcome]).increment(1);
        let RelayRound { delivered, failed, set_aside, .. } = round;
        for (outcome, events) in EVENT_OUTCOMES.into_iter().zip([*delivered, *failed, set_aside.len()]) {
            let events = u64::try_from(events).unwrap_or(u64::MAX);
            self.metrics.counter(&RELAY_EVENTS, [outcome]).increment(events);
        }
    }
}

#[async_trait]
impl Job for RelayEvents {
    fn name(&self) -> &'static str {
        RELAY
    }

    fn store(&self) -> &'static str {
        self.store
    }

    async fn run_once(&self) -> Result<Worked, JobFailure> {
        let round = self.round(self.started.elapsed()).await?;
        if !round.is_idle() {
            return Ok(Worked::More);
        }
        Ok(Worked::Done { pause: round.resume.map_or(self.poll, |resume| resume.min(self.poll)) })
    }

    async fn woken(&self) {
        self.doorbell.notified().await;
    }

    /// Retries every event once more, also those in back-off, and releases the claims.
    async fn stop(&self) {
        let last = self.round(Duration::MAX).await.map(drop);
        if let Err(error) = last.and(self.relay.release().await) {
            tracing::warn!(
                error = error.with_causes(),
                "the relay could not release its claims; other relays take the events over when the claims expire"
            );
        }
    }
}
