//! E01 to E11: the mark in error, one thing wrong at a time, and two that are neighbours.

use esoz_auth::Scope;
use esoz_device_dispense::DispenseStatus;
use esoz_testkit::builders::concept;
use esoz_tests::SignedAction::MarkInError;
use esoz_tests::{Documents, SignedFixture, on_every_store, signed_data};
use serde_json::{Value, json};

use super::{
    Case, MISMATCH, NO_BASE64, NO_CONTAINER, NOT_ACTIVE, NOT_ALLOWED, NOT_FOUND, Rule, Told, WRONG_SIGNER,
    assert_untouched, hold,
};
use crate::tokens::every_wrong_token;

const FORBIDDEN: Told = Told::Error(
    403,
    "forbidden",
    "Your scope does not allow to access this resource. Missing allowances: device_dispense:mark_in_error",
);
const SIGNER: Told = Told::Invalid(WRONG_SIGNER.0, WRONG_SIGNER.1);
const NO_CONCEPT: Told = Told::Invalid("$.status_reason", "type mismatch. Expected a CodeableConcept");
const REASON: Told = Told::Invalid("$.status_reason", NOT_ALLOWED);
const NOT_EQUAL: Told = Told::Invalid(MISMATCH.0, MISMATCH.1);

const RULES: [Rule; 22] = [
    ("e02", Case::scope_of_another_method, FORBIDDEN),
    ("e03", Case::no_base64, Told::Shape(NO_BASE64.0, NO_BASE64.1)),
    ("e03", |case| case.body = Some(json!({})), Told::Shape("$.signed_data", "required")),
    ("e04", Case::suspended, Told::Conflict(NOT_ACTIVE)),
    ("e04", Case::unknown_legal_entity, Told::Conflict(NOT_ACTIVE)),
    ("e05", Case::unknown_dispense, NOT_FOUND),
    ("e05", Case::of_another_legal_entity, NOT_FOUND),
    ("e05", Case::of_another_patient, NOT_FOUND),
    ("e06", Case::no_container, NO_CONTAINER),
    ("e06", |case| case.content["status_reason"] = json!("duplicate"), NO_CONCEPT),
    ("e07", Case::another_signer, SIGNER),
    ("e08", |case| is(case, DispenseStatus::Completed), Told::Conflict(COMPLETED)),
    ("e08", |case| is(case, DispenseStatus::EnteredInError), Told::Conflict(MARKED)),
    ("e09", |case| case.content["status"] = json!("completed"), Told::Invalid("$.status", NOT_ALLOWED)),
    ("e09", |case| case.content["status"] = Value::Null, Told::Invalid("$.status", NOT_ALLOWED)),
    ("e10", |case| case.content["status_reason"] = Value::Null, REASON),
    ("e10", |case| case.content["status_reason"] = concept(DICTIONARY, "out_of_spite"), REASON),
    (
        "e10",
        |case| {
            let codings = case.content["status_reason"]["coding"].as_array_mut().unwrap();
            codings.push(json!({"system": DICTIONARY, "code": "x"}));
        },
        REASON,
    ),
    ("e11", |case| case.content["details"][0]["sell_price"] = json!(100.51), NOT_EQUAL),
    ("e11", |case| case.content["note"] = json!("another"), NOT_EQUAL),
    ("e11", |case| case.content["when_handed_over"] = json!("2026-01-31T08:10:00.000Z"), NOT_EQUAL),
    ("e11", |case| case.content["more"] = json!(1), NOT_EQUAL),
];

const COMPLETED: &str = "Device dispense in status completed cannot be marked in error";
const MARKED: &str = "Device dispense in status entered_in_error cannot be marked in error";
const DICTIONARY: &str = "device_dispense_mark_in_error_reasons";

fn is(case: &mut Case, status: DispenseStatus) {
    let base = &mut case.fixture.base;
    base.dispense.status = status;
    base.dispense.record.insert("status".to_owned(), json!(status.as_str()));
}

