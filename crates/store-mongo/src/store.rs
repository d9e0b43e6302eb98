use std::{sync::Arc, time::Duration};

use bson::doc;
use esoz_batch::Batcher;
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};
use esoz_tls::Transport;
use mongodb::{
    Client,
    error::ErrorKind,
    options::{ClientOptions, ReadPreference, SelectionCriteria},
};

use crate::{
    MongoSettings,
    collections::Collections,
    device_dispense::{batch::TransitionExecutor, find::Find},
    pool::Pool,
    reads::{ReadExecutor, Reads},
    tls,
    writes::{CommitExecutor, DispenseLookup, FURTHER_LOOKUPS_AT, RequestLookup},
};

/// The application name for MongoDB, when the connection string has none.
const APP_NAME: &str = "esoz";

/// Device dispenses, device requests and their outbox in MongoDB. Cheap to clone; clones share their connections.
///
/// Every round trip is limited to [`MongoSettings::operation_timeout_ms`]. A transition alone makes one. With an idempotency key it makes a
/// second when it is not applied, or when the unique index on keys is not known to exist; the worst case, a null history and expired keys,
/// makes nine. While others are under way a transition is queued first, for at most the same time; a batch makes two, and those of a single
/// transition in addition when it failed in the batch or the reply was lost. Finds by id and the lookups of requests and dispenses are
/// queued too, and share a query; one whose batch failed makes one more. A create makes four, a change by a signed document two, or four with its
/// request; all of one call, with the attempts that concurrent writes make necessary, end within one time-out, but for the lookups of idempotency
/// keys and for the time in a queue. A transaction that several creates and changes share makes at most six. `migrate` has no limit.
#[derive(Clone)]
pub struct MongoStore {
    pub(crate) documents: Collections,
    pub(crate) finds: Reads<Find>,
    pub(crate) request_lookups: Reads<RequestLookup>,
    pub(crate) dispense_lookups: Reads<DispenseLookup>,
    pub(crate) transitions: Batcher<TransitionExecutor>,
    pub(crate) commits: Batcher<CommitExecutor>,
    pool: Arc<Pool>,
    transport: Transport,
}

impl MongoStore {
    /// Creates the client. Does not wait for a server: the first call that needs one notices that it is down. Must be called inside a Tokio
    /// runtime, which runs the driver's tasks.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unexpected`] when the connection string cannot be understood, or a file cannot be used;
    /// [`StoreErrorKind::Unavailable`] when the hosts of `mongodb+srv` cannot be looked up.
    pub async fn connect(settings: &MongoSettings) -> Result<Self, StoreError> {
        let mut options =
            ClientOptions::parse(settings.uri.expose()).await.map_err(|error| unparsed(&error))?;
        options.tls = tls::options(&options, settings)?;
        let transport = tls::transport(&options);
        options.app_name.get_or_insert_with(|| APP_NAME.to_owned());
        options.max_pool_size = Some(settings.max_pool_size);
        options.connect_timeout = Some(Duration::from_millis(settings.connect_timeout_ms));
        options.server_selection_timeout = Some(Duration::from_millis(settings.server_selection_timeout_ms));
        options.retry_reads = Some(true);
        // The driver repeats a write whose acknowledgement was lost, and the server recognises it and does not apply it twice.
        options.retry_writes = Some(true);
        let pool = Arc::new(Pool::new(settings.max_pool_size));
        options.cmap_event_handler = Some(Pool::event_handler(&pool));
        let client = Client::with_options(options).map_err(|_| unusable_uri())?;
        let database = client.database(&settings.database);
        let documents = Collections::of(database, Duration::from_millis(settings.operation_timeout_ms));
        Ok(Self {
            finds: ReadExecutor::batching(documents.clone(), 1),
            request_lookups: ReadExecutor::batching(documents.clone(), FURTHER_LOOKUPS_AT),
            dispense_lookups: ReadExecutor::batching(documents.clone(), FURTHER_LOOKUPS_AT),
            transitions: TransitionExecutor::batching(documents.clone()),
            commits: CommitExecutor::batching(documents.clone()),
            documents,
            pool,
            transport,
        })
    }

    /// Returns how connections are protected.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Returns the state of the connection pool, summed over all servers, and how many calls wait for their batch.
    pub fn pool_status(&self) -> PoolStatus {
        let lookups = self.request_lookups.queue_len() + self.dispense_lookups.queue_len();
        let writes = self.transitions.queue_len() + self.commits.queue_len();
        self.pool.status(self.finds.queue_len() + lookups + writes)
    }

    /// Sets the callback for the time that each call waited for a connection, in vain or not. Only the first call has an effect.
    pub fn on_waited(&self, told: impl Fn(Duration) + Send + Sync + 'static) {
        self.pool.on_waited(Box::new(told));
    }

    /// Pings the primary.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when it does not answer in time.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let ping = self.documents.database.run_command(doc! { "ping": 1 }).selection_criteria(primary);
        self.documents.attempt("pinging MongoDB", ping).await.map(drop)
    }
}

/// Leaves out the driver's reason, which may quote a part of the password, except that of the lookup of `mongodb+srv`, which quotes the host.
fn unparsed(error: &mongodb::error::Error) -> StoreError {
    match error.kind.as_ref() {
        ErrorKind::DnsResolve { message, .. } => {
            let attempted = "looking up the hosts of the MongoDB connection string (mongodb+srv) by DNS";
            StoreError::new(StoreErrorKind::Unavailable, attempted).because(message.clone())
        }
        _ => unusable_uri(),
    }
}

fn unusable_uri() -> StoreError {
    let attempted = "reading the MongoDB connection string; it must be \
                     mongodb://[user:password@]host:port[,host:port…]/[?options] or \
                     mongodb+srv://[user:password@]name/[?options], with user and password percent-encoded, and \
                     options that the driver knows";
    StoreError::new(StoreErrorKind::Unexpected, attempted)
}
