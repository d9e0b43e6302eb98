//! Writes lines that an import takes back.

use std::collections::BTreeMap;

use esoz_device_dispense::PatientPseudonyms;
use esoz_kernel::{StoreError, Timestamp};
use esoz_signed_content::DrfoDigests;
use serde_json::{Map, Value};

use super::flat::Data;
use super::json_record::Form;
use super::{device_request, dispense, parse_line};
use crate::json::DecodeError;
use crate::{ImportContext, LineError, PseudonymousLines, Record, UnknownFields};

/// A line of an export, without its end.
#[derive(Debug)]
pub(crate) struct ExportLine {
    pub(crate) text: String,
    /// Why an import refuses the line; `None`: it takes the line and stores the same record.
    pub(crate) refused: Option<LineError>,
}

/// Writes the line of a record. The line is parsed as in an import, which refuses what other systems may have stored and stores some of it in
/// another form: then the line has that form, so that an export of the imported record is the same line. Its length is not checked: the
/// limit is an option of the import.
///
/// # Errors
/// [`StoreError`] of kind corrupt when the subject of a person, a dispense or a device request is no pseudonym of the scheme. It is not written: it may be anything.
pub(crate) fn export_line(
    record: &Record,
    pseudonyms: &dyn PatientPseudonyms,
    drfo_digests: &dyn DrfoDigests,
) -> Result<ExportLine, StoreError> {
    let (text, without_place) = line(record, pseudonyms)?;
    if let Some(refused) = without_place {
        return Ok(ExportLine { text, refused: Some(refused.inside("data").into()) });
    }
    let context = ImportContext {
        // Not used: a record without stamps has returned above.
        now: Timestamp::MIN,
        pseudonyms,
        drfo_digests,
        unknown_fields: UnknownFields::Keep,
        pseudonymous_lines: PseudonymousLines::Accept,
    };
    match parse_line(&text, &context) {
        Err(refused) => Ok(ExportLine { text, refused: Some(refused) }),
        Ok(imported) if imported == *record => Ok(ExportLine { text, refused: None }),
        Ok(imported) => line(&imported, pseudonyms).map(|(text, _)| ExportLine { text, refused: None }),
    }
}

/// Writes the line of a record as it is stored. Returns it with the first problem that an import would have.
fn line(
    record: &Record,
    pseudonyms: &dyn PatientPseudonyms,
) -> Result<(String, Option<DecodeError>), StoreError> {
    fn written<R: Form>(record: &R, pseudonyms: &dyn PatientPseudonyms) -> Result<Data, StoreError> {
        // Only a person has a pseudonym.
        let corrupt = |_| StoreError::corrupt("persons", "(its pseudonym is not shown)", "subject");
        record.write(pseudonyms).map_err(corrupt)
    }
    let (data, problem) =
        match record {
            Record::LegalEntity(record) => (written(record, pseudonyms)?, None),
            Record::Division(record) => (written(record, pseudonyms)?, None),
            Record::Contract(record) => (written(record, pseudonyms)?, None),
            Record::ContractDivision(record) => (written(record, pseudonyms)?, None),
            Record::Person(record) => (written(record, pseudonyms)?, None),
            Record::Party(record) => (written(record, pseudonyms)?, None),
            Record::Employee(record) => (written(record, pseudonyms)?, None),
            Record::MedicalProgram(record) => (written(record, pseudonyms)?, None),
            Record::DeviceDefinition(record) => (written(record, pseudonyms)?, None),
            Record::ProgramDevice(record) => (written(record, pseudonyms)?, None),
            Record::DeviceRequest(record) => device_request::write(record, pseudonyms)
                .map(|data| (data, None))
                .map_err(|_| StoreError::corrupt("device_requests", record.facts.id, "subject"))?,
            Record::DeviceDispense(record) => dispense::write(record, pseudonyms)
                .map_err(|_| StoreError::corrupt("device_dispenses", record.id, "subject"))?,
        };
    let text = format!(r#"{{"kind":"{}","data":{}}}"#, record.kind(), sorted(data));
    Ok((text, problem))
}

/// The object with its fields, at every level, in the order of their names: the order in which a store has them differs from store to store.
fn sorted(fields: Map<String, Value>) -> Value {
    fn ordered(value: Value) -> Value {
        match value {
            Value::Object(fields) => sorted(fields),
            Value::Array(items) => items.into_iter().map(ordered).collect(),
            other => other,
        }
    }
    let fields: BTreeMap<String, Value> =
        fields.into_iter().map(|(name, value)| (name, ordered(value))).collect();
    Value::Object(fields.into_iter().collect())
}
