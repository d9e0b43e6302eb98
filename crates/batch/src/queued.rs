//! A job in the queue, and the way of its answer to the caller.

use std::time::Instant;

use esoz_kernel::{StoreError, StoreErrorKind};
use tokio::sync::oneshot;

/// A job in the queue, with the caller that waits for its answer.
pub struct Queued<J, A> {
    pub(crate) job: J,
    pub(crate) since: Instant,
    pub(crate) reply: ReplySender<A>,
}

/// Sends the answer to the caller of a job.
pub struct ReplySender<A>(pub(crate) oneshot::Sender<Result<A, Dropped>>);

impl<A> ReplySender<A> {
    /// Sends the answer. Does nothing when the caller has given up.
    pub fn send(self, answer: A) {
        // Fails only when the caller no longer waits.
        drop(self.0.send(Ok(answer)));
    }
}

/// Receives the answer to a job.
pub struct ReplyReceiver<A>(oneshot::Receiver<Result<A, Dropped>>);

impl<A> ReplyReceiver<A> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// [`Dropped`] when the job gets no answer.
    pub async fn answer(self) -> Result<A, Dropped> {
        self.0.await.unwrap_or(Err(Dropped::Aborted))
    }
}

impl<J, A> Queued<J, A> {
    /// Pairs a job with the receiver of its answer. [`Batcher`](crate::Batcher) creates these; tests of a [`BatchExecutor`](crate::BatchExecutor) do as well.
    pub fn new(job: J) -> (Self, ReplyReceiver<A>) {
        let (sender, receiver) = oneshot::channel();
        (Self { job, since: Instant::now(), reply: ReplySender(sender) }, ReplyReceiver(receiver))
    }

    /// The job.
    pub fn job(&self) -> &J {
        &self.job
    }

    /// The job and the sender of its answer.
    pub fn into_parts(self) -> (J, ReplySender<A>) {
        (self.job, self.reply)
    }
}

/// Why a job got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// It waited longer than [`Limits::queue_timeout`](crate::Limits::queue_timeout). Nothing was executed.
    #[error("it waited longer than its queue timeout, and was not executed")]
    QueueTimeout,
    /// Its batch ended by a panic or with the runtime. Whether the job took effect is unknown.
    #[error("its batch was aborted; whether it was executed is unknown")]
    Aborted,
}

impl Dropped {
    /// The error of the store, which tells what was attempted.
    pub fn during(self, attempted: impl Into<String>) -> StoreError {
        let kind = match self {
            Self::QueueTimeout => StoreErrorKind::Unavailable,
            Self::Aborted => StoreErrorKind::Unexpected,
        };
        StoreError::new(kind, attempted).because(self)
    }
}
