//! Bodies that are flat: which faults are told, all of them and no others.

use std::cell::RefCell;

use actix_web::test::TestRequest;
use serde_json::Value;

use super::{Target, seeds};
use crate::json::{Members, is_uuid};
use crate::secrecy::assert_keeps_quiet;
use crate::service::{
    API_KEY, Answer, CONTRACT_DIVISION, DISPENSE, DISPENSE_TOKEN, PATIENT, STOP_TOKEN, Service, UPDATE_TOKEN,
};

/// See [`Target::about`].
pub(super) const STOP_BODY: Target = Target {
    name: "stop_body",
    about: "the body of a stop: nothing, or an object with nothing in it",
    run: |data| run(data, &STOP),
    seeds: || {
        seeds([
            "",
            "{}",
            " {} ",
            r#"{"canary-7f3a":1}"#,
            r#"{"a":{},"a":[null]}"#,
            "[]",
            "\"canary-7f3a\"",
            "{",
        ])
    },
};

/// See [`Target::about`].
pub(super) const SIGNED_BODY: Target = Target {
    name: "signed_body",
    about: "the body of a signed document: every fault of it, by a model",
    run: |data| run(data, &SIGNED),
    seeds: || {
        seeds([
            r#"{"signed_data":"Y2FuYXJ5LTdmM2E="}"#,
            r#"{"signed_data":"e30="}"#,
            r#"{"signed_data":""}"#,
            r#"{"signed_data":"canary-7f3a"}"#,
            r#"{"signed_data":"e30","canary-7f3a":"canary-7f3a"}"#,
            r#"{"signed_data":null}"#,
            r#"{"signed_data":"e30=","signed_data":["canary-7f3a"]}"#,
            "[]",
            "{}",
            "canary-7f3a",
        ])
    },
};

/// See [`Target::about`].
pub(super) const UPDATE_BODY: Target = Target {
    name: "update_body",
    about: "the body of an update: every fault of it, by a model",
    run: |data| run(data, &UPDATE),
    seeds: || {
        seeds([
            r#"{"division_id":"b2651e27-c083-41a6-9ebf-72e35091cf66","contract_id":"e598415a-f3b6-44d9-81e2-a516832cf299"}"#,
            r#"{"division_id":"B2651E27-C083-41A6-9EBF-72E35091CF66","contract_id":null,"more":[{}]}"#,
            r#"{"division_id":"canary-7f3a","contract_id":17,"canary-7f3a":"canary-7f3a"}"#,
            r#"{"division_id":"a","division_id":"b"}"#,
            r#"{"division\u005fid":{"a":1e999},"\ud800":"\u0000"}"#,
            r#"[{"division_id":""}]"#,
            "{}",
            "canary-7f3a",
        ])
    },
};

/// A method that takes a flat body.
struct Method {
    request: fn(&[u8]) -> TestRequest,
    required: &'static [&'static str],
    /// Whether a text is in the format of the required properties.
    is_right: fn(&str) -> bool,
    /// Whether that is looked at with the rest; else last.
    format_with_rest: bool,
    max_bytes: usize,
}

const STOP: Method =
    Method { request: stop, required: &[], is_right: is_uuid, format_with_rest: true, max_bytes: 2_048 };
const UPDATE: Method = Method { request: update, required: &["contract_id", "division_id"], ..STOP };
const SIGNED: Method = Method {
    request: complete,
    required: &["signed_data"],
    is_right: is_base64,
    format_with_rest: false,
    max_bytes: 4_096,
};

/// Whether it is base64 with its padding, told character by character.
fn is_base64(text: &str) -> bool {
    let (digits, padding) = (text.trim_end_matches('='), text.len() - text.trim_end_matches('=').len());
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    // What of the last digit belongs to no byte is zero.
    let is_whole = |last: u8| match digits.len() % 4 {
        0 => padding == 0,
        2 => padding == 2 && last.trailing_zeros() >= 4,
        3 => padding == 1 && last.trailing_zeros() >= 2,
        _ => false,
    };
    let values: Option<Vec<u8>> = digits.bytes().map(value).collect();
    values.is_some_and(|values| is_whole(values.last().copied().unwrap_or_default()))
}

fn stop(body: &[u8]) -> TestRequest {
    let path = format!("/api/patients/{PATIENT}/device_dispenses/{DISPENSE}/actions/stop");
    authorized(TestRequest::patch().uri(&path), STOP_TOKEN).set_payload(body.to_vec())
}

