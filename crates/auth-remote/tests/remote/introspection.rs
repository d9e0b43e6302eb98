//! Tokens that an OAuth 2.0 server is asked about.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use esoz_auth::{Secret, TokenKind};
use esoz_auth_remote::{IntrospectedTokens, IntrospectionSettings, RemoteServer};
use esoz_kernel::{StoreErrorKind, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    CLIENT, NOW, Reply, SCOPE, TestServer, USER, assert_are_the_usual, at, facts, failure, is_refused,
};

const TOKEN: &str = "opaque-canary-token";

fn settings(server: &TestServer) -> IntrospectionSettings {
    IntrospectionSettings::new(at(server, "/introspect"), "esoz", Secret::new("canary-secret"))
}

fn tokens(server: &TestServer) -> IntrospectedTokens {
    IntrospectedTokens::try_new(&settings(server)).unwrap()
}

fn active() -> Value {
    json!({"active": true, "sub": USER, "client_id": CLIENT, "scope": SCOPE, "exp": NOW + 60, "token_type": "Bearer"})
}

fn with(member: &str, value: impl Into<Value>) -> Reply {
    let mut answer = active();
    answer[member] = value.into();
    Reply::ok(answer)
}

fn without(member: &str) -> Reply {
    let mut answer = active();
    answer.as_object_mut().unwrap().remove(member);
    Reply::ok(answer)
}

#[tokio::test]
async fn an_active_token_states_its_facts() {
    let server = TestServer::start(Reply::ok(active())).await;
    let tokens = tokens(&server);
    assert_are_the_usual(&facts(&tokens, TOKEN).await, TOKEN, NOW + 60);
    let seen = &server.seen()[0];
    assert!(seen.head.starts_with("POST /introspect HTTP/1.1"), "{}", seen.head);
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.body, format!("token={TOKEN}&token_type_hint=access_token"));
    let credentials = BASE64_STANDARD.encode("esoz:canary-secret");
    assert_eq!(seen.header("authorization"), Some(format!("Basic {credentials}").as_str()));
}

