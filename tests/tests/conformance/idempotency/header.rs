//! A header that is no idempotency key.

use esoz_testkit::builders::fresh;
use esoz_tests::{StopFixture, TestApp, UpdateFixture, on_every_store};
use serde_json::{Value, json};

use super::{assert_data, assert_error, marked, put, stop};
use crate::NOW_MILLIS;

/// What a header that is no key is answered with.
fn no_key() -> Value {
    let description = "must be given once, as 1 to 255 visible ASCII characters";
    json!({
        "entry_type": "header",
        "entry": "X-Idempotency-Key",
        "rules": [{"rule": "format", "description": description, "params": []}],
    })
}

on_every_store! {
    async fn a_header_that_is_no_key_is_refused(kind) {
        let app = TestApp::new(kind).await;
        let (fixture, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let invalid = |faults: &[Value]| {
            json!({"type": "validation_failed", "message": "Validation failed.", "invalid": faults})
        };
        for bad in ["", "a b", "ключ", &"x".repeat(256)] {
            let answer = stop(&app, &fixture, bad).await;
            assert_error(&answer, 422, &invalid(&[no_key()]));
            assert_eq!(answer.body["meta"].get("idempotency_key"), None);
            assert_error(&put(&app, &update, bad, &update.change()).await, 422, &invalid(&[no_key()]));
        }
        let twice = marked(marked(fixture.request(&app), "one"), "two").send().await;
        assert_error(&twice, 422, &invalid(&[no_key()]));
        // What is wrong with the body is told as well; who calls comes before both.
        let missing = put(&app, &update, "", &json!({"division_id": fresh().to_string()})).await;
        let faults = missing.body["error"]["invalid"].as_array().unwrap();
        assert_eq!((faults.len(), &faults[0]["entry"]), (2, &json!("$.contract_id")), "{faults:?}");
        assert_eq!(faults[1], no_key());
        assert_eq!(marked(fixture.request(&app), "").body("{").send().await.status, 400);
        assert_eq!(marked(app.patch(&fixture.path()), "").send().await.status, 401);

        fixture.assert_untouched(&app, &fixture.dispense).await;
        update.assert_untouched(&app).await;
        let longest = "x".repeat(255);
        assert_data(&stop(&app, &fixture, &longest).await, &longest, &fixture.stopped(&fixture.dispense, NOW_MILLIS));
    }
}
