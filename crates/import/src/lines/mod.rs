//! The form of each kind of line and its conversion to a record and back.

mod device_request;
mod dispense;
mod flat;
mod json_record;
mod patient;
mod registries;
mod stamps;
mod write;

use serde_json::{Map, Value};

use json_record::Form;
pub use json_record::{JsonRecord, patient_fields};
pub(crate) use write::{ExportLine, export_line};

use crate::json::{DecodeError, object_mut, parsed, refuse_unknown, required};
use crate::{ImportContext, LineError, Record, RecordKind};

/// Parses one line.
///
/// # Errors
/// [`LineError`] states the first fault.
pub fn parse_line(line: &str, context: &ImportContext<'_>) -> Result<Record, LineError> {
    let mut line = esoz_kernel::json::read(line)?;
    let line = object_mut(&mut line)?;
    refuse_unknown(line, &["kind", DATA])?;
    let kind = required(line, "kind", parsed)?;
    let mut data = line.remove(DATA).ok_or_else(|| DecodeError::missing_field(DATA))?;
    let data = std::mem::take(object_mut(&mut data).map_err(|error| error.inside(DATA))?);
    Ok(record(kind, data, context).map_err(|error| error.inside(DATA))?)
}

const DATA: &str = "data";

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

#[cfg(test)]
mod tests;
