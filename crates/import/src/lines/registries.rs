//! The lines of the administrative registries.

use esoz_device_dispense::{InvalidPseudonym, PatientPseudonyms};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{CivilDate, Decimal, Stamps, UserId};
use esoz_registries::{
    DeviceDefinition, DeviceDefinitionRecord, Employee, EmployeeRecord, MedicalProgram, MedicalProgramRecord,
    Party, PartyRecord, Person, PersonRecord, PersonStatus, ProgramDevice, ProgramDeviceRecord,
    Reimbursement, VerificationStatus,
};
use esoz_signed_content::{Drfo, DrfoDigest};
use serde_json::{Map, Value};

use super::field::LineFieldKind::{Boolean, Day, Number, Object, Text, Uuid, Uuids, Words};
use super::field::{LineField, names};
use super::flat::{Data, display, flat_line, json, require_days_in_order, words};
use super::patient;
use super::stamps;
use crate::json::{
    DecodeError, array, boolean, day, decimal, object, optional, parsed, refuse_unknown, required, string,
    text,
};
use crate::{ImportContext, PseudonymousLines};

pub(super) const ID: &str = "id";
const STATUS: &str = "status";
const VERIFICATION_STATUS: &str = "verification_status";

const PATIENT: [LineField; 2] = patient::line_fields(ID);

/// The fields of a person's line.
pub(super) const PERSON: [LineField; 4] = [
    PATIENT[0],
    PATIENT[1],
    LineField::required(STATUS, words!(PersonStatus), ""),
    LineField::required(
        VERIFICATION_STATUS,
        words!(VerificationStatus),
        "How far the identity has been verified.",
    ),
];

/// Reads a person: `id` is that of the patient.
pub(super) fn read_person(
    data: &Data,
    stamps: Stamps,
    context: &ImportContext<'_>,
) -> Result<PersonRecord, DecodeError> {
    refuse_unknown(data, &names(&PERSON).chain(stamps::FIELDS).collect::<Vec<_>>())?;
    let (subject, _) = patient::read(data, ID, context)?;
    let facts = Person {
        status: required(data, STATUS, parsed)?,
        verification: required(data, VERIFICATION_STATUS, parsed)?,
    };
    Ok(PersonRecord { subject, facts, stamps })
}

/// Writes a person.
///
/// # Errors
/// When the subject is no pseudonym of the scheme.
pub(super) fn write_person(
    record: &PersonRecord,
    pseudonyms: &dyn PatientPseudonyms,
) -> Result<Data, InvalidPseudonym> {
    let mut data = stamps::fields(record.stamps, rfc3339_micros);
    patient::write(&mut data, ID, &record.subject, pseudonyms)?;
    data.insert(STATUS.to_owned(), display(&record.facts.status));
    data.insert(VERIFICATION_STATUS.to_owned(), display(&record.facts.verification));
    Ok(data)
}

const TAX_ID: &str = "tax_id";
/// The digest in the place of a taxpayer number, under the name that stores have for it.
const TAX_ID_DIGEST: &str = "tax_id_digest";
const USERS: &str = "users";

/// The fields of a party's line.
pub(super) const PARTY: [LineField; 4] = [
    LineField::required(ID, Uuid, ""),
    LineField::optional(
        TAX_ID,
        Text,
        "The taxpayer number (DRFO), or series and number of the passport. A keyed digest is stored in its place.",
    ),
    LineField::optional(
        TAX_ID_DIGEST,
        Text,
        "That digest, in the place of the number. With `--pseudonymous` only.",
    ),
    LineField::required(USERS, Uuids, "Its users. A user belongs to one party at most."),
];

/// Reads a party.
pub(super) fn read_party(
    data: &Data,
    stamps: Stamps,
    context: &ImportContext<'_>,
) -> Result<PartyRecord, DecodeError> {
    refuse_unknown(data, &names(&PARTY).chain(stamps::FIELDS).collect::<Vec<_>>())?;
    let facts = Party { id: required(data, ID, parsed)?, drfo: drfo_digest(data, context)? };
    Ok(PartyRecord { facts, users: required(data, USERS, users)?, stamps })
}

