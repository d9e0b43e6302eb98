//! Mistakes of a store of dispenses and requests, and of a media storage.

use std::sync::Arc;

use async_trait::async_trait;
use esoz_device_dispense::{
    Change, ChangeRefusal, Create, CreateRefusal, DeviceRequest, DeviceRequestRecord, DeviceRequestStatus,
    Dispense, DispenseUpdate, DispenseWrites,
};
use esoz_kernel::{StoreError, StoreErrorKind, Written};
use esoz_registries::Registry;
use esoz_signed_content::{MediaKey, MediaStorage};
use esoz_testkit::doubles::{DispenseWritesDouble, MediaStorageDouble};
use esoz_testkit::fakes::{FakeDispenses, FakeMediaStorage};

use super::unavailable;
use crate::fate::Fate;
use crate::sim::Sim;

/// Records a dispense on what it has seen.
pub(crate) struct CreatesOnWhatItSaw {
    pub(crate) inner: Arc<FakeDispenses>,
    pub(crate) sim: Arc<Sim>,
}

#[async_trait]
impl DispenseWritesDouble for CreatesOnWhatItSaw {
    fn inner(&self) -> &dyn DispenseWrites {
        &*self.inner
    }

    async fn create(&self, create: &Create) -> Result<Written<Dispense, CreateRefusal>, StoreError> {
        let seen = self.inner.request_facts(&create.query).await?;
        self.sim.pause().await;
        let decide = create.decide.clone();
        let decide = Arc::new(move |_: &_| decide(&seen));
        self.inner.create(&Create { decide, ..create.clone() }).await
    }
}

/// Writes a stale decision: changes a dispense without comparing the facts that the decision rests on.
pub(crate) struct ChangesAsWasDecided {
    pub(crate) inner: Arc<FakeDispenses>,
    pub(crate) sim: Arc<Sim>,
}

#[async_trait]
impl DispenseWritesDouble for ChangesAsWasDecided {
    fn inner(&self) -> &dyn DispenseWrites {
        &*self.inner
    }

    async fn change(&self, change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        self.sim.pause().await;
        let mut change = change.clone();
        if let Some((_, update)) = change.decided.take() {
            change.decide = Arc::new(move |_| Ok(Ok(update.clone())));
        }
        self.inner.change(&change).await
    }
}

/// Completes requests after their dispenses, and tells nobody of it.
pub(crate) struct RequestApart {
    pub(crate) inner: Arc<FakeDispenses>,
    pub(crate) sim: Arc<Sim>,
    pub(crate) requests: Vec<DeviceRequestRecord>,
}

#[async_trait]
impl DispenseWritesDouble for RequestApart {
    fn inner(&self) -> &dyn DispenseWrites {
        &*self.inner
    }

    async fn change(&self, change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        let decide = change.decide.clone();
        let apart = Arc::new(move |found| {
            let update = decide(found)?;
            Ok(update.map(|update| DispenseUpdate { completed_request: None, ..update }))
        });
        let written = self.inner.change(&Change { decided: None, decide: apart, ..change.clone() }).await?;
        self.sim.pause().await;
        if matches!(self.sim.fate("the request's own commit", false, false), Fate::Refused(_)) {
            return unavailable();
        }
        if let Written::Applied(dispense) = &written
            && dispense.status.as_str() == "completed"
            && let Some(request) = self
                .requests
                .iter()
                .find(|record| record.facts.quantity.is_some() && record.facts.subject == dispense.subject)
        {
            let facts = DeviceRequest { status: DeviceRequestStatus::Completed, ..request.facts.clone() };
            self.inner.put(&[DeviceRequestRecord { facts, ..request.clone() }]).await?;
        }
        Ok(written)
    }
}

/// Calls it a conflict, after which nothing was written, when nobody knows what was.
pub(crate) struct DoubtIsFailure(pub(crate) Arc<dyn DispenseWrites>);

#[async_trait]
impl DispenseWritesDouble for DoubtIsFailure {
    fn inner(&self) -> &dyn DispenseWrites {
        &*self.0
    }

    async fn change(&self, change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        let conflict = |_| StoreError::new(StoreErrorKind::Conflict, "a planted defect");
        self.0.change(change).await.map_err(conflict)
    }
}

/// Says that a container is stored, and stores it later, or never.
pub(crate) struct KeepsLater {
    pub(crate) inner: Arc<FakeMediaStorage>,
    pub(crate) sim: Arc<Sim>,
}

#[async_trait]
impl MediaStorageDouble for KeepsLater {
    fn inner(&self) -> &dyn MediaStorage {
        &*self.inner
    }

    async fn put(&self, key: &MediaKey, container: &[u8]) -> Result<(), StoreError> {
        if matches!(self.sim.fate("the disk of the media storage", false, false), Fate::Refused(_)) {
            return Ok(());
        }
        self.inner.put(key, container).await
    }
}
