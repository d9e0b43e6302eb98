//! The indexes of the collections.

use bson::{Document, doc};
use esoz_device_dispense::DispenseStatus;
use mongodb::{IndexModel, options::IndexOptions};

use crate::{
    device_dispense::commit::simple,
    fields::{
        BY_OWNER, BY_REQUEST, BY_STATUS, BY_SUBJECT, ID, IN_PROGRESS, INSERTED_AT, KEYS_AT, KEYS_KEY,
        OUTBOX_SET_ASIDE_AT, OUTBOX_SINCE, OWNER, REQUEST, STATUS, SUBJECT,
    },
};

/// Only documents that have the field are in it, so it stays small however many dispenses there are.
fn partial(name: &str, keys: Document, field: &str) -> IndexModel {
    let filter = doc! { field: { "$exists": true } };
    let options = IndexOptions::builder().name(name.to_owned()).partial_filter_expression(filter).build();
    IndexModel::builder().keys(keys).options(options).build()
}

/// The options of an index that has only dispenses in progress in it; compared byte by byte, whatever the collection's own collation.
fn in_progress(name: &str) -> IndexOptions {
    IndexOptions::builder()
        .name(name.to_owned())
        .partial_filter_expression(doc! { STATUS: DispenseStatus::InProgress.as_str() })
        .collation(simple())
        .build()
}

/// Keeps two dispenses from being changed under one key. Within a document it rules nothing out: the update does.
pub(crate) fn unique_key() -> IndexModel {
    let mut unique = partial("esoz_keys_key", doc! { KEYS_KEY: 1 }, KEYS_KEY);
    unique.options.get_or_insert_default().unique = Some(true);
    unique
}

/// Finds keys where they cannot be kept unique. Of other fields than the unique index, so that neither is in the other's way.
pub(crate) fn sharded_key() -> IndexModel {
    partial("esoz_keys_key_at", doc! { KEYS_KEY: 1, KEYS_AT: 1 }, KEYS_KEY)
}

/// Those of dispenses, all but the unique one.
pub(crate) fn of_dispenses() -> [IndexModel; 8] {
    [
        partial("esoz_outbox_waiting", doc! { OUTBOX_SINCE: 1 }, OUTBOX_SINCE),
        partial("esoz_outbox_set_aside", doc! { OUTBOX_SET_ASIDE_AT: 1 }, OUTBOX_SET_ASIDE_AT),
        partial("esoz_keys_at", doc! { KEYS_AT: 1 }, KEYS_AT),
        listing(BY_OWNER, doc! { OWNER: 1, INSERTED_AT: 1, ID: 1 }),
        listing(BY_STATUS, doc! { OWNER: 1, STATUS: 1, INSERTED_AT: 1, ID: 1 }),
        listing(BY_SUBJECT, doc! { SUBJECT: 1, OWNER: 1, INSERTED_AT: 1, ID: 1 }),
        IndexModel::builder().keys(doc! { INSERTED_AT: 1, ID: 1 }).options(in_progress(IN_PROGRESS)).build(),
        IndexModel::builder().keys(doc! { REQUEST: 1 }).options(in_progress(BY_REQUEST)).build(),
    ]
}

/// Those of requests. Others find a request by its id.
pub(crate) fn of_requests() -> [IndexModel; 2] {
    [
        partial("esoz_requests_outbox_waiting", doc! { OUTBOX_SINCE: 1 }, OUTBOX_SINCE),
        partial("esoz_requests_outbox_set_aside", doc! { OUTBOX_SET_ASIDE_AT: 1 }, OUTBOX_SET_ASIDE_AT),
    ]
}

/// Finds and counts dispenses for lists, in their order. With the collation of their conditions, whatever the collection's own.
fn listing(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).collation(simple()).build();
    IndexModel::builder().keys(keys).options(options).build()
}
