//! Updates that wait at the same time share a commit.
//!
//! Most of what an update costs is that it is made durable. So one that comes alone goes at once, and those that come while the server is at
//! it wait and are handed over together, in one statement.
//!
//! No update suffers from its company. What is together waits for no lock that somebody else holds; of those that are in each other's way
//! (the same record, pair or key) only the first is in it; and if the statement fails for the sake of one, it has changed nothing. Whoever
//! was left out does the update alone, in the caller's own task and on a connection of its own, where waiting for a lock holds up nobody.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use esoz_batch::{BatchExecutor, Queued};
use esoz_contract_division::{Applied, Update};
use esoz_kernel::StoreError;

use crate::contract_divisions::{RecordRow, attempted_update, contract_division};
use crate::error::Failure;
use crate::pool::Connections;
use crate::store::only;
use crate::update_statements::{ApplyUpdates, SharedRow, TryUpdate};

/// What became of an update so far.
pub(crate) enum Tried {
    /// All that there is to tell.
    Told(Result<Applied, StoreError>),
    /// Nothing yet: somebody held what it needs, or was in its way.
    ToBeDoneAlone,
}

/// An update, and who waits to be told.
type Caller = Queued<Update, Tried>;

/// How updates go to the server.
pub(crate) struct Updates {
    connections: Connections,
}

impl Updates {
    pub(crate) fn on(connections: Connections) -> Self {
        Self { connections }
    }
}

#[async_trait]
impl BatchExecutor for Updates {
    type Job = Update;
    type Answer = Tried;

    async fn run_one(&self, update: &Update) -> Tried {
        match self.connections.change::<RecordRow, _>(TryUpdate::from(update)).await {
            Ok(rows) => only(rows).map_or(Tried::ToBeDoneAlone, applied),
            // The pair or the key is taken, or whatever else is wrong with it.
            Err(failure) if failure.is_of_the_data() => Tried::ToBeDoneAlone,
            Err(failure) => failed(failure, update),
        }
    }

    async fn run_batch(&self, waiting: Vec<Caller>) {
        let (shared, others) = apart(waiting);
        let updates = ApplyUpdates::of(shared.iter().map(Queued::job));
        let rows = self.connections.change::<SharedRow, _>(updates).await;
        match rows {
            Ok(rows) => tell_each(shared, rows),
            // Nothing was changed, for the sake of one perhaps.
            Err(failure) if failure.is_taken_back() => leave_alone(shared),
            Err(failure) => {
                for waiting in shared {
                    let (update, reply) = waiting.into_parts();
                    reply.send(failed(failure.clone(), &update));
                }
            }
        }
        leave_alone(others);
    }
}

/// Those that can share a statement, and those that are in the way of one of them.
fn apart(waiting: Vec<Caller>) -> (Vec<Caller>, Vec<Caller>) {
    let (mut records, mut pairs, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
    waiting.into_iter().partition(|waiting| {
        let update = waiting.job();
        let pair = (update.change.contract_id, update.change.division_id);
        let is_first = !records.contains(&update.id)
            && !pairs.contains(&pair)
            && update.idempotency.is_none_or(|idempotency| !keys.contains(idempotency.key()));
        if is_first {
            records.insert(update.id);
            pairs.insert(pair);
            keys.extend(update.idempotency.map(|idempotency| *idempotency.key()));
        }
        is_first
    })
}

fn tell_each(waiting: Vec<Caller>, rows: Vec<SharedRow>) {
    let mut outcomes: HashMap<i64, Tried> =
        rows.into_iter().map(|(place, is_met, record)| (place, outcome(is_met, record))).collect();
    for (place, waiting) in (1..).zip(waiting) {
        let (_, reply) = waiting.into_parts();
        reply.send(outcomes.remove(&place).unwrap_or(Tried::ToBeDoneAlone));
    }
}

fn outcome(is_met: Option<bool>, record: Option<RecordRow>) -> Tried {
    match (record, is_met) {
        (Some(row), _) => applied(row),
        (None, Some(false)) => Tried::Told(Ok(Applied::Stale)),
        // Something is held or not there, or the pair or the key is taken.
        (None, Some(true) | None) => Tried::ToBeDoneAlone,
    }
}

fn applied(row: RecordRow) -> Tried {
    Tried::Told(contract_division(row).map(Applied::Applied))
}

fn failed(failure: Failure, update: &Update) -> Tried {
    Tried::Told(Err(failure.during(attempted_update(update))))
}

fn leave_alone(waiting: Vec<Caller>) {
    for waiting in waiting {
        let (_, reply) = waiting.into_parts();
        reply.send(Tried::ToBeDoneAlone);
    }
}
