//! TransitionExecutor of status that wait at the same time share an acknowledgement by the majority.
//!
//! One command updates many documents, each on its own condition and in its own atomic step; only the wait until all is durable is
//! shared. It needs no transaction, and no document waits for another.

use std::collections::HashMap;

use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_batch::{BatchExecutor, BatchWriter, Limits, Queued, ReplySender};
use esoz_device_dispense::{Dispense, Transition};
use esoz_kernel::{Committed, StoreError, StoreErrorKind, Uuid};
use futures_util::{TryStreamExt, future::join_all};

use crate::{
    collections::{Collections, binary},
    decode,
    device_dispense::commit::{appending, expected, failed},
    device_dispense::replay::Effect,
    error::{Fault, code},
    fields::{COLLECTION, ID},
};

/// As many commands at a time as kept the server busiest: one waits for the majority, one is at its documents, one on its way.
const MAX_BATCHES: usize = 3;
/// What the server does in well under the time that the majority's acknowledgement takes.
const MAX_ITEMS: usize = 32;

/// What no document has as its id: see [`refusing_to_insert`].
const NO_ID: &str = "esoz never inserts a dispense here";

type Answer = Result<Committed<Dispense>, StoreError>;
type Job = Queued<Transition, Answer>;

/// How changes of status are made.
pub(crate) struct TransitionExecutor(Collections);

impl TransitionExecutor {
    pub(crate) fn gathered(documents: Collections) -> BatchWriter<Self> {
        let queue_timeout = documents.operation_timeout();
        BatchWriter::new(
            Self(documents),
            Limits { max_batches: MAX_BATCHES, max_items: MAX_ITEMS, queue_timeout },
        )
    }

    async fn each_alone(&self, jobs: Vec<(Transition, ReplySender<Answer>)>) {
        join_all(jobs.into_iter().map(async |(change, reply)| reply.send(self.0.change(&change).await)))
            .await;
    }

    async fn with_one_command(&self, jobs: Vec<Job>) {
        match self.send(&jobs).await {
            Ok(outcomes) => self.tell(jobs, outcomes).await,
            // Nobody waits any longer, and whether anything took effect is unknown.
            Err(fault @ Fault::Timeout(_)) => {
                for (change, reply) in jobs.into_iter().map(Job::into_parts) {
                    reply.send(Err(failed(&change, &fault)));
                }
            }
            Err(fault) => {
                let again = jobs.into_iter().map(Job::into_parts).map(async |(change, reply)| {
                    reply.send(self.again(&change, &fault).await);
                });
                join_all(again).await;
            }
        }
    }

    /// Sends the changes, and tells what became of each.
    async fn send(&self, jobs: &[Job]) -> Result<Vec<Outcome>, Fault> {
        let updates: Vec<Document> = jobs.iter().map(|job| update(job.job())).collect();
        let command = self.0.writing(doc! { "update": COLLECTION, "updates": updates, "ordered": false });
        let reply = self.0.limited(self.0.database().run_command(command)).await?;
        outcomes(&reply, jobs.len())
    }

    async fn tell(&self, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        let (mut applied, mut others) = (Vec::new(), Vec::new());
        for (job, outcome) in jobs.into_iter().map(Job::into_parts).zip(outcomes) {
            if outcome == Outcome::Applied { applied.push(job) } else { others.push((job, outcome)) }
        }
        let others = others.into_iter().map(async |((change, reply), outcome)| {
            let told = match (outcome, &change.idempotency) {
                (Outcome::Unmet | Outcome::KeyTaken, Some(idempotency)) => {
                    self.0.replay(&change, idempotency).await
                }
                (Outcome::Unmet, None) => Ok(Committed::Stale),
                _ => self.0.change(&change).await,
            };
            reply.send(told);
        });
        futures_util::join!(self.tell_applied(applied), join_all(others));
    }

    /// Reads the dispenses as they are after their changes: a command for many gives none of them back.
    async fn tell_applied(&self, jobs: Vec<(Transition, ReplySender<Answer>)>) {
        let ids: Vec<Uuid> = jobs.iter().map(|(change, _)| change.id.uuid()).collect();
        let found = self.found(&ids).await;
        for (change, reply) in jobs {
            let told = match &found {
                Ok(documents) => match documents.get(&change.id.uuid()) {
                    Some(document) => Effect::by(&change).dispense(&change, document).map(Committed::Applied),
                    None => Err(gone(&change)),
                },
                Err(fault) => Err(failed(&change, fault)),
            };
            reply.send(told);
        }
    }

