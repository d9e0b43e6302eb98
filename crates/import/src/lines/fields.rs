//! The fields of lines by kind: the one table from which lines are checked and the reference page is made.

use esoz_device_dispense::RECORD;

use super::field::{LineField, LineFieldKind, LinePresence};
use super::{device_request, dispense, flat, registries, stamps};
use crate::RecordKind;

/// Lists the fields that the `data` of a line of this kind can have, but for [`STAMP_FIELDS`], which every kind can have.
pub fn line_fields(kind: RecordKind) -> Vec<LineField> {
    let fields: &[LineField] = match kind {
        RecordKind::LegalEntity => &flat::LEGAL_ENTITY,
        RecordKind::Division => &flat::DIVISION,
        RecordKind::Contract => &flat::CONTRACT,
        RecordKind::ContractDivision => &flat::CONTRACT_DIVISION,
        RecordKind::Person => &registries::PERSON,
        RecordKind::Party => &registries::PARTY,
        RecordKind::Employee => &registries::EMPLOYEE,
        RecordKind::MedicalProgram => &registries::MEDICAL_PROGRAM,
        RecordKind::DeviceDefinition => &registries::DEVICE_DEFINITION,
        RecordKind::ProgramDevice => &registries::PROGRAM_DEVICE,
        RecordKind::DeviceRequest => &device_request::FIELDS,
        RecordKind::DeviceDispense => return dispense_fields(),
    };
    fields.to_vec()
}

/// The fields that every kind can have: who wrote a record, and when.
pub const STAMP_FIELDS: [LineField; 4] = stamps::LINE_FIELDS;

fn dispense_fields() -> Vec<LineField> {
    let of_record = RECORD.fields.iter().filter(|field| !stamps::FIELDS.contains(&field.name));
    let of_record = of_record.map(|field| {
        let is_optional = field.presence.is_optional() || field.name == dispense::STATUS_HISTORY;
        let presence = if is_optional { LinePresence::Optional } else { LinePresence::Required };
        LineField {
            name: field.name,
            kind: LineFieldKind::Dispense(field.kind),
            presence,
            meaning: field.meaning,
        }
    });
    dispense::NOT_IN_RECORD_LINE.into_iter().chain(of_record).collect()
}
