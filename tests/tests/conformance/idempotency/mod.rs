//! Requests that are marked by `X-Idempotency-Key` and sent again (docs/adr/0012), over HTTP, on every store.

mod expiry;
mod header;
mod stop;
mod update;

use esoz_tests::{Answer, Request, StopFixture, TestApp, UpdateFixture};
use serde_json::{Value, json};

const KEY: &str = "x-idempotency-key";

pub(crate) const AT_ONCE: usize = 16;

/// The request, marked.
pub(crate) fn marked(request: Request, key: &str) -> Request {
    request.header(KEY, key)
}

async fn stop(app: &TestApp, fixture: &StopFixture, key: &str) -> Answer {
    marked(fixture.request(app), key).send().await
}

async fn put(app: &TestApp, fixture: &UpdateFixture, key: &str, body: &Value) -> Answer {
    marked(fixture.request(app), key).json(body).send().await
}

#[track_caller]
pub(crate) fn assert_data(answer: &Answer, key: &str, data: &Value) {
    assert_eq!((answer.status.as_u16(), &answer.body["data"]), (200, data), "{:#}", answer.body);
    assert_eq!(answer.body["meta"]["idempotency_key"], key);
}

#[track_caller]
pub(crate) fn assert_error(answer: &Answer, code: u16, error: &Value) {
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (code, error), "{:#}", answer.body);
}

#[track_caller]
pub(crate) fn assert_conflict(answer: &Answer, message: &str) {
    assert_error(answer, 409, &json!({"type": "request_conflict", "message": message}));
}

pub(crate) const REUSED: &str = "The idempotency key was used for another request";
