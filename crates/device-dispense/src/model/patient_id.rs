use esoz_kernel::PatientId;
use serde_json::Value;

/// The error text of a field that contains the patient's id (conventions: no store ever holds one).
pub const HOLDS_PATIENT_ID: &str = "holds the patient's id, which no store may hold";

/// Looks for a patient's id in what is to be stored, where a pseudonym stands for it: in either case, with or without hyphens.
pub struct PatientIdSearch([String; 2]);

impl PatientIdSearch {
    /// Looks for that patient's.
    pub fn of(patient: PatientId) -> Self {
        Self([patient.uuid().hyphenated().to_string(), patient.uuid().simple().to_string()])
    }

    /// Whether the text holds it.
    pub fn is_in(&self, text: &str) -> bool {
        let is_in = |id: &String| {
            text.as_bytes().windows(id.len()).any(|window| window.eq_ignore_ascii_case(id.as_bytes()))
        };
        self.0.iter().any(is_in)
    }

    /// Whether a text or a name in the value holds it.
    pub fn is_anywhere_in(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in(text),
            Value::Array(items) => items.iter().any(|item| self.is_anywhere_in(item)),
            Value::Object(fields) => {
                fields.iter().any(|(name, field)| self.is_in(name) || self.is_anywhere_in(field))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}
