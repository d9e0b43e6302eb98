//! The line of a device request: the facts that rules read, with `patient_id` or the pseudonym of the patient, `subject`.

use esoz_device_dispense::{
    DeviceRequest, DeviceRequestRecord, InvalidPseudonym, OccurrencePeriod, PatientPseudonyms,
    RequestedDevice, RequestedQuantity, VerificationCode,
};
use esoz_kernel::Stamps;
use esoz_kernel::time::{rfc3339_millis, to_millis};
use serde_json::{Map, Number, Value, json};

use super::dispense::{ID, PATIENT_ID, refuse_patient};
use super::patient::{self, SUBJECT};
use super::stamps;
use crate::ImportContext;
use crate::json::{
    DecodeError, day, decimal, object, optional, parsed, refuse_unknown, required, string, text,
};

const FIELDS: [&str; 12] = [
    ID,
    PATIENT_ID,
    SUBJECT,
    "status",
    "intent",
    "program",
    "code",
    "code_reference",
    "quantity",
    "occurrence_period",
    "dispense_valid_to",
    "verification_code",
];

/// The only system of units.
const DEVICE_UNIT: &str = "device_unit";

/// Parses the data of a line, whose stamps were read before.
pub(super) fn read(
    mut data: Map<String, Value>,
    stamps: Stamps,
    context: &ImportContext<'_>,
) -> Result<DeviceRequestRecord, DecodeError> {
    refuse_unknown(&data, &[FIELDS.as_slice(), &stamps::FIELDS].concat())?;
    let (subject, patient) = patient::read(&data, PATIENT_ID, context)?;
    let (inserted_at, updated_at) = (to_millis(stamps.inserted_at), to_millis(stamps.updated_at));
    let record = DeviceRequestRecord {
        facts: DeviceRequest {
            id: required(&data, ID, parsed)?,
            subject,
            status: required(&data, "status", parsed)?,
            intent: required(&data, "intent", text)?,
            program: optional(&data, "program", parsed)?,
            device: device(&data)?,
            quantity: optional(&data, "quantity", quantity)?,
            occurrence_period: optional(&data, "occurrence_period", occurrence_period)?,
            dispense_valid_to: required(&data, "dispense_valid_to", day)?,
            verification_code: optional(&data, "verification_code", verification_code)?,
        },
        stamps: Stamps { inserted_at, updated_at, ..stamps },
    };
    data.retain(|name, _| ![ID, PATIENT_ID, SUBJECT].contains(&name.as_str()));
    patient.map_or(Ok(()), |patient| refuse_patient(&data, patient, |name| FIELDS.contains(&name)))?;
    Ok(record)
}

fn device(data: &Map<String, Value>) -> Result<RequestedDevice, DecodeError> {
    match (optional(data, "code", text)?, optional(data, "code_reference", parsed)?) {
        (Some(code), None) => Ok(RequestedDevice::Type(code)),
        (None, Some(id)) => Ok(RequestedDevice::Definition(id)),
        _ => Err(DecodeError::new("must have either code or code_reference, and not both")),
    }
}

fn quantity(value: &Value) -> Result<RequestedQuantity, DecodeError> {
    let fields = object(value)?;
    refuse_unknown(fields, &["value", "system", "code"])?;
    optional(fields, "system", |system| {
        let is_known = string(system)? == DEVICE_UNIT;
        if is_known { Ok(()) } else { Err(DecodeError::new(format_args!("is not {DEVICE_UNIT}"))) }
    })?;
    let value = required(fields, "value", |value| {
        let value = decimal(value)?;
        let is_above_zero = !value.is_zero() && !value.is_negative();
        if is_above_zero { Ok(value) } else { Err(DecodeError::new("is not above zero")) }
    })?;
    Ok(RequestedQuantity { value, code: required(fields, "code", text)? })
}

fn occurrence_period(value: &Value) -> Result<OccurrencePeriod, DecodeError> {
    let fields = object(value)?;
    refuse_unknown(fields, &["start", "end"])?;
    let period =
        OccurrencePeriod { start: required(fields, "start", day)?, end: required(fields, "end", day)? };
    if period.end < period.start {
        return Err(DecodeError::new("is before start").inside("end"));
    }
    Ok(period)
}

fn verification_code(value: &Value) -> Result<VerificationCode, DecodeError> {
    VerificationCode::parse(string(value)?).ok_or_else(|| DecodeError::new("is not a code of four digits"))
}

/// Returns the fields of the line, with `patient_id` if the scheme is reversible and `subject` otherwise.
///
/// # Errors
/// When the subject is no pseudonym of the scheme.
pub(super) fn write(
    record: &DeviceRequestRecord,
    pseudonyms: &dyn PatientPseudonyms,
) -> Result<Map<String, Value>, InvalidPseudonym> {
    let DeviceRequestRecord { facts, stamps } = record;
    let (code, code_reference) = match &facts.device {
        RequestedDevice::Type(code) => (Some(code.as_str().into()), None),
        RequestedDevice::Definition(id) => (None, Some(id.to_string().into())),
    };
    let quantity = facts.quantity.as_ref().map(|RequestedQuantity { value, code }| {
        json!({"value": value.to_string().parse::<Number>().ok(), "code": code})
    });
    let occurrence_period = facts
        .occurrence_period
        .map(|OccurrencePeriod { start, end }| json!({"start": start.to_string(), "end": end.to_string()}));
    let fields = [
        (ID, Some(facts.id.to_string().into())),
        ("status", Some(facts.status.as_str().into())),
        ("intent", Some(facts.intent.as_str().into())),
        ("program", facts.program.map(|program| program.to_string().into())),
        ("code", code),
        ("code_reference", code_reference),
        ("quantity", quantity),
        ("occurrence_period", occurrence_period),
        ("dispense_valid_to", Some(facts.dispense_valid_to.to_string().into())),
        ("verification_code", facts.verification_code.as_ref().map(|code| code.expose().into())),
    ];
    let mut data = stamps::fields(*stamps, rfc3339_millis);
    data.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    patient::write(&mut data, PATIENT_ID, &facts.subject, pseudonyms)?;
    Ok(data)
}
