//! The line of a device request: the facts that rules read, with `patient_id` or the pseudonym of the patient, `subject`.

use esoz_device_dispense::{
    DeviceRequest, DeviceRequestRecord, DeviceRequestStatus, InvalidPseudonym, OccurrencePeriod,
    PatientPseudonyms, RequestedDevice, RequestedQuantity, VerificationCode,
};
use esoz_kernel::Stamps;
use esoz_kernel::time::{rfc3339_millis, to_millis};
use serde_json::{Map, Value, json};

use super::dispense::{ID, PATIENT_ID, refuse_patient};
use super::field::LineFieldKind::{Day, Number, Object, Text, Uuid, Words};
use super::field::{LineField, names};
use super::flat::words;
use super::patient::{self, SUBJECT};
use super::stamps;
use crate::ImportContext;
use crate::json::{
    DecodeError, day, decimal, object, optional, parsed, refuse_unknown, required, string, text,
};

const PATIENT: [LineField; 2] = patient::line_fields(PATIENT_ID);

/// The fields of its line.
pub(super) const FIELDS: [LineField; 12] = [
    LineField::required(ID, Uuid, ""),
    PATIENT[0],
    PATIENT[1],
    LineField::required(STATUS, words!(DeviceRequestStatus), "An import does not reopen a completed one."),
    LineField::required(INTENT, Text, "Only `order` can be dispensed."),
    LineField::optional(PROGRAM, Uuid, "The medical program that pays."),
    LineField::or(CODE_REFERENCE, CODE, Text, "The classification type: any device of this type."),
    LineField::or(CODE, CODE_REFERENCE, Uuid, "The device definition: this device."),
    LineField::optional(
        QUANTITY,
        Object(&QUANTITY_FIELDS),
        "How much may be dispensed. Left out: any amount, any number of times.",
    ),
    LineField::optional(
        OCCURRENCE_PERIOD,
        Object(&OCCURRENCE_PERIOD_FIELDS),
        "The days for which it is meant.",
    ),
    LineField::required(DISPENSE_VALID_TO, Day, "The last day on which it can be dispensed."),
    LineField::optional(
        VERIFICATION_CODE,
        Text,
        "Four digits that the patient tells. An export writes them: keep the file as you keep the store.",
    ),
];

const STATUS: &str = "status";
const INTENT: &str = "intent";
const PROGRAM: &str = "program";
const CODE: &str = "code";
const CODE_REFERENCE: &str = "code_reference";
const QUANTITY: &str = "quantity";
const OCCURRENCE_PERIOD: &str = "occurrence_period";
const DISPENSE_VALID_TO: &str = "dispense_valid_to";
const VERIFICATION_CODE: &str = "verification_code";

const VALUE: &str = "value";
const SYSTEM: &str = "system";

const QUANTITY_FIELDS: [LineField; 3] = [
    LineField::required(VALUE, Number, "Greater than 0."),
    LineField::optional(SYSTEM, Words(|| vec![DEVICE_UNIT]), "Not stored."),
    LineField::required(CODE, Text, "The unit."),
];

const START: &str = "start";
const END: &str = "end";

const OCCURRENCE_PERIOD_FIELDS: [LineField; 2] = [
    LineField::required(START, Day, "The first day."),
    LineField::required(END, Day, "The last day; not before the first."),
];

/// The only system of units.
const DEVICE_UNIT: &str = "device_unit";

