//! S07, S15, S16 and S18 to S20: a stop with nothing wrong, what it leaves, and what is special about its request.

use bson::doc;
use esoz_testkit::builders::reference;
use esoz_tests::{Kind, StopFixture, TestApp, on_every_store};
use serde_json::{Value, json};

use crate::NOW_MILLIS;

on_every_store! {
    async fn s07_scope_holds_it_among_others(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let scope = "  a:a b:b\tc:c d:d e:e  device_dispense:stop f:f g:g h:h i:i j:j ";
        let token = fixture.issue(&app, |token| token.scope = esoz_auth::Scope::parse(scope)).await;
        let answer = app.patch(&fixture.path()).token(&token).send().await;
        answer.assert_data(&fixture.stopped(&fixture.dispense, NOW_MILLIS));
    }

    async fn s15_nothing_wrong(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let unknown = json!({"written": ["by", {"another": "system"}]});
        app.raw().set_field(fixture.dispense.id, "not_ours", unknown.clone()).await;
        let before = app.raw().document(fixture.dispense.id).await;

        let answer = fixture.stop(&app).await;
        answer.assert_data(&fixture.stopped(&fixture.dispense, NOW_MILLIS));
        assert_eq!(answer.body["data"]["subject"], reference("patient", fixture.patient.uuid()));
        assert!(!answer.body.to_string().contains(fixture.dispense.subject.expose()));

        assert_eq!(app.events_of(&fixture.dispense).await.len(), 1);
        let after = app.raw().document(fixture.dispense.id).await;
        assert_eq!(after["not_ours"], unknown);
        assert_eq!(changed_fields(&before, &after), ["status", "status_history", "updated_at", "updated_by"]);
    }

    async fn s16_the_same_again(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        assert_eq!(fixture.stop(&app).await.status, 200);
        for _ in 0..2 {
            fixture.stop(&app).await.assert_conflict("Device dispense in status stopped cannot be stopped");
        }
        assert_eq!(app.events_of(&fixture.dispense).await.len(), 1);
        assert_eq!(history(&app, &fixture).await, 2);
    }

    async fn s18_body(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        for (body, status) in [("{\"a\":1}", 422), ("[]", 422), ("null", 422), ("1", 422), ("{", 400), ("stop!", 400)] {
            let answer = fixture.request(&app).body(body).send().await;
            match status {
                400 => answer.assert_error(
                    400,
                    "request_malformed",
                    "Malformed request. Probably, you have sent corrupted JSON.",
                ),
                _ if body.starts_with('{') => answer.assert_faults(&[("$.a", "schema")]),
                _ => answer.assert_faults(&[("$", "schema")]),
            }
        }
        fixture.assert_untouched(&app, &fixture.dispense).await;
        for body in ["{}", "", " { } "] {
            let dispense = fixture.another(&app).build();
            app.put_dispense(&dispense).await;
            let answer = fixture.request_for(&app, &dispense).body(body).send().await;
            answer.assert_data(&fixture.stopped(&dispense, NOW_MILLIS));
        }
    }

    async fn s19_the_event(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let answer = fixture.request(&app).header("x-request-id", "a-request-that-is-traced").send().await;
        answer.assert_data(&fixture.stopped(&fixture.dispense, NOW_MILLIS));
        fixture.stop(&app).await.assert_conflict("Device dispense in status stopped cannot be stopped");

        let events = app.events_of(&fixture.dispense).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        let id = event.json["id"].as_str().unwrap();
        assert!(id.parse::<esoz_kernel::EventId>().is_ok(), "{id}");
        let expected = json!({
            "id": id,
            "event_type": "StatusChangeEvent",
            "entity_type": "DeviceDispense",
            "entity_id": fixture.dispense.id.to_string(),
            "properties": {"status": {"new_value": "stopped"}},
            "event_time": answer.body["data"]["updated_at"],
            "changed_by": fixture.stored_token.user_id.to_string(),
        });
        assert_eq!(event.json, expected);
        assert_eq!(event.key, fixture.dispense.id.to_string());
        assert_eq!(event.request_id.as_deref(), Some("a-request-that-is-traced"));
    }

    async fn s20_references_keep_their_kind(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        match kind {
            // The embedded store is JSON: it has one kind, text, in either case.
            Kind::Sqlite => {
                let dispense = fixture.another(&app).build();
                app.put_dispense(&dispense).await;
                let owner = fixture.pharmacy.facts.id.to_string().to_uppercase();
                let upper = reference("legal_entity", &owner);
                app.raw().set_field(dispense.id, "performer_legal_entity", upper.clone()).await;
                assert_eq!(fixture.request_for(&app, &dispense).send().await.status, 200);
                assert_eq!(app.raw().document(dispense.id).await["performer_legal_entity"], upper);
            }
            Kind::Servers => {
                let documents = app.test_stores.documents().unwrap();
                let text = fixture.another(&app).build();
                app.put_dispense(&text).await;
                for field in ["performer_legal_entity", "performer", "location", "based_on", "program"] {
                    let value = text.record[field]["identifier"]["value"].as_str().unwrap();
                    documents.set(text.id, doc! {format!("{field}.identifier.value"): value}).await;
                }
                for dispense in [&fixture.dispense, &text] {
                    let before = documents.bson(dispense.id).await;
                    let answer = fixture.request_for(&app, dispense).send().await;
                    answer.assert_data(&fixture.stopped(dispense, NOW_MILLIS));
                    let after = documents.bson(dispense.id).await;
                    for field in ["performer_legal_entity", "performer", "location", "based_on", "program"] {
                        assert_eq!(before.get(field), after.get(field), "{field}");
                    }
                }
                let owner = |document: bson::Document| {
                    let reference = document.get_document("performer_legal_entity").unwrap().clone();
                    reference.get_document("identifier").unwrap().get("value").unwrap().element_type()
                };
                let kinds = [
                    owner(documents.bson(fixture.dispense.id).await),
                    owner(documents.bson(text.id).await),
                ];
                assert_eq!(kinds, [bson::spec::ElementType::Binary, bson::spec::ElementType::String]);
            }
        }
        let answer = fixture.stop(&app).await;
        match kind {
            Kind::Sqlite => answer.assert_data(&fixture.stopped(&fixture.dispense, NOW_MILLIS)),
            Kind::Servers => answer.assert_conflict("Device dispense in status stopped cannot be stopped"),
        }
    }
}

/// The names of the stored fields that differ, the store's own aside.
pub(crate) fn changed_fields(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = |name: &&String| before.get(*name) != after.get(*name);
    names.into_iter().filter(differ).filter(|name| !name.starts_with("esoz_")).cloned().collect()
}

/// How long the stored history of the dispense is.
pub(crate) async fn history(app: &TestApp, fixture: &StopFixture) -> usize {
    let document = app.raw().document(fixture.dispense.id).await;
    document["status_history"].as_array().unwrap().len()
}
