//! Stops that are sent again.

use esoz_auth::{Scope, Secret};
use esoz_device_dispense::DispenseStatus;
use esoz_kernel::{ClientId, UserId};
use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::builders::fresh;
use esoz_tests::{StopFixture, TestApp, on_every_store};
use serde_json::json;

use super::{AT_ONCE, REUSED, assert_conflict, assert_data, assert_error, marked, stop};
use crate::NOW_MILLIS;
use crate::stop::history;

on_every_store! {
    async fn a_stop_sent_again_gets_the_first_answer(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let first = fixture.stopped(&fixture.dispense, NOW_MILLIS);
        assert_data(&stop(&app, &fixture, "one").await, "one", &first);
        app.clock.set(app.in_seconds(60));
        assert_data(&stop(&app, &fixture, "one").await, "one", &first);
        // A colleague sends it again.
        let token = fixture.issue(&app, |token| token.user_id = UserId::new(fresh())).await;
        let request = app.patch(&fixture.path()).token(&token);
        assert_data(&marked(request, "one").send().await, "one", &first);
        // An empty object is as empty as no body.
        let request = fixture.request(&app).json(&json!({}));
        assert_data(&marked(request, "one").send().await, "one", &first);

        assert_eq!(history(&app, &fixture).await, 2);
        assert_eq!(app.events_of(&fixture.dispense).await.len(), 1);
        // Unmarked, or marked otherwise, it is a request of its own.
        let stopped = "Device dispense in status stopped cannot be stopped";
        assert_conflict(&fixture.stop(&app).await, stopped);
        assert_conflict(&stop(&app, &fixture, "two").await, stopped);
    }

    async fn one_stop_sent_many_times_at_once_gets_one_answer(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let first = fixture.stopped(&fixture.dispense, NOW_MILLIS);
        let requests = (0..AT_ONCE).map(|_| tokio::spawn(marked(fixture.request(&app), "one").send()));
        for request in requests.collect::<Vec<_>>() {
            assert_data(&request.await.unwrap(), "one", &first);
        }
        assert_eq!(history(&app, &fixture).await, 2);
        assert_eq!(app.events_of(&fixture.dispense).await.len(), 1);
    }

    async fn a_key_of_a_stop_is_for_that_stop(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let another = fixture.another(&app).build();
        app.put_dispense(&another).await;
        assert_eq!(stop(&app, &fixture, "one").await.status, 200);
        let reused = marked(fixture.request_for(&app, &another), "one").send().await;
        assert_conflict(&reused, REUSED);
        fixture.assert_untouched(&app, &another).await;

        // Another client has keys of its own.
        let stranger = StopFixture::load(&app).await;
        let stopped = stranger.stopped(&stranger.dispense, NOW_MILLIS);
        assert_data(&stop(&app, &stranger, "one").await, "one", &stopped);
        let stopped = fixture.stopped(&another, NOW_MILLIS);
        assert_data(&marked(fixture.request_for(&app, &another), "two").send().await, "two", &stopped);
    }

    async fn two_stops_at_once_under_one_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let another = fixture.another(&app).build();
        app.put_dispense(&another).await;
        let both = [fixture.dispense.clone(), another];
        let requests = both.each_ref().map(|one| tokio::spawn(marked(fixture.request_for(&app, one), "one").send()));
        let mut stopped = 0;
        for (one, request) in both.iter().zip(requests) {
            let answer = request.await.unwrap();
            if answer.status == 200 {
                stopped += 1;
                assert_data(&answer, "one", &fixture.stopped(one, NOW_MILLIS));
            } else {
                assert_conflict(&answer, REUSED);
                fixture.assert_untouched(&app, one).await;
            }
        }
        assert_eq!(stopped, 1);
    }

    async fn a_refused_stop_leaves_its_key_free(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let completed = fixture.another(&app).status(DispenseStatus::Completed).build();
        app.put_dispense(&completed).await;
        let refused = marked(fixture.request_for(&app, &completed), "one").send().await;
        assert_conflict(&refused, "Device dispense in status completed cannot be stopped");
        assert_data(&stop(&app, &fixture, "one").await, "one", &fixture.stopped(&fixture.dispense, NOW_MILLIS));
    }

    async fn who_repeats_a_stop_is_checked_anew(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let first = fixture.stopped(&fixture.dispense, NOW_MILLIS);
        assert_data(&stop(&app, &fixture, "one").await, "one", &first);

        let unknown = marked(app.patch(&fixture.path()).token(&Secret::new("unknown")), "one").send().await;
        assert_error(&unknown, 401, &json!({"type": "access_denied", "message": "Invalid access token"}));
        let token = fixture.issue(&app, |token| token.scope = Scope::parse("")).await;
        assert_eq!(marked(app.patch(&fixture.path()).token(&token), "one").send().await.status, 403);
        let client_id = ClientId::new(fresh());
        let stranger = fixture.issue(&app, |token| token.client_id = client_id).await;
        assert_eq!(marked(app.patch(&fixture.path()).token(&stranger), "one").send().await.status, 409);
        let mut suspended = fixture.pharmacy.clone();
        suspended.facts.status = LegalEntityStatus::Suspended;
        app.put_legal_entity(&suspended).await;
        let not_active = "client_id refers to legal entity that is not active";
        assert_conflict(&stop(&app, &fixture, "one").await, not_active);

        app.put_legal_entity(&fixture.pharmacy).await;
        assert_data(&stop(&app, &fixture, "one").await, "one", &first);
    }
}
