//! N36: what became of an earlier dispense of a request with a quantity.

use std::time::Duration;

use esoz_device_dispense::{DeviceRequestStatus, DispenseStatus};
use esoz_tests::{CreateFixture, Setup, TestApp, on_every_store};
use serde_json::{Value, json};

use super::{NOT_ACTIVE, OTHER_ACTIVE};

const LIFETIME: Duration = Duration::from_hours(1);

/// A dispense of the fixture's request is in progress, and keeps others from being recorded; gives its body.
async fn in_progress(app: &TestApp, fixture: &CreateFixture) -> Value {
    let body = fixture.body();
    assert_eq!(fixture.create(app, &body).await.status, 201);
    OTHER_ACTIVE.assert_is(&fixture.create(app, &fixture.body()).await);
    body
}

on_every_store! {
    async fn n36_the_earlier_one_is_stopped(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let earlier = in_progress(&app, &fixture).await;
        assert_eq!(fixture.stop(&app, &earlier).await.status, 200);
        in_progress(&app, &fixture).await;
    }

    async fn n36_the_earlier_one_is_in_another_status(kind) {
        let app = TestApp::new(kind).await;
        let others = DispenseStatus::ALL.into_iter().filter(|status| *status != DispenseStatus::InProgress);
        for status in others {
            let mut fixture = CreateFixture::new(&app);
            fixture.earlier = vec![fixture.dispense(status)];
            fixture.store(&app).await;
            in_progress(&app, &fixture).await;
        }
    }

    async fn n36_the_earlier_one_is_marked_in_error(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let earlier = in_progress(&app, &fixture).await;
        let id = earlier["id"].as_str().unwrap().parse().unwrap();
        app.raw().set_field(id, "status", json!("entered_in_error")).await;
        in_progress(&app, &fixture).await;
    }

    async fn n36_the_earlier_one_has_expired_by_the_clock(kind) {
        let setup = Setup::new(kind)
            .variable("ESOZ_DEVICE_DISPENSE__LIFETIME_S", "3600")
            .variable("ESOZ_DEVICE_DISPENSE__EXPIRE_EVERY_S", "86400")
            .variable("ESOZ_DEVICE_DISPENSE__SYSTEM_USER_ID", "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90");
        let app = setup.start().await;
        let fixture = CreateFixture::load(&app).await;
        let earlier = in_progress(&app, &fixture).await;
        app.clock.advance(LIFETIME);
        // Exactly as old as a dispense may be.
        OTHER_ACTIVE.assert_is(&fixture.create(&app, &fixture.body()).await);
        app.clock.advance(Duration::from_millis(1));
        in_progress(&app, &fixture).await;
        // The job has not come by.
        assert_eq!(fixture.show(&app, &earlier).await.body["data"]["status"], "in_progress");
    }

    async fn n36_without_a_lifetime_it_never_expires(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        in_progress(&app, &fixture).await;
        app.clock.advance(Duration::from_hours(23));
        OTHER_ACTIVE.assert_is(&fixture.create(&app, &fixture.body()).await);
    }

    async fn n36_another_request_is_not_in_the_way(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::load(&app).await;
        in_progress(&app, &fixture).await;
        fixture.request = fixture.another_request(&app).await;
        in_progress(&app, &fixture).await;
    }

    async fn n36_the_request_is_completed(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::load(&app).await;
        let earlier = in_progress(&app, &fixture).await;
        let id = earlier["id"].as_str().unwrap().parse().unwrap();
        app.raw().set_field(id, "status", json!("completed")).await;
        fixture.request.facts.status = DeviceRequestStatus::Completed;
        app.put_device_request(&fixture.request).await;
        NOT_ACTIVE.assert_is(&fixture.create(&app, &fixture.body()).await);
    }
}
