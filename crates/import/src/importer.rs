use std::io::BufRead;

use crate::batch::Batch;
use crate::input::{InputLine, InputLines};
use crate::ports::ImportPorts;
use crate::{
    BadLine, ImportContext, ImportError, Progress, PseudonymousLines, Record, Report, UnknownFields,
    parse_line,
};

/// Bounds of the memory that an import uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportLimits {
    /// The maximum length of a line in bytes; a longer one is a bad line.
    pub max_line_bytes: usize,
    /// The maximum number of records in a batch.
    pub max_batch_records: usize,
    /// The size of a batch in bytes of its lines; its last line may exceed it.
    pub max_batch_bytes: usize,
    /// The maximum number of bad lines in the report. All of them are counted and passed to the progress callback.
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

/// Imports NDJSON into the stores.
#[derive(Clone)]
pub struct Importer {
    ports: ImportPorts,
    limits: ImportLimits,
    unknown_fields: UnknownFields,
    pseudonymous_lines: PseudonymousLines,
}

impl Importer {
    /// Creates an importer that refuses unknown fields and pseudonyms.
    pub fn new(ports: ImportPorts, limits: ImportLimits) -> Self {
        let (unknown_fields, pseudonymous_lines) = (UnknownFields::Refuse, PseudonymousLines::Refuse);
        Self { ports, limits, unknown_fields, pseudonymous_lines }
    }

    /// Sets how unknown fields of a dispense are handled.
    #[must_use]
    pub fn with_unknown_fields(self, unknown_fields: UnknownFields) -> Self {
        Self { unknown_fields, ..self }
    }

    /// Sets how lines with a pseudonym in the place of a patient are handled.
    #[must_use]
    pub fn with_pseudonymous_lines(self, pseudonymous_lines: PseudonymousLines) -> Self {
        Self { pseudonymous_lines, ..self }
    }

    /// Imports all lines in order. Consecutive records of one kind form a batch. Blank lines are skipped and bad lines reported; neither
    /// ends the import.
    ///
    /// `progress` is called after each batch, after each [`ImportLimits::max_batch_records`] bad lines in a row, and at the end. Reading the
    /// input blocks the thread.
    ///
    /// # Errors
    /// [`ImportError`] when the input cannot be read or a store fails. What was imported before stays.
    pub async fn run(
        &self,
        input: impl BufRead,
        progress: impl FnMut(&Progress<'_>),
    ) -> Result<Report, ImportError> {
        let now = self.ports.clock.now();
        let (unknown_fields, pseudonymous_lines) = (self.unknown_fields, self.pseudonymous_lines);
        let pseudonyms = &*self.ports.pseudonyms;
        let context = ImportContext { now, pseudonyms, unknown_fields, pseudonymous_lines };
        let input = InputLines::new(input, self.limits.max_line_bytes);
        let (batch, bad_lines, report) = (Batch::default(), Vec::new(), Report::default());
        let mut run = Run { importer: self, input, progress, batch, bad_lines, report };
        loop {
            let line = run.input.lines().saturating_add(1);
            let read = match run.input.next().map_err(|source| ImportError::Read { line, source })? {
                None => break,
                Some(InputLine::Whole(bytes)) => read(bytes, line, &context),
                Some(InputLine::TooLong) => {
                    Err(format!("has more than {} bytes", self.limits.max_line_bytes))
                }
            };
            match read {
                Ok(Some((record, bytes))) => run.add(record, bytes).await?,
                Ok(None) => {}
                Err(reason) => run.refuse(reason).await?,
            }
        }
        run.flush().await?;
        run.report.lines = run.input.lines();
        Ok(run.report)
    }
}

/// Parses a line. Returns the record and the number of bytes, `None` for a blank line, or the reason why it is bad.
fn read(bytes: &[u8], line: u64, context: &ImportContext<'_>) -> Result<Option<(Record, usize)>, String> {
    let text = str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    // Some editors write a byte order mark.
    let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let record = parse_line(text, context).map_err(|error| error.to_string())?;
    Ok(Some((record, bytes.len())))
}

/// One run of an import.
struct Run<'a, R, P> {
    importer: &'a Importer,
    input: InputLines<R>,
    progress: P,
    batch: Batch,
    /// Bad lines since the batch began, not reported yet so that all are reported in order.
    bad_lines: Vec<BadLine>,
    report: Report,
}

impl<R: BufRead, P: FnMut(&Progress<'_>)> Run<'_, R, P> {
    /// Adds the record of the current line to the batch.
    async fn add(&mut self, record: Record, bytes: usize) -> Result<(), ImportError> {
        if let Some(before) = self.batch.push(record, self.input.lines(), bytes) {
            self.store(before).await?;
        }
        let limits = &self.importer.limits;
        if self.batch.lines.len() >= limits.max_batch_records || self.batch.bytes >= limits.max_batch_bytes {
            self.flush().await?;
        }
        Ok(())
    }

    /// Adds the current line to the bad lines.
    async fn refuse(&mut self, reason: String) -> Result<(), ImportError> {
        self.bad_lines.push(BadLine { line: self.input.lines(), reason });
        if self.bad_lines.len() >= self.importer.limits.max_batch_records {
            self.flush().await?;
        }
        Ok(())
    }

    /// Stores the current batch and reports progress.
    async fn flush(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.batch);
        self.store(batch).await
    }

    /// Stores a batch and reports progress.
    async fn store(&mut self, batch: Batch) -> Result<(), ImportError> {
        let (kind, lines) = (batch.kind(), batch.lines.clone());
        if let (Some(kind), Some(&first_line), Some(&last_line)) = (kind, lines.first(), lines.last()) {
            let failed = |source| ImportError::Store { first_line, last_line, source };
            let answers = batch.store(&self.importer.ports).await.map_err(failed)?;
            for (line, put) in lines.into_iter().zip(answers) {
                if let Some(reason) = self.report.totals.entry(kind).or_default().count(put) {
                    self.bad_lines.push(BadLine { line, reason });
                }
            }
        }
        self.report_progress();
        Ok(())
    }

    /// Reports progress and moves the bad lines to the report.
    fn report_progress(&mut self) {
        self.bad_lines.sort_by_key(|bad| bad.line);
        let (lines, bytes) = (self.input.lines(), self.input.bytes());
        let (totals, bad_lines) = (&self.report.totals, self.bad_lines.as_slice());
        (self.progress)(&Progress { lines, bytes, totals, bad_lines });
        let report = &mut self.report;
        let count = u64::try_from(bad_lines.len()).unwrap_or(u64::MAX);
        report.bad_lines = report.bad_lines.saturating_add(count);
        let room = self.importer.limits.max_listed_bad_lines.saturating_sub(report.listed_bad_lines.len());
        report.listed_bad_lines.extend(self.bad_lines.drain(..).take(room));
    }
}

#[cfg(test)]
#[path = "importer_tests.rs"]
mod tests;
