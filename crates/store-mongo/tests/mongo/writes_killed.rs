//! A process, or the server, is killed in the middle of a transaction. The other process is this test's own program, run again for the one test
//! that is named, which finds from its environment that it is the other one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bson::doc;
use esoz_device_dispense::{Create, DeviceDispenses as _, DeviceRequest, Dispense, DispenseWrites as _};
use esoz_events::Outbox as _;
use esoz_kernel::{DeviceRequestId, Written};
use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_test_servers::{MongoDb, proxy::Proxy};
use esoz_testkit::builders::{at_millis, create_of, dispense, signed_change};
use esoz_testkit::wait::wait_for;

use crate::support::Fresh;
use crate::writes::{completion, document_of, new_create, stored_dispense, stored_request};

const URI: &str = "ESOZ_TEST_URI_OF_THE_OTHER_PROCESS";
const DATABASE: &str = "ESOZ_TEST_DATABASE_OF_THE_OTHER_PROCESS";
const REQUEST: &str = "ESOZ_TEST_REQUEST_OF_THE_OTHER_PROCESS";
const DISPENSE: &str = "ESOZ_TEST_DISPENSE_OF_THE_OTHER_PROCESS";
/// The line in which the other process says that it is about to write.
const READY: &str = "is about to write";
const LONG: Duration = Duration::from_mins(2);

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// The request that the other process writes to, if this is the other process.
fn request_of_the_other() -> Option<DeviceRequestId> {
    variable(REQUEST)?.parse().ok()
}

/// What the other process does: it creates a dispense of the request, or completes the one that is named, when it is told to.
async fn write_when_told(request: DeviceRequestId) {
    let [uri, database] = [URI, DATABASE].map(|name| variable(name).unwrap());
    let patient = MongoSettings { operation_timeout_ms: 600_000, ..MongoSettings::new(uri, database) };
    let store = MongoStore::connect(&patient).await.unwrap();
    let query = create_of(&dispense().build(), request, at_millis(1)).query;
    let facts = store.request_facts(&query).await.unwrap().request.unwrap();
    let (_, create) = new_create(&store, &facts).await;
    let named = match variable(DISPENSE) {
        Some(id) => store.find(id.parse().unwrap()).await.unwrap().unwrap().dispense.ok(),
        None => None,
    };
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{READY}").unwrap();
        out.flush().unwrap();
    }
    std::io::stdin().lines().next().unwrap().unwrap();
    // It is killed before either is answered.
    if let Some(dispense) = named {
        drop(store.change(&signed_change(&dispense, &completion(&dispense, request))).await);
    } else {
        drop(store.create(&create).await);
    }
}

/// A server, and a proxy before it that the other process uses.
struct Scene {
    server: MongoDb,
    fresh: Fresh,
    proxy: Proxy,
}

