use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_events::{EventFilter, EventLog, EventPosition, LoggedEvent};
use esoz_kernel::{EventId, Page, PageRequest, StoreError};

use super::Locked;
use crate::contract::EventLogUnderTest;

/// An event log.
#[derive(Debug, Default)]
pub struct FakeEventLog(Locked<HashMap<EventId, LoggedEvent>>);

impl FakeEventLog {
    /// A fresh one, as the contract suite wants it.
    pub fn under_test() -> EventLogUnderTest {
        EventLogUnderTest { log: Arc::new(Self::default()), keep: Box::new(()) }
    }
}

#[async_trait]
impl EventLog for FakeEventLog {
    async fn store(&self, events: &[LoggedEvent]) -> Result<u64, StoreError> {
        let mut stored = self.0.lock();
        let before = stored.len();
        for event in events {
            stored.entry(event.id).or_insert_with(|| event.clone());
        }
        Ok(u64::try_from(stored.len() - before).unwrap_or(u64::MAX))
    }

    async fn find(&self, id: EventId) -> Result<Option<LoggedEvent>, StoreError> {
        Ok(self.0.lock().get(&id).cloned())
    }

    async fn list(&self, filter: &EventFilter, page: PageRequest) -> Result<Page<LoggedEvent>, StoreError> {
        let mut events: Vec<LoggedEvent> =
            self.0.lock().values().filter(|event| filter.matches(event)).cloned().collect();
        events.sort_unstable_by_key(LoggedEvent::position);
        Ok(Page::of(events, page))
    }

    async fn nth_newest(&self, n: u64) -> Result<Option<EventPosition>, StoreError> {
        let mut positions: Vec<EventPosition> = self.0.lock().values().map(LoggedEvent::position).collect();
        positions.sort_unstable();
        let from_end = usize::try_from(n).ok().and_then(|n| positions.len().checked_sub(n));
        Ok(from_end.and_then(|index| positions.get(index).copied()))
    }

    async fn remove_before(&self, position: EventPosition, limit: u32) -> Result<u64, StoreError> {
        let mut stored = self.0.lock();
        let mut old: Vec<EventPosition> =
            stored.values().map(LoggedEvent::position).filter(|old| *old < position).collect();
        old.sort_unstable();
        old.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for old in &old {
            stored.remove(&old.id);
        }
        Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
    }
}
