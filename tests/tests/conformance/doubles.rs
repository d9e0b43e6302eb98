//! Ports that panic, and ports that hold changes back.

use std::sync::Arc;

use async_trait::async_trait;
use esoz::Parts;
use esoz_device_dispense::{DeviceDispenses, Dispense, Transition};
use esoz_kernel::{Committed, LegalEntityId, StoreError};
use esoz_legal_entity::{LegalEntities, LegalEntity};
use esoz_testkit::doubles::{DeviceDispensesDouble, Double};
use esoz_tests::DEADLINE;
use tokio::sync::Semaphore;

/// A port with a mistake in it.
pub(crate) struct Panicking;

#[async_trait]
impl LegalEntities for Panicking {
    async fn find(&self, _: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        panic!("a mistake, made on purpose");
    }
}

/// Holds changes back until told to go on.
struct Held {
    inner: Arc<dyn DeviceDispenses>,
    gate: Gate,
}

/// Where changes are held back.
#[derive(Clone)]
pub(crate) struct Gate {
    begun: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { begun: Arc::new(Semaphore::new(0)), go_on: Arc::new(Semaphore::new(0)) }
    }

    /// Holds back all changes of dispenses.
    pub(crate) fn hold(&self, parts: &mut Parts) {
        let inner = parts.stores.dispenses.clone();
        parts.stores.dispenses = Arc::new(Double(Held { inner, gate: self.clone() }));
    }

    /// Waits until another change is held back.
    pub(crate) async fn another_begun(&self) {
        tokio::time::timeout(DEADLINE, self.begun.acquire()).await.unwrap().unwrap().forget();
    }

    /// Lets that many changes go on.
    pub(crate) fn let_go(&self, changes: usize) {
        self.go_on.add_permits(changes);
    }
}

#[async_trait]
impl DeviceDispensesDouble for Held {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        self.gate.begun.add_permits(1);
        self.gate.go_on.acquire().await.unwrap().forget();
        self.inner.commit(change).await
    }
}
