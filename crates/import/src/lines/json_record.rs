//! The JSON form of each record but dispenses and their requests.

use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord};
use esoz_device_dispense::{InvalidPseudonym, PatientPseudonyms, Pseudonym};
use esoz_kernel::Stamps;
use esoz_legal_entity::LegalEntityRecord;
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord,
};
use serde_json::{Map, Value};

use super::flat::Data;
use super::{flat, patient, registries, stamps};
use crate::json::DecodeError;
use crate::{ImportContext, LineError};

/// A record with a JSON form: the `data` of its line. An import, an export, and whoever answers for a registry over HTTP have the same fields.
pub trait JsonRecord: Sized {
    /// Reads a record from its fields.
    ///
    /// # Errors
    /// [`LineError`] states the first fault, and never a value.
    fn from_json(fields: &Map<String, Value>, context: &ImportContext<'_>) -> Result<Self, LineError>;

    /// Writes the fields of a record.
    ///
    /// # Errors
    /// [`InvalidPseudonym`] when the subject of a person is no pseudonym of the scheme.
    fn to_json(&self, pseudonyms: &dyn PatientPseudonyms) -> Result<Map<String, Value>, InvalidPseudonym>;
}

/// Reads and writes the fields of a record.
pub(super) trait Form: Sized {
    /// Reads a record, whose stamps were read before.
    fn read(data: &Data, stamps: Stamps, context: &ImportContext<'_>) -> Result<Self, DecodeError>;

    /// Writes a record.
    ///
    /// # Errors
    /// When the subject of a person is no pseudonym of the scheme.
    fn write(&self, pseudonyms: &dyn PatientPseudonyms) -> Result<Data, InvalidPseudonym>;
}

/// Declares the form of records: how each is read and written.
macro_rules! forms {
    ($($record:ty: $read:expr, $write:expr;)+) => {$(
        impl Form for $record {
            fn read(data: &Data, stamps: Stamps, context: &ImportContext<'_>) -> Result<Self, DecodeError> {
                let read: fn(&Data, Stamps, &ImportContext<'_>) -> _ = $read;
                read(data, stamps, context)
            }

            fn write(&self, pseudonyms: &dyn PatientPseudonyms) -> Result<Data, InvalidPseudonym> {
                let write: fn(&Self, &dyn PatientPseudonyms) -> _ = $write;
                write(self, pseudonyms)
            }
        }

        impl JsonRecord for $record {
            fn from_json(fields: &Map<String, Value>, context: &ImportContext<'_>) -> Result<Self, LineError> {
                let stamps = stamps::read(fields, context.now)?;
                Ok(Self::read(fields, stamps, context)?)
            }

            fn to_json(&self, pseudonyms: &dyn PatientPseudonyms) -> Result<Map<String, Value>, InvalidPseudonym> {
                self.write(pseudonyms)
            }
        }
    )+};
}

forms! {
    LegalEntityRecord: |data, stamps, _| flat::read_legal_entity(data, stamps),
        |record, _| Ok(flat::write_legal_entity(record));
    DivisionRecord: |data, stamps, _| flat::read_division(data, stamps), |record, _| Ok(flat::write_division(record));
    ContractRecord: |data, stamps, _| flat::with_days_in_order(flat::read_contract(data, stamps)?),
        |record, _| Ok(flat::write_contract(record));
    ContractDivision: |data, stamps, _| flat::read_contract_division(data, stamps),
        |record, _| Ok(flat::write_contract_division(record));
    PersonRecord: registries::read_person, registries::write_person;
    PartyRecord: registries::read_party, |record, _| Ok(registries::write_party(record));
    EmployeeRecord: |data, stamps, _| registries::read_employee(data, stamps),
        |record, _| Ok(registries::write_employee(record));
    MedicalProgramRecord: |data, stamps, _| registries::read_medical_program(data, stamps),
        |record, _| Ok(registries::write_medical_program(record));
    DeviceDefinitionRecord: |data, stamps, _| registries::read_device_definition(data, stamps),
        |record, _| Ok(registries::write_device_definition(record));
    ProgramDeviceRecord:
        |data, stamps, _| registries::with_days_in_order(registries::read_program_device(data, stamps)?),
        |record, _| Ok(registries::write_program_device(record));
}

/// Writes whom a person's record is about, as an export does: `id` if the scheme tells it, otherwise `subject`.
///
/// # Errors
/// [`InvalidPseudonym`] when it is no pseudonym of the scheme.
pub fn patient_fields(
    subject: &Pseudonym,
    pseudonyms: &dyn PatientPseudonyms,
) -> Result<Map<String, Value>, InvalidPseudonym> {
    let mut fields = Map::new();
    patient::write(&mut fields, registries::ID, subject, pseudonyms)?;
    Ok(fields)
}
