use std::fmt;

use esoz_kernel::json::JsonError;
use esoz_kernel::{Decimal, PatientId, Timestamp, failure};
use esoz_signed_content::{SignedContentError, SignerMismatch};
use serde_json::{Map, Value};

use super::equality::{FOR_PEOPLE, NOT_COMPARED};
use crate::model::create::Faults;
use crate::model::dispense::{STATUS, WHEN_HANDED_OVER};
use crate::model::fields::{CODEABLE_CONCEPT, CODING, FieldKind, RECORD};
use crate::model::patient_id::{HOLDS_PATIENT_ID, PatientIdSearch};

/// The dispense that was signed, as JSON, with the fields that a client may set read. `Debug` hides it.
#[derive(Clone, PartialEq)]
pub struct SignedDispense {
    /// Every field.
    pub(super) fields: Map<String, Value>,
    /// The status; `None` when there is none.
    pub(super) status: Option<String>,
    /// When it was handed over.
    pub(super) when_handed_over: Option<Timestamp>,
}

impl fmt::Debug for SignedDispense {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SignedDispense(…)")
    }
}

failure! {
    /// Why a signed document is not accepted, whatever the dispense is ("Signed documents").
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum DocumentError {
        /// A field of what was signed has the wrong type, or is out of its limits.
        Fields(faults: Faults = Faults::one("$.payment_amount", WRONG_AMOUNT))
            => Invalid, "signed_fields", "Signed fields have the wrong type", faults faults;
    } wraps {
        /// The container cannot be used.
        Container(SignedContentError);
        /// The signer is not the user.
        Signer(SignerMismatch);
    }
}

/// A field that a client may set, the check of its value, and the error text.
type Limit = (&'static str, fn(&Value) -> bool, &'static str);

/// The most characters of a note.
pub const MAX_NOTE_CHARS: usize = 3_000;

/// The most characters of another text.
const MAX_TEXT_CHARS: usize = 255;

pub(super) const STATUS_REASON: &str = "status_reason";
pub(super) const PAYMENT_AMOUNT: &str = "payment_amount";
pub(super) const PAYMENT_ID: &str = "payment_id";
pub(super) const NOTE: &str = "note";
pub(super) const EXPLANATORY_LETTER: &str = "explanatory_letter";

/// The error text of a wrong amount.
const WRONG_AMOUNT: &str =
    "must be a number, not negative, with at most 12 digits before and 2 after the point";

/// The error text of a wrong reason.
const WRONG_CONCEPT: &str = "type mismatch. Expected a CodeableConcept";

/// The error text of a wrong text.
const WRONG_TEXT: &str = "must be a string of at most 255 characters, without NUL";

const LIMITS: [Limit; 5] = [
    (STATUS_REASON, is_codeable_concept, WRONG_CONCEPT),
    (PAYMENT_AMOUNT, is_amount, WRONG_AMOUNT),
    (PAYMENT_ID, is_short_text, WRONG_TEXT),
    (
        NOTE,
        |value| is_text(value, MAX_NOTE_CHARS),
        "must be a string of at most 3000 characters, without NUL",
    ),
    (EXPLANATORY_LETTER, is_short_text, WRONG_TEXT),
];

impl SignedDispense {
    /// Reads signed content ("Signed documents"), for a method in which a client may set the `free` fields of a dispense of that patient. The others
    /// are compared with what is stored, and have their types alone to be right: another system may have stored what this one would refuse.
    ///
    /// # Errors
    /// [`DocumentError`]: no JSON object, or every value of a wrong type, or that is out of its limits or holds the patient's id where a client may set it.
    pub fn parse(content: &[u8], free: &[&str], patient: Option<PatientId>) -> Result<Self, DocumentError> {
        let no_object = || DocumentError::Container(SignedContentError::Invalid("not_an_object"));
        let text = str::from_utf8(content).map_err(|_| no_object())?;
        let Ok((Value::Object(mut fields), rounded)) = esoz_kernel::json::read_reporting_numbers(text) else {
            return Err(no_object());
        };
        let mut faults = Faults::default();
        // Two numbers that differ must not become one.
        for JsonError { path, .. } in rounded {
            faults.push(path, "is a number with more digits than can be kept");
        }
        // null is as absent.
        fields.retain(|_, value| !value.is_null());
        let search = patient.map(PatientIdSearch::of);
        for (name, kind) in typed_fields() {
            let Some(value) = fields.get(name) else { continue };
            let path = format!("$.{name}");
            let is_free = free.contains(&name);
            match LIMITS.iter().find(|(limited, ..)| is_free && *limited == name) {
                Some((_, is_right, text)) if !is_right(value) => faults.push(path.clone(), text),
                Some(_) => {}
                None => check_type(&path, kind, value, &mut faults),
            }
            if is_free && search.as_ref().is_some_and(|search| search.is_anywhere_in(value)) {
                faults.push(path, HOLDS_PATIENT_ID);
            }
        }
        if !faults.is_empty() {
            return Err(DocumentError::Fields(faults));
        }
        let status = fields.get(STATUS).and_then(Value::as_str).map(str::to_owned);
        let when_handed_over = fields.get(WHEN_HANDED_OVER).and_then(time);
        Ok(Self { fields, status, when_handed_over })
    }

