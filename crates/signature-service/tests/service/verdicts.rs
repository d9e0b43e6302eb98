//! What a service says about a container.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use esoz_signature_service::{NOT_A_CONTAINER, NOT_VALID};
use esoz_signed_content::{Container, Drfo, Signer};
use serde_json::{Value, json};

use crate::support::{CONTAINER, Reply, TestServer, settings, verified, verify};

async fn signers(signatures: Value) -> Vec<Signer> {
    let reply = Reply::ok(json!({"data": {"content": {"id": "a"}, "signatures": signatures}}));
    let Container { content, signers } = verified(reply).await.unwrap().unwrap();
    assert_eq!(content, br#"{"id":"a"}"#);
    signers
}

fn signer(drfo: Option<&str>, edrpou: Option<&str>) -> Signer {
    Signer { verdict: Ok(()), drfo: drfo.and_then(Drfo::parse), edrpou: edrpou.map(str::to_owned) }
}

#[tokio::test]
async fn given_a_container_then_it_is_posted_in_base64() {
    let reply = Reply::ok(json!({"data": {"content": {}, "signatures": []}}));
    let server = TestServer::start(reply).await;
    assert!(verify(&settings(&server)).await.unwrap().unwrap().signers.is_empty());
    let asked = server.seen().remove(0);
    assert!(asked.head.starts_with("POST /digital_signatures HTTP/1.1\r\n"), "{asked:?}");
    assert_eq!(asked.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let expected = BASE64_STANDARD.encode(CONTAINER);
    assert_eq!(body, json!({"signed_content": expected, "signed_content_encoding": "base64"}));
}

#[tokio::test]
async fn given_valid_signatures_then_their_signers_are_listed() {
    let found = signers(json!([
        {"is_valid": true, "signer": {"drfo": "12345 67890", "edrpou": "12345678", "surname": "canary"}},
        {"is_valid": true, "signer": {"drfo": "ав123456"}, "validation_error_message": ""},
    ]));
    assert_eq!(found.await, [signer(Some("1234567890"), Some("12345678")), signer(Some("AB123456"), None)]);
}

#[tokio::test]
async fn given_no_numbers_then_the_signer_has_none() {
    let found = signers(json!([
        {"is_valid": true},
        {"is_valid": true, "signer": null},
        {"is_valid": true, "signer": {}},
        {"is_valid": true, "signer": {"drfo": null, "edrpou": null}},
        {"is_valid": true, "signer": {"drfo": " ", "edrpou": " "}},
    ]));
    assert_eq!(found.await, vec![signer(None, None); 5]);
}

#[tokio::test]
async fn given_a_signature_that_is_not_valid_then_so_is_the_verdict_and_the_others_stay() {
    let found = signers(json!([
        {"is_valid": false, "signer": {"drfo": "1234567890"}, "validation_error_message": "canary"},
        {"is_valid": true, "signer": {"drfo": "1234567890"}},
    ]));
    let valid = signer(Some("1234567890"), None);
    assert_eq!(found.await, [Signer { verdict: Err(NOT_VALID), ..valid.clone() }, valid]);
}

#[tokio::test]
async fn given_content_then_it_is_kept_to_the_last_digit() {
    let content = r#"{"amount": 10.00, "large":1e400,"precise":0.10000000000000000000001, "текст":"\u0441"}"#;
    let answer = format!(r#"{{"data":{{"content":{content},"signatures":[{{"is_valid":true}}]}}}}"#);
    let found = verified(Reply::ok(answer)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(found.content).unwrap(), content);
}

#[tokio::test]
async fn given_no_content_then_no_signature_may_be_valid() {
    let of = |data: Value| verified(Reply::ok(json!({"data": data})));
    for content in [json!({"signatures": []}), json!({"content": null, "signatures": [{"is_valid": false}]})]
    {
        assert!(of(content).await.unwrap().unwrap().content.is_empty());
    }
    of(json!({"content": null, "signatures": [{"is_valid": true}]})).await.unwrap_err();
}

#[tokio::test]
async fn given_a_refusal_in_json_then_it_is_no_container() {
    for status in [400, 422] {
        let refusal = json!({"error": {"message": "canary"}}).to_string();
        assert_eq!(verified(Reply::Json(status, refusal)).await, Ok(Err(NOT_A_CONTAINER)), "{status}");
    }
}
