//! Every port in memory, for tests that are about something else. They pass the same contract suites as the adapters
//! (`tests/fakes.rs`), races and refusals included.
//!
//! | fake | ports |
//! |---|---|
//! | [`FakeDispenses`] | `DeviceDispenses`, `DispenseRegistry`, `DispenseWrites`, `Registry` of device requests, `Outbox`, `IdempotencyRecords` |
//! | [`FakeContracts`] | `ContractDivisions`, `ContractRegistry`, `LegalEntities`, `LegalEntityRegistry`, `IdempotencyRecords` |
//! | [`FakeCredentials`] | `AccessTokens`, `ApiKeys`, `Credentials` |
//! | [`FakeEventLog`] | `EventLog` |
//! | [`RecordingPublisher`] | `EventPublisher` |

mod contract_registry;
mod contracts;
mod credentials;
mod dispense_writes;
mod dispenses;
mod event_log;
mod keys;
mod outbox;
mod publisher;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use esoz_kernel::{ScanCursor, ScanPage, StoreError, Uuid};

pub use contracts::FakeContracts;
pub use credentials::FakeCredentials;
pub use dispenses::FakeDispenses;
pub use event_log::FakeEventLog;
pub use publisher::RecordingPublisher;

/// A page of a scan of a table by its ids.
fn scan<Id: Copy + Ord + Eq, Row, T>(
    table: &HashMap<Id, Row>,
    uuid: fn(Id) -> Uuid,
    after: Option<ScanCursor>,
    limit: u32,
    record: impl Fn(Id, &Row) -> Result<T, StoreError>,
) -> ScanPage<T> {
    let is_later = |id: Id| after.as_ref().is_none_or(|after| uuid(id).as_bytes().as_slice() > after.id());
    let mut later: Vec<_> = table.iter().filter(|(id, _)| is_later(**id)).collect();
    later.sort_unstable_by_key(|(id, _)| **id);
    let page = later.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
    let has_more = later.len() > page;
    later.truncate(page);
    let next = later.last().filter(|_| has_more).map(|(id, _)| ScanCursor::new(*uuid(**id).as_bytes()));
    ScanPage { records: later.into_iter().map(|(id, row)| record(*id, row)).collect(), next }
}

/// The state of a fake, which a test that panicked does not take from the others.
#[derive(Debug, Default)]
struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
