use std::io::BufRead;

use crate::batch::Outcome;
use crate::ports::ImportPorts;
use crate::reader::{BatchReader, ReadBatch};
use crate::{
    BadLine, ImportContext, ImportError, ImportLimits, Progress, PseudonymousLines, Report, UnknownFields,
};

/// Imports NDJSON into the stores.
#[derive(Clone)]
pub struct Importer {
    ports: ImportPorts,
    limits: ImportLimits,
    unknown_fields: UnknownFields,
    pseudonymous_lines: PseudonymousLines,
    reads_ahead: bool,
}

impl Importer {
    /// Creates an importer that refuses unknown fields and pseudonyms, and reads ahead.
    pub fn new(ports: ImportPorts, limits: ImportLimits) -> Self {
        let (unknown_fields, pseudonymous_lines) = (UnknownFields::Refuse, PseudonymousLines::Refuse);
        Self { ports, limits, unknown_fields, pseudonymous_lines, reads_ahead: true }
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

    /// Sets whether the next batch is read while one is stored. Not for an input that can pause, e.g. a pipe: reading blocks the thread, and a
    /// store that waits for an answer meanwhile would time out.
    #[must_use]
    pub fn with_read_ahead(self, reads_ahead: bool) -> Self {
        Self { reads_ahead, ..self }
    }

    /// Imports all lines. A batch holds consecutive lines, whatever their kinds. Within a batch records
    /// are stored kind by kind, in the order of [`crate::RecordKind`], and those of one kind in the order of their lines. Blank lines are
    /// skipped and bad lines reported; neither ends the import.
    ///
    /// `progress` is called after each batch, which ends with [`ImportLimits::max_batch_records`] bad lines as well, and at the end. Reading
    /// the input blocks the thread.
    ///
    /// # Errors
    /// [`ImportError`] when the input cannot be read or a store fails. What was imported before stays.
    pub async fn run(
        &self,
        input: impl BufRead,
        mut progress: impl FnMut(&Progress<'_>),
    ) -> Result<Report, ImportError> {
        let now = self.ports.clock.now();
        let (unknown_fields, pseudonymous_lines) = (self.unknown_fields, self.pseudonymous_lines);
        let pseudonyms = &*self.ports.pseudonyms;
        let context = ImportContext { now, pseudonyms, unknown_fields, pseudonymous_lines };
        let mut reader = BatchReader::new(input, self.limits, context);
        let mut report = Report::default();
        loop {
            let ReadBatch { mut batch, lines, bytes, is_last } = reader.next()?;
            let mut bad_lines = std::mem::take(&mut batch.bad_lines);
            let (first_line, last_line) = batch.line_range.unwrap_or_default();
            let store = batch.store(&self.ports);
            let stored = if self.reads_ahead { reader.read_while(store).await } else { store.await };
            let failed = |source| ImportError::Store { first_line, last_line, source };
            for Outcome { line, kind, put } in stored.map_err(failed)? {
                if let Some(reason) = report.totals.entry(kind).or_default().count(put) {
                    bad_lines.push(BadLine { line, reason });
                }
            }
            bad_lines.sort_by_key(|bad| bad.line);
            progress(&Progress { lines, bytes, totals: &report.totals, bad_lines: &bad_lines });
            report.lines = lines;
            report.add_bad_lines(bad_lines, self.limits.max_listed_bad_lines);
            if is_last {
                return Ok(report);
            }
        }
    }
}

#[cfg(test)]
mod tests;
