//! The line of a dispense: the fields of its record, with `patient_id` in the place of `subject` and `id` in the place of `_id`.

use esoz_device_dispense::{
    CODEABLE_CONCEPT, Dispense, DispenseStatus, Field, FieldKind, ObjectType, Presence, RECORD, REFERENCE,
    RESOURCES,
};
use esoz_kernel::{PatientId, Stamps, UserId, time::rfc3339_millis};
use serde_json::{Map, Value, json};

use super::{stamps, unknown};
use crate::json::{
    DecodeError, array, boolean, check_storable, number, object, parsed, required, string, time,
};
use crate::{ImportContext, UnknownFields};

/// Fields of a line that the record has under another name, or not at all.
static NOT_STORED: [Field; 2] = [
    Field::new("id", FieldKind::Uuid, Presence::Always, ""),
    Field::new("patient_id", FieldKind::Uuid, Presence::Always, ""),
];

/// The remedy for an unknown field.
const REMEDY: &str = "; with --keep-unknown it is stored as it is";

/// Parses the data of a line, whose stamps were read before.
pub(super) fn read(
    data: &Map<String, Value>,
    stamps: Stamps,
    context: &ImportContext<'_>,
) -> Result<Dispense, DecodeError> {
    let mut given = data.clone();
    given.extend(stamps::fields(stamps));
    given.entry("status_history").or_insert_with(|| json!([]));
    let known = NOT_STORED.iter().chain(RECORD.fields);
    if context.unknown_fields == UnknownFields::Refuse
        && let Some(name) = given.keys().find(|name| unknown::is_ours(name))
    {
        return Err(DecodeError::unknown_field(name, ""));
    }
    let mut record = fields(&given, known, context.unknown_fields)?;
    let patient = required(&given, "patient_id", parsed)?;
    if context.unknown_fields == UnknownFields::Keep {
        unknown::carry(&given, &mut record)?;
    }
    record.retain(|name, _| NOT_STORED.iter().all(|field| field.name != name));
    refuse_patient(&record, patient)?;
    Ok(Dispense {
        id: required(&given, "id", parsed)?,
        status: required(&given, "status", parsed)?,
        subject: context.pseudonyms.of(patient),
        owner: required(&given, "performer_legal_entity", |owner| {
            parsed(owner.pointer("/identifier/value").unwrap_or(&Value::Null))
        })?,
        record,
    })
}

/// Refuses a record with the patient's id in a text or name, in either case, with or without hyphens: the store knows the pseudonym alone.
fn refuse_patient(record: &Map<String, Value>, patient: PatientId) -> Result<(), DecodeError> {
    let ids = [patient.uuid().hyphenated().to_string(), patient.uuid().simple().to_string()];
    for (name, value) in record {
        let text = json!([name, value]).to_string().to_lowercase();
        if ids.iter().any(|id| text.contains(id)) {
            let error = DecodeError::new("holds the patient's id, which no store may hold");
            // The name of an unknown field may contain the id, so the error does not repeat it.
            return Err(if RECORD.field(name).is_some() { error.inside(name) } else { error });
        }
    }
    Ok(())
}

/// Decodes the fields of an object. One that is unknown is a fault, or left out.
fn fields(
    given: &Map<String, Value>,
    known: impl Iterator<Item = &'static Field> + Clone,
    unknown: UnknownFields,
) -> Result<Map<String, Value>, DecodeError> {
    let mut decoded = Map::new();
    for (name, given) in given {
        let value = match known.clone().find(|field| field.name == name) {
            Some(field) if field.presence.is_optional() && given.is_null() => Value::Null,
            Some(field) => value(given, field.kind, unknown).map_err(|error| error.inside(name))?,
            None if unknown == UnknownFields::Keep => continue,
            None => return Err(DecodeError::unknown_field(name, REMEDY)),
        };
        decoded.insert(name.clone(), value);
    }
    let mut required = known.filter(|field| !field.presence.is_optional());
    let missing = required.find(|field| !decoded.contains_key(field.name));
    missing.map_or(Ok(decoded), |field| Err(DecodeError::missing_field(field.name)))
}

fn value(given: &Value, kind: FieldKind, unknown: UnknownFields) -> Result<Value, DecodeError> {
    Ok(match kind {
        FieldKind::Text => string(given)?.into(),
        FieldKind::Boolean => boolean(given)?.into(),
        FieldKind::Number => number(given)?.clone().into(),
        FieldKind::Time => rfc3339_millis(time(given)?).into(),
        // Every typed id reads a UUID in the same way; which of them does it here makes no difference.
        FieldKind::Uuid => parsed::<UserId>(given)?.to_string().into(),
        FieldKind::Status => parsed::<DispenseStatus>(given)?.as_str().into(),
        FieldKind::Reference(code) => reference(given, code, unknown)?,
        FieldKind::CodeableConcept => {
            let concept = nested(given, &CODEABLE_CONCEPT, unknown)?;
            if concept.get("coding") == Some(&json!([])) {
                return Err(DecodeError::new("coding is empty"));
            }
            concept.into()
        }
        FieldKind::Object(object) => nested(given, object, unknown)?.into(),
        FieldKind::List(item) => {
            let items = array(given)?.iter().enumerate();
            let items = items.map(|(index, given)| {
                nested(given, item, unknown).map(Value::Object).map_err(|error| error.at(index))
            });
            items.collect::<Result<_, _>>()?
        }
        FieldKind::Any => {
            check_storable(given)?;
            given.clone()
        }
    })
}

fn nested(
    given: &Value,
    object_type: &'static ObjectType,
    unknown: UnknownFields,
) -> Result<Map<String, Value>, DecodeError> {
    let decoded = fields(object(given)?, object_type.fields.iter(), unknown)?;
    let alternatives = object_type.fields.iter().filter(|field| field.presence == Presence::Alternative);
    let names: Vec<&str> = alternatives.map(|field| field.name).collect();
    let is_there = |name: &&&str| decoded.get(**name).is_some_and(|value| !value.is_null());
    if !names.is_empty() && names.iter().filter(is_there).count() != 1 {
        return Err(DecodeError::new(format_args!("must have either {}, and not both", names.join(" or "))));
    }
    Ok(decoded)
}

/// Decodes a Reference and fills in what it can lack.
fn reference(given: &Value, code: Option<&str>, unknown: UnknownFields) -> Result<Value, DecodeError> {
    let mut reference = nested(given, &REFERENCE, unknown)?;
    reference.entry("display_value").or_insert(Value::Null);
    let concept = reference.get_mut("identifier").and_then(|identifier| identifier.get_mut("type"));
    let fits = concept.and_then(Value::as_object_mut).is_some_and(|concept| {
        concept.entry("text").or_insert_with(|| "".into());
        let is = |coding: &Value, field, value| coding.get(field).is_some_and(|given| given == value);
        let coding = concept.get("coding").and_then(Value::as_array).map(Vec::as_slice);
        matches!(coding, Some([one]) if is(one, "system", RESOURCES) && code.is_none_or(|code| is(one, "code", code)))
    });
    if fits {
        return Ok(reference.into());
    }
    let code = code.map(|code| format!(" and the code {code}")).unwrap_or_default();
    Err(DecodeError::new(format_args!(
        "identifier.type.coding is not one coding with the system {RESOURCES}{code}"
    )))
}