    async fn found(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, RawDocumentBuf>, Fault> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Bson> = ids.iter().copied().map(binary).collect();
        let find = self.0.dispenses().find(doc! { ID: { "$in": ids } }).max_time(self.0.operation_timeout());
        let found: Vec<RawDocumentBuf> = self.0.limited(async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().filter_map(|document| Some((decode::uuid(&document, ID)?, document))).collect())
    }

    /// Makes a change that was in a command whose fate is unknown. When it is stale, that may be its own doing.
    ///
    /// The driver repeats a single update under its number, by which the server knows it; a command for many it does not repeat.
    /// What tells instead is the event, of which there is no second. When that has gone out already, the history still has an entry, but another change by
    /// the same user in the same millisecond would have left the same one. Then nobody knows, and that is what the caller is told.
    async fn again(&self, change: &Transition, unknown: &Fault) -> Answer {
        match self.0.change(change).await {
            Ok(Committed::Stale) => {}
            told => return told,
        }
        let id = change.id.uuid();
        let found = self.found(&[id]).await.map_err(|fault| failed(change, &fault))?;
        let Some(document) = found.get(&id) else { return Ok(Committed::Stale) };
        let waiting = decode::events(id, document);
        if waiting.is_ok_and(|events| events.iter().any(|event| event.id == change.event.id)) {
            Effect::by(change).dispense(change, document).map(Committed::Applied)
        } else if Effect::by(change).is_told_of(document) {
            Err(failed(change, unknown))
        } else {
            Ok(Committed::Stale)
        }
    }
}

#[async_trait]
impl BatchExecutor for TransitionExecutor {
    type Job = Transition;
    type Answer = Answer;

    async fn run_one(&self, change: &Transition) -> Answer {
        self.0.change(change).await
    }

    async fn run_batch(&self, waiting: Vec<Job>) {
        // Without the unique index a key is looked up before the change, which one command cannot do.
        let (apart, mut shared): (Vec<Job>, Vec<Job>) =
            waiting.into_iter().partition(|job| self.0.must_look_up_before(job.job()));
        let mut apart: Vec<_> = apart.into_iter().map(Job::into_parts).collect();
        if shared.len() == 1 {
            apart.extend(shared.drain(..).map(Job::into_parts));
        }
        let shared = async {
            if !shared.is_empty() {
                self.with_one_command(shared).await;
            }
        };
        futures_util::join!(self.each_alone(apart), shared);
    }
}

/// What became of one change of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Applied,
    /// The document is not there, or not as the change expects it.
    Unmet,
    /// Another document has the key.
    KeyTaken,
    /// Nothing was written, for a reason that the single update knows how to deal with.
    Refused,
}

fn update(change: &Transition) -> Document {
    doc! { "q": expected(change), "u": refusing_to_insert(appending(change)), "upsert": true, "multi": false }
}

/// Makes the server name each change that finds no document: it otherwise only counts those that do.
///
/// An update that finds none would insert a document (`upsert`), and that with another id than the one it looked for,
/// which the server refuses: with an error that has the place of the update in the command. Where a document is found, none of this counts.
fn refusing_to_insert(mut update: Document) -> Document {
    update.insert("$setOnInsert", doc! { ID: NO_ID });
    update
}

fn outcomes(reply: &Document, count: usize) -> Result<Vec<Outcome>, Fault> {
    if let Ok(concern) = reply.get_document("writeConcernError") {
        return Err(Fault::Server(concern.get_i32("code").unwrap_or_default()));
    }
    let mut outcomes = vec![Outcome::Applied; count];
    let errors = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    for error in errors.iter().filter_map(Bson::as_document) {
        let place = error.get_i32("index").ok().and_then(|index| usize::try_from(index).ok());
        let outcome = place.and_then(|place| outcomes.get_mut(place)).ok_or(Fault::Unintelligible)?;
        *outcome = match error.get_i32("code") {
            Ok(code::IMMUTABLE_FIELD) => Outcome::Unmet,
            Ok(code) if crate::error::is_duplicate_key(code) => Outcome::KeyTaken,
            _ => Outcome::Refused,
        };
    }
    // The server must agree on how many were applied, and have inserted nothing.
    let applied = outcomes.iter().filter(|outcome| **outcome == Outcome::Applied).count();
    let counted = reply.get_i32("n").ok().and_then(|counted| usize::try_from(counted).ok());
    if counted != Some(applied) || reply.contains_key("upserted") {
        return Err(Fault::Unintelligible);
    }
    Ok(outcomes)
}

fn gone(change: &Transition) -> StoreError {
    let attempted = format!("reading dispense {} after its status was changed", change.id);
    StoreError::new(StoreErrorKind::Unexpected, attempted).because("it is not there any more")
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
