//! The event log: one file per method, and how an event is shown.

pub(crate) mod list;
pub(crate) mod show;

use esoz_events::{LoggedEvent, Properties};
use esoz_kernel::time::rfc3339_millis;
use serde::Serialize;
use serde::ser::{Error as _, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Something that happened to an entity.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Event)]
pub(crate) struct EventDto {
    /// Unique id; use it to detect duplicates.
    #[schema(format = "uuid")]
    id: String,
    /// Its type, e.g. `StatusChangeEvent`.
    event_type: String,
    /// The type of the entity, e.g. `DeviceDispense`.
    entity_type: String,
    /// The entity.
    #[schema(format = "uuid")]
    entity_id: String,
    /// What it tells of the entity: the attributes that changed, each with its `new_value`. As it was published.
    #[serde(serialize_with = "as_published")]
    #[schema(value_type = Object)]
    properties: Properties,
    /// When it happened.
    #[schema(format = DateTime, pattern = r"\.\d{3}Z$")]
    event_time: String,
    /// The user who caused it.
    #[schema(format = "uuid")]
    changed_by: String,
}

impl From<LoggedEvent> for EventDto {
    fn from(event: LoggedEvent) -> Self {
        Self {
            id: event.id.to_string(),
            event_type: event.event_type,
            entity_type: event.entity_type,
            entity_id: event.entity_id.to_string(),
            properties: event.properties,
            event_time: rfc3339_millis(event.event_time),
            changed_by: event.changed_by.to_string(),
        }
    }
}

fn as_published<S: Serializer>(properties: &Properties, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(properties.as_str()).map_err(S::Error::custom)?.serialize(serializer)
}

/// The event of the description's examples.
mod example {
    use esoz_events::{EntityType, LoggedEvent, StatusChangeEvent};
    use esoz_kernel::{EventId, RequestId, Timestamp, UserId, Uuid};

    use crate::openapi::example::USER;

    pub(super) const EVENT: Uuid = Uuid::from_u128(0x5f1d_3c52_0a61_4f0e_9d0b_0f3f_7b9a_1c11);
    /// When a list without dates ends in the examples.
    pub(super) const NOW: Timestamp = Timestamp::constant(1_769_850_000, 0);

    /// That a dispense was stopped.
    pub(super) fn event() -> LoggedEvent {
        LoggedEvent::from(&StatusChangeEvent {
            id: EventId::new(EVENT),
            entity_type: EntityType::DEVICE_DISPENSE,
            entity_id: Uuid::from_u128(0xaff0_0bf6_68bf_4b49_b66d_f031_d489_22b3),
            new_status: "stopped".to_owned(),
            event_time: Timestamp::constant(1_769_849_131, 480_000_000),
            changed_by: UserId::new(USER),
            request_id: RequestId::from_uuid(EVENT),
            trace: None,
        })
    }
}
