//! What one client, one stranger or one busy minute cannot take from the others: budgets and load shedding; and what every answer says to
//! browsers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use esoz_auth::Secret;
use esoz_kernel::ClientId;
use esoz_testkit::builders::{fresh, secret};
use esoz_testkit::wait::wait_for;
use esoz_tests::{
    Answer, DEADLINE, Kind, Setup, StopFixture, TestApp, UpdateFixture, assert_protected, on_every_store,
    update_path,
};
use reqwest::Method;
use serde_json::json;

use crate::doubles::{Gate, Panicking};
use crate::lines::lines_of;
use crate::tcp::connect;

/// What the answer says about the budget of its client: what is allowed, what is left.
fn budget(answer: &Answer) -> (&str, &str) {
    let header = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
    (header("ratelimit-policy"), header("ratelimit"))
}

/// Asks for a dispense that is not there: changes nothing however often.
async fn ask(app: &TestApp, fixture: &StopFixture, token: &Secret) -> Answer {
    let unknown = fixture.another(app).build();
    app.patch(&fixture.path_of(&unknown)).token(token).send().await
}

fn limited(per_second: &str, burst: &str) -> Setup {
    Setup::new(Kind::Sqlite)
        .variable("ESOZ_RATE_LIMIT__REQUESTS_PER_SECOND", per_second)
        .variable("ESOZ_RATE_LIMIT__BURST", burst)
}

