use std::collections::BTreeSet;
use std::sync::Arc;

use esoz_kernel::StoreError;

use crate::wire::{self, NoEvent};
use crate::{EventLog, LoggedEvent};

/// Stores the messages of a topic in the event log, each event once.
pub struct EventIngestion {
    log: Arc<dyn EventLog>,
    skipped_entity_types: BTreeSet<String>,
}

/// What became of some messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// The number of events that were stored.
    pub stored: u64,
    /// The number of events that had been stored before.
    pub duplicates: u64,
    /// The number of events that are not stored because of the type of their entity.
    pub skipped: u64,
    /// The messages that are no events: the index of each, and why.
    pub malformed: Vec<(usize, NoEvent)>,
}

impl EventIngestion {
    /// Creates it. Events of these entity types are never stored.
    pub fn new(log: Arc<dyn EventLog>, skipped_entity_types: impl IntoIterator<Item = String>) -> Self {
        Self { log, skipped_entity_types: skipped_entity_types.into_iter().collect() }
    }

    /// Stores the events among the messages. After `Ok` they need not be read again; after an error nothing of them is stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ingest<M: AsRef<[u8]> + Sync>(&self, messages: &[M]) -> Result<Ingested, StoreError> {
        let mut ingested = Ingested::default();
        let mut events: Vec<LoggedEvent> = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match wire::read(message.as_ref()) {
                Ok(event) if self.skipped_entity_types.contains(&event.entity_type) => ingested.skipped += 1,
                Ok(event) => events.push(event),
                Err(reason) => ingested.malformed.push((index, reason)),
            }
        }
        if !events.is_empty() {
            ingested.stored = self.log.store(&events).await?;
            let read = u64::try_from(events.len()).unwrap_or(u64::MAX);
            ingested.duplicates = read.saturating_sub(ingested.stored);
        }
        Ok(ingested)
    }
}
