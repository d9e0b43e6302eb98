//! The lines of the kinds whose records hold single values. Fields other than those named are refused.

use std::fmt::Display;

use esoz_contract_division::{Contract, ContractDivision, ContractRecord, Division, DivisionRecord};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{CivilDate, Stamps};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityType};
use serde_json::{Map, Value};

use super::stamps;
use crate::json::{DecodeError, boolean, day, optional, parsed, refuse_unknown, required, text};

pub(super) type Data = Map<String, Value>;

/// Declares the line of a kind: its record in terms of variables, and for each variable the field, how it is read and how it is written. The
/// one list serves both directions: what builds the record is also the pattern that takes it apart.
macro_rules! flat_line {
    (
        $read_record:ident, $write_record:ident: $type:ty = { $($record:tt)+ } with $stamps:ident;
        $($variable:ident: $field:literal = $presence:ident($read:expr), $write:ident;)+
    ) => {
        /// Reads a record, whose stamps were read before.
        pub(super) fn $read_record(data: &Data, $stamps: Stamps) -> Result<$type, DecodeError> {
            // Every kind can have the stamps as well.
            refuse_unknown(data, &[[$($field),+].as_slice(), &stamps::FIELDS].concat())?;
            $(let $variable = $presence(data, $field, $read)?;)+
            Ok($($record)+)
        }

        /// Writes a record.
        pub(super) fn $write_record(record: &$type) -> Data {
            let $($record)+ = record;
            let mut data = stamps::fields(*$stamps, rfc3339_micros);
            $(data.insert($field.to_owned(), $write($variable));)+
            data
        }
    };
}

pub(super) use flat_line;

flat_line! {
    read_legal_entity, write_legal_entity: LegalEntityRecord = {
        LegalEntityRecord { facts: LegalEntity { id, kind, status }, name, edrpou, is_active, stamps }
    } with stamps;
    id: "id" = required(parsed), display;
    kind: "type" = required(entity_type), word;
    status: "status" = required(parsed), display;
    name: "name" = required(text), display;
    edrpou: "edrpou" = required(text), display;
    is_active: "is_active" = required(boolean), json;
}

flat_line! {
    read_division, write_division: DivisionRecord = {
        DivisionRecord { facts: Division { id, legal_entity, is_active }, name, kind, status, dls_verified, stamps }
    } with stamps;
    id: "id" = required(parsed), display;
    legal_entity: "legal_entity_id" = required(parsed), display;
    is_active: "is_active" = required(boolean), json;
    name: "name" = required(text), display;
    kind: "type" = required(text), display;
    status: "status" = required(parsed), display;
    dls_verified: "dls_verified" = optional(boolean), json;
}

flat_line! {
    read_contract, write_contract: ContractRecord = {
        ContractRecord {
            facts: Contract { id, kind, contractor, is_active },
            status, contract_number, start_date, end_date, is_suspended, stamps
        }
    } with stamps;
    start_date: "start_date" = required(day), display;
    end_date: "end_date" = required(day), display;
    id: "id" = required(parsed), display;
    kind: "type" = required(parsed), display;
    contractor: "contractor_legal_entity_id" = required(parsed), display;
    is_active: "is_active" = required(boolean), json;
    status: "status" = required(parsed), display;
    contract_number: "contract_number" = required(text), display;
    is_suspended: "is_suspended" = required(boolean), json;
}

flat_line! {
    read_contract_division, write_contract_division: ContractDivision = {
        ContractDivision { id, contract_id, division_id, is_active, stamps }
    } with stamps;
    id: "id" = required(parsed), display;
    contract_id: "contract_id" = required(parsed), display;
    division_id: "division_id" = required(parsed), display;
    is_active: "is_active" = required(boolean), json;
}

/// Refuses a record that ends before it begins.
pub(super) fn require_days_in_order(start: CivilDate, end: CivilDate) -> Result<(), DecodeError> {
    let fault = || DecodeError::new("is before start_date").inside("end_date");
    (start <= end).then_some(()).ok_or_else(fault)
}

/// Refuses a contract that ends before it begins.
pub(super) fn with_days_in_order(contract: ContractRecord) -> Result<ContractRecord, DecodeError> {
    require_days_in_order(contract.start_date, contract.end_date)?;
    Ok(contract)
}

fn entity_type(value: &Value) -> Result<LegalEntityType, DecodeError> {
    text(value).map(LegalEntityType::new)
}

fn word(kind: &LegalEntityType) -> Value {
    kind.as_str().into()
}

/// Writes what is read from text.
pub(super) fn display(value: &impl Display) -> Value {
    value.to_string().into()
}

/// Writes what JSON has a type for.
pub(super) fn json<T: Copy + Into<Value>>(value: &T) -> Value {
    (*value).into()
}
