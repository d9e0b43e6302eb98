use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use esoz_kernel::{ScanCursor, ScanPage, StoreError};
use esoz_registries::{Registry, RegistryRecords};

use crate::lines::{ExportLine, export_line};
use crate::ports::{ImportPorts, PAGE_RECORDS};
use crate::{Record, RecordKind};

/// Exports the records of the stores as NDJSON that an [`Importer`](crate::Importer) takes back.
///
/// Memory is bounded by a page of records, except that contract divisions are read in one go, before everything else: some 250 bytes each.
/// The stores may be in use: each record is written once, as it was at some time during the export, and no record refers to one that comes
/// later or is missing, unless it was imported during the export.
#[derive(Clone)]
pub struct Exporter {
    ports: ImportPorts,
}

/// Counts of the records of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportCounts {
    /// Records that were written.
    pub exported: u64,
    /// Of these, records whose line an import refuses.
    pub refused: u64,
    /// Records that cannot be read, and were not written.
    pub unreadable: u64,
}

impl ExportCounts {
    /// Whether every record was written, and an import takes each back.
    pub const fn is_complete(&self) -> bool {
        self.refused == 0 && self.unreadable == 0
    }
}

/// Counts by kind, of the kinds that are exported.
pub type ExportTotals = BTreeMap<RecordKind, ExportCounts>;

/// The progress of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportProgress<'a> {
    /// Counts so far.
    pub totals: &'a ExportTotals,
    /// Since the last call: the records that cannot be read, or whose line an import refuses, each by table or kind, id and field. Contains
    /// nothing else of the records.
    pub problems: &'a [String],
}

/// Why an export ended early. What was written before is not complete.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A store failed.
    #[error("the records of kind {kind} could not be read")]
    Read {
        /// The kind.
        kind: RecordKind,
        /// Why.
        source: StoreError,
    },
    /// The output could not be written.
    #[error("the output could not be written")]
    Write(#[from] io::Error),
}

impl Exporter {
    /// Creates an exporter.
    pub fn new(ports: ImportPorts) -> Self {
        Self { ports }
    }

    /// Writes all records of these kinds, a line each, ordered by kind and then by id.
    ///
    /// A person or a dispense is written with its patient if the pseudonym tells it, otherwise with the pseudonym; a party with the digest of its taxpayer number. A record that cannot be read is left
    /// out and reported; the export goes on. `progress` is called after each page. Writing blocks the thread.
    ///
    /// # Errors
    /// [`ExportError`] when a store fails or the output cannot be written.
    pub async fn run(
        &self,
        kinds: &BTreeSet<RecordKind>,
        output: impl Write,
        progress: impl FnMut(&ExportProgress<'_>),
    ) -> Result<ExportTotals, ExportError> {
        let (contracts, kind) = (&self.ports.contracts, RecordKind::ContractDivision);
        // Read first: nothing is ever deleted, so what they refer to is among what is read later.
        let contract_divisions = if kinds.contains(&kind) {
            let all = contracts.snapshot_contract_divisions().await;
            all.map_err(|source| ExportError::Read { kind, source })?
        } else {
            Vec::new()
        };
        let mut contract_divisions = contract_divisions.into_iter();
        let mut run =
            Run { exporter: self, output, progress, totals: ExportTotals::new(), problems: Vec::new() };
        for &kind in kinds {
            run.totals.insert(kind, ExportCounts::default());
            macro_rules! scan {
                ($port:ident.$scan:ident => $record:ident) => {{
                    let port = &self.ports.$port;
                    run.scan(kind, |after| port.$scan(after, PAGE_RECORDS), Record::$record).await?
                }};
            }
            match kind {
                RecordKind::LegalEntity => scan!(legal_entities.scan_legal_entities => LegalEntity),
                RecordKind::Division => scan!(contracts.scan_divisions => Division),
                RecordKind::Contract => scan!(contracts.scan_contracts => Contract),
                RecordKind::ContractDivision => {
                    run.write(kind, contract_divisions.by_ref(), Record::ContractDivision)?;
                }
                RecordKind::Person => run.scan_registry(kind, Record::Person).await?,
                RecordKind::Party => run.scan_registry(kind, Record::Party).await?,
                RecordKind::Employee => run.scan_registry(kind, Record::Employee).await?,
                RecordKind::MedicalProgram => run.scan_registry(kind, Record::MedicalProgram).await?,
                RecordKind::DeviceDefinition => run.scan_registry(kind, Record::DeviceDefinition).await?,
                RecordKind::ProgramDevice => run.scan_registry(kind, Record::ProgramDevice).await?,
                RecordKind::DeviceRequest => scan!(device_requests.scan => DeviceRequest),
                RecordKind::DeviceDispense => scan!(dispenses.scan_dispenses => DeviceDispense),
            }
        }
        run.output.flush()?;
        Ok(run.totals)
    }
}

/// One run of an export.
struct Run<'a, W, P> {
    exporter: &'a Exporter,
    output: W,
    progress: P,
    totals: ExportTotals,
    problems: Vec<String>,
}

impl<W: Write, P: FnMut(&ExportProgress<'_>)> Run<'_, W, P> {
    /// Writes all records of a kind, page by page.
    async fn scan<T, F>(
        &mut self,
        kind: RecordKind,
        page: impl Fn(Option<ScanCursor>) -> F,
        wrap: fn(T) -> Record,
    ) -> Result<(), ExportError>
    where
        F: Future<Output = Result<ScanPage<T>, StoreError>>,
    {
        let mut after = None;
        loop {
            let read = page(after).await.map_err(|source| ExportError::Read { kind, source })?;
            self.write(kind, read.records, wrap)?;
            after = read.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Writes all records of a registry, page by page.
    async fn scan_registry<T>(&mut self, kind: RecordKind, wrap: fn(T) -> Record) -> Result<(), ExportError>
    where
        dyn RegistryRecords: Registry<T>,
    {
        let registries = &self.exporter.ports.registries;
        self.scan(kind, |after| Registry::<T>::scan(&**registries, after, PAGE_RECORDS), wrap).await
    }

    /// Writes records and reports progress.
    fn write<T>(
        &mut self,
        kind: RecordKind,
        records: impl IntoIterator<Item = Result<T, StoreError>>,
        wrap: fn(T) -> Record,
    ) -> Result<(), ExportError> {
        for record in records {
            self.write_one(kind, record.map(wrap))?;
        }
        (self.progress)(&ExportProgress { totals: &self.totals, problems: &self.problems });
        self.problems.clear();
        Ok(())
    }

    fn write_one(&mut self, kind: RecordKind, record: Result<Record, StoreError>) -> Result<(), ExportError> {
        let ports = &self.exporter.ports;
        let written = record.and_then(|record| {
            let line = export_line(&record, &*ports.pseudonyms, &*ports.drfo_digests)?;
            Ok((record, line))
        });
        let counts = self.totals.entry(kind).or_default();
        match written {
            Ok((record, ExportLine { mut text, refused })) => {
                text.push('\n');
                self.output.write_all(text.as_bytes())?;
                counts.exported += 1;
                if let Some(reason) = refused {
                    counts.refused += 1;
                    // A person has no id that may be shown.
                    let record = record.id().map_or_else(|| format!("a {kind}"), |id| format!("{kind} {id}"));
                    self.problems
                        .push(format!("{record} is exported, but an import refuses its line: {reason}"));
                }
            }
            Err(unreadable) => {
                counts.unreadable += 1;
                self.problems.push(format!("not exported: {unreadable}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "exporter_tests.rs"]
mod tests;
