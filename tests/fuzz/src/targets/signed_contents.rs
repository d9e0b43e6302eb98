//! What a user signs to complete a dispense and to mark it in error: nothing is written that was not signed, and nothing else than what may change.

use std::cell::RefCell;
use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use esoz_kernel::Timestamp;
use serde_json::{Map, Value, json};

use super::Target;
use super::bodies::authorized;
use crate::json::has_twice;
use crate::secrecy::{CANARY, assert_keeps_quiet};
use crate::service::{Answer, DATA, DISPENSE, DISPENSE_TOKEN, DRFO, PATIENT, READ_TOKEN, Service};

/// See [`Target::about`].
pub(super) const COMPLETE: Target = Target {
    name: "complete_content",
    about: "what is signed to complete a dispense: what takes effect is what was signed, and nothing else changes",
    run: |data| run(data, &COMPLETION),
    seeds: || seeds(&COMPLETION),
};

/// See [`Target::about`].
pub(super) const MARK_IN_ERROR: Target = Target {
    name: "mark_in_error_content",
    about: "what is signed to mark a dispense in error: what takes effect is what was signed, and nothing else changes",
    run: |data| run(data, &MARK),
    seeds: || seeds(&MARK),
};

/// A change of a dispense by a signed document.
struct Action {
    name: &'static str,
    status: &'static str,
    /// The fields that the client sets.
    free: &'static [&'static str],
}

const COMPLETION: Action = Action {
    name: "complete",
    status: "completed",
    free: &["when_handed_over", "payment_amount", "payment_id", "note"],
};
const MARK: Action = Action {
    name: "mark_in_error",
    status: "entered_in_error",
    free: &["status_reason", "explanatory_letter"],
};

/// What must be signed, if it is stored.
const WANTED: [&str; 8] =
    ["id", "subject", "based_on", "program", "performer", "location", "performer_legal_entity", "details"];

/// What may be signed in any way.
const NOT_COMPARED: [&str; 8] = [
    "status",
    "inserted_at",
    "updated_at",
    "updated_by",
    "status_history",
    "signed_content_links",
    "context_episode_id",
    "origin_episode_id",
];

/// What each change changes.
const CHANGED: [&str; 5] = ["status", "updated_at", "updated_by", "status_history", "signed_content_links"];

thread_local! {
    // Never dropped: what it is made of must not outlive what the framework keeps for the thread.
    static SERVICE: &'static RefCell<Option<(Service, Value)>> = Box::leak(Box::default());
}

fn path() -> String {
    format!("/api/patients/{PATIENT}/device_dispenses/{DISPENSE}")
}

fn started() -> (Service, Value) {
    let service = Service::with_data();
    let shown = service.ask(authorized(TestRequest::get().uri(&path()), READ_TOKEN));
    assert_eq!(shown.status, 200);
    (service, data(&shown))
}

fn data(answer: &Answer) -> Value {
    let mut body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    body["data"].take()
}

fn run(content: &[u8], action: &Action) {
    let body = json!({"signed_data": BASE64_STANDARD.encode(content)}).to_string();
    let request = TestRequest::patch().uri(&format!("{}/actions/{}", path(), action.name));
    let request = authorized(request, DISPENSE_TOKEN)
        .insert_header(("content-type", "application/json"))
        .set_payload(body.clone());
    let (answer, before) = SERVICE.with(|service| {
        let service = &mut *service.borrow_mut();
        let (asked, shown) = service.get_or_insert_with(started);
        let answered = (asked.ask(request), shown.clone());
        if answered.0.status == 200 {
            *service = None;
        }
        answered
    });
    for secret in [PATIENT, DRFO] {
        assert!(!answer.log.contains(secret), "{}", answer.log);
    }
    assert_keeps_quiet(&answer.log);
    if answer.status != 200 {
        assert_keeps_quiet(&String::from_utf8_lossy(&answer.body));
    }
    if body.len() > 4_096 {
        return assert_eq!(answer.status, 413);
    }
    let text = str::from_utf8(content).ok().filter(|text| !has_twice(text));
    match text.map(serde_json::from_str::<Map<String, Value>>) {
        Some(Ok(signed)) => {
            assert!([200, 400, 409, 422].contains(&answer.status), "{}", answer.status);
            if answer.status == 200 {
                hold(&data(&answer), &before, &signed, action);
            }
        }
        // A number like 1e400 is told with its entry.
        _ => assert!([400, 422].contains(&answer.status), "{}", answer.status),
    }
}