/// Parses the data of a line, whose stamps were read before.
pub(super) fn read(
    mut data: Map<String, Value>,
    stamps: Stamps,
    context: &ImportContext<'_>,
) -> Result<DeviceRequestRecord, DecodeError> {
    refuse_unknown(&data, &names(&FIELDS).chain(stamps::FIELDS).collect::<Vec<_>>())?;
    let (subject, patient) = patient::read(&data, PATIENT_ID, context)?;
    let (inserted_at, updated_at) = (to_millis(stamps.inserted_at), to_millis(stamps.updated_at));
    let record = DeviceRequestRecord {
        facts: DeviceRequest {
            id: required(&data, ID, parsed)?,
            subject,
            status: required(&data, STATUS, parsed)?,
            intent: required(&data, INTENT, text)?,
            program: optional(&data, PROGRAM, parsed)?,
            device: device(&data)?,
            quantity: optional(&data, QUANTITY, quantity)?,
            occurrence_period: optional(&data, OCCURRENCE_PERIOD, occurrence_period)?,
            dispense_valid_to: required(&data, DISPENSE_VALID_TO, day)?,
            verification_code: optional(&data, VERIFICATION_CODE, verification_code)?,
        },
        stamps: Stamps { inserted_at, updated_at, ..stamps },
    };
    data.retain(|name, _| ![ID, PATIENT_ID, SUBJECT].contains(&name.as_str()));
    patient.map_or(Ok(()), |patient| {
        refuse_patient(&data, patient, |name| names(&FIELDS).any(|known| known == name))
    })?;
    Ok(record)
}

fn device(data: &Map<String, Value>) -> Result<RequestedDevice, DecodeError> {
    match (optional(data, CODE, text)?, optional(data, CODE_REFERENCE, parsed)?) {
        (Some(code), None) => Ok(RequestedDevice::Type(code)),
        (None, Some(id)) => Ok(RequestedDevice::Definition(id)),
        _ => Err(DecodeError::new(format_args!("must have either {CODE} or {CODE_REFERENCE}, and not both"))),
    }
}

fn quantity(value: &Value) -> Result<RequestedQuantity, DecodeError> {
    let fields = object(value)?;
    refuse_unknown(fields, &names(&QUANTITY_FIELDS).collect::<Vec<_>>())?;
    optional(fields, SYSTEM, |system| {
        let is_known = string(system)? == DEVICE_UNIT;
        if is_known { Ok(()) } else { Err(DecodeError::new(format_args!("is not {DEVICE_UNIT}"))) }
    })?;
    let value = required(fields, VALUE, |value| {
        let value = decimal(value)?;
        let is_above_zero = !value.is_zero() && !value.is_negative();
        if is_above_zero { Ok(value) } else { Err(DecodeError::new("is not above zero")) }
    })?;
    Ok(RequestedQuantity { value, code: required(fields, CODE, text)? })
}

fn occurrence_period(value: &Value) -> Result<OccurrencePeriod, DecodeError> {
    let fields = object(value)?;
    refuse_unknown(fields, &names(&OCCURRENCE_PERIOD_FIELDS).collect::<Vec<_>>())?;
    let period = OccurrencePeriod { start: required(fields, START, day)?, end: required(fields, END, day)? };
    if period.end < period.start {
        return Err(DecodeError::new("is before start").inside(END));
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
        json!({VALUE: value.to_string().parse::<serde_json::Number>().ok(), CODE: code})
    });
    let occurrence_period = facts
        .occurrence_period
        .map(|OccurrencePeriod { start, end }| json!({START: start.to_string(), END: end.to_string()}));
    let fields = [
        (ID, Some(facts.id.to_string().into())),
        (STATUS, Some(facts.status.as_str().into())),
        (INTENT, Some(facts.intent.as_str().into())),
        (PROGRAM, facts.program.map(|program| program.to_string().into())),
        (CODE, code),
        (CODE_REFERENCE, code_reference),
        (QUANTITY, quantity),
        (OCCURRENCE_PERIOD, occurrence_period),
        (DISPENSE_VALID_TO, Some(facts.dispense_valid_to.to_string().into())),
        (VERIFICATION_CODE, facts.verification_code.as_ref().map(|code| code.expose().into())),
    ];
    let mut data = stamps::fields(*stamps, rfc3339_millis);
    data.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    patient::write(&mut data, PATIENT_ID, &facts.subject, pseudonyms)?;
    Ok(data)
}
