//! S06 to S16 and S18 to S20: the stop, one thing wrong or special at a time.

use bson::doc;
use esoz_device_dispense::DispenseStatus;
use esoz_legal_entity::{LegalEntityRecord, LegalEntityStatus};
use esoz_testkit::builders::{fresh, reference};
use esoz_tests::process::Process;
use esoz_tests::{Kind, Setup, StopFixture, TestApp, TestStores, on_every_store, stop_path};
use serde_json::{Value, json};

use crate::NOW_MILLIS;

on_every_store! {
    async fn s06_scope_lacks_the_allowance(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        for scope in ["", "device_dispense:read", "device_dispense:stopper"] {
            let token = fixture.issue(&app, |token| token.scope = esoz_auth::Scope::parse(scope)).await;
            let answer = app.patch(&fixture.path()).token(&token).send().await;
            let message = "Your scope does not allow to access this resource. Missing allowances: device_dispense:stop";
            answer.assert_error(403, "forbidden", message);
        }
        fixture.assert_untouched(&app, &fixture.dispense).await;
    }

    async fn s07_scope_holds_it_among_others(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let scope = "  a:a b:b\tc:c d:d e:e  device_dispense:stop f:f g:g h:h i:i j:j ";
        let token = fixture.issue(&app, |token| token.scope = esoz_auth::Scope::parse(scope)).await;
        let answer = app.patch(&fixture.path()).token(&token).send().await;
        answer.assert_data(&fixture.stopped(&fixture.dispense, NOW_MILLIS));
    }

    async fn s08_legal_entity_missing_or_not_active(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let message = "client_id refers to legal entity that is not active";
        for status in [LegalEntityStatus::Suspended, LegalEntityStatus::Closed, LegalEntityStatus::Reorganized] {
            let mut pharmacy = fixture.pharmacy.clone();
            pharmacy.facts.status = status;
            app.put_legal_entity(&pharmacy).await;
            fixture.stop(&app).await.assert_conflict(message);
        }
        let nobody = fixture.issue(&app, |token| token.client_id = esoz_kernel::ClientId::new(fresh())).await;
        app.patch(&fixture.path()).token(&nobody).send().await.assert_conflict(message);
        fixture.assert_untouched(&app, &fixture.dispense).await;

        app.put_legal_entity(&fixture.pharmacy).await;
        assert_eq!(fixture.stop(&app).await.status, 200);
    }

    async fn s09_type_outside_the_list(kind) {
        let setup = Setup::new(kind).variable("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", "MSP, PRIMARY_CARE");
        let app = setup.start().await;
        let fixture = StopFixture::load(&app).await;
        fixture.stop(&app).await.assert_conflict("Invalid LegalEntity type");
        fixture.assert_untouched(&app, &fixture.dispense).await;

        let mut suspended: LegalEntityRecord = fixture.pharmacy.clone();
        suspended.facts.status = LegalEntityStatus::Suspended;
        app.put_legal_entity(&suspended).await;
        fixture.stop(&app).await.assert_conflict("Invalid LegalEntity type");
    }

    async fn s09_empty_list(kind) {
        let app = Setup::new(kind).variable("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", "").start().await;
        let fixture = StopFixture::load(&app).await;
        fixture.stop(&app).await.assert_data(&fixture.stopped(&fixture.dispense, NOW_MILLIS));
    }

    async fn s10_unknown_dispense_or_no_uuid(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let patient = fixture.patient.uuid().to_string();
        let without_hyphens = fixture.dispense.id.uuid().simple().to_string();
        for id in [fresh().to_string(), "42".to_owned(), "%20".to_owned(), without_hyphens] {
            app.patch(&stop_path(&patient, &id)).token(&fixture.token).send().await.assert_not_found();
        }
        fixture.assert_untouched(&app, &fixture.dispense).await;

        let path = stop_path(&patient.to_uppercase(), &fixture.dispense.id.to_string().to_uppercase());
        let answer = app.patch(&path).token(&fixture.token).send().await;
        answer.assert_data(&fixture.stopped(&fixture.dispense, NOW_MILLIS));
    }

    async fn s11_dispense_of_another_legal_entity(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let foreign = fixture.another(&app).owner(esoz_kernel::LegalEntityId::new(fresh())).build();
        app.put_dispense(&foreign).await;
        let unknown = fixture.another(&app).build();

        let answer = fixture.request_for(&app, &foreign).send().await;
        answer.assert_not_found();
        let as_unknown = fixture.request_for(&app, &unknown).send().await;
        assert_eq!(answer.redacted(), as_unknown.redacted());
        fixture.assert_untouched(&app, &foreign).await;
    }

    async fn s12_dispense_of_another_patient(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        for patient in [fresh().to_string(), "nobody".to_owned()] {
            let path = stop_path(&patient, &fixture.dispense.id.to_string());
            app.patch(&path).token(&fixture.token).send().await.assert_not_found();
        }
        fixture.assert_untouched(&app, &fixture.dispense).await;
    }

    async fn s13_every_other_status(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        for status in DispenseStatus::ALL.into_iter().filter(|status| *status != DispenseStatus::InProgress) {
            let dispense = fixture.another(&app).status(status).build();
            app.put_dispense(&dispense).await;
            let answer = fixture.request_for(&app, &dispense).send().await;
            answer.assert_conflict(&format!("Device dispense in status {} cannot be stopped", status.as_str()));
            fixture.assert_untouched(&app, &dispense).await;
        }
    }

    async fn s13_a_status_that_is_stored_as_canceled(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        app.raw().set_field(fixture.dispense.id, "status", json!("canceled")).await;
        let stored = app.raw().document(fixture.dispense.id).await;
        fixture.stop(&app).await.assert_conflict("Device dispense in status cancelled cannot be stopped");
        assert_eq!(app.raw().document(fixture.dispense.id).await, stored);
    }

    async fn s14_what_rules_read_is_an_array(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let subject = fixture.dispense.subject.expose();
        for (field, value) in [("status", json!(["completed", "in_progress"])), ("subject", json!([subject]))] {
            let dispense = fixture.another(&app).build();
            app.put_dispense(&dispense).await;
            app.raw().set_field(dispense.id, field, value).await;
            let stored = app.raw().document(dispense.id).await;
            fixture.request_for(&app, &dispense).send().await.assert_internal();
            assert_eq!(app.raw().document(dispense.id).await, stored);
            assert_eq!(app.events_of(&dispense).await, []);
        }
    }

    async fn s14_status_outside_the_model(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        app.raw().set_field(fixture.dispense.id, "status", json!("exploded")).await;
        let stored = app.raw().document(fixture.dispense.id).await;
        fixture.stop(&app).await.assert_internal();
        assert_eq!(app.raw().document(fixture.dispense.id).await, stored);
        assert_eq!(app.events_of(&fixture.dispense).await, []);
    }

    async fn s14_the_log_names_collection_field_and_id(kind) {
        // As a process of its own, whose log can be read whole.
        let stores = TestStores::fresh(kind).await;
        let mut variables = stores.variables().to_vec();
        variables.push(("ESOZ_PATIENT__KEY".to_owned(), esoz_tests::PATIENT_KEY.to_owned()));
        let (server, base) = Process::serve(&variables);
        let app = Setup::new(kind).start_on(stores).await;
        app.clock.set(esoz_kernel::Clock::now(&esoz_kernel::system::SystemClock));
        let fixture = StopFixture::load(&app).await;
        app.raw().set_field(fixture.dispense.id, "status", json!("exploded")).await;

        let answer = app.request_at(&base, reqwest::Method::PATCH, &fixture.path()).token(&fixture.token).send().await;
        answer.assert_internal();
        let line = server.wait_for_log("corrupt data");
        let id = fixture.dispense.id.to_string();
        for named in ["device_dispenses", "status", id.as_str(), answer.request_id()] {
            assert!(line.contains(named), "{named} is missing: {line}");
        }
        let patient = fixture.patient.uuid().to_string();
        for hidden in [patient.as_str(), fixture.dispense.subject.expose(), fixture.token.expose()] {
            assert!(!server.stderr().join("\n").contains(hidden), "the log shows what it must not");
        }
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
fn changed_fields(before: &Value, after: &Value) -> Vec<String> {
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
