use std::collections::BTreeMap;

use esoz_kernel::time::to_millis;
use esoz_kernel::{EventId, Timestamp, UserId, Uuid};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::StatusChangeEvent;

/// A stored event of any producer (conventions, "Events").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its id, by which it is stored once.
    pub id: EventId,
    /// Its type: 1 to [`MAX_TYPE_CHARS`](Self::MAX_TYPE_CHARS) characters, none of them a control character.
    pub event_type: String,
    /// The type of its entity, of the same form.
    pub entity_type: String,
    /// Its entity.
    pub entity_id: Uuid,
    /// What it tells of the entity.
    pub properties: Properties,
    /// When it happened, in milliseconds.
    pub event_time: Timestamp,
    /// Who caused it.
    pub changed_by: UserId,
}

impl LoggedEvent {
    /// The `event_type` of a [`StatusChangeEvent`].
    pub const STATUS_CHANGE: &'static str = "StatusChangeEvent";
    /// The most characters of a type. Stores have indexes on them.
    pub const MAX_TYPE_CHARS: usize = 255;

    /// Returns its place in the order of the log.
    pub const fn position(&self) -> EventPosition {
        EventPosition { event_time: self.event_time, id: self.id }
    }

    /// Whether a text can be a type.
    pub(crate) fn is_type(text: &str) -> bool {
        (1..=Self::MAX_TYPE_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    }
}

impl From<&StatusChangeEvent> for LoggedEvent {
    fn from(event: &StatusChangeEvent) -> Self {
        Self {
            id: event.id,
            event_type: Self::STATUS_CHANGE.to_owned(),
            entity_type: event.entity_type.as_str().to_owned(),
            entity_id: event.entity_id,
            properties: Properties(json!({"status": {"new_value": event.new_status}}).to_string()),
            event_time: to_millis(event.event_time),
            changed_by: event.changed_by,
        }
    }
}

/// The place of an event in the order of the log: by time, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition {
    /// When the event happened.
    pub event_time: Timestamp,
    /// Its id.
    pub id: EventId,
}

/// The properties of an event: a JSON object, kept verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties(String);

impl Properties {
    /// Takes a text that is a JSON object, nested no deeper than a parser with bounds reads; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<Map<String, Value>>(text).ok().map(|_| Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lists what filters compare: each key with the text of its `new_value`, if it has one. The text of a string is what it holds, of any other
    /// value its JSON, e.g. `true`. Texts with U+0000 are left out: no query can name one, and PostgreSQL holds none.
    pub fn attributes(&self) -> BTreeMap<String, Option<String>> {
        let named = raw_fields(&self.0).into_iter().filter(|(name, _)| is_searchable(name));
        named.map(|(name, value)| (name, new_value(&value))).collect()
    }

    /// Renders the attributes as a JSON object, for a store to query.
    pub fn attributes_json(&self) -> String {
        let texts = self.attributes().into_iter().map(|(name, text)| (name, text.into()));
        Value::Object(texts.collect()).to_string()
    }
}

/// Whether a filter can find a text.
pub(crate) fn is_searchable(text: &str) -> bool {
    !text.contains('\0')
}

fn new_value(attribute: &RawValue) -> Option<String> {
    let value = raw_fields(attribute.get()).remove("new_value")?;
    let text = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
    is_searchable(&text).then_some(text)
}

/// The fields of a JSON object, each verbatim; none if the text is another value.
pub(crate) fn raw_fields(text: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(text: &str) -> Vec<(String, Option<String>)> {
        Properties::parse(text).unwrap().attributes().into_iter().collect()
    }

    #[test]
    fn an_attribute_is_a_key_with_the_text_of_its_new_value() {
        for (json, text) in [
            (r#""stopped""#, "stopped"),
            (r#""\u0069n\nprogress""#, "in\nprogress"),
            ("true", "true"),
            ("null", "null"),
            ("1.50", "1.50"),
            ("12345678901234567890123", "12345678901234567890123"),
            (r#"["a"]"#, r#"["a"]"#),
            (r#""""#, ""),
        ] {
            let properties = format!(r#"{{"detail.status":{{"old_value":7,"new_value":{json}}}}}"#);
            assert_eq!(attributes(&properties), [("detail.status".to_owned(), Some(text.to_owned()))]);
        }
    }

    #[test]
    fn a_key_without_a_new_value_is_an_attribute_without_a_text() {
        let keys = ["a", "b", "c", "d"].map(|key| (key.to_owned(), None));
        assert_eq!(
            attributes(r#"{"a":{},"b":1,"c":[{"new_value":1}],"d":{"new_value":"\u0000"},"\u0000":{}}"#),
            keys
        );
        assert_eq!(attributes("{}"), []);
    }

    #[test]
    fn properties_are_an_object_that_is_not_too_deep_and_are_kept_verbatim() {
        let text = r#"{ "b": 1.50, "a": "\u0000" }"#;
        assert_eq!(Properties::parse(text).unwrap().as_str(), text);
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
        for bad in ["", "[]", "1", "null", "{", r#"{"a":1e999}"#, &deep] {
            assert_eq!(Properties::parse(bad), None, "{bad}");
        }
    }
}
