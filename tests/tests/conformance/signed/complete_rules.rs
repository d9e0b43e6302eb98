//! K01 to K13: the complete, one thing wrong at a time, and two that are neighbours.

use esoz_auth::Scope;
use esoz_device_dispense::{DeviceRequestStatus, DispenseStatus};
use esoz_testkit::builders::fresh;
use esoz_tests::SignedAction::Complete;
use esoz_tests::{Documents, SignedFixture, on_every_store};
use serde_json::{Value, json};

use super::{
    Case, MISMATCH, NO_BASE64, NO_CONTAINER, NOT_ACTIVE, NOT_ALLOWED, NOT_FOUND, REQUEST_NOT_ACTIVE, Rule,
    Told, WRONG_SIGNER, applied, assert_untouched, hold,
};
use crate::tokens::every_wrong_token;

const FORBIDDEN: Told = Told::Error(
    403,
    "forbidden",
    "Your scope does not allow to access this resource. Missing allowances: device_dispense:complete",
);
const SIGNER: Told = Told::Invalid(WRONG_SIGNER.0, WRONG_SIGNER.1);
const PAYMENT: Told = Told::Invalid("$.payment_amount", "Required property payment_amount was not present");
const PERIOD: Told = Told::Invalid("$.when_handed_over", "Device dispense period is invalid");
const AMOUNT: Told = Told::Invalid(
    "$.payment_amount",
    "must be a number, not negative, with at most 12 digits before and 2 after the point",
);
const NOT_AUTHOR: Told = Told::Conflict("Employee is not an author of device dispense");
const NOT_EQUAL: Told = Told::Invalid(MISMATCH.0, MISMATCH.1);

const RULES: [Rule; 24] = [
    ("k02", Case::scope_of_another_method, FORBIDDEN),
    ("k03", Case::no_base64, Told::Shape(NO_BASE64.0, NO_BASE64.1)),
    ("k03", Case::no_container, NO_CONTAINER),
    ("k03", |case| case.content["payment_amount"] = json!(-1), AMOUNT),
    ("k03", |case| case.content["payment_amount"] = json!(1.005), AMOUNT),
    ("k04", Case::another_signer, SIGNER),
    ("k05", Case::suspended, Told::Conflict(NOT_ACTIVE)),
    ("k05", Case::unknown_legal_entity, Told::Conflict(NOT_ACTIVE)),
    ("k06", Case::unknown_dispense, NOT_FOUND),
    ("k06", Case::of_another_legal_entity, NOT_FOUND),
    ("k06", Case::of_another_patient, NOT_FOUND),
    ("k07", |case| case.content["payment_amount"] = Value::Null, PAYMENT),
    ("k08", |case| case.content["when_handed_over"] = Value::Null, PERIOD),
    ("k08", |case| case.content["when_handed_over"] = json!("2026-02-01T00:00:00+02:00"), PERIOD),
    ("k08", |case| case.fixture.request.facts.dispense_valid_to = "2026-01-30".parse().unwrap(), PERIOD),
    ("k09", |case| request_is(case, DeviceRequestStatus::Completed), Told::Conflict(REQUEST_NOT_ACTIVE)),
    ("k09", |case| request_is(case, DeviceRequestStatus::Revoked), Told::Conflict(REQUEST_NOT_ACTIVE)),
    ("k09", |case| request_is(case, DeviceRequestStatus::EnteredInError), Told::Conflict(REQUEST_NOT_ACTIVE)),
    ("k10", |case| case.set_stored("inserted_by", json!(fresh().to_string())), NOT_AUTHOR),
    ("k11", stopped, Told::Conflict("Device dispense in status stopped cannot be completed")),
    ("k12", |case| case.content["status"] = json!("in_progress"), Told::Invalid("$.status", NOT_ALLOWED)),
    ("k12", |case| case.content["status"] = Value::Null, Told::Invalid("$.status", NOT_ALLOWED)),
    ("k13", |case| case.content["details"][0]["sell_price"] = json!(100.51), NOT_EQUAL),
    ("k13", |case| case.content["more"] = json!(1), NOT_EQUAL),
];

fn request_is(case: &mut Case, status: DeviceRequestStatus) {
    case.fixture.request.facts.status = status;
}

fn stopped(case: &mut Case) {
    let base = &mut case.fixture.base;
    base.dispense.status = DispenseStatus::Stopped;
    base.dispense.record.insert("status".to_owned(), json!("stopped"));
}

