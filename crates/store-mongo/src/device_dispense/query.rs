//! Reads of dispenses, as the primary has them.

use std::collections::HashMap;

use bson::{Bson, RawDocumentBuf, doc};
use esoz_kernel::{DispenseId, Uuid};
use futures_util::TryStreamExt;

use crate::{
    collections::{Collections, binary},
    decode,
    error::Fault,
    fields::ID,
};

impl Collections {
    pub(crate) async fn find(&self, id: DispenseId) -> Result<Option<RawDocumentBuf>, Fault> {
        let find = self.dispenses().find_one(doc! { ID: binary(id.uuid()) });
        self.limited(find.max_time(self.operation_timeout())).await
    }

    pub(crate) async fn find_all(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, RawDocumentBuf>, Fault> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Bson> = ids.iter().copied().map(binary).collect();
        let find = self.dispenses().find(doc! { ID: { "$in": ids } }).max_time(self.operation_timeout());
        let found: Vec<RawDocumentBuf> = self.limited(async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().filter_map(|document| Some((decode::uuid(&document, ID)?, document))).collect())
    }
}
