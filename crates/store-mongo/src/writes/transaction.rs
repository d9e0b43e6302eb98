//! A transaction of a few writes, with a deadline.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_kernel::Uuid;
use futures_util::TryStreamExt as _;
use mongodb::action::Find;
use mongodb::options::{Acknowledgment, Hint, ReadConcern, ReturnDocument, SelectionCriteria, WriteConcern};
use mongodb::{ClientSession, Collection};
use tokio::time::Instant;

use crate::{
    collections::Collections,
    device_dispense::{
        batch::{Reply, statement},
        commit::{by_id, simple},
    },
    error::MongoError,
    fields::ID,
    values::binary,
};

/// How often a commit is sent whose outcome is unknown; the driver sends each twice.
const MAX_COMMITS: u32 = 3;
/// How long ending a transaction may take, when its own time may be over.
const ABORT_WITHIN: Duration = Duration::from_secs(1);

/// An update of one document, made if the document meets the conditions; they name its id.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(super) conditions: Document,
    pub(super) update: Document,
}

/// Why nothing is known to be written.
#[derive(Debug, Clone)]
pub(crate) enum NotCommitted {
    /// A concurrent write was faster, or the primary went away. Nothing was written.
    Overtaken(Option<MongoError>),
    /// A document has the same id, or the same idempotency key. Nothing was written.
    Duplicate,
    /// It failed otherwise, before the commit. Nothing was written.
    Failed(MongoError),
    /// The commit was sent, and no answer tells whether it took effect.
    Unknown(MongoError),
}

impl From<MongoError> for NotCommitted {
    /// The failure of a statement before the commit.
    fn from(error: MongoError) -> Self {
        if error.is_duplicate_key() {
            Self::Duplicate
        } else if error.is_transient() {
            Self::Overtaken(Some(error))
        } else {
            Self::Failed(error)
        }
    }
}

/// A transaction. Dropped before its commit it is ended in the background, by the driver.
///
/// It reads a snapshot, so that on a sharded cluster too it sees all of another transaction or nothing. A document that another transaction has
/// written and not committed is a conflict at once; nothing is waited for.
pub(super) struct Transaction<'a> {
    documents: &'a Collections,
    session: ClientSession,
    deadline: Instant,
}

impl<'a> Transaction<'a> {
    /// Begins it. Asks no server.
    pub(super) async fn begin(documents: &'a Collections, deadline: Instant) -> Result<Self, NotCommitted> {
        let limit = documents.operation_timeout;
        let acknowledged =
            WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(limit).build();
        let start = async {
            let mut session = documents.database.client().start_session().await?;
            let primary = SelectionCriteria::ReadPreference(mongodb::options::ReadPreference::Primary);
            session
                .start_transaction()
                .read_concern(ReadConcern::snapshot())
                .write_concern(acknowledged)
                .selection_criteria(primary)
                .max_commit_time(limit)
                .await?;
            Ok(session)
        };
        let session = documents.until(deadline, start).await?;
        Ok(Self { documents, session, deadline })
    }

    /// Updates a document if it meets the conditions; returns it as it is then.
    ///
    /// `Ok(None)`: it was updated, and has text that is not UTF-8, which this driver refuses in the reply to an update.
    pub(super) async fn update(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        update: &Update,
    ) -> Result<Option<RawDocumentBuf>, NotCommitted> {
        let update = collection
            .find_one_and_update(update.conditions.clone(), update.update.clone())
            .collation(simple())
            .hint(by_id())
            .return_document(ReturnDocument::After)
            .max_time(self.time_left());
        match self.documents.until(self.deadline, update.session(&mut self.session)).await {
            Ok(Some(after)) => Ok(Some(after)),
            Ok(None) => Err(NotCommitted::Overtaken(None)),
            Err(error) if error.is_unreadable_answer() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Updates documents, each if it meets its conditions; fails when one does not.
    pub(super) async fn update_all(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        updates: &[&Update],
    ) -> Result<(), NotCommitted> {
        if updates.is_empty() {
            return Ok(());
        }
        let statements =
            updates.iter().map(|update| statement(update.conditions.clone(), update.update.clone()));
        let command = doc! {
            "update": collection.name(),
            "updates": statements.collect::<Vec<_>>(),
            "maxTimeMS": i64::try_from(self.time_left().as_millis()).unwrap_or(i64::MAX),
        };
        let run = self.documents.database.run_command(command).session(&mut self.session);
        let reply = self.documents.until(self.deadline, run).await?;
        let reply = Reply::read(&reply, updates.len())?;
        match reply.errors.values().next() {
            Some(code) => Err(MongoError::Server(*code).into()),
            None if reply.matched < updates.len() => Err(NotCommitted::Overtaken(None)),
            None => Ok(()),
        }
    }

    /// Finds these fields of the documents that meet the conditions, by the index of that name.
    pub(super) async fn find(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        conditions: Document,
        index: &str,
        fields: Document,
    ) -> Result<Vec<RawDocumentBuf>, NotCommitted> {
        let find = collection.find(conditions).hint(Hint::Name(index.to_owned())).projection(fields);
        self.found(find.collation(simple())).await
    }

    /// Finds documents by their ids.
    pub(super) async fn find_by_id(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        ids: &[Uuid],
    ) -> Result<Vec<RawDocumentBuf>, NotCommitted> {
        let ids: Vec<Bson> = ids.iter().copied().map(binary).collect();
        self.found(collection.find(doc! { ID: { "$in": ids } })).await
    }

    async fn found(&mut self, find: Find<'_, RawDocumentBuf>) -> Result<Vec<RawDocumentBuf>, NotCommitted> {
        let find = find.max_time(self.time_left());
        let session = &mut self.session;
        let found = async {
            let mut cursor = find.session(&mut *session).await?;
            cursor.stream(session).try_collect().await
        };
        Ok(self.documents.until(self.deadline, found).await?)
    }

    /// Inserts documents.
    pub(super) async fn insert_all(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        documents: &[&RawDocumentBuf],
    ) -> Result<(), NotCommitted> {
        let insert = collection.insert_many(documents.iter().copied()).session(&mut self.session);
        self.documents.until(self.deadline, insert).await?;
        Ok(())
    }

    /// Commits it, and waits for the majority and the journal.
    pub(super) async fn commit(mut self) -> Result<(), NotCommitted> {
        let mut unknown = None;
        for _ in 0..MAX_COMMITS {
            match self.documents.until(self.deadline, self.session.commit_transaction()).await {
                Ok(()) => return Ok(()),
                // To commit what is committed already does nothing.
                Err(error) if error.is_unknown_commit() => unknown = Some(error),
                Err(error) if error.is_transient() => return Err(NotCommitted::Overtaken(Some(error))),
                // Only a label of the server says that nothing was written.
                Err(error) => return Err(NotCommitted::Unknown(error)),
            }
        }
        Err(NotCommitted::Unknown(unknown.unwrap_or(MongoError::Timeout(self.documents.operation_timeout))))
    }

    /// Ends it without a trace, so that nobody meets it before the next attempt. Unless the server is gone, which ends it by itself.
    pub(super) async fn abort(mut self) {
        // Its failure changes nothing: what is not committed is not written.
        let _ = tokio::time::timeout(ABORT_WITHIN, self.session.abort_transaction()).await;
    }

    /// How long the server may work on a statement: a little less than we wait, so that it has ended the statement, and with it the transaction,
    /// when we no longer listen. Else that would hold its documents until the server's own limit.
    fn time_left(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        (left * 9 / 10).max(Duration::from_millis(1))
    }
}