    /// Returns when the device was handed over, if it says so.
    pub const fn when_handed_over(&self) -> Option<Timestamp> {
        self.when_handed_over
    }
}

/// The fields whose type is checked, with their types: those that a rule reads or compares.
fn typed_fields() -> impl Iterator<Item = (&'static str, FieldKind)> {
    let compared =
        RECORD.fields.iter().filter(|field| field.name == STATUS || !NOT_COMPARED.contains(&field.name));
    [("id", FieldKind::Uuid), ("subject", FieldKind::Reference(None))]
        .into_iter()
        .chain(compared.map(|field| (field.name, field.kind)))
}

/// Validates a value against the type of its field, recursively: adds a fault for each type mismatch. null is as absent.
fn check_type(path: &str, kind: FieldKind, value: &Value, faults: &mut Faults) {
    let text = match (kind, value) {
        (_, Value::Null)
        | (FieldKind::Any, _)
        | (FieldKind::Boolean, Value::Bool(_))
        | (FieldKind::Number, Value::Number(_))
        | (FieldKind::Text | FieldKind::Uuid | FieldKind::Status, Value::String(_)) => return,
        (FieldKind::List(item), Value::Array(items)) => {
            for (place, value) in items.iter().enumerate() {
                check_type(&format!("{path}[{place}]"), FieldKind::Object(item), value, faults);
            }
            return;
        }
        (
            FieldKind::Reference(_) | FieldKind::CodeableConcept | FieldKind::Object(_),
            Value::Object(fields),
        ) => {
            let inner = kind.object().into_iter().flat_map(|object| object.fields);
            for field in inner.filter(|field| !FOR_PEOPLE.contains(&field.name)) {
                let value = fields.get(field.name).unwrap_or(&Value::Null);
                check_type(&format!("{path}.{}", field.name), field.kind, value, faults);
            }
            return;
        }
        (FieldKind::Time, value) if is_time(value) => return,
        (FieldKind::Time, _) => "string does not match the format of an ISO 8601 date and time",
        (FieldKind::Text | FieldKind::Uuid | FieldKind::Status, _) => "type mismatch. Expected a string",
        (FieldKind::Boolean, _) => "type mismatch. Expected true or false",
        (FieldKind::Number, _) => "type mismatch. Expected a number",
        (FieldKind::List(_), _) => "type mismatch. Expected a list",
        (FieldKind::CodeableConcept, _) => WRONG_CONCEPT,
        (FieldKind::Reference(_) | FieldKind::Object(_), _) => "type mismatch. Expected an object",
    };
    faults.push(path.to_owned(), text);
}

fn is_text(value: &Value, max_chars: usize) -> bool {
    value.as_str().is_some_and(|text| text.chars().count() <= max_chars && !text.contains('\0'))
}

fn is_short_text(value: &Value) -> bool {
    is_text(value, MAX_TEXT_CHARS)
}

fn is_time(value: &Value) -> bool {
    time(value).is_some()
}

fn time(value: &Value) -> Option<Timestamp> {
    Timestamp::parse_or_utc(value.as_str()?).ok()
}

fn is_amount(value: &Value) -> bool {
    let amount = value.as_number().and_then(|number| number.to_string().parse::<Decimal>().ok());
    let is_short =
        |amount: &Decimal| amount.decimals() <= 2 && amount.whole_digits() <= Decimal::MAX_WHOLE_DIGITS;
    amount.is_some_and(|amount| !amount.is_negative() && is_short(&amount))
}

/// The most codings of one concept.
const MAX_CODINGS: usize = 10;

/// One coding or several, each a system and a code, and a text or none; nothing else, since it is stored as it is given.
fn is_codeable_concept(value: &Value) -> bool {
    let is_coding = |coding: &Value| {
        coding.as_object().is_some_and(|coding| {
            CODING.fields.iter().all(|field| coding.get(field.name).is_some_and(is_short_text))
                && coding.keys().all(|name| CODING.field(name).is_some())
        })
    };
    value.as_object().is_some_and(|concept| {
        let codings = concept.get("coding").and_then(Value::as_array);
        codings.is_some_and(|codings| {
            (1..=MAX_CODINGS).contains(&codings.len()) && codings.iter().all(is_coding)
        }) && concept.get("text").is_none_or(|text| text.is_null() || is_short_text(text))
            && concept.keys().all(|name| CODEABLE_CONCEPT.field(name).is_some())
    })
}
