use std::str::FromStr;

use esoz_kernel::{EventId, RequestId, Timestamp, TraceContext, UserId, Uuid};

/// What sort of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityType {
    /// A device dispense.
    DeviceDispense,
}

impl EntityType {
    /// The word for it on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceDispense => "DeviceDispense",
        }
    }
}

/// The word is not the type of an entity that has events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the type of an entity that has events")]
pub struct UnknownEntityType;

impl FromStr for EntityType {
    type Err = UnknownEntityType;

    fn from_str(text: &str) -> Result<Self, UnknownEntityType> {
        [Self::DeviceDispense].into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownEntityType)
    }
}

/// The status of an entity changed (conventions, "Events"). Holds no patient id, no pseudonym, no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChangeEvent {
    /// Fixed when the change commits; consumers drop duplicates by it.
    pub id: EventId,
    /// What sort of thing changed.
    pub entity_type: EntityType,
    /// Which one; also the key that keeps the events of one entity in order.
    pub entity_id: Uuid,
    /// The status it changed to, in the entity's own words.
    pub new_status: String,
    /// When it changed, in milliseconds.
    pub event_time: Timestamp,
    /// Who changed it.
    pub changed_by: UserId,
    /// The request that changed it. Travels beside the event, not in it.
    pub request_id: RequestId,
    /// The span that changed it, if it was traced. Travels beside the event as well.
    pub trace: Option<TraceContext>,
}

impl StatusChangeEvent {
    /// What an outbox needs to remove it.
    pub const fn reference(&self) -> EventRef {
        EventRef { id: self.id, entity_id: self.entity_id }
    }
}

/// Names one event in an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventRef {
    /// The event.
    pub id: EventId,
    /// The entity it is about.
    pub entity_id: Uuid,
}
