//! Tokens that the authorisation service of ESOZ is asked about.

use esoz_auth::TokenKind;
use esoz_auth_remote::{EsozTokens, RemoteServer};
use esoz_kernel::{StoreErrorKind, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    CLIENT, NOW, Reply, SCOPE, TestServer, USER, assert_are_the_usual, at, facts, failure, is_refused,
};

const TOKEN: &str = "opaque-canary-token";

fn tokens(server: &TestServer) -> EsozTokens {
    EsozTokens::try_new(&at(server, "/auth/")).unwrap()
}

fn answer() -> Value {
    let details =
        json!({"client_id": CLIENT, "scope": SCOPE, "broker_scope": "other:do", "grant_type": "password"});
    json!({"data": {"user_id": USER, "expires_at": NOW + 60, "details": details}, "meta": {"code": 200}})
}

fn with(pointer: &str, value: impl Into<Value>) -> Reply {
    let mut answer = answer();
    *answer.pointer_mut(pointer).unwrap() = value.into();
    Reply::ok(answer)
}

#[tokio::test]
async fn a_verified_token_states_its_facts() {
    let server = TestServer::start(Reply::ok(answer())).await;
    assert_are_the_usual(&facts(&tokens(&server), TOKEN).await, TOKEN, NOW + 60);
    let head = &server.seen()[0].head;
    assert!(head.starts_with(&format!("GET /auth/admin/tokens/{TOKEN}/verify HTTP/1.1")), "{head}");
}

#[tokio::test]
async fn the_expiry_comes_in_either_form() {
    let server = TestServer::start(Reply::ok(answer())).await;
    let tokens = tokens(&server);
    for value in
        [json!(1_767_225_600), json!("2026-01-01T00:00:00Z"), json!("2026-01-01T02:00:00.000000+02:00")]
    {
        server.set(with("/data/expires_at", value.clone()));
        let expected: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(facts(&tokens, TOKEN).await.expires_at, expected, "{value}");
    }
    let beyond =
        [json!("2026-01-01T00:00:00"), json!("2026-01-01"), json!("canary"), json!(1e300), json!(u64::MAX)];
    for value in beyond.into_iter().chain([json!(null), json!("1767225600")]) {
        server.set(with("/data/expires_at", value.clone()));
        assert_eq!(failure(&tokens, TOKEN).await, StoreErrorKind::Unexpected, "{value}");
    }
}

#[tokio::test]
async fn a_token_that_the_service_does_not_accept_is_refused() {
    let server = TestServer::start(Reply::ok(answer())).await;
    for status in [401, 404] {
        server.set(Reply::Json(status, r#"{"error":{"type":"access_denied"}}"#.to_owned()));
        assert!(is_refused(&tokens(&server), TOKEN).await, "{status}");
    }
    for status in [204, 400, 403, 422] {
        server.set(Reply::Json(status, answer().to_string()));
        assert_eq!(failure(&tokens(&server), TOKEN).await, StoreErrorKind::Unexpected, "{status}");
    }
}

#[tokio::test]
async fn a_token_of_another_name_is_of_another_kind() {
    let server = TestServer::start(Reply::ok(answer())).await;
    for (name, kind) in [("access_token", TokenKind::Access), ("refresh_token", TokenKind::Other)] {
        let mut answer = answer();
        answer["data"]["name"] = name.into();
        server.set(Reply::ok(answer));
        assert_eq!(facts(&tokens(&server), TOKEN).await.kind, kind, "{name}");
    }
}

#[tokio::test]
async fn an_answer_of_another_shape_is_the_services_error() {
    let server = TestServer::start(Reply::ok(answer())).await;
    let tokens = tokens(&server);
    for (pointer, value) in [
        ("/data", json!([])),
        ("/data", json!(null)),
        ("/data/user_id", json!("canary")),
        ("/data/user_id", json!(1)),
        ("/data/user_id", json!(null)),
        ("/data/details", json!("canary")),
        ("/data/details/client_id", json!("canary")),
        ("/data/details/client_id", json!(null)),
        ("/data/details/scope", json!(["canary"])),
    ] {
        server.set(with(pointer, value.clone()));
        assert_eq!(failure(&tokens, TOKEN).await, StoreErrorKind::Unexpected, "{pointer}: {value}");
    }
    server.set(with("/data/details/scope", json!(null)));
    assert_eq!(facts(&tokens, TOKEN).await.scope, esoz_auth::Scope::default());
}

#[tokio::test]
async fn a_token_stays_in_its_segment_of_the_path() {
    let server = TestServer::start(Reply::ok(answer())).await;
    let tokens = tokens(&server);
    facts(&tokens, "../a+b/c==").await;
    let head = &server.seen()[0].head;
    assert!(head.starts_with("GET /auth/admin/tokens/..%2Fa%2Bb%2Fc%3D%3D/verify HTTP/1.1"), "{head}");
    for token in [".", "..", "", "a?b", "a#b", "a b", "a%2e", "a\\b", "a\r\nHost: x", "токен"] {
        assert!(is_refused(&tokens, token).await, "{token}");
    }
    assert_eq!(server.requests(), 1);
}

#[test]
fn the_address_has_no_query() {
    let refusal = EsozTokens::try_new(&RemoteServer::new("https://esoz.example/?a=b")).err().unwrap();
    assert_eq!(refusal.setting(), "url");
}
