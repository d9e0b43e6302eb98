//! Device dispenses: one file per method, and how a dispense is shown.

pub(crate) mod complete;
pub(crate) mod create;
mod example;
mod filter;
pub(crate) mod list;
pub(crate) mod list_of_patient;
pub(crate) mod mark_in_error;
pub(crate) mod new_dispense;
pub(crate) mod show;
pub(crate) mod signed;
pub(crate) mod stop;

use std::iter;

use esoz_device_dispense::{Dispense, ListedDispense, RECORD, RESOURCES};
use esoz_kernel::{Page, PageRequest, PatientId};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::envelope::{PAGE, Reply};

/// The segments of the path of a dispense.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path")]
struct DispensePath {
    /// The patient. What is no UUID is answered like an unknown one.
    #[param(format = "uuid")]
    patient_id: String,
    /// The dispense. What is no UUID is answered like an unknown one.
    #[param(format = "uuid")]
    id: String,
}

/// The segments of the path of a patient's dispenses.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path")]
struct PatientPath {
    /// The patient. What is no UUID is answered like an unknown one.
    #[param(format = "uuid")]
    patient_id: String,
}

/// A dispense as it is shown: the id, the fields of [`RECORD`] in their order, and the subject.
struct DispenseFields(Vec<(&'static str, Value)>);

impl Serialize for DispenseFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Renders a dispense: its stored fields, and as its subject the patient, as far as it is known. The pseudonym is not shown.
fn rendered(mut dispense: Dispense, patient_id: Option<PatientId>) -> DispenseFields {
    let id = ("id", dispense.id.to_string().into());
    let fields = RECORD.fields.iter();
    let fields = fields.filter_map(|field| Some((field.name, dispense.record.remove(field.name)?)));
    let subject = match patient_id {
        Some(patient_id) => reference("patient", &patient_id.uuid().to_string()),
        None => json!({"display_value": null}),
    };
    DispenseFields(iter::once(id).chain(fields).chain([("subject", subject)]).collect())
}

/// Renders a page of a list.
fn rendered_page(request: PageRequest, page: Page<ListedDispense>) -> Reply<Vec<DispenseFields>> {
    Reply::page(PAGE, request, page, |(dispense, patient)| rendered(dispense, patient))
}

/// A FHIR Reference as ESOZ writes it.
fn reference(code: &str, value: &str) -> Value {
    json!({
        "identifier": {
            "type": {"coding": [{"system": RESOURCES, "code": code}], "text": ""},
            "value": value,
        },
        "display_value": null,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use esoz_device_dispense::{DispenseStatus, Pseudonym};
    use esoz_kernel::{DispenseId, LegalEntityId, Uuid};

    use super::*;

    #[test]
    fn every_field_of_the_record_is_shown_and_described_and_no_other() {
        let names = RECORD.fields.iter().map(|field| field.name);
        let record = names.clone().chain(["of_others"]).map(|name| (name.to_owned(), Value::Null)).collect();
        let dispense = Dispense {
            id: DispenseId::new(Uuid::nil()),
            status: DispenseStatus::Stopped,
            subject: Pseudonym::new("S"),
            owner: LegalEntityId::new(Uuid::nil()),
            record,
        };
        let expected: BTreeSet<&str> = names.chain(["id", "subject"]).collect();
        assert!(expected.contains("explanatory_letter"));
        for patient in [Some(PatientId::new(Uuid::nil())), None] {
            let DispenseFields(shown) = rendered(dispense.clone(), patient);
            assert_eq!(shown.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), expected);
            let text = serde_json::to_string(&rendered(dispense.clone(), patient)).unwrap();
            assert!(text.starts_with(r#"{"id":"#), "in the order of the table: {text}");
        }
        let description: Value = serde_json::from_str(&crate::openapi().unwrap()).unwrap();
        let described = &description["components"]["schemas"]["DeviceDispense"]["properties"];
        let names = described.as_object().unwrap().keys().map(String::as_str);
        assert_eq!(names.collect::<BTreeSet<_>>(), expected);
        assert_eq!(described["explanatory_letter"]["type"], json!(["string", "null"]));
    }
}
