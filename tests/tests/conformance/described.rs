//! C06: every answer is valid against the published description. `Request::send` holds every answer of every case against it; here is
//! shown that it would notice.

use std::io::Read as _;

use esoz_tests::{Answer, PUBLISHED, StopFixture, TestApp, UpdateFixture, on_every_store};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The answer to whatever is sent, read off the connection.
fn answer_to(app: &TestApp, method: Method, sent: &str) -> Answer {
    let mut stream = crate::tcp::connect(app, sent);
    let mut received = String::new();
    stream.read_to_string(&mut received).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
    let url = format!("{}/", app.base());
    Answer { method, status, headers: headers.collect(), body: serde_json::from_str(body).unwrap(), url }
}

type Tampering = (&'static str, fn(&mut Answer));

/// What no answer may be, whatever it answers.
const OF_ANY: [Tampering; 9] = [
    ("a status that is not described", |answer| answer.status = StatusCode::IM_A_TEAPOT),
    ("another status than meta says", |answer| answer.body["meta"]["code"] = json!(299)),
    ("no meta", |answer| remove(&mut answer.body, "meta")),
    ("no request id", |answer| remove(&mut answer.body["meta"], "request_id")),
    ("a request id of another type", |answer| answer.body["meta"]["request_id"] = json!(1)),
    ("a property more", |answer| answer.body["more"] = json!(1)),
    ("a property more in meta", |answer| answer.body["meta"]["more"] = json!(1)),
    ("no X-Request-ID", |answer| drop(answer.headers.remove("x-request-id"))),
    ("no body", |answer| answer.body = Value::Null),
];

const OF_DESCRIBED: [Tampering; 1] = [("another content type", |answer| {
    answer.headers.insert("content-type", HeaderValue::from_static("text/plain"));
})];

const OF_REFUSALS: [Tampering; 5] = [
    ("another type", |answer| answer.body["error"]["type"] = json!("another")),
    ("no message", |answer| remove(&mut answer.body["error"], "message")),
    ("a message of another type", |answer| answer.body["error"]["message"] = json!(["text"])),
    ("an empty invalid entry", |answer| answer.body["error"]["invalid"] = json!([{}])),
    ("data as well", |answer| answer.body["data"] = json!({})),
];

const OF_STOPPED: [Tampering; 9] = [
    ("no status", |answer| remove(&mut answer.body["data"], "status")),
    ("a status outside the model", |answer| answer.body["data"]["status"] = json!("halted")),
    ("a property more", |answer| answer.body["data"]["not_ours"] = json!(1)),
    ("a pseudonym as subject", |answer| answer.body["data"]["subject"] = json!("F648B223")),
    ("an id that is none", |answer| answer.body["data"]["id"] = json!("1")),
    ("a time in microseconds", |answer| {
        answer.body["data"]["updated_at"] = json!("2026-01-31T08:16:30.123456Z");
    }),
    ("a reference without its value", |answer| {
        remove(&mut answer.body["data"]["based_on"]["identifier"], "value");
    }),
    ("details of another type", |answer| answer.body["data"]["details"] = json!({})),
    ("an error as well", |answer| answer.body["error"] = json!({"type": "x", "message": "y"})),
];

const OF_UPDATED: [Tampering; 4] = [
    ("one field less", |answer| remove(&mut answer.body["data"], "inserted_by")),
    ("one field more", |answer| answer.body["data"]["contract"] = json!({})),
    ("is_active of another type", |answer| answer.body["data"]["is_active"] = json!("true")),
    ("a time in milliseconds", |answer| {
        answer.body["data"]["updated_at"] = json!("2026-01-31T08:16:30.123Z");
    }),
];

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name).unwrap();
}

/// The answer is as described, and no longer after any of these.
#[track_caller]
fn assert_held<'a>(answer: &Answer, tamperings: impl IntoIterator<Item = &'a Tampering>) {
    assert_eq!(PUBLISHED.check(answer), Ok(()));
    for (what, tamper) in tamperings {
        let mut tampered = answer.clone();
        tamper(&mut tampered);
        assert!(PUBLISHED.check(&tampered).is_err(), "{what} is not noticed in {:#}", tampered.body);
    }
}

on_every_store! {
    async fn what_stands_in_no_uri_is_answered_as_published_too(kind) {
        let app = TestApp::new(kind).await;
        for (path, host, url) in [
            ("/%", "esoz.example", "http://esoz.example/%25"),
            ("/%zz{a}|\"^\\", "[::1]:80", "http://[::1]:80/%25zz%7Ba%7D%7C%22%5E%5C"),
            ("/a", "user@host", "/a"),
            ("/a", "a b", "/a"),
            ("/a", "a/b?c#d", "/a"),
        ] {
            let sent = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = answer_to(&app, Method::GET, &sent);
            assert_eq!(PUBLISHED.check(&answer), Ok(()), "{sent}");
            let told = answer.body["meta"]["url"].as_str().unwrap();
            assert!(told.ends_with(url) && !told.contains([' ', '@', '?']), "{told}");
        }
    }

    async fn c06_every_answer_is_described(kind) {
        let app = TestApp::new(kind).await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let any = || OF_ANY.iter().chain(&OF_DESCRIBED);

        let stopped = stop.stop(&app).await;
        assert_eq!(stopped.status, 200);
        assert_held(&stopped, any().chain(&OF_STOPPED));
        let updated = update.update(&app).await;
        assert_eq!(updated.status, 200);
        assert_held(&updated, any().chain(&OF_UPDATED));
        // An answer of one method is none of the other.
        assert!(PUBLISHED.check(&Answer { body: updated.body, ..stopped.clone() }).is_err());

        let refusals = [
            (401, app.patch(&stop.path()).send().await),
            (409, stop.stop(&app).await),
            (422, stop.request(&app).json(&json!({"a": 1})).send().await),
            (401, app.put(&update.path()).send().await),
            (415, update.request(&app).send().await),
            (422, update.put(&app, &json!({})).await),
        ];
        for (status, refusal) in refusals {
            assert_eq!(refusal.status, status);
            assert_held(&refusal, any().chain(&OF_REFUSALS));
        }
        let wrong_verb = app.request(Method::DELETE, &stop.path()).send().await;
        assert_eq!(wrong_verb.status, 405);
        let no_allow: Tampering = ("no Allow", |answer| drop(answer.headers.remove("allow")));
        assert_held(&wrong_verb, any().chain(&OF_REFUSALS).chain([&no_allow]));
    }

    async fn c06_at_an_undescribed_path_only_a_refusal_will_do(kind) {
        let app = TestApp::new(kind).await;
        let answer = app.patch("/nothing").send().await;
        assert_eq!(answer.status, 404);
        let success: [Tampering; 2] = [
            ("a success", |answer| answer.status = StatusCode::OK),
            ("data", |answer| {
                remove(&mut answer.body, "error");
                answer.body["data"] = json!({});
            }),
        ];
        // Which status belongs there nothing says.
        assert_held(&answer, OF_ANY.iter().skip(2).chain(OF_REFUSALS.iter().skip(1)).chain(&success));
    }
}
