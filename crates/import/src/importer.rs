use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use esoz_kernel::Timestamp;

use crate::dry_run::KnownIds;
use crate::outcome::Outcome;
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
    is_dry_run: bool,
}

impl Importer {
    /// Creates an importer that refuses unknown fields, pseudonyms and digests.
    pub fn new(ports: ImportPorts, limits: ImportLimits) -> Self {
        let (unknown_fields, pseudonymous_lines) = (UnknownFields::Refuse, PseudonymousLines::Refuse);
        Self { ports, limits, unknown_fields, pseudonymous_lines, is_dry_run: false }
    }

    /// Sets how unknown fields of a dispense are handled.
    #[must_use]
    pub fn with_unknown_fields(self, unknown_fields: UnknownFields) -> Self {
        Self { unknown_fields, ..self }
    }

    /// Sets how lines with a pseudonym in the place of a patient, or the digest of a taxpayer number in its place, are handled.
    #[must_use]
    pub fn with_pseudonymous_lines(self, pseudonymous_lines: PseudonymousLines) -> Self {
        Self { pseudonymous_lines, ..self }
    }

    /// Sets whether [`run`](Self::run) only checks: it parses every line, encodes dispenses, looks whether what a line refers to is in the
    /// input before it or in the stores, and writes nothing. It does not find what only a write finds: that another active contract division has the same contract
    /// and division, or another party the same user.
    #[must_use]
    pub fn with_dry_run(self, is_dry_run: bool) -> Self {
        Self { is_dry_run, ..self }
    }

    /// Imports all lines. A batch holds consecutive lines, whatever their kinds. Within a batch records
    /// are stored kind by kind, in the order of [`crate::RecordKind`]; dispenses in the order of their ids, those of every other kind in
    /// the order of their lines. Blank lines are skipped and bad lines reported; neither ends the import.
    ///
    /// `progress` is called after each batch, which ends with [`ImportLimits::max_batch_records`] bad lines as well, and at the end.
    ///
    /// A thread of its own reads the input. It ends soon after the import or, if it waits for input then, with the input. Waiting for it blocks
    /// the thread of the caller, but never while a store is at work.
    ///
    /// # Errors
    /// [`ImportError`] when the input cannot be read or a store fails. What was imported before stays.
    pub async fn run(
        &self,
        input: impl BufRead + Send + 'static,
        mut progress: impl FnMut(&Progress<'_>),
    ) -> Result<Report, ImportError> {
        let batches = self.read(input)?;
        let mut report = Report::default();
        let mut dry_run = self.is_dry_run.then(|| KnownIds::new(&self.ports));
        loop {
            let read = batches.recv().unwrap_or_else(|_| Err(panicked(report.lines)));
            let ReadBatch { mut batch, lines, bytes, is_last } = read?;
            let mut bad_lines = std::mem::take(&mut batch.bad_lines);
            let (first_line, last_line) = batch.line_range.unwrap_or_default();
            let outcomes = match &mut dry_run {
                None => {
                    let failed = |source| ImportError::Store { first_line, last_line, source };
                    batch.store(&self.ports).await.map_err(failed)?
                }
                Some(known) => {
                    let failed = |source| ImportError::Check { first_line, last_line, source };
                    batch.check(known).await.map_err(failed)?
                }
            };
            for Outcome { line, kind, result } in outcomes {
                if let Some(reason) = report.totals.entry(kind).or_default().count(result) {
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

    /// Reads an input batch by batch: the next one while one is stored, and no more.
    fn read(
        &self,
        input: impl BufRead + Send + 'static,
    ) -> Result<Receiver<Result<ReadBatch, ImportError>>, ImportError> {
        let (importer, now) = (self.clone(), self.ports.clock.now());
        // A batch is handed over only when it is wanted.
        let (sender, batches) = sync_channel(0);
        let read = move || {
            let (limits, dispenses) = (importer.limits, &*importer.ports.dispenses);
            let mut reader = BatchReader::new(input, limits, importer.context(now), dispenses);
            loop {
                let batch = reader.next();
                let is_last = batch.as_ref().map_or(true, |batch| batch.is_last);
                if sender.send(batch).is_err() || is_last {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("esoz-import-reader".to_owned()).spawn(read);
        thread.map_err(|error| {
            let why = format!("the thread that reads the input cannot be started: {error}");
            ImportError::Read { line: 1, source: io::Error::new(error.kind(), why) }
        })?;
        Ok(batches)
    }

    fn context(&self, now: Timestamp) -> ImportContext<'_> {
        let (unknown_fields, pseudonymous_lines) = (self.unknown_fields, self.pseudonymous_lines);
        let (pseudonyms, drfo_digests) = (&*self.ports.pseudonyms, &*self.ports.drfo_digests);
        ImportContext { now, pseudonyms, drfo_digests, unknown_fields, pseudonymous_lines }
    }
}

fn panicked(lines: u64) -> ImportError {
    let source = io::Error::other("the thread that reads the input panicked");
    ImportError::Read { line: lines.saturating_add(1), source }
}

#[cfg(test)]
mod tests;
