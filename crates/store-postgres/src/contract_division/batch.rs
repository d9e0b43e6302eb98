//! Writes of contract divisions that wait at the same time share a transaction.
//!
//! Most of what a write costs is that it is made durable. So one that comes alone goes at once, and those that come while the server is at
//! it wait and share one transaction of two round trips: lock and read the facts, decide, write and commit.
//!
//! No write suffers from its company. What is together waits for no lock; of those in each other's way (the same record, pair or key)
//! only the first is in it; and if the transaction fails for the sake of one, it has changed nothing. Whoever was left out is written alone,
//! in the caller's own task and on a connection of its own, where waiting for a lock holds up nobody.

use std::collections::HashSet;

use async_trait::async_trait;
use esoz_batch::{BatchExecutor, BatchWriter, Dropped, Limits, Queued};
use esoz_contract_division::Write;
use esoz_kernel::{StoreError, StoreErrorKind};

use super::commit::{Attempt, LockWait, Outcome, Transactions};
use crate::error::Failure;
use crate::pool::Connections;

/// How often a write that goes alone is begun anew because others were quicker to take its pair or key, or because of a deadlock.
const MAX_ATTEMPTS: u32 = 5;

/// A write, and who waits to be told.
type QueuedWrite = Queued<Write, Attempt>;

/// Writes contract divisions. Clones share one queue.
#[derive(Clone)]
pub(crate) struct ContractDivisionWriter {
    batches: BatchWriter<Transactions>,
    transactions: Transactions,
}

impl ContractDivisionWriter {
    pub(crate) fn new(connections: Connections, limits: Limits) -> Self {
        let transactions = Transactions { connections };
        Self { batches: BatchWriter::new(transactions.clone(), limits), transactions }
    }

    /// How many writes wait for their turn.
    pub(crate) fn queue_len(&self) -> usize {
        self.batches.queue_len()
    }

    pub(super) async fn write(&self, write: &Write) -> Outcome {
        match self.batches.run(write).await {
            Ok(Attempt::Ended(outcome)) => outcome,
            Ok(Attempt::Contended) => self.transactions.write_waiting_for_locks(write).await,
            Err(dropped) => {
                let kind = match dropped {
                    Dropped::QueueTimeout => StoreErrorKind::Unavailable,
                    Dropped::Aborted => StoreErrorKind::Unexpected,
                };
                Err(StoreError::new(kind, attempted(write)).because(dropped))
            }
        }
    }
}

#[async_trait]
impl BatchExecutor for Transactions {
    type Job = Write;
    type Answer = Attempt;

    async fn run_one(&self, write: &Write) -> Attempt {
        match self.transact(&[write], LockWait::SkipLocked).await {
            Ok(mut attempts) => attempts.pop().unwrap_or(Attempt::Contended),
            // It was taken back because the pair or the key is taken, or whatever else is wrong with it.
            Err(failure) if failure.is_data_error() || failure.is_conflict() => Attempt::Contended,
            Err(failure) => failed(failure, write),
        }
    }

    async fn run_batch(&self, batch: Vec<QueuedWrite>) {
        let (shared, others) = split_conflicting(batch);
        let writes: Vec<&Write> = shared.iter().map(Queued::job).collect();
        match self.transact(&writes, LockWait::SkipLocked).await {
            Ok(attempts) => {
                for (queued, attempt) in shared.into_iter().zip(attempts) {
                    queued.into_parts().1.send(attempt);
                }
            }
            // Nothing was changed, for the sake of one perhaps.
            Err(failure) if failure.is_rolled_back() => reply_contended(shared),
            Err(failure) => {
                for queued in shared {
                    let (write, reply) = queued.into_parts();
                    reply.send(failed(failure.clone(), &write));
                }
            }
        }
        reply_contended(others);
    }
}

impl Transactions {
    /// Writes in a transaction of its own, which waits for whoever holds what it needs.
    async fn write_waiting_for_locks(&self, write: &Write) -> Outcome {
        let mut lost = None;
        for _ in 0..MAX_ATTEMPTS {
            match self.transact(&[write], LockWait::Wait).await.map(|mut attempts| attempts.pop()) {
                Ok(Some(Attempt::Ended(outcome))) => return outcome,
                Ok(Some(Attempt::Contended) | None) => {}
                // The next attempt sees who won.
                Err(failure) if failure.is_conflict() => lost = Some(failure),
                Err(failure) => return Err(failure.during(attempted(write))),
            }
        }
        let lost = lost.unwrap_or_else(|| Failure::conflict("what it needs changed under every attempt"));
        Err(lost.during(attempted(write)))
    }
}

/// Those that can share a transaction, and those that are in the way of one of them.
fn split_conflicting(batch: Vec<QueuedWrite>) -> (Vec<QueuedWrite>, Vec<QueuedWrite>) {
    let (mut records, mut pairs, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
    batch.into_iter().partition(|queued| {
        let Write { id, pair, idempotency, .. } = queued.job();
        let pair = pair.map(|pair| (pair.contract_id, pair.division_id));
        let key = idempotency.map(|idempotency| *idempotency.key());
        let is_first = !records.contains(id)
            && pair.is_none_or(|pair| !pairs.contains(&pair))
            && key.is_none_or(|key| !keys.contains(&key));
        if is_first {
            records.insert(*id);
            pairs.extend(pair);
            keys.extend(key);
        }
        is_first
    })
}

fn reply_contended(batch: Vec<QueuedWrite>) {
    for queued in batch {
        queued.into_parts().1.send(Attempt::Contended);
    }
}

fn failed(failure: Failure, write: &Write) -> Attempt {
    Attempt::Ended(Err(failure.during(attempted(write))))
}

/// What is said to have been attempted when a write fails.
fn attempted(write: &Write) -> String {
    format!("writing contract division {}", write.id)
}
