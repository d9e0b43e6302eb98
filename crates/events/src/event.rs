use std::borrow::Cow;
use std::str::FromStr;

use esoz_kernel::{EventId, RequestId, Timestamp, TraceContext, UserId, Uuid};

/// The type of an entity that has events, as its word on the wire and in stores. A crate names the types of its own entities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntityType(Cow<'static, str>);

impl EntityType {
    /// A device dispense.
    pub const DEVICE_DISPENSE: Self = Self::new("DeviceDispense");
    /// The most characters of a word that [`FromStr`] accepts.
    pub const MAX_CHARS: usize = 64;

    /// Creates a type; `word` must be one that [`FromStr`] accepts.
    pub const fn new(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// Returns the word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The word cannot be the type of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 1 to 64 ASCII letters and digits")]
pub struct InvalidEntityType;

impl FromStr for EntityType {
    type Err = InvalidEntityType;

    fn from_str(text: &str) -> Result<Self, InvalidEntityType> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        let is_word = fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_word.then(|| Self(Cow::Owned(text.to_owned()))).ok_or(InvalidEntityType)
    }
}

/// The event that the status of an entity has changed (conventions, "Events"). Holds no patient id, no pseudonym, no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChangeEvent {
    /// Its id, fixed when the change commits; consumers drop duplicates by it.
    pub id: EventId,
    /// The type of the entity that changed.
    pub entity_type: EntityType,
    /// The entity that changed; also the message key, which keeps the events of one entity in order.
    pub entity_id: Uuid,
    /// The new status, in the entity's own words.
    pub new_status: String,
    /// The time of the change, in milliseconds.
    pub event_time: Timestamp,
    /// The user who changed it.
    pub changed_by: UserId,
    /// The request that changed it. Travels beside the event, not in it.
    pub request_id: RequestId,
    /// The span that changed it, if it was traced. Travels beside the event as well.
    pub trace: Option<TraceContext>,
}

impl StatusChangeEvent {
    /// Returns its reference, by which an outbox removes it.
    pub const fn reference(&self) -> EventRef {
        EventRef { id: self.id, entity_id: self.entity_id }
    }
}

/// A reference to an event in an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventRef {
    /// The event.
    pub id: EventId,
    /// The entity it is about.
    pub entity_id: Uuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_one_short_word() {
        assert_eq!("DeviceDispense".parse(), Ok(EntityType::DEVICE_DISPENSE));
        assert_eq!("Declaration2".parse::<EntityType>().unwrap().as_str(), "Declaration2");
        for bad in ["", "Device Dispense", "Діагноз", "device_dispense", &"a".repeat(65)] {
            assert_eq!(bad.parse::<EntityType>(), Err(InvalidEntityType), "{bad:?}");
        }
    }
}
