//! The line of a dispense: the document's fields, with `patient_id` in the place of `subject` and `id` in the place of `_id`.

use esoz_device_dispense::{Dispense, DispenseStatus, PatientPseudonyms};
use esoz_kernel::{DispenseId, LegalEntityId, PatientId, Stamps, UserId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

use super::fhir::{
    AnyResource, CodeableConcept, DeviceRequest, Division, Employee, LegalEntity, MedicalProgram, Quantity,
    Reference,
};
use super::stamps::StoredStamps;
use super::unknown;
use crate::json::{Carried, Fault, Given, Parsed, Time, decode, decode_known};
use crate::{ImportContext, UnknownFields};

/// Deserialized from a line, and serialized as the stored record.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct DispenseLine {
    #[serde(skip_serializing)]
    id: Parsed<DispenseId>,
    #[serde(skip_serializing)]
    patient_id: Parsed<PatientId>,
    status: Parsed<DispenseStatus>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    status_reason: Given<CodeableConcept>,
    #[serde(default)]
    status_history: Vec<HistoryEntry>,
    based_on: Reference<DeviceRequest>,
    performer: Reference<Employee>,
    location: Reference<Division>,
    performer_legal_entity: Reference<LegalEntity>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    program: Given<Reference<MedicalProgram>>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    primary_source: Given<bool>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    when_handed_over: Given<Time>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    note: Given<String>,
    details: Vec<Detail>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    payment_id: Given<String>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    payment_amount: Given<Number>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    part_of: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    encounter: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    context_episode_id: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    origin_episode_id: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    supporting_info: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    external_provider: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    report_origin: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    signed_content_links: Given<Carried>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HistoryEntry {
    status: Parsed<DispenseStatus>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    status_reason: Given<CodeableConcept>,
    inserted_at: Time,
    inserted_by: Parsed<UserId>,
}

/// A dispensed item: a device, or a code for one.
#[derive(Serialize)]
struct Detail(DetailForm);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct DetailForm {
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    device: Given<Reference<AnyResource>>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    device_code: Given<CodeableConcept>,
    quantity: Quantity,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    program_device: Given<Carried>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    sell_price: Given<Number>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    discount_amount: Given<Number>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    reimbursement_amount: Given<Number>,
}

impl<'de> Deserialize<'de> for Detail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = DetailForm::deserialize(deserializer)?;
        if form.device.is_there() == form.device_code.is_there() {
            return Err(D::Error::custom("must have either device or device_code, and not both"));
        }
        Ok(Self(form))
    }
}

/// Fields of a line that the record has under another name, or not at all.
const NOT_STORED: [&str; 2] = ["id", "patient_id"];

/// Parses the data of a line from which the stamps were removed.
pub(super) fn read(data: &Value, stamps: Stamps, context: &ImportContext<'_>) -> Result<Dispense, Fault> {
    match context.unknown_fields {
        UnknownFields::Refuse => {
            let remedy = "; with --keep-unknown it is stored as it is";
            let line: DispenseLine =
                decode(data).map_err(|fault| fault.with_remedy(remedy, unknown::is_ours))?;
            line.into_dispense(stamps, context.pseudonyms)
        }
        UnknownFields::Keep => {
            let line: DispenseLine = decode_known(data)?;
            let patient = line.patient_id.0;
            let mut dispense = line.into_dispense(stamps, context.pseudonyms)?;
            unknown::carry(data, &mut dispense.record, &NOT_STORED, patient)?;
            Ok(dispense)
        }
    }
}

impl DispenseLine {
    fn into_dispense(self, stamps: Stamps, pseudonyms: &dyn PatientPseudonyms) -> Result<Dispense, Fault> {
        let mut record = rendered(&self)?;
        record.append(&mut rendered(&StoredStamps::from(stamps))?);
        Ok(Dispense {
            id: self.id.0,
            status: self.status.0,
            subject: pseudonyms.of(self.patient_id.0),
            owner: LegalEntityId::new(self.performer_legal_entity.value()),
            record,
        })
    }
}

/// Serializes a part of the record. It cannot fail: what was deserialized can be serialized.
fn rendered(part: &impl Serialize) -> Result<Map<String, Value>, Fault> {
    match serde_json::to_value(part) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) | Err(_) => Err(Fault::custom("cannot be rendered")),
    }
}
