use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::TransactionManager;
use diesel::prelude::*;
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::connection;
use crate::error::SqliteError;
use crate::settings::SqliteSettings;

/// The most changes that share a commit. Those that come while one is under way are the next ones, so it is about as many as there are
/// callers at the same time; each costs well under a tenth of what the commit does.
const MAX_BATCH: usize = 64;

/// A change that waits for its turn, and answers its caller itself.
trait WriteJob: Send {
    /// Whether to begin: not when the caller has gone, nor when it has waited too long, which it then is told.
    fn is_due(&mut self) -> bool;
    /// Makes the change inside a transaction that is open, and keeps what came of it until it is told. `false` when it failed: then
    /// the transaction must be taken back.
    fn run(&mut self, connection: &mut SqliteConnection) -> bool;
    /// Makes the change in a transaction of its own; what came of it is kept until it is told.
    fn run_alone(&mut self, connection: &mut SqliteConnection);
    /// Whether it may be in one transaction with others, and be run again when that is taken back.
    fn may_share(&self) -> bool;
    /// Tells the caller what came of it.
    fn reply(&mut self);
    /// Tells the caller that it could not be begun, and why.
    fn reject(&mut self, why: SqliteError);
}

type Job = Box<dyn WriteJob>;

/// The one place that changes the file: a thread with a connection of its own, taking changes in the order of their coming.
///
/// SQLite has one writer at a time anyway. Waiting here costs no thread, and a caller that goes away meanwhile neither interrupts a
/// transaction nor leaves one open: its change runs whole, or, when its turn has not come yet, not at all.
///
/// Changes that wait at the same time share a transaction, and so the wait until it is on the disk. When any of them fails, all is taken back
/// and each is made in a transaction of its own: none fails for another's sake.
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    queue_timeout: Duration,
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped and all that waits is done.
    pub(crate) fn start(settings: &SqliteSettings, connection: SqliteConnection) -> Result<Self, StoreError> {
        let most = usize::try_from(settings.max_waiting_writes).unwrap_or(usize::MAX);
        let (jobs, waiting) = mpsc::channel(most);
        let settings = settings.clone();
        let queue_timeout = settings.queue_timeout();
        thread::Builder::new()
            .name("esoz-sqlite-writer".to_owned())
            .spawn(move || run_writer(waiting, &settings, connection))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Unexpected, "starting the thread that writes").because(error)
            })?;
        Ok(Self { jobs, queue_timeout })
    }

    /// How many changes wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Runs a change inside a transaction that has the right to write from its very start (`BEGIN IMMEDIATE`): what it reads cannot
    /// change before it commits. Commits when it returns `Ok`, else takes everything back. `Ok` here means that it is on the disk.
    ///
    /// The transaction may be shared with changes that wait at the same time, and the change be run again in one of its own.
    pub(crate) async fn write<T, F>(&self, attempted: impl Into<String>, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
    {
        self.enqueue(attempted.into(), change, true).await
    }

    /// The same in a transaction that it shares with no other: for a change that takes long.
    pub(crate) async fn write_unshared<T, F>(
        &self,
        attempted: impl Into<String>,
        change: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
    {
        self.enqueue(attempted.into(), change, false).await
    }

    async fn enqueue<T, F>(&self, attempted: String, change: F, may_share: bool) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Queued {
            attempted: attempted.clone(),
            change,
            may_share,
            since: Instant::now(),
            queue_timeout: self.queue_timeout,
            answer: Some(answer),
            outcome: None,
        };
        self.jobs.try_send(Box::new(job)).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable(&attempted, "too many writes are waiting already"),
            TrySendError::Closed(_) => unavailable(&attempted, "the thread that writes has ended"),
        })?;
        let aborted = StoreError::new(StoreErrorKind::Unexpected, attempted).because("the write broke off");
        answered.await.unwrap_or(Err(aborted))
    }
}

fn unavailable(attempted: &str, why: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, attempted).because(why)
}

struct Queued<T, F> {
    attempted: String,
    change: F,
    may_share: bool,
    since: Instant,
    queue_timeout: Duration,
    answer: Option<oneshot::Sender<Result<T, StoreError>>>,
    outcome: Option<Result<T, StoreError>>,
}

