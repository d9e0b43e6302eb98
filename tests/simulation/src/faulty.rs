//! Ports as they are reached over a network that fails: each call waits, may be refused, lose its answer, arrive late or twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_contract_division::{Applied, Change, ContractDivision, ContractDivisions, Facts, Update};
use esoz_device_dispense::{Changed, DeviceDispenses, Dispense, StatusChange};
use esoz_events::{Backlog, Claim, EventPublisher, EventRef, Outbox, PublishError, StatusChangeEvent};
use esoz_kernel::{
    ContractDivisionId, DispenseId, IdempotentRequest, LegalEntityId, Replay, StoreError, StoreErrorKind,
    Timestamp, Uuid,
};
use esoz_legal_entity::{LegalEntities, LegalEntity};

use crate::sim::{Fate, Sim};
use crate::watch::Watch;

type Answered<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// A port behind that network.
pub(crate) struct Faulty<P: ?Sized> {
    pub(crate) inner: Arc<P>,
    pub(crate) sim: Arc<Sim>,
    pub(crate) watch: Arc<Watch>,
}

/// What sort of call it is.
#[derive(Clone, Copy)]
struct Call {
    what: &'static str,
    may_conflict: bool,
    may_repeat: bool,
}

impl Call {
    const fn reading(what: &'static str) -> Self {
        Self { what, may_conflict: false, may_repeat: true }
    }

    /// One that is the same twice as once.
    const fn repeatable(what: &'static str) -> Self {
        Self::reading(what)
    }

    const fn changing(what: &'static str) -> Self {
        Self { what, may_conflict: true, may_repeat: false }
    }
}

impl<P: ?Sized + Send + Sync + 'static> Faulty<P> {
    async fn through<T: Send + 'static>(
        &self,
        call: Call,
        carry_out: impl Fn(Arc<P>) -> Answered<T> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let Call { what, may_conflict, may_repeat } = call;
        let failed = |kind| Err(StoreError::new(kind, what));
        self.sim.pause().await;
        match self.sim.fate(what, may_conflict, may_repeat) {
            Fate::Refused(kind) => failed(kind),
            Fate::Late => {
                let (inner, sim, watch) = (self.inner.clone(), self.sim.clone(), self.watch.clone());
                self.sim.send_late(async move {
                    let outcome = carry_out(inner).await;
                    sim.note(|| format!("{what}, late: {}", word(&outcome)));
                    watch.look();
                });
                failed(StoreErrorKind::Unavailable)
            }
            Fate::Lost => {
                let outcome = self.carried_out(what, &carry_out).await;
                self.sim.pause().await;
                outcome.and_then(|_| failed(StoreErrorKind::Unavailable))
            }
            Fate::Twice => {
                self.carried_out(what, &carry_out).await?;
                self.sim.pause().await;
                self.carried_out(what, &carry_out).await
            }
            Fate::Good => {
                let outcome = self.carried_out(what, &carry_out).await;
                self.sim.pause().await;
                outcome
            }
        }
    }

    async fn carried_out<T>(
        &self,
        what: &str,
        carry_out: &(impl Fn(Arc<P>) -> Answered<T> + Send + Sync),
    ) -> Result<T, StoreError> {
        let outcome = carry_out(self.inner.clone()).await;
        self.sim.note(|| format!("{what}: {}", word(&outcome)));
        self.watch.look();
        outcome
    }
}

fn word<T>(outcome: &Result<T, StoreError>) -> String {
    outcome.as_ref().map_or_else(StoreError::with_causes, |_| "carried out".to_owned())
}

#[async_trait]
impl DeviceDispenses for Faulty<dyn DeviceDispenses> {
    async fn find(&self, id: DispenseId) -> Result<Option<Dispense>, StoreError> {
        self.through(Call::reading("find"), move |inner| Box::pin(async move { inner.find(id).await })).await
    }

