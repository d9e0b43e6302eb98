//! What a periodic job is.

use std::time::Duration;

use async_trait::async_trait;
use esoz_kernel::StoreError;

/// The result of a successful run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worked {
    /// More work may be waiting: the next run follows at once.
    More,
    /// No work is left; the next run follows after the pause.
    Done {
        /// The pause before the next run, unless the job is woken.
        pause: Duration,
    },
    /// There was nothing to do, and the store was not asked: an outage of it goes on.
    Idle {
        /// As of `Done`.
        pause: Duration,
    },
}

/// Why a run of a job failed.
#[derive(Debug)]
pub(crate) enum JobFailure {
    /// The store failed.
    Store(StoreError),
    /// Something else failed, which the job has logged.
    Logged,
}

impl From<StoreError> for JobFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A periodic job.
#[async_trait]
pub(crate) trait Job: Send + Sync {
    /// Its name in metrics and logs.
    fn name(&self) -> &'static str;

    /// The store that it works on.
    fn store(&self) -> &'static str;

    /// Does a bounded amount of work.
    async fn run_once(&self) -> Result<Worked, JobFailure>;

    /// Resolves when there is work before the pause is over.
    async fn woken(&self) {
        std::future::pending::<()>().await;
    }

    /// Finishes the work when the server stops.
    async fn stop(&self) {}
}
