//! Whether what was signed equals what is stored.

use esoz_kernel::{Decimal, PatientId, Timestamp, parse_uuid};
use serde_json::{Map, Value, json};

use crate::model::dispense::{Dispense, STATUS};
use crate::model::fields::{FieldKind, RECORD, RESOURCES, kind_of};
use crate::model::status::DispenseStatus;

/// The fields that must be there, if they are stored.
const COMPARED_ALWAYS: [&str; 6] =
    ["based_on", "program", "performer", "location", "performer_legal_entity", "details"];

/// The fields that are not compared.
pub(super) const NOT_COMPARED: [&str; 8] = [
    STATUS,
    "inserted_at",
    "updated_at",
    "updated_by",
    "status_history",
    "signed_content_links",
    "context_episode_id",
    "origin_episode_id",
];

/// What stands for the name of a field that no dispense has.
const UNKNOWN_FIELD: &str = "unknown_field";

/// What is not compared at any depth: texts for people.
pub(super) const FOR_PEOPLE: [&str; 2] = ["display_value", "text"];

/// The first field that does not equal that of the dispense, but for those that the method sets; `None` when all do.
pub(super) fn difference(
    fields: &Map<String, Value>,
    dispense: &Dispense,
    patient: PatientId,
    free: &[&str],
) -> Option<&'static str> {
    let patient = json!({
        "identifier": {
            "type": {"coding": [{"system": RESOURCES, "code": "patient"}]},
            "value": patient.uuid().to_string(),
        },
    });
    let is_of_patient = fields.get("subject").is_some_and(|subject| equal("", "subject", subject, &patient));
    let is_id =
        fields.get("id").and_then(Value::as_str).is_some_and(|id| parse_uuid(id) == Ok(dispense.id.uuid()));
    if !is_id {
        return Some("id");
    }
    if !is_of_patient {
        return Some("subject");
    }
    let is_missing = |name: &&str| !is_there(fields, name) && is_there(&dispense.record, name);
    COMPARED_ALWAYS.into_iter().find(is_missing).or_else(|| {
        let mut others = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "subject"));
        others.find_map(|(name, value)| {
            let Some(field) = RECORD.field(name) else { return Some(UNKNOWN_FIELD) };
            let is_compared = !free.contains(&field.name) && !NOT_COMPARED.contains(&field.name);
            let stored = dispense.record.get(name).unwrap_or(&Value::Null);
            (is_compared && !equal("", name, value, stored)).then_some(field.name)
        })
    })
}

fn is_there(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

/// Whether two values are equal: null as absent, numbers by value, times by instant, ids in either case, statuses in either spelling.
fn equal(parent: &str, name: &str, signed: &Value, stored: &Value) -> bool {
    match (signed, stored) {
        (Value::Object(signed), Value::Object(stored)) => {
            let only_stored = stored.keys().filter(|field| !signed.contains_key(*field));
            let mut names =
                signed.keys().chain(only_stored).filter(|field| !FOR_PEOPLE.contains(&field.as_str()));
            names.all(|field| {
                let [signed, stored] =
                    [signed, stored].map(|fields| fields.get(field).unwrap_or(&Value::Null));
                equal(name, field, signed, stored)
            })
        }
        (Value::Array(signed), Value::Array(stored)) => {
            signed.len() == stored.len()
                && signed.iter().zip(stored).all(|(signed, stored)| equal(parent, name, signed, stored))
        }
        (Value::Number(signed), Value::Number(stored)) => {
            let decimal = |number: &serde_json::Number| number.to_string().parse::<Decimal>();
            signed == stored || decimal(signed).is_ok_and(|signed| Ok(signed) == decimal(stored))
        }
        (Value::String(signed), Value::String(stored)) => {
            signed == stored
                || match kind_of(parent, name) {
                    Some(FieldKind::Uuid) => parse_uuid(signed).is_ok_and(|id| Ok(id) == parse_uuid(stored)),
                    Some(FieldKind::Time) => {
                        let [signed, stored] =
                            [signed, stored].map(|text| Timestamp::parse_or_utc(text).ok());
                        signed.is_some() && signed == stored
                    }
                    Some(FieldKind::Status) => {
                        signed.parse::<DispenseStatus>().is_ok_and(|status| Ok(status) == stored.parse())
                    }
                    _ => false,
                }
        }
        (signed, stored) => signed == stored,
    }
}
