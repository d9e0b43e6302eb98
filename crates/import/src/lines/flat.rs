//! The lines of the kinds whose records hold single values. Fields other than those named are refused.

use std::fmt::Display;

use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractStatus, ContractType, Division, DivisionRecord,
    DivisionStatus,
};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{CivilDate, Stamps};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityStatus, LegalEntityType};
use serde_json::{Map, Value};

use super::field::LineField;
use super::field::LineFieldKind::{Boolean, Day, Text, Uuid};
use super::stamps;
use crate::json::{DecodeError, boolean, day, optional, parsed, refuse_unknown, required, text};

pub(super) type Data = Map<String, Value>;

/// Declares the line of a kind: its record in terms of variables, and for each variable the field, how it is read, how it is written, what it
/// holds and what it means. The one list serves both directions and the reference page: what builds the record is also the pattern that takes it apart.
macro_rules! flat_line {
    (
        $read_record:ident, $write_record:ident, $fields:ident: $type:ty = { $($record:tt)+ } with $stamps:ident;
        $($variable:ident: $field:literal = $presence:ident($read:expr), $write:ident, $kind:expr, $meaning:literal;)+
    ) => {
        /// The fields of its line.
        pub(super) const $fields: [LineField; [$($field),+].len()] =
            [$(LineField::$presence($field, $kind, $meaning)),+];

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

/// What a field holds that has one of an enumeration's words.
macro_rules! words {
    ($type:ty) => {
        $crate::lines::field::LineFieldKind::Words(|| <$type>::ALL.map(<$type>::as_str).to_vec())
    };
}

pub(super) use {flat_line, words};

flat_line! {
    read_legal_entity, write_legal_entity, LEGAL_ENTITY: LegalEntityRecord = {
        LegalEntityRecord { facts: LegalEntity { id, kind, status }, name, edrpou, is_active, stamps }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    name: "name" = required(text), display, Text, "";
    edrpou: "edrpou" = required(text), display, Text, "Its number in the state register of enterprises (EDRPOU).";
    kind: "type" = required(entity_type), word, Text, "For example `PHARMACY`. Which types may act is configured.";
    status: "status" = required(parsed), display, words!(LegalEntityStatus), "Only an active one may act.";
    is_active: "is_active" = required(boolean), json, Boolean, "Kept; the rules read `status`.";
}

flat_line! {
    read_division, write_division, DIVISION: DivisionRecord = {
        DivisionRecord { facts: Division { id, legal_entity, is_active }, name, kind, status, dls_verified, stamps }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    legal_entity: "legal_entity_id" = required(parsed), display, Uuid, "The legal entity that it belongs to.";
    name: "name" = required(text), display, Text, "";
    kind: "type" = required(text), display, Text, "For example `DRUGSTORE_POINT`.";
    status: "status" = required(parsed), display, words!(DivisionStatus), "";
    is_active: "is_active" = required(boolean), json, Boolean, "";
    dls_verified: "dls_verified" = optional(boolean), json, Boolean, "Whether the register of pharmacies (DLS) knows it.";
}

flat_line! {
    read_contract, write_contract, CONTRACT: ContractRecord = {
        ContractRecord {
            facts: Contract { id, kind, contractor, is_active },
            status, contract_number, start_date, end_date, is_suspended, stamps
        }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    kind: "type" = required(parsed), display, words!(ContractType), "";
    status: "status" = required(parsed), display, words!(ContractStatus), "";
    contract_number: "contract_number" = required(text), display, Text, "";
    contractor: "contractor_legal_entity_id" = required(parsed), display, Uuid, "The legal entity that provides the services.";
    start_date: "start_date" = required(day), display, Day, "Its first day.";
    end_date: "end_date" = required(day), display, Day, "Its last day; not before the first.";
    is_active: "is_active" = required(boolean), json, Boolean, "";
    is_suspended: "is_suspended" = required(boolean), json, Boolean, "";
}

flat_line! {
    read_contract_division, write_contract_division, CONTRACT_DIVISION: ContractDivision = {
        ContractDivision { id, contract_id, division_id, is_active, stamps }
    } with stamps;
    id: "id" = required(parsed), display, Uuid, "";
    contract_id: "contract_id" = required(parsed), display, Uuid, "The contract.";
    division_id: "division_id" = required(parsed), display, Uuid, "The division that provides services under it.";
    is_active: "is_active" = required(boolean), json, Boolean, "Of the records with one contract and one division, one at most is active.";
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
