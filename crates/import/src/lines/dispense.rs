//! The line of a dispense: the fields of its record, with `patient_id` or the pseudonym of the patient, `subject`, and with `id`.

use esoz_device_dispense::{
    CODEABLE_CONCEPT, Dispense, DispenseStatus, Field, FieldKind, HOLDS_PATIENT_ID, InvalidPseudonym,
    ObjectType, PatientIdSearch, PatientPseudonyms, Presence, RECORD, REFERENCE, RESOURCES, is_internal,
    kind_of,
};
use esoz_kernel::{PatientId, Stamps, UserId, time::rfc3339_millis};
use serde_json::{Map, Value, json};

use super::field::{LineField, LineFieldKind, LinePresence};
use super::patient::{self, SUBJECT};
use super::stamps;
use crate::json::{
    DecodeError, array_mut, boolean, check_storable, check_storable_field, number, object_mut, parsed,
    required, string, time,
};
use crate::{ImportContext, UnknownFields};

pub(super) const ID: &str = "id";
pub(super) const PATIENT_ID: &str = "patient_id";
pub(super) const STATUS_HISTORY: &str = "status_history";

const PATIENT: [LineField; 2] = patient::line_fields(PATIENT_ID);

/// The fields of a line that no record has.
pub(super) const NOT_IN_RECORD_LINE: [LineField; 3] =
    [LineField::required(ID, LineFieldKind::Uuid, ""), PATIENT[0], PATIENT[1]];

/// The same in the form in which the fields of a record are checked.
static NOT_IN_RECORD: [Field; 3] =
    [checked(NOT_IN_RECORD_LINE[0]), checked(NOT_IN_RECORD_LINE[1]), checked(NOT_IN_RECORD_LINE[2])];

const fn checked(field: LineField) -> Field {
    let kind = if matches!(field.kind, LineFieldKind::Uuid) { FieldKind::Uuid } else { FieldKind::Text };
    let is_required = matches!(field.presence, LinePresence::Required);
    let presence = if is_required { Presence::Always } else { Presence::Optional };
    Field::new(field.name, kind, presence, "")
}

/// The remedy for an unknown field.
const REMEDY: &str = "; with --keep-unknown it is stored as it is";

/// Parses the data of a line, whose stamps were read before.
pub(super) fn read(
    mut data: Map<String, Value>,
    stamps: Stamps,
    context: &ImportContext<'_>,
) -> Result<Dispense, DecodeError> {
    if let Some(name) = data.keys().find(|name| *name != SUBJECT && is_internal(name)) {
        return Err(match context.unknown_fields {
            UnknownFields::Refuse => DecodeError::unknown_field(name, ""),
            UnknownFields::Keep => {
                DecodeError::new("has a field that only the service writes: _id or esoz_…")
            }
        });
    }
    data.extend(stamps::fields(stamps, rfc3339_millis));
    data.entry(STATUS_HISTORY).or_insert_with(|| json!([]));
    check_fields(&mut data, NOT_IN_RECORD.iter().chain(RECORD.fields), context.unknown_fields)?;
    let (subject, patient) = patient::read(&data, PATIENT_ID, context)?;
    let id = required(&data, ID, parsed)?;
    data.retain(|name, _| NOT_IN_RECORD.iter().all(|field| field.name != name));
    if let Some(patient) = patient {
        refuse_patient(&data, patient, |name| RECORD.field(name).is_some())?;
    }
    Ok(Dispense {
        id,
        status: required(&data, "status", parsed)?,
        subject,
        owner: required(&data, "performer_legal_entity", |owner| {
            parsed(owner.pointer("/identifier/value").unwrap_or(&Value::Null))
        })?,
        record: data,
    })
}

/// Returns the fields of the line, with `patient_id` if the scheme is reversible and `subject` otherwise, and the first problem: a field that a
/// line cannot hold, or a stamp that an import would fill in.
///
/// # Errors
/// When the subject is no pseudonym of the scheme.
pub(super) fn write(
    dispense: &Dispense,
    pseudonyms: &dyn PatientPseudonyms,
) -> Result<(Map<String, Value>, Option<DecodeError>), InvalidPseudonym> {
    let mut data = canonical_fields("", &dispense.record);
    let made_up = stamps::FIELDS.into_iter().find(|name| data.get(*name).is_none_or(Value::is_null));
    let mut problem = made_up.map(DecodeError::missing_field);
    for field in &NOT_IN_RECORD {
        if data.remove(field.name).is_some() {
            problem = Some(DecodeError::new("has no place in a line, and is left out").inside(field.name));
        }
    }
    data.insert(ID.to_owned(), dispense.id.to_string().into());
    patient::write(&mut data, PATIENT_ID, &dispense.subject, pseudonyms)?;
    Ok((data, problem))
}

