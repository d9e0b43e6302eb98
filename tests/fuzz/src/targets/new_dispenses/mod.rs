//! The body of a create of a device dispense: which faults are told, all of them and no others, by a model of the specification's table.

mod model;

use std::cell::RefCell;
use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use serde_json::{Map, Value, json};

use self::model::faults;
use super::Target;
use super::bodies::{authorized, told_in_any_order};
use crate::json::has_twice;
use crate::secrecy::{CANARY, assert_keeps_quiet};
use crate::service::{DEVICE_DEFINITION, DISPENSE_TOKEN, PATIENT, PHARMACY, Service};

/// See [`Target::about`].
pub(super) const CREATE_BODY: Target = Target {
    name: "create_body",
    about: "the body of a create of a device dispense: every fault of it, by a model",
    run,
    seeds,
};

/// The longest body that the service takes, in bytes.
const MAX_BYTES: usize = 4_096;

thread_local! {
    // Never dropped: what it is made of must not outlive what the framework keeps for the thread.
    static SERVICE: &'static RefCell<Option<Service>> = Box::leak(Box::default());
}

fn run(body: &[u8]) {
    let path = format!("/api/patients/{PATIENT}/device_dispenses");
    let request = authorized(TestRequest::post().uri(&path), DISPENSE_TOKEN)
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_vec());
    let answer = SERVICE.with(|service| {
        let service = &mut *service.borrow_mut();
        let answer = service.get_or_insert_with(Service::with_data).ask(request);
        if answer.status == 201 {
            *service = None;
        }
        answer
    });
    assert_keeps_quiet(&answer.log);
    assert!(!answer.log.contains(PATIENT), "{}", answer.log);
    let Some(fields) = read(body) else {
        let expected: &[u16] = if body.len() > MAX_BYTES { &[413] } else { &[400] };
        return assert!(expected.contains(&answer.status), "{}", answer.status);
    };
    let Value::Object(fields) = fields else {
        return assert_eq!(
            (answer.status, told_in_any_order(&answer)),
            (422, vec![("$".to_owned(), "schema".to_owned())])
        );
    };
    if answer.status != 201 {
        assert_keeps_quiet(&String::from_utf8_lossy(&answer.body));
    }
    if has_long_number(body) {
        // Which of these numbers can be read and kept is a question of its own.
        return assert!([201, 400, 409, 422].contains(&answer.status), "{}", answer.status);
    }
    let faults = faults(&fields);
    if faults.is_empty() {
        assert!([201, 409, 422].contains(&answer.status), "{}", answer.status);
    } else {
        assert_eq!(answer.status, 422);
        assert_eq!(told_in_any_order(&answer).into_iter().collect::<BTreeSet<_>>(), faults);
    }
    if answer.status == 201 {
        recorded(&answer.body, &fields);
    }
}

/// The JSON of a body; `None` when it is none, too long, or has a member twice.
fn read(body: &[u8]) -> Option<Value> {
    let text = str::from_utf8(body).ok().filter(|text| text.len() <= MAX_BYTES)?;
    // A number that no reader of JSON holds is one of the long ones; any value stands for it.
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let read = || serde_json::from_str(text).ok().or_else(|| has_long_number(body).then(|| json!({})));
    (is_json && !has_twice(text)).then(read).flatten()
}

/// Whether it may hold a number, outside its texts, that a double would round, or one with an exponent.
fn has_long_number(body: &[u8]) -> bool {
    let (mut is_text, mut is_escaped) = (false, false);
    let outside: Vec<u8> = (body.iter())
        .map(|byte| {
            let was_text = is_text;
            is_text ^= *byte == b'"' && !is_escaped;
            is_escaped = was_text && *byte == b'\\' && !is_escaped;
            if was_text { b'"' } else { *byte }
        })
        .collect();
    let is_part = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
    let mut numbers = outside.split(|byte| !is_part(byte));
    numbers.any(|number| {
        let is_number = number.iter().any(u8::is_ascii_digit);
        is_number && (number.len() > 15 || number.iter().any(|byte| b"eE".contains(byte)))
    })
}

