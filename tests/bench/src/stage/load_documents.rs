//! Copies of a document of MongoDB.

use std::ops::Range;

use anyhow::{Context as _, Result};
use bson::{Document, RawDocumentBuf, doc};
use mongodb::{Client, Collection};

use super::People;
use crate::drive::{COLLECTION, binary};
use crate::ids::{Numbered, id};

/// How many go in one batch.
const BATCH: usize = 2_000;

pub(super) async fn dispenses(uri: &str, database: &str, people: &People, numbers: Range<u64>) -> Result<()> {
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
                RawDocumentBuf::try_from(&copy)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        into.insert_many(batch).ordered(false).await?;
    }
}