/// Holds what is stored now against what was stored before and what was signed.
fn hold(after: &Value, before: &Value, signed: &Map<String, Value>, action: &Action) {
    let signed: Map<String, Value> = signed
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    assert_eq!(signed["status"], action.status);
    assert_eq!(after["status"], action.status);
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let names: BTreeSet<String> =
        fields(after).into_iter().chain(fields(before)).map(|(name, _)| name).collect();
    for name in names.iter().map(String::as_str).filter(|name| !CHANGED.contains(name)) {
        match signed.get(name).filter(|_| action.free.contains(&name)) {
            Some(value) => assert!(is_same(value, &after[name]), "{name} is not what was signed"),
            None => assert_eq!(after[name], before[name], "{name}"),
        }
    }
    for name in WANTED {
        assert!(before[name].is_null() || signed.contains_key(name), "{name} is not signed");
    }
    for (name, value) in signed.iter().filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str())) {
        let name = name.as_str();
        assert!(
            action.free.contains(&name) || is_same(value, &before[name]),
            "what was signed for {name} is not what is stored"
        );
    }
    let length = |value: &Value| value.as_array().map_or(0, Vec::len);
    for name in ["status_history", "signed_content_links"] {
        assert_eq!(length(&after[name]), length(&before[name]) + 1, "{name}");
    }
}

/// Whether they are the same to a reader: null is as absent, texts for people do not count, a time is an instant, and an id has no case.
fn is_same(signed: &Value, stored: &Value) -> bool {
    match (signed, stored) {
        (Value::Object(signed), Value::Object(stored)) => {
            let names: BTreeSet<&String> = signed.keys().chain(stored.keys()).collect();
            let of = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
            let mut compared =
                names.into_iter().filter(|name| !["display_value", "text"].contains(&name.as_str()));
            compared.all(|name| is_same(&of(signed, name), &of(stored, name)))
        }
        (Value::Array(signed), Value::Array(stored)) => {
            signed.len() == stored.len()
                && signed.iter().zip(stored).all(|(signed, stored)| is_same(signed, stored))
        }
        (Value::Number(signed), Value::Number(stored)) => signed.as_f64() == stored.as_f64(),
        (Value::String(signed), Value::String(stored)) => {
            let time = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
            signed.eq_ignore_ascii_case(stored) || time(signed).is_some_and(|at| time(stored) == Some(at))
        }
        _ => signed == stored,
    }
}

/// The dispense of the data set as it is shown, with the changes.
fn signed(action: &Action) -> Value {
    let lines = DATA.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut dispense =
        lines.map(|mut line| line["data"].take()).find(|data| data["id"] == DISPENSE).expect("there");
    let patient = json!({"type": {"coding": [{"system": "eHealth/resources", "code": "patient"}], "text": ""}, "value": PATIENT});
    dispense["subject"] = json!({"display_value": null, "identifier": patient});
    dispense["status"] = json!(action.status);
    dispense["payment_amount"] = if action.name == "complete" { json!(32.5) } else { Value::Null };
    for name in ["patient_id", "status_history", "inserted_at", "inserted_by", "updated_at", "updated_by"] {
        dispense.as_object_mut().expect("an object").remove(name);
    }
    dispense
}

fn seeds(action: &Action) -> Vec<Vec<u8>> {
    let with = |changes: Value| {
        let mut content = signed(action);
        for (name, value) in changes.as_object().cloned().unwrap_or_default() {
            content[name] = value;
        }
        content.to_string().into_bytes()
    };
    let reason = json!({"coding": [{"system": "device_dispense_mark_in_error_reasons", "code": "duplicate"}], "text": CANARY});
    vec![
        with(json!({"status_reason": if action.name == "complete" { Value::Null } else { reason.clone() }})),
        with(
            json!({"note": CANARY, "payment_id": CANARY, "explanatory_letter": CANARY, "status_reason": reason}),
        ),
        with(json!({"when_handed_over": "2026-01-31T09:00:00+02:00", "payment_amount": 0.005})),
        with(
            json!({"when_handed_over": CANARY, "payment_amount": -1, "note": 1, "status_reason": {"coding": [{"code": CANARY}]}}),
        ),
        with(json!({"id": CANARY, CANARY: CANARY, "details": null})),
        with(json!({"status": CANARY, "primary_source": false, "program": null})),
        br#"{"status":"completed","status":"entered_in_error"}"#.to_vec(),
        format!(r#"{{"payment_amount":1e999,"id":"{CANARY}"}}"#).into_bytes(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        CANARY.as_bytes().to_vec(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_the_first_example_then_the_dispense_is_changed() {
        for action in [COMPLETION, MARK] {
            run(&seeds(&action)[0], &action);
            assert!(SERVICE.with(|service| service.borrow().is_none()), "{}", action.name);
        }
    }
}
