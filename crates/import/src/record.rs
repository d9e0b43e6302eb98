use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord};
use esoz_device_dispense::{DeviceRequestRecord, Dispense, PatientPseudonyms};
use esoz_kernel::{Timestamp, UserId, Uuid, words};
use esoz_legal_entity::LegalEntityRecord;
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord,
};
use esoz_signed_content::DrfoDigests;

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

/// How lines with a pseudonym in the place of a patient, or with the digest of a taxpayer number in its place, are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PseudonymousLines {
    /// They are refused: a pseudonym or a digest means something only to a store with the same secret.
    #[default]
    Refuse,
    /// They are taken, if it has its form. Lines with a patient or a number are taken as well.
    Accept,
}

/// The context in which lines are parsed.
#[derive(Clone, Copy)]
pub struct ImportContext<'a> {
    /// The time of a record that states none.
    pub now: Timestamp,
    /// Computes the pseudonym of a patient.
    pub pseudonyms: &'a dyn PatientPseudonyms,
    /// Computes the digests of taxpayer numbers.
    pub drfo_digests: &'a dyn DrfoDigests,
    /// How unknown fields of a dispense are handled. Those of other kinds are refused: their tables cannot store them.
    pub unknown_fields: UnknownFields,
    /// How lines with a pseudonym or a digest are handled.
    pub pseudonymous_lines: PseudonymousLines,
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
    /// A person.
    Person(PersonRecord),
    /// A party.
    Party(PartyRecord),
    /// An employee.
    Employee(EmployeeRecord),
    /// A medical program.
    MedicalProgram(MedicalProgramRecord),
    /// A device definition.
    DeviceDefinition(DeviceDefinitionRecord),
    /// A program device.
    ProgramDevice(ProgramDeviceRecord),
    /// A device request.
    DeviceRequest(DeviceRequestRecord),
    /// A device dispense.
    DeviceDispense(Dispense),
}

impl Record {
    /// Its id; a person has none that may be shown.
    pub const fn id(&self) -> Option<Uuid> {
        Some(match self {
            Self::LegalEntity(record) => record.facts.id.uuid(),
            Self::Division(record) => record.facts.id.uuid(),
            Self::Contract(record) => record.facts.id.uuid(),
            Self::ContractDivision(record) => record.id.uuid(),
            Self::Person(_) => return None,
            Self::Party(record) => record.facts.id.uuid(),
            Self::Employee(record) => record.facts.id.uuid(),
            Self::MedicalProgram(record) => record.id.uuid(),
            Self::DeviceDefinition(record) => record.facts.id.uuid(),
            Self::ProgramDevice(record) => record.facts.id.uuid(),
            Self::DeviceRequest(record) => record.facts.id.uuid(),
            Self::DeviceDispense(record) => record.id.uuid(),
        })
    }

    /// What it refers to that its store requires to be there.
    pub(crate) fn references(&self) -> Vec<(RecordKind, Uuid)> {
        match self {
            Self::Division(record) => vec![(RecordKind::LegalEntity, record.facts.legal_entity.uuid())],
            Self::Contract(record) => vec![(RecordKind::LegalEntity, record.facts.contractor.uuid())],
            Self::ContractDivision(record) => vec![
                (RecordKind::Contract, record.contract_id.uuid()),
                (RecordKind::Division, record.division_id.uuid()),
            ],
            Self::Employee(record) => vec![
                (RecordKind::Party, record.facts.party.uuid()),
                (RecordKind::LegalEntity, record.facts.legal_entity.uuid()),
            ],
            Self::ProgramDevice(record) => vec![
                (RecordKind::MedicalProgram, record.facts.program.uuid()),
                (RecordKind::DeviceDefinition, record.facts.device_definition.uuid()),
            ],
            Self::LegalEntity(_)
            | Self::Person(_)
            | Self::Party(_)
            | Self::MedicalProgram(_)
            | Self::DeviceDefinition(_)
            | Self::DeviceRequest(_)
            | Self::DeviceDispense(_) => Vec::new(),
        }
    }

    /// Its kind.
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::LegalEntity(_) => RecordKind::LegalEntity,
            Self::Division(_) => RecordKind::Division,
            Self::Contract(_) => RecordKind::Contract,
            Self::ContractDivision(_) => RecordKind::ContractDivision,
            Self::Person(_) => RecordKind::Person,
            Self::Party(_) => RecordKind::Party,
            Self::Employee(_) => RecordKind::Employee,
            Self::MedicalProgram(_) => RecordKind::MedicalProgram,
            Self::DeviceDefinition(_) => RecordKind::DeviceDefinition,
            Self::ProgramDevice(_) => RecordKind::ProgramDevice,
            Self::DeviceRequest(_) => RecordKind::DeviceRequest,
            Self::DeviceDispense(_) => RecordKind::DeviceDispense,
        }
    }
}

words! {
    /// The kind of a record, in an order in which they can be imported: no record refers to one of a later kind. The word is the value of
    /// `kind` in a line.
    #[derive(PartialOrd, Ord)]
    pub enum RecordKind {
        /// A legal entity.
        LegalEntity = "legal_entity",
        /// A division.
        Division = "division",
        /// A contract.
        Contract = "contract",
        /// A contract division.
        ContractDivision = "contract_division",
        /// A person.
        Person = "person",
        /// A party.
        Party = "party",
        /// An employee.
        Employee = "employee",
        /// A medical program.
        MedicalProgram = "medical_program",
        /// A device definition.
        DeviceDefinition = "device_definition",
        /// A program device.
        ProgramDevice = "program_device",
        /// A device request.
        DeviceRequest = "device_request",
        /// A device dispense.
        DeviceDispense = "device_dispense",
    }
}
