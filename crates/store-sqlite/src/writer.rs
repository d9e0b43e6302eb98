use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::connection::{self, is_clean};
use crate::error::{SqliteError, driver_failed};
use crate::opened_file::OpenedFile;
use crate::settings::SqliteSettings;

/// The most writes in one batch. Writes that arrive during a commit form the next batch, so a batch is about as large as the number of
/// concurrent callers; each write costs well under a tenth of the commit.
const MAX_BATCH: usize = 64;

type Change = Box<dyn Fn(&mut SqliteConnection) -> Result<(), SqliteError> + Send>;

/// A queued write.
struct Job {
    attempted: String,
    change: Change,
    /// Whether it may share a transaction with others, and run again when that is rolled back.
    may_share: bool,
    since: Instant,
    /// Dropping it tells the caller that the write broke off.
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Job {
    /// The job, if it is to be run: not when the caller is gone. One that waited longer than the queue time-out is rejected.
    fn if_due(self, queue_timeout: Duration) -> Option<Self> {
        if self.answer.is_closed() {
            return None;
        }
        if self.since.elapsed() > queue_timeout {
            let late = unavailable(&self.attempted, "it was queued for too long");
            self.reply(Err(late));
            return None;
        }
        Some(self)
    }

    fn reply(self, outcome: Result<(), StoreError>) {
        // Fails only when the caller no longer waits.
        drop(self.answer.send(outcome));
    }
}

/// The single writer of the file: a thread with its own connection and a bounded queue, first in, first out.
///
/// SQLite allows one writer at a time. A queued write blocks no thread, and a caller that is dropped neither interrupts a transaction nor
/// leaves one open: its write runs completely, or, while it is still queued, not at all.
///
/// Writes that are queued at the same time share a transaction and its sync to disk. When one of them fails, the transaction is rolled back
/// and each runs in a transaction of its own, so that none fails because of another.
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped and the queue is empty.
    pub(crate) fn start(
        settings: &SqliteSettings,
        file: &Arc<OpenedFile>,
        connection: SqliteConnection,
    ) -> Result<Self, StoreError> {
        let most = usize::try_from(settings.max_waiting_writes).unwrap_or(usize::MAX);
        let (jobs, waiting) = mpsc::channel(most);
        let (settings, file) = (settings.clone(), file.clone());
        thread::Builder::new()
            .name("esoz-sqlite-writer".to_owned())
            .spawn(move || run_writer(waiting, &settings, &file, connection))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Unexpected, "starting the thread that writes").because(error)
            })?;
        Ok(Self { jobs })
    }

    /// The number of queued writes.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Runs a write inside a `BEGIN IMMEDIATE` transaction: what it reads cannot change before it commits. Commits when the write returns
    /// `Ok`, else rolls back. `Ok` here means that it is on disk.
    ///
    /// Other queued writes may share the transaction, and the write may then run again in a transaction of its own.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        attempted: impl Into<String>,
        change: impl Fn(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.enqueue(attempted.into(), change, true).await
    }

    /// Runs a write in a transaction that no other shares: for one that takes long.
    pub(crate) async fn write_unshared<T: Send + 'static>(
        &self,
        attempted: impl Into<String>,
        change: impl Fn(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.enqueue(attempted.into(), change, false).await
    }

    async fn enqueue<T: Send + 'static>(
        &self,
        attempted: String,
        change: impl Fn(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
        may_share: bool,
    ) -> Result<T, StoreError> {
        // What the write returned when it ran last.
        let returned = Arc::new(Mutex::new(None));
        let last = Arc::clone(&returned);
        let change = Box::new(move |connection: &mut SqliteConnection| {
            let value = change(connection)?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        });
        let (answer, answered) = oneshot::channel();
        let job = Job { attempted: attempted.clone(), change, may_share, since: Instant::now(), answer };
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable(&attempted, "too many writes are waiting already"),
            TrySendError::Closed(_) => unavailable(&attempted, "the thread that writes has ended"),
        })?;
        let aborted =
            || StoreError::new(StoreErrorKind::Unexpected, attempted.clone()).because("the write broke off");
        answered.await.unwrap_or_else(|_| Err(aborted()))?;
        returned.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(aborted)
    }
}

fn unavailable(attempted: &str, why: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, attempted).because(why)
}