#[tokio::test]
async fn what_is_sent_is_encoded() {
    let server = TestServer::start(Reply::ok(r#"{"active":false}"#)).await;
    let settings = IntrospectionSettings { client_id: "a:b".to_owned(), ..settings(&server) };
    let settings = IntrospectionSettings { client_secret: Secret::new("ключ %"), ..settings };
    let tokens = IntrospectedTokens::try_new(&settings).unwrap();
    assert!(is_refused(&tokens, "a+b/c==").await);
    let seen = &server.seen()[0];
    assert_eq!(seen.body, "token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token");
    let credentials = BASE64_STANDARD.encode("a%3Ab:%D0%BA%D0%BB%D1%8E%D1%87+%25");
    assert_eq!(seen.header("authorization"), Some(format!("Basic {credentials}").as_str()));
}

#[tokio::test]
async fn a_token_that_is_not_active_is_refused() {
    let server = TestServer::start(Reply::ok(r#"{"active":false}"#)).await;
    let tokens = tokens(&server);
    assert!(is_refused(&tokens, TOKEN).await);
    server.set(with("active", false));
    assert!(is_refused(&tokens, TOKEN).await, "whatever else is said of it");
}

#[tokio::test]
async fn only_a_bearer_access_token_is_one() {
    let server = TestServer::start(Reply::ok(active())).await;
    let tokens = tokens(&server);
    for reply in [without("token_type"), with("token_type", "bearer"), with("token_use", "access_token")] {
        server.set(reply);
        assert_eq!(facts(&tokens, TOKEN).await.kind, TokenKind::Access);
    }
    for reply in [
        with("token_type", "refresh_token"),
        with("token_type", "DPoP"),
        with("token_type", ""),
        with("token_use", "refresh_token"),
        with("cnf", json!({"x5t#S256": "thumbprint"})),
    ] {
        server.set(reply);
        assert_eq!(facts(&tokens, TOKEN).await.kind, TokenKind::Other);
    }
}

#[tokio::test]
async fn where_an_audience_is_configured_a_token_must_name_it() {
    let server = TestServer::start(with("aud", json!(["other", "esoz-api"]))).await;
    let settings = IntrospectionSettings { audience: Some("esoz-api".to_owned()), ..settings(&server) };
    let tokens = IntrospectedTokens::try_new(&settings).unwrap();
    facts(&tokens, TOKEN).await;
    for reply in [with("aud", "other"), with("aud", json!([])), without("aud")] {
        server.set(reply);
        assert!(is_refused(&tokens, TOKEN).await);
    }
}

#[tokio::test]
async fn facts_come_as_they_are() {
    let server = TestServer::start(with("exp", NOW - 1_000)).await;
    let tokens = tokens(&server);
    assert_eq!(facts(&tokens, TOKEN).await.expires_at, Timestamp::from_second(NOW - 1_000).unwrap());
    server.set(without("scope"));
    assert_eq!(facts(&tokens, TOKEN).await.scope, esoz_auth::Scope::default());
}

#[tokio::test]
async fn an_active_token_of_another_kind_of_caller_is_refused() {
    let server = TestServer::start(Reply::ok(active())).await;
    let tokens = tokens(&server);
    for member in ["sub", "client_id", "exp"] {
        server.set(without(member));
        assert!(is_refused(&tokens, TOKEN).await, "without {member}");
        server.set(with(member, Value::Null));
        assert!(is_refused(&tokens, TOKEN).await, "null as {member}");
    }
    for (member, value) in [("sub", "canary"), ("sub", ""), ("client_id", "canary-machine")] {
        server.set(with(member, value));
        assert!(is_refused(&tokens, TOKEN).await, "{member}: {value}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_about_a_token_is_the_servers_error() {
    let server = TestServer::start(without("active")).await;
    let tokens = tokens(&server);
    assert_eq!(failure(&tokens, TOKEN).await, StoreErrorKind::Unexpected);
    for (member, value) in [
        ("active", json!("true")),
        ("active", json!(1)),
        ("active", json!(null)),
        ("sub", json!(7)),
        ("client_id", json!(["canary"])),
        ("exp", json!("2027-01-01T00:00:00Z")),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("scope", json!(["canary"])),
        ("aud", json!({"canary": 1})),
    ] {
        server.set(with(member, value.clone()));
        assert_eq!(failure(&tokens, TOKEN).await, StoreErrorKind::Unexpected, "{member}: {value}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_us_is_our_error() {
    let server = TestServer::start(Reply::Json(401, r#"{"error":"canary"}"#.to_owned())).await;
    for status in [400, 401, 403, 404] {
        server.set(Reply::Json(status, r#"{"active":true}"#.to_owned()));
        assert_eq!(failure(&tokens(&server), TOKEN).await, StoreErrorKind::Unexpected, "{status}");
    }
}

#[tokio::test]
async fn what_no_bearer_token_may_hold_is_not_asked_about() {
    let server = TestServer::start(Reply::ok(active())).await;
    for token in ["", "a b", "a&token=b", "a\r\nb", "токен", "%"] {
        assert!(is_refused(&tokens(&server), token).await, "{token}");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn settings_are_checked_and_hide_the_secret() {
    let server = RemoteServer::new("https://issuer.example/introspect");
    let good = IntrospectionSettings::new(server, "esoz", Secret::new("canary"));
    assert!(!format!("{good:?}").contains("canary"));
    assert!(IntrospectedTokens::try_new(&good).is_ok());
    let plain = RemoteServer::new("http://issuer.example/introspect");
    for (setting, settings) in [
        ("client_id", IntrospectionSettings { client_id: String::new(), ..good.clone() }),
        ("client_secret", IntrospectionSettings { client_secret: Secret::new(""), ..good.clone() }),
        ("audience", IntrospectionSettings { audience: Some(String::new()), ..good.clone() }),
        ("url", IntrospectionSettings { server: plain, ..good.clone() }),
    ] {
        let refusal = IntrospectedTokens::try_new(&settings).err().unwrap();
        assert_eq!(refusal.setting(), setting);
    }
}