impl<T, F> WriteJob for Queued<T, F>
where
    T: Send,
    F: Fn(&mut SqliteConnection) -> Result<T, SqliteError> + Send,
{
    fn is_due(&mut self) -> bool {
        if self.answer.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return false;
        }
        let is_late = self.since.elapsed() > self.queue_timeout;
        if is_late {
            self.reject(unavailable(&self.attempted, "its turn to write came too late").into());
        }
        !is_late
    }

    fn run(&mut self, connection: &mut SqliteConnection) -> bool {
        let outcome = (self.change)(connection).map_err(|error| error.during(&self.attempted));
        self.outcome.insert(outcome).is_ok()
    }

    fn run_alone(&mut self, connection: &mut SqliteConnection) {
        self.outcome = Some(in_transaction(connection, &self.attempted, &self.change));
    }

    fn may_share(&self) -> bool {
        self.may_share
    }

    fn reply(&mut self) {
        if let (Some(answer), Some(outcome)) = (self.answer.take(), self.outcome.take()) {
            drop(answer.send(outcome));
        }
    }

    fn reject(&mut self, why: SqliteError) {
        self.outcome = Some(Err(why.during(&self.attempted)));
        self.reply();
    }
}

fn in_transaction<T>(
    connection: &mut SqliteConnection,
    attempted: &str,
    change: impl FnOnce(&mut SqliteConnection) -> Result<T, SqliteError>,
) -> Result<T, StoreError> {
    // SQLite ends a transaction itself when e.g. the disk is full; rolling back fails then, and must not hide why.
    let mut cause = None;
    let result: Result<T, SqliteError> = connection.immediate_transaction(|connection| {
        change(connection).map_err(|error| {
            cause = Some(error.during(attempted));
            SqliteError::Driver(diesel::result::Error::RollbackTransaction)
        })
    });
    result.map_err(|error| cause.unwrap_or_else(|| error.during(attempted)))
}

/// Takes one change after another, or those that wait at the same time together.
fn run_writer(mut waiting: mpsc::Receiver<Job>, settings: &SqliteSettings, connection: SqliteConnection) {
    let mut writer = WriteConnection { settings, ready: Some(connection) };
    // A change that was taken but may not be in the company that it was taken for.
    let mut next: Option<Job> = None;
    while let Some(mut job) = next.take().or_else(|| waiting.blocking_recv()) {
        if !job.is_due() {
            continue;
        }
        // Who is alone goes alone: there is nothing to share.
        if waiting.is_empty() || !job.may_share() {
            writer.write_one(job);
        } else {
            next = writer.write_batch(job, &mut waiting);
        }
    }
}

/// What writes: a connection, or none yet.
struct WriteConnection<'a> {
    settings: &'a SqliteSettings,
    ready: Option<SqliteConnection>,
}

impl WriteConnection<'_> {
    /// Uses the connection. One that may be in the middle of something afterwards is closed, which takes back what was not committed,
    /// and the next change gets a new one. `None` when it panicked.
    fn with<T>(&mut self, work: impl FnOnce(&mut SqliteConnection) -> T) -> Result<Option<T>, StoreError> {
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

    fn write_one(&mut self, mut job: Job) {
        match self.with(|connection| job.run_alone(connection)) {
            Ok(Some(())) => job.reply(),
            // Its caller learns of it when the job is dropped.
            Ok(None) => {}
            Err(error) => job.reject(error.into()),
        }
    }

    /// Makes this change and those that come until it is done, as one. Gives back one that was taken and may not be among them.
    fn write_batch(&mut self, first: Job, waiting: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let mut jobs = vec![first];
        let (mut unshared, mut has_begun) = (None, false);
        let batch_result = self.with(|connection| {
            connection.immediate_transaction(|connection| {
                has_begun = true;
                let mut done = 0;
                while let Some(job) = jobs.get_mut(done) {
                    if !job.run(connection) {
                        return Err(diesel::result::Error::RollbackTransaction);
                    }
                    done += 1;
                    // Taken only now: until the first has its turn, those that wait count as waiting.
                    if done == jobs.len() && done < MAX_BATCH {
                        unshared = take_next(&mut jobs, waiting);
                    }
                }
                Ok(())
            })
        });
        match batch_result {
            Ok(Some(Ok(()))) => jobs.iter_mut().for_each(|job| job.reply()),
            // Then it is still the first alone.
            Ok(Some(Err(error))) if !has_begun => {
                if let Some(first) = jobs.first_mut() {
                    first.reject(error.into());
                }
            }
            // What came of each rests on what was taken back.
            _ => jobs.into_iter().for_each(|job| self.write_one(job)),
        }
        unshared
    }
}

/// Adds one that is waiting and due. Gives it back when it may not share.
fn take_next(jobs: &mut Vec<Job>, waiting: &mut mpsc::Receiver<Job>) -> Option<Job> {
    while let Ok(mut job) = waiting.try_recv() {
        if !job.may_share() {
            return Some(job);
        }
        if job.is_due() {
            jobs.push(job);
            break;
        }
    }
    None
}

type Manager = <SqliteConnection as Connection>::TransactionManager;

/// Whether no transaction is open or broken.
fn is_clean(connection: &mut SqliteConnection) -> bool {
    let status = Manager::transaction_manager_status_mut(connection);
    matches!(status.transaction_depth(), Ok(None))
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
