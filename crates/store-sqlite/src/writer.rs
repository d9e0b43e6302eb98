use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::TransactionManager;
use diesel::prelude::*;
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::connection;
use crate::error::Trouble;
use crate::settings::SqliteSettings;

/// A change that waits for its turn. It is given the connection to write with, or why there is none, and answers its caller itself.
type Job = Box<dyn FnOnce(Result<&mut SqliteConnection, StoreError>) + Send>;

/// The one place that changes the file: a thread with a connection of its own, taking changes in the order of their coming.
///
/// SQLite has one writer at a time anyway. Waiting here costs no thread, and a caller that goes away meanwhile neither interrupts a
/// transaction nor leaves one open: its change runs whole, or, when its turn has not come yet, not at all.
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    patience: Duration,
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped and all that waits is done.
    pub(crate) fn start(settings: &SqliteSettings, connection: SqliteConnection) -> Result<Self, StoreError> {
        let most = usize::try_from(settings.max_waiting_writes).unwrap_or(usize::MAX);
        let (jobs, waiting) = mpsc::channel(most);
        let settings = settings.clone();
        let patience = settings.patience();
        thread::Builder::new()
            .name("esoz-sqlite-writer".to_owned())
            .spawn(move || serve(waiting, &settings, connection))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Unexpected, "starting the thread that writes").because(error)
            })?;
        Ok(Self { jobs, patience })
    }

    /// How many changes wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Runs a change inside a transaction that has the right to write from its very start (`BEGIN IMMEDIATE`): what it reads cannot
    /// change before it commits. Commits when it returns `Ok`, else takes everything back. `Ok` here means that it is on the disk.
    pub(crate) async fn write<T, F>(&self, attempted: impl Into<String>, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, Trouble> + Send + 'static,
    {
        let attempted = attempted.into();
        let unavailable =
            |why: &'static str| StoreError::new(StoreErrorKind::Unavailable, attempted.clone()).because(why);
        let (answer, answered) = oneshot::channel();
        let (since, patience) = (Instant::now(), self.patience);
        let job: Job = {
            let (attempted, too_late) = (attempted.clone(), unavailable("its turn to write came too late"));
            Box::new(move |connection| {
                if answer.is_closed() {
                    return; // The caller has gone, and nothing was begun.
                }
                let result = if since.elapsed() > patience {
                    Err(too_late)
                } else {
                    connection.and_then(|connection| transact(connection, &attempted, change))
                };
                drop(answer.send(result));
            })
        };
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable("too many writes are waiting already"),
            TrySendError::Closed(_) => unavailable("the thread that writes has ended"),
        })?;
        answered.await.map_err(|_| {
            StoreError::new(StoreErrorKind::Unexpected, attempted.clone()).because("the write broke off")
        })?
    }
}

fn transact<T>(
    connection: &mut SqliteConnection,
    attempted: &str,
    change: impl FnOnce(&mut SqliteConnection) -> Result<T, Trouble>,
) -> Result<T, StoreError> {
    // SQLite ends a transaction itself when e.g. the disk is full; rolling back fails then, and must not hide why.
    let mut cause = None;
    let result: Result<T, Trouble> = connection.immediate_transaction(|connection| {
        change(connection).map_err(|trouble| {
            cause = Some(trouble.while_(attempted));
            Trouble::Driver(diesel::result::Error::RollbackTransaction)
        })
    });
    result.map_err(|trouble| cause.unwrap_or_else(|| trouble.while_(attempted)))
}

/// Takes one change after another. A connection that may be in the middle of something is closed, which takes back what was not
/// committed, and the next change gets a new one.
fn serve(mut waiting: mpsc::Receiver<Job>, settings: &SqliteSettings, connection: SqliteConnection) {
    let mut ready = Some(connection);
    while let Some(job) = waiting.blocking_recv() {
        let mut connection = match ready.take().map_or_else(|| connection::for_writing(settings), Ok) {
            Ok(connection) => connection,
            Err(error) => {
                job(Err(error));
                continue;
            }
        };
        let ran = catch_unwind(AssertUnwindSafe(|| job(Ok(&mut connection))));
        if ran.is_err() {
            tracing::error!("a write to SQLite panicked; it was taken back and its connection closed");
        } else if is_clean(&mut connection) {
            ready = Some(connection);
        }
    }
}

type Manager = <SqliteConnection as Connection>::TransactionManager;

/// Whether no transaction is open or broken.
fn is_clean(connection: &mut SqliteConnection) -> bool {
    let status = Manager::transaction_manager_status_mut(connection);
    matches!(status.transaction_depth(), Ok(None))
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection as _;

    use super::*;

    fn connection() -> SqliteConnection {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection.batch_execute("CREATE TABLE filling (it TEXT)").unwrap();
        connection
    }

    const FILL: &str = "PRAGMA max_page_count = 10; INSERT INTO filling VALUES (zeroblob(100000))";

    #[test]
    fn a_full_disk_is_unavailable_and_leaves_a_clean_connection() {
        let mut connection = connection();
        let error =
            transact(&mut connection, "filling the disk", |connection| Ok(connection.batch_execute(FILL)?))
                .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert_eq!(error.to_string(), "the store is unavailable while filling the disk");
    }

    #[test]
    fn a_transaction_that_sqlite_ended_itself_still_says_why() {
        let mut connection = connection();
        // ON CONFLICT ROLLBACK ends the transaction behind diesel's back, as some failures of the disk do.
        let ended = "CREATE TABLE once (it INTEGER UNIQUE ON CONFLICT ROLLBACK);
            INSERT INTO once VALUES (1); INSERT INTO once VALUES (1)";
        let error =
            transact(&mut connection, "writing twice", |connection| Ok(connection.batch_execute(ended)?))
                .unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "UNIQUE constraint failed: once.it");
    }

    #[test]
    fn a_connection_in_the_middle_of_something_is_not_clean() {
        let mut connection = connection();
        assert!(is_clean(&mut connection));
        Manager::begin_transaction(&mut connection).unwrap();
        assert!(!is_clean(&mut connection));
    }

    #[tokio::test]
    async fn after_a_panic_the_next_write_finds_the_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let settings = SqliteSettings::at(dir.path().join("esoz.db"));
        crate::migrate(&settings).unwrap();
        let writer = Writer::start(&settings, connection::for_writing(&settings).unwrap()).unwrap();
        let insert = "INSERT INTO users (id) VALUES ('once')";
        let broken: Result<(), StoreError> = writer
            .write("panicking", move |connection| {
                connection.batch_execute(insert)?;
                panic!("on purpose");
            })
            .await;
        assert_eq!(broken.unwrap_err().kind(), StoreErrorKind::Unexpected);
        // The same key again would be refused if the first had stayed.
        writer.write("writing", move |connection| Ok(connection.batch_execute(insert)?)).await.unwrap();
    }
}
