//! The form of each kind of line and its conversion to a record and back.

mod device_request;
mod dispense;
mod field;
mod fields;
mod flat;
mod json_record;
mod patient;
mod registries;
mod stamps;
mod write;

use serde_json::{Map, Value};

pub use field::{LineField, LineFieldKind, LinePresence};
pub use fields::{STAMP_FIELDS, line_fields};
use json_record::Form;
pub use json_record::{JsonRecord, patient_fields};
pub(crate) use write::{ExportLine, export_line};

use crate::json::{DecodeError, object_mut, refuse_unknown, required, string};
use crate::suggestion::suggestion;
use crate::{ImportContext, LineError, Record, RecordKind};

/// Parses one line.
///
/// # Errors
/// [`LineError`] states the first fault.
pub fn parse_line(line: &str, context: &ImportContext<'_>) -> Result<Record, LineError> {
    let mut line = esoz_kernel::json::read(line)?;
    let line = object_mut(&mut line)?;
    refuse_unknown(line, &["kind", DATA])?;
    let kind = required(line, "kind", kind)?;
    let mut data = line.remove(DATA).ok_or_else(|| DecodeError::missing_field(DATA))?;
    let data = std::mem::take(object_mut(&mut data).map_err(|error| error.inside(DATA))?);
    Ok(record(kind, data, context).map_err(|error| error.inside(DATA))?)
}

const DATA: &str = "data";

/// Reads a kind. For an unknown one the error has the most similar kind, if one is similar enough.
fn kind(value: &Value) -> Result<RecordKind, DecodeError> {
    let word = string(value)?;
    word.parse().map_err(|unknown| {
        let nearest = suggestion(word, RecordKind::ALL.map(RecordKind::as_str));
        DecodeError::new(format_args!("{unknown}{nearest}"))
    })
}

fn record(
    kind: RecordKind,
    data: Map<String, Value>,
    context: &ImportContext<'_>,
) -> Result<Record, DecodeError> {
    let stamps = stamps::read(&data, context.now)?;
    Ok(match kind {
        RecordKind::LegalEntity => Record::LegalEntity(Form::read(&data, stamps, context)?),
        RecordKind::Division => Record::Division(Form::read(&data, stamps, context)?),
        RecordKind::Contract => Record::Contract(Form::read(&data, stamps, context)?),
        RecordKind::ContractDivision => Record::ContractDivision(Form::read(&data, stamps, context)?),
        RecordKind::Person => Record::Person(Form::read(&data, stamps, context)?),
        RecordKind::Party => Record::Party(Form::read(&data, stamps, context)?),
        RecordKind::Employee => Record::Employee(Form::read(&data, stamps, context)?),
        RecordKind::MedicalProgram => Record::MedicalProgram(Form::read(&data, stamps, context)?),
        RecordKind::DeviceDefinition => Record::DeviceDefinition(Form::read(&data, stamps, context)?),
        RecordKind::ProgramDevice => Record::ProgramDevice(Form::read(&data, stamps, context)?),
        RecordKind::DeviceRequest => Record::DeviceRequest(device_request::read(data, stamps, context)?),
        RecordKind::DeviceDispense => Record::DeviceDispense(dispense::read(data, stamps, context)?),
    })
}

/// One line of every kind, in the order of [`RecordKind`], each with all the fields that it can have at once.
pub const EXAMPLES: &str = include_str!("examples.ndjson");

#[cfg(test)]
mod tests;
