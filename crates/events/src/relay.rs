use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use esoz_kernel::{Clock, StoreError, Uuid};

use crate::{
    Backoff, Claim, EventPublisher, EventRef, Outbox, PublishError, Refused, SetAside, StatusChangeEvent,
};

/// Bounds of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// How long a claim holds. Longer than the bus may take for an answer.
    pub lease: Duration,
    /// The most entities taken in one round. When the relay backs off from twice as many, it takes no others: the bus itself is away.
    pub max_entities: u32,
    /// The pause for an entity whose event was not delivered.
    pub backoff: Backoff,
}

/// The result of one round.
#[derive(Debug, Default)]
pub struct RelayRound {
    /// The number of events that were delivered and removed.
    pub delivered: usize,
    /// The number of events that stay in the outbox because the bus was unavailable.
    pub failed: usize,
    /// Why the first of those failed.
    pub failure: Option<PublishError>,
    /// Events that were set aside (dead letters).
    pub set_aside: Vec<SetAside>,
    /// The time until the first retry of an entity that the relay backs off from.
    pub resume: Option<Duration>,
}

/// A failed round, with its partial result. Its dead letters must be counted and logged now: no later round returns them again.
#[derive(Debug, thiserror::Error)]
#[error("the outbox failed during a round of the relay")]
pub struct RelayFailure {
    /// The error of the outbox.
    #[source]
    pub error: StoreError,
    /// The partial result: what was delivered and set aside before the error.
    pub round: RelayRound,
}

impl RelayRound {
    /// Whether there was nothing to do.
    pub fn is_idle(&self) -> bool {
        self.delivered == 0 && self.failed == 0 && self.set_aside.is_empty()
    }
}

/// Relays events from an outbox to a publisher: at least once, in order per entity. Any number of relays may work on one
/// outbox.
pub struct Relay {
    outbox: Arc<dyn Outbox>,
    publisher: Arc<dyn EventPublisher>,
    clock: Arc<dyn Clock>,
    limits: RelayLimits,
    id: Uuid,
    backing_off: Mutex<BTreeMap<Uuid, BackoffState>>,
}

/// An entity whose event was not delivered.
struct BackoffState {
    failures: u32,
    until: Duration,
}

