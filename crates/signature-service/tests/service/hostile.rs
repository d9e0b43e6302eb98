//! J04: services that are down, slow or hostile. Nothing is ever valid because of them.

use std::sync::Arc;
use std::time::Instant;

use esoz_https::RemoteServer;
use esoz_kernel::StoreErrorKind::Unavailable;
use esoz_signature_service::ServiceVerifier;
use esoz_signed_content::SignatureVerifier as _;
use esoz_testkit::wait::wait_for;
use tokio::net::TcpSocket;
use tokio::sync::watch;

use crate::support::{CONTAINER, DEADLINE, Log, Reply, TestServer, settings, verified, verify};

const GOOD: &str = r#"{"data":{"content":{},"signatures":[{"is_valid":true}]}}"#;

#[tokio::test]
async fn given_any_other_status_then_the_verifier_is_away() {
    for status in [201, 204, 301, 401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504] {
        assert_eq!(verified(Reply::Json(status, GOOD.to_owned())).await, Err(Unavailable), "{status}");
    }
    for status in [400, 422] {
        let page = Reply::Json(status, "<!doctype html><title>canary</title>".to_owned());
        assert_eq!(verified(page).await, Err(Unavailable), "{status}");
    }
}

#[tokio::test]
async fn a_service_is_there_whatever_it_answers_to_a_get_and_away_when_a_gateway_answers_for_it() {
    for (status, is_there) in
        [(200, true), (404, true), (405, true), (500, true), (502, false), (503, false), (504, false)]
    {
        let server = TestServer::start(Reply::Json(status, "{}".to_owned())).await;
        let pinged = ServiceVerifier::try_new(&settings(&server)).unwrap().ping().await;
        assert_eq!(
            pinged.map_err(|error| error.kind()),
            is_there.then_some(()).ok_or(Unavailable),
            "{status}"
        );
    }
    let nowhere = ServiceVerifier::try_new(&ServiceVerifier::settings("http://127.0.0.1:1/")).unwrap();
    let error = nowhere.ping().await.unwrap_err();
    assert_eq!(error.kind(), Unavailable);
    assert!(
        error.with_causes().contains("checking that http://127.0.0.1:1 answers"),
        "{}",
        error.with_causes()
    );
}

#[tokio::test]
async fn given_an_answer_in_another_form_then_the_verifier_is_away() {
    for answer in [
        "",
        "canary",
        "null",
        "[]",
        "{}",
        r#"{"data":null}"#,
        r#"{"data":[{},[{"is_valid":true}]]}"#,
        r#"{"data":{"content":{}}}"#,
        r#"{"data":{"content":{},"signatures":null}}"#,
        r#"{"data":{"content":{},"signatures":{"is_valid":true}}}"#,
        r#"{"data":{"content":{},"signatures":[{}]}}"#,
        r#"{"data":{"content":{},"signatures":[[true]]}}"#,
        r#"{"data":{"content":{},"signatures":[{"is_valid":null}]}}"#,
        r#"{"data":{"content":{},"signatures":[{"is_valid":"true"}]}}"#,
        r#"{"data":{"content":{},"signatures":[{"is_valid":1}]}}"#,
        r#"{"data":{"content":{},"signatures":[{"is_valid":false,"is_valid":true}]}}"#,
        r#"{"data":{"content":{},"signatures":[{"is_valid":true,"signer":{"drfo":1234567890}}]}}"#,
        r#"{"data":{"content":{},"signatures":[{"is_valid":true}]}"#,
        r#"{"data":{"content":{},"signatures":[{"is_valid":true}]}}}"#,
        "\u{feff}{\"data\":{\"content\":{},\"signatures\":[]}}",
    ] {
        assert_eq!(verified(Reply::ok(answer)).await, Err(Unavailable), "{answer}");
    }
    let binary =
        [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), b"{\"data\":\"\xff\"}"].concat();
    assert_eq!(verified(Reply::Raw(binary)).await, Err(Unavailable));
}

#[tokio::test]
async fn given_a_connection_that_breaks_then_the_verifier_is_away() {
    assert_eq!(verified(Reply::Raw(Vec::new())).await, Err(Unavailable));
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{GOOD}", GOOD.len() + 1);
    assert_eq!(verified(Reply::Raw(cut.into_bytes())).await, Err(Unavailable));
    // A port that is taken, so that nobody else comes to listen there, and that nobody listens on.
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let refusing = ServiceVerifier::settings(format!("http://{}/", taken.local_addr().unwrap()));
    assert_eq!(verify(&refusing).await, Err(Unavailable));
}

#[tokio::test]
async fn given_a_service_that_takes_its_time_then_it_does_not_take_ours() {
    for reply in [Reply::Silence, Reply::Drip] {
        let server = TestServer::start(reply).await;
        let settings = RemoteServer { timeout_ms: 200, ..settings(&server) };
        let started = Instant::now();
        assert_eq!(verify(&settings).await, Err(Unavailable));
        assert!(started.elapsed() < DEADLINE / 2, "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn given_an_answer_that_is_too_large_then_the_verifier_is_away() {
    for (limit, is_read) in [(GOOD.len(), true), (GOOD.len() - 1, false)] {
        let server = TestServer::start(Reply::ok(GOOD)).await;
        let settings = RemoteServer { max_answer_bytes: limit, ..settings(&server) };
        assert_eq!(verify(&settings).await.is_ok(), is_read, "{limit}");
    }
}

#[tokio::test]
async fn given_more_requests_than_may_run_then_they_wait() {
    let (release, released) = watch::channel(false);
    let server = TestServer::start(Reply::Held(Box::new(Reply::ok(GOOD)), released)).await;
    let settings = RemoteServer { max_concurrent_requests: 2, ..settings(&server) };
    let verifier = Arc::new(ServiceVerifier::try_new(&settings).unwrap());
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let verifier = Arc::clone(&verifier);
            tokio::spawn(async move { verifier.verify(CONTAINER).await.unwrap().unwrap() })
        })
        .collect();
    wait_for("two requests", DEADLINE, async || (server.requests() >= 2).then_some(())).await;
    release.send(true).unwrap();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!((server.requests(), server.most_at_once()), (10, 2));
}

#[test]
fn given_settings_that_cannot_be_used_then_the_setting_is_named() {
    let refused = |settings: RemoteServer| ServiceVerifier::try_new(&settings).err().unwrap().setting();
    assert_eq!(refused(ServiceVerifier::settings("http://signatures.example/")), "url");
    let none = RemoteServer {
        max_concurrent_requests: 0,
        ..ServiceVerifier::settings("https://signatures.example/")
    };
    assert_eq!(refused(none), "max_concurrent_requests");
}

#[tokio::test]
async fn containers_and_answers_are_not_logged() {
    let (log, _guard) = Log::capture();
    let invalid = r#"{"data":{"content":{"canary":1},"signatures":[{"is_valid":false,"validation_error_message":"canary","signer":{"drfo":"canary"}}]}}"#;
    for reply in [Reply::ok(invalid), Reply::ok("canary"), Reply::Json(422, r#"{"canary":1}"#.to_owned())] {
        // Whatever comes of it.
        let _ = verified(reply).await;
    }
    tracing::info!("the end");
    let logged = log.text();
    assert!(logged.contains("the end"), "{logged}");
    assert!(!logged.contains("canary") && !logged.contains("MIBjYW5hcnk"), "{logged}");
}
