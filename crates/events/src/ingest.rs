use std::collections::BTreeSet;
use std::sync::Arc;

use esoz_kernel::StoreError;

use crate::wire::{self, MalformedEvent};
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
    pub malformed: Vec<(usize, MalformedEvent)>,
}

impl EventIngestion {
    /// Creates it. Events of these entity types are never stored.
    pub fn new(log: Arc<dyn EventLog>, skipped_entity_types: impl IntoIterator<Item = String>) -> Self {
        Self { log, skipped_entity_types: skipped_entity_types.into_iter().map(folded).collect() }
    }

    /// Whether an entity type is skipped, in whatever case its producer writes it: what is stored by mistake would be a patient's id.
    fn is_skipped(&self, entity_type: &str) -> bool {
        self.skipped_entity_types.contains(&folded(entity_type))
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
                Ok(event) if self.is_skipped(&event.entity_type) => ingested.skipped += 1,
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

fn folded(entity_type: impl AsRef<str>) -> String {
    entity_type.as_ref().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use esoz_kernel::StoreErrorKind;
    use pollster::block_on;

    use super::*;
    use crate::MockEventLog;
    use crate::operations::fixtures::event;

    /// A message with an event about an entity of this type.
    fn message(entity_type: &str) -> Vec<u8> {
        let event = LoggedEvent { entity_type: entity_type.to_owned(), ..event("{}") };
        wire::render(&event).into_bytes()
    }

    /// Ingests messages into the log; events of persons are skipped.
    fn ingest(log: MockEventLog, messages: &[Vec<u8>]) -> Result<Ingested, StoreError> {
        block_on(EventIngestion::new(Arc::new(log), ["Person".to_owned()]).ingest(messages))
    }

    #[test]
    fn given_messages_of_every_kind_then_each_is_counted_and_the_malformed_ones_are_named_by_index() {
        let mut log = MockEventLog::new();
        log.expect_store()
            .withf(|events| {
                let of: Vec<&str> = events.iter().map(|event| event.entity_type.as_str()).collect();
                of == ["DeviceDispense", "Declaration", "DeviceDispense"]
            })
            .times(1)
            .returning(|_| Ok(2));
        let messages = [
            b"no event".to_vec(),
            message("DeviceDispense"),
            message("Person"),
            b"{}".to_vec(),
            message("Declaration"),
            message("DeviceDispense"),
            message("Person"),
        ];
        let malformed = vec![(0, MalformedEvent::NotAnObject), (3, MalformedEvent::Field("id"))];
        let expected = Ingested { stored: 2, duplicates: 1, skipped: 2, malformed };
        assert_eq!(ingest(log, &messages).unwrap(), expected);
    }

    #[test]
    fn given_an_entity_type_that_only_resembles_a_skipped_one_then_its_event_is_stored() {
        let mut log = MockEventLog::new();
        log.expect_store().withf(|events| events.len() == 2).times(1).returning(|_| Ok(2));
        let ingested = ingest(log, &[message("Persons"), message("Per-son")]).unwrap();
        assert_eq!(ingested, Ingested { stored: 2, ..Ingested::default() });
    }

    #[test]
    fn given_nothing_to_store_then_the_log_is_not_called() {
        for (messages, skipped, malformed) in [
            (vec![], 0, vec![]),
            (vec![message("Person"), message("person"), message("PERSON")], 3, vec![]),
            (vec![Vec::new()], 0, vec![(0, MalformedEvent::NotAnObject)]),
        ] {
            let expected = Ingested { skipped, malformed, ..Ingested::default() };
            assert_eq!(ingest(MockEventLog::new(), &messages).unwrap(), expected);
        }
    }

    /// One call stores all events or none, so that after an error the whole batch can be read again.
    #[test]
    fn given_a_log_that_fails_then_the_error_is_passed_on_and_nothing_is_stored() {
        let mut log = MockEventLog::new();
        log.expect_store()
            .withf(|events| events.len() == 2)
            .times(1)
            .returning(|_| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
        let messages = [message("DeviceDispense"), b"no event".to_vec(), message("Declaration")];
        assert_eq!(ingest(log, &messages).unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
}
