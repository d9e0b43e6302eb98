//! `docs/asyncapi.json`: what really goes out is as it describes, and the example on the page is one.

use esoz_tests::{StopFixture, TestApp, on_every_store};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::page::{Page, root};

fn message() -> Value {
    let text = std::fs::read_to_string(root().join("docs/asyncapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    document["components"]["messages"]["status_change_event"].clone()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(schema).unwrap()
}

on_every_store! {
    async fn what_goes_out_is_as_described(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(fixture.request(&app).header("traceparent", caller).send().await.status, 200);
        let message = message();
        let events = app.events_of(&fixture.dispense).await;
        assert_eq!(events.len(), 1);
        for delivered in events {
            validator(&message["payload"]).validate(&delivered.json).unwrap();
            assert_eq!(delivered.json["entity_id"], delivered.key);
            let headers = json!({"request_id": delivered.request_id, "traceparent": delivered.traceparent});
            validator(&message["headers"]).validate(&headers).unwrap();
        }
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
fn an_event_with_more_in_it_would_be_found() {
    let message = message();
    let mut payload = message["examples"][0]["payload"].clone();
    payload["patient_id"] = Value::String("aff00bf6-68bf-4b49-b66d-f031d48922b3".to_owned());
    assert!(!validator(&message["payload"]).is_valid(&payload));
    let topic = Page::of_book("reference/events.md");
    assert!(topic.spans.iter().any(|span| span == "event_manager_topic"));
}
