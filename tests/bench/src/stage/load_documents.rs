//! Copies of a document of MongoDB.

use std::ops::Range;

use anyhow::{Context as _, Result};
use bson::{DateTime, Document, RawDocumentBuf, doc};
use esoz_kernel::Uuid;
use mongodb::{Client, Collection};

use super::People;
use crate::drive::{COLLECTION, binary};
use crate::ids::{Numbered, id, inserted_at};

/// How many go in one batch.
const BATCH: usize = 2_000;

pub(super) async fn dispenses(
    uri: &str,
    database: &str,
    people: &People,
    numbers: Range<u64>,
    owner: impl Fn(u64) -> Uuid,
) -> Result<()> {
    let database = Client::with_uri_str(uri).await?.database(database);
    let of: Collection<Document> = database.collection(COLLECTION);
    let template =
        of.find_one(doc! { "_id": binary(people.dispense) }).await?.context("the first one is gone")?;
    let into: Collection<RawDocumentBuf> = database.collection(COLLECTION);
    let mut numbers = numbers;
    loop {
        let batch = numbers
            .by_ref()
            .take(BATCH)
            .map(|number| {
                let mut copy = template.clone();
                copy.insert("_id", binary(id(Numbered::Dispense, number)));
                copy.insert("inserted_at", DateTime::from_millis(inserted_at(number).as_millisecond()));
                let reference = copy.get_document_mut("performer_legal_entity")?;
                reference.get_document_mut("identifier")?.insert("value", binary(owner(number)));
                Ok(RawDocumentBuf::try_from(&copy)?)
            })
            .collect::<Result<Vec<_>>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        into.insert_many(batch).ordered(false).await?;
    }
}
