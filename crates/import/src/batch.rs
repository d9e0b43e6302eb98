use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord};
use esoz_device_dispense::Dispense;
use esoz_kernel::{Put, StoreError, StoreErrorKind};
use esoz_legal_entity::LegalEntityRecord;

use crate::{ImportPorts, Record, RecordKind};

/// Records of one kind.
enum Records {
    LegalEntities(Vec<LegalEntityRecord>),
    Divisions(Vec<DivisionRecord>),
    Contracts(Vec<ContractRecord>),
    ContractDivisions(Vec<ContractDivision>),
    DeviceDispenses(Vec<Dispense>),
}

impl From<Record> for Records {
    fn from(record: Record) -> Self {
        match record {
            Record::LegalEntity(record) => Self::LegalEntities(vec![record]),
            Record::Division(record) => Self::Divisions(vec![record]),
            Record::Contract(record) => Self::Contracts(vec![record]),
            Record::ContractDivision(record) => Self::ContractDivisions(vec![record]),
            Record::DeviceDispense(record) => Self::DeviceDispenses(vec![record]),
        }
    }
}

/// Records of one kind that are stored together, with their line numbers.
pub(crate) struct Batch {
    records: Records,
    lines: Vec<u64>,
    /// The size of the lines in bytes.
    bytes: usize,
}

impl Batch {
    /// Creates an empty batch.
    pub(crate) const fn empty() -> Self {
        Self { records: Records::LegalEntities(Vec::new()), lines: Vec::new(), bytes: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) const fn kind(&self) -> RecordKind {
        match self.records {
            Records::LegalEntities(_) => RecordKind::LegalEntity,
            Records::Divisions(_) => RecordKind::Division,
            Records::Contracts(_) => RecordKind::Contract,
            Records::ContractDivisions(_) => RecordKind::ContractDivision,
            Records::DeviceDispenses(_) => RecordKind::DeviceDispense,
        }
    }

    /// The line numbers, in order.
    pub(crate) fn lines(&self) -> &[u64] {
        &self.lines
    }

    /// The size of the lines in bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a record. A record of another kind starts a new batch; the previous one is returned and must be stored first.
    #[must_use]
    pub(crate) fn push(&mut self, record: Record, line: u64, bytes: usize) -> Option<Self> {
        match (&mut self.records, record) {
            (Records::LegalEntities(records), Record::LegalEntity(record)) => records.push(record),
            (Records::Divisions(records), Record::Division(record)) => records.push(record),
            (Records::Contracts(records), Record::Contract(record)) => records.push(record),
            (Records::ContractDivisions(records), Record::ContractDivision(record)) => records.push(record),
            (Records::DeviceDispenses(records), Record::DeviceDispense(record)) => records.push(record),
            (_, record) => {
                let begun = Self { records: record.into(), lines: vec![line], bytes };
                return Some(std::mem::replace(self, begun)).filter(|before| !before.is_empty());
            }
        }
        self.lines.push(line);
        self.bytes = self.bytes.saturating_add(bytes);
        None
    }

    /// Stores the records; returns one outcome for each, in order.
    pub(crate) async fn store(&self, ports: &ImportPorts) -> Result<Vec<Put>, StoreError> {
        let answers = match &self.records {
            Records::LegalEntities(records) => ports.legal_entities.put_legal_entities(records).await,
            Records::Divisions(records) => ports.contracts.put_divisions(records).await,
            Records::Contracts(records) => ports.contracts.put_contracts(records).await,
            Records::ContractDivisions(records) => ports.contracts.put_contract_divisions(records).await,
            Records::DeviceDispenses(records) => ports.dispenses.put_dispenses(records).await,
        }?;
        let (got, expected) = (answers.len(), self.lines.len());
        if got == expected {
            return Ok(answers);
        }
        let attempted = format!("loading: it gave {got} answers for {expected} records");
        Err(StoreError::new(StoreErrorKind::Unexpected, attempted))
    }
}
