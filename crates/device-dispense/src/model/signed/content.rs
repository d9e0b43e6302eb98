use std::fmt;

use esoz_kernel::json::{JsonError, JsonErrorKind};
use esoz_kernel::{Decimal, Timestamp, failure};
use esoz_signed_content::{SignedContentError, SignerMismatch};
use serde_json::{Map, Value};

use crate::model::create::Faults;
use crate::model::dispense::WHEN_HANDED_OVER;

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
        Fields(faults: Faults = Faults::example())
            => Invalid, "signed_fields", "Signed fields have the wrong type", faults faults;
    } wraps {
        /// The container cannot be used.
        Container(SignedContentError);
        /// The signer is not the user.
        Signer(SignerMismatch);
    }
}

/// A field, whether a value of it is right, and what is told of a wrong one.
type Check = (&'static str, fn(&Value) -> bool, &'static str);

/// The most characters of a note, and of a short text.
const NOTE_MAX_CHARS: usize = 3_000;
const TEXT_MAX_CHARS: usize = 255;

pub(super) const STATUS: &str = "status";
pub(super) const STATUS_REASON: &str = "status_reason";
pub(super) const PAYMENT_AMOUNT: &str = "payment_amount";
pub(super) const PAYMENT_ID: &str = "payment_id";
pub(super) const NOTE: &str = "note";
pub(super) const EXPLANATORY_LETTER: &str = "explanatory_letter";

impl SignedDispense {
    /// Reads signed content ("Signed documents").
    ///
    /// # Errors
    /// [`DocumentError`]: no JSON object, or every field that a client may set and that has the wrong type.
    pub fn parse(content: &[u8]) -> Result<Self, DocumentError> {
        let no_object = || DocumentError::Container(SignedContentError::Invalid("not_an_object"));
        let text = str::from_utf8(content).map_err(|_| no_object())?;
        let mut fields = match esoz_kernel::json::read(text) {
            Ok(Value::Object(fields)) => fields,
            // Two numbers that differ must not become one.
            Err(JsonError { kind: JsonErrorKind::Number, path, .. }) => {
                let mut faults = Faults::default();
                faults.push(path, "is a number with more digits than can be kept");
                return Err(DocumentError::Fields(faults));
            }
            _ => return Err(no_object()),
        };
        // null is as absent.
        fields.retain(|_, value| !value.is_null());
        let checks: [Check; 6] = [
            (STATUS, Value::is_string, "type mismatch. Expected a string"),
            (STATUS_REASON, is_codeable_concept, "type mismatch. Expected a CodeableConcept"),
            (PAYMENT_AMOUNT, is_amount, "must be a number, not negative, with at most 2 decimals"),
            (
                PAYMENT_ID,
                |value| is_text(value, TEXT_MAX_CHARS),
                "must be a string of at most 255 characters",
            ),
            (NOTE, |value| is_text(value, NOTE_MAX_CHARS), "must be a string of at most 3000 characters"),
            (
                EXPLANATORY_LETTER,
                |value| is_text(value, TEXT_MAX_CHARS),
                "must be a string of at most 255 characters",
            ),
        ];
        let mut faults = Faults::default();
        for (name, is_right, text) in checks {
            if fields.get(name).is_some_and(|value| !is_right(value)) {
                faults.push(format!("$.{name}"), text);
            }
        }
        let when_handed_over = fields.get(WHEN_HANDED_OVER).map(|time| time.as_str()?.parse().ok());
        if when_handed_over == Some(None) {
            faults
                .push(format!("$.{WHEN_HANDED_OVER}"), "string does not match the format of a date and time");
        }
        if !faults.is_empty() {
            return Err(DocumentError::Fields(faults));
        }
        let status = fields.get(STATUS).and_then(Value::as_str).map(str::to_owned);
        Ok(Self { fields, status, when_handed_over: when_handed_over.flatten() })
    }

    /// Returns when the device was handed over, if it says so.
    pub const fn when_handed_over(&self) -> Option<Timestamp> {
        self.when_handed_over
    }
}

fn is_text(value: &Value, max_chars: usize) -> bool {
    value.as_str().is_some_and(|text| text.chars().count() <= max_chars)
}

fn is_amount(value: &Value) -> bool {
    let amount = value.as_number().and_then(|number| number.to_string().parse::<Decimal>().ok());
    amount.is_some_and(|amount| !amount.is_negative() && amount.decimals() <= 2)
}

/// One coding or more, each with a system and a code, and a text or none.
fn is_codeable_concept(value: &Value) -> bool {
    let is_coding =
        |coding: &Value| ["system", "code"].iter().all(|name| coding.get(name).is_some_and(Value::is_string));
    let codings = value.get("coding").and_then(Value::as_array);
    let text = value.get("text").is_none_or(|text| text.is_string() || text.is_null());
    codings.is_some_and(|codings| !codings.is_empty() && codings.iter().all(is_coding)) && text
}
