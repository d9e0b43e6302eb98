//! The shape of a dispense. The record is carried as JSON and not interpreted (docs/adr/0003), so only what a stop has read or written is
//! required; the rest is as ESOZ writes it, if it is there.
#![expect(dead_code, reason = "these types describe what is carried as JSON; none is ever made")]

use serde_json::Value;
use utoipa::ToSchema;

use super::formats;

/// A device dispense: what a legal entity hands over to a patient.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceDispense {
    #[schema(format = "uuid")]
    id: String,
    #[schema(schema_with = formats::dispense_status)]
    status: String,
    status_reason: Option<CodeableConcept>,
    /// Every status that it has had, the present one last.
    status_history: Vec<StatusHistoryEntry>,
    /// The patient.
    subject: Reference,
    /// The device request.
    based_on: Option<Reference>,
    /// The employee who dispenses.
    performer: Option<Reference>,
    /// The division where it is dispensed.
    location: Option<Reference>,
    /// The legal entity that owns the dispense.
    performer_legal_entity: Reference,
    /// The medical program.
    program: Option<Reference>,
    primary_source: Option<bool>,
    #[schema(format = DateTime, pattern = r"\.\d{3}Z$")]
    when_handed_over: Option<String>,
    note: Option<String>,
    /// What is dispensed.
    details: Option<Vec<DispenseDetail>>,
    payment_id: Option<String>,
    /// In hryvnias.
    payment_amount: Option<f64>,
    /// Carried through.
    #[schema(required = false)]
    part_of: Value,
    /// Carried through.
    #[schema(required = false)]
    encounter: Value,
    /// Carried through.
    #[schema(required = false)]
    context_episode_id: Value,
    /// Carried through.
    #[schema(required = false)]
    origin_episode_id: Value,
    /// Carried through.
    #[schema(required = false)]
    supporting_info: Value,
    /// Carried through.
    #[schema(required = false)]
    external_provider: Value,
    /// Carried through.
    #[schema(required = false)]
    report_origin: Value,
    /// Carried through.
    #[schema(required = false)]
    signed_content_links: Value,
    /// When it was recorded.
    #[schema(format = DateTime, pattern = r"\.\d{3}Z$", required = false)]
    inserted_at: String,
    /// The user who recorded it.
    #[schema(format = "uuid", required = false)]
    inserted_by: String,
    /// When it was last changed.
    #[schema(format = DateTime, pattern = r"\.\d{3}Z$")]
    updated_at: String,
    /// The user who last changed it.
    #[schema(format = "uuid")]
    updated_by: String,
}

/// One status that a dispense has had.
#[derive(ToSchema)]
struct StatusHistoryEntry {
    #[schema(schema_with = formats::dispense_status)]
    status: String,
    status_reason: Option<CodeableConcept>,
    /// Since when.
    #[schema(format = DateTime, pattern = r"\.\d{3}Z$")]
    inserted_at: String,
    /// By which user.
    #[schema(format = "uuid")]
    inserted_by: String,
}

/// One device, by reference or by code. Money is in hryvnias.
#[derive(ToSchema)]
struct DispenseDetail {
    device: Option<Reference>,
    device_code: Option<CodeableConcept>,
    quantity: Option<Quantity>,
    /// The device in the medical program.
    #[schema(required = false)]
    program_device: Value,
    sell_price: Option<f64>,
    discount_amount: Option<f64>,
    reimbursement_amount: Option<f64>,
}

/// How much of it.
#[derive(ToSchema)]
struct Quantity {
    value: f64,
    system: Option<String>,
    code: Option<String>,
    unit: Option<String>,
}

/// A FHIR Reference by identifier.
#[derive(ToSchema)]
struct Reference {
    identifier: Identifier,
    display_value: Option<String>,
}

/// Names one thing of some type.
#[derive(ToSchema)]
struct Identifier {
    #[serde(rename = "type")]
    kind: CodeableConcept,
    #[schema(format = "uuid")]
    value: String,
}

/// A FHIR CodeableConcept.
#[derive(ToSchema)]
struct CodeableConcept {
    coding: Vec<Coding>,
    text: Option<String>,
}

/// A code of some system.
#[derive(ToSchema)]
struct Coding {
    system: String,
    code: String,
}