on_every_store! {
    async fn e01_token(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let body = signed_data(&fixture.container(&fixture.content(MarkInError)));
        let base = &fixture.base;
        let path = fixture.path(MarkInError);
        every_wrong_token(&app, &base.stored_token, &base.token, || app.patch(&path).json(&body)).await;
        // Before the scope and before the body.
        let token = base.issue(&app, |token| (token.expires_at, token.scope) = (app.in_seconds(-1), Scope::default()));
        app.patch(&path).token(&token.await).body("{").send().await.assert_invalid_token();
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn e02_scope(kind) {
        hold(kind, MarkInError, &RULES, "e02").await;
    }

    async fn e03_body(kind) {
        hold(kind, MarkInError, &RULES, "e03").await;
    }

    async fn e04_legal_entity(kind) {
        hold(kind, MarkInError, &RULES, "e04").await;
    }

    async fn e04_type_outside_the_list(kind) {
        let documents = Documents::new();
        let app = documents.setup(kind).variable("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", "MSP").start().await;
        let fixture = SignedFixture::load(&app, &documents).await;
        fixture.change(&app, MarkInError).await.assert_conflict("Invalid LegalEntity type");
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn e05_dispense(kind) {
        hold(kind, MarkInError, &RULES, "e05").await;
    }

    async fn e05_no_uuid(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let body = signed_data(b"not even looked at");
        let (patient, id) = (fixture.base.patient.uuid().to_string(), fixture.base.dispense.id.to_string());
        for (patient, id) in [("nobody", id.as_str()), (patient.as_str(), "42"), (patient.as_str(), "%20")] {
            let path = format!("/api/patients/{patient}/device_dispenses/{id}/actions/mark_in_error");
            app.patch(&path).token(&fixture.base.token).json(&body).send().await.assert_not_found();
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn e06_container(kind) {
        hold(kind, MarkInError, &RULES, "e06").await;
    }

    async fn e07_signer(kind) {
        hold(kind, MarkInError, &RULES, "e07").await;
    }

    async fn e08_status(kind) {
        hold(kind, MarkInError, &RULES, "e08").await;
    }

    async fn e08_from_each_status(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        for status in DispenseStatus::ALL {
            let dispense = fixture.another().status(status).build();
            app.put_dispense(&dispense).await;
            let before = documents.kept();
            let answer = fixture.request_for(&app, MarkInError, &dispense).send().await;
            if [DispenseStatus::Completed, DispenseStatus::EnteredInError].contains(&status) {
                let message = format!("Device dispense in status {status} cannot be marked in error");
                answer.assert_conflict(&message);
                fixture.base.assert_untouched(&app, &dispense).await;
                assert_eq!(documents.kept(), before);
            } else {
                let kept = documents.kept();
                let key = kept.iter().find(|key| !before.contains(key)).unwrap();
                let content = fixture.content_of(MarkInError, &dispense);
                answer.assert_data(&fixture.changed_of(MarkInError, &dispense, &content, key, crate::NOW_MILLIS));
                assert_eq!(app.events_of(&dispense).await.len(), 1);
            }
        }
    }

    async fn e08_a_status_that_is_stored_as_canceled(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let id = fixture.base.dispense.id;
        app.raw().set_field(id, "status", json!("canceled")).await;
        assert_eq!(fixture.change(&app, MarkInError).await.status, 200);
        assert_eq!(app.raw().document(id).await["status"], "entered_in_error");
        // Its event has left the document.
        assert_eq!(app.events_of(&fixture.base.dispense).await.len(), 1);
        app.raw().set_field(id, "status", json!("exploded")).await;
        let stored = app.raw().document(id).await;
        fixture.change(&app, MarkInError).await.assert_internal();
        assert_eq!(app.raw().document(id).await, stored);
    }

    async fn e09_signed_status(kind) {
        hold(kind, MarkInError, &RULES, "e09").await;
    }

    async fn e10_reason(kind) {
        hold(kind, MarkInError, &RULES, "e10").await;
    }

    async fn e10_another_dictionary(kind) {
        let documents = Documents::new();
        let setup = documents.setup(kind).variable("ESOZ_DEVICE_DISPENSE__MARK_IN_ERROR_REASONS", "out_of_spite, x");
        let app = setup.start().await;
        let fixture = SignedFixture::load(&app, &documents).await;
        fixture.change(&app, MarkInError).await.assert_refused(&[("$.status_reason", NOT_ALLOWED)]);
        assert_untouched(&app, &documents, [&fixture]).await;
        let mut content = fixture.content(MarkInError);
        content["status_reason"] = concept(DICTIONARY, "out_of_spite");
        assert_eq!(fixture.send(&app, MarkInError, &content).await.status, 200);
    }

    async fn e11_the_rest(kind) {
        hold(kind, MarkInError, &RULES, "e11").await;
    }
}
