//! Servers that are down, slow or hostile, in front of each adapter.

use std::{sync::Arc, time::Instant};

use esoz_auth::{AccessTokens, Secret};
use esoz_auth_remote::{
    EsozTokens, IntrospectedTokens, IntrospectionSettings, JwtAccessTokens, JwtSettings, RemoteServer,
};
use esoz_kernel::StoreErrorKind::{self, Unavailable, Unexpected};

use esoz_testkit::wait::wait_for;
use tokio::{net::TcpSocket, sync::watch};

use crate::support::{AUDIENCE, DEADLINE, ISSUER, Key, Reply, TestServer, clock, failure, is_refused};

/// Every adapter, fresh, on that server.
fn adapters(server: &RemoteServer) -> Vec<(&'static str, Box<dyn AccessTokens>)> {
    let jwt = JwtSettings::new(server.clone(), ISSUER, AUDIENCE);
    let introspection = IntrospectionSettings::new(server.clone(), "esoz", Secret::new("canary"));
    vec![
        ("jwt", Box::new(JwtAccessTokens::try_new(&jwt, clock()).unwrap())),
        ("introspection", Box::new(IntrospectedTokens::try_new(&introspection).unwrap())),
        ("esoz", Box::new(EsozTokens::try_new(server).unwrap())),
    ]
}

/// That each adapter fails so on a server that replies so.
async fn assert_fail(what: &str, reply: Reply, kind: StoreErrorKind) {
    let server = TestServer::start(reply).await;
    let settings =
        RemoteServer { max_answer_bytes: 20_000, timeout_ms: 20_000, ..RemoteServer::new(server.url("/")) };
    assert_fail_on(what, &settings, kind).await;
    assert_eq!(server.requests(), 3, "{what}");
}

async fn assert_fail_on(what: &str, settings: &RemoteServer, kind: StoreErrorKind) {
    let token = Key::es256("a").token();
    for (adapter, tokens) in adapters(settings) {
        assert_eq!(failure(tokens.as_ref(), &token).await, kind, "{adapter}: {what}");
    }
}

fn raw(text: &str) -> Reply {
    Reply::Raw(text.replace('\n', "\r\n").into_bytes())
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailability() {
    for status in [408, 429, 500, 502, 503, 504] {
        assert_fail(&status.to_string(), Reply::Json(status, "canary".to_owned()), Unavailable).await;
    }
    assert_fail("closed at once", Reply::Raw(Vec::new()), Unavailable).await;
    assert_fail("closed in the body", raw("HTTP/1.1 200 OK\ncontent-length: 100\n\n{\"canary"), Unavailable)
        .await;
    assert_fail("no HTTP", raw("SSH-2.0-canary\n\n"), Unavailable).await;
    // A port that is taken, so that nobody else comes to listen there, and that nobody listens on.
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = format!("http://{}/", taken.local_addr().unwrap());
    assert_fail_on("refused", &RemoteServer::new(address), Unavailable).await;
}

#[tokio::test]
async fn a_server_that_takes_its_time_does_not_take_ours() {
    for (what, reply) in [("silence", Reply::Silence), ("drip", Reply::Drip)] {
        let server = TestServer::start(reply).await;
        let settings = RemoteServer { timeout_ms: 200, ..RemoteServer::new(server.url("/")) };
        let started = Instant::now();
        assert_fail_on(what, &settings, Unavailable).await;
        assert!(started.elapsed() < DEADLINE / 2, "{what}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn requests_beyond_the_most_at_once_wait() {
    let (release, released) = watch::channel(false);
    let held = Reply::Held(Box::new(Reply::Json(404, String::new())), released);
    let server = TestServer::start(held).await;
    let settings = RemoteServer { max_concurrent_requests: 2, ..RemoteServer::new(server.url("/")) };
    let tokens = Arc::new(EsozTokens::try_new(&settings).unwrap());
    let callers: Vec<_> = (0..20)
        .map(|caller| {
            let tokens = Arc::clone(&tokens);
            tokio::spawn(async move { is_refused(tokens.as_ref(), &format!("token-{caller}")).await })
        })
        .collect();
    wait_for("two requests", DEADLINE, async || (server.requests() >= 2).then_some(())).await;
    release.send(true).unwrap();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!((server.requests(), server.most_at_once()), (20, 2));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let body = format!("{{\"canary\":\"{}\"}}", "a".repeat(20_000));
    assert_fail("announced", Reply::ok(&body), Unexpected).await;
    let endless =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.len());
    assert_fail("in chunks", Reply::Raw(endless.into_bytes()), Unexpected).await;
    let header = format!("HTTP/1.1 200 OK\r\nx-canary: {}\r\n\r\n", "a".repeat(100_000));
    assert_fail("in its headers", Reply::Raw(header.into_bytes()), Unavailable).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TestServer::start(Reply::ok("{}")).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = elsewhere.url("/canary");
        let reply = raw(&format!("HTTP/1.1 {status}\nlocation: {location}\ncontent-length: 0\n\n"));
        assert_fail(status, reply, Unavailable).await;
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn an_answer_in_another_form_is_our_error() {
    for body in ["null", "true", "[]", "{}", "\"canary\""] {
        assert_fail(body, Reply::ok(body), Unexpected).await;
    }
}

/// Something in front of the server answers in its place: a page about maintenance, a portal to log in.
#[tokio::test]
async fn an_answer_that_is_no_json_is_unavailability() {
    let deep = "[".repeat(10_000);
    for body in [
        "",
        "<!doctype html><title>canary</title>",
        "{\"active\":",
        "\u{feff}{}",
        deep.as_str(),
        &format!("{{\"keys\":{deep}"),
        &format!("{{\"data\":{deep}"),
        &format!("{{\"active\":{deep}"),
    ] {
        assert_fail(body.get(..20).unwrap_or(body), Reply::ok(body), Unavailable).await;
    }
    let binary = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\xff\xfe\x00\x80".to_vec();
    assert_fail("no UTF-8", Reply::Raw(binary), Unavailable).await;
}
