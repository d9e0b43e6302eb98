//! Batches: concurrent transitions share one majority acknowledgement.
//!
//! One command updates many documents, each under its own conditions and atomically; only the wait for durability is shared. There is no
//! multi-document transaction, and no document waits for another.

use std::collections::HashMap;

use async_trait::async_trait;
use bson::{Bson, Document, RawDocument, Timestamp, doc};
use esoz_batch::{BatchExecutor, Batcher, Queued, ReplySender};
use esoz_device_dispense::{Dispense, Transition};
use esoz_kernel::{Committed, StoreError, StoreErrorKind, Uuid};
use futures_util::future::join_all;

use super::{
    commit::{SIMPLE, appending, failed, filter},
    document,
    replay::{Caller, Effect},
};
use crate::{
    collections::{Collections, MAX_JOBS},
    error::{MongoError, is_duplicate_key},
    fields::{COLLECTION, ID},
};

/// Concurrent commands; three gave the highest throughput: one waits for the majority, one updates documents, one is on its way.
const MAX_BATCHES: usize = 3;

type Answer = Result<Committed<Dispense>, StoreError>;
type Job = Queued<Transition, Answer>;
type Parts = (Transition, ReplySender<Answer>);

/// Commits transitions, one alone or many in one command.
pub(crate) struct TransitionExecutor(Collections);

impl TransitionExecutor {
    pub(crate) fn batching(collections: Collections) -> Batcher<Self> {
        let limits = collections.batch_limits(MAX_BATCHES, MAX_JOBS / 2);
        Batcher::new(Self(collections), limits)
    }

    async fn run_each(&self, jobs: Vec<Parts>) {
        let each = async |(transition, reply): Parts| reply.send(self.0.commit(&transition).await);
        join_all(jobs.into_iter().map(each)).await;
    }

    /// Returns whether the server has carried the command out.
    async fn run_as_one_command(&self, jobs: Vec<Parts>) -> bool {
        let sent = self.send(&jobs).await;
        let has_succeeded = sent.is_ok();
        match sent {
            Ok(reply) => self.answer(jobs, reply).await,
            // The callers' time is over, and whether anything took effect is unknown.
            Err(error @ MongoError::Timeout(_)) => {
                for (transition, reply) in jobs {
                    reply.send(Err(failed(&transition, &error)));
                }
            }
            Err(_) => {
                let retry = async |(transition, reply): Parts| reply.send(self.retry(&transition).await);
                join_all(jobs.into_iter().map(retry)).await;
            }
        }
        has_succeeded
    }

    async fn send(&self, jobs: &[Parts]) -> Result<Reply, MongoError> {
        let statement = |(transition, _): &Parts| statement(filter(transition), appending(transition));
        let updates: Vec<Document> = jobs.iter().map(statement).collect();
        let command =
            self.0.with_write_concern(doc! { "update": COLLECTION, "updates": updates, "ordered": false });
        let reply = self.0.with_timeout(self.0.database.run_command(command)).await?;
        Reply::read(&reply, jobs.len())
    }

    /// Answers each job of a command that the server has carried out.
    async fn answer(&self, jobs: Vec<Parts>, reply: Reply) {
        let (mut refused, mut accepted) = (Vec::new(), Vec::new());
        for (place, job) in jobs.into_iter().enumerate() {
            match reply.errors.get(&place) {
                Some(code) => refused.push((job, *code)),
                None => accepted.push(job),
            }
        }
        let answer_refused = async |((transition, reply), code): (Parts, i32)| {
            reply.send(match &transition.idempotency {
                Some(idempotency) if is_duplicate_key(code) => self.0.replay(&transition, idempotency).await,
                // Nothing was written; the single update handles the reason.
                _ => self.0.commit(&transition).await,
            });
        };
        let refused = join_all(refused.into_iter().map(answer_refused));
        futures_util::join!(refused, self.answer_accepted(accepted, &reply));
    }

    /// Answers the jobs whose statements ran without an error.
    ///
    /// The documents are read, because an update of many returns none. When the server counts fewer matches than statements, the ids of recent
    /// transitions in the documents tell which statements matched.
    async fn answer_accepted(&self, jobs: Vec<Parts>, server: &Reply) {
        let ids: Vec<Uuid> = jobs.iter().map(|(transition, _)| transition.id.uuid()).collect();
        let found = self.0.find_all(&ids).await;
        let all_matched = server.matched == jobs.len();
        let answer = async |(transition, reply): Parts| {
            let document = found.as_ref().map(|found| found.get(&transition.id.uuid()));
            reply.send(match document {
                Err(error) => Err(failed(&transition, error)),
                Ok(None) if all_matched => self.answer_deleted(&transition, server.operation_time).await,
                Ok(Some(document)) if all_matched || has_committed(&transition, document) => {
                    committed(&transition, document)
                }
                Ok(_) => match &transition.idempotency {
                    Some(idempotency) => self.0.replay(&transition, idempotency).await,
                    None => Ok(Committed::Stale),
                },
            });
        };
        join_all(jobs.into_iter().map(answer)).await;
    }

