use std::fmt::Display;

use esoz_device_dispense::{Dispense, DispenseStatus, Pseudonym};
use esoz_kernel::{DispenseId, LegalEntityId, UserId, time::rfc3339_millis};
use serde_json::{Map, Value, json};

use super::{at_millis, fresh, user};

/// Begins a dispense in progress, with every field that ESOZ knows, of a legal entity and a patient of its own.
pub fn dispense() -> DispenseBuilder {
    DispenseBuilder {
        id: DispenseId::new(fresh()),
        status: DispenseStatus::InProgress,
        subject: Pseudonym::new(format!("{:X}{:X}", fresh().simple(), fresh().simple())),
        owner: LegalEntityId::new(fresh()),
        fields: Vec::new(),
    }
}

/// A FHIR reference as ESOZ writes it, e.g. to a `legal_entity`.
pub fn reference(code: &str, id: impl Display) -> Value {
    json!({
        "identifier": {
            "type": {"coding": [{"system": "eHealth/resources", "code": code}], "text": ""},
            "value": id.to_string(),
        },
        "display_value": null,
    })
}

/// A FHIR codeable concept of one coding.
pub fn concept(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}], "text": ""})
}

/// What becomes a dispense.
#[derive(Debug, Clone)]
pub struct DispenseBuilder {
    id: DispenseId,
    status: DispenseStatus,
    subject: Pseudonym,
    owner: LegalEntityId,
    /// Fields to set, or to leave out, after all others.
    fields: Vec<(String, Option<Value>)>,
}

impl DispenseBuilder {
    /// With that id.
    #[must_use]
    pub fn id(self, id: DispenseId) -> Self {
        Self { id, ..self }
    }

    /// In that status, with a history that led there.
    #[must_use]
    pub fn status(self, status: DispenseStatus) -> Self {
        Self { status, ..self }
    }

    /// About the patient that this stands for.
    #[must_use]
    pub fn subject(self, subject: Pseudonym) -> Self {
        Self { subject, ..self }
    }

    /// Of that legal entity.
    #[must_use]
    pub fn owner(self, owner: LegalEntityId) -> Self {
        Self { owner, ..self }
    }

    /// With that value in a field of the record.
    #[must_use]
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.fields.push((name.to_owned(), Some(value)));
        self
    }

    /// Without that field of the record.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.push((name.to_owned(), None));
        self
    }

    /// The dispense.
    pub fn build(self) -> Dispense {
        let Self { id, status, subject, owner, fields } = self;
        let mut record = record(status, owner);
        for (name, value) in fields {
            match value {
                Some(value) => record.insert(name, value),
                None => record.remove(&name),
            };
        }
        Dispense { id, status, subject, owner, record }
    }
}

/// Every field of a dispense (method 1, "The document").
fn record(status: DispenseStatus, owner: LegalEntityId) -> Map<String, Value> {
    let by = user();
    let inserted_at = rfc3339_millis(at_millis(-60_000));
    let fields = json!({
        "status": status.as_str(),
        "status_reason": null,
        "status_history": history(status, by),
        "based_on": reference("device_request", fresh()),
        "performer": reference("employee", fresh()),
        "location": reference("division", fresh()),
        "performer_legal_entity": reference("legal_entity", owner),
        "program": reference("medical_program", fresh()),
        "primary_source": true,
        "when_handed_over": rfc3339_millis(at_millis(-30_000)),
        "note": "Вручено особисто",
        "explanatory_letter": "Пояснення",
        "details": details(),
        "payment_id": "pay-0001",
        "payment_amount": 174.25,
        "part_of": reference("procedure", fresh()),
        "encounter": reference("encounter", fresh()),
        "context_episode_id": fresh().to_string(),
        "origin_episode_id": fresh().to_string(),
        "supporting_info": [reference("observation", fresh()), reference("diagnostic_report", fresh())],
        "external_provider": false,
        "report_origin": concept("eHealth/report_origins", "patient"),
        "signed_content_links": ["signed_content/1", "signed_content/2"],
        "inserted_at": inserted_at,
        "inserted_by": by.to_string(),
        "updated_at": rfc3339_millis(at_millis(0)),
        "updated_by": by.to_string(),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// One device by reference, one by code; money in UAH.
fn details() -> Value {
    json!([
        {
            "device": reference("device_definition", fresh()),
            "quantity": {"value": 2, "system": "eHealth/device_unit", "code": "piece", "unit": "шт"},
            "program_device": reference("program_device", fresh()),
            "sell_price": 100.5,
            "discount_amount": 26.75,
            "reimbursement_amount": 73.75,
        },
        {
            "device_code": concept("device_definition_classification_type", "30221"),
            "quantity": {"value": 1, "system": "eHealth/device_unit", "code": "piece", "unit": "шт"},
        },
    ])
}

/// How a dispense comes to that status, a second between the steps.
fn history(status: DispenseStatus, by: UserId) -> Value {
    use DispenseStatus::{
        Cancelled, Completed, Declined, EnteredInError, InProgress, Preparation, Stopped, Unknown,
    };
    let steps: &[DispenseStatus] = match status {
        Preparation => &[Preparation],
        InProgress => &[InProgress],
        Cancelled => &[Preparation, Cancelled],
        Completed => &[InProgress, Completed],
        Stopped => &[InProgress, Stopped],
        Declined => &[Declined],
        Unknown => &[InProgress, Unknown],
        EnteredInError => &[InProgress, EnteredInError],
    };
    let entry = |(step, at): (&DispenseStatus, i64)| {
        json!({
            "status": step.as_str(),
            "inserted_at": rfc3339_millis(at_millis(at)),
            "inserted_by": by.to_string(),
        })
    };
    steps.iter().zip((-60_000..).step_by(1_000)).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use esoz_device_dispense::RECORD;

    use super::*;

    #[test]
    fn a_dispense_has_every_field_of_the_record_and_no_other() {
        let mut fields: Vec<_> = RECORD.fields.iter().map(|field| field.name).collect();
        fields.sort_unstable();
        let built = dispense().build();
        let mut names: Vec<_> = built.record.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, fields);
    }

    #[test]
    fn the_history_ends_in_the_status() {
        for status in DispenseStatus::ALL {
            let built = dispense().status(status).build();
            let history = built.record["status_history"].as_array().unwrap();
            assert_eq!(history.last().unwrap()["status"], status.as_str());
            assert_eq!(built.record["status"], status.as_str());
        }
    }

    #[test]
    fn what_is_set_is_set_and_what_is_left_out_is_not_there() {
        let built = dispense().field("note", json!("x")).without("program").build();
        assert_eq!(built.record["note"], "x");
        assert!(!built.record.contains_key("program"));
        assert_eq!(
            built.record["performer_legal_entity"]["identifier"]["value"],
            built.owner.to_string().as_str()
        );
    }
}
