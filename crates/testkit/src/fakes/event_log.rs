use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use esoz_events::{EventFilter, EventLog, EventPosition, LoggedEvent};
use esoz_kernel::{EventId, Page, PageRequest, StoreError};

use super::Locked;
use crate::contract::{EventLogUnderTest, RawEventLog};

/// An event log.
#[derive(Debug, Default)]
pub struct FakeEventLog(Locked<Stored>);

/// The events, and which of them cannot be read.
#[derive(Debug, Default)]
struct Stored {
    events: HashMap<EventId, LoggedEvent>,
    unreadable: HashSet<EventId>,
}

impl Stored {
    fn read(&self, event: &LoggedEvent) -> Result<LoggedEvent, StoreError> {
        if self.unreadable.contains(&event.id) {
            Err(StoreError::corrupt("event_log", event.id, "properties"))
        } else {
            Ok(event.clone())
        }
    }
}

impl FakeEventLog {
    /// A fresh one, as the contract suite wants it.
    pub fn under_test() -> EventLogUnderTest {
        let log = Arc::new(Self::default());
        EventLogUnderTest { log: log.clone(), raw: log, keep: Box::new(()) }
    }
}

#[async_trait]
impl EventLog for FakeEventLog {
    async fn store(&self, events: &[LoggedEvent]) -> Result<u64, StoreError> {
        let stored = &mut self.0.lock().events;
        let before = stored.len();
        for event in events {
            stored.entry(event.id).or_insert_with(|| event.clone());
        }
        Ok(u64::try_from(stored.len() - before).unwrap_or(u64::MAX))
    }

    async fn find(&self, id: EventId) -> Result<Option<LoggedEvent>, StoreError> {
        let stored = self.0.lock();
        stored.events.get(&id).map(|event| stored.read(event)).transpose()
    }

    async fn list(
        &self,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<Result<LoggedEvent, StoreError>>, StoreError> {
        let stored = self.0.lock();
        let mut events: Vec<&LoggedEvent> =
            stored.events.values().filter(|event| filter.matches(event)).collect();
        events.sort_unstable_by_key(|event| event.position());
        let Page { items, total_entries } = Page::of(events, page);
        Ok(Page { items: items.into_iter().map(|event| stored.read(event)).collect(), total_entries })
    }

    async fn nth_newest(&self, n: u64) -> Result<Option<EventPosition>, StoreError> {
        let mut positions: Vec<EventPosition> =
            self.0.lock().events.values().map(LoggedEvent::position).collect();
        positions.sort_unstable();
        let from_end = usize::try_from(n).ok().and_then(|n| positions.len().checked_sub(n));
        Ok(from_end.and_then(|index| positions.get(index).copied()))
    }

    async fn remove_before(&self, position: EventPosition, limit: u32) -> Result<u64, StoreError> {
        let stored = &mut *self.0.lock();
        let mut old: Vec<EventPosition> =
            stored.events.values().map(LoggedEvent::position).filter(|old| *old < position).collect();
        old.sort_unstable();
        old.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for old in &old {
            stored.events.remove(&old.id);
            stored.unreadable.remove(&old.id);
        }
        Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl RawEventLog for FakeEventLog {
    async fn make_unreadable(&self, id: EventId) {
        self.0.lock().unreadable.insert(id);
    }
}
