//! Every port in memory, for tests that are about something else. They pass the same contract suites as the adapters
//! (`tests/fakes.rs`), races and refusals included.
//!
//! | fake | ports |
//! |---|---|
//! | [`FakeDispenses`] | `DeviceDispenses`, `DispenseRegistry`, `DispenseWrites`, `Registry` of device requests, `Outbox`, `IdempotencyRecords` |
//! | [`FakeContracts`] | `ContractDivisions`, `ContractRegistry`, `LegalEntities`, `LegalEntityRegistry`, `IdempotencyRecords` |
//! | [`FakeRegistries`] | `Registries`, `Registry` of every record |
//! | [`FakeCredentials`] | `AccessTokens`, `ApiKeys`, `Credentials` |
//! | [`FakeEventLog`] | `EventLog` |
//! | [`FakeMediaStorage`] | `MediaStorage` |
//! | [`RecordingPublisher`] | `EventPublisher` |

mod contract_registry;
mod contracts;
mod credentials;
mod dispense_writes;
mod dispenses;
mod event_log;
mod keys;
mod media_storage;
mod outbox;
mod publisher;
mod registries;
mod registry_facts;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use esoz_kernel::{ScanCursor, ScanPage, StoreError, Uuid};

pub use contracts::FakeContracts;
pub use credentials::FakeCredentials;
pub use dispenses::FakeDispenses;
pub use event_log::FakeEventLog;
pub use media_storage::FakeMediaStorage;
pub use publisher::RecordingPublisher;
pub use registries::FakeRegistries;

/// A page of a scan of a table by its ids.
fn scan<Id: Copy, Row, T>(
    table: &HashMap<Id, Row>,
    uuid: fn(Id) -> Uuid,
    after: Option<ScanCursor>,
    limit: u32,
    record: impl Fn(Id, &Row) -> Result<T, StoreError>,
) -> ScanPage<T> {
    let bytes = |id: &Id| uuid(*id).as_bytes().to_vec();
    scan_by_key(table, bytes, after, limit, |id, row| record(*id, row))
}

/// A page of a scan of a table by its keys, in the order of their bytes.
fn scan_by_key<Key, Row, T>(
    table: &HashMap<Key, Row>,
    bytes: impl Fn(&Key) -> Vec<u8>,
    after: Option<ScanCursor>,
    limit: u32,
    record: impl Fn(&Key, &Row) -> Result<T, StoreError>,
) -> ScanPage<T> {
    let is_later = |key: &Key| after.as_ref().is_none_or(|after| bytes(key).as_slice() > after.id());
    let mut later: Vec<_> = table.iter().filter(|(key, _)| is_later(key)).collect();
    later.sort_unstable_by_key(|(key, _)| bytes(key));
    let page = later.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
    let has_more = later.len() > page;
    later.truncate(page);
    let next = later.last().filter(|_| has_more).map(|(key, _)| ScanCursor::new(bytes(key)));
    ScanPage { records: later.into_iter().map(|(key, row)| record(key, row)).collect(), next }
}

/// The state of a fake, which a test that panicked does not take from the others.
#[derive(Debug, Default)]
struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
