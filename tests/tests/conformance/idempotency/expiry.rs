//! A key is free after a day, and a server forgets it then.

use std::sync::Arc;

use esoz_auth::Secret;
use esoz_contract_division::Pair;
use esoz_device_dispense::{DispenseStatus, Transition};
use esoz_kernel::{Committed, IdempotentRequest, Written};
use esoz_testkit::builders::{change_of, client, idempotency_key, request_id, user};
use esoz_testkit::clock::ManualClock;
use esoz_testkit::contract_divisions::Update;
use esoz_testkit::wait::wait_for;
use esoz_tests::{DEADLINE, Setup, StopFixture, TestApp, UpdateFixture, on_every_store};
use jiff::SignedDuration;

use super::{REUSED, assert_conflict, assert_data, marked};
use crate::NOW_MILLIS;

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
}
