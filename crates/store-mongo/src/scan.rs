//! Scans a collection by keyset pagination: each page is a short query by the index on `_id`.

use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use esoz_kernel::ScanCursor;
use mongodb::{Collection, options::Hint};

use crate::{collections::Collections, error::MongoError, fields::ID};

/// The size of documents in bytes after which a page ends.
const MAX_PAGE_BYTES: usize = 8 << 20;

impl Collections {
    /// Reads a page of all documents of a collection of majority concern, and where the next one begins. What could still be rolled back is not read.
    ///
    /// A lower bound of the index covers ids of every type; a condition would find ids of one type alone.
    pub(crate) async fn scan(
        &self,
        collection: &Collection<RawDocumentBuf>,
        after: Option<&ScanCursor>,
        limit: u32,
    ) -> Result<(Vec<RawDocumentBuf>, Option<ScanCursor>), MongoError> {
        let after = after.map(bound).transpose()?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let limit = limit.saturating_add(u32::from(after.is_some()));
        let by_id = collection.find(doc! {}).sort(doc! { ID: 1 }).hint(Hint::Keys(doc! { ID: 1 }));
        // One more than the limit, or the server keeps the cursor open.
        let batch_size = limit.saturating_add(1);
        let mut find = by_id.limit(limit.into()).batch_size(batch_size).max_time(self.operation_timeout);
        if let Some(after) = &after {
            find = find.min(Document::try_from(after).map_err(|_| MongoError::MalformedCursor)?);
        }
        let page = async {
            let mut cursor = find.await?;
            let (mut documents, mut bytes) = (Vec::new(), 0_usize);
            while documents.len() < wanted && bytes < MAX_PAGE_BYTES && cursor.advance().await? {
                let document = cursor.current();
                // The bound is included, unless the document there has been removed since.
                if after.as_ref().is_none_or(|after| document.get(ID).ok() != after.get(ID).ok()) {
                    bytes = bytes.saturating_add(document.as_bytes().len());
                    documents.push(document.to_owned());
                }
            }
            let has_more = documents.len() >= wanted || bytes >= MAX_PAGE_BYTES;
            Ok((documents, has_more))
        };
        let (documents, has_more) = self.with_timeout(page).await?;
        let last = documents.last().filter(|_| has_more);
        let next = last.map(|last| cursor_after(last).ok_or(MongoError::MalformedReply)).transpose()?;
        Ok((documents, next))
    }
}

/// The bound of the index that a cursor stands for.
fn bound(after: &ScanCursor) -> Result<RawDocumentBuf, MongoError> {
    RawDocumentBuf::from_bytes(after.id().to_vec()).map_err(|_| MongoError::MalformedCursor)
}

/// The cursor after a document: its id as a bound of the index.
fn cursor_after(document: &RawDocument) -> Option<ScanCursor> {
    let id = Bson::try_from(document.get(ID).ok()??).ok()?;
    let bound = RawDocumentBuf::try_from(&doc! { ID: id }).ok()?;
    Some(ScanCursor::new(bound.into_bytes()))
}
