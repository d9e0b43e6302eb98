//! Copies of documents of MongoDB.

use std::ops::Range;

use anyhow::{Context as _, Result};
use bson::{DateTime, Document, RawDocumentBuf, doc};
use esoz_kernel::Uuid;
use mongodb::{Client, Collection};

use super::People;
use crate::drive::{COLLECTION, binary};
use crate::ids::{Numbered, id, inserted_at};

/// The server's collection of device requests.
const REQUESTS: &str = "device_requests";

/// How many go in one batch.
const BATCH: usize = 2_000;

pub(super) async fn dispenses(
    uri: &str,
    database: &str,
    people: &People,
    numbers: Range<u64>,
    owner: impl Fn(u64) -> Uuid,
) -> Result<()> {
    copies(uri, (database, COLLECTION), people.dispense, numbers, |copy, number| {
        copy.insert("_id", binary(id(Numbered::Dispense, number)));
        copy.insert("inserted_at", DateTime::from_millis(inserted_at(number).as_millisecond()));
        let named = [("performer_legal_entity", owner(number)), ("based_on", id(Numbered::Request, number))];
        for (field, value) in named {
            copy.get_document_mut(field)?.get_document_mut("identifier")?.insert("value", binary(value));
        }
        Ok(())
    })
    .await
}

pub(super) async fn requests(uri: &str, database: &str, original: Uuid, numbers: Range<u64>) -> Result<()> {
    copies(uri, (database, REQUESTS), original, numbers, |copy, number| {
        copy.insert("_id", binary(id(Numbered::Request, number)));
        Ok(())
    })
    .await
}

/// Inserts a changed copy of a document for each of the numbers.
async fn copies(
    uri: &str,
    (database, collection): (&str, &str),
    original: Uuid,
    mut numbers: Range<u64>,
    change: impl Fn(&mut Document, u64) -> Result<()>,
) -> Result<()> {
    let database = Client::with_uri_str(uri).await?.database(database);
    let of: Collection<Document> = database.collection(collection);
    let template = of.find_one(doc! { "_id": binary(original) }).await?.context("the first one is gone")?;
    let into: Collection<RawDocumentBuf> = database.collection(collection);
    loop {
        let copied = |number| {
            let mut copy = template.clone();
            change(&mut copy, number)?;
            Ok(RawDocumentBuf::try_from(&copy)?)
        };
        let batch = numbers.by_ref().take(BATCH).map(copied).collect::<Result<Vec<_>>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        into.insert_many(batch).ordered(false).await?;
    }
}
