//! Mistakes that one could make, planted: the simulation must find each of them.

mod dispensing;
mod relay;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractDivisions, Refusal, Write};
use esoz_device_dispense::{DeviceDispenses, Dispense, DispenseStatus, Transition};
use esoz_events::{Claim, Claimed, EventRef, Outbox, StatusChangeEvent};
use esoz_kernel::{
    Committed, EventId, IdGenerator as _, StoreError, StoreErrorKind, Timestamp, Written,
    time::rfc3339_millis,
};
use esoz_testkit::doubles::{ContractDivisionsDouble, DeviceDispensesDouble, OutboxDouble};
use esoz_testkit::fakes::FakeDispenses;
use serde_json::json;

pub(crate) use dispensing::{
    ChangesAsWasDecided, CreatesOnWhatItSaw, DoubtIsFailure, KeepsLater, RequestApart,
};
pub(crate) use relay::CarelessRelay;

use crate::fate::Fate;
use crate::sim::Sim;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Defect {
    /// A relay that removes events from the outbox before it has published them.
    RelayRemovesBeforePublishing,
    /// A relay that publishes later events of an entity before earlier ones.
    RelayKeepsNoOrder,
    /// A store that commits a change first and its event after it.
    EventApartFromState,
    /// A store that commits a change first and the key that it was asked for under after it.
    KeyApartFromState,
    /// A store that looks whether a change may be made, and then makes it.
    LooksThenWrites,
    /// A retry that makes the change again, with a new event.
    RetryMakesNewEvent,
    /// A store that answers before it has committed.
    AnswersBeforeCommit,
    /// An update that is carried out under no key, whatever key it has.
    UpdateWithoutItsKey,
    /// An expiry of dispenses that are not overdue yet.
    ExpiresTooEarly,
    /// A store that records a dispense on facts that it has looked up before.
    CreatesOnWhatItSaw,
    /// A store that writes a stale decision about a change.
    ChangesAsWasDecided,
    /// A store that commits a completed dispense first and its request after it.
    RequestApartFromDispense,
    /// A media storage that answers before a container is stored.
    KeepsContainersLater,
    /// A store that says of a change of which the outcome is unknown that it has failed.
    DoubtIsFailure,
}

impl Defect {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::RelayRemovesBeforePublishing,
        Self::RelayKeepsNoOrder,
        Self::EventApartFromState,
        Self::KeyApartFromState,
        Self::LooksThenWrites,
        Self::RetryMakesNewEvent,
        Self::AnswersBeforeCommit,
        Self::UpdateWithoutItsKey,
        Self::ExpiresTooEarly,
        Self::CreatesOnWhatItSaw,
        Self::ChangesAsWasDecided,
        Self::RequestApartFromDispense,
        Self::KeepsContainersLater,
        Self::DoubtIsFailure,
    ];
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable<T>() -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Unavailable, "a planted defect"))
}

/// Commits events after their changes.
pub(crate) struct EventApart {
    pub(crate) inner: Arc<FakeDispenses>,
    pub(crate) sim: Arc<Sim>,
    /// Events whose own commit has not happened.
    pub(crate) not_yet: Mutex<Vec<EventRef>>,
}

#[async_trait]
impl DeviceDispensesDouble for EventApart {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let event = change.event.reference();
        lock(&self.not_yet).push(event);
        let changed = self.inner.commit(change).await?;
        self.sim.pause().await;
        if matches!(self.sim.fate("the event's own commit", false, false), Fate::Refused(_)) {
            return unavailable();
        }
        lock(&self.not_yet).retain(|other| *other != event);
        Ok(changed)
    }
}

#[async_trait]
impl OutboxDouble for EventApart {
    fn inner(&self) -> &dyn Outbox {
        &*self.inner
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let mut claimed = self.inner.claim(claim).await?;
        let not_yet = lock(&self.not_yet);
        claimed.events.retain(|event| !not_yet.contains(&event.reference()));
        Ok(claimed)
    }
}

/// By key: what was asked, when, and the answer.
type Kept = BTreeMap<[u8; 32], ([u8; 32], Timestamp, Dispense)>;