/// The digest of a party's taxpayer number, if it has one.
fn drfo_digest(data: &Data, context: &ImportContext<'_>) -> Result<Option<DrfoDigest>, DecodeError> {
    let Some(digest) = optional(data, TAX_ID_DIGEST, string)? else {
        let drfo = |value| {
            let blank = || DecodeError::new("is blank; leave it out if there is none");
            Drfo::parse(string(value)?).ok_or_else(blank)
        };
        return Ok(optional(data, TAX_ID, drfo)?.map(|drfo| context.drfo_digests.of(&drfo)));
    };
    if context.pseudonymous_lines == PseudonymousLines::Refuse {
        let refused = format_args!("has a digest in the place of {TAX_ID}; with --pseudonymous it is taken");
        return Err(DecodeError::new(refused).inside(TAX_ID_DIGEST));
    }
    if data.contains_key(TAX_ID) {
        let both = format_args!("must have either {TAX_ID} or {TAX_ID_DIGEST}, and not both");
        return Err(DecodeError::new(both));
    }
    let fault = || DecodeError::new("is not a digest of a taxpayer number").inside(TAX_ID_DIGEST);
    DrfoDigest::parse(digest).map(Some).ok_or_else(fault)
}

/// Reads users in whatever order, each once.
fn users(value: &Value) -> Result<Vec<UserId>, DecodeError> {
    let items = array(value)?.iter().enumerate();
    let users = items.map(|(index, item)| parsed(item).map_err(|error| error.at(index)));
    let mut users: Vec<UserId> = users.collect::<Result<_, _>>()?;
    let named = users.len();
    users.sort_unstable();
    users.dedup();
    if users.len() == named { Ok(users) } else { Err(DecodeError::new("has a user twice")) }
}

/// Writes a party, with the digest of its taxpayer number: nobody has the number.
pub(super) fn write_party(record: &PartyRecord) -> Data {
    let mut data = stamps::fields(record.stamps, rfc3339_micros);
    data.insert(ID.to_owned(), display(&record.facts.id));
    if let Some(digest) = &record.facts.drfo {
        data.insert(TAX_ID_DIGEST.to_owned(), digest.expose().into());
    }
    data.insert(USERS.to_owned(), record.users.iter().map(display).collect());
    data
}

