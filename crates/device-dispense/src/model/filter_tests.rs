use serde_json::json;

use super::*;
use crate::{FieldKind, RECORD};

const ID: &str = "aff00bf6-68bf-4b49-b66d-f031d48922b3";

fn search(name: &str, value: &str) -> Search {
    let parameter = SearchParameter::find(name).unwrap();
    Search { parameter, value: parameter.parse(value).unwrap() }
}

fn record(record: Value) -> Map<String, Value> {
    let Value::Object(record) = record else { panic!("a record is an object") };
    record
}

fn filter() -> Filter {
    Filter::default()
}

fn matches(filter: &Filter, shown: Value) -> bool {
    filter.matches(None, None, &record(shown))
}

#[test]
fn every_path_begins_in_the_record_and_follows_its_fields() {
    for SearchParameter { name, path, .. } in &SEARCH_PARAMETERS {
        let first = RECORD.field(path[0]).unwrap_or_else(|| panic!("{name}"));
        let mut kind = first.kind;
        for field in &path[1..] {
            // What is carried without interpretation is a Reference as well.
            let object = kind.object().unwrap_or(&crate::REFERENCE);
            kind = object.field(field).unwrap_or_else(|| panic!("{name}: {field}")).kind;
        }
        assert!(matches!(kind, FieldKind::Uuid | FieldKind::Text | FieldKind::Any), "{name}: {kind:?}");
    }
}

#[test]
fn an_id_is_found_in_either_case_and_a_code_to_the_letter() {
    let upper = ID.to_uppercase();
    for (search, shown, expected) in [
        (search("based_on", ID), json!({"based_on": {"identifier": {"value": upper}}}), true),
        (search("based_on", ID), json!({"based_on": {"value": upper}}), false),
        (search("based_on", ID), json!({"performer": {"identifier": {"value": upper}}}), false),
        (search("context_episode_id", &upper), json!({"context_episode_id": ID}), true),
        (search("context_episode_id", ID), json!({"context_episode_id": 7}), false),
        (search("context_episode_id", ID), json!({}), false),
        (search("device_code", "30221"), codes(&["1", "30221"]), true),
        (search("device_code", "30221"), codes(&["30221x"]), false),
        (search("device_code", "a"), codes(&["A"]), false),
    ] {
        assert_eq!(search.matches(&record(shown.clone())), expected, "{search:?} {shown}");
    }
}

fn codes(codes: &[&str]) -> Value {
    let coding: Vec<Value> = codes.iter().map(|code| json!({"code": code})).collect();
    json!({"details": [{"device": {}}, {"device_code": {"coding": coding}}]})
}

#[test]
fn what_is_no_value_of_a_parameter_is_not_parsed() {
    for (name, text) in [("based_on", ""), ("based_on", "42"), ("device", "{}"), ("device_code", "")] {
        assert_eq!(SearchParameter::find(name).unwrap().parse(text), None, "{name}={text}");
    }
    assert_eq!(SearchParameter::find("note"), None);
    assert_eq!(search("device", &ID.to_uppercase()).value.to_string(), ID);
    assert_eq!(search("device_code", "30221").value.to_string(), "30221");
}

#[test]
fn bounds_are_included_and_rounded_to_what_is_stored() {
    let range = |from: &str, to: &str| {
        let time = |text: &str| Timestamp::parse_or_utc(text).ok();
        Filter { inserted_at: TimeRange::new(time(from), time(to)), ..filter() }
    };
    let at = "2026-01-31T08:15:30.123Z";
    for (from, to, expected) in [
        ("", "", true),
        (at, "", true),
        ("", at, true),
        (at, at, true),
        ("2026-01-31T08:15:30.124", "", false),
        ("2026-01-31T08:15:30.1230001", "", false),
        ("", "2026-01-31T08:15:30.122999", false),
        ("", "2026-01-31T08:15:30.1239", true),
        ("2026-01-31T10:15:30.123+02:00", "9999-12-31T23:59:59", true),
        ("2026-02-01T00:00", "2026-01-01T00:00", false),
    ] {
        assert_eq!(matches(&range(from, to), json!({"inserted_at": at})), expected, "{from} {to}");
    }
    for unreadable in [json!({}), json!({"inserted_at": null}), json!({"inserted_at": "yesterday"})] {
        assert!(matches(&filter(), unreadable.clone()));
        assert!(!matches(&range("0000-01-01T00:00", ""), unreadable.clone()), "{unreadable}");
    }
    assert_eq!(TimeRange::new(None, None).bounds(), None);
}

#[test]
fn a_status_is_found_in_both_spellings() {
    let cancelled = Filter { status: Some(DispenseStatus::Cancelled), ..filter() };
    for (status, expected) in [("cancelled", true), ("canceled", true), ("stopped", false), ("x", false)] {
        assert_eq!(matches(&cancelled, json!({"status": status})), expected, "{status}");
    }
    assert!(matches(&filter(), json!({"status": "x"})), "a filter that does not ask does not read");
}

#[test]
fn every_condition_must_be_met() {
    let [owner, other] = [1, 2].map(|id| LegalEntityId::new(Uuid::from_u128(id)));
    let subject = Pseudonym::new("P");
    let both = Filter {
        owner: Some(owner),
        subject: Some(subject.clone()),
        search: vec![search("device_code", "1"), search("device_code", "2")],
        ..filter()
    };
    let found =
        |owner, subject: Option<&Pseudonym>, shown| both.matches(Some(owner), subject, &record(shown));
    assert!(found(owner, Some(&subject), codes(&["1", "2"])));
    assert!(!found(owner, Some(&subject), codes(&["1"])));
    assert!(!found(other, Some(&subject), codes(&["1", "2"])));
    assert!(!found(owner, None, codes(&["1", "2"])));
}

#[test]
fn a_filter_is_narrowed_to_a_legal_entity_unless_it_asks_for_another() {
    let [owner, other] = [1, 2].map(|id| LegalEntityId::new(Uuid::from_u128(id)));
    let narrowed = Filter { owner: Some(owner), ..filter() };
    assert_eq!(filter().narrowed_to(owner), Some(narrowed.clone()));
    assert_eq!(narrowed.clone().narrowed_to(owner), Some(narrowed.clone()));
    assert_eq!(narrowed.narrowed_to(other), None);
}
