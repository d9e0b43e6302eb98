use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord};
use esoz_device_dispense::{DeviceRequestRecord, DispenseRegistry, EncodedDispense};
use esoz_kernel::{Put, StoreError, StoreErrorKind};
use esoz_legal_entity::LegalEntityRecord;
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registry,
};

use crate::dry_run::KnownIds;
use crate::outcome::{LineResult, Outcome};
use crate::ports::ImportPorts;
use crate::{BadLine, Record, RecordKind};

/// Consecutive lines that are stored together: records of any kind, and the lines that are bad already.
#[derive(Default)]
pub(crate) struct Batch {
    legal_entities: Numbered<LegalEntityRecord>,
    divisions: Numbered<DivisionRecord>,
    contracts: Numbered<ContractRecord>,
    contract_divisions: Numbered<ContractDivision>,
    persons: Numbered<PersonRecord>,
    parties: Numbered<PartyRecord>,
    employees: Numbered<EmployeeRecord>,
    medical_programs: Numbered<MedicalProgramRecord>,
    device_definitions: Numbered<DeviceDefinitionRecord>,
    program_devices: Numbered<ProgramDeviceRecord>,
    device_requests: Numbered<DeviceRequestRecord>,
    dispenses: Numbered<EncodedDispense>,
    /// Dispenses that the store cannot hold.
    refused: Vec<Outcome>,
    /// The number of records.
    pub(crate) records: usize,
    /// The size of the records' lines in bytes.
    pub(crate) bytes: usize,
    /// Lines that hold no record, in order.
    pub(crate) bad_lines: Vec<BadLine>,
    /// The line numbers of the first and the last record.
    pub(crate) line_range: Option<(u64, u64)>,
}

/// Records of one kind, with their line numbers.
struct Numbered<Record> {
    records: Vec<Record>,
    lines: Vec<u64>,
}

impl<Record> Default for Numbered<Record> {
    fn default() -> Self {
        Self { records: Vec::new(), lines: Vec::new() }
    }
}

impl<Record> Numbered<Record> {
    fn push(&mut self, record: Record, line: u64) {
        self.records.push(record);
        self.lines.push(line);
    }
}

impl Batch {
    /// Adds the record of a line.
    pub(crate) fn push(&mut self, record: Record, line: u64, bytes: usize, dispenses: &dyn DispenseRegistry) {
        match record {
            Record::LegalEntity(record) => self.legal_entities.push(record, line),
            Record::Division(record) => self.divisions.push(record, line),
            Record::Contract(record) => self.contracts.push(record, line),
            Record::ContractDivision(record) => self.contract_divisions.push(record, line),
            Record::Person(record) => self.persons.push(record, line),
            Record::Party(record) => self.parties.push(record, line),
            Record::Employee(record) => self.employees.push(record, line),
            Record::MedicalProgram(record) => self.medical_programs.push(record, line),
            Record::DeviceDefinition(record) => self.device_definitions.push(record, line),
            Record::ProgramDevice(record) => self.program_devices.push(record, line),
            Record::DeviceRequest(record) => self.device_requests.push(record, line),
            // Encoded here: the record is many small pieces, which take far more memory.
            Record::DeviceDispense(record) => match dispenses.encode(&record) {
                Ok(encoded) => self.dispenses.push(encoded, line),
                Err(reason) => {
                    let (kind, result) = (RecordKind::DeviceDispense, LineResult::Put(Put::Refused(reason)));
                    self.refused.push(Outcome { line, kind, result });
                }
            },
        }
        self.records += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let (first, _) = self.line_range.unwrap_or((line, line));
        self.line_range = Some((first, line));
    }

    /// Puts the dispenses into the order of their ids, of which a store has an index: neighbours come into one insert or transaction, which
    /// writes their page once. The sort is stable, so of two with one id the first is stored.
    pub(crate) fn sort_dispenses(&mut self) {
        let Numbered { records, lines } = std::mem::take(&mut self.dispenses);
        let mut numbered: Vec<_> = records.into_iter().zip(lines).collect();
        numbered.sort_by_key(|(dispense, _)| dispense.id);
        (self.dispenses.records, self.dispenses.lines) = numbered.into_iter().unzip();
    }

    /// Stores the records kind by kind, in the order of [`RecordKind`], so that a record can refer to an earlier line of the batch. Returns
    /// one outcome for each.
    pub(crate) async fn store(self, ports: &ImportPorts) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = self.refused;
        macro_rules! put {
            ($kind:ident: $field:ident, |$records:ident| $put:expr) => {
                let Numbered { records: $records, lines } = self.$field;
                if !lines.is_empty() {
                    let puts = $put.await?;
                    require_one_each(puts.len(), lines.len())?;
                    let kind = RecordKind::$kind;
                    outcomes.extend(lines.into_iter().zip(puts).map(|(line, put)| Outcome {
                        line,
                        kind,
                        result: LineResult::Put(put),
                    }));
                }
            };
        }
        let ImportPorts { legal_entities, contracts, registries, device_requests, dispenses, .. } = ports;
        put!(LegalEntity: legal_entities, |records| legal_entities.put_legal_entities(&records));
        put!(Division: divisions, |records| contracts.put_divisions(&records));
        put!(Contract: contracts, |records| contracts.put_contracts(&records));
        put!(ContractDivision: contract_divisions, |records| contracts.put_contract_divisions(&records));
        put!(Person: persons, |records| Registry::<PersonRecord>::put(&**registries, &records));
        put!(Party: parties, |records| Registry::<PartyRecord>::put(&**registries, &records));
        put!(Employee: employees, |records| Registry::<EmployeeRecord>::put(&**registries, &records));
        put!(MedicalProgram: medical_programs, |records| Registry::<MedicalProgramRecord>::put(&**registries, &records));
        put!(DeviceDefinition: device_definitions, |records| Registry::<DeviceDefinitionRecord>::put(&**registries, &records));
        put!(ProgramDevice: program_devices, |records| Registry::<ProgramDeviceRecord>::put(&**registries, &records));
        put!(DeviceRequest: device_requests, |records| device_requests.put(&records));
        put!(DeviceDispense: dispenses, |records| dispenses.put_encoded(records));
        Ok(outcomes)
    }

    /// Checks in the same order that what the records refer to is there, and stores nothing. Returns one outcome for each.
    pub(crate) async fn check(self, known: &mut KnownIds<'_>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = self.refused;
        macro_rules! check {
            ($($kind:ident: $field:ident;)+) => {$(
                let Numbered { records, lines } = self.$field;
                for (record, line) in records.into_iter().zip(lines) {
                    let result = known.check(&Record::$kind(record)).await?;
                    outcomes.push(Outcome { line, kind: RecordKind::$kind, result });
                }
            )+};
        }
        check! {
            LegalEntity: legal_entities;
            Division: divisions;
            Contract: contracts;
            ContractDivision: contract_divisions;
            Person: persons;
            Party: parties;
            Employee: employees;
            MedicalProgram: medical_programs;
            DeviceDefinition: device_definitions;
            ProgramDevice: program_devices;
            DeviceRequest: device_requests;
        }
        // No store checks what a dispense refers to.
        outcomes.extend(self.dispenses.lines.into_iter().map(|line| Outcome {
            line,
            kind: RecordKind::DeviceDispense,
            result: LineResult::Valid,
        }));
        Ok(outcomes)
    }
}

fn require_one_each(answers: usize, records: usize) -> Result<(), StoreError> {
    if answers == records {
        return Ok(());
    }
    let attempted = format!("loading: it gave {answers} answers for {records} records");
    Err(StoreError::new(StoreErrorKind::Unexpected, attempted))
}
