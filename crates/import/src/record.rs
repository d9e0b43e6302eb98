use std::fmt;
use std::str::FromStr;

use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord};
use esoz_device_dispense::{Dispense, PatientPseudonyms};
use esoz_kernel::{Timestamp, UserId, Uuid};
use esoz_legal_entity::LegalEntityRecord;

/// The user of a record that names none: the nil UUID.
pub const SYSTEM_USER: UserId = UserId::new(Uuid::nil());

/// How unknown fields of a dispense are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownFields {
    /// The line is refused: a misspelt field must not be lost without notice.
    #[default]
    Refuse,
    /// They are stored unchanged, at every level, like those that other systems write.
    Keep,
}

/// The context in which lines are parsed.
#[derive(Clone, Copy)]
pub struct ImportContext<'a> {
    /// The time of a record that states none.
    pub now: Timestamp,
    /// Computes the pseudonym of a patient.
    pub pseudonyms: &'a dyn PatientPseudonyms,
    /// How unknown fields of a dispense are handled. Those of other kinds are refused: their tables cannot store them.
    pub unknown_fields: UnknownFields,
}

/// The record of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A legal entity.
    LegalEntity(LegalEntityRecord),
    /// A division.
    Division(DivisionRecord),
    /// A contract.
    Contract(ContractRecord),
    /// A contract division.
    ContractDivision(ContractDivision),
    /// A device dispense.
    DeviceDispense(Dispense),
}

impl Record {
    /// Its kind.
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::LegalEntity(_) => RecordKind::LegalEntity,
            Self::Division(_) => RecordKind::Division,
            Self::Contract(_) => RecordKind::Contract,
            Self::ContractDivision(_) => RecordKind::ContractDivision,
            Self::DeviceDispense(_) => RecordKind::DeviceDispense,
        }
    }
}

/// The kind of a record, in an order in which they can be imported: no record refers to one of a later kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// `legal_entity`.
    LegalEntity,
    /// `division`.
    Division,
    /// `contract`.
    Contract,
    /// `contract_division`.
    ContractDivision,
    /// `device_dispense`.
    DeviceDispense,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::LegalEntity, Self::Division, Self::Contract, Self::ContractDivision, Self::DeviceDispense];

    /// The value of `kind` in a line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LegalEntity => "legal_entity",
            Self::Division => "division",
            Self::Contract => "contract",
            Self::ContractDivision => "contract_division",
            Self::DeviceDispense => "device_dispense",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The word is not a kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of legal_entity, division, contract, contract_division, device_dispense")]
pub struct UnknownKind;

impl FromStr for RecordKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}
