use esoz_kernel::{Decimal, Uuid, time::rfc3339_millis};
use esoz_registries::{Employee, Location};
use serde_json::{Map, Number, Value, json};

use super::program_devices::{Chosen, PROGRAM_DEVICE};
use super::{CreateFacts, Named, NewDetail, NewDevice, NewDispense};
use crate::model::dispense::Dispense;
use crate::model::fields::RESOURCES;
use crate::model::status::DispenseStatus;

/// The system of the codes of units.
const DEVICE_UNIT: &str = "device_unit";

impl CreateFacts {
    /// The dispense that is recorded ("Effect").
    pub(super) fn dispense(
        &self,
        performer: &Employee,
        location: &Location,
        program_devices: &[Option<Chosen<'_>>],
        allowed: &[Option<Decimal>],
    ) -> Dispense {
        let Self { body, owner, user, at, registries, .. } = self;
        let (at, user) = (rfc3339_millis(*at), user.to_string());
        let status = DispenseStatus::InProgress;
        let program_name = registries.program.as_ref().map(|program| program.name.as_str());
        let details: Vec<Value> = (body.details.iter().enumerate())
            .map(|(place, detail)| {
                let chosen = program_devices.get(place).copied().flatten();
                self.detail(detail, chosen, allowed.get(place).and_then(Option::as_ref))
            })
            .collect();
        let owner_reference = Named { id: *owner, text: String::new() };
        let fields = [
            ("status", Some(status.as_str().into())),
            ("status_reason", Some(Value::Null)),
            (
                "status_history",
                Some(
                    json!([{"status": status.as_str(), "inserted_at": at.as_str(), "inserted_by": user.as_str()}]),
                ),
            ),
            ("based_on", Some(reference("device_request", &body.based_on, body.based_on.id.uuid(), None))),
            (
                "performer",
                Some(reference("employee", &body.performer, body.performer.id.uuid(), Some(&performer.name))),
            ),
            (
                "location",
                Some(reference("division", &body.location, body.location.id.uuid(), Some(&location.name))),
            ),
            (
                "performer_legal_entity",
                Some(reference(
                    "legal_entity",
                    &owner_reference,
                    owner.uuid(),
                    registries.legal_entity_name.as_deref(),
                )),
            ),
            (
                "program",
                body.program
                    .as_ref()
                    .map(|program| reference("medical_program", program, program.id.uuid(), program_name)),
            ),
            ("primary_source", Some(body.primary_source.into())),
            ("when_handed_over", body.when_handed_over.map(|time| rfc3339_millis(time).into())),
            ("note", body.note.clone().map(Value::from)),
            ("details", Some(details.into())),
            ("inserted_at", Some(at.as_str().into())),
            ("inserted_by", Some(user.as_str().into())),
            ("updated_at", Some(at.into())),
            ("updated_by", Some(user.into())),
        ];
        Dispense { id: body.id, status, subject: self.subject.clone(), owner: *owner, record: object(fields) }
    }

    fn detail(&self, detail: &NewDetail, chosen: Option<Chosen<'_>>, allowed: Option<&Decimal>) -> Value {
        let (device, device_code) = match &detail.device {
            NewDevice::Reference(device) => {
                (Some(reference(&device.code, &device.named, device.named.id, None)), None)
            }
            NewDevice::Code { system, code, text } => {
                (None, Some(json!({"coding": [{"system": system, "code": code}], "text": text})))
            }
        };
        let quantity = json!({
            "value": number(&detail.quantity),
            "system": DEVICE_UNIT,
            "code": detail.unit,
            "unit": self.policy.units.get(&detail.unit),
        });
        let program_device = match (&detail.program_device, chosen) {
            (Some(named), _) => Some(reference(PROGRAM_DEVICE, &named.named, named.named.id, None)),
            (None, Some((device, _))) => {
                let named = Named { id: device.id, text: String::new() };
                Some(reference(PROGRAM_DEVICE, &named, device.id.uuid(), None))
            }
            (None, None) => None,
        };
        let fields = [
            ("device", device),
            ("device_code", device_code),
            ("quantity", Some(quantity)),
            ("program_device", program_device),
            ("sell_price", detail.sell_price.as_ref().map(number)),
            ("discount_amount", detail.discount_amount.as_ref().map(number)),
            ("reimbursement_amount", allowed.map(|allowed| number(&allowed.rounded_to_hundredths()))),
        ];
        object(fields).into()
    }
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A FHIR Reference as ESOZ writes it.
fn reference<Id>(code: &str, named: &Named<Id>, id: Uuid, display_value: Option<&str>) -> Value {
    json!({
        "identifier": {
            "type": {"coding": [{"system": RESOURCES, "code": code}], "text": named.text},
            "value": id.to_string(),
        },
        "display_value": display_value,
    })
}

/// A number with every digit: those of a body have few enough of them for a double.
fn number(decimal: &Decimal) -> Value {
    decimal.to_string().parse::<Number>().map_or(Value::Null, Value::Number)
}

impl NewDispense {
    /// Returns what makes a request another one, for its idempotency key: every field but the verification code, of which no digest that is not
    /// keyed may be kept.
    pub fn fingerprint(&self) -> Vec<u8> {
        let details: Vec<Value> = self.details.iter().map(NewDetail::to_json).collect();
        let Self { id, performer, location, based_on, program, .. } = self;
        let value = json!({
            "id": id.to_string(),
            "performer": [performer.id.to_string(), performer.text],
            "location": [location.id.to_string(), location.text],
            "based_on": [based_on.id.to_string(), based_on.text],
            "program": program.as_ref().map(|program| [program.id.to_string(), program.text.clone()]),
            "primary_source": self.primary_source,
            "note": self.note,
            "when_handed_over": self.when_handed_over.map(rfc3339_millis),
            "details": details,
        });
        value.to_string().into_bytes()
    }
}

impl NewDetail {
    fn to_json(&self) -> Value {
        let device = match &self.device {
            NewDevice::Reference(device) => {
                json!([device.code, device.named.id.to_string(), device.named.text])
            }
            NewDevice::Code { system, code, text } => json!({"system": system, "code": code, "text": text}),
        };
        let program_device = self
            .program_device
            .as_ref()
            .map(|named| json!([named.code, named.named.id.to_string(), named.named.text]));
        json!([
            device,
            self.quantity.to_string(),
            self.unit,
            program_device,
            self.sell_price.as_ref().map(Decimal::to_string),
            self.discount_amount.as_ref().map(Decimal::to_string),
        ])
    }
}
