//! E12: complete, mark in error, stop and expire, each pair at once.

use std::sync::Arc;
use std::time::Duration;

use esoz_device_dispense::{Dispense, ExpireDispenses};
use esoz_tests::SignedAction::{Complete, MarkInError};
use esoz_tests::{Answer, Documents, SignedAction, SignedFixture, TestApp, on_every_store};
use serde_json::json;

use super::REQUEST_NOT_ACTIVE;

/// How often each pair is tried.
pub(super) const ROUNDS: usize = 20;

const SYSTEM_USER: &str = "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90";

async fn stored(app: &TestApp, dispense: &Dispense) -> Dispense {
    app.stores.dispenses.find(dispense.id).await.unwrap().unwrap().dispense.unwrap()
}

/// These steps alone stand in the stored history and in the events, and so many containers of the dispense are kept.
async fn assert_end(
    app: &TestApp,
    documents: &Documents,
    dispense: &Dispense,
    steps: &[&str],
    containers: usize,
) {
    let history = stored(app, dispense).await.record["status_history"].clone();
    let history: Vec<String> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["status"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(history[0], "in_progress");
    assert_eq!(history[1..], *steps);
    let events = app.events_of(dispense).await;
    let mut told: Vec<&str> = events
        .iter()
        .map(|event| event.json["properties"]["status"]["new_value"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    let mut steps = steps.to_vec();
    steps.sort_unstable();
    assert_eq!(told, steps);
    let of_dispense = format!("/{}/", dispense.id);
    assert_eq!(documents.kept().iter().filter(|key| key.contains(&of_dispense)).count(), containers);
}

/// Sends both requests at once.
async fn at_once(one: esoz_tests::Request, other: esoz_tests::Request) -> (Answer, Answer) {
    let (one, other) = (tokio::spawn(one.send()), tokio::spawn(other.send()));
    (one.await.unwrap(), other.await.unwrap())
}

/// Twice the same change at once.
async fn twice(app: &TestApp, documents: &Documents, action: SignedAction, refusal: &str) {
    for _ in 0..ROUNDS {
        let fixture = SignedFixture::load(app, documents).await;
        let request = || fixture.request(app, action, &fixture.content(action));
        let answers = at_once(request(), request()).await;
        let (won, lost) = if answers.0.status == 200 { answers } else { (answers.1, answers.0) };
        assert_eq!(won.status, 200, "{:#}", won.body);
        lost.assert_conflict(refusal);
        assert_end(app, documents, &fixture.base.dispense, &[action.status()], 1).await;
    }
}

fn expire(app: &TestApp) -> ExpireDispenses {
    ExpireDispenses {
        dispenses: app.stores.dispenses.clone(),
        clock: app.clock.clone(),
        ids: Arc::new(esoz_kernel::system::RandomIds),
        lifetime: Duration::from_hours(1),
        system_user: SYSTEM_USER.parse().unwrap(),
    }
}

/// A fixture whose dispense is to expire.
async fn overdue(app: &TestApp, documents: &Documents) -> SignedFixture {
    let mut fixture = SignedFixture::new(app, documents);
    fixture.base.dispense = fixture.another().field("inserted_at", json!("2026-01-30T08:00:00.000Z")).build();
    fixture.store(app).await;
    fixture
}

on_every_store! {
    async fn e12_complete_twice(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        // The request has ended, which is looked at before the status.
        twice(&app, &documents, Complete, REQUEST_NOT_ACTIVE).await;
    }

    async fn e12_mark_in_error_twice(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let refusal = "Device dispense in status entered_in_error cannot be marked in error";
        twice(&app, &documents, MarkInError, refusal).await;
    }

    async fn e12_complete_and_mark_in_error(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for _ in 0..ROUNDS {
            let fixture = SignedFixture::load(&app, &documents).await;
            let request = |action| fixture.request(&app, action, &fixture.content(action));
            let (complete, mark) = at_once(request(Complete), request(MarkInError)).await;
            if complete.status == 200 {
                mark.assert_conflict("Device dispense in status completed cannot be marked in error");
                assert_end(&app, &documents, &fixture.base.dispense, &["completed"], 1).await;
            } else {
                assert_eq!(mark.status, 200, "{:#}", mark.body);
                complete.assert_conflict("Device dispense in status entered_in_error cannot be completed");
                assert_end(&app, &documents, &fixture.base.dispense, &["entered_in_error"], 1).await;
            }
        }
    }

    async fn e12_complete_and_stop(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for _ in 0..ROUNDS {
            let fixture = SignedFixture::load(&app, &documents).await;
            let complete = fixture.request(&app, Complete, &fixture.content(Complete));
            let (complete, stop) = at_once(complete, fixture.base.request(&app)).await;
            if complete.status == 200 {
                stop.assert_conflict("Device dispense in status completed cannot be stopped");
                assert_end(&app, &documents, &fixture.base.dispense, &["completed"], 1).await;
            } else {
                assert_eq!(stop.status, 200, "{:#}", stop.body);
                complete.assert_conflict("Device dispense in status stopped cannot be completed");
                assert_end(&app, &documents, &fixture.base.dispense, &["stopped"], 0).await;
            }
        }
    }

    async fn e12_mark_in_error_and_stop(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for _ in 0..ROUNDS {
            let fixture = SignedFixture::load(&app, &documents).await;
            let mark = fixture.request(&app, MarkInError, &fixture.content(MarkInError));
            let (mark, stop) = at_once(mark, fixture.base.request(&app)).await;
            // What is stopped can be marked in error; what is marked in error cannot be stopped.
            assert_eq!(mark.status, 200, "{:#}", mark.body);
            if stop.status == 200 {
                assert_end(&app, &documents, &fixture.base.dispense, &["stopped", "entered_in_error"], 1).await;
            } else {
                stop.assert_conflict("Device dispense in status entered_in_error cannot be stopped");
                assert_end(&app, &documents, &fixture.base.dispense, &["entered_in_error"], 1).await;
            }
        }
    }

    async fn e12_complete_and_expire(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for _ in 0..ROUNDS {
            let fixture = overdue(&app, &documents).await;
            let (expire, id) = (expire(&app), fixture.base.dispense.id);
            let request = tokio::spawn(fixture.request(&app, Complete, &fixture.content(Complete)).send());
            let expiry = tokio::spawn(async move { expire.execute(id).await });
            let (complete, has_expired) = (request.await.unwrap(), expiry.await.unwrap().unwrap());
            if has_expired {
                complete.assert_conflict("Device dispense in status unknown cannot be completed");
                assert_end(&app, &documents, &fixture.base.dispense, &["unknown"], 0).await;
            } else {
                assert_eq!(complete.status, 200, "{:#}", complete.body);
                assert_end(&app, &documents, &fixture.base.dispense, &["completed"], 1).await;
            }
        }
    }

    async fn e12_mark_in_error_and_expire(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for _ in 0..ROUNDS {
            let fixture = overdue(&app, &documents).await;
            let (expire, id) = (expire(&app), fixture.base.dispense.id);
            let request = tokio::spawn(fixture.request(&app, MarkInError, &fixture.content(MarkInError)).send());
            let expiry = tokio::spawn(async move { expire.execute(id).await });
            let (mark, has_expired) = (request.await.unwrap(), expiry.await.unwrap().unwrap());
            assert_eq!(mark.status, 200, "{:#}", mark.body);
            let steps: &[&str] = if has_expired { &["unknown", "entered_in_error"] } else { &["entered_in_error"] };
            assert_end(&app, &documents, &fixture.base.dispense, steps, 1).await;
        }
    }
}
