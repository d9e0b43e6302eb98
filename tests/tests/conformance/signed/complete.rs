//! K14 to K16: a complete with nothing wrong, what it leaves, and what of it happens together.

use esoz_device_dispense::DeviceRequestStatus;
use esoz_tests::SignedAction::Complete;
use esoz_tests::{Documents, SignedFixture, TestApp, on_every_store};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Case, REQUEST_NOT_ACTIVE, applied};
use crate::NOW_MILLIS;
use crate::stop::changed_fields;

/// The status of the fixture's request.
async fn request_of(app: &TestApp, fixture: &SignedFixture) -> DeviceRequestStatus {
    let facts = app.stores.dispense_writes.facts(fixture.base.dispense.id).await.unwrap();
    facts.request.unwrap().unwrap().status
}

/// The events of the fixture's request.
async fn request_events(app: &TestApp, fixture: &SignedFixture) -> Vec<Value> {
    app.settled().await;
    let key = fixture.request.facts.id.to_string();
    let messages = app.delivered().messages().await;
    messages.into_iter().filter(|message| message.key == key).map(|message| message.json).collect()
}

on_every_store! {
    async fn k14_nothing_wrong(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let id = fixture.base.dispense.id;
        let unknown = json!({"written": ["by", {"another": "system"}]});
        app.raw().set_field(id, "not_ours", unknown.clone()).await;
        let before = app.raw().document(id).await;
        // What a client signs is what it was shown, with its changes.
        let path = fixture.path(Complete);
        let show = async || {
            let path = path.trim_end_matches("/actions/complete");
            app.request(Method::GET, path).token(&fixture.base.token).send().await
        };
        let mut content = show().await.body["data"].clone();
        for (name, value) in [
            ("status", json!("completed")),
            ("when_handed_over", json!("2026-01-31T08:00:00.001Z")),
            ("payment_amount", json!(0.01)),
            ("payment_id", json!("x".repeat(255))),
            ("note", json!("ї".repeat(3_000))),
        ] {
            content[name] = value;
        }
        let container = fixture.container(&content);
        let answer = fixture.request_with(&app, Complete, &container).send().await;

        let key = documents.kept_one();
        let data = fixture.changed(Complete, &content, &key, NOW_MILLIS);
        answer.assert_data(&data);
        show().await.assert_data(&data);
        // The key names the day and the dispense, and opens the very bytes that were sent.
        assert!(key.starts_with(&format!("2026-01-31/{id}/")), "{key}");
        assert_eq!(documents.container(&key).await, container);

        let after = app.raw().document(id).await;
        assert_eq!(after["not_ours"], unknown);
        let changed = [
            "note", "payment_amount", "payment_id", "signed_content_links", "status", "status_history", "updated_at",
            "updated_by", "when_handed_over",
        ];
        assert_eq!(changed_fields(&before, &after), changed);
    }

    async fn k14_optional_fields_absent(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        // They stay as they are stored, also when there is nothing.
        case.fixture.base.dispense.record.remove("note");
        for name in ["payment_id", "note", "signed_content_links", "status_history", "inserted_at", "updated_by"] {
            case.content.as_object_mut().unwrap().remove(name);
        }
        let data = applied(&app, &documents, &case).await;
        assert_eq!((&data["payment_id"], data.get("note")), (&json!("pay-0001"), None));
    }

    async fn k14_no_links_yet(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        case.fixture.base.dispense.record.remove("signed_content_links");
        case.content["signed_content_links"] = Value::Null;
        let data = applied(&app, &documents, &case).await;
        assert_eq!(data["signed_content_links"], json!([documents.kept_one()]));
    }

    async fn k14_another_time_zone_is_stored_as_the_instant(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let mut content = fixture.content(Complete);
        content["when_handed_over"] = json!("2026-01-31T10:10:00+02:00");
        let answer = fixture.send(&app, Complete, &content).await;
        assert_eq!(answer.body["data"]["when_handed_over"], "2026-01-31T08:10:00.000Z");
        assert_eq!(answer.status, 200);
    }

    async fn k15_both_documents_and_both_events(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let content = fixture.content(Complete);
        let request = fixture.request(&app, Complete, &content).header("x-request-id", "a-request-that-is-traced");
        assert_eq!(request.send().await.status, 200);
        assert_eq!(request_of(&app, &fixture).await, DeviceRequestStatus::Completed);

        let by = fixture.base.stored_token.user_id.to_string();
        let event = |entity_type: &str, id: String, event_id: &Value| json!({
            "id": event_id, "event_type": "StatusChangeEvent", "entity_type": entity_type, "entity_id": id,
            "properties": {"status": {"new_value": "completed"}}, "event_time": NOW_MILLIS, "changed_by": by,
        });
        let events = app.events_of(&fixture.base.dispense).await;
        let [of_dispense] = events.as_slice() else { panic!("{events:?}") };
        let id = fixture.base.dispense.id.to_string();
        assert_eq!(of_dispense.json, event("DeviceDispense", id, &of_dispense.json["id"]));
        assert_eq!(of_dispense.request_id.as_deref(), Some("a-request-that-is-traced"));
        let events = request_events(&app, &fixture).await;
        let [of_request] = events.as_slice() else { panic!("{events:?}") };
        let id = fixture.request.facts.id.to_string();
        assert_eq!(*of_request, event("DeviceRequest", id, &of_request["id"]));
        assert_ne!(of_request["id"], of_dispense.json["id"]);
    }

    async fn k15_a_request_without_quantity_goes_on(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        case.fixture.request.facts.quantity = None;
        applied(&app, &documents, &case).await;
        assert_eq!(request_of(&app, &case.fixture).await, DeviceRequestStatus::Active);
        assert_eq!(request_events(&app, &case.fixture).await, [Value::Null; 0]);
        // So that a further dispense of it can be completed.
        let another = case.fixture.another().build();
        app.put_dispense(&another).await;
        assert_eq!(case.fixture.request_for(&app, Complete, &another).send().await.status, 200);
    }

    async fn k16_two_dispenses_of_one_request_at_once(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        // With a request of its own each, one after the other: what is kept and told is counted in between.
        for round in 1..=20 {
            let fixture = SignedFixture::load(&app, &documents).await;
            let another = fixture.another().build();
            app.put_dispense(&another).await;
            let both = [fixture.base.dispense.clone(), another];
            let requests = both.each_ref().map(|one| tokio::spawn(fixture.request_for(&app, Complete, one).send()));
            let mut won = 0;
            for (one, request) in both.iter().zip(requests) {
                let answer = request.await.unwrap();
                if answer.status == 200 {
                    won += 1;
                } else {
                    answer.assert_conflict(REQUEST_NOT_ACTIVE);
                    fixture.base.assert_untouched(&app, one).await;
                }
            }
            assert_eq!((won, documents.kept().len()), (1, round));
            assert_eq!(request_events(&app, &fixture).await.len(), 1);
        }
    }

    async fn k16_a_complete_after_a_complete(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        assert_eq!(fixture.change(&app, Complete).await.status, 200);
        fixture.change(&app, Complete).await.assert_conflict(REQUEST_NOT_ACTIVE);
        documents.kept_one();
        assert_eq!(app.events_of(&fixture.base.dispense).await.len(), 1);
        assert_eq!(request_events(&app, &fixture).await.len(), 1);
    }
}
