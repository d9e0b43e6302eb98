//! Each row of the table, tried with everything that must not do.

use std::collections::{BTreeMap, BTreeSet};

use esoz_auth::{NewAccessToken, Scope};
use esoz_tests::{
    Answer, CreateFixture, Documents, Request, Setup, SignedAction, SignedFixture, StopFixture, TestApp,
    UpdateFixture, on_every_store, signed_data,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::attempts::{Attempt, Refusal};
use crate::table::{ANYBODY, Protected, protected, verbs_of};
use crate::{contract_divisions, create_dispense, dispenses, events};

/// A protected route, with something there for whoever may.
struct Target {
    verb: Method,
    /// What the method takes.
    good_body: Option<Value>,
    /// How its owner asks.
    allowed: Request,
    /// The status that its owner is answered.
    success: u16,
    attempts: Vec<Attempt>,
}

impl Target {
    async fn of(app: &TestApp, documents: &Documents, route: &Protected) -> Self {
        let verb: Method = route.verb.parse().unwrap();
        let allowance = |token: &mut NewAccessToken| token.scope = Scope::parse(route.operation.scope);
        match route.operation.name {
            "stop_device_dispense" => {
                let fixture = StopFixture::load(app).await;
                let (hidden, inactive) = (dispenses::not_found(), dispenses::not_active());
                let attempts = dispenses::attempts(app, &fixture, route, hidden, inactive).await;
                Self { verb, good_body: None, allowed: fixture.request(app), success: 200, attempts }
            }
            "create_device_dispense" => {
                let fixture = CreateFixture::load(app).await;
                let attempts = create_dispense::attempts(app, &fixture, route).await;
                let body = fixture.body();
                let token = fixture.issue(app, allowance).await;
                let allowed = app.request(verb.clone(), &fixture.path()).token(&token).json(&body);
                Self { verb, good_body: Some(body), allowed, success: 201, attempts }
            }
            name @ ("complete_device_dispense" | "mark_device_dispense_in_error") => {
                let is_complete = name == "complete_device_dispense";
                let action = if is_complete { SignedAction::Complete } else { SignedAction::MarkInError };
                let fixture = SignedFixture::load(app, documents).await;
                let (hidden, inactive) = (dispenses::not_found(), dispenses::not_active());
                let attempts = dispenses::attempts(app, &fixture.base, route, hidden, inactive).await;
                let body = signed_data(&fixture.container(&fixture.content(action)));
                let token = fixture.base.issue(app, allowance).await;
                let allowed = app.patch(&fixture.path(action)).token(&token).json(&body);
                Self { verb, good_body: Some(body), allowed, success: 200, attempts }
            }
            "update_contract_division" => {
                let fixture = UpdateFixture::load(app).await;
                let attempts = contract_divisions::attempts(app, &fixture, route).await;
                let allowed = fixture.request(app).json(&fixture.change());
                Self { verb, good_body: Some(fixture.change()), allowed, success: 200, attempts }
            }
            "create_contract_division" => {
                let fixture = UpdateFixture::load(app).await;
                let attempts = contract_divisions::attempts(app, &fixture, route).await;
                let allowed = fixture.create_request(app).json(&fixture.change());
                Self { verb, good_body: Some(fixture.change()), allowed, success: 201, attempts }
            }
            "delete_contract_division" => {
                let fixture = UpdateFixture::load(app).await;
                let attempts = contract_divisions::attempts(app, &fixture, route).await;
                let allowed = fixture.delete_request(app, &fixture.path());
                Self { verb, good_body: None, allowed, success: 200, attempts }
            }
            name
            @ ("show_device_dispense" | "list_device_dispenses" | "list_device_dispenses_of_patient") => {
                let fixture = StopFixture::load(app).await;
                let is_list = name != "show_device_dispense";
                let hidden = if is_list { Refusal::EmptyList } else { dispenses::not_found() };
                let attempts = dispenses::attempts(app, &fixture, route, hidden.clone(), hidden).await;
                let token = fixture.issue(app, allowance).await;
                let allowed = app.request(verb.clone(), &attempts[0].there).token(&token);
                Self { verb, good_body: None, allowed, success: 200, attempts }
            }
            _ if verb == Method::GET && route.path.starts_with("/api/admin/contract_divisions") => {
                let fixture = UpdateFixture::load(app).await.with_scope(app, route.operation.scope).await;
                let attempts = contract_divisions::attempts(app, &fixture, route).await;
                let allowed = app.request(verb.clone(), &attempts[0].there);
                let allowed = allowed.api_key(&fixture.api_key).token(&fixture.token);
                Self { verb, good_body: None, allowed, success: 200, attempts }
            }
            _ if verb == Method::GET && route.path.starts_with("/api/events") => {
                let fixture = StopFixture::load(app).await;
                let attempts = events::attempts(app, &fixture, route).await;
                let token = fixture.issue(app, allowance).await;
                let allowed = app.request(verb.clone(), &attempts[0].there).token(&token);
                Self { verb, good_body: None, allowed, success: 200, attempts }
            }
            name => panic!("{name}: say here what is there, and who may not"),
        }
    }

    /// Whether it only reads.
    fn is_read(&self) -> bool {
        self.verb == Method::GET
    }

    /// Tries it with that body, on what is there and on what is not, and holds the one answer against the other.
    async fn try_with(&self, app: &TestApp, attempt: &Attempt, body: Option<&Value>) -> Answer {
        let send = async |path: &str| {
            let request = attempt.presented(app.request(self.verb.clone(), path));
            match body {
                Some(body) => request.json(body).send().await,
                None => request.send().await,
            }
        };
        let (there, not_there) = (send(&attempt.there).await, send(&attempt.not_there).await);
        assert_same(attempt.what, &there, &not_there);
        there
    }
}

/// Holds two answers against each other: nothing but their request id, their time and the path that was asked for may tell them apart.
#[track_caller]
pub(crate) fn assert_same(what: &str, there: &Answer, not_there: &Answer) {
    assert_eq!(there.status, not_there.status, "{what}");
    assert_eq!(there.redacted(), not_there.redacted(), "{what}");
    let headers = |answer: &Answer| -> BTreeMap<String, Vec<u8>> {
        let all = answer.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        all.filter(|(name, _)| name != "x-request-id" && name != "date").collect()
    };
    assert_eq!(headers(there), headers(not_there), "{what}");
    assert_eq!(there.headers.len(), not_there.headers.len(), "{what}: a header twice");
}

on_every_store! {
    async fn who_may_not_is_refused_and_writes_nothing_and_learns_nothing(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for route in protected() {
            let Protected { verb, path, .. } = &route;
            let target = Target::of(&app, &documents, &route).await;
            let before = app.test_stores.contents().await;
            let kept = documents.kept();
            assert!(!before.is_empty());
            for attempt in &target.attempts {
                let answer = target.try_with(&app, attempt, target.good_body.as_ref()).await;
                attempt.refusal.assert_is(&answer, &format!("{verb} {path}: {}", attempt.what));
                // A body that is no good changes nothing about that, where it is not even looked at; elsewhere it tells no more either.
                let other = target.try_with(&app, attempt, Some(&json!({"unknown": 1}))).await;
                if attempt.before_body {
                    assert_same(attempt.what, &other, &answer);
                }
            }
            let after = app.test_stores.contents().await;
            assert_eq!(after, before, "{verb} {path}: somebody who may not has written");
            assert_eq!(documents.kept(), kept, "{verb} {path}: a container of somebody who may not is kept");

            // Nothing else was wrong with all those requests; and were something written, it would show.
            let is_read = target.is_read();
            assert_eq!(target.allowed.send().await.status, target.success, "{verb} {path}");
            let changed = app.test_stores.contents().await != before;
            assert_eq!(changed, !is_read, "{verb} {path}: a change does not show, or a read is one");
            app.settled().await;
        }
    }

    async fn no_other_verb_does_anything(kind) {
        let app = Setup::new(kind).variable("ESOZ_HTTP__INSPECTOR", "true").start().await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let before = app.test_stores.contents().await;
        let (patient, dispense) = (stop.patient.uuid().to_string(), stop.dispense.id.to_string());
        let paths: BTreeSet<String> = esoz_http::served().into_iter().map(|(_, path)| path).collect();
        for pattern in paths {
            let verbs = verbs_of(&pattern);
            let id = if pattern.contains("{patient_id}") { &dispense } else { &update.record.id.to_string() };
            let path = pattern.replace("{patient_id}", &patient).replace("{id}", id);
            for other in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
                if verbs.iter().any(|verb| other.as_str() == verb) {
                    continue;
                }
                let allowed = verbs.join(", ").replace("GET", "GET, HEAD");
                let message = format!("Method is not allowed here. Allowed: {allowed}.");
                for token in [None, Some(&stop.token), Some(&update.token)] {
                    let request = app.request(other.clone(), &path).api_key(&update.api_key).json(&update.change());
                    let request = token.into_iter().fold(request, Request::token);
                    request.send().await.assert_error(405, "method_not_allowed", &message);
                }
            }
        }
        assert_eq!(app.test_stores.contents().await, before);
    }

    async fn what_anybody_may_use_writes_nothing(kind) {
        let app = Setup::new(kind).variable("ESOZ_HTTP__INSPECTOR", "true").start().await;
        StopFixture::load(&app).await;
        UpdateFixture::load(&app).await;
        let before = app.test_stores.contents().await;
        for (path, _) in ANYBODY {
            let mut answer = reqwest::get(format!("{}{path}", app.base())).await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            // A stream does not end.
            assert!(answer.chunk().await.unwrap().is_some_and(|chunk| !chunk.is_empty()), "{path}");
        }
        assert_eq!(app.test_stores.contents().await, before);
    }
}
