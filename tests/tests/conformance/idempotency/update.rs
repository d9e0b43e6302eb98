//! Updates that are sent again.

use esoz_testkit::builders::fresh;
use esoz_tests::{TestApp, UpdateFixture, change, on_every_store};
use serde_json::json;

use super::{AT_ONCE, REUSED, assert_conflict, assert_data, marked, put};
use crate::NOW_MICROS;

async fn updates(app: &TestApp, fixture: &UpdateFixture) -> usize {
    let rows = app.audit().rows(fixture.record.id).await;
    rows.iter().filter(|row| row.action == "UPDATE").count()
}

on_every_store! {
    async fn an_update_sent_again_gets_the_first_answer(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let first = fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS);
        assert_data(&put(&app, &fixture, "one", &fixture.change()).await, "one", &first);
        app.clock.set(app.in_seconds(60));
        assert_data(&put(&app, &fixture, "one", &fixture.change()).await, "one", &first);
        assert_eq!(updates(&app, &fixture).await, 1);

        // The record moves on, and what the update rested on is no more: its answer stays.
        let back = change(&fixture.contracts[0], &fixture.divisions[0]);
        assert_eq!(fixture.put(&app, &back).await.status, 200);
        let mut division = fixture.divisions[1].clone();
        division.facts.is_active = false;
        app.put_division(&division).await;
        let stored = fixture.stored(&app).await;
        assert_data(&put(&app, &fixture, "one", &fixture.change()).await, "one", &first);
        assert_eq!(fixture.stored(&app).await, stored);
        assert_eq!(updates(&app, &fixture).await, 2);
        assert_eq!(put(&app, &fixture, "two", &fixture.change()).await.status, 404);
    }

    async fn one_update_sent_many_times_at_once_gets_one_answer(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let first = fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS);
        let requests = (0..AT_ONCE).map(|_| {
            tokio::spawn(marked(fixture.request(&app), "one").json(&fixture.change()).send())
        });
        for request in requests.collect::<Vec<_>>() {
            assert_data(&request.await.unwrap(), "one", &first);
        }
        assert_eq!(updates(&app, &fixture).await, 1);
    }

    async fn a_key_of_an_update_is_for_that_update(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let first = fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS);
        assert_data(&put(&app, &fixture, "one", &fixture.change()).await, "one", &first);
        let other = change(&fixture.contracts[1], &fixture.divisions[0]);
        assert_conflict(&put(&app, &fixture, "one", &other).await, REUSED);
        assert_eq!(updates(&app, &fixture).await, 1);

        // Another record, by the same client.
        let rival = UpdateFixture::load(&app).await;
        let request = app.put(&rival.path()).api_key(&fixture.api_key).token(&fixture.token);
        assert_conflict(&marked(request, "one").json(&rival.change()).send().await, REUSED);
        rival.assert_untouched(&app).await;
        // Another client.
        assert_eq!(put(&app, &rival, "one", &rival.change()).await.status, 200);
    }

    async fn a_refused_update_may_be_corrected_under_its_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let wrong = json!({
            "division_id": fresh().to_string(),
            "contract_id": fixture.contracts[1].facts.id.to_string(),
        });
        assert_eq!(put(&app, &fixture, "one", &wrong).await.status, 404);
        assert_eq!(put(&app, &fixture, "one", &json!({})).await.status, 422);
        let first = fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS);
        assert_data(&put(&app, &fixture, "one", &fixture.change()).await, "one", &first);
        assert_conflict(&put(&app, &fixture, "one", &wrong).await, REUSED);
        assert_eq!(updates(&app, &fixture).await, 1);
    }

    async fn an_update_that_could_not_be_audited_keeps_no_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        app.audit().break_writing().await;
        for _ in 0..2 {
            assert_eq!(put(&app, &fixture, "one", &fixture.change()).await.status, 500);
        }
        fixture.assert_untouched(&app).await;
    }
}
