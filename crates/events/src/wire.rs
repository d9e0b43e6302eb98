//! The form of an event on a topic or in a log (conventions, "Events"), for every publisher.

use esoz_kernel::time::rfc3339_millis;
use serde_json::json;

use crate::StatusChangeEvent;

/// The name of the message header that carries the request id. The one beside it, of events that were traced, is
/// [`TraceContext::HEADER`](esoz_kernel::TraceContext::HEADER).
pub const REQUEST_ID_HEADER: &str = "request_id";

/// Renders an event as one line of JSON.
pub fn json(event: &StatusChangeEvent) -> String {
    json!({
        "id": event.id.to_string(),
        "event_type": "StatusChangeEvent",
        "entity_type": event.entity_type.as_str(),
        "entity_id": event.entity_id.to_string(),
        "properties": {"status": {"new_value": event.new_status}},
        "event_time": rfc3339_millis(event.event_time),
        "changed_by": event.changed_by.to_string(),
    })
    .to_string()
}

/// Returns the message key: the entity, so that the events of one entity stay in order.
pub fn key(event: &StatusChangeEvent) -> String {
    event.entity_id.to_string()
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{EventId, RequestId, TraceContext, UserId, Uuid};

    use super::*;
    use crate::EntityType;

    #[test]
    fn an_event_has_exactly_the_fields_of_the_convention() {
        let event = StatusChangeEvent {
            id: EventId::new(Uuid::from_u128(1)),
            entity_type: EntityType::DEVICE_DISPENSE,
            entity_id: Uuid::from_u128(2),
            new_status: "stopped".to_owned(),
            event_time: "2026-01-31T08:15:30.123Z".parse().unwrap(),
            changed_by: UserId::new(Uuid::from_u128(3)),
            request_id: RequestId::from_uuid(Uuid::from_u128(4)),
            trace: TraceContext::new(5, 6, true),
        };
        let expected = serde_json::json!({
            "id": "00000000-0000-0000-0000-000000000001",
            "event_type": "StatusChangeEvent",
            "entity_type": "DeviceDispense",
            "entity_id": "00000000-0000-0000-0000-000000000002",
            "properties": {"status": {"new_value": "stopped"}},
            "event_time": "2026-01-31T08:15:30.123Z",
            "changed_by": "00000000-0000-0000-0000-000000000003",
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json(&event)).unwrap(), expected);
        assert_eq!(key(&event), "00000000-0000-0000-0000-000000000002");
    }
}