fn update(body: &[u8]) -> TestRequest {
    let path = format!("/api/admin/contract_divisions/{CONTRACT_DIVISION}");
    authorized(TestRequest::put().uri(&path), UPDATE_TOKEN)
        .insert_header(("api-key", API_KEY))
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_vec())
}

fn complete(body: &[u8]) -> TestRequest {
    let path = format!("/api/patients/{PATIENT}/device_dispenses/{DISPENSE}/actions/complete");
    authorized(TestRequest::patch().uri(&path), DISPENSE_TOKEN)
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_vec())
}

pub(super) fn authorized(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header(("authorization", format!("Bearer {token}")))
}

thread_local! {
    // Never dropped: what it is made of must not outlive what the framework keeps for the thread.
    static SERVICE: &'static RefCell<Option<Service>> = Box::leak(Box::default());
}

fn run(body: &[u8], method: &Method) {
    let answer = SERVICE.with(|service| {
        let service = &mut *service.borrow_mut();
        let answer = service.get_or_insert_with(Service::with_data).ask((method.request)(body));
        if answer.status == 200 {
            *service = None;
        }
        answer
    });
    assert_keeps_quiet(&answer.log);
    let expected = if body.len() > method.max_bytes {
        Expected::Refused(413)
    } else if body.is_empty() && method.required.is_empty() {
        Expected::Taken
    } else {
        expected(body, method)
    };
    match expected {
        // A document may be refused for its content.
        Expected::Taken => assert!([200, 400, 404, 409, 422].contains(&answer.status), "{}", answer.status),
        Expected::Refused(status) => assert_eq!(answer.status, status),
        Expected::Faults(faults) => assert_eq!((answer.status, told(&answer)), (422, faults)),
    }
    if answer.status != 200 {
        assert_keeps_quiet(&String::from_utf8_lossy(&answer.body));
    }
}

enum Expected {
    Taken,
    Refused(u16),
    /// Where and which rule, in order.
    Faults(Vec<(String, String)>),
}

/// What a body must be answered: JSON, an object, each required property once and in its format, and no other.
fn expected(body: &[u8], method: &Method) -> Expected {
    let required = method.required;
    let fault = |entry: &str, rule: &str| (entry.to_owned(), rule.to_owned());
    let is_json =
        str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    if is_json && !body.trim_ascii_start().starts_with(b"{") {
        return Expected::Faults(vec![fault("$", "schema")]);
    }
    let Ok(members) = serde_json::from_slice::<Members>(body) else { return Expected::Refused(400) };
    let mut faults = Vec::new();
    for name in required {
        match members.of(name).as_slice() {
            [] => faults.push(fault(&format!("$.{name}"), "required")),
            [Value::String(text)] if (method.is_right)(text) => {}
            [Value::String(_)] => faults.push(fault(&format!("$.{name}"), "format")),
            [_] => faults.push(fault(&format!("$.{name}"), "cast")),
            _ => return Expected::Refused(400),
        }
    }
    let mut others: Vec<&str> = members.0.iter().map(|(name, _)| name.as_str()).collect();
    others.sort_unstable();
    others.dedup();
    for name in others.into_iter().filter(|name| !required.contains(name)) {
        let is_plain = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        faults.push(fault(&if is_plain { format!("$.{name}") } else { "$".to_owned() }, "schema"));
    }
    if !method.format_with_rest && faults.len() > 1 {
        faults.retain(|(_, rule)| rule != "format");
    }
    faults.sort();
    if faults.is_empty() { Expected::Taken } else { Expected::Faults(faults) }
}

/// The faults that an answer tells, where they are told in the order of their places.
fn told(answer: &Answer) -> Vec<(String, String)> {
    let told = told_in_any_order(answer);
    assert!(told.is_sorted_by_key(|(entry, _)| entry), "in order: {told:?}");
    let mut faults = told;
    faults.sort();
    faults
}

/// The faults that an answer tells.
pub(super) fn told_in_any_order(answer: &Answer) -> Vec<(String, String)> {
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let entries = body["error"]["invalid"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fault = |entry: &Value| {
        assert_eq!(entry["entry_type"], "json_data_property");
        assert_eq!(entry["rules"].as_array().map(Vec::len), Some(1));
        (text(&entry["entry"]), text(&entry["rules"][0]["rule"]))
    };
    entries.iter().map(fault).collect()
}
