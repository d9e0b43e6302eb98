//! Group commit: concurrent writes of contract divisions share a transaction.
//!
//! Durability is most of the cost of a write. A write that arrives alone starts at once; those that arrive meanwhile are queued and share one
//! transaction of two round trips: lock and read the facts, then write what is decided and commit.
//!
//! No write fails or waits because of another one in its batch. A batch waits for no lock; of writes that conflict (the same record, pair or
//! key) it contains only the first; and if one write makes the transaction fail, everything is rolled back. A write that was left out runs
//! again in the caller's task, in a transaction of its own, which may wait for locks.

use std::collections::HashSet;

use async_trait::async_trait;
use esoz_batch::{BatchExecutor, Batcher, Limits, Queued};
use esoz_contract_division::Write;

use super::commit::{Attempt, LockWait, Outcome, Transactions};
use crate::error::Failure;
use crate::pool::Connections;

/// Attempts of a write in a transaction of its own; each is lost to a concurrent write of its pair or key, or to a deadlock.
const MAX_ATTEMPTS: u32 = 5;

/// A write in the queue, with the caller that waits for its outcome.
type QueuedWrite = Queued<Write, Attempt>;

/// Writes contract divisions. Clones share one queue.
#[derive(Clone)]
pub(crate) struct ContractDivisionWriter {
    batches: Batcher<Transactions>,
    /// For writes that wait for locks.
    transactions: Transactions,
}

impl ContractDivisionWriter {
    /// Writes at once with `connections`; those that must wait for locks do with `waiting`, so that they do not take the place of others.
    pub(crate) fn new(connections: Connections, waiting: Connections, limits: Limits) -> Self {
        let batches = Batcher::new(Transactions { connections }, limits);
        Self { batches, transactions: Transactions { connections: waiting } }
    }

    /// Number of writes in the queue.
    pub(crate) fn queue_len(&self) -> usize {
        self.batches.queue_len()
    }

    pub(super) async fn write(&self, write: &Write) -> Outcome {
        match self.batches.run(write).await {
            Ok(Attempt::Ended(outcome)) => outcome,
            Ok(Attempt::Contended) => self.transactions.write_waiting_for_locks(write).await,
            Err(dropped) => Err(dropped.during(attempted(write))),
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
            // The next attempt, in a transaction that waits for locks, finds out whether the pair or the key is taken.
            Err(failure) if failure.is_data_error() || failure.is_conflict() => Attempt::Contended,
            Err(failure) => failed(failure, write),
        }
    }

    async fn run_batch(&self, batch: Vec<QueuedWrite>) -> bool {
        let (shared, others) = split_conflicting(batch);
        let writes: Vec<&Write> = shared.iter().map(Queued::job).collect();
        let written = self.transact(&writes, LockWait::SkipLocked).await;
        let has_succeeded = written.is_ok();
        match written {
            Ok(attempts) => {
                for (queued, attempt) in shared.into_iter().zip(attempts) {
                    queued.into_parts().1.send(attempt);
                }
            }
            // Nothing was written; one write may have caused it.
            Err(failure) if failure.is_rolled_back() => reply_contended(shared),
            Err(failure) => {
                for queued in shared {
                    let (write, reply) = queued.into_parts();
                    reply.send(failed(failure.clone(), &write));
                }
            }
        }
        reply_contended(others);
        has_succeeded
    }
}

impl Transactions {
    /// Writes in a transaction of its own that waits for locks.
    async fn write_waiting_for_locks(&self, write: &Write) -> Outcome {
        let mut lost = None;
        for _ in 0..MAX_ATTEMPTS {
            match self.transact(&[write], LockWait::Wait).await.map(|mut attempts| attempts.pop()) {
                Ok(Some(Attempt::Ended(outcome))) => return outcome,
                Ok(Some(Attempt::Contended) | None) => {}
                // The next attempt reads what the winner wrote.
                Err(failure) if failure.is_conflict() => lost = Some(failure),
                Err(failure) => return Err(failure.during(attempted(write))),
            }
        }
        let lost = lost.unwrap_or_else(|| Failure::conflict("a concurrent write won every attempt"));
        Err(lost.during(attempted(write)))
    }
}

/// Splits a batch into writes that can share a transaction and writes that conflict with one of those.
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

/// What was attempted, for an error.
fn attempted(write: &Write) -> String {
    format!("writing contract division {}", write.id)
}