flat_line! {
    read_employee, write_employee, EMPLOYEE: EmployeeRecord = {
        EmployeeRecord {
            facts: Employee { id, party, legal_entity, status, is_active, end_date, name },
            kind, stamps
        }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    party: "party_id" = required(parsed), display, Uuid, "The party whose post it is.";
    legal_entity: "legal_entity_id" = required(parsed), display, Uuid, "The legal entity where it is.";
    kind: "type" = required(text), display, Text, "For example `PHARMACIST`.";
    status: "status" = required(text), display, Text, "For example `APPROVED`.";
    is_active: "is_active" = required(boolean), json, Boolean, "";
    end_date: "end_date" = optional(day), day_or_null, Day, "The last day of the post.";
    name: "name" = required(text), display, Text, "The person's name, as it is shown.";
}

flat_line! {
    read_medical_program, write_medical_program, MEDICAL_PROGRAM: MedicalProgramRecord = {
        MedicalProgramRecord { id, facts: MedicalProgram { is_active, name }, kind, stamps }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    name: "name" = required(text), display, Text, "The name, as it is shown.";
    kind: "type" = required(text), display, Text, "For example `DEVICE`.";
    is_active: "is_active" = required(boolean), json, Boolean, "";
}

flat_line! {
    read_device_definition, write_device_definition, DEVICE_DEFINITION: DeviceDefinitionRecord = {
        DeviceDefinitionRecord {
            facts: DeviceDefinition { id, is_active, classification_type, packaging_unit, packaging_count },
            name, stamps
        }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    name: "name" = required(text), display, Text, "";
    is_active: "is_active" = required(boolean), json, Boolean, "";
    classification_type: "classification_type" = required(text), display, Text, "The type of device: the code that a device request names.";
    packaging_unit: "packaging_unit" = required(text), display, Text, "The unit in which it is counted.";
    packaging_count: "packaging_count" = required(positive), exact, Number, "How many units are in a package; greater than 0.";
}

flat_line! {
    read_program_device, write_program_device, PROGRAM_DEVICE: ProgramDeviceRecord = {
        ProgramDeviceRecord {
            facts: ProgramDevice {
                id, program, device_definition, is_active, start_date, end_date, reimbursement, max_daily_count
            },
            stamps
        }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    program: "program_id" = required(parsed), display, Uuid, "The medical program.";
    device_definition: "device_definition_id" = required(parsed), display, Uuid, "The device.";
    is_active: "is_active" = required(boolean), json, Boolean, "";
    start_date: "start_date" = required(day), display, Day, "Its first day in the program.";
    end_date: "end_date" = optional(day), day_or_null, Day, "Its last day; not before the first.";
    reimbursement: "reimbursement" = required(reimbursement), written_reimbursement, Object(&REIMBURSEMENT),
        "What the program pays for a package.";
    max_daily_count: "max_daily_count" = optional(positive), exact_or_null, Number, "How many units a patient may get for a day; greater than 0.";
}

/// Refuses a program device that ends before it begins.
pub(super) fn with_days_in_order(record: ProgramDeviceRecord) -> Result<ProgramDeviceRecord, DecodeError> {
    let ProgramDevice { start_date, end_date, .. } = record.facts;
    require_days_in_order(start_date, end_date.unwrap_or(start_date))?;
    Ok(record)
}

fn positive(value: &Value) -> Result<Decimal, DecodeError> {
    let number = decimal(value)?;
    let is_positive = !number.is_negative() && !number.is_zero();
    is_positive.then_some(number).ok_or_else(|| DecodeError::new("is not greater than 0"))
}

const TYPE: &str = "type";
const AMOUNT: &str = "amount";
const PERCENTAGE: &str = "percentage";

/// The fields of a reimbursement.
const REIMBURSEMENT: [LineField; 3] = [
    LineField::required(TYPE, Words(|| vec![Reimbursement::FIXED, Reimbursement::PERCENTAGE]), ""),
    LineField::or(
        PERCENTAGE,
        AMOUNT,
        Number,
        "Of type FIXED: in hryvnias, at least 0, at most 2 digits after the point.",
    ),
    LineField::or(AMOUNT, PERCENTAGE, Number, "Of type PERCENTAGE: from 0 to 100."),
];

/// Reads what a program pays: the amount or the percentage, as the type says, and not the other.
fn reimbursement(value: &Value) -> Result<Reimbursement, DecodeError> {
    let fields = object(value)?;
    refuse_unknown(fields, &names(&REIMBURSEMENT).collect::<Vec<_>>())?;
    let amount = optional(fields, AMOUNT, amount)?;
    let percentage = optional(fields, PERCENTAGE, percentage)?;
    let (wanted, other) = match required(fields, TYPE, string)? {
        Reimbursement::FIXED => (AMOUNT, PERCENTAGE),
        Reimbursement::PERCENTAGE => (PERCENTAGE, AMOUNT),
        _ => return Err(DecodeError::new("is not one of FIXED, PERCENTAGE").inside(TYPE)),
    };
    let word = required(fields, TYPE, string)?;
    let fault = || match fields.get(wanted).filter(|value| !value.is_null()) {
        None => DecodeError::missing_field(wanted),
        Some(_) => DecodeError::new(format_args!("is given with the type that has {wanted}")).inside(other),
    };
    Reimbursement::from_parts(word, amount, percentage).ok_or_else(fault)
}

fn amount(value: &Value) -> Result<Decimal, DecodeError> {
    let amount = decimal(value)?;
    if amount.is_negative() {
        Err(DecodeError::new("is less than 0"))
    } else if amount.decimals() > 2 {
        Err(DecodeError::new("has more than 2 digits after the point"))
    } else {
        Ok(amount)
    }
}

fn percentage(value: &Value) -> Result<Decimal, DecodeError> {
    let percentage = decimal(value)?;
    let is_in_range = !percentage.is_negative() && percentage <= Decimal::from(100);
    is_in_range.then_some(percentage).ok_or_else(|| DecodeError::new("is not within 0 and 100"))
}

fn written_reimbursement(reimbursement: &Reimbursement) -> Value {
    let (word, amount, percentage) = reimbursement.parts();
    let numbers = [(AMOUNT, amount), (PERCENTAGE, percentage)];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name, exact(number?))));
    let fields = [(TYPE, word.into())].into_iter().chain(numbers);
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// Writes a number to the digit. One that no number of an import holds is text, which an import refuses.
fn exact(number: &Decimal) -> Value {
    let text = number.to_string();
    esoz_kernel::json::number(&text).map_or_else(|| text.into(), Value::Number)
}

/// Writes the number that an `Option` may hold.
fn exact_or_null<'a>(number: impl IntoIterator<Item = &'a Decimal>) -> Value {
    number.into_iter().next().map_or(Value::Null, exact)
}

/// Writes the day that an `Option` may hold.
fn day_or_null<'a>(day: impl IntoIterator<Item = &'a CivilDate>) -> Value {
    day.into_iter().next().map_or(Value::Null, display)
}
