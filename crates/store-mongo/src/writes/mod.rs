//! Creates dispenses, and changes them together with their requests (docs/adr/0035): `facts` reads, `create` and `change` make writes, `commit`
//! commits those that wait at the same time in one `transaction`, `compared` tells whether a document has changed, `request_locks` runs creates
//! for one request one after another.

mod change;
mod commit;
mod compared;
mod create;
mod facts;
mod request_locks;
mod transaction;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bson::{Document, doc};
use esoz_batch::Dropped;
use esoz_device_dispense::{
    Change, ChangeRefusal, Create, CreateRefusal, Dispense, DispenseFacts, DispenseWrites, RequestFacts,
    RequestQuery,
};
use esoz_events::Backoff;
use esoz_kernel::{DispenseId, EventId, StoreError, StoreErrorKind, Written};
use tokio::time::Instant;

pub(crate) use commit::CommitExecutor;
use commit::{CommitOutcome, Write};
pub(crate) use facts::{DispenseLookup, FURTHER_LOOKUPS_AT, RequestLookup};
pub(crate) use request_locks::RequestLocks;

use crate::{
    MongoStore,
    collections::Collections,
    error::MongoError,
    fields::{CHANGES, pushed_change},
    reads,
};

#[async_trait]
impl DispenseWrites for MongoStore {
    async fn request_facts(&self, query: &RequestQuery) -> Result<RequestFacts, StoreError> {
        reads::read(&self.request_lookups, query).await?
    }

    async fn create(&self, create: &Create) -> Result<Written<Dispense, CreateRefusal>, StoreError> {
        self.create_dispense(create).await
    }

    async fn facts(&self, id: DispenseId) -> Result<DispenseFacts, StoreError> {
        reads::read(&self.dispense_lookups, &id).await?.facts(id)
    }

    async fn change(&self, change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        self.change_dispense(change).await
    }
}

impl MongoStore {
    /// Commits a write, in a batch with those that are queued. A retry commits alone, so that a document that is locked for long makes one batch fall
    /// apart at most.
    ///
    /// # Errors
    /// [`Dropped`], when there is no answer.
    async fn write(&self, attempts: &Attempts, write: &Arc<Write>) -> Result<CommitOutcome, Dropped> {
        if attempts.is_first() {
            self.commits.run(write).await
        } else {
            Ok(self.documents.commit_alone(write).await)
        }
    }
}

/// The update of a request that a decision rests on: it makes each concurrent write of the request a conflict.
fn touch_request(event: EventId) -> Document {
    doc! { "$push": { CHANGES: pushed_change(event) } }
}

/// A write that rests on a [`Basis`](esoz_device_dispense::Basis) that this store did not make.
fn of_another_store(attempted: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unexpected, attempted).because("another store has given its facts")
}

/// Attempts at one write, each decided anew, until one is not overtaken by a concurrent write.
struct Attempts {
    made: u32,
    deadline: Instant,
}

impl Attempts {
    /// The most attempts; each that is overtaken means that another write went through, or holds the document.
    const MAX: u32 = 100;
    const BACKOFF: Backoff = Backoff { first: Duration::from_millis(4), longest: Duration::from_millis(100) };

    /// Within the operation time-out.
    fn new(documents: &Collections) -> Self {
        Self { made: 0, deadline: documents.deadline() }
    }

    const fn is_first(&self) -> bool {
        self.made == 0
    }

    /// Waits before the next attempt: backoff with full jitter.
    ///
    /// # Errors
    /// When no attempt is left: of kind unavailable when the last one failed so, else conflict. Nothing was written.
    async fn next(&mut self, attempted: &str, last: Option<MongoError>) -> Result<(), StoreError> {
        self.made += 1;
        let wait = Self::BACKOFF.wait(self.made).mul_f64(fastrand::f64());
        if self.made < Self::MAX && Instant::now() + wait < self.deadline {
            tokio::time::sleep(wait).await;
            return Ok(());
        }
        Err(match last {
            Some(error) if error.kind() == StoreErrorKind::Unavailable => error.during(attempted),
            last => {
                let overtaken = format!("{attempted}: concurrent writes were faster {} times", self.made);
                let overtaken = StoreError::new(StoreErrorKind::Conflict, overtaken);
                match last {
                    Some(error) => overtaken.because(error.during(attempted)),
                    None => overtaken,
                }
            }
        })
    }
}
