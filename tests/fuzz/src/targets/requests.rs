//! Whole requests: a head, an empty line, a body.

use std::cell::RefCell;

use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use esoz_kernel::{IdempotencyKey, RequestId};
use serde_json::Value;

use super::Target;
use crate::secrecy::{CANARY, assert_keeps_quiet};
use crate::service::{
    API_KEY, Answer, CONTRACT_DIVISION, DISPENSE, NEW_CONTRACT, NEW_DIVISION, PATIENT, STOP_TOKEN, Service,
    UPDATE_TOKEN,
};

/// See [`Target::about`].
pub(super) const REQUEST: Target = Target {
    name: "request",
    about: "a whole request: path with its ids, headers, body; the envelope, what is echoed, what is told and logged",
    run,
    seeds,
};

const CONTRACT_DIVISIONS: &str = "/api/admin/contract_divisions";

/// What a request may be answered that is not the server's own fault.
const STATUSES: [u16; 12] = [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422];

/// What the limit on headers answers.
const HEADERS_TOO_LARGE: u16 = 431;

thread_local! {
    // Never dropped: what it is made of must not outlive what the framework keeps for the thread.
    static SERVICE: &'static RefCell<Option<Service>> = Box::leak(Box::default());
}

fn run(data: &[u8]) {
    let Some(asked) = Asked::read(data) else { return };
    let answer = SERVICE.with(|service| {
        let service = &mut *service.borrow_mut();
        let answer = service.get_or_insert_with(Service::with_data).ask(asked.request());
        if is_success(answer.status) && asked.method != Method::GET {
            // Something has changed: the next request finds everything as it was, so that an input always does the same.
            *service = None;
        }
        answer
    });
    asked.hold_against(&answer);
}

/// What is asked.
struct Asked {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Asked {
    /// Reads it; `None` when no HTTP library would hand it on.
    fn read(data: &[u8]) -> Option<Self> {
        let end = data.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((data, &data[data.len()..]), |end| (&data[..end], &data[end + 2..]));
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, path) = str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        // A test request panics where a server has refused already.
        path.parse::<actix_web::http::Uri>().ok().filter(|uri| uri.path().starts_with('/'))?;
        let header = |line: &[u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            Some((name, value))
        };
        Some(Self {
            method: method.parse().ok()?,
            path: path.to_owned(),
            headers: lines.filter_map(header).collect(),
            body: body.to_vec(),
        })
    }

    fn request(&self) -> TestRequest {
        let request = TestRequest::with_uri(&self.path).method(self.method.clone());
        let request =
            self.headers.iter().fold(request, |request, header| request.append_header(header.clone()));
        request.set_payload(self.body.clone())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HeaderValue> {
        self.headers.iter().filter(move |(found, _)| found == name).map(|(_, value)| value)
    }

    fn hold_against(&self, answer: &Answer) {
        let Answer { status, log, .. } = answer;
        assert!(STATUSES.contains(status) || *status == HEADERS_TOO_LARGE, "{status}");
        let request_id = self.hold_request_id_against(answer);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("content-security-policy").is_some());
        if answer.header("content-type") == Some("application/json") && !is_document(&self.path, *status) {
            self.hold_envelope_against(answer, request_id);
        }
        self.hold_authority_against(answer);
        assert_eq!(log.lines().filter(|line| line.contains("\"request\"")).count(), 1, "one line: {log}");
        if !request_id.contains(CANARY) {
            assert_keeps_quiet(log);
        }
        assert!(!log.contains(PATIENT) || request_id.contains(PATIENT), "{log}");
    }

