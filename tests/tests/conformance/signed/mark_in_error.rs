//! A mark in error with nothing wrong: what it leaves.

use esoz_tests::SignedAction::MarkInError;
use esoz_tests::{Documents, SignedFixture, on_every_store};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Case, applied};
use crate::stop::changed_fields;

on_every_store! {
    async fn e11_nothing_wrong(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let id = fixture.base.dispense.id;
        let unknown = json!({"written": ["by", {"another": "system"}]});
        app.raw().set_field(id, "not_ours", unknown.clone()).await;
        let before = app.raw().document(id).await;
        let mut content = fixture.content(MarkInError);
        content["explanatory_letter"] = json!("Переплутали пацієнта");
        content["status_reason"]["text"] = json!("Записано двічі");
        let container = fixture.container(&content);
        let request = fixture.request_with(&app, MarkInError, &container);
        let answer = request.header("x-request-id", "a-request-that-is-traced").send().await;

        let key = documents.kept_one();
        let data = fixture.changed(MarkInError, &content, &key, crate::NOW_MILLIS);
        answer.assert_data(&data);
        assert_eq!(documents.container(&key).await, container);
        let shown = app.request(Method::GET, fixture.path(MarkInError).trim_end_matches("/actions/mark_in_error"));
        shown.token(&fixture.base.token).send().await.assert_data(&data);

        let after = app.raw().document(id).await;
        assert_eq!(after["not_ours"], unknown);
        let changed = [
            "explanatory_letter", "signed_content_links", "status", "status_history", "status_reason", "updated_at",
            "updated_by",
        ];
        assert_eq!(changed_fields(&before, &after), changed);
        // The request stays as it is.
        let facts = app.stores.dispense_writes.facts(id).await.unwrap();
        assert_eq!(facts.request.unwrap().unwrap(), fixture.request.facts);

        let events = app.events_of(&fixture.base.dispense).await;
        assert_eq!(app.delivered().messages().await.len(), 1);
        let [event] = events.as_slice() else { panic!("{events:?}") };
        let expected = json!({
            "id": event.json["id"], "event_type": "StatusChangeEvent", "entity_type": "DeviceDispense",
            "entity_id": id.to_string(), "properties": {"status": {"new_value": "entered_in_error"}},
            "event_time": crate::NOW_MILLIS, "changed_by": fixture.base.stored_token.user_id.to_string(),
        });
        assert_eq!((&event.json, &event.key), (&expected, &id.to_string()));
        assert_eq!(event.request_id.as_deref(), Some("a-request-that-is-traced"));
    }

    async fn e11_optional_fields_absent(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, MarkInError);
        // A dispense of another system, which has no links and no letter.
        for name in ["signed_content_links", "explanatory_letter"] {
            case.fixture.base.dispense.record.remove(name);
            case.content[name] = Value::Null;
        }
        applied(&app, &documents, &case).await;
    }

    async fn e11_any_user_of_the_owner(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, MarkInError);
        case.set_stored("inserted_by", json!(esoz_testkit::builders::user().to_string()));
        applied(&app, &documents, &case).await;
    }
}
