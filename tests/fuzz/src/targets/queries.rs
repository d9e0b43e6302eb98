//! The query of a list of dispenses: which faults are told, all of them and no others, by a model.

use std::cell::RefCell;
use std::collections::BTreeMap;

use actix_web::test::TestRequest;
use esoz_device_dispense::DispenseStatus;
use esoz_kernel::Timestamp;
use serde_json::Value;

use super::{Target, seeds};
use crate::json::is_uuid;
use crate::secrecy::assert_keeps_quiet;
use crate::service::{READ_TOKEN, Service};

/// See [`Target::about`].
pub(super) const LIST_QUERY: Target = Target {
    name: "list_query",
    about: "the query of a list of dispenses: every fault of it, by a model",
    run,
    seeds: || {
        seeds([
            "",
            "page=1&page_size=300&status=canceled&inserted_at_from=2026-01-31T08:15:30.123%2B02:00",
            "based_on=29DC859E-37FA-481D-8526-E95AC76036DD&device_code=30221&performer_legal_entity=canary-7f3a",
            "page=0&page_size=-1&page=2&status=canary-7f3a&canary-7f3a=1&unknown=canary-7f3a",
            "inserted_at_to=2026-01-31T08:15:30+02:00&when_handed_over_from=2026-01-31&when_handed_over_to=",
            "device=%7B%7D&encounter=&program=%ff&part_of=%zz&&=&device_code=&location",
            "page=99999999999999999999&page_size=1e2&%70age=1",
        ])
    },
};

/// Longer queries are the business of the target of whole requests.
const MAX_BYTES: usize = 1_000;

const IDS: [&str; 10] = [
    "based_on",
    "performer",
    "location",
    "program",
    "part_of",
    "encounter",
    "context_episode_id",
    "origin_episode_id",
    "device",
    "performer_legal_entity",
];

const TIMES: [&str; 4] =
    ["when_handed_over_from", "when_handed_over_to", "inserted_at_from", "inserted_at_to"];

thread_local! {
    // Never dropped: what it is made of must not outlive what the framework keeps for the thread.
    static SERVICE: &'static RefCell<Option<Service>> = Box::leak(Box::default());
}

fn run(data: &[u8]) {
    if data.len() > MAX_BYTES {
        return;
    }
    // What a URL cannot hold is encoded; everything else stays, also what is no encoding.
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"&=+%-._~:".contains(byte);
    let encoded = data
        .iter()
        .map(|byte| if allowed(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
    let query: String = encoded.collect();
    let request = TestRequest::get().uri(&format!("/api/device_dispenses?{query}"));
    let request = request.insert_header(("authorization", format!("Bearer {READ_TOKEN}")));
    let answer =
        SERVICE.with(|service| service.borrow_mut().get_or_insert_with(Service::with_data).ask(request));
    assert_keeps_quiet(&answer.log);
    let expected = faults(&query);
    let status = if expected.is_empty() { 200 } else { 422 };
    assert_eq!(answer.status, status, "{query}: {expected:?}");
    if status == 422 {
        assert_keeps_quiet(&String::from_utf8_lossy(&answer.body));
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let mut told: Vec<(String, String)> =
            body["error"]["invalid"].as_array().expect("entries").iter().map(told).collect();
        told.sort();
        assert_eq!(told, expected, "{query}");
    }
}

fn told(entry: &Value) -> (String, String) {
    assert_eq!(entry["entry_type"], "query_parameter");
    assert_eq!(entry["rules"].as_array().map(Vec::len), Some(1));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&entry["entry"]), text(&entry["rules"][0]["rule"]))
}

/// Where the faults of a query are and which rules they break, in order.
fn faults(query: &str) -> Vec<(String, String)> {
    let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        given.entry(decoded(name)).or_default().push(decoded(value));
    }
    let broken = |(name, values): (&String, &Vec<String>)| {
        let is_plain = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        let entry = if is_plain { format!("$.{name}") } else { "$".to_owned() };
        let rule = match (rule(name, &values[0]), values.len()) {
            (None, _) | (Some(_), 2..) => "schema",
            (Some(""), _) => return None,
            (Some(rule), _) => rule,
        };
        Some((entry, rule.to_owned()))
    };
    let mut faults: Vec<(String, String)> = given.iter().filter_map(broken).collect();
    faults.sort();
    // Names that are not repeated are one entry.
    faults.dedup();
    faults
}

/// The rule that a value of a parameter breaks, `""` if it breaks none; `None` for a parameter that the method does not know.
fn rule(name: &str, value: &str) -> Option<&'static str> {
    let unless = |holds: bool, rule| Some(if holds { "" } else { rule });
    match name {
        "device_code" => unless(!value.is_empty(), "format"),
        "status" => unless(value.parse::<DispenseStatus>().is_ok(), "inclusion"),
        "page" => Some(number(value, 1_000_000)),
        "page_size" => Some(number(value, 300)),
        _ if IDS.contains(&name) => unless(is_uuid(value), "format"),
        _ if TIMES.contains(&name) => unless(Timestamp::parse_or_utc(value).is_ok(), "datetime"),
        _ => None,
    }
}

fn number(value: &str, max: u64) -> &'static str {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        "cast"
    } else if value.parse().is_ok_and(|number: u64| (1..=max).contains(&number)) {
        ""
    } else {
        "number"
    }
}

/// A part of a query as it was meant: `+` is a blank, two digits after `%` are a byte, and what is no UTF-8 is replaced.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let encoded = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        let (byte, length) = match (first, encoded) {
            (b'%', Some(byte)) => (byte, 3),
            (b'+', _) => (b' ', 1),
            (other, _) => (*other, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
