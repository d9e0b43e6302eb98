//! How a test app is set up.

use std::ffi::OsString;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use esoz::{Config, EsozServer, Parts, Stores};
use esoz_http::MonotonicClock;
use esoz_kernel::system::RandomIds;
use esoz_kernel::{Clock as _, IdGenerator, Timestamp};
use esoz_testkit::clock::{ManualClock, SequentialIds};
use tokio::sync::oneshot;

use crate::client;
use crate::secret_scan::{self, SecretScan};
use crate::stores::{Kind, TestStores};
use crate::test_app::{PATIENT_KEY, ServerRuntime, TestApp};

type Change = Box<dyn FnOnce(&mut Parts) + Send>;

/// Builds a test app: its stores, settings and replaced parts.
pub struct Setup {
    kind: Kind,
    variables: Vec<(String, String)>,
    change: Change,
}

impl Setup {
    /// A test app on those stores with default settings, except that it picks free ports, caches nothing, serves metrics and polls for events often.
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

impl TestApp {
    /// A test app with default settings.
    pub async fn new(kind: Kind) -> Self {
        Setup::new(kind).start().await
    }
}

/// A monotonic clock that follows the test's clock.
struct ByClock(Arc<ManualClock>);

impl MonotonicClock for ByClock {
    fn elapsed(&self) -> Duration {
        self.0.now().duration_since(Timestamp::UNIX_EPOCH).unsigned_abs()
    }
}
