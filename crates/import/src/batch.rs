use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord};
use esoz_device_dispense::{DispenseRegistry, EncodedDispense};
use esoz_kernel::{Put, StoreError, StoreErrorKind};
use esoz_legal_entity::LegalEntityRecord;

use crate::ports::ImportPorts;
use crate::{BadLine, Record, RecordKind};

/// Consecutive lines that are stored together: records of any kind, and the lines that are bad already.
#[derive(Default)]
pub(crate) struct Batch {
    legal_entities: Numbered<LegalEntityRecord>,
    divisions: Numbered<DivisionRecord>,
    contracts: Numbered<ContractRecord>,
    contract_divisions: Numbered<ContractDivision>,
    dispenses: Numbered<EncodedDispense>,
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

/// The outcome of storing the record of a line.
pub(crate) struct Outcome {
    pub(crate) line: u64,
    pub(crate) kind: RecordKind,
    pub(crate) put: Put,
}

impl Batch {
    /// Adds the record of a line, or the line to the bad ones if it holds a dispense that the store cannot hold.
    pub(crate) fn push(&mut self, record: Record, line: u64, bytes: usize, dispenses: &dyn DispenseRegistry) {
        match record {
            Record::LegalEntity(record) => self.legal_entities.push(record, line),
            Record::Division(record) => self.divisions.push(record, line),
            Record::Contract(record) => self.contracts.push(record, line),
            Record::ContractDivision(record) => self.contract_divisions.push(record, line),
            // Encoded here: the record is many small pieces, which take far more memory.
            Record::DeviceDispense(record) => match dispenses.encode(&record) {
                Ok(encoded) => self.dispenses.push(encoded, line),
                Err(reason) => {
                    self.bad_lines.push(BadLine { line, reason });
                    return;
                }
            },
        }
        self.records += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let (first, _) = self.line_range.unwrap_or((line, line));
        self.line_range = Some((first, line));
    }

    /// Stores the records kind by kind, in the order of [`RecordKind`], so that a record can refer to an earlier line of the batch. Returns
    /// one outcome for each.
    pub(crate) async fn store(&self, ports: &ImportPorts) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(self.records);
        macro_rules! put {
            ($kind:ident: $records:ident into $port:ident by $put:ident) => {
                let Numbered { records, lines } = &self.$records;
                if !records.is_empty() {
                    let puts = ports.$port.$put(records).await?;
                    require_one_each(puts.len(), records.len())?;
                    let kind = RecordKind::$kind;
                    outcomes.extend(lines.iter().zip(puts).map(|(&line, put)| Outcome { line, kind, put }));
                }
            };
        }
        put!(LegalEntity: legal_entities into legal_entities by put_legal_entities);
        put!(Division: divisions into contracts by put_divisions);
        put!(Contract: contracts into contracts by put_contracts);
        put!(ContractDivision: contract_divisions into contracts by put_contract_divisions);
        put!(DeviceDispense: dispenses into dispenses by put_encoded);
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