/// What was recorded is what was asked for.
fn recorded(body: &[u8], asked: &Map<String, Value>) {
    let answer: Value = serde_json::from_slice(body).expect("JSON");
    let data = &answer["data"];
    let lower = |value: &Value| value.as_str().map(str::to_ascii_lowercase);
    assert_eq!(lower(&data["id"]), lower(&asked["id"]));
    assert_eq!(data["status"], "in_progress");
    assert_eq!(data["details"].as_array().map(Vec::len), asked["details"].as_array().map(Vec::len));
    assert_eq!(data["performer_legal_entity"]["identifier"]["value"], PHARMACY);
    if let Some(note) = asked.get("note") {
        assert_eq!(data["note"], *note);
    }
    assert!(data.get("verification_code").is_none());
}

fn seeds() -> Vec<Vec<u8>> {
    let reference = |code: &str, id: &str| json!({"identifier": {"type": {"coding": [{"system": "eHealth/resources", "code": code}]}, "value": id}});
    let quantity = json!({"value": 2, "system": "device_unit", "code": "piece"});
    let by_device = json!({"device": reference("device_definition", DEVICE_DEFINITION), "quantity": quantity, "sell_price": 412.5, "discount_amount": 380});
    let by_code = json!({"device_code": {"coding": [{"system": "device_definition_classification_type", "code": "30221"}], "text": CANARY}, "quantity": quantity, "sell_price": 1.05, "discount_amount": 0});
    let body = json!({
        "id": "a3b0c442-98fc-4c14-9afb-f4c8996fb924",
        "status": "in_progress",
        "performer": reference("employee", "7b21dae3-8c4f-4d62-9a7b-3eaf1c5d8b22"),
        "location": reference("division", "8c32ebf4-9d50-4e73-8b8c-4fb02d6e9c33"),
        "based_on": reference("device_request", "6a10c9d2-7b3e-4c51-8f6a-2d9e0b4c7a11"),
        "program": reference("medical_program", "9d43fc05-ae61-4f84-9c9d-50c13e7fad44"),
        "details": [by_device],
    });
    let with = |changes: Value| {
        let mut body = body.clone();
        for (name, value) in changes.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body.to_string().into_bytes()
    };
    vec![
        with(json!({})),
        with(
            json!({"details": [by_code], "note": CANARY, "primary_source": false, "when_handed_over": "2026-01-30T09:00:00+02:00", "verification_code": "0420"}),
        ),
        with(json!({"details": [by_device, by_code]})),
        with(
            json!({"details": [{"device": CANARY, "device_code": null, "quantity": {"value": 0, "unit": CANARY}}, 1]}),
        ),
        with(json!({"details": [], "status": CANARY, "id": CANARY, "verification_code": CANARY})),
        with(
            json!({"performer": reference("division", CANARY), "location": null, "when_handed_over": "2026-01-30", CANARY: CANARY}),
        ),
        with(
            json!({"details": [{"device": reference("device_definition", "A3B0C442-98FC-4C14-9AFB-F4C8996FB924"), "quantity": {"value": 1.0005, "system": "device_unit", "code": CANARY}, "sell_price": -0.01, "discount_amount": 0.005}]}),
        ),
        b"{}".to_vec(),
        b"[]".to_vec(),
        format!(r#"{{"id":"{CANARY}","id":1e999,"details":[{{"quantity":{{"value":1e2}}}}]}}"#).into_bytes(),
        CANARY.as_bytes().to_vec(),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn given_the_first_two_examples_then_a_dispense_is_recorded() {
        for body in super::seeds().iter().take(2) {
            super::run(body);
            let is_new = super::SERVICE.with(|service| service.borrow().is_none());
            assert!(is_new, "{}", String::from_utf8_lossy(body));
        }
    }
}