    /// The request's own id comes back if it is one, else a fresh one.
    fn hold_request_id_against<'a>(&self, answer: &'a Answer) -> &'a str {
        let told = answer.header("x-request-id").expect("every answer has its request id");
        assert!(RequestId::parse(told).is_some(), "{told:?}");
        let given = self.all("x-request-id").next();
        let is_one = |value: &&HeaderValue| {
            (20..=200).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        match given.filter(is_one) {
            Some(given) => assert_eq!(given, told),
            None => assert!(told.starts_with("00000000-0000-0000-0000-"), "{told:?} is no fresh id"),
        }
        told
    }

    fn hold_envelope_against(&self, answer: &Answer, request_id: &str) {
        let mut body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let meta = body["meta"].take();
        assert_eq!(meta["code"], answer.status);
        assert_eq!(meta["type"], "object");
        assert_eq!(meta["request_id"], request_id);
        let keys: Vec<&HeaderValue> = self.all("x-idempotency-key").collect();
        let is_one = |value: &HeaderValue| {
            (1..=IdempotencyKey::MAX_CHARS).contains(&value.len())
                && value.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        match keys.as_slice() {
            [key] if is_one(key) => assert_eq!(meta["idempotency_key"], key.to_str().expect("ASCII")),
            _ => assert!(meta.get("idempotency_key").is_none(), "{meta}"),
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let (data, error) = (body.get("data").is_some(), body.get("error").is_some());
        assert_eq!((data, error), (is_success(answer.status), !is_success(answer.status)), "{body}");
        // `meta` repeats what was asked; nothing else does.
        assert_keeps_quiet(&body.to_string());
    }

    /// Nobody gets in without what opens the door.
    fn hold_authority_against(&self, answer: &Answer) {
        let is_write = matches!(self.method, Method::PATCH | Method::POST | Method::PUT | Method::DELETE);
        if !(is_write && is_success(answer.status)) {
            return;
        }
        let presents = |name: &str, secret: &str| {
            let value = self.all(name).next();
            value.is_some_and(|value| value.as_bytes().ends_with(secret.as_bytes()))
        };
        let may = match self.method {
            Method::PATCH => presents("authorization", STOP_TOKEN),
            _ => presents("authorization", UPDATE_TOKEN) && presents("api-key", API_KEY),
        };
        assert!(may, "let in without a token");
    }
}

/// Whether something was done, which data tells of.
fn is_success(status: u16) -> bool {
    matches!(status, 200 | 201)
}

/// Whether that answer is a document of its own, without the envelope.
fn is_document(path: &str, status: u16) -> bool {
    status == 200 && path.starts_with("/openapi.json")
}

fn seeds() -> Vec<Vec<u8>> {
    let stop = format!("/api/patients/{PATIENT}/device_dispenses/{DISPENSE}/actions/stop");
    let update = format!("{CONTRACT_DIVISIONS}/{CONTRACT_DIVISION}");
    let body = format!(r#"{{"division_id":"{NEW_DIVISION}","contract_id":"{NEW_CONTRACT}"}}"#);
    let stopping = format!("PATCH {stop}\nHost: esoz.example\nAuthorization: Bearer {STOP_TOKEN}");
    let updating = format!(
        "PUT {update}\nAuthorization: Bearer {UPDATE_TOKEN}\nApi-Key: {API_KEY}\nContent-Type: application/json"
    );
    let json = "Content-Type: application/json";
    let creating = format!(
        "POST {CONTRACT_DIVISIONS}\nAuthorization: Bearer {UPDATE_TOKEN}\nApi-Key: {API_KEY}\n{json}"
    );
    let deleting = format!("DELETE {update}\nAuthorization: Bearer {UPDATE_TOKEN}\nApi-Key: {API_KEY}");
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    [
        format!("{stopping}\n\n"),
        format!("{stopping}\n\n{{}}"),
        format!("{stopping}\n\n{{\"{CANARY}\":\"{CANARY}\"}}"),
        format!(
            "{stopping}\nX-Request-ID: 0192a4f0-6c1e-7b34-9d2f-5e8a7c6041bb\nX-Idempotency-Key: {CANARY}\n\n"
        ),
        format!(
            "{stopping}\nTraceparent: {traceparent}\nTracestate: a={CANARY}\nOrigin: https://mis.example\n\n"
        ),
        format!("{updating}\n\n{body}"),
        format!("{updating}\nX-Idempotency-Key: {CANARY}\nX-Idempotency-Key: two\n\n{body}"),
        format!("{updating}; charset=utf-8\n\n{{\"division_id\":\"{CANARY}\"}}"),
        format!("{creating}\nX-Idempotency-Key: {CANARY}\n\n{body}"),
        format!("{creating}\n\n{{\"division_id\":\"{CANARY}\"}}"),
        format!("{deleting}\n\n"),
        format!("{deleting}\n\n{{\"{CANARY}\":\"{CANARY}\"}}"),
        format!("PUT {update}?a={CANARY}\nApi-Key: {API_KEY}\n\n{body}"),
        format!("PATCH {stop}\nAuthorization: Bearer {UPDATE_TOKEN}\n\n"),
        format!("OPTIONS {stop}\nOrigin: https://mis.example\nAccess-Control-Request-Method: PATCH\n\n"),
        String::from("GET /health/live\nAccept: */*\n\n"),
        String::from("GET /health/ready\n\n"),
        String::from("GET /openapi.json\nX-Request-ID: short\n\n"),
        String::from("GET /docs\nAccept-Encoding: gzip\n\n"),
        format!("POST /api/patients/%2e%2e/{CANARY}\n\n"),
    ]
    .map(String::into_bytes)
    .into()
}
