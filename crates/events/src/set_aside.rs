//! Events that cannot be delivered (dead letters).

use esoz_kernel::Timestamp;

use crate::{EntityType, EventRef, StatusChangeEvent};

/// A dead letter: an event that was set aside, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Identifies it for [`Which`] and [`Outbox::drop_set_aside`](crate::Outbox::drop_set_aside): the event's id, or its entity's where the event's
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
    /// Creates it; a stored type that cannot be an [`EntityType`] is left out.
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

/// An event that the bus refuses for good, to be set aside as a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The event.
    pub event: EventRef,
    /// The reason that the bus gave.
    pub reason: String,
}

/// A selection of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those with these [`SetAside::id`]s.
    These(Vec<String>),
}

/// Collects the stored events of one entity, up to the first that cannot be read.
///
/// # Errors
/// The reason why the very first cannot be read, so that it is set aside as a dead letter.
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
