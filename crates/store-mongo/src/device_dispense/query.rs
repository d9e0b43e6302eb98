//! Reads dispenses from the primary.

use std::collections::HashMap;

use bson::{Bson, RawDocumentBuf, Timestamp, doc};
use esoz_kernel::{DispenseId, Uuid};
use futures_util::TryStreamExt;
use mongodb::options::ReadConcern;

use crate::{
    collections::Collections,
    error::MongoError,
    fields::ID,
    values::{binary, uuid},
};

impl Collections {
    pub(crate) async fn find(&self, id: DispenseId) -> Result<Option<RawDocumentBuf>, MongoError> {
        let find = self.dispenses.find_one(doc! { ID: binary(id.uuid()) });
        self.with_timeout(find.max_time(self.operation_timeout)).await
    }

    /// The document as of a time of the server (a snapshot read, which a replica set supports for some minutes).
    pub(crate) async fn find_as_of(
        &self,
        id: DispenseId,
        time: Timestamp,
    ) -> Result<Option<RawDocumentBuf>, MongoError> {
        let find = async {
            let session = self.database.client().start_session().snapshot(true).snapshot_time(time);
            let find = self.dispenses.find_one(doc! { ID: binary(id.uuid()) });
            let find = find.read_concern(ReadConcern::snapshot()).max_time(self.operation_timeout);
            find.session(&mut session.await?).await
        };
        self.with_timeout(find).await
    }

    pub(crate) async fn find_all(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, RawDocumentBuf>, MongoError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Bson> = ids.iter().copied().map(binary).collect();
        let find = self.dispenses.find(doc! { ID: { "$in": ids } }).max_time(self.operation_timeout);
        let found: Vec<RawDocumentBuf> = self.with_timeout(async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().filter_map(|document| Some((uuid(&document, ID)?, document))).collect())
    }
}