on_every_store! {
    async fn k01_token(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let body = esoz_tests::signed_data(&fixture.container(&fixture.content(Complete)));
        let base = &fixture.base;
        every_wrong_token(&app, &base.stored_token, &base.token, || app.patch(&fixture.path(Complete)).json(&body)).await;
        // Before the scope and before the body.
        let token = base.issue(&app, |token| (token.expires_at, token.scope) = (app.in_seconds(-1), Scope::default()));
        app.patch(&fixture.path(Complete)).token(&token.await).body("{").send().await.assert_invalid_token();
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn k02_scope(kind) {
        hold(kind, Complete, &RULES, "k02").await;
    }

    async fn k03_body_and_container(kind) {
        hold(kind, Complete, &RULES, "k03").await;
    }

    async fn k04_signer(kind) {
        hold(kind, Complete, &RULES, "k04").await;
    }

    async fn k05_legal_entity(kind) {
        hold(kind, Complete, &RULES, "k05").await;
    }

    async fn k05_type_outside_the_list(kind) {
        let documents = Documents::new();
        let app = documents.setup(kind).variable("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", "MSP").start().await;
        let fixture = SignedFixture::load(&app, &documents).await;
        fixture.change(&app, Complete).await.assert_conflict("Invalid LegalEntity type");
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn k06_dispense(kind) {
        hold(kind, Complete, &RULES, "k06").await;
    }

    async fn k06_no_uuid(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let body = esoz_tests::signed_data(&fixture.container(&fixture.content(Complete)));
        let (patient, id) = (fixture.base.patient.uuid().to_string(), fixture.base.dispense.id.to_string());
        for (patient, id) in [("nobody", id.as_str()), (patient.as_str(), "42"), (patient.as_str(), "%20")] {
            let path = format!("/api/patients/{patient}/device_dispenses/{id}/actions/complete");
            app.patch(&path).token(&fixture.base.token).json(&body).send().await.assert_not_found();
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn k07_payment(kind) {
        hold(kind, Complete, &RULES, "k07").await;
    }

    async fn k07_no_program_and_no_payment(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        case.set_stored("program", Value::Null);
        case.set_stored("payment_amount", Value::Null);
        applied(&app, &documents, &case).await;
    }

    async fn k07_nothing_was_paid(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        case.content["payment_amount"] = json!(0);
        applied(&app, &documents, &case).await;
    }

    async fn k08_period(kind) {
        hold(kind, Complete, &RULES, "k08").await;
    }

    async fn k08_the_last_minute_of_today_in_kyiv(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        case.fixture.request.facts.dispense_valid_to = "2026-01-31".parse().unwrap();
        case.content["when_handed_over"] = json!("2026-01-31T21:59:59.999Z");
        applied(&app, &documents, &case).await;
    }

    async fn k08_a_request_that_was_valid_until_then(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        case.fixture.request.facts.dispense_valid_to = "2026-01-29".parse().unwrap();
        case.content["when_handed_over"] = json!("2026-01-29T21:59:59.999Z");
        applied(&app, &documents, &case).await;
    }

    async fn k09_request(kind) {
        hold(kind, Complete, &RULES, "k09").await;
    }

    async fn k09_unknown_request(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut case = Case::new(&app, &documents, Complete);
        case.fixture.request.facts.id = esoz_kernel::DeviceRequestId::new(fresh());
        case.send(&app).await.assert_conflict(REQUEST_NOT_ACTIVE);
        assert_untouched(&app, &documents, [&case.fixture]).await;
    }

    async fn k10_author(kind) {
        hold(kind, Complete, &RULES, "k10").await;
    }

    async fn k10_switched_off(kind) {
        let documents = Documents::new();
        let app = documents.setup(kind).variable("ESOZ_DEVICE_DISPENSE__COMPLETE_BY_AUTHOR", "false").start().await;
        let mut case = Case::new(&app, &documents, Complete);
        case.set_stored("inserted_by", json!(fresh().to_string()));
        applied(&app, &documents, &case).await;
    }

    async fn k11_status(kind) {
        hold(kind, Complete, &RULES, "k11").await;
    }

    async fn k11_every_other_status(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        for status in DispenseStatus::ALL.into_iter().filter(|status| *status != DispenseStatus::InProgress) {
            let dispense = fixture.another().status(status).build();
            app.put_dispense(&dispense).await;
            let answer = fixture.request_for(&app, Complete, &dispense).send().await;
            answer.assert_conflict(&format!("Device dispense in status {status} cannot be completed"));
            fixture.base.assert_untouched(&app, &dispense).await;
        }
        app.raw().set_field(fixture.base.dispense.id, "status", json!("canceled")).await;
        let answer = fixture.change(&app, Complete).await;
        answer.assert_conflict("Device dispense in status cancelled cannot be completed");
        assert_eq!(app.raw().document(fixture.base.dispense.id).await["status"], "canceled");
        app.raw().set_field(fixture.base.dispense.id, "status", json!("exploded")).await;
        fixture.change(&app, Complete).await.assert_internal();
        assert_eq!(documents.kept(), [""; 0]);
    }

    async fn k12_signed_status(kind) {
        hold(kind, Complete, &RULES, "k12").await;
    }

    async fn k13_the_rest(kind) {
        hold(kind, Complete, &RULES, "k13").await;
    }
}