/// Writes `patient_id` if the scheme is reversible, and `subject` otherwise.
///
/// The value in the form in which every store gives it back: what the table of fields calls a UUID or a time has one spelling, at any depth.
fn canonical(parent: &str, name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => match kind_of(parent, name) {
            Some(FieldKind::Uuid) => {
                text.parse::<UserId>().map_or_else(|_| text.clone(), |id| id.to_string())
            }
            Some(FieldKind::Time) => text.parse().map_or_else(|_| text.clone(), rfc3339_millis),
            _ => text.clone(),
        }
        .into(),
        Value::Array(items) => items.iter().map(|item| canonical_item(name, item)).collect(),
        Value::Object(fields) => canonical_fields(name, fields).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// An item of a list: a text in it has no name, and so no kind.
fn canonical_item(name: &str, item: &Value) -> Value {
    if item.is_string() { item.clone() } else { canonical(name, name, item) }
}

fn canonical_fields(parent: &str, fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.clone(), canonical(parent, name, value))).collect()
}

/// Refuses a record that holds the patient's id.
pub(super) fn refuse_patient(
    record: &Map<String, Value>,
    patient: PatientId,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), DecodeError> {
    let search = PatientIdSearch::of(patient);
    for (name, value) in record {
        if search.is_in(name) || search.is_anywhere_in(value) {
            let error = DecodeError::new(HOLDS_PATIENT_ID);
            // The name of an unknown field may contain the id, so the error does not repeat it.
            return Err(if is_known(name) { error.inside(name) } else { error });
        }
    }
    Ok(())
}

/// Checks the fields of an object and brings their values into the form in which they are stored. An unknown field is a fault, or stays.
fn check_fields(
    fields: &mut Map<String, Value>,
    known: impl Iterator<Item = &'static Field> + Clone,
    unknown: UnknownFields,
) -> Result<(), DecodeError> {
    for (name, value) in fields.iter_mut() {
        match known.clone().find(|field| field.name == name) {
            Some(field) if field.presence.is_optional() && value.is_null() => {}
            Some(field) => check(value, field.kind, unknown).map_err(|error| error.inside(name))?,
            None if unknown == UnknownFields::Keep => check_storable_field(name, value)?,
            None => return Err(DecodeError::unknown_field(name, REMEDY)),
        }
    }
    let mut required = known.filter(|field| !field.presence.is_optional());
    let missing = required.find(|field| !fields.contains_key(field.name));
    missing.map_or(Ok(()), |field| Err(DecodeError::missing_field(field.name)))
}

fn check(value: &mut Value, kind: FieldKind, unknown: UnknownFields) -> Result<(), DecodeError> {
    match kind {
        FieldKind::Text => string(value).map(drop)?,
        FieldKind::Boolean => boolean(value).map(drop)?,
        FieldKind::Number => number(value).map(drop)?,
        FieldKind::Time => *value = rfc3339_millis(time(value)?).into(),
        // Every typed id reads a UUID in the same way; which of them does it here makes no difference.
        FieldKind::Uuid => *value = parsed::<UserId>(value)?.to_string().into(),
        FieldKind::Status => *value = parsed::<DispenseStatus>(value)?.as_str().into(),
        FieldKind::Reference(code) => check_reference(value, code, unknown)?,
        FieldKind::CodeableConcept => {
            check_object(value, &CODEABLE_CONCEPT, unknown)?;
            if value.get("coding") == Some(&json!([])) {
                return Err(DecodeError::new("coding is empty"));
            }
        }
        FieldKind::Object(object) => check_object(value, object, unknown)?,
        FieldKind::List(item) => {
            for (index, value) in array_mut(value)?.iter_mut().enumerate() {
                check_object(value, item, unknown).map_err(|error| error.at(index))?;
            }
        }
        FieldKind::Any => check_storable(value)?,
    }
    Ok(())
}

fn check_object(
    value: &mut Value,
    object_type: &'static ObjectType,
    unknown: UnknownFields,
) -> Result<(), DecodeError> {
    let fields = object_mut(value)?;
    check_fields(fields, object_type.fields.iter(), unknown)?;
    let alternatives = object_type.fields.iter().filter(|field| field.presence == Presence::Alternative);
    let names: Vec<&str> = alternatives.map(|field| field.name).collect();
    let is_there = |name: &&&str| fields.get(**name).is_some_and(|value| !value.is_null());
    if !names.is_empty() && names.iter().filter(is_there).count() != 1 {
        return Err(DecodeError::new(format_args!("must have either {}, and not both", names.join(" or "))));
    }
    Ok(())
}

/// Checks a Reference and fills in what it can lack.
fn check_reference(value: &mut Value, code: Option<&str>, unknown: UnknownFields) -> Result<(), DecodeError> {
    check_object(value, &REFERENCE, unknown)?;
    object_mut(value)?.entry("display_value").or_insert(Value::Null);
    let concept = value.get_mut("identifier").and_then(|identifier| identifier.get_mut("type"));
    let fits = concept.and_then(Value::as_object_mut).is_some_and(|concept| {
        concept.entry("text").or_insert_with(|| "".into());
        let is = |coding: &Value, field, value| coding.get(field).is_some_and(|given| given == value);
        let coding = concept.get("coding").and_then(Value::as_array).map(Vec::as_slice);
        matches!(coding, Some([one]) if is(one, "system", RESOURCES) && code.is_none_or(|code| is(one, "code", code)))
    });
    if fits {
        return Ok(());
    }
    let code = code.map(|code| format!(" and the code {code}")).unwrap_or_default();
    Err(DecodeError::new(format_args!(
        "identifier.type.coding is not one coding with the system {RESOURCES}{code}"
    )))
}
