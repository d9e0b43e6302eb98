//! What the collections need beside their documents.

use std::sync::atomic::Ordering;

use bson::{RawDocumentBuf, doc};
use esoz_kernel::{StoreError, StoreErrorKind};
use mongodb::{
    Collection, IndexModel,
    options::{ReadPreference, SelectionCriteria},
};

use crate::{
    MongoStore,
    collections::Collections,
    error::MongoError,
    fields::COLLECTION,
    indexes::{of_dispenses, of_requests, sharded_key, unique_key},
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
        let Collections { dispenses, requests, .. } = &self.documents;
        for index in of_dispenses() {
            create(dispenses, index).await?;
        }
        for index in of_requests() {
            create(requests, index).await?;
        }
        self.drop_superseded().await?;
        match create_index(dispenses, unique_key()).await {
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
                create(dispenses, sharded_key()).await
            }
            Err(error) => Err(error.during(creating(dispenses, &unique_key()))),
        }
    }

    /// Checks that the server is a replica set or a router of one, and of a version that can be used; and lists indexes that are not there. Without one the
    /// store works, but slowly.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when there is no primary; [`StoreErrorKind::Unexpected`] when the server cannot be used.
    pub async fn check_schema(&self) -> Result<Vec<String>, StoreError> {
        let server = self.check_server().await?;
        let Collections { dispenses, requests, .. } = &self.documents;
        let there = [index_names(dispenses).await?, index_names(requests).await?].concat();
        let (of_dispenses, of_requests) = (of_dispenses(), of_requests());
        let expected = of_dispenses.iter().chain(&of_requests);
        let mut expected: Vec<String> = expected.chain([&unique_key()]).filter_map(name).collect();
        let takes_its_place = name(&sharded_key());
        if server == Server::Router && takes_its_place.is_some_and(|name| there.contains(&name)) {
            expected.pop();
        }
        expected.retain(|name| !there.contains(name));
        Ok(expected)
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

/// Creates an index. A failure names it.
async fn create(collection: &Collection<RawDocumentBuf>, index: IndexModel) -> Result<(), StoreError> {
    let attempted = creating(collection, &index);
    create_index(collection, index).await.map_err(|error| error.during(attempted))
}

async fn create_index(collection: &Collection<RawDocumentBuf>, index: IndexModel) -> Result<(), MongoError> {
    collection.create_index(index).await.map(drop).map_err(MongoError::from)
}

fn creating(collection: &Collection<RawDocumentBuf>, index: &IndexModel) -> String {
    format!("creating an index on {} ({})", collection.name(), index.keys)
}

/// The names of the indexes that a collection has.
async fn index_names(collection: &Collection<RawDocumentBuf>) -> Result<Vec<String>, StoreError> {
    match collection.list_index_names().await.map_err(MongoError::from) {
        // There is no collection yet.
        Err(error) if error.is_namespace_not_found() => Ok(Vec::new()),
        listed => {
            listed.map_err(|error| error.during(format!("looking for the indexes of {}", collection.name())))
        }
    }
}

fn name(index: &IndexModel) -> Option<String> {
    index.options.as_ref()?.name.clone()
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{IdGenerator as _, system::RandomIds};

    use super::*;
    use crate::{MongoSettings, error::tests::command_error, fields::KEYS_KEY, values::digest};

    fn is_unique(index: &IndexModel) -> bool {
        index.options.as_ref().and_then(|options| options.unique) == Some(true)
    }

    #[test]
    fn only_the_last_index_is_unique_and_what_takes_its_place_is_not() {
        assert!(!of_dispenses().iter().chain(&of_requests()).any(is_unique));
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
        create(&store.documents.dispenses, sharded_key()).await.unwrap();
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
