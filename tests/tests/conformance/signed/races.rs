//! E12: complete, mark in error, stop and expire, each pair at once.

use std::sync::Arc;
use std::time::Duration;

use esoz_device_dispense::{Dispense, ExpireDispenses};
use esoz_tests::SignedAction::{Complete, MarkInError};
use esoz_tests::{Documents, SignedAction, SignedFixture, TestApp, on_every_store};
use serde_json::json;

use super::REQUEST_NOT_ACTIVE;
use crate::rounds::{ROUNDS, both, both_sent, rounds};

const SYSTEM_USER: &str = "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90";

/// How a round has ended: the changes of its dispense, and how many containers of it are kept.
type End = (&'static [&'static str], usize);

const fn end(steps: &'static [&'static str], containers: usize) -> End {
    (steps, containers)
}

async fn stored(app: &TestApp, dispense: &Dispense) -> Dispense {
    app.stores.dispenses.find(dispense.id).await.unwrap().unwrap().dispense.unwrap()
}

/// Races for each dispense; then what each race has ended with, and nothing else, stands in the stored history, in the events and among the containers.
async fn race(
    app: &TestApp,
    documents: &Documents,
    fixtures: &[SignedFixture],
    round: impl AsyncFn(usize, &SignedFixture) -> End,
) {
    let ends = rounds(fixtures, round).await;
    let (events, kept) = (app.events().await, documents.kept());
    for (fixture, (steps, containers)) in fixtures.iter().zip(ends) {
        let dispense = &fixture.base.dispense;
        let history = stored(app, dispense).await.record["status_history"].clone();
        let history: Vec<String> = (history.as_array().unwrap().iter())
            .map(|entry| entry["status"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(history[0], "in_progress");
        assert_eq!(history[1..], *steps);
        let key = dispense.id.to_string();
        let of_dispense = events.iter().filter(|event| event.key == key);
        let mut told: Vec<&str> = of_dispense
            .map(|event| event.json["properties"]["status"]["new_value"].as_str().unwrap())
            .collect();
        told.sort_unstable();
        let mut steps = steps.to_vec();
        steps.sort_unstable();
        assert_eq!(told, steps);
        let of_dispense = format!("/{}/", dispense.id);
        assert_eq!(kept.iter().filter(|key| key.contains(&of_dispense)).count(), containers);
    }
}

/// A dispense for each round.
async fn fixtures(app: &TestApp, documents: &Documents) -> Vec<SignedFixture> {
    rounds(&[(); ROUNDS], async |_, ()| SignedFixture::load(app, documents).await).await
}

/// A dispense for each round, which is to expire.
async fn overdue(app: &TestApp, documents: &Documents) -> Vec<SignedFixture> {
    let since = json!("2026-01-30T08:00:00.000Z");
    rounds(&[(); ROUNDS], async |_, ()| {
        let mut fixture = SignedFixture::new(app, documents);
        fixture.base.dispense = fixture.another().field("inserted_at", since.clone()).build();
        fixture.store(app).await;
        fixture
    })
    .await
}

/// Twice the same change at once.
async fn twice(app: &TestApp, documents: &Documents, action: SignedAction, ended: End, refusal: &str) {
    race(app, documents, &fixtures(app, documents).await, async |round, fixture| {
        let request = || fixture.request(app, action, &fixture.content(action));
        let [one, other] = both_sent(round, request(), request()).await;
        let (won, lost) = if one.status == 200 { (one, other) } else { (other, one) };
        assert_eq!(won.status, 200, "{:#}", won.body);
        lost.assert_conflict(refusal);
        ended
    })
    .await;
}

/// Does the change and lets the dispense expire at once; tells what the change was answered, and whether it has expired.
async fn beside_expiry(
    app: &TestApp,
    fixture: &SignedFixture,
    round: usize,
    action: SignedAction,
) -> (esoz_tests::Answer, bool) {
    let expire = ExpireDispenses {
        dispenses: app.stores.dispenses.clone(),
        clock: app.clock.clone(),
        ids: Arc::new(esoz_kernel::system::RandomIds),
        lifetime: Duration::from_hours(1),
        system_user: SYSTEM_USER.parse().unwrap(),
    };
    let id = fixture.base.dispense.id;
    let request = fixture.request(app, action, &fixture.content(action));
    let (answer, expired) = both(round, request.send(), async move { expire.execute(id).await }).await;
    (answer, expired.unwrap())
}

on_every_store! {
    async fn e12_complete_twice(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        // The request has ended, which is looked at before the status.
        twice(&app, &documents, Complete, end(&["completed"], 1), REQUEST_NOT_ACTIVE).await;
    }

    async fn e12_mark_in_error_twice(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let refusal = "Device dispense in status entered_in_error cannot be marked in error";
        twice(&app, &documents, MarkInError, end(&["entered_in_error"], 1), refusal).await;
    }

    async fn e12_complete_and_mark_in_error(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        race(&app, &documents, &fixtures(&app, &documents).await, async |round, fixture| {
            let request = |action| fixture.request(&app, action, &fixture.content(action));
            let [complete, mark] = both_sent(round, request(Complete), request(MarkInError)).await;
            if complete.status == 200 {
                mark.assert_conflict("Device dispense in status completed cannot be marked in error");
                end(&["completed"], 1)
            } else {
                assert_eq!(mark.status, 200, "{:#}", mark.body);
                complete.assert_conflict("Device dispense in status entered_in_error cannot be completed");
                end(&["entered_in_error"], 1)
            }
        })
        .await;
    }

    async fn e12_complete_and_stop(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        race(&app, &documents, &fixtures(&app, &documents).await, async |round, fixture| {
            let complete = fixture.request(&app, Complete, &fixture.content(Complete));
            let [complete, stop] = both_sent(round, complete, fixture.base.request(&app)).await;
            if complete.status == 200 {
                stop.assert_conflict("Device dispense in status completed cannot be stopped");
                end(&["completed"], 1)
            } else {
                assert_eq!(stop.status, 200, "{:#}", stop.body);
                complete.assert_conflict("Device dispense in status stopped cannot be completed");
                end(&["stopped"], 0)
            }
        })
        .await;
    }

    async fn e12_mark_in_error_and_stop(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        race(&app, &documents, &fixtures(&app, &documents).await, async |round, fixture| {
            let mark = fixture.request(&app, MarkInError, &fixture.content(MarkInError));
            let [mark, stop] = both_sent(round, mark, fixture.base.request(&app)).await;
            // What is stopped can be marked in error; what is marked in error cannot be stopped.
            assert_eq!(mark.status, 200, "{:#}", mark.body);
            if stop.status == 200 {
                end(&["stopped", "entered_in_error"], 1)
            } else {
                stop.assert_conflict("Device dispense in status entered_in_error cannot be stopped");
                end(&["entered_in_error"], 1)
            }
        })
        .await;
    }

    async fn e12_complete_and_expire(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        race(&app, &documents, &overdue(&app, &documents).await, async |round, fixture| {
            let (complete, has_expired) = beside_expiry(&app, fixture, round, Complete).await;
            if has_expired {
                complete.assert_conflict("Device dispense in status unknown cannot be completed");
                end(&["unknown"], 0)
            } else {
                assert_eq!(complete.status, 200, "{:#}", complete.body);
                end(&["completed"], 1)
            }
        })
        .await;
    }

    async fn e12_mark_in_error_and_expire(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        race(&app, &documents, &overdue(&app, &documents).await, async |round, fixture| {
            let (mark, has_expired) = beside_expiry(&app, fixture, round, MarkInError).await;
            assert_eq!(mark.status, 200, "{:#}", mark.body);
            if has_expired { end(&["unknown", "entered_in_error"], 1) } else { end(&["entered_in_error"], 1) }
        })
        .await;
    }
}