fn assert_spent(answer: &Answer) {
    let message = "This client has sent too many requests: it may send 3 in 2 s. Please try again after 1 s.";
    answer.assert_error(429, "too_many_requests", message);
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(budget(answer), ("\"client\";q=3;w=2", "\"client\";r=0;t=1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_spent_its_budget_waits_and_no_other_does() {
    let app = limited("2", "3").start().await;
    let fixture = StopFixture::load(&app).await;
    for left in ["\"client\";r=2;t=1", "\"client\";r=1;t=1", "\"client\";r=0;t=1"] {
        let answer = ask(&app, &fixture, &fixture.token).await;
        answer.assert_not_found();
        assert_eq!(budget(&answer), ("\"client\";q=3;w=2", left));
    }
    assert_spent(&fixture.stop(&app).await);
    // Another token of the same client does not help.
    let second = fixture.issue(&app, |_| {}).await;
    assert_spent(&ask(&app, &fixture, &second).await);
    fixture.assert_untouched(&app, &fixture.dispense).await;

    let other = fixture.issue(&app, |token| token.client_id = ClientId::new(fresh())).await;
    assert_ne!(ask(&app, &fixture, &other).await.status, 429);

    app.clock.advance(Duration::from_millis(500));
    fixture.stop(&app).await.assert_data(&fixture.stopped(&fixture.dispense, "2026-01-31T08:16:30.623Z"));
    assert_spent(&ask(&app, &fixture, &fixture.token).await);
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(budget(&ask(&app, &fixture, &fixture.token).await).1, "\"client\";r=2;t=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_spends_nobodys_budget() {
    let app = limited("1", "1").start().await;
    let fixture = StopFixture::load(&app).await;
    for _ in 0..5 {
        let answer = ask(&app, &fixture, &secret()).await;
        answer.assert_invalid_token();
        assert_eq!(budget(&answer), ("", ""));
        app.patch(&fixture.path()).send().await.assert_error(
            401,
            "access_denied",
            "Authorization header is not set or doesn't contain Bearer token",
        );
    }
    assert_eq!(fixture.stop(&app).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn software_that_works_for_many_clients_has_no_budget_of_its_own() {
    let app = limited("1", "1").start().await;
    let fixture = UpdateFixture::load(&app).await;
    assert_eq!(fixture.update(&app).await.status, 200);
    assert_eq!(fixture.update(&app).await.status, 429);
    // The same api key, the token of another client.
    let other = secret();
    let client_id = ClientId::new(fresh());
    let stored =
        esoz_auth::NewAccessToken { digest: other.digest(), client_id, ..fixture.stored_token.clone() };
    app.stores.credentials.add_token(&stored).await.unwrap();
    let request = app.put(&fixture.path()).api_key(&fixture.api_key).token(&other);
    assert_ne!(request.json(&fixture.change()).send().await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_nothing_is_said_about_one() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    for _ in 0..50 {
        let answer = ask(&app, &fixture, &fixture.token).await;
        answer.assert_not_found();
        assert_eq!(budget(&answer), ("", ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_slowed_down() {
    let setup = Setup::new(Kind::Sqlite).variable("ESOZ_RATE_LIMIT__FAILED_AUTHENTICATIONS_PER_MINUTE", "3");
    let app = setup.start().await;
    let fixture = StopFixture::load(&app).await;
    let update = UpdateFixture::load(&app).await;
    // What is right does not count, nor does what is no attempt.
    for _ in 0..5 {
        ask(&app, &fixture, &fixture.token).await.assert_not_found();
        assert_eq!(app.patch(&fixture.path()).send().await.status, 401);
    }
    for _ in 0..2 {
        ask(&app, &fixture, &secret()).await.assert_invalid_token();
    }
    let wrong_key = app.put(&update.path()).api_key(&secret()).token(&update.token);
    wrong_key.json(&update.change()).send().await.assert_error(401, "access_denied", "Invalid api key");

    // Now not even the right token is looked at.
    let message = "Too many authentications from this address have failed. Please try again after 20 s.";
    for answer in [fixture.stop(&app).await, update.update(&app).await] {
        answer.assert_error(429, "too_many_requests", message);
        assert_eq!(answer.headers["retry-after"], "20");
        let told = ("\"failed-authentications\";q=3;w=60", "\"failed-authentications\";r=0;t=20");
        assert_eq!(budget(&answer), told);
    }
    fixture.assert_untouched(&app, &fixture.dispense).await;
    app.clock.advance(Duration::from_secs(20));
    assert_eq!(fixture.stop(&app).await.status, 200);
    ask(&app, &fixture, &secret()).await.assert_invalid_token();
    assert_eq!(ask(&app, &fixture, &fixture.token).await.status, 429);
}

async fn health(app: &TestApp) -> Answer {
    app.request(Method::GET, "/health/live").send().await
}

/// Asks on that connection, and gives the answer: a head, and JSON in an envelope.
fn ask_on(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.ends_with("}}") {
        let mut some = [0; 1024];
        let read = stream.read(&mut some).unwrap();
        assert_ne!(read, 0, "the connection ended: {answer}");
        answer.push_str(str::from_utf8(&some[..read]).unwrap());
    }
    answer
}

/// Waits until a request is let in again.
async fn until_let_in(app: &TestApp) {
    wait_for("a free place", DEADLINE, async || {
        let answer = app.patch("/nothing").send().await;
        if answer.status == 404 { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
}

on_every_store! {
    async fn more_than_the_server_carries_is_refused_at_once(kind) {
        let gate = Gate::new();
        let held = gate.clone();
        let setup = Setup::new(kind).variable("ESOZ_HTTP__MAX_IN_FLIGHT", "2").replace(move |parts| held.hold(parts));
        let app = setup.start().await;
        let first = StopFixture::load(&app).await;
        let second = StopFixture::load(&app).await;
        let third = StopFixture::load(&app).await;
        let requests = [&first, &second].map(|fixture| tokio::spawn(fixture.request(&app).send()));
        gate.another_begun().await;
        gate.another_begun().await;

        // Nobody goes on, so these answers waited for nobody.
        for _ in 0..5 {
            third.stop(&app).await.assert_overloaded();
            app.patch("/nothing").send().await.assert_overloaded();
        }
        assert_eq!(health(&app).await.status, 200);
        // To be busy is no fault of ours.
        let id = fresh().to_string();
        app.patch("/nothing").header("x-request-id", &id).send().await.assert_overloaded();
        let lines = lines_of(&id);
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        assert_eq!((&line["level"], &line["status"], line.get("error")), (&json!("INFO"), &json!(503), None));

        // Where there is not even time for a request, there is none for a new connection after each.
        let request = format!("PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}", update_path("x"));
        let mut stream = connect(&app, "");
        for _ in 0..3 {
            let answer = tokio::task::block_in_place(|| ask_on(&mut stream, &request));
            assert!(answer.starts_with("HTTP/1.1 503 ") && !answer.contains("connection: close"), "{answer}");
        }

        gate.let_go(3);
        for request in requests {
            assert_eq!(request.await.unwrap().status, 200);
        }
        third.stop(&app).await.assert_data(&third.stopped(&third.dispense, crate::NOW_MILLIS));
    }

    async fn a_place_is_free_again_after_a_panic(kind) {
        let setup = Setup::new(kind).variable("ESOZ_HTTP__MAX_IN_FLIGHT", "1");
        let app = setup.replace(|parts| parts.stores.legal_entities = Arc::new(Panicking)).start().await;
        let fixture = StopFixture::load(&app).await;
        for _ in 0..5 {
            fixture.stop(&app).await.assert_internal();
        }
    }

    async fn a_place_is_free_again_when_work_that_nobody_waits_for_has_ended(kind) {
        let gate = Gate::new();
        let held = gate.clone();
        let setup = Setup::new(kind)
            .variable("ESOZ_HTTP__MAX_IN_FLIGHT", "1")
            .variable("ESOZ_HTTP__REQUEST_TIMEOUT_MS", "300")
            .replace(move |parts| held.hold(parts));
        let app = setup.start().await;

        // Its limit has passed, but the store still works for it.
        let fixture = StopFixture::load(&app).await;
        fixture.stop(&app).await.assert_unavailable();
        gate.another_begun().await;
        app.patch("/nothing").send().await.assert_overloaded();
        gate.let_go(1);
        until_let_in(&app).await;

        // Its client is gone.
        let fixture = StopFixture::load(&app).await;
        let (path, token) = (fixture.path(), fixture.token.expose());
        let head = format!("PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        let stream = connect(&app, &head);
        gate.another_begun().await;
        drop(stream);
        app.patch("/nothing").send().await.assert_overloaded();
        gate.let_go(1);
        until_let_in(&app).await;
        let stored = app.stores.dispenses.find(fixture.dispense.id).await.unwrap().unwrap().dispense.unwrap();
        assert_eq!(stored.status, esoz_device_dispense::DispenseStatus::Stopped, "what was begun is finished");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_to_be_careful() {
    let app = Setup::new(Kind::Sqlite)
        .replace(|parts| parts.stores.legal_entities = Arc::new(Panicking))
        .start()
        .await;
    let fixture = StopFixture::load(&app).await;
    let strict = "default-src 'none'; frame-ancestors 'none'";
    let page = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = |answer: Answer| answer.headers;
    assert_protected(&headers(fixture.stop(&app).await), strict);
    assert_protected(&headers(app.patch(&fixture.path()).send().await), strict);
    for path in ["/nothing", "/openapi.json", "/health/live", "/health/ready", "/docs/nothing"] {
        assert_protected(&headers(app.request(Method::GET, path).send().await), strict);
    }
    assert_protected(&headers(app.patch("/openapi.json").send().await), strict);
    for path in ["/docs", "/docs/page.js", "/docs/swagger-ui-bundle.js"] {
        let answer = reqwest::get(format!("{}{path}", app.base())).await.unwrap();
        assert_protected(answer.headers(), page);
        // What came by plain HTTP may come by it again.
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }
}
