use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use esoz_events::{Claim, EventPublisher, EventRef, Outbox, RelayLimits, RelayRound, StatusChangeEvent};
use esoz_kernel::{Clock, StoreError, Uuid};

use crate::carrier::Carrier;

/// A relay without care.
pub(crate) struct CarelessRelay {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) publisher: Arc<dyn EventPublisher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: RelayLimits,
    pub(crate) id: Uuid,
    /// Whether it removes before it publishes; else it only publishes the last event first.
    pub(crate) removes_first: bool,
}

#[async_trait]
impl Carrier for CarelessRelay {
    async fn round(&self, _at: Duration) -> Result<RelayRound, StoreError> {
        let RelayLimits { lease, max_entities, .. } = self.limits;
        let claim = Claim { by: self.id, now: self.clock.now(), lease, max_entities, except: Vec::new() };
        let mut waiting = self.outbox.claim(&claim).await?.events;
        let mut round = RelayRound::default();
        if self.removes_first {
            let all: Vec<EventRef> = waiting.iter().map(StatusChangeEvent::reference).collect();
            self.outbox.remove(&all).await?;
        } else {
            waiting.reverse();
        }
        for event in waiting {
            let taken =
                self.publisher.publish(std::slice::from_ref(&event)).await.into_iter().all(|one| one.is_ok());
            if taken && !self.removes_first {
                self.outbox.remove(&[event.reference()]).await?;
            }
            *(if taken { &mut round.delivered } else { &mut round.failed }) += 1;
        }
        Ok(round)
    }
}
