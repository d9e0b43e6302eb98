//! A running server on stores of its own, and how one is set up.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use esoz::{Config, EsozServer, Parts, Stores};
use esoz_auth::NewAccessToken;
use esoz_device_dispense::{Dispense, PatientPseudonyms as _, Pseudonym};
use esoz_http::MonotonicClock;
use esoz_kernel::system::RandomIds;
use esoz_kernel::{Clock as _, IdGenerator, PatientId, Timestamp};
use esoz_pseudonym::HmacSha256Pseudonyms;
use esoz_testkit::clock::{ManualClock, SequentialIds};
use esoz_testkit::contract::{Audit, Delivered, Message, RawDispenses};
use jiff::SignedDuration;
use reqwest::Method;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::secret_scan::{self, SecretScan};
use crate::stores::{Kind, TestStores};
use crate::{Request, Scrape, client};

/// The secret of the pseudonyms.
pub const PATIENT_KEY: &str = "a secret that only tests know";

/// How long a test waits for what must come.
pub const DEADLINE: Duration = Duration::from_secs(30);

type Change = Box<dyn FnOnce(&mut Parts) + Send>;

/// Builds a test app: its stores, settings and replaced parts.
pub struct Setup {
    kind: Kind,
    variables: Vec<(String, String)>,
    change: Change,
}

