use std::io::BufRead;
use std::sync::Arc;

use esoz_contract_division::ContractRegistry;
use esoz_device_dispense::{DispenseRegistry, PatientPseudonyms};
use esoz_kernel::Clock;
use esoz_legal_entity::LegalEntityRegistry;

use crate::batch::Batch;
use crate::input::{InputLine, InputLines};
use crate::{BadLine, ImportContext, ImportError, Progress, Record, Report, UnknownFields, parse_line};

/// Where records go, and what they are read with.
#[derive(Clone)]
pub struct ImportPorts {
    /// Takes legal entities.
    pub legal_entities: Arc<dyn LegalEntityRegistry>,
    /// Takes divisions, contracts and contract divisions.
    pub contracts: Arc<dyn ContractRegistry>,
    /// Takes dispenses.
    pub dispenses: Arc<dyn DispenseRegistry>,
    /// What stands for a patient in the store.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// What time it is when the import begins.
    pub clock: Arc<dyn Clock>,
}

/// How much is held in memory at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportLimits {
    /// The most bytes of a line; a longer one is a bad line.
    pub max_line_bytes: usize,
    /// The most records that go to a store together.
    pub max_batch_records: usize,
    /// How many bytes of lines go to a store together; the last of these lines may go beyond.
    pub max_batch_bytes: usize,
    /// The most bad lines that the report lists. All of them are counted, and all are told as progress.
    pub max_listed_bad_lines: usize,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            max_line_bytes: 1 << 20,
            max_batch_records: 500,
            max_batch_bytes: 8 << 20,
            max_listed_bad_lines: 1_000,
        }
    }
}

/// Loads lines into the stores.
#[derive(Clone)]
pub struct Importer {
    ports: ImportPorts,
    limits: ImportLimits,
    unknown_fields: UnknownFields,
}

impl Importer {
    /// Builds it on its ports.
    pub fn new(ports: ImportPorts, limits: ImportLimits) -> Self {
        Self { ports, limits, unknown_fields: UnknownFields::Refuse }
    }

    /// The same, but for what becomes of fields of a dispense that its form lacks.
    #[must_use]
    pub fn with_unknown_fields(self, unknown_fields: UnknownFields) -> Self {
        Self { unknown_fields, ..self }
    }

    /// Loads all lines, in their order; consecutive records of one kind go to their store together. Blank lines are passed over, bad
    /// lines reported, and neither stops it.
    ///
    /// `progress` is called after each round trip to a store, after each so many bad lines in a row as a batch has records, and
    /// at the end. Reading blocks the thread, as reading from a file does.
    ///
    /// # Errors
    /// [`ImportError`] when the input cannot be read or a store fails. What was loaded before stays.
    pub async fn run(
        &self,
        input: impl BufRead,
        progress: impl FnMut(&Progress<'_>),
    ) -> Result<Report, ImportError> {
        let now = self.ports.clock.now();
        let unknown_fields = self.unknown_fields;
        let context = ImportContext { now, pseudonyms: &*self.ports.pseudonyms, unknown_fields };
        let mut lines = InputLines::new(input, self.limits.max_line_bytes);
        let mut run = Run::new(self, progress);
        loop {
            let line = lines.lines().saturating_add(1);
            let read = match lines.next().map_err(|source| ImportError::Read { line, source })? {
                None => break,
                Some(InputLine::Whole(bytes)) => read(bytes, line, &context),
                Some(InputLine::TooLong) => {
                    Err(format!("has more than {} bytes", self.limits.max_line_bytes))
                }
            };
            run.seen = Seen { lines: line, bytes: lines.bytes() };
            match read {
                Ok(Some((record, bytes))) => run.add(record, bytes).await?,
                Ok(None) => {}
                Err(reason) => run.refuse(reason).await?,
            }
        }
        run.finish().await
    }
}

/// Reads the record of a line, with the number of its bytes; `None` when it is blank, the reason when it is bad.
fn read(bytes: &[u8], line: u64, context: &ImportContext<'_>) -> Result<Option<(Record, usize)>, String> {
    let text = str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    // Some editors begin a file with this mark.
    let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let record = parse_line(text, context).map_err(|error| error.to_string())?;
    Ok(Some((record, bytes.len())))
}

/// How much of the input was read.
#[derive(Clone, Copy, Default)]
struct Seen {
    lines: u64,
    bytes: u64,
}

/// One run of an import.
struct Run<'a, P> {
    importer: &'a Importer,
    progress: P,
    seen: Seen,
    batch: Batch,
    /// Bad lines that were not reported yet: those that were read since the batch began, so that all come in order.
    bad_lines: Vec<BadLine>,
    report: Report,
}

impl<'a, P: FnMut(&Progress<'_>)> Run<'a, P> {
    fn new(importer: &'a Importer, progress: P) -> Self {
        let (seen, bad_lines, report) = (Seen::default(), Vec::new(), Report::default());
        Self { importer, progress, seen, batch: Batch::empty(), bad_lines, report }
    }

    /// Takes the record of the line seen last.
    async fn add(&mut self, record: Record, bytes: usize) -> Result<(), ImportError> {
        if let Some(before) = self.batch.push(record, self.seen.lines, bytes) {
            self.store(before).await?;
        }
        let limits = &self.importer.limits;
        if self.batch.lines().len() >= limits.max_batch_records
            || self.batch.bytes() >= limits.max_batch_bytes
        {
            self.flush().await?;
        }
        Ok(())
    }

    /// Notes that the line seen last is bad.
    async fn refuse(&mut self, reason: String) -> Result<(), ImportError> {
        self.bad_lines.push(BadLine { line: self.seen.lines, reason });
        if self.bad_lines.len() >= self.importer.limits.max_batch_records {
            self.flush().await?;
        }
        Ok(())
    }

    /// Stores what has gathered, and tells.
    async fn flush(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::replace(&mut self.batch, Batch::empty());
        self.store(batch).await
    }

    /// Stores a batch, and tells.
    async fn store(&mut self, batch: Batch) -> Result<(), ImportError> {
        if let (Some(first_line), Some(last_line)) = (batch.lines().first(), batch.lines().last()) {
            let (first_line, last_line) = (*first_line, *last_line);
            let answers = batch.store(&self.importer.ports).await.map_err(|source| ImportError::Store {
                first_line,
                last_line,
                source,
            })?;
            for (line, put) in batch.lines().iter().zip(answers) {
                if let Some(reason) = self.report.totals.count(batch.kind(), put) {
                    self.bad_lines.push(BadLine { line: *line, reason });
                }
            }
        }
        self.tell();
        Ok(())
    }

    /// Tells how far loading is, and moves the bad lines to the report.
    fn tell(&mut self) {
        self.bad_lines.sort_by_key(|bad| bad.line);
        let Seen { lines, bytes } = self.seen;
        let (totals, bad_lines) = (&self.report.totals, self.bad_lines.as_slice());
        (self.progress)(&Progress { lines, bytes, totals, bad_lines });
        let report = &mut self.report;
        let count = u64::try_from(bad_lines.len()).unwrap_or(u64::MAX);
        report.bad_lines = report.bad_lines.saturating_add(count);
        let room = self.importer.limits.max_listed_bad_lines.saturating_sub(report.listed_bad_lines.len());
        report.listed_bad_lines.extend(self.bad_lines.drain(..).take(room));
    }

    async fn finish(mut self) -> Result<Report, ImportError> {
        self.flush().await?;
        self.report.lines = self.seen.lines;
        Ok(self.report)
    }
}

#[cfg(test)]
#[path = "importer_tests.rs"]
mod tests;
