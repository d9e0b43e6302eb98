//! What counts as equal.

use serde_json::{Value, json};

use super::fixture::{Fixture, uuid};
use crate::ChangeRefusal;

type Change = fn(&mut Fixture);

#[test]
fn given_another_spelling_of_the_same_then_it_is_equal() {
    let changes: [Change; 10] = [
        |it| it.signed["details"][0]["quantity"]["value"] = json!(10.0),
        |it| it.signed["details"][0]["sell_price"] = serde_json::from_str("5.050e1").unwrap(),
        |it| it.signed["performer"]["display_value"] = "Інша".into(),
        |it| it.signed["performer"]["identifier"]["type"]["text"] = "any".into(),
        |it| it.signed["id"] = uuid(1).to_string().to_uppercase().into(),
        |it| it.signed["location"]["identifier"]["value"] = uuid(5).to_string().to_uppercase().into(),
        |it| it.signed["inserted_by"] = Value::Null,
        |it| it.signed["updated_at"] = "any".into(),
        |it| it.signed["status_history"] = json!([]),
        |it| it.signed["part_of"] = Value::Null,
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let mut fixture = Fixture::complete();
        change(&mut fixture);
        assert!(fixture.decide_complete().is_ok(), "change {place}");
    }
}

#[test]
fn given_a_time_in_another_zone_then_it_is_the_same_instant() {
    let mut fixture = Fixture::mark();
    fixture.stored["when_handed_over"] = "2026-01-30T08:00:00.000Z".into();
    // Without an offset it is UTC, as where a client sets it.
    for same in ["2026-01-30T10:00:00+02:00", "2026-01-30T08:00:00"] {
        fixture.signed["when_handed_over"] = same.into();
        assert!(fixture.decide_mark().is_ok(), "{same}");
    }
    fixture.signed["when_handed_over"] = "2026-01-30T10:00:01+02:00".into();
    assert_eq!(fixture.decide_mark().unwrap_err(), ChangeRefusal::Mismatch("when_handed_over"));
}

#[test]
fn given_anything_else_then_it_is_a_mismatch_that_names_the_field() {
    let changes: [(&str, Change); 14] = [
        ("id", |it| it.signed["id"] = uuid(66).to_string().into()),
        ("id", |it| it.signed["id"] = Value::Null),
        ("subject", |it| it.signed["subject"] = Value::Null),
        ("subject", |it| it.signed["subject"]["identifier"]["value"] = uuid(66).to_string().into()),
        ("subject", |it| it.signed["subject"]["identifier"]["type"]["coding"][0]["code"] = "person".into()),
        ("subject", |it| it.signed["subject"]["identifier"]["assigner"] = "somebody".into()),
        ("based_on", |it| it.signed["based_on"] = Value::Null),
        ("program", |it| it.signed["program"] = Value::Null),
        ("performer", |it| {
            it.signed["performer"]["identifier"]["type"]["coding"][0]["code"] = "division".into();
        }),
        ("details", |it| it.signed["details"] = json!([])),
        ("details", |it| it.signed["details"][0]["device"]["more"] = 1.into()),
        ("primary_source", |it| it.signed["primary_source"] = false.into()),
        ("inserted_by", |it| it.signed["inserted_by"] = uuid(66).to_string().into()),
        ("unknown_field", |it| it.signed["esoz_keys"] = json!([])),
    ];
    for (place, (field, change)) in changes.into_iter().enumerate() {
        let mut fixture = Fixture::complete();
        change(&mut fixture);
        assert_eq!(fixture.decide_complete().unwrap_err(), ChangeRefusal::Mismatch(field), "change {place}");
    }
}