    /// Answers a job whose document was deleted after its transition was committed: with the document as it was when the command ended.
    ///
    /// Unavailable when the server cannot read that any more: the record is unknown, and must not be made up. The idempotency key was deleted
    /// with the document, so a retry is answered that there is no such dispense.
    async fn answer_deleted(&self, transition: &Transition, ended: Option<Timestamp>) -> Answer {
        let found = match ended {
            Some(time) => self.0.find_as_of(transition.id, time).await.ok().flatten(),
            None => None,
        };
        match found.filter(|document| has_committed(transition, document)) {
            Some(document) => committed(transition, &document),
            None => Err(deleted(transition)),
        }
    }

    /// Retries a transition of a command whose outcome is unknown. If it is stale because the command had applied it, its id is in the document.
    ///
    /// The driver retries single updates itself (retryable writes), but not commands.
    async fn retry(&self, transition: &Transition) -> Answer {
        let answer = self.0.commit(transition).await?;
        if answer != Committed::Stale {
            return Ok(answer);
        }
        let found = self.0.find(transition.id).await.map_err(|error| failed(transition, &error))?;
        match found.filter(|document| has_committed(transition, document)) {
            Some(document) => committed(transition, &document),
            None => Ok(Committed::Stale),
        }
    }
}

#[async_trait]
impl BatchExecutor for TransitionExecutor {
    type Job = Transition;
    type Answer = Answer;

    async fn run_one(&self, transition: &Transition) -> Answer {
        self.0.commit(transition).await
    }

    async fn run_batch(&self, batch: Vec<Job>) -> bool {
        // Without the unique index a key must be looked up before the update, which a command cannot do.
        let (mut alone, mut shared): (Vec<Parts>, Vec<Parts>) = batch
            .into_iter()
            .map(Job::into_parts)
            .partition(|(transition, _)| self.0.must_look_up_before(transition));
        if shared.len() == 1 {
            alone.append(&mut shared);
        }
        let shared = async { shared.is_empty() || self.run_as_one_command(shared).await };
        futures_util::join!(self.run_each(alone), shared).1
    }
}

/// A statement of an `update` command: updates the document of the id in the conditions, if it meets them.
pub(crate) fn statement(conditions: Document, update: Document) -> Document {
    let collation = doc! { "locale": SIMPLE };
    doc! { "q": conditions, "u": update, "multi": false, "collation": collation, "hint": { ID: 1 } }
}

fn has_committed(transition: &Transition, document: &RawDocument) -> bool {
    document::has_change(document, transition.event.id)
}

fn committed(transition: &Transition, document: &RawDocument) -> Answer {
    Effect::of(transition).dispense(&Caller::of(transition), document).map(Committed::Applied)
}

fn deleted(transition: &Transition) -> StoreError {
    let attempted = format!("reading dispense {} after its status was changed", transition.id);
    StoreError::new(StoreErrorKind::Unavailable, attempted).because("it was deleted in between")
}

/// The server's reply to a command of many statements.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The error codes of the statements that failed, by index.
    pub(crate) errors: HashMap<usize, i32>,
    /// The number of statements that matched a document.
    pub(crate) matched: usize,
    /// The server's time at the end of the command; `None` when it is not part of a replica set.
    operation_time: Option<Timestamp>,
}

impl Reply {
    pub(crate) fn read(reply: &Document, statements: usize) -> Result<Self, MongoError> {
        if let Ok(concern) = reply.get_document("writeConcernError") {
            return Err(MongoError::Server(concern.get_i32("code").unwrap_or_default()));
        }
        let mut errors = HashMap::new();
        let listed = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        for error in listed.iter().filter_map(Bson::as_document) {
            let place = error.get_i32("index").ok().and_then(|index| usize::try_from(index).ok());
            let place = place.filter(|place| *place < statements).ok_or(MongoError::MalformedReply)?;
            errors.insert(place, error.get_i32("code").unwrap_or_default());
        }
        let matched = reply.get_i32("n").ok().and_then(|counted| usize::try_from(counted).ok());
        let matched = matched.filter(|matched| matched + errors.len() <= statements);
        let operation_time = reply.get_timestamp("operationTime").ok();
        Ok(Self { errors, matched: matched.ok_or(MongoError::MalformedReply)?, operation_time })
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
