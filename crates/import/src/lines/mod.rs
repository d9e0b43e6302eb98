//! The form of each kind of line and its conversion to a record.

mod contract;
mod dispense;
mod legal_entity;
mod stamps;
mod unknown;

use serde::Deserialize;
use serde_json::Value;

use self::contract::{ContractDivisionLine, ContractLine, DivisionLine};
use self::legal_entity::LegalEntityLine;
use crate::json::{DecodeError, Parsed, decode, read};
use crate::{ImportContext, LineError, Record, RecordKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kind: Parsed<RecordKind>,
    data: Value,
}

/// Parses one line.
///
/// # Errors
/// [`LineError`] states the first fault.
pub fn parse_line(line: &str, context: &ImportContext<'_>) -> Result<Record, LineError> {
    let value = read(line)?;
    let Line { kind, data } = decode(&value)?;
    let record = record(kind.0, data, context).map_err(|error| error.inside("data"))?;
    Ok(record)
}

fn record(kind: RecordKind, mut data: Value, context: &ImportContext<'_>) -> Result<Record, DecodeError> {
    let stamps = stamps::take(&mut data, context.now)?;
    Ok(match kind {
        RecordKind::LegalEntity => Record::LegalEntity(decode::<LegalEntityLine>(&data)?.into_record(stamps)),
        RecordKind::Division => Record::Division(decode::<DivisionLine>(&data)?.into_record(stamps)),
        RecordKind::Contract => Record::Contract(decode::<ContractLine>(&data)?.into_record(stamps)),
        RecordKind::ContractDivision => {
            Record::ContractDivision(decode::<ContractDivisionLine>(&data)?.into_record(stamps))
        }
        RecordKind::DeviceDispense => Record::DeviceDispense(dispense::read(&data, stamps, context)?),
    })
}

#[cfg(test)]
mod tests;
