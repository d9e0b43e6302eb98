use std::future::poll_fn;
use std::io::BufRead;
use std::pin::pin;

use crate::batch::Batch;
use crate::input::{InputLine, InputLines, too_long};
use crate::{BadLine, ImportContext, ImportError, ImportLimits, Record, parse_line};

/// The most lines that are read at once while a batch is being stored: the store's answer must not wait for long.
const LINES_AT_ONCE: usize = 16;

/// Reads an input batch by batch.
pub(crate) struct BatchReader<'a, R> {
    input: InputLines<R>,
    limits: ImportLimits,
    context: ImportContext<'a>,
    /// The batch that is being read.
    batch: Batch,
    /// How the input ended, once it has.
    end: Option<Result<(), ImportError>>,
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
    pub(crate) fn new(input: R, limits: ImportLimits, context: ImportContext<'a>) -> Self {
        let input = InputLines::new(input, limits.max_line_bytes);
        Self { input, limits, context, batch: Batch::default(), end: None }
    }

    /// Reads the rest of the next batch. Blocks the thread.
    ///
    /// # Errors
    /// [`ImportError::Read`]; the lines before it that were in no batch are lost.
    pub(crate) fn next(&mut self) -> Result<ReadBatch, ImportError> {
        while self.read_some() {}
        self.end = self.end.take().transpose()?.map(Ok);
        let is_last = self.end.is_some();
        let (lines, bytes) = (self.input.lines(), self.input.bytes());
        Ok(ReadBatch { batch: std::mem::take(&mut self.batch), lines, bytes, is_last })
    }

    /// Waits for a future, and reads lines of the next batch meanwhile.
    pub(crate) async fn read_while<T>(&mut self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = pin!(waiting);
        poll_fn(|task| {
            let polled = waiting.as_mut().poll(task);
            if polled.is_pending() && self.read_some() {
                // The runtime has its turn in between, so that the store gets on.
                task.waker().wake_by_ref();
            }
            polled
        })
        .await
    }

    /// Reads some lines of the next batch; returns whether it wants more.
    fn read_some(&mut self) -> bool {
        for _ in 0..LINES_AT_ONCE {
            if self.is_complete() {
                return false;
            }
            self.end = self.read_line().map(|more| (!more).then_some(())).transpose();
        }
        true
    }

    #[cfg(test)]
    pub(crate) fn lines_read(&self) -> u64 {
        self.input.lines()
    }

    fn is_complete(&self) -> bool {
        let (batch, limits) = (&self.batch, &self.limits);
        self.end.is_some()
            || batch.bytes >= limits.max_batch_bytes
            || batch.records.max(batch.bad_lines.len()) >= limits.max_batch_records.max(1)
    }

    /// Reads a line into the batch; returns whether there was one.
    fn read_line(&mut self) -> Result<bool, ImportError> {
        let line = self.input.lines().saturating_add(1);
        let read = match self.input.next().map_err(|source| ImportError::Read { line, source })? {
            None => return Ok(false),
            Some(InputLine::Whole(bytes)) => {
                parse(bytes, line, &self.context).map(|record| record.map(|record| (record, bytes.len())))
            }
            Some(InputLine::TooLong) => Err(too_long(self.limits.max_line_bytes)),
        };
        match read {
            Ok(Some((record, bytes))) => self.batch.push(record, line, bytes),
            Ok(None) => {}
            Err(reason) => self.batch.bad_lines.push(BadLine { line, reason }),
        }
        Ok(true)
    }
}

/// Parses a line. Returns the record, `None` for a blank line, or the reason why it is bad.
fn parse(bytes: &[u8], line: u64, context: &ImportContext<'_>) -> Result<Option<Record>, String> {
    let text = str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    // Some editors write a byte order mark.
    let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    parse_line(text, context).map(Some).map_err(|error| error.to_string())
}