fn in_transaction<T>(
    connection: &mut SqliteConnection,
    attempted: &str,
    change: impl FnOnce(&mut SqliteConnection) -> Result<T, SqliteError>,
) -> Result<T, StoreError> {
    // SQLite ends a transaction itself when, for example, the disk is full; then the rollback fails, and must not hide the cause.
    let mut cause = None;
    let result: Result<T, SqliteError> = connection.immediate_transaction(|connection| {
        change(connection).map_err(|error| {
            cause = Some(error.during(attempted));
            SqliteError::Driver(diesel::result::Error::RollbackTransaction)
        })
    });
    result.map_err(|error| cause.unwrap_or_else(|| error.during(attempted)))
}

/// Runs queued writes until the queue is closed: one alone, several as a batch.
fn run_writer(
    mut waiting: mpsc::Receiver<Job>,
    settings: &SqliteSettings,
    file: &OpenedFile,
    connection: SqliteConnection,
) {
    let mut writer = WriteConnection { settings, file, ready: Some(connection) };
    // A write that was dequeued for a batch and may not share one.
    let mut next: Option<Job> = None;
    while let Some(job) = next.take().or_else(|| waiting.blocking_recv()) {
        let Some(job) = job.if_due(settings.busy_timeout()) else { continue };
        // A batch of one would only be slower.
        if waiting.is_empty() || !job.may_share {
            writer.write_one(job);
        } else {
            next = writer.write_batch(job, &mut waiting);
        }
    }
}

/// The connection for writing; opened anew after one that was not clean.
struct WriteConnection<'a> {
    settings: &'a SqliteSettings,
    file: &'a OpenedFile,
    ready: Option<SqliteConnection>,
}

impl WriteConnection<'_> {
    /// Uses the connection. One with an open transaction afterwards is closed, which rolls back, and the next write gets a new one. `None`
    /// when `work` panicked.
    fn with<T>(&mut self, work: impl FnOnce(&mut SqliteConnection) -> T) -> Result<Option<T>, StoreError> {
        self.file.check("writing to the database")?;
        let ready = self.ready.take();
        let mut connection = ready.map_or_else(|| connection::for_writing(self.settings), Ok)?;
        let Ok(done) = catch_unwind(AssertUnwindSafe(|| work(&mut connection))) else {
            tracing::error!("a write to SQLite panicked; it was taken back and its connection closed");
            return Ok(None);
        };
        if is_clean(&mut connection) {
            self.ready = Some(connection);
        }
        Ok(Some(done))
    }

    /// Closes the connection after a write that found the store unavailable: one that was opened while the file was read-only stays so.
    fn reopen_after(&mut self, outcome: &Result<(), StoreError>) {
        if outcome.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unavailable) {
            self.ready = None;
        }
    }

    fn write_one(&mut self, job: Job) {
        match self.with(|connection| in_transaction(connection, &job.attempted, &job.change)) {
            Ok(Some(outcome)) => {
                self.reopen_after(&outcome);
                job.reply(outcome);
            }
            Ok(None) => drop(job),
            Err(error) => job.reply(Err(error)),
        }
    }

    /// Runs this write, and those that are queued until it is done, in one transaction. Returns one that was dequeued and may not share it.
    fn write_batch(&mut self, first: Job, waiting: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let mut jobs = vec![first];
        let (mut unshared, mut has_begun) = (None, false);
        let queue_timeout = self.settings.busy_timeout();
        let batch_result = self.with(|connection| {
            connection.immediate_transaction(|connection| {
                has_begun = true;
                let mut done = 0;
                while let Some(job) = jobs.get(done) {
                    if (job.change)(connection).is_err() {
                        return Err(diesel::result::Error::RollbackTransaction);
                    }
                    done += 1;
                    // Dequeued only now: while the first waits for the lock, the others count as waiting.
                    while done == jobs.len()
                        && done < MAX_BATCH
                        && unshared.is_none()
                        && let Ok(job) = waiting.try_recv()
                    {
                        if job.may_share {
                            jobs.extend(job.if_due(queue_timeout));
                        } else {
                            unshared = Some(job);
                        }
                    }
                }
                Ok(())
            })
        });
        match batch_result {
            Ok(Some(Ok(()))) => jobs.into_iter().for_each(|job| job.reply(Ok(()))),
            // The transaction was not begun, so the first is the only one.
            Ok(Some(Err(error))) if !has_begun => {
                if let Some(first) = jobs.pop() {
                    let failed = Err(driver_failed(&first.attempted, error));
                    self.reopen_after(&failed);
                    first.reply(failed);
                }
            }
            // Every outcome rests on what was rolled back.
            _ => jobs.into_iter().for_each(|job| self.write_one(job)),
        }
        unshared
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
