//! The form of each kind of line and its conversion to a record and back.

mod device_request;
mod dispense;
mod flat;
mod patient;
mod registries;
mod stamps;
mod write;

use serde_json::{Map, Value};

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
        RecordKind::LegalEntity => Record::LegalEntity(flat::read_legal_entity(&data, stamps)?),
        RecordKind::Division => Record::Division(flat::read_division(&data, stamps)?),
        RecordKind::Contract => {
            Record::Contract(flat::with_days_in_order(flat::read_contract(&data, stamps)?)?)
        }
        RecordKind::ContractDivision => {
            Record::ContractDivision(flat::read_contract_division(&data, stamps)?)
        }
        RecordKind::Person => Record::Person(registries::read_person(&data, stamps, context)?),
        RecordKind::Party => Record::Party(registries::read_party(&data, stamps, context)?),
        RecordKind::Employee => Record::Employee(registries::read_employee(&data, stamps)?),
        RecordKind::MedicalProgram => {
            Record::MedicalProgram(registries::read_medical_program(&data, stamps)?)
        }
        RecordKind::DeviceDefinition => {
            Record::DeviceDefinition(registries::read_device_definition(&data, stamps)?)
        }
        RecordKind::ProgramDevice => Record::ProgramDevice(registries::with_days_in_order(
            registries::read_program_device(&data, stamps)?,
        )?),
        RecordKind::DeviceRequest => Record::DeviceRequest(device_request::read(data, stamps, context)?),
        RecordKind::DeviceDispense => Record::DeviceDispense(dispense::read(data, stamps, context)?),
    })
}

#[cfg(test)]
mod tests;
