//! A running server on stores of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use esoz::Stores;
use esoz_auth::NewAccessToken;
use esoz_device_dispense::{Dispense, PatientPseudonyms as _, Pseudonym};
use esoz_kernel::{Clock as _, PatientId, Timestamp};
use esoz_pseudonym::HmacSha256Pseudonyms;
use esoz_testkit::clock::ManualClock;
use esoz_testkit::contract::{Audit, Delivered, Message, RawDispenses};
use jiff::SignedDuration;
use reqwest::Method;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::secret_scan::{self, SecretScan};
use crate::stores::{Kind, TestStores};
use crate::{Request, Scrape};

/// The secret of the pseudonyms.
pub const PATIENT_KEY: &str = "a secret that only tests know";

/// How long a test waits for what must come.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Where a server runs. Dropping it does not wait for the server's end: a consumer may leave its group only once that has formed, which takes seconds.
pub(crate) struct ServerRuntime(Option<Runtime>);

impl ServerRuntime {
    pub(crate) fn new() -> Self {
        Self(Some(Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")))
    }

    pub(crate) fn get(&self) -> &Runtime {
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
    pub(crate) base: String,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) client: reqwest::Client,
    pub(crate) scan: SecretScan,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) server: JoinHandle<anyhow::Result<()>>,
    pub(crate) runtime: ServerRuntime,
}

impl TestApp {
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
        secret_scan::register_secret(secret_scan::PATIENT_ID, &patient.uuid().to_string());
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
