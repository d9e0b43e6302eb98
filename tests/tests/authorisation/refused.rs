//! Each row of the table, tried with everything that must not do.

use std::collections::BTreeMap;

use esoz_tests::{Answer, Request, StopFixture, TestApp, UpdateFixture, on_every_store};
use reqwest::Method;
use serde_json::{Value, json};

use crate::attempts::Attempt;
use crate::table::{Access, TABLE};
use crate::{stop, update};

/// A protected route, with something there that whoever may could change.
struct Target {
    verb: Method,
    /// What the method takes.
    good_body: Option<Value>,
    /// How its owner asks.
    allowed: Request,
    attempts: Vec<Attempt>,
}

impl Target {
    async fn of(app: &TestApp, verb: &str, access: Access) -> Option<Self> {
        let verb = verb.parse().unwrap();
        match access {
            Access::Anybody(_) => None,
            Access::Stop => {
                let fixture = StopFixture::load(app).await;
                let attempts = stop::attempts(app, &fixture).await;
                Some(Self { verb, good_body: None, allowed: fixture.request(app), attempts })
            }
            Access::Update => {
                let fixture = UpdateFixture::load(app).await;
                let attempts = update::attempts(app, &fixture).await;
                let allowed = fixture.request(app).json(&fixture.change());
                Some(Self { verb, good_body: Some(fixture.change()), allowed, attempts })
            }
        }
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
        let app = TestApp::new(kind).await;
        for (verb, path, access) in TABLE {
            let Some(target) = Target::of(&app, verb, access).await else { continue };
            let before = app.test_stores.contents().await;
            assert!(!before.is_empty());
            for attempt in &target.attempts {
                let answer = target.try_with(&app, attempt, target.good_body.as_ref()).await;
                let (code, kind, message) = attempt.refusal;
                assert_eq!(answer.status, code, "{verb} {path}: {}", attempt.what);
                answer.assert_error(code, kind, message);
                // A body that is no good changes nothing about that, where it is not even looked at; elsewhere it tells no more either.
                let other = target.try_with(&app, attempt, Some(&json!({"unknown": 1}))).await;
                if attempt.before_body {
                    assert_same(attempt.what, &other, &answer);
                }
            }
            let after = app.test_stores.contents().await;
            assert_eq!(after, before, "{verb} {path}: somebody who may not has written");

            // Nothing else was wrong with all those requests; and were something written, it would show.
            assert_eq!(target.allowed.send().await.status, 200, "{verb} {path}");
            assert_ne!(app.test_stores.contents().await, before, "{verb} {path}: a change does not show");
        }
    }

    async fn no_other_verb_does_anything(kind) {
        let app = TestApp::new(kind).await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let before = app.test_stores.contents().await;
        for (verb, path, access) in TABLE {
            let path = match access {
                Access::Anybody(_) => path.to_owned(),
                Access::Stop => stop.path(),
                Access::Update => update.path(),
            };
            for other in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
                if other.as_str() == verb {
                    continue;
                }
                let allowed = if verb == "GET" { "GET, HEAD" } else { verb };
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
        let app = TestApp::new(kind).await;
        StopFixture::load(&app).await;
        UpdateFixture::load(&app).await;
        let before = app.test_stores.contents().await;
        for (verb, path, access) in TABLE {
            if let Access::Anybody(_) = access {
                let url = format!("{}{path}", app.base());
                let answer = reqwest::Client::new().request(verb.parse().unwrap(), url).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{verb} {path}");
                assert!(!answer.bytes().await.unwrap().is_empty());
            }
        }
        assert_eq!(app.test_stores.contents().await, before);
    }
}
