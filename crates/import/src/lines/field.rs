//! The fields of lines: the one table from which lines are checked and the reference page is made.

use esoz_device_dispense::{FieldKind, RECORD};

use super::{device_request, dispense, flat, registries, stamps};
use crate::RecordKind;

/// A field of a line's `data`, or of an object in it.
#[derive(Debug, Clone, Copy)]
pub struct LineField {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: LineFieldKind,
    /// Whether it can be left out.
    pub presence: LinePresence,
    /// What it means, in one sentence; empty where the name says it.
    pub meaning: &'static str,
}

/// Whether a field of a line can be left out, or be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinePresence {
    /// It must be there.
    Required,
    /// It can be left out.
    Optional,
    /// Either it or this other field must be there, and not both.
    Or(&'static str),
}

/// What a field of a line holds.
#[derive(Debug, Clone, Copy)]
pub enum LineFieldKind {
    /// A UUID, in either case.
    Uuid,
    /// A list of UUIDs.
    Uuids,
    /// Text that is not empty.
    Text,
    /// True or false.
    Boolean,
    /// A number.
    Number,
    /// A day, `YYYY-MM-DD`.
    Day,
    /// An instant, with its offset.
    Time,
    /// One of these words.
    Words(fn() -> Vec<&'static str>),
    /// An object with these fields.
    Object(&'static [LineField]),
    /// What the record of a dispense holds there.
    Dispense(FieldKind),
}

impl LineField {
    /// Creates a field that must be there.
    pub(super) const fn required(name: &'static str, kind: LineFieldKind, meaning: &'static str) -> Self {
        Self { name, kind, presence: LinePresence::Required, meaning }
    }

    /// Creates a field that can be left out.
    pub(super) const fn optional(name: &'static str, kind: LineFieldKind, meaning: &'static str) -> Self {
        Self { name, kind, presence: LinePresence::Optional, meaning }
    }

    /// Creates a field in the place of another.
    pub(super) const fn or(
        other: &'static str,
        name: &'static str,
        kind: LineFieldKind,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, presence: LinePresence::Or(other), meaning }
    }
}

/// The names of the fields.
pub(super) fn names(fields: &'static [LineField]) -> impl Iterator<Item = &'static str> {
    fields.iter().map(|field| field.name)
}

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
