//! What the collection needs beside its documents.

use std::sync::atomic::Ordering;

use bson::{Document, doc};
use esoz_device_dispense::DispenseStatus;
use esoz_kernel::{StoreError, StoreErrorKind};
use mongodb::{
    IndexModel,
    options::{IndexOptions, ReadPreference, SelectionCriteria},
};

use crate::{
    MongoStore,
    device_dispense::commit::simple,
    error::MongoError,
    fields::{
        BY_OWNER, BY_STATUS, BY_SUBJECT, COLLECTION, ID, IN_PROGRESS, INSERTED_AT, KEYS_AT, KEYS_KEY,
        OUTBOX_SET_ASIDE_AT, OUTBOX_SINCE, OWNER, STATUS, SUBJECT,
    },
};

/// An index that an earlier version made: by owner, and time in descending order. Those for lists took its place.
const SUPERSEDED: &str = "esoz_owner_inserted";

/// The wire protocol of MongoDB 6.0.
const WIRE_VERSION_MIN: i32 = 17;

impl MongoStore {
    /// Creates the indexes that are missing, and drops the one that they supersede. Does nothing when all are there; safe while servers run,
    /// any number of times, by several at once. Takes as long as the server needs to build an index over what is stored.
    ///
    /// The unique index on keys comes last, so that no other is missing when it cannot be made. On a collection that is sharded by another field
    /// MongoDB has no such index: that is logged as a warning, and [`MongoStore`] works without it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when there is no primary; [`StoreErrorKind::Unexpected`] when the server is no
    /// replica set or older than MongoDB 6.0, or has another index under one of the names.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let server = self.check_server().await?;
        for index in indexes() {
            let attempted = creating(&index);
            self.create(index).await.map_err(|error| error.during(attempted))?;
        }
        self.drop_superseded().await?;
        let unique = unique_key();
        let attempted = creating(&unique);
        match self.create(unique).await {
            Ok(()) => {
                self.documents.has_unique_key.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if goes_without(server, &error) => {
                tracing::warn!(
                    collection = COLLECTION,
                    "MongoDB has no unique index on idempotency keys, for the collection is sharded by another field; \
                     two dispenses changed at the same moment under one key may both be changed"
                );
                let index = sharded_key();
                let attempted = creating(&index);
                self.create(index).await.map_err(|error| error.during(attempted))
            }
            Err(error) => Err(error.during(attempted)),
        }
    }

    /// Checks that the server is a replica set or a router of one, and of a version that can be used; and lists indexes that are not there. Without one the
    /// store works, but slowly.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when there is no primary; [`StoreErrorKind::Unexpected`] when the server cannot be used.
    pub async fn check_schema(&self) -> Result<Vec<String>, StoreError> {
        let server = self.check_server().await?;
        let listed = self.documents.dispenses.list_index_names().await.map_err(MongoError::from);
        let there = match listed {
            // There is no collection yet.
            Err(error) if error.is_namespace_not_found() => Vec::new(),
            listed => listed.map_err(|error| error.during("looking for the indexes of MongoDB"))?,
        };
        let mut expected: Vec<String> = indexes().iter().chain([&unique_key()]).filter_map(name).collect();
        let takes_its_place = name(&sharded_key());
        if server == Server::Router && takes_its_place.is_some_and(|name| there.contains(&name)) {
            expected.pop();
        }
        expected.retain(|name| !there.contains(name));
        Ok(expected)
    }

    async fn create(&self, index: IndexModel) -> Result<(), MongoError> {
        self.documents.dispenses.create_index(index).await.map(drop).map_err(MongoError::from)
    }

    async fn drop_superseded(&self) -> Result<(), StoreError> {
        match self.documents.dispenses.drop_index(SUPERSEDED).await.map_err(MongoError::from) {
            Err(error) if !error.is_index_not_found() => {
                Err(error.during(format!("dropping the index {SUPERSEDED} of {COLLECTION}")))
            }
            _ => Ok(()),
        }
    }

    async fn check_server(&self) -> Result<Server, StoreError> {
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let hello = self.documents.database.run_command(doc! { "hello": 1 }).selection_criteria(primary);
        let hello = self
            .documents
            .with_timeout(hello)
            .await
            .map_err(|error| error.during("asking MongoDB for its topology and version"))?;
        let server = if hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid") {
            Server::Router
        } else {
            Server::ReplicaSet
        };
        let replicated = server == Server::Router || hello.contains_key("setName");
        let refused = |what: &str| Err(StoreError::new(StoreErrorKind::Unexpected, what));
        if !replicated {
            return refused("checking MongoDB: it must be a replica set (one node is enough), and is not");
        }
        if hello.get_i32("maxWireVersion").is_ok_and(|version| version < WIRE_VERSION_MIN) {
            return refused("checking MongoDB: it must be version 6.0 or later, and is older");
        }
        Ok(server)
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    ReplicaSet,
    /// The router of a sharded cluster (mongos).
    Router,
}

/// Whether the store goes on without the unique index that was refused so.
fn goes_without(server: Server, refused: &MongoError) -> bool {
    server == Server::Router && refused.is_impossible_index()
}