impl Relay {
    /// Creates a relay; `id` must be unique to it.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        publisher: Arc<dyn EventPublisher>,
        clock: Arc<dyn Clock>,
        limits: RelayLimits,
        id: Uuid,
    ) -> Self {
        Self { outbox, publisher, clock, limits, id, backing_off: Mutex::default() }
    }

    /// Claims waiting events and publishes them; then removes those delivered and sets aside those that the bus refuses for good (dead
    /// letters).
    ///
    /// An event is published only after every earlier one of its entity: each wave holds at most one event of an entity, and
    /// an entity whose event failed is left alone for the rest of the round, and then for as long as [`RelayLimits::backoff`] says. A crash
    /// anywhere in between delivers events again; it never loses one.
    ///
    /// `at` is a monotonic time, from any fixed moment.
    ///
    /// # Errors
    /// [`RelayFailure`] when the outbox failed. What was published and not removed is published again (at least once).
    pub async fn run_once(&self, at: Duration) -> Result<RelayRound, RelayFailure> {
        let mut round = RelayRound::default();
        match self.work(at, &mut round).await {
            Ok(()) => Ok(RelayRound { resume: self.resume(at), ..round }),
            Err(error) => Err(RelayFailure { error, round }),
        }
    }

    async fn work(&self, at: Duration, round: &mut RelayRound) -> Result<(), StoreError> {
        let except = self.backing_off(at);
        let RelayLimits { lease, max_entities, .. } = self.limits;
        if except.len() < usize::try_from(max_entities).unwrap_or(usize::MAX).saturating_mul(2) {
            let claim = Claim { by: self.id, now: self.clock.now(), lease, max_entities, except };
            let claimed = self.outbox.claim(&claim).await?;
            round.set_aside = claimed.set_aside;
            self.deliver(claimed.events, at, round).await?;
        }
        Ok(())
    }

    async fn deliver(
        &self,
        mut waiting: Vec<StatusChangeEvent>,
        at: Duration,
        round: &mut RelayRound,
    ) -> Result<(), StoreError> {
        let mut failed = HashSet::new();
        let mut refused: BTreeMap<Uuid, (Refused, SetAside)> = BTreeMap::new();
        let mut delivered: Vec<EventRef> = Vec::new();
        while !waiting.is_empty() {
            let (wave, later) = next_wave(waiting);
            waiting = later;
            for (event, answer) in wave.iter().zip(self.publisher.publish(&wave).await) {
                match answer {
                    Ok(()) => delivered.push(event.reference()),
                    Err(PublishError::Refused(reason)) => {
                        refused.insert(event.entity_id, self.refusal(event, reason));
                    }
                    Err(error @ PublishError::Unavailable(_)) => {
                        failed.insert(event.entity_id);
                        round.failed += 1;
                        round.failure.get_or_insert(error);
                    }
                }
            }
            waiting.retain(|event| !refused.contains_key(&event.entity_id));
            let before = waiting.len();
            waiting.retain(|event| !failed.contains(&event.entity_id));
            round.failed += before - waiting.len();
        }
        self.note(&delivered, &failed, at);
        if !delivered.is_empty() {
            self.outbox.remove(&delivered).await?;
            round.delivered = delivered.len();
        }
        if !refused.is_empty() {
            let (refused, set_aside): (Vec<_>, Vec<_>) = refused.into_values().unzip();
            self.outbox.set_aside(&refused, self.clock.now()).await?;
            round.set_aside.extend(set_aside);
        }
        if round.failed > 0 {
            self.outbox.release(self.id).await?;
        }
        Ok(())
    }

    fn refusal(&self, event: &StatusChangeEvent, reason: String) -> (Refused, SetAside) {
        let (kind, now) = (Some(event.entity_type.as_str()), self.clock.now());
        let set_aside = SetAside::new(event.id, kind, event.entity_id, reason.clone(), Some(now));
        (Refused { event: event.reference(), reason }, set_aside)
    }

    /// The entities that the relay still backs off from. Forgets those that have long been due: another relay has delivered their events.
    fn backing_off(&self, at: Duration) -> Vec<Uuid> {
        let mut backing_off = self.backing_off.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = self.limits.backoff.longest;
        backing_off.retain(|_, entity| entity.until.saturating_add(forgotten) > at);
        backing_off.iter().filter(|(_, entity)| entity.until > at).map(|(id, _)| *id).collect()
    }

    /// The time until the first of them is due.
    fn resume(&self, at: Duration) -> Option<Duration> {
        let backing_off = self.backing_off.lock().unwrap_or_else(PoisonError::into_inner);
        backing_off
            .values()
            .filter_map(|entity| entity.until.checked_sub(at))
            .filter(|left| !left.is_zero())
            .min()
    }

    fn note(&self, delivered: &[EventRef], failed: &HashSet<Uuid>, at: Duration) {
        let mut backing_off = self.backing_off.lock().unwrap_or_else(PoisonError::into_inner);
        for event in delivered {
            backing_off.remove(&event.entity_id);
        }
        for entity in failed {
            let state = backing_off.entry(*entity).or_insert(BackoffState { failures: 0, until: at });
            state.failures = state.failures.saturating_add(1);
            state.until = at.saturating_add(self.limits.backoff.wait(state.failures));
        }
    }

    /// Releases what this relay holds, so that others need not wait for its claims to expire. For a graceful shutdown.
    pub async fn release(&self) -> Result<(), StoreError> {
        self.outbox.release(self.id).await
    }
}

/// The first waiting event of every entity, and the rest in their order.
fn next_wave(waiting: Vec<StatusChangeEvent>) -> (Vec<StatusChangeEvent>, Vec<StatusChangeEvent>) {
    let mut entities = HashSet::new();
    waiting.into_iter().partition(|event| entities.insert(event.entity_id))
}
