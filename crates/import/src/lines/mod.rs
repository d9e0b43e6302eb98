//! The form of each kind of line and its conversion to a record.

mod dispense;
mod flat;
mod stamps;
mod unknown;

use serde_json::{Map, Value};

use crate::json::{DecodeError, object, parsed, read, refuse_unknown, required};
use crate::{ImportContext, LineError, Record, RecordKind};

/// Parses one line.
///
/// # Errors
/// [`LineError`] states the first fault.
pub fn parse_line(line: &str, context: &ImportContext<'_>) -> Result<Record, LineError> {
    let line = read(line)?;
    let line = object(&line)?;
    refuse_unknown(line, &["kind", "data"])?;
    let (kind, data) = (required(line, "kind", parsed)?, required(line, "data", object)?);
    Ok(record(kind, data, context).map_err(|error| error.inside("data"))?)
}

fn record(
    kind: RecordKind,
    data: &Map<String, Value>,
    context: &ImportContext<'_>,
) -> Result<Record, DecodeError> {
    let stamps = stamps::read(data, context.now)?;
    Ok(match kind {
        RecordKind::LegalEntity => Record::LegalEntity(flat::legal_entity(data, stamps)?),
        RecordKind::Division => Record::Division(flat::division(data, stamps)?),
        RecordKind::Contract => Record::Contract(flat::contract(data, stamps)?),
        RecordKind::ContractDivision => Record::ContractDivision(flat::contract_division(data, stamps)?),
        RecordKind::DeviceDispense => Record::DeviceDispense(dispense::read(data, stamps, context)?),
    })
}

#[cfg(test)]
mod tests;
