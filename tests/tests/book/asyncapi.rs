//! `docs/asyncapi.json`: what really goes out is as it describes, what it says is read is read, and the example on the page is one.

use esoz_events::wire;
use esoz_testkit::contract::Message;
use esoz_testkit::wait::wait_for;
use esoz_tests::{DEADLINE, Setup, StopFixture, TestApp, on_every_store};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::page::{Page, root};

const SYSTEM_USER: &str = "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90";

fn document() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("docs/asyncapi.json")).unwrap()).unwrap()
}

/// The message that esoz sends.
fn message() -> Value {
    document()["components"]["messages"]["status_change_event"].clone()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(schema).unwrap()
}

/// Only what is there: a header that is null is none.
fn headers(delivered: &Message) -> Value {
    let mut headers = json!({"request_id": delivered.request_id, "traceparent": delivered.traceparent});
    headers.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    headers
}

#[track_caller]
fn assert_described(message: &Value, delivered: &Message) {
    validator(&message["payload"]).validate(&delivered.json).unwrap();
    assert_eq!(delivered.json["entity_id"], delivered.key);
    validator(&message["headers"]).validate(&headers(delivered)).unwrap();
}

on_every_store! {
    async fn what_goes_out_is_as_described(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(fixture.request(&app).header("traceparent", caller).send().await.status, 200);
        let events = app.events_of(&fixture.dispense).await;
        assert_eq!(events.len(), 1);
        for delivered in events {
            assert_described(&message(), &delivered);
            assert!(delivered.traceparent.is_some());
        }
    }

    async fn an_expiry_goes_out_as_described(kind) {
        let app = Setup::new(kind)
            .variable("ESOZ_DEVICE_DISPENSE__LIFETIME_S", "3600")
            .variable("ESOZ_DEVICE_DISPENSE__EXPIRE_EVERY_S", "1")
            .variable("ESOZ_DEVICE_DISPENSE__SYSTEM_USER_ID", SYSTEM_USER)
            .start()
            .await;
        let old = json!("2020-01-01T00:00:00.000Z");
        let dispense = StopFixture::new(&app).another(&app).field("inserted_at", old).build();
        app.put_dispense(&dispense).await;
        let delivered = wait_for("the event of the expiry", DEADLINE, async || {
            app.events_of(&dispense).await.pop()
        })
        .await;
        assert_described(&message(), &delivered);
        let example = &message()["examples"][1]["payload"];
        assert_eq!(delivered.json["properties"], example["properties"]);
        assert_eq!(delivered.json["changed_by"], example["changed_by"]);
    }
}

#[test]
fn its_examples_are_as_it_describes() {
    let message = message();
    for example in message["examples"].as_array().unwrap() {
        validator(&message["payload"]).validate(&example["payload"]).unwrap();
        validator(&message["headers"]).validate(&example["headers"]).unwrap();
    }
    let page = Page::of_book("reference/events.md");
    let shown: Value = serde_json::from_str(page.only_block("json")).unwrap();
    assert_eq!(shown, message["examples"][0]["payload"]);
}

#[test]
fn what_it_says_is_read_is_read_and_nothing_less() {
    let received = &document()["components"]["messages"]["event"];
    let validator = validator(&received["payload"]);
    let is_read = |payload: &Value| wire::read(payload.to_string().as_bytes()).is_ok();
    let examples = received["examples"].as_array().unwrap().iter();
    let sent = message()["examples"].clone();
    for example in examples.chain(sent.as_array().unwrap()) {
        let whole = &example["payload"];
        assert!(validator.is_valid(whole) && is_read(whole), "{whole}");
        for name in whole.as_object().unwrap().keys() {
            for wrong in [Value::Null, json!(1), json!("")] {
                let mut payload = whole.clone();
                payload[name] = wrong;
                // A time is described by its standard, not by a pattern.
                let is_described = name != "event_time" && validator.is_valid(&payload);
                assert!(!is_described && !is_read(&payload), "{payload}");
            }
        }
    }
}

#[test]
fn an_event_with_more_in_it_would_be_found() {
    let message = message();
    let mut payload = message["examples"][0]["payload"].clone();
    payload["patient_id"] = Value::String("aff00bf6-68bf-4b49-b66d-f031d48922b3".to_owned());
    assert!(!validator(&message["payload"]).is_valid(&payload));
    let topic = Page::of_book("reference/events.md");
    assert!(topic.spans.iter().any(|span| span == "event_manager_topic"));
}
