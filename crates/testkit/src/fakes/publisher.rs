use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_events::{EventPublisher, PublishError, StatusChangeEvent, wire};
use esoz_kernel::{EventId, Uuid};

use super::Locked;
use crate::contract::{Delivered, Message, PublisherUnderTest};

/// A publisher that remembers what it took, and refuses the events of certain entities when told to.
#[derive(Debug, Default)]
pub struct RecordingPublisher(Locked<State>);

#[derive(Debug, Default)]
struct State {
    taken: Vec<StatusChangeEvent>,
    refused: HashSet<Uuid>,
    refused_for_good: HashSet<EventId>,
}

impl RecordingPublisher {
    /// A fresh one, as the contract suite wants it.
    pub fn under_test() -> PublisherUnderTest {
        let fake = Arc::new(Self::default());
        PublisherUnderTest { publisher: fake.clone(), delivered: fake, keep: Box::new(()) }
    }

    /// Every event that it took until now, in their order, duplicates included.
    pub fn taken(&self) -> Vec<StatusChangeEvent> {
        self.0.lock().taken.clone()
    }

    /// From now on it takes no event of that entity for the time being.
    pub fn refuse(&self, entity: Uuid) {
        self.0.lock().refused.insert(entity);
    }

    /// From now on it refuses that event for good.
    pub fn refuse_for_good(&self, event: EventId) {
        self.0.lock().refused_for_good.insert(event);
    }

    /// From now on it takes that event all the same.
    pub fn accept_event(&self, event: EventId) {
        self.0.lock().refused_for_good.remove(&event);
    }

    /// From now on it takes the events of that entity again.
    pub fn accept(&self, entity: Uuid) {
        self.0.lock().refused.remove(&entity);
    }
}

#[async_trait]
impl EventPublisher for RecordingPublisher {
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let mut state = self.0.lock();
        let mut publish = |event: &StatusChangeEvent| {
            if state.refused.contains(&event.entity_id) {
                return Err(PublishError::Unavailable(
                    "the recording publisher was told to refuse".to_owned(),
                ));
            }
            if state.refused_for_good.contains(&event.id) {
                return Err(PublishError::Refused("the recording publisher was told so".to_owned()));
            }
            state.taken.push(event.clone());
            Ok(())
        };
        events.iter().map(&mut publish).collect()
    }
}

#[async_trait]
impl Delivered for RecordingPublisher {
    async fn messages(&self) -> Vec<Message> {
        let message = |event: &StatusChangeEvent| Message {
            key: wire::key(event),
            json: serde_json::from_str(&wire::json(event)).unwrap_or_default(),
            request_id: Some(event.request_id.to_string()),
            traceparent: event.trace.map(|trace| trace.to_string()),
        };
        self.0.lock().taken.iter().map(message).collect()
    }
}