    async fn change_status(&self, change: &StatusChange) -> Result<Changed, StoreError> {
        let change = change.clone();
        let carry_out = move |inner: Arc<dyn DeviceDispenses>| -> Answered<Changed> {
            let change = change.clone();
            Box::pin(async move { inner.change_status(&change).await })
        };
        self.through(Call::changing("change_status"), carry_out).await
    }
}

#[async_trait]
impl ContractDivisions for Faulty<dyn ContractDivisions> {
    async fn facts(&self, id: ContractDivisionId, change: &Change) -> Result<Facts, StoreError> {
        let change = *change;
        let carry_out = move |inner: Arc<dyn ContractDivisions>| -> Answered<Facts> {
            Box::pin(async move { inner.facts(id, &change).await })
        };
        self.through(Call::reading("facts"), carry_out).await
    }

    async fn apply(&self, update: &Update) -> Result<Applied, StoreError> {
        let update = update.clone();
        let carry_out = move |inner: Arc<dyn ContractDivisions>| -> Answered<Applied> {
            let update = update.clone();
            Box::pin(async move { inner.apply(&update).await })
        };
        self.through(Call::changing("apply"), carry_out).await
    }

    async fn replay(
        &self,
        idempotency: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<Replay<ContractDivision>>, StoreError> {
        let idempotency = *idempotency;
        let carry_out =
            move |inner: Arc<dyn ContractDivisions>| -> Answered<Option<Replay<ContractDivision>>> {
                Box::pin(async move { inner.replay(&idempotency, now).await })
            };
        self.through(Call::reading("recall"), carry_out).await
    }
}

#[async_trait]
impl LegalEntities for Faulty<dyn LegalEntities> {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        self.through(Call::reading("legal_entity"), move |inner| {
            Box::pin(async move { inner.find(id).await })
        })
        .await
    }
}

#[async_trait]
impl Outbox for Faulty<dyn Outbox> {
    async fn claim(&self, claim: &Claim) -> Result<Vec<StatusChangeEvent>, StoreError> {
        let claim = *claim;
        let carry_out = move |inner: Arc<dyn Outbox>| -> Answered<Vec<StatusChangeEvent>> {
            Box::pin(async move { inner.claim(&claim).await })
        };
        self.through(Call::repeatable("claim"), carry_out).await
    }

    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError> {
        let delivered = delivered.to_vec();
        let carry_out = move |inner: Arc<dyn Outbox>| -> Answered<()> {
            let delivered = delivered.clone();
            Box::pin(async move { inner.remove(&delivered).await })
        };
        self.through(Call::repeatable("remove"), carry_out).await
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        self.through(Call::repeatable("release"), move |inner| {
            Box::pin(async move { inner.release(by).await })
        })
        .await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.through(Call::reading("backlog"), move |inner| Box::pin(async move { inner.backlog().await }))
            .await
    }
}

#[async_trait]
impl EventPublisher for Faulty<dyn EventPublisher> {
    /// The events of one call are of different entities: each goes its own way, in whatever order.
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let mut answers: Vec<Result<(), PublishError>> = events.iter().map(|_| Ok(())).collect();
        let mut order: Vec<usize> = (0..events.len()).collect();
        while !order.is_empty() {
            let index = order.swap_remove(self.sim.draw(|rng| rng.index(order.len())));
            let event = events[index].clone();
            self.sim.pause().await;
            let fate = self.sim.fate("publish", false, true);
            let times = match fate {
                Fate::Refused(_) | Fate::Late => 0,
                Fate::Good | Fate::Lost => 1,
                Fate::Twice => 2,
            };
            for _ in 0..times {
                self.inner.publish(std::slice::from_ref(&event)).await;
                self.sim.pause().await;
            }
            if fate == Fate::Late {
                let inner = self.inner.clone();
                self.sim.send_late(async move {
                    inner.publish(&[event]).await;
                });
            }
            if !matches!(fate, Fate::Good | Fate::Twice) {
                answers[index] = Err(PublishError { reason: format!("{fate:?}") });
            }
        }
        answers
    }
}