impl Scene {
    async fn new() -> Self {
        let server = MongoDb::start().unwrap();
        let fresh = Fresh::at(server.uri()).await;
        fresh.store.migrate().await.unwrap();
        let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], server.port()))).unwrap();
        Self { server, fresh, proxy }
    }

    /// The other process, killed after its first statement of a transaction was carried out, and before its second.
    async fn kill_in_the_middle(&self, test: &str, request: &DeviceRequest, dispense: Option<&Dispense>) {
        let mut child = self.in_the_middle(test, request, dispense).await;
        child.kill().unwrap();
        child.wait().unwrap();
        self.proxy.cut();
        self.proxy.heal();
    }

    async fn in_the_middle(&self, test: &str, request: &DeviceRequest, dispense: Option<&Dispense>) -> Child {
        self.proxy.heal();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture"])
            .env(URI, format!("mongodb://{}/?directConnection=true", self.proxy.address()))
            .env(DATABASE, &self.fresh.settings.database)
            .env(REQUEST, request.id.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(dispense) = dispense {
            command.env(DISPENSE, dispense.id.to_string());
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains(READY)), "the other process has ended");
        // A change reads the facts first: its answers are let through until it is in its transaction.
        if dispense.is_some() {
            self.proxy.delay(Duration::from_millis(500));
        } else {
            self.proxy.half_open();
        }
        writeln!(child.stdin.as_mut().unwrap(), "go").unwrap();
        wait_for("a transaction to be in the middle", LONG, async || {
            (self.open_transactions() == 1).then_some(()).ok_or("there is none")
        })
        .await;
        self.proxy.half_open();
        child
    }

    fn open_transactions(&self) -> i64 {
        let status = self.server.command(doc! { "serverStatus": 1 }).unwrap();
        status.get_document("transactions").unwrap().get_i64("currentInactive").unwrap()
    }

    /// A store that does not wait long.
    async fn impatient(&self) -> MongoStore {
        let settings = MongoSettings { operation_timeout_ms: 1_000, ..self.fresh.settings.clone() };
        MongoStore::connect(&settings).await.unwrap()
    }

    /// A create for the request that a killed process holds: refused as a conflict, or recorded once it is free.
    async fn create_in_the_end(&self, create: &Create) {
        let store = self.impatient().await;
        wait_for("the request to be free", LONG, async || match store.create(create).await {
            Ok(outcome) => {
                assert!(matches!(outcome, Written::Applied(_)), "{outcome:?}");
                Ok(())
            }
            Err(error) => Err(error),
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_in_the_middle_of_a_create_leaves_nothing_and_frees_its_request() {
    if let Some(request) = request_of_the_other() {
        return write_when_told(request).await;
    }
    let test = "writes_killed::a_process_that_is_killed_in_the_middle_of_a_create_leaves_nothing_and_frees_its_request";
    let scene = Scene::new().await;
    let request = stored_request(&scene.fresh.store).await;
    let before = document_of(&scene.fresh, "device_requests", request.id.uuid()).await;
    scene.kill_in_the_middle(test, &request, None).await;
    assert_eq!(document_of(&scene.fresh, "device_requests", request.id.uuid()).await, before);
    assert_eq!(scene.fresh.documents.count_documents(doc! {}).await.unwrap(), 0);

    // Its transaction is not over: a create for the same request is refused in time, one for another is not.
    let (_, create) = new_create(&scene.fresh.store, &request).await;
    let error = scene.impatient().await.create(&create).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let other = stored_request(&scene.fresh.store).await;
    let (_, of_other) = new_create(&scene.fresh.store, &other).await;
    assert!(matches!(scene.fresh.store.create(&of_other).await.unwrap(), Written::Applied(_)));

    // An operator ends it; or the server does, after a time that is the operator's.
    scene.server.command(doc! { "killAllSessions": [] }).unwrap();
    scene.create_in_the_end(&create).await;
    let limit = doc! { "setParameter": 1, "transactionLifetimeLimitSeconds": 1 };
    scene.server.command(limit).unwrap();
    let request = stored_request(&scene.fresh.store).await;
    scene.kill_in_the_middle(test, &request, None).await;
    let (_, create) = new_create(&scene.fresh.store, &request).await;
    scene.create_in_the_end(&create).await;
    assert_eq!(scene.fresh.store.backlog().await.unwrap().depth, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_in_the_middle_of_a_completion_leaves_both_as_they_were() {
    if let Some(request) = request_of_the_other() {
        return write_when_told(request).await;
    }
    let test =
        "writes_killed::a_process_that_is_killed_in_the_middle_of_a_completion_leaves_both_as_they_were";
    let scene = Scene::new().await;
    let request = stored_request(&scene.fresh.store).await;
    let dispense = stored_dispense(&scene.fresh.store, &request).await;
    scene.kill_in_the_middle(test, &request, Some(&dispense)).await;
    assert_both_are_as_they_were(&scene.fresh, &request, &dispense).await;
    scene.server.command(doc! { "killAllSessions": [] }).unwrap();
    let change = signed_change(&dispense, &completion(&dispense, request.id));
    wait_for("the completion", LONG, async || scene.fresh.store.change(&change).await).await;
    assert_eq!(scene.fresh.store.backlog().await.unwrap().depth, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_a_completion_leaves_both_as_they_were() {
    if let Some(request) = request_of_the_other() {
        return write_when_told(request).await;
    }
    let test =
        "writes_killed::a_server_that_is_killed_in_the_middle_of_a_completion_leaves_both_as_they_were";
    let mut scene = Scene::new().await;
    let request = stored_request(&scene.fresh.store).await;
    let dispense = stored_dispense(&scene.fresh.store, &request).await;
    let mut child = scene.in_the_middle(test, &request, Some(&dispense)).await;
    scene.server.stop().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    scene.server.restart().unwrap();
    wait_for("the store to work again", LONG, async || scene.fresh.store.ping().await).await;
    assert_both_are_as_they_were(&scene.fresh, &request, &dispense).await;
    let change = signed_change(&dispense, &completion(&dispense, request.id));
    wait_for("the completion", LONG, async || scene.fresh.store.change(&change).await).await;
    assert_eq!(scene.fresh.store.backlog().await.unwrap().depth, 2);
}

async fn assert_both_are_as_they_were(fresh: &Fresh, request: &DeviceRequest, expected: &Dispense) {
    let stored = fresh.store.facts(expected.id).await.unwrap();
    assert_eq!(stored.request.unwrap().unwrap(), *request);
    assert_eq!(&stored.stored.unwrap().dispense.unwrap(), expected);
    assert_eq!(fresh.store.backlog().await.unwrap().depth, 0);
}
