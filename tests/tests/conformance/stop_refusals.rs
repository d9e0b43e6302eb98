//! S06 and S08 to S14: the stop, one thing wrong at a time.

use esoz_device_dispense::DispenseStatus;
use esoz_legal_entity::{LegalEntityRecord, LegalEntityStatus};
use esoz_testkit::builders::fresh;
use esoz_tests::process::Process;
use esoz_tests::{Setup, StopFixture, TestApp, TestStores, on_every_store, stop_path};
use serde_json::json;

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
}
