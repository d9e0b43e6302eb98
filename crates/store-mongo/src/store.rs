use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::{Bson, RawDocumentBuf, doc};
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};
use mongodb::{
    Client, Collection, Database,
    options::{
        Acknowledgment, ClientOptions, CollectionOptions, ReadConcern, ReadPreference, SelectionCriteria,
        WriteConcern,
    },
};

use crate::pool::Pool;
use crate::{MongoSettings, error::Fault, fields};

/// What the server tells MongoDB about itself when the connection string does not.
const APP_NAME: &str = "esoz";

/// Device dispenses and their outbox in MongoDB. Cheap to clone; clones share their connections.
///
/// Every call ends within [`MongoSettings::operation_timeout_ms`] per round trip. A change of status makes one. One under a key makes a
/// second when it is not applied, or when it is not known that the unique index on keys is there; the worst case, a document
/// whose history is null and keys that expired, makes nine. `migrate` is not limited.
#[derive(Clone)]
pub struct MongoStore {
    database: Database,
    /// Read as the primary has it.
    dispenses: Collection<RawDocumentBuf>,
    /// Read as the majority has it.
    settled: Collection<RawDocumentBuf>,
    operation_timeout: Duration,
    pool: Arc<Pool>,
    /// Whether the unique index on keys is known to be there.
    unique_key: Arc<AtomicBool>,
}

impl MongoStore {
    /// Prepares to use the database. Waits for no server: one that is down is noticed by the first call that needs it.
    /// Must be called inside a Tokio runtime, which the driver's tasks then live in.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unexpected`] when the connection string cannot be understood.
    pub async fn connect(settings: &MongoSettings) -> Result<Self, StoreError> {
        let mut options = ClientOptions::parse(&settings.uri).await.map_err(|_| unusable_uri())?;
        options.app_name.get_or_insert_with(|| APP_NAME.to_owned());
        options.max_pool_size = Some(settings.max_pool_size);
        options.connect_timeout = Some(Duration::from_millis(settings.connect_timeout_ms));
        options.server_selection_timeout = Some(Duration::from_millis(settings.server_selection_timeout_ms));
        options.retry_reads = Some(true);
        // A write whose acknowledgement was lost is sent again by the driver, and the server knows it by its number:
        // it answers as the first time and does not apply it twice.
        options.retry_writes = Some(true);
        let pool = Arc::new(Pool::new(settings.max_pool_size));
        options.cmap_event_handler = Some(Pool::listening(&pool));
        let client = Client::with_options(options).map_err(|_| unusable_uri())?;
        let database = client.database(&settings.database);
        let operation_timeout = settings.operation_timeout();
        Ok(Self {
            dispenses: database.collection_with_options(
                fields::COLLECTION,
                concerns(ReadConcern::local(), operation_timeout),
            ),
            settled: database.collection_with_options(
                fields::COLLECTION,
                concerns(ReadConcern::majority(), operation_timeout),
            ),
            database,
            operation_timeout,
            pool,
            unique_key: Arc::default(),
        })
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
        let ping = self.database.run_command(doc! { "ping": 1 }).selection_criteria(primary);
        self.limited(ping).await.map(drop).map_err(|fault| fault.during("asking MongoDB for a sign of life"))
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.database
    }

    /// The dispenses, for every write, and for reads that must see the latest.
    ///
    /// A dispense is read to say why a change was refused. Local reads from the primary always see what refused it,
    /// for it is there; majority reads may lag behind right after a failover and show the state before. What the
    /// refused update matched against is durable besides: the server acknowledges with majority even an update that
    /// changed nothing, so the refusal comes after what caused it is safe. A still newer, not yet safe state may be
    /// shown and then rolled back by a failover; then a caller was told of a conflict that is gone, nothing was
    /// written or promised, and asking again tells.
    pub(crate) const fn dispenses(&self) -> &Collection<RawDocumentBuf> {
        &self.dispenses
    }

    /// The dispenses, for reads of what must never be rolled back: events that will be published.
    pub(crate) const fn settled(&self) -> &Collection<RawDocumentBuf> {
        &self.settled
    }

    /// Whether the server is known to keep one key from two documents. Not so until this store, or a clone of it, has migrated.
    pub(crate) fn has_unique_key(&self) -> bool {
        self.unique_key.load(Ordering::Relaxed)
    }

    pub(crate) fn found_unique_key(&self) {
        self.unique_key.store(true, Ordering::Relaxed);
    }

    pub(crate) const fn operation_timeout(&self) -> Duration {
        self.operation_timeout
    }

    /// Runs one operation within its time. The driver has no such limit of its own: without this one, a server that
    /// hangs would hang the caller. An operation given up may still take effect, and that is all it may: none leaves
    /// anything open on the server. Its connection is closed, not used again.
    pub(crate) async fn limited<T>(
        &self,
        operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(self.operation_timeout, operation.into_future()).await {
            Ok(answer) => answer.map_err(Fault::from),
            Err(_) => Err(Fault::Timeout(self.operation_timeout)),
        }
    }
}

/// The driver's reason is left out: it may quote a piece of the password.
fn unusable_uri() -> StoreError {
    let attempted = "reading the MongoDB connection string; it must be \
                     mongodb://[user:password@]host:port[,host:port…]/[?options], with user and password \
                     percent-encoded, and options that the driver knows (mongodb+srv is not supported)";
    StoreError::new(StoreErrorKind::Unexpected, attempted)
}

fn concerns(read: ReadConcern, operation_timeout: Duration) -> CollectionOptions {
    // With the time limit the server does not keep waiting for a majority that nobody waits for any more.
    let write = WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .w_timeout(operation_timeout)
        .build();
    CollectionOptions::builder()
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .read_concern(read)
        .write_concern(write)
        .build()
}

/// A UUID as this store writes it: binary subtype 4.
pub(crate) fn binary(uuid: esoz_kernel::Uuid) -> Bson {
    Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() })
}

/// A digest as this store writes it.
pub(crate) fn digest(bytes: &[u8; 32]) -> Bson {
    Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: bytes.to_vec() })
}

/// A time as this store writes it: cut to milliseconds.
pub(crate) fn millis(time: esoz_kernel::Timestamp) -> bson::DateTime {
    bson::DateTime::from_millis(esoz_kernel::time::to_millis(time).as_millisecond())
}
