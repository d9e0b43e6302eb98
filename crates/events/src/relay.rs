use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use esoz_kernel::{Clock, StoreError, Uuid};

use crate::{Claim, EventPublisher, EventRef, Outbox, PublishError, StatusChangeEvent};

/// Bounds of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// How long a claim holds. Longer than the bus may take for an answer.
    pub lease: Duration,
    /// The most entities taken in one round.
    pub max_entities: u32,
}

/// What one round did.
#[derive(Debug)]
pub struct RelayRound {
    /// How many events were delivered and removed.
    pub delivered: usize,
    /// How many stay in the outbox because the bus did not take them.
    pub failed: usize,
    /// Why the first of those failed.
    pub failure: Option<PublishError>,
}

impl RelayRound {
    /// Whether there was nothing to do.
    pub fn is_idle(&self) -> bool {
        self.delivered == 0 && self.failed == 0
    }
}

/// Carries events from an outbox to a publisher: at least once, in order per entity. Any number of relays may work on one
/// outbox.
pub struct Relay {
    outbox: Arc<dyn Outbox>,
    publisher: Arc<dyn EventPublisher>,
    clock: Arc<dyn Clock>,
    limits: RelayLimits,
    id: Uuid,
}

impl Relay {
    /// Builds a relay; `id` must be its own.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        publisher: Arc<dyn EventPublisher>,
        clock: Arc<dyn Clock>,
        limits: RelayLimits,
        id: Uuid,
    ) -> Self {
        Self { outbox, publisher, clock, limits, id }
    }

    /// Takes what waits, publishes it, then removes what was taken for sure.
    ///
    /// An event is published only after every earlier one of its entity: each wave holds at most one event of an entity, and
    /// an entity whose event failed is left alone until the next round. Dying anywhere in between delivers again, never less.
    pub async fn run_once(&self) -> Result<RelayRound, StoreError> {
        let RelayLimits { lease, max_entities } = self.limits;
        let claim = Claim { by: self.id, now: self.clock.now(), lease, max_entities };
        let mut waiting = self.outbox.claim(&claim).await?;
        let mut round = RelayRound { delivered: 0, failed: 0, failure: None };
        let mut held_up = HashSet::new();
        let mut delivered: Vec<EventRef> = Vec::new();
        while !waiting.is_empty() {
            let (wave, later) = next_wave(waiting);
            waiting = later;
            for (event, answer) in wave.iter().zip(self.publisher.publish(&wave).await) {
                match answer {
                    Ok(()) => delivered.push(event.reference()),
                    Err(error) => {
                        held_up.insert(event.entity_id);
                        round.failed += 1;
                        round.failure.get_or_insert(error);
                    }
                }
            }
            let before = waiting.len();
            waiting.retain(|event| !held_up.contains(&event.entity_id));
            round.failed += before - waiting.len();
        }
        if !delivered.is_empty() {
            self.outbox.remove(&delivered).await?;
            round.delivered = delivered.len();
        }
        if round.failed > 0 {
            self.outbox.release(self.id).await?;
        }
        Ok(round)
    }

    /// Gives back what this relay holds, so that others need not wait for its claim to end. For an orderly stop.
    pub async fn release(&self) -> Result<(), StoreError> {
        self.outbox.release(self.id).await
    }
}

/// The first waiting event of every entity, and the rest in their order.
fn next_wave(waiting: Vec<StatusChangeEvent>) -> (Vec<StatusChangeEvent>, Vec<StatusChangeEvent>) {
    let mut entities = HashSet::new();
    waiting.into_iter().partition(|event| entities.insert(event.entity_id))
}
