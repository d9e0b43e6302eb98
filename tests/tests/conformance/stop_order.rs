//! P01 to P04: where two things are wrong at once, the earlier rule answers.

use esoz_auth::Scope;
use esoz_device_dispense::DispenseStatus;
use esoz_kernel::LegalEntityId;
use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::builders::fresh;
use esoz_tests::{StopFixture, TestApp, on_every_store};

const NOT_ACTIVE: &str = "client_id refers to legal entity that is not active";

async fn suspend(app: &TestApp, fixture: &StopFixture) {
    let mut pharmacy = fixture.pharmacy.clone();
    pharmacy.facts.status = LegalEntityStatus::Suspended;
    app.put_legal_entity(&pharmacy).await;
}

on_every_store! {
    async fn p01_expired_token_and_missing_scope(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let token = fixture
            .issue(&app, |token| {
                token.expires_at = app.in_seconds(-1);
                token.scope = Scope::parse("");
            })
            .await;
        app.patch(&fixture.path()).token(&token).send().await.assert_invalid_token();
    }

    async fn p02_missing_scope_and_inactive_legal_entity(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        suspend(&app, &fixture).await;
        let token = fixture.issue(&app, |token| token.scope = Scope::parse("a:b")).await;
        let message = "Your scope does not allow to access this resource. Missing allowances: device_dispense:stop";
        app.patch(&fixture.path()).token(&token).send().await.assert_error(403, "forbidden", message);
    }

    async fn p03_inactive_legal_entity_and_unknown_dispense(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        suspend(&app, &fixture).await;
        let unknown = fixture.another(&app).build();
        fixture.request_for(&app, &unknown).send().await.assert_conflict(NOT_ACTIVE);
        let no_uuid = app.patch(&esoz_tests::stop_path("no", "uuid")).token(&fixture.token).send().await;
        no_uuid.assert_conflict(NOT_ACTIVE);
    }

    async fn p04_foreign_dispense_in_status_completed(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let foreign = fixture.another(&app).owner(LegalEntityId::new(fresh())).status(DispenseStatus::Completed).build();
        app.put_dispense(&foreign).await;
        fixture.request_for(&app, &foreign).send().await.assert_not_found();
    }
}
