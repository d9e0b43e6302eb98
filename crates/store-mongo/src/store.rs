use std::{sync::Arc, time::Duration};

use bson::doc;
use esoz_batch::BatchWriter;
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};
use mongodb::{
    Client,
    options::{ClientOptions, ReadPreference, SelectionCriteria},
};

use crate::{
    MongoSettings, collections::Collections, device_dispense::batch::TransitionExecutor, pool::Pool,
};

/// What the server tells MongoDB about itself when the connection string does not.
const APP_NAME: &str = "esoz";

/// Device dispenses and their outbox in MongoDB. Cheap to clone; clones share their connections.
///
/// Every call ends within [`MongoSettings::operation_timeout_ms`] per round trip. A change of status that comes alone makes one. One under a
/// key makes a second when it is not applied, or when it is not known that the unique index on keys is there; the worst case, a document
/// whose history is null and keys that expired, makes nine. One that comes while others are under way waits for its turn first, no
/// longer than such a time; those that go together make two, and what a change alone makes more when it was refused in their company or
/// the answer was lost. `migrate` is not limited.
#[derive(Clone)]
pub struct MongoStore {
    pub(crate) documents: Collections,
    pub(crate) transitions: BatchWriter<TransitionExecutor>,
    pool: Arc<Pool>,
}

impl MongoStore {
    /// Prepares to use the database. Waits for no server: one that is down is noticed by the first call that needs it.
    /// Must be called inside a Tokio runtime, which the driver's tasks then live in.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unexpected`] when the connection string cannot be understood.
    pub async fn connect(settings: &MongoSettings) -> Result<Self, StoreError> {
        let mut options = ClientOptions::parse(settings.uri.as_str()).await.map_err(|_| unusable_uri())?;
        options.app_name.get_or_insert_with(|| APP_NAME.to_owned());
        options.max_pool_size = Some(settings.max_pool_size);
        options.connect_timeout = Some(Duration::from_millis(settings.connect_timeout_ms));
        options.server_selection_timeout = Some(Duration::from_millis(settings.server_selection_timeout_ms));
        options.retry_reads = Some(true);
        // A write whose acknowledgement was lost is sent again by the driver, and the server knows it by its number:
        // it answers as the first time and does not apply it twice.
        options.retry_writes = Some(true);
        let pool = Arc::new(Pool::new(settings.max_pool_size));
        options.cmap_event_handler = Some(Pool::event_handler(&pool));
        let client = Client::with_options(options).map_err(|_| unusable_uri())?;
        let database = client.database(&settings.database);
        let documents = Collections::of(database, settings.operation_timeout());
        let transitions = TransitionExecutor::batching(documents.clone());
        Ok(Self { documents, transitions, pool })
    }

    /// How the pool of connections is now, of all servers together.
    pub fn pool_status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// Has somebody told, from now on, how long each call waited for its connection, also in vain. The first to ask stays the one.
    pub fn on_waited(&self, told: impl Fn(Duration) + Send + Sync + 'static) {
        self.pool.on_waited(Box::new(told));
    }

    /// Asks the primary for a sign of life.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when there is none in time.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let ping = self.documents.database().run_command(doc! { "ping": 1 }).selection_criteria(primary);
        self.documents
            .with_timeout(ping)
            .await
            .map(drop)
            .map_err(|error| error.during("asking MongoDB for a sign of life"))
    }
}

/// The driver's reason is left out: it may quote a piece of the password.
fn unusable_uri() -> StoreError {
    let attempted = "reading the MongoDB connection string; it must be \
                     mongodb://[user:password@]host:port[,host:port…]/[?options], with user and password \
                     percent-encoded, and options that the driver knows (mongodb+srv is not supported)";
    StoreError::new(StoreErrorKind::Unexpected, attempted)
}
