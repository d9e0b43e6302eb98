//! Writes log lines beside the code that logs them: a reader of the log who stalls stops nothing else.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most bytes of lines that wait for the reader. A line for which there is no room is dropped.
const CAPACITY_BYTES: usize = 2 << 20;

/// The pause before an output in non-blocking mode that is full (EAGAIN) is tried again. Whoever shares standard error may have set the mode; the
/// writing thread is the only one that pauses.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The number of lines that this process dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Returns the number of log lines that this process dropped.
pub(crate) fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Takes log lines, one for each call of `write`, for a thread that writes them. Never waits for it.
#[derive(Clone)]
pub(super) struct LineWriter(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// Notified when there is something to write, and when nothing will follow.
    filled: Condvar,
    /// Notified when everything is written and nothing will follow.
    finished: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The size of the lines that are being written.
    writing_bytes: usize,
    /// Lines that were dropped since the writing thread asked last.
    dropped: u64,
    is_closing: bool,
    is_finished: bool,
}

impl LineWriter {
    /// Starts the thread that writes to the output. When it can write again, it reports how many lines were dropped before.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        report: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let writer = Self(Arc::default());
        let queue = writer.0.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || queue.run(output, report))?;
        Ok(writer)
    }

    /// Writes what is waiting, for at most that long. Later lines are not written.
    pub(super) fn close(&self, within: Duration) {
        let mut state = self.0.state();
        state.is_closing = true;
        self.0.filled.notify_one();
        // Gives up on a full pipe: the program ends all the same.
        drop(self.0.finished.wait_timeout_while(state, within, |state| !state.is_finished));
    }
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.waiting.len() + state.writing_bytes + line.len() > CAPACITY_BYTES {
            state.dropped += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
        } else {
            state.waiting.extend_from_slice(line);
        }
        drop(state);
        self.0.filled.notify_one();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines until the queue is closed and empty.
    fn run(&self, mut output: impl Write, report: impl Fn(u64)) {
        let (mut lines, mut unreported, mut is_cut) = (Vec::new(), 0, false);
        while self.take(&mut lines, &mut unreported) {
            let lost = write_lines(&mut output, &lines, &mut is_cut);
            DROPPED.fetch_add(lost, Ordering::Relaxed);
            self.state().writing_bytes = 0;
            unreported += lost;
            if lost == 0 && unreported > 0 {
                report(std::mem::take(&mut unreported));
            }
        }
    }

    /// Waits for lines, takes them, and adds the number of dropped ones. Returns whether more may follow.
    fn take(&self, lines: &mut Vec<u8>, dropped: &mut u64) -> bool {
        lines.clear();
        let is_idle = |state: &mut State| state.waiting.is_empty() && state.dropped == 0 && !state.is_closing;
        let waited = self.filled.wait_while(self.state(), is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.waiting.is_empty() && state.dropped == 0 {
            state.is_finished = true;
            self.finished.notify_all();
            return false;
        }
        std::mem::swap(lines, &mut state.waiting);
        state.writing_bytes = lines.len();
        *dropped += std::mem::take(&mut state.dropped);
        true
    }
}

/// Writes lines. Returns how many were lost because the output failed. `is_cut` says whether the last one before was written in part, and then
/// whether one of these was: another line must not continue it.
fn write_lines(output: &mut impl Write, lines: &[u8], is_cut: &mut bool) -> u64 {
    *is_cut = *is_cut && write_until_failure(output, b"\n") == 0;
    let written = if *is_cut { 0 } else { write_until_failure(output, lines) };
    let (written, lost) = lines.split_at_checked(written).unwrap_or_default();
    *is_cut |= !lost.is_empty() && written.last().is_some_and(|byte| *byte != b'\n');
    let lost = lost.split(|byte| *byte == b'\n').count() - 1;
    u64::try_from(lost).unwrap_or(u64::MAX)
}

/// Returns how many bytes were written before the output failed.
fn write_until_failure(output: &mut impl Write, bytes: &[u8]) -> usize {
    let mut left = bytes;
    while !left.is_empty() {
        match output.write(left) {
            Ok(0) => break,
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_PAUSE),
            Err(_) => break,
        }
    }
    bytes.len() - left.len()
}

#[cfg(test)]
#[path = "line_writer_tests.rs"]
mod tests;
