//! Every port in memory, for tests that are about something else. They pass the same contract suites as the adapters
//! (`tests/fakes.rs`), races and refusals included.
//!
//! | fake | ports |
//! |---|---|
//! | [`FakeDispenses`] | `DeviceDispenses`, `DispenseRegistry`, `Outbox`, `IdempotencyRecords` |
//! | [`FakeContracts`] | `ContractDivisions`, `ContractRegistry`, `LegalEntities`, `LegalEntityRegistry`, `IdempotencyRecords` |
//! | [`FakeCredentials`] | `AccessTokens`, `ApiKeys`, `Credentials` |
//! | [`FakeEventLog`] | `EventLog` |
//! | [`RecordingPublisher`] | `EventPublisher` |

mod contract_registry;
mod contracts;
mod credentials;
mod dispenses;
mod event_log;
mod keys;
mod outbox;
mod publisher;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use contracts::FakeContracts;
pub use credentials::FakeCredentials;
pub use dispenses::FakeDispenses;
pub use event_log::FakeEventLog;
pub use publisher::RecordingPublisher;

/// The state of a fake, which a test that panicked does not take from the others.
#[derive(Debug, Default)]
struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