fn creating(index: &IndexModel) -> String {
    format!("creating an index on {COLLECTION} ({})", index.keys)
}

/// Only documents that have the field are in it, so it stays small however many dispenses there are.
fn partial(name: &str, keys: Document, field: &str) -> IndexModel {
    let filter = doc! { field: { "$exists": true } };
    let options = IndexOptions::builder().name(name.to_owned()).partial_filter_expression(filter).build();
    IndexModel::builder().keys(keys).options(options).build()
}

/// Finds overdue dispenses. Only those in progress are in it; compared byte by byte, whatever the collection's own collation.
fn in_progress() -> IndexOptions {
    IndexOptions::builder()
        .name(IN_PROGRESS.to_owned())
        .partial_filter_expression(doc! { STATUS: DispenseStatus::InProgress.as_str() })
        .collation(simple())
        .build()
}

/// Keeps two dispenses from being changed under one key. Within a document it rules nothing out: the update does.
fn unique_key() -> IndexModel {
    let mut unique = partial("esoz_keys_key", doc! { KEYS_KEY: 1 }, KEYS_KEY);
    unique.options.get_or_insert_default().unique = Some(true);
    unique
}

/// Finds keys where they cannot be kept unique. Of other fields than the unique index, so that neither is in the other's way.
fn sharded_key() -> IndexModel {
    partial("esoz_keys_key_at", doc! { KEYS_KEY: 1, KEYS_AT: 1 }, KEYS_KEY)
}

fn name(index: &IndexModel) -> Option<String> {
    index.options.as_ref()?.name.clone()
}

/// All but the unique one.
fn indexes() -> [IndexModel; 7] {
    [
        partial("esoz_outbox_waiting", doc! { OUTBOX_SINCE: 1 }, OUTBOX_SINCE),
        partial("esoz_outbox_set_aside", doc! { OUTBOX_SET_ASIDE_AT: 1 }, OUTBOX_SET_ASIDE_AT),
        partial("esoz_keys_at", doc! { KEYS_AT: 1 }, KEYS_AT),
        listing(BY_OWNER, doc! { OWNER: 1, INSERTED_AT: 1, ID: 1 }),
        listing(BY_STATUS, doc! { OWNER: 1, STATUS: 1, INSERTED_AT: 1, ID: 1 }),
        listing(BY_SUBJECT, doc! { SUBJECT: 1, OWNER: 1, INSERTED_AT: 1, ID: 1 }),
        IndexModel::builder().keys(doc! { INSERTED_AT: 1, ID: 1 }).options(in_progress()).build(),
    ]
}

/// Finds and counts dispenses for lists, in their order. With the collation of their conditions, whatever the collection's own.
fn listing(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).collation(simple()).build();
    IndexModel::builder().keys(keys).options(options).build()
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{IdGenerator as _, system::RandomIds};

    use super::*;
    use crate::{MongoSettings, error::tests::command_error, values::digest};

    fn is_unique(index: &IndexModel) -> bool {
        index.options.as_ref().and_then(|options| options.unique) == Some(true)
    }

    #[test]
    fn only_the_last_index_is_unique_and_what_takes_its_place_is_not() {
        assert!(!indexes().iter().any(is_unique));
        assert!(is_unique(&unique_key()));
        assert!(!is_unique(&sharded_key()));
        assert_eq!(sharded_key().keys.keys().next(), unique_key().keys.keys().next(), "it finds the same");
        assert_ne!(sharded_key().keys, unique_key().keys);
    }

    #[test]
    fn only_a_router_may_refuse_the_unique_index_and_only_as_impossible() {
        let impossible = MongoError::from(command_error(67, "CannotCreateIndex"));
        assert!(goes_without(Server::Router, &impossible));
        assert!(!goes_without(Server::ReplicaSet, &impossible));
        for (code, name) in [(85, "IndexOptionsConflict"), (13, "Unauthorized"), (11000, "DuplicateKey")] {
            assert!(!goes_without(Server::Router, &MongoError::from(command_error(code, name))), "{name}");
        }
        assert!(!goes_without(Server::Router, &MongoError::Timeout(std::time::Duration::ZERO)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_takes_the_place_of_the_unique_index_finds_keys_and_does_not_stand_in_its_way() {
        let database = format!("esoz_test_{}", RandomIds.fresh().simple());
        let settings = MongoSettings::new(esoz_test_servers::shared::mongodb().uri(), database);
        let store = MongoStore::connect(&settings).await.unwrap();
        store.create(sharded_key()).await.unwrap();
        let find = doc! { "find": COLLECTION, "filter": { KEYS_KEY: digest(&[7; 32]) } };
        let plan =
            store.documents.database.run_command(doc! { "explain": find, "verbosity": "queryPlanner" }).await;
        assert!(!store.documents.has_unique_key.load(Ordering::Relaxed));
        let migrated = store.migrate().await;
        let knows = store.documents.has_unique_key.load(Ordering::Relaxed);
        store.documents.database.drop().await.unwrap();
        migrated.unwrap();
        assert!(knows);
        let plan = plan.unwrap().get_document("queryPlanner").unwrap().get_document("winningPlan").cloned();
        assert!(plan.unwrap().to_string().contains("esoz_keys_key_at"));
    }
}