/// Commits keys after their changes.
pub(crate) struct KeyApart {
    pub(crate) inner: Arc<FakeDispenses>,
    pub(crate) sim: Arc<Sim>,
    pub(crate) keys: Mutex<Kept>,
}

#[async_trait]
impl DeviceDispensesDouble for KeyApart {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let Some(idempotency) = change.idempotency else { return self.inner.commit(change).await };
        let kept = lock(&self.keys).get(idempotency.key()).cloned();
        if let Some((request, since, answer)) = kept
            && let Some(replay) = idempotency.replay(&request, since, change.at, || answer)
        {
            return Ok(replay.into());
        }
        let changed = self.inner.commit(&Transition { idempotency: None, ..change.clone() }).await?;
        self.sim.pause().await;
        if matches!(self.sim.fate("the key's own commit", false, false), Fate::Refused(_)) {
            return unavailable();
        }
        if let Committed::Applied(dispense) = &changed {
            lock(&self.keys)
                .insert(*idempotency.key(), (*idempotency.request(), change.at, dispense.clone()));
        }
        Ok(changed)
    }
}

/// The status of the dispense that a change is for.
async fn status(
    dispenses: &dyn DeviceDispenses,
    change: &Transition,
) -> Result<Option<DispenseStatus>, StoreError> {
    let found = dispenses.find(change.id).await?.map(|found| found.dispense).transpose()?;
    Ok(found.map(|dispense| dispense.status))
}

/// Looks, and then writes whatever it finds by then.
pub(crate) struct LooksThenWrites {
    pub(crate) inner: Arc<FakeDispenses>,
    pub(crate) sim: Arc<Sim>,
}

#[async_trait]
impl DeviceDispensesDouble for LooksThenWrites {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let fits = status(&*self.inner, change).await?.is_some_and(|status| change.from.contains(&status));
        if !fits {
            return self.inner.commit(change).await;
        }
        self.sim.pause().await;
        let from =
            status(&*self.inner, change).await?.map_or_else(|| change.from.clone(), |status| vec![status]);
        self.inner.commit(&Transition { from, ..change.clone() }).await
    }
}

/// After a failure, makes the change once more as if nobody had asked before.
pub(crate) struct MakesNewEvent {
    pub(crate) inner: Arc<dyn DeviceDispenses>,
    pub(crate) sim: Arc<Sim>,
}

#[async_trait]
impl DeviceDispensesDouble for MakesNewEvent {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        match self.inner.commit(change).await {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                let from = status(&*self.inner, change)
                    .await?
                    .map_or_else(|| change.from.clone(), |status| vec![status]);
                let event = StatusChangeEvent { id: EventId::new(self.sim.fresh()), ..change.event.clone() };
                let again = Transition { from, event, idempotency: None, ..change.clone() };
                self.inner.commit(&again).await
            }
            other => other,
        }
    }
}

/// Answers what it believes will happen.
pub(crate) struct AnswersBeforeCommit {
    pub(crate) inner: Arc<dyn DeviceDispenses>,
    pub(crate) sim: Arc<Sim>,
}

#[async_trait]
impl DeviceDispensesDouble for AnswersBeforeCommit {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let Some(found) = self.inner.find(change.id).await? else { return Ok(Committed::Stale) };
        let mut dispense = found.dispense?;
        if !change.applies_to(&dispense) {
            return self.inner.commit(change).await;
        }
        for (field, value) in [
            ("status", change.to.as_str().to_owned()),
            ("updated_by", change.by.to_string()),
            ("updated_at", rfc3339_millis(change.at)),
        ] {
            dispense.record.insert(field.to_owned(), json!(value));
        }
        let (inner, change) = (self.inner.clone(), change.clone());
        self.sim.send_late(async move {
            let _ = inner.commit(&change).await;
        });
        Ok(Committed::Applied(dispense))
    }
}

/// Forgets the key of every update.
pub(crate) struct WithoutKey(pub(crate) Arc<dyn ContractDivisions>);

#[async_trait]
impl ContractDivisionsDouble for WithoutKey {
    fn inner(&self) -> &dyn ContractDivisions {
        &*self.0
    }

    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        self.0.write(&Write { idempotency: None, ..write.clone() }).await
    }
}
