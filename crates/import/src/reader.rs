use std::io::BufRead;

use esoz_device_dispense::DispenseRegistry;

use crate::batch::Batch;
use crate::input::{InputLine, InputLines, too_long};
use crate::{BadLine, ImportContext, ImportError, ImportLimits, Record, parse_line};

/// Reads an input batch by batch.
pub(crate) struct BatchReader<'a, R> {
    input: InputLines<R>,
    limits: ImportLimits,
    context: ImportContext<'a>,
    dispenses: &'a dyn DispenseRegistry,
}

/// A batch, and how far the input was read with it.
pub(crate) struct ReadBatch {
    pub(crate) batch: Batch,
    /// Lines read.
    pub(crate) lines: u64,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Whether nothing follows.
    pub(crate) is_last: bool,
}

impl<'a, R: BufRead> BatchReader<'a, R> {
    pub(crate) fn new(
        input: R,
        limits: ImportLimits,
        context: ImportContext<'a>,
        dispenses: &'a dyn DispenseRegistry,
    ) -> Self {
        let input = InputLines::new(input, limits.max_line_bytes);
        Self { input, limits, context, dispenses }
    }

    /// Reads the next batch. Blocks the thread.
    ///
    /// # Errors
    /// [`ImportError::Read`]; the lines before it that were in no batch are lost.
    pub(crate) fn next(&mut self) -> Result<ReadBatch, ImportError> {
        let mut batch = Batch::default();
        let mut is_last = false;
        while !is_last && !self.is_complete(&batch) {
            is_last = !self.read_line(&mut batch)?;
        }
        batch.sort_dispenses();
        Ok(ReadBatch { batch, lines: self.input.lines(), bytes: self.input.bytes(), is_last })
    }

    fn is_complete(&self, batch: &Batch) -> bool {
        let limits = &self.limits;
        batch.bytes >= limits.max_batch_bytes
            || batch.records.max(batch.bad_lines.len()) >= limits.max_batch_records.max(1)
    }

    /// Reads a line into the batch; returns whether there was one.
    fn read_line(&mut self, batch: &mut Batch) -> Result<bool, ImportError> {
        let line = self.input.lines().saturating_add(1);
        let read = match self.input.next().map_err(|source| ImportError::Read { line, source })? {
            None => return Ok(false),
            Some(InputLine::Whole(bytes)) => {
                parse(bytes, line, &self.context).map(|record| record.map(|record| (record, bytes.len())))
            }
            Some(InputLine::TooLong) => Err(too_long(self.limits.max_line_bytes)),
        };
        match read {
            Ok(Some((record, bytes))) => batch.push(record, line, bytes, self.dispenses),
            Ok(None) => {}
            Err(reason) => batch.bad_lines.push(BadLine { line, reason }),
        }
        Ok(true)
    }
}

/// Parses a line. Returns the record, `None` for a blank line, or the reason why it is bad.
fn parse(bytes: &[u8], line: u64, context: &ImportContext<'_>) -> Result<Option<Record>, String> {
    let text = str::from_utf8(bytes)
        .map_err(|_| "is not UTF-8; a compressed file must be unpacked first".to_owned())?;
    // Some editors write a byte order mark.
    let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    parse_line(text, context).map(Some).map_err(|error| error.to_string())
}
