//! The form of an event on a topic or in a log (conventions, "Events"), for everybody who publishes or reads one.

use esoz_kernel::Timestamp;
use esoz_kernel::time::{rfc3339_millis, to_millis};
use serde_json::{Map, Value};

use crate::logged_event::raw_fields;
use crate::{LoggedEvent, Properties, StatusChangeEvent};

/// The name of the message header that carries the request id. The one beside it, of events that were traced, is
/// [`TraceContext::HEADER`](esoz_kernel::TraceContext::HEADER).
pub const REQUEST_ID_HEADER: &str = "request_id";

/// Renders an event as one line of JSON.
pub fn json(event: &StatusChangeEvent) -> String {
    render(&event.into())
}

/// Returns the message key: the entity, so that the events of one entity stay in order.
pub fn key(event: &StatusChangeEvent) -> String {
    event.entity_id.to_string()
}

/// Renders an event of the log as JSON.
pub fn render(event: &LoggedEvent) -> String {
    let LoggedEvent { id, event_type, entity_type, entity_id, properties, event_time, changed_by } = event;
    let (event_type, entity_type) = (Value::from(event_type.as_str()), Value::from(entity_type.as_str()));
    let (properties, event_time) = (properties.as_str(), rfc3339_millis(*event_time));
    format!(
        r#"{{"id":"{id}","event_type":{event_type},"entity_type":{entity_type},"entity_id":"{entity_id}","properties":{properties},"event_time":"{event_time}","changed_by":"{changed_by}"}}"#
    )
}

/// Why a message is no event. Never holds its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedEvent {
    /// It is no JSON object, or one that is nested too deep.
    #[error("it is no JSON object")]
    NotAnObject,
    /// A field is missing, or is not of the form of the convention.
    #[error("its field {0} is missing or malformed")]
    Field(&'static str),
}

/// Parses a message as an event of any producer. Ignores unknown fields, and truncates the time to milliseconds.
///
/// # Errors
/// [`MalformedEvent`].
pub fn read(message: &[u8]) -> Result<LoggedEvent, MalformedEvent> {
    let text = str::from_utf8(message).map_err(|_| MalformedEvent::NotAnObject)?;
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|_| MalformedEvent::NotAnObject)?;
    let field = |name| fields.get(name).and_then(Value::as_str).ok_or(MalformedEvent::Field(name));
    let kind =
        |name| field(name).and_then(|text| valid(name, LoggedEvent::is_type(text).then(|| text.to_owned())));
    let properties = raw_fields(text).remove("properties").and_then(|raw| Properties::parse(raw.get()));
    Ok(LoggedEvent {
        id: valid("id", field("id")?.parse().ok())?,
        event_type: kind("event_type")?,
        entity_type: kind("entity_type")?,
        entity_id: valid("entity_id", esoz_kernel::parse_uuid(field("entity_id")?).ok())?,
        properties: valid("properties", properties)?,
        event_time: valid("event_time", Timestamp::parse_or_utc(field("event_time")?).ok().map(to_millis))?,
        changed_by: valid("changed_by", field("changed_by")?.parse().ok())?,
    })
}

fn valid<T>(name: &'static str, value: Option<T>) -> Result<T, MalformedEvent> {
    value.ok_or(MalformedEvent::Field(name))
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{EventId, RequestId, TraceContext, UserId, Uuid};
    use serde_json::json;

    use super::*;
    use crate::EntityType;

    fn event() -> StatusChangeEvent {
        StatusChangeEvent {
            id: EventId::new(Uuid::from_u128(1)),
            entity_type: EntityType::DEVICE_DISPENSE,
            entity_id: Uuid::from_u128(2),
            new_status: "stopped".to_owned(),
            event_time: "2026-01-31T08:15:30.123Z".parse().unwrap(),
            changed_by: UserId::new(Uuid::from_u128(3)),
            request_id: RequestId::from_uuid(Uuid::from_u128(4)),
            trace: TraceContext::new(5, 6, true),
        }
    }

    fn message() -> Value {
        serde_json::json!({
            "id": "00000000-0000-0000-0000-000000000001",
            "event_type": "StatusChangeEvent",
            "entity_type": "DeviceDispense",
            "entity_id": "00000000-0000-0000-0000-000000000002",
            "properties": {"status": {"new_value": "stopped"}},
            "event_time": "2026-01-31T08:15:30.123Z",
            "changed_by": "00000000-0000-0000-0000-000000000003",
        })
    }

    fn read_with(field: &str, value: Value) -> Result<LoggedEvent, MalformedEvent> {
        let mut message = message();
        message[field] = value;
        read(message.to_string().as_bytes())
    }

    #[test]
    fn an_event_has_exactly_the_fields_of_the_convention() {
        assert_eq!(serde_json::from_str::<Value>(&json(&event())).unwrap(), message());
        assert_eq!(key(&event()), "00000000-0000-0000-0000-000000000002");
    }

    #[test]
    fn a_message_is_read_as_the_event_that_it_was() {
        assert_eq!(read(json(&event()).as_bytes()), Ok(LoggedEvent::from(&event())));
        let of_others = r#"{"properties": {"b": {"new_value": 1.50}, "a": []}, "more": 1, "event_type": "\u0406\"", "entity_type": "Person",
            "entity_id": "AAAAAAAA-0000-0000-0000-000000000002", "event_time": "2026-01-31T10:15:30.1239+02:00",
            "id": "00000000-0000-0000-0000-00000000000A", "changed_by": "00000000-0000-0000-0000-000000000003"}"#;
        let read = read(of_others.as_bytes()).unwrap();
        let expected = r#"{"id":"00000000-0000-0000-0000-00000000000a","event_type":"І\"","entity_type":"Person","entity_id":"aaaaaaaa-0000-0000-0000-000000000002","properties":{"b": {"new_value": 1.50}, "a": []},"event_time":"2026-01-31T08:15:30.123Z","changed_by":"00000000-0000-0000-0000-000000000003"}"#;
        assert_eq!(render(&read), expected);
        assert_eq!(super::read(expected.as_bytes()), Ok(read));
    }

    #[test]
    fn a_time_without_an_offset_is_utc() {
        let event_time = read_with("event_time", json!("2026-01-31T08:15:30.123456")).unwrap().event_time;
        assert_eq!(rfc3339_millis(event_time), "2026-01-31T08:15:30.123Z");
    }

    #[test]
    fn a_message_that_is_no_event_is_told_by_what_it_lacks() {
        for not_an_object in [&b""[..], b"mark", b"[]", b"null", b"\xff", b"{", b"{}{}"] {
            assert_eq!(read(not_an_object), Err(MalformedEvent::NotAnObject));
        }
        let deep = format!(r#"{{"properties":{{"a":{}{}}}}}"#, "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(read(deep.as_bytes()), Err(MalformedEvent::NotAnObject));
        for name in ["id", "event_type", "entity_type", "entity_id", "properties", "event_time", "changed_by"]
        {
            let mut lacking = message();
            lacking.as_object_mut().unwrap().remove(name);
            assert_eq!(read(lacking.to_string().as_bytes()), Err(MalformedEvent::Field(name)));
            for other in [json!(null), json!(1), json!("\0"), json!([]), json!("x".repeat(256))] {
                assert_eq!(read_with(name, other), Err(MalformedEvent::Field(name)));
            }
        }
        assert!(read_with("event_type", json!("Ї".repeat(255))).is_ok());
    }
}
