use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use esoz_events::{Relay, RelayRound};
use esoz_kernel::StoreError;
use tokio::sync::Notify;

use super::{Job, Worked};
use crate::telemetry::metrics::{RELAY, Rounds};

/// Carries the events of an outbox to the bus.
pub(crate) struct RelayEvents {
    pub(crate) store: &'static str,
    pub(crate) relay: Relay,
    pub(crate) doorbell: Arc<Notify>,
    /// Poll interval: after it the relay finds events that no doorbell announced, e.g. those of a replica that died.
    pub(crate) poll: Duration,
    pub(crate) rounds: Rounds,
    pub(crate) started: Instant,
    /// Whether events wait that the bus did not take.
    pub(crate) is_failing: AtomicBool,
}

impl RelayEvents {
    async fn round(&self, at: Duration) -> Result<RelayRound, StoreError> {
        let round = self.relay.run_once(at).await;
        self.rounds.record(&round);
        let round = round?;
        if round.delivered > 0 {
            tracing::debug!(delivered = round.delivered, "events delivered");
        }
        for set_aside in &round.set_aside {
            let kind = set_aside.entity_type.as_deref();
            tracing::error!(
                event_id = set_aside.id,
                entity_type = kind,
                entity_id = set_aside.entity_id,
                reason = set_aside.reason,
                "an event cannot be delivered and was set aside; later ones of its entity wait behind it: see `esoz events --failed`"
            );
        }
        let is_failing = round.failed > 0 || round.resume.is_some();
        match (self.is_failing.swap(is_failing, Ordering::Relaxed), is_failing) {
            (false, true) => {
                let reason = round.failure.as_ref().map(ToString::to_string);
                tracing::warn!(reason, waiting = round.failed, "the bus did not take all events; they wait");
            }
            (true, false) => tracing::info!("the bus takes all events again"),
            _ => {}
        }
        Ok(round)
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

    async fn run_once(&self) -> Result<Worked, StoreError> {
        let round = self.round(self.started.elapsed()).await?;
        if !round.is_idle() {
            return Ok(Worked::More);
        }
        Ok(Worked::Done { pause: round.resume.map_or(self.poll, |resume| resume.min(self.poll)) })
    }

    async fn woken(&self) {
        self.doorbell.notified().await;
    }

    /// Carries once more what is there, also what it backs off from, and gives back what it holds.
    async fn stop(&self) {
        let last = self.round(Duration::MAX).await.map(drop);
        if let Err(error) = last.and(self.relay.release().await) {
            let error = error.with_causes();
            tracing::warn!(
                error,
                "the relay could not give back what it holds; others get it when its claim ends"
            );
        }
    }
}
