//! A database of a test's own.

use bson::{Document, doc};
use esoz_kernel::{IdGenerator, system::RandomIds};
use esoz_store_mongo::{COLLECTION, MongoSettings, MongoStore, REQUESTS};
use mongodb::{Client, Collection};

/// A migrated store on a database of its own, dropped with it.
pub(crate) struct Fresh {
    pub(crate) store: MongoStore,
    /// The documents, past all ports.
    pub(crate) documents: Collection<Document>,
    /// How to reach the database.
    pub(crate) settings: MongoSettings,
}

impl Fresh {
    /// On the server that all tests share.
    pub(crate) async fn shared() -> Self {
        let fresh = Self::at(esoz_test_servers::shared::mongodb().uri()).await;
        fresh.store.migrate().await.unwrap();
        fresh
    }

    /// On that server; without indexes yet.
    pub(crate) async fn at(uri: &str) -> Self {
        let settings = MongoSettings::new(uri, format!("esoz_test_{}", RandomIds.fresh().simple()));
        let store = MongoStore::connect(&settings).await.unwrap();
        let client = Client::with_uri_str(uri).await.unwrap();
        let documents = client.database(&settings.database).collection(COLLECTION);
        Self { store, documents, settings }
    }

    /// The device requests, past all ports.
    pub(crate) fn requests(&self) -> Collection<Document> {
        self.documents.client().database(&self.settings.database).collection(REQUESTS)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let MongoSettings { uri, database, .. } = self.settings.clone();
        // On a thread and a runtime of its own: the test's runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let short = "serverSelectionTimeoutMS=1000";
                let separator = if uri.expose().contains('?') { '&' } else { '?' };
                let client = Client::with_uri_str(format!("{}{separator}{short}", uri.expose())).await?;
                client.database(&database).run_command(doc! { "dropDatabase": 1 }).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            })
        });
        // A server that the test has stopped takes its database with it.
        let _ = dropping.join();
    }
}
