//! Requests that are marked by `X-Idempotency-Key` and sent again (docs/adr/0012), over HTTP, on every store.

use std::sync::Arc;

use esoz_auth::{Scope, Secret};
use esoz_contract_division::Pair;
use esoz_device_dispense::{DispenseStatus, Transition};
use esoz_kernel::{ClientId, Committed, IdempotentRequest, UserId, Written};
use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::builders::{change_of, client, fresh, idempotency_key, request_id, user};
use esoz_testkit::clock::ManualClock;
use esoz_testkit::contract_divisions::Update;
use esoz_testkit::wait::wait_for;
use esoz_tests::{
    Answer, DEADLINE, Request, Setup, StopFixture, TestApp, UpdateFixture, change, on_every_store,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::stop::history;
use crate::{NOW_MICROS, NOW_MILLIS};

const KEY: &str = "x-idempotency-key";
const AT_ONCE: usize = 16;

/// The request, marked.
fn marked(request: Request, key: &str) -> Request {
    request.header(KEY, key)
}

async fn stop(app: &TestApp, fixture: &StopFixture, key: &str) -> Answer {
    marked(fixture.request(app), key).send().await
}

async fn put(app: &TestApp, fixture: &UpdateFixture, key: &str, body: &Value) -> Answer {
    marked(fixture.request(app), key).json(body).send().await
}

#[track_caller]
fn assert_data(answer: &Answer, key: &str, data: &Value) {
    assert_eq!((answer.status.as_u16(), &answer.body["data"]), (200, data), "{:#}", answer.body);
    assert_eq!(answer.body["meta"]["idempotency_key"], key);
}

#[track_caller]
fn assert_error(answer: &Answer, code: u16, error: &Value) {
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (code, error), "{:#}", answer.body);
}

#[track_caller]
fn assert_conflict(answer: &Answer, message: &str) {
    assert_error(answer, 409, &json!({"type": "request_conflict", "message": message}));
}

const REUSED: &str = "The idempotency key was used for another request";

/// What a header that is no key is answered with.
fn no_key() -> Value {
    let description = "must be given once, as 1 to 255 visible ASCII characters";
    json!({
        "entry_type": "header",
        "entry": "X-Idempotency-Key",
        "rules": [{"rule": "format", "description": description, "params": []}],
    })
}

async fn updates(app: &TestApp, fixture: &UpdateFixture) -> usize {
    let rows = app.audit().rows(fixture.record.id).await;
    rows.iter().filter(|row| row.action == "UPDATE").count()
}

/// A day later less that many milliseconds.
fn a_day_later(app: &TestApp, less: i64) {
    let now = esoz_kernel::Clock::now(app.clock.as_ref());
    app.clock.set(
        now.saturating_add(SignedDuration::from_hours(24)).saturating_sub(SignedDuration::from_millis(less)),
    );
}

/// A token of the same user and client that is good for days.
async fn lasting(app: &TestApp, fixture: &StopFixture) -> Secret {
    let expires_at = app.in_seconds(1_000_000);
    fixture.issue(app, |token| token.expires_at = expires_at).await
}

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

    async fn a_day_later_the_key_of_a_stop_is_free(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let another = fixture.another(&app).build();
        app.put_dispense(&another).await;
        let token = lasting(&app, &fixture).await;
        let ask = async |dispense| {
            marked(app.patch(&fixture.path_of(dispense)).token(&token), "one").send().await
        };
        let first = fixture.stopped(&fixture.dispense, NOW_MILLIS);
        assert_data(&ask(&fixture.dispense).await, "one", &first);
        a_day_later(&app, 1);
        assert_data(&ask(&fixture.dispense).await, "one", &first);
        assert_conflict(&ask(&another).await, REUSED);
        a_day_later(&app, 86_400_000 - 1);
        let stopped = "Device dispense in status stopped cannot be stopped";
        assert_conflict(&ask(&fixture.dispense).await, stopped);
        let answer = ask(&another).await;
        assert_data(&answer, "one", &fixture.stopped(&another, "2026-02-01T08:16:30.123Z"));
        assert_conflict(&ask(&fixture.dispense).await, REUSED);
    }

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

    async fn a_server_forgets_old_keys(kind) {
        let app = TestApp::new(kind).await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let at = esoz_kernel::Clock::now(app.clock.as_ref());
        let idempotency = IdempotentRequest::new("test", client(), &idempotency_key(), &[]);
        let change = change_of(&stop.dispense, DispenseStatus::Stopped, at);
        let change = Transition { idempotency: Some(idempotency), ..change };
        assert!(matches!(app.stores.dispenses.commit(&change).await, Ok(Committed::Applied(_))));
        let (id, request_id) = (update.record.id, request_id());
        let asked = Pair { division_id: update.divisions[1].facts.id, contract_id: update.contracts[1].facts.id };
        let (by, idempotency) = (user(), IdempotentRequest::new("another test", client(), &idempotency_key(), &[]));
        let asked = Update { id, change: asked, at, by, request_id, idempotency: Some(idempotency) };
        assert!(matches!(asked.apply(&*app.stores.contract_divisions).await, Ok(Written::Applied(_))));

        let (stores, ended) = app.begin_to_stop();
        ended.await.unwrap().unwrap();
        let tomorrow = Arc::new(ManualClock::new(at.saturating_add(SignedDuration::from_hours(24))));
        let app = Setup::new(kind).replace(|parts| parts.clock = tomorrow).start_on(stores).await;
        // To whoever asks as of yesterday they are there until they are gone.
        wait_for("the keys to be gone", DEADLINE, async || {
            let stopped = app.stores.dispenses.commit(&change).await;
            let updated = asked.replay(&*app.stores.contract_divisions).await;
            match (stopped, updated) {
                (Ok(Committed::Stale), Ok(None)) => Ok(()),
                others => Err(format!("{others:?}")),
            }
        })
        .await;
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
