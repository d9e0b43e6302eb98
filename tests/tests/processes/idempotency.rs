//! Killed after a change and before its answer: the same request under the same key gets the first answer, and nothing happens twice.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use esoz_contract_division::ContractDivision;
use esoz_test_servers::proxy::Proxy;
use esoz_testkit::builders::fresh;
use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{
    Answer, CONTRACT_DIVISIONS, DEADLINE, Kind, Request, StopFixture, TestApp, TestStores, UpdateFixture,
    active_contract_divisions, stop_path, update_path,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kill::{delivered, onlooker};
use crate::{environment, with};

pub(crate) const KEY: &str = "the-key-of-a-client";
const POSTGRES: &str = "ESOZ_POSTGRES__URL";
pub(crate) const MONGODB: &str = "ESOZ_MONGODB__URI";

fn stop(app: &TestApp, base: &str, fixture: &StopFixture) -> Request {
    let request = app.request_at(base, Method::PATCH, &fixture.path()).token(&fixture.token);
    request.header("x-idempotency-key", KEY)
}

fn update(app: &TestApp, base: &str, fixture: &UpdateFixture) -> Request {
    let request =
        app.request_at(base, Method::PUT, &fixture.path()).api_key(&fixture.api_key).token(&fixture.token);
    request.header("x-idempotency-key", KEY).json(&fixture.change())
}

fn create(app: &TestApp, base: &str, fixture: &UpdateFixture) -> Request {
    let request = app.request_at(base, Method::POST, CONTRACT_DIVISIONS);
    let request = request.api_key(&fixture.api_key).token(&fixture.token);
    request.header("x-idempotency-key", KEY).json(&fixture.change())
}

/// Sends a request whose answer nobody will read, and waits until it has taken effect.
pub(crate) async fn until_effect(request: Request, mut has_effect: impl AsyncFnMut() -> bool) {
    let unread = tokio::spawn(request.send());
    wait_for("the effect of the request", DEADLINE, async || has_effect().await.then_some(())).await;
    unread.abort();
}

async fn is_stopped(app: &TestApp, fixture: &StopFixture) -> bool {
    app.stores.dispenses.find(fixture.dispense.id).await.unwrap().unwrap().dispense.unwrap().status.as_str()
        == "stopped"
}

async fn is_updated(app: &TestApp, fixture: &UpdateFixture) -> bool {
    fixture.stored(app).await.division_id == fixture.divisions[1].facts.id
}

/// The active records with the pair of the fixture's change.
async fn created(app: &TestApp, fixture: &UpdateFixture) -> Vec<ContractDivision> {
    let mut active = active_contract_divisions(app).await;
    active.retain(|record| record.contract_id == fixture.contracts[1].facts.id);
    active
}

/// The answer shows the one record that was created, and it was inserted once.
async fn assert_created_once(app: &TestApp, fixture: &UpdateFixture, answer: &Answer) {
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    let records = created(app, fixture).await;
    assert_eq!(records.len(), 1, "{records:?}");
    let record = records.first().unwrap();
    assert_eq!(answer.body["data"]["id"], record.id.to_string());
    let at = esoz_kernel::time::rfc3339_micros(record.stamps.inserted_at);
    assert_eq!(answer.body["data"]["inserted_at"], at);
    assert_eq!(app.audit().rows(record.id).await.len(), 1);
}

/// The answer tells of the very change that is stored, and there is one.
async fn assert_stopped_once(app: &TestApp, fixture: &StopFixture, answer: &Answer) {
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let stored = app.stores.dispenses.find(fixture.dispense.id).await.unwrap().unwrap().dispense.unwrap();
    let at = stored.record["updated_at"].as_str().unwrap();
    assert_eq!(answer.body["data"], fixture.stopped(&fixture.dispense, at));
    assert_eq!(Value::Object(stored.record)["status_history"], answer.body["data"]["status_history"]);
    delivered(app, fixture).await;
    let key = fixture.dispense.id.to_string();
    let messages = app.delivered().messages().await;
    let events: BTreeSet<String> = messages
        .iter()
        .filter(|message| message.key == key)
        .map(|message| message.json["id"].to_string())
        .collect();
    assert_eq!(events.len(), 1, "one event, however often it is delivered");
}

async fn assert_updated_once(app: &TestApp, fixture: &UpdateFixture, answer: &Answer) {
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let at = esoz_kernel::time::rfc3339_micros(fixture.stored(app).await.stamps.updated_at);
    assert_eq!(answer.body["data"], fixture.updated(&fixture.contracts[1], &fixture.divisions[1], &at));
    let rows = app.audit().rows(fixture.record.id).await;
    assert_eq!(rows.iter().filter(|row| row.action == "UPDATE").count(), 1);
}

/// A proxy in front of the server that a URL of the environment names, and the environment with the proxy in its place.
pub(crate) fn behind_a_proxy(variables: &[(String, String)], name: &str) -> (Proxy, Vec<(String, String)>) {
    let mut variables = variables.to_vec();
    let (_, url) = variables.iter_mut().find(|(other, _)| other == name).unwrap();
    let (_, place) = url.split_once("//").unwrap();
    let place = place.rsplit('@').next().unwrap();
    let target: SocketAddr = place.split(['/', '?']).next().unwrap().parse().unwrap();
    let proxy = Proxy::start(target).unwrap();
    *url = url.replace(&target.to_string(), &proxy.address().to_string());
    (proxy, variables)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_mongodb_could_tell_that_a_dispense_is_stopped() {
    let stores = TestStores::fresh(Kind::Servers).await;
    let variables = with(environment(&stores), "ESOZ_EVENTS__LEASE_MS", "16001");
    let app = onlooker(Kind::Servers, stores).await;
    let fixture = StopFixture::load(&app).await;
    let (proxy, slowed) = behind_a_proxy(&variables, MONGODB);
    let (server, base) = Process::serve(&slowed);
    // So that it has its connections.
    let unknown = stop_path(&fixture.patient.uuid().to_string(), &fresh().to_string());
    let warm = app.request_at(&base, Method::PATCH, &unknown).token(&fixture.token).send().await;
    assert_eq!(warm.status, 404);

    // From the commit on MongoDB's answer is that long on its way.
    proxy.delay(Duration::from_millis(1_500));
    until_effect(stop(&app, &base, &fixture), async || is_stopped(&app, &fixture).await).await;
    server.kill();

    let (server, base) = Process::serve(&variables);
    for _ in 0..2 {
        assert_stopped_once(&app, &fixture, &stop(&app, &base, &fixture).send().await).await;
    }
    drop(server);
}

/// Sends a request, kills the server that has carried it out while the answer of the store at that URL is on its way, and sends it twice to another
/// one; gives that one, which lives on, and the answers. The first request makes the server's connections, and is of no effect.
pub(crate) async fn killed_before_the_store_could_tell(
    url: &str,
    variables: &[(String, String)],
    without_effect: impl FnOnce(&str) -> Request,
    request: impl Fn(&str) -> Request,
    has_effect: impl AsyncFnMut() -> bool,
) -> (Process, [Answer; 2]) {
    let (proxy, slowed) = behind_a_proxy(variables, url);
    let (server, base) = Process::serve(&slowed);
    assert_eq!(without_effect(&base).send().await.status, 404);

    proxy.delay(Duration::from_millis(400));
    until_effect(request(&base), has_effect).await;
    server.kill();

    let (server, base) = Process::serve(variables);
    (server, [request(&base).send().await, request(&base).send().await])
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_postgresql_could_tell_that_a_record_is_updated() {
    let stores = TestStores::fresh(Kind::Servers).await;
    let variables = environment(&stores);
    let app = onlooker(Kind::Servers, stores).await;
    let fixture = UpdateFixture::load(&app).await;
    let unknown = |base: &str| {
        let request = app.request_at(base, Method::PUT, &update_path(&fresh().to_string()));
        request.api_key(&fixture.api_key).token(&fixture.token).json(&fixture.change())
    };
    let request = |base: &str| update(&app, base, &fixture);
    let is_updated = async || is_updated(&app, &fixture).await;
    let (_server, answers) =
        killed_before_the_store_could_tell(POSTGRES, &variables, unknown, request, is_updated).await;
    for answer in answers {
        assert_updated_once(&app, &fixture, &answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_killed_before_postgresql_could_tell_that_a_record_is_created() {
    let stores = TestStores::fresh(Kind::Servers).await;
    let variables = environment(&stores);
    let app = onlooker(Kind::Servers, stores).await;
    let fixture = UpdateFixture::load(&app).await;
    let unknown = |base: &str| {
        let request = app.request_at(base, Method::POST, CONTRACT_DIVISIONS);
        let request = request.api_key(&fixture.api_key).token(&fixture.token);
        request.json(&json!({"division_id": fresh().to_string(), "contract_id": fresh().to_string()}))
    };
    let request = |base: &str| create(&app, base, &fixture);
    let is_created = async || !created(&app, &fixture).await.is_empty();
    let (_server, answers) =
        killed_before_the_store_could_tell(POSTGRES, &variables, unknown, request, is_created).await;
    for answer in answers {
        assert_created_once(&app, &fixture, &answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_killed_as_soon_as_it_is_in_the_file() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = with(environment(&stores), "ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "100");
    let variables = with(variables, "ESOZ_EVENTS__LEASE_MS", "6100");
    let app = onlooker(Kind::Sqlite, stores).await;
    for _ in 0..3 {
        let (stopped, updated) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let creator = UpdateFixture::load(&app).await;
        let (server, base) = Process::serve(&variables);
        until_effect(stop(&app, &base, &stopped), async || is_stopped(&app, &stopped).await).await;
        until_effect(update(&app, &base, &updated), async || is_updated(&app, &updated).await).await;
        until_effect(create(&app, &base, &creator), async || !created(&app, &creator).await.is_empty()).await;
        server.kill();
        let (server, base) = Process::serve(&variables);
        for _ in 0..2 {
            assert_stopped_once(&app, &stopped, &stop(&app, &base, &stopped).send().await).await;
            assert_updated_once(&app, &updated, &update(&app, &base, &updated).send().await).await;
            assert_created_once(&app, &creator, &create(&app, &base, &creator).send().await).await;
        }
        drop(server);
    }
}
