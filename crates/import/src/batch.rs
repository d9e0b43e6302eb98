use esoz_kernel::{Put, StoreError, StoreErrorKind};

use crate::ports::ImportPorts;
use crate::{Record, RecordKind};

/// Records of one kind that are stored together, with their line numbers.
#[derive(Default)]
pub(crate) struct Batch {
    records: Vec<Record>,
    /// The line numbers, in order.
    pub(crate) lines: Vec<u64>,
    /// The size of the lines in bytes.
    pub(crate) bytes: usize,
}

impl Batch {
    /// The kind of the records; `None` when there are none.
    pub(crate) fn kind(&self) -> Option<RecordKind> {
        self.records.first().map(Record::kind)
    }

    /// Adds a record. A record of another kind starts a new batch; the previous one is returned and must be stored first.
    #[must_use]
    pub(crate) fn push(&mut self, record: Record, line: u64, bytes: usize) -> Option<Self> {
        let before = self.kind().filter(|kind| *kind != record.kind()).map(|_| std::mem::take(self));
        self.records.push(record);
        self.lines.push(line);
        self.bytes = self.bytes.saturating_add(bytes);
        before
    }

    /// Stores the records; returns one outcome for each, in order.
    pub(crate) async fn store(self, ports: &ImportPorts) -> Result<Vec<Put>, StoreError> {
        macro_rules! all {
            ($kind:ident) => {{
                let of_kind = |record| if let Record::$kind(record) = record { Some(record) } else { None };
                self.records.into_iter().filter_map(of_kind).collect::<Vec<_>>()
            }};
        }
        let answers = match self.kind() {
            None => Ok(Vec::new()),
            Some(RecordKind::LegalEntity) => {
                ports.legal_entities.put_legal_entities(&all!(LegalEntity)).await
            }
            Some(RecordKind::Division) => ports.contracts.put_divisions(&all!(Division)).await,
            Some(RecordKind::Contract) => ports.contracts.put_contracts(&all!(Contract)).await,
            Some(RecordKind::ContractDivision) => {
                ports.contracts.put_contract_divisions(&all!(ContractDivision)).await
            }
            Some(RecordKind::DeviceDispense) => ports.dispenses.put_dispenses(&all!(DeviceDispense)).await,
        }?;
        let (got, expected) = (answers.len(), self.lines.len());
        if got == expected {
            return Ok(answers);
        }
        let attempted = format!("loading: it gave {got} answers for {expected} records");
        Err(StoreError::new(StoreErrorKind::Unexpected, attempted))
    }
}
