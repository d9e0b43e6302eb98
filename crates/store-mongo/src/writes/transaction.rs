//! A transaction of a few writes, with a deadline.

use bson::{Document, RawDocumentBuf, doc};
use mongodb::options::{Acknowledgment, Hint, ReadConcern, ReturnDocument, SelectionCriteria, WriteConcern};
use mongodb::{ClientSession, Collection};
use tokio::time::Instant;

use crate::{
    collections::Collections,
    device_dispense::commit::{by_id, simple},
    error::MongoError,
    fields::ID,
};

/// How often a commit is sent whose outcome is unknown; the driver sends each twice.
const MAX_COMMITS: u32 = 3;

/// Why nothing is known to be written.
#[derive(Debug)]
pub(super) enum NotCommitted {
    /// A concurrent write was faster, or the primary went away. Nothing was written.
    Overtaken(Option<MongoError>),
    /// A document has the same id, or the same idempotency key. Nothing was written.
    Duplicate,
    /// It failed otherwise. Nothing was written.
    Failed(MongoError),
    /// The commit was sent, and there was no answer that tells.
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

    /// Updates a document if it meets the conditions; returns these fields of it, as they are then.
    ///
    /// `Ok(None)`: it was updated, and has text that is not UTF-8, which this driver refuses in the reply to an update.
    pub(super) async fn update(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        conditions: Document,
        update: Document,
        fields: Option<Document>,
    ) -> Result<Option<RawDocumentBuf>, NotCommitted> {
        let mut update = collection
            .find_one_and_update(conditions, update)
            .collation(simple())
            .hint(by_id())
            .return_document(ReturnDocument::After)
            .max_time(self.documents.operation_timeout);
        if let Some(fields) = fields {
            update = update.projection(fields);
        }
        match self.documents.until(self.deadline, update.session(&mut self.session)).await {
            Ok(Some(after)) => Ok(Some(after)),
            Ok(None) => Err(NotCommitted::Overtaken(None)),
            Err(error) if error.is_unreadable_answer() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a document meets the conditions, found by the index of that name.
    pub(super) async fn exists(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        conditions: Document,
        index: &str,
    ) -> Result<bool, NotCommitted> {
        let find = collection
            .find_one(conditions)
            .collation(simple())
            .hint(Hint::Name(index.to_owned()))
            .projection(doc! { ID: 1 })
            .max_time(self.documents.operation_timeout);
        let found = self.documents.until(self.deadline, find.session(&mut self.session)).await?;
        Ok(found.is_some())
    }

    /// Inserts a document.
    pub(super) async fn insert(
        &mut self,
        collection: &Collection<RawDocumentBuf>,
        document: &RawDocumentBuf,
    ) -> Result<(), NotCommitted> {
        let insert = collection.insert_one(document).session(&mut self.session);
        self.documents.until(self.deadline, insert).await?;
        Ok(())
    }

    /// Commits it, and waits for the majority and the journal.
    pub(super) async fn commit(mut self) -> Result<(), NotCommitted> {
        let mut unknown = None;
        for _ in 0..MAX_COMMITS {
            match self.documents.until(self.deadline, self.session.commit_transaction()).await {
                Ok(()) => return Ok(()),
                Err(error @ MongoError::Timeout(_)) => return Err(NotCommitted::Unknown(error)),
                // To commit what is committed already does nothing.
                Err(error) if error.is_unknown_commit() => unknown = Some(error),
                Err(error) if error.is_transient() => return Err(NotCommitted::Overtaken(Some(error))),
                Err(error) => return Err(NotCommitted::Failed(error)),
            }
        }
        Err(NotCommitted::Unknown(unknown.unwrap_or(MongoError::Timeout(self.documents.operation_timeout))))
    }

    /// Ends it without a trace, so that nobody meets it before the next attempt. Unless the server is gone, which ends it by itself.
    pub(super) async fn abort(mut self) {
        // Its failure changes nothing: what is not committed is not written.
        let _ = self.documents.until(self.deadline, self.session.abort_transaction()).await;
    }
}
