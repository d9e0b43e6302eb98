//! What the collection needs beside its documents.

use bson::{Document, doc};
use esoz_kernel::{StoreError, StoreErrorKind};
use mongodb::{
    IndexModel,
    options::{IndexOptions, ReadPreference, SelectionCriteria},
};

use crate::{
    MongoStore,
    error::Fault,
    fields::{COLLECTION, INSERTED_AT, KEYS_AT, KEYS_KEY, OUTBOX_CLAIM_BY, OUTBOX_SINCE, OWNER},
};

/// The wire protocol of MongoDB 6.0.
const WIRE_VERSION_MIN: i32 = 17;

impl MongoStore {
    /// Creates the indexes that are missing. Does nothing when all are there; safe while servers run, any number of
    /// times, by several at once. Takes as long as the server needs to build an index over what is stored.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when there is no primary; [`StoreErrorKind::Unexpected`] when the server is no
    /// replica set or older than MongoDB 6.0, or has another index under one of the names.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.check_server().await?;
        for index in indexes() {
            let attempted = format!("creating an index on {COLLECTION} ({})", index.keys);
            self.dispenses()
                .create_index(index)
                .await
                .map_err(|error| Fault::from(error).during(attempted))?;
        }
        Ok(())
    }

    async fn check_server(&self) -> Result<(), StoreError> {
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let hello = self.database().run_command(doc! { "hello": 1 }).selection_criteria(primary);
        let hello = self.limited(hello).await.map_err(|fault| fault.during("asking MongoDB what it is"))?;
        let replicated =
            hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
        let refused = |what: &str| Err(StoreError::new(StoreErrorKind::Unexpected, what));
        if !replicated {
            return refused("checking MongoDB: it must be a replica set (one node is enough), and is not");
        }
        if hello.get_i32("maxWireVersion").is_ok_and(|version| version < WIRE_VERSION_MIN) {
            return refused("checking MongoDB: it must be version 6.0 or later, and is older");
        }
        Ok(())
    }
}

fn indexes() -> [IndexModel; 5] {
    let named = |name: &str| IndexOptions::builder().name(name.to_owned()).build();
    // Only documents with waiting events or kept keys are in it, so it stays small however many dispenses there are.
    let partial = |name: &str, field: &str| {
        let filter: Document = doc! { field: { "$exists": true } };
        IndexOptions::builder().name(name.to_owned()).partial_filter_expression(filter).build()
    };
    // Keeps two dispenses from being changed under one key. Within a document it rules nothing out: the update does.
    let unique = |name: &str, field: &str| {
        let mut options = partial(name, field);
        options.unique = Some(true);
        options
    };
    [
        IndexModel::builder()
            .keys(doc! { OUTBOX_SINCE: 1 })
            .options(partial("esoz_outbox_waiting", OUTBOX_SINCE))
            .build(),
        IndexModel::builder()
            .keys(doc! { OUTBOX_CLAIM_BY: 1 })
            .options(partial("esoz_outbox_claimed", OUTBOX_CLAIM_BY))
            .build(),
        IndexModel::builder().keys(doc! { KEYS_KEY: 1 }).options(unique("esoz_keys_key", KEYS_KEY)).build(),
        IndexModel::builder().keys(doc! { KEYS_AT: 1 }).options(partial("esoz_keys_at", KEYS_AT)).build(),
        IndexModel::builder()
            .keys(doc! { OWNER: 1, INSERTED_AT: -1 })
            .options(named("esoz_owner_inserted"))
            .build(),
    ]
}
