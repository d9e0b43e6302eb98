//! I01 and K15: killed after the commit and before the answer, a create and each change by a signed document has happened once, and a repetition gets
//! the first answer.

use std::collections::BTreeSet;

use esoz_device_dispense::DeviceRequestStatus;
use esoz_kernel::DispenseId;
use esoz_testkit::builders::fresh;
use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{
    Answer, CreateFixture, DEADLINE, Documents, Kind, Request, SignedAction, SignedFixture, TestApp,
    TestStores, dispenses_path, on_every_store, signed_data,
};
use reqwest::Method;
use serde_json::Value;

use crate::idempotency::{KEY, MONGODB, killed_before_the_store_could_tell, until_effect};
use crate::kill::onlooker;
use crate::{environment, with};

/// A test app that looks on, and the environment of a server on the same stores that takes signed documents.
async fn onlooker_and_server(kind: Kind, documents: &Documents) -> (TestApp, Vec<(String, String)>) {
    let stores = TestStores::fresh(kind).await;
    let mut variables = with(environment(&stores), "ESOZ_EVENTS__LEASE_MS", "16001");
    variables.extend(documents.variables());
    (onlooker(kind, stores).await, variables)
}

/// Sends a request, kills the server that has carried it out before it could tell, and sends it twice to another one; gives that one, which delivers the events, and the answers.
async fn killed(
    kind: Kind,
    variables: &[(String, String)],
    unknown: impl FnOnce(&str) -> Request,
    request: impl Fn(&str) -> Request,
    has_effect: impl AsyncFnMut() -> bool,
) -> (Process, [Answer; 2]) {
    if kind == Kind::Servers {
        return killed_before_the_store_could_tell(MONGODB, variables, unknown, request, has_effect).await;
    }
    let (server, base) = Process::serve(variables);
    until_effect(request(&base), has_effect).await;
    server.kill();
    let (server, base) = Process::serve(variables);
    (server, [request(&base).send().await, request(&base).send().await])
}

async fn stored(app: &TestApp, id: DispenseId) -> Option<Value> {
    let found = app.stores.dispenses.find(id).await.unwrap();
    found.map(|found| Value::Object(found.dispense.unwrap().record))
}

/// Both answers tell of the very change that is stored, there is one, and it has one event.
async fn assert_once(app: &TestApp, id: DispenseId, answers: &[Answer; 2], status: u16, entries: usize) {
    let stored = stored(app, id).await.unwrap();
    for answer in answers {
        assert_eq!(answer.status.as_u16(), status, "{:#}", answer.body);
        for field in ["status", "status_history", "signed_content_links", "updated_at"] {
            assert_eq!(answer.body["data"].get(field), stored.get(field), "{field}");
        }
    }
    assert_eq!(stored["status_history"].as_array().unwrap().len(), entries);
    let events = wait_for("the event in the topic", DEADLINE, async || {
        let messages = app.delivered().messages().await;
        let of_dispense = messages.iter().filter(|message| message.key == id.to_string());
        let ids: BTreeSet<String> = of_dispense.map(|message| message.json["id"].to_string()).collect();
        if ids.is_empty() { Err("not there yet".to_owned()) } else { Ok(ids) }
    });
    assert_eq!(events.await.len(), 1, "one event, however often it is delivered");
}

/// A change has happened once, and beside it there is one container, that which was sent.
async fn killed_while_it_is_changed(kind: Kind, action: SignedAction) {
    let documents = Documents::new();
    let (app, variables) = onlooker_and_server(kind, &documents).await;
    let fixture = SignedFixture::load(&app, &documents).await;
    let id = fixture.base.dispense.id;
    let container = fixture.container(&fixture.content(action));
    let unknown = |base: &str| {
        let path = format!("{}/{}", dispenses_path(&fixture.base.patient.uuid().to_string()), fresh());
        app.request_at(base, Method::GET, &path).token(&fixture.base.token)
    };
    let request = |base: &str| -> Request {
        let request = app.request_at(base, Method::PATCH, &fixture.path(action)).token(&fixture.base.token);
        request.json(&signed_data(&container)).header("x-idempotency-key", KEY)
    };
    let is_changed = async || stored(&app, id).await.unwrap()["status"] == action.status();
    let (_server, answers) = killed(kind, &variables, unknown, request, is_changed).await;
    assert_once(&app, id, &answers, 200, 2).await;
    assert_eq!(documents.container(&documents.kept_one()).await, container);
    let request = app.stores.dispense_writes.facts(id).await.unwrap().request.unwrap().unwrap();
    let is_completed = request.status == DeviceRequestStatus::Completed;
    assert_eq!(is_completed, action == SignedAction::Complete);
}

on_every_store! {
    async fn i01_killed_before_it_could_tell_that_a_dispense_is_recorded(kind) {
        let documents = Documents::new();
        let (app, variables) = onlooker_and_server(kind, &documents).await;
        let mut fixture = CreateFixture::new(&app);
        // The server has the time of the system.
        fixture.request.facts.dispense_valid_to = "2099-12-31".parse().unwrap();
        fixture.records.device.facts.end_date = None;
        fixture.store(&app).await;
        let body = fixture.body();
        let id = body["id"].as_str().unwrap().parse().unwrap();
        let unknown = |base: &str| app.request_at(base, Method::GET, &fixture.path_of(&body)).token(&fixture.token);
        let request = |base: &str| fixture.request_at(&app, base, &body).header("x-idempotency-key", KEY);
        let is_there = async || stored(&app, id).await.is_some();
        let (_server, answers) = killed(kind, &variables, unknown, request, is_there).await;
        assert_once(&app, id, &answers, 201, 1).await;
    }

    async fn i01_and_k15_killed_before_it_could_tell_that_a_dispense_is_completed(kind) {
        killed_while_it_is_changed(kind, SignedAction::Complete).await;
    }

    async fn i01_killed_before_it_could_tell_that_a_dispense_is_marked_in_error(kind) {
        killed_while_it_is_changed(kind, SignedAction::MarkInError).await;
    }
}