impl Setup {
    /// A test app on those stores, all its settings at their defaults but for caching, which is off.
    pub fn new(kind: Kind) -> Self {
        let variables = vec![
            ("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned()),
            ("ESOZ_HTTP__WORKERS".to_owned(), "2".to_owned()),
            ("ESOZ_PATIENT__KEY".to_owned(), PATIENT_KEY.to_owned()),
            ("ESOZ_CACHE__TTL_MS".to_owned(), "0".to_owned()),
            ("ESOZ_EVENTS__POLL_MS".to_owned(), "50".to_owned()),
            ("ESOZ_METRICS__BIND".to_owned(), "127.0.0.1:0".to_owned()),
        ];
        Self { kind, variables, change: Box::new(|_| {}) }
    }

    /// With that variable in its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With metrics to be asked for.
    #[must_use]
    pub fn metrics(self) -> Self {
        self.variable("ESOZ_METRICS__BIND", "127.0.0.1:0")
    }

    /// With parts of the server replaced.
    #[must_use]
    pub fn replace(self, change: impl FnOnce(&mut Parts) + Send + 'static) -> Self {
        Self { change: Box::new(change), ..self }
    }

    /// Starts the server on fresh stores.
    pub async fn start(self) -> TestApp {
        let stores = TestStores::fresh(self.kind).await;
        self.start_on(stores).await
    }

    /// Starts the server on those stores.
    pub async fn start_on(self, test_stores: TestStores) -> TestApp {
        let clock = Arc::new(ManualClock::new("2026-01-31T08:16:30.123456Z".parse().unwrap()));
        let kind = self.kind;
        let runtime = ServerRuntime::new();
        let (server, stores) =
            self.server(&runtime, &test_stores, &clock, Arc::new(SequentialIds::default())).await;
        let base = format!("{}://{}", server.scheme(), server.address());
        let metrics = server.metrics_address();
        let scan = SecretScan { metrics };
        let (stop, told_to_stop) = oneshot::channel();
        let server = runtime.get().spawn(server.run_until(async move {
            let _ = told_to_stop.await;
        }));
        TestApp {
            kind,
            base,
            clock,
            stores,
            metrics,
            client: client(),
            test_stores,
            scan,
            stop,
            server,
            runtime,
        }
    }

    /// Starts another server on the stores of that one, at its time. It serves until the test ends. Gives where it is: `http://host:port`.
    pub async fn start_replica_of(self, app: &TestApp) -> String {
        let (server, _) = self.server(&app.runtime, &app.test_stores, &app.clock, Arc::new(RandomIds)).await;
        let base = format!("{}://{}", server.scheme(), server.address());
        app.runtime.get().spawn(server.run_until(std::future::pending()));
        base
    }

    async fn server(
        self,
        runtime: &ServerRuntime,
        test_stores: &TestStores,
        clock: &Arc<ManualClock>,
        ids: Arc<dyn IdGenerator>,
    ) -> (EsozServer, Stores) {
        secret_scan::capture();
        let variables = test_stores.variables().iter().cloned().chain(self.variables);
        let environment = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let config = Config::from_sources(None, environment).unwrap();
        let (change, clock) = (self.change, clock.clone());
        let started = runtime.get().spawn(async move {
            let mut parts = Parts::configured(&config).await.unwrap();
            let stores = parts.stores.clone();
            parts.clock = clock.clone();
            parts.monotonic_clock = Arc::new(ByClock(clock));
            parts.ids = ids;
            change(&mut parts);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            (EsozServer::start(&config, parts, listener).unwrap(), stores)
        });
        started.await.expect("a server that starts")
    }
}

/// Where a server runs. Whoever has learned what a test is about does not wait for the end of its server, which takes seconds where a
/// broker lets a group form before a consumer may leave it.
struct ServerRuntime(Option<Runtime>);

impl ServerRuntime {
    fn new() -> Self {
        Self(Some(Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")))
    }

    fn get(&self) -> &Runtime {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl Drop for ServerRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A monotonic_clock that goes on with the clock of the test.
struct ByClock(Arc<ManualClock>);

impl MonotonicClock for ByClock {
    fn elapsed(&self) -> Duration {
        self.0.now().duration_since(Timestamp::UNIX_EPOCH).unsigned_abs()
    }
}

/// A running server on stores of its own, at a time that the test sets.
pub struct TestApp {
    /// On which stores it runs.
    pub kind: Kind,
    /// The server's time. It stands still.
    pub clock: Arc<ManualClock>,
    /// The server's stores, past the server.
    pub stores: Stores,
    /// The same past their adapters.
    pub test_stores: TestStores,
    base: String,
    metrics: Option<SocketAddr>,
    client: reqwest::Client,
    scan: SecretScan,
    stop: oneshot::Sender<()>,
    server: JoinHandle<anyhow::Result<()>>,
    runtime: ServerRuntime,
}

impl TestApp {
    /// A test app with default settings.
    pub async fn new(kind: Kind) -> Self {
        Setup::new(kind).start().await
    }

    /// Tells the server to stop, as SIGTERM would; gives what must outlive it, and its end. What it says until then is searched then.
    pub fn begin_to_stop(self) -> (TestStores, JoinHandle<anyhow::Result<()>>) {
        let Self { test_stores, mut scan, stop, server, runtime, .. } = self;
        scan.search_metrics();
        stop.send(()).expect("a running server");
        let ended = tokio::spawn(async move {
            let ended = server.await.expect("no panic");
            drop((scan, runtime));
            ended
        });
        (test_stores, ended)
    }

    /// As if its metrics were at that address: for who plants what must be found there.
    #[must_use]
    pub fn with_metrics_at(mut self, address: SocketAddr) -> Self {
        self.metrics = Some(address);
        self.scan.metrics = Some(address);
        self
    }

    /// Where the server is: `http://host:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Asks for the metrics.
    ///
    /// # Panics
    /// When the server shows none, or not as Prometheus reads them.
    pub async fn scrape(&self) -> Scrape {
        let response = self.at_metrics(Method::GET, "/metrics").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Scrape::read(&response.text().await.unwrap())
    }

    /// Asks where the metrics are.
    ///
    /// # Panics
    /// When the server shows none.
    pub async fn at_metrics(&self, method: Method, path: &str) -> reqwest::Response {
        let address = self.metrics.expect("a server with metrics");
        self.client.request(method, format!("http://{address}{path}")).send().await.expect("an answer")
    }

    /// Begins a request.
    pub fn request(&self, method: Method, path: &str) -> Request {
        self.request_at(&self.base, method, path)
    }

    /// Begins a request to another server on the same stores.
    pub fn request_at(&self, base: &str, method: Method, path: &str) -> Request {
        secret_scan::allow_path(path);
        Request::new(&self.client, method, format!("{base}{path}"))
    }

    /// Begins a PATCH.
    pub fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    /// Begins a PUT.
    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    /// The server's time with that many seconds added.
    pub fn in_seconds(&self, seconds: i64) -> Timestamp {
        self.clock.now().saturating_add(SignedDuration::from_secs(seconds))
    }

    /// The token, valid for an hour from now.
    pub(crate) fn lasting(&self, token: NewAccessToken) -> NewAccessToken {
        NewAccessToken { expires_at: self.in_seconds(3_600), ..token }
    }

    /// What stands for that patient in the stores.
    pub fn pseudonym_of(&self, patient: PatientId) -> Pseudonym {
        let pseudonym = HmacSha256Pseudonyms::try_new(PATIENT_KEY).unwrap().of(patient);
        secret_scan::register_secret("a patient id", &patient.uuid().to_string());
        secret_scan::register_secret("a pseudonym", pseudonym.expose());
        pseudonym
    }

    /// Past the dispense port.
    pub fn raw(&self) -> &dyn RawDispenses {
        self.test_stores.raw()
    }

    /// What the audit trigger wrote.
    pub fn audit(&self) -> &dyn Audit {
        self.test_stores.audit()
    }

    /// What consumers see.
    pub fn delivered(&self) -> &dyn Delivered {
        self.test_stores.delivered()
    }

    /// Waits until nothing waits in the outbox, then gives the events that arrived.
    pub async fn events(&self) -> Vec<Message> {
        self.relayed().await;
        let messages = self.delivered().messages().await;
        secret_scan::assert_no_secret("an event", &format!("{messages:?}"));
        messages
    }

    /// Waits until nothing waits in the outbox, then gives the events of that dispense that arrived.
    pub async fn events_of(&self, dispense: &Dispense) -> Vec<Message> {
        let key = dispense.id.to_string();
        self.events().await.into_iter().filter(|message| message.key == key).collect()
    }
}
