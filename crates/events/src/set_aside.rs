//! Events that cannot be delivered (dead letters).

use esoz_kernel::Timestamp;

use crate::{EntityType, EventRef, StatusChangeEvent};

/// An event that was set aside, named without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Names it for [`Which`] and [`Outbox::drop_set_aside`](crate::Outbox::drop_set_aside): the event's id, or its entity's where the event's
    /// cannot be read.
    pub id: String,
    /// The type of its entity, if that can be read.
    pub entity_type: Option<String>,
    /// Its entity.
    pub entity_id: String,
    /// Why it cannot be delivered.
    pub reason: String,
    /// When it was set aside, if that can be read.
    pub at: Option<Timestamp>,
}

impl SetAside {
    /// Names an event; of what is stored as the type of its entity, only what can be one.
    pub fn new(
        id: impl ToString,
        stored_type: Option<&str>,
        entity_id: impl ToString,
        reason: String,
        at: Option<Timestamp>,
    ) -> Self {
        let entity_type = stored_type.filter(|word| word.parse::<EntityType>().is_ok()).map(str::to_owned);
        Self { id: id.to_string(), entity_type, entity_id: entity_id.to_string(), reason, at }
    }
}

/// An event that the bus refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The event.
    pub event: EventRef,
    /// What the bus said.
    pub reason: String,
}

/// Which of the set-aside events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    All,
    /// Those with these [`SetAside::id`]s.
    These(Vec<String>),
}

/// The stored events of one entity, up to the first that cannot be read.
///
/// # Errors
/// Why the very first cannot be read.
pub fn readable<E>(
    stored: impl IntoIterator<Item = Result<StatusChangeEvent, E>>,
) -> Result<Vec<StatusChangeEvent>, E> {
    let mut events = Vec::new();
    for event in stored {
        match event {
            Ok(event) => events.push(event),
            Err(error) if events.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(events)
}
