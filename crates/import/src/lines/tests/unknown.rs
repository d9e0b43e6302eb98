//! Fields of a dispense that its form lacks.

use super::*;

/// What is said of an unknown field of a dispense, behind its name.
pub(super) const REMEDY: &str = "; with --keep-unknown it is stored as it is";

/// The objects of a full dispense whose form is known.
pub(super) const OBJECTS: [&str; 9] = [
    "",
    "/performer",
    "/performer/identifier",
    "/performer/identifier/type",
    "/performer/identifier/type/coding/0",
    "/status_reason",
    "/status_history/0",
    "/details/0",
    "/details/0/quantity",
];

fn keep(kind: &str, data: &Value) -> Result<Value, String> {
    let line = json!({"kind": kind, "data": data}).to_string();
    match parse_with(&line, UnknownFields::Keep) {
        Ok(Record::DeviceDispense(dispense)) => Ok(Value::Object(dispense.record)),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn an_unknown_field_is_carried_as_it_is_at_every_level_and_nothing_else_changes() {
    let plain = keep("device_dispense", &full_dispense()).unwrap();
    assert_eq!(
        parse("device_dispense", &full_dispense()).map(|record| match record {
            Record::DeviceDispense(dispense) => Value::Object(dispense.record),
            other => panic!("{other:?}"),
        }),
        Ok(plain.clone()),
        "without unknown fields it makes no difference"
    );
    let extra =
        json!({"extra": {"$not": 1, "a": [null, 1.5, "x", {"inserted_at": "soon"}]}, "Two words": upper(1)});
    let storable =
        with(&extra, |extra| extra["extra"] = json!({"a": [null, 1.5, "x", {"inserted_at": "soon"}]}));
    for pointer in OBJECTS {
        let data = with(&full_dispense(), |data| add(data.pointer_mut(pointer).unwrap(), &storable));
        let expected = with(&plain, |plain| add(plain.pointer_mut(pointer).unwrap(), &storable));
        assert_eq!(keep("device_dispense", &data), Ok(expected), "{pointer}");
        let data = with(&full_dispense(), |data| add(data.pointer_mut(pointer).unwrap(), &extra));
        let error = keep("device_dispense", &data).unwrap_err();
        assert!(error.ends_with("holds a field whose name begins with $ or has a NUL in it"), "{error}");
    }
}

#[test]
fn what_is_wrong_with_known_fields_is_wrong_all_the_same() {
    let data = with(&full_dispense(), |data| add(data, &json!({"extra": 1, "status": "canary"})));
    assert_eq!(
        keep("device_dispense", &data),
        Err("$.data.status: is not a status of a device dispense".to_owned())
    );
    let data = with(&full_dispense(), |data| data["details"][0]["extra"] = json!(1));
    let data = without(&data, "location");
    assert_eq!(keep("device_dispense", &data), Err("$.data.location: is missing".to_owned()));
}

#[test]
fn a_field_that_only_the_service_writes_is_refused_in_either_case() {
    for name in ["_id", "esoz_outbox", "esoz_keys", "esoz_to_come"] {
        let data = with(&dispense(), |data| add(data, &json!({name: "canary"})));
        let told = "$.data: has a field that only the service writes: _id or esoz_…";
        assert_eq!(keep("device_dispense", &data), Err(told.to_owned()), "{name}");
        let refused = parse("device_dispense", &data).unwrap_err().to_string();
        assert!(!refused.contains("--keep-unknown"), "{refused}");
        let nested = with(&dispense(), |data| add(&mut data["details"][0], &json!({name: "x"})));
        assert_eq!(
            keep("device_dispense", &nested).map(|record| record["details"][0][name].clone()),
            Ok(json!("x"))
        );
    }
}

#[test]
fn no_field_takes_the_patients_id_into_a_store() {
    let simple = PATIENT.replace('-', "").to_lowercase();
    for text in [PATIENT.to_owned(), PATIENT.to_lowercase(), simple, format!("patient:{PATIENT}")] {
        for pointer in OBJECTS {
            for extra in [
                json!({"extra": text}),
                json!({"extra": {"a": [text]}}),
                json!({"extra": {&text: 1}}),
                json!({&text: 1}),
            ] {
                let data = with(&full_dispense(), |data| add(data.pointer_mut(pointer).unwrap(), &extra));
                let error = keep("device_dispense", &data).unwrap_err();
                assert!(error.ends_with("holds the patient's id, which no store may hold"), "{error}");
                assert!(!error.to_lowercase().contains(&text.to_lowercase()), "{error}");
            }
        }
        for (field, value) in [
            ("note", json!(text)),
            ("explanatory_letter", json!(text)),
            ("payment_id", json!(text)),
            ("supporting_info", json!([{"x": text}])),
            ("part_of", json!({"display_value": text})),
        ] {
            let data = with(&full_dispense(), |data| data[field] = value.clone());
            let expected = format!("$.data.{field}: holds the patient's id, which no store may hold");
            assert_eq!(keep("device_dispense", &data), Err(expected.clone()));
            assert_eq!(parse("device_dispense", &data).unwrap_err().to_string(), expected);
        }
    }
    let data = with(&full_dispense(), |data| data["based_on"]["identifier"]["value"] = json!(PATIENT));
    let expected = "$.data.based_on: holds the patient's id, which no store may hold";
    assert_eq!(keep("device_dispense", &data), Err(expected.to_owned()));
}

#[test]
fn other_kinds_have_no_place_for_unknown_fields() {
    for (kind, data) in every_kind().into_iter().filter(|(kind, _)| *kind != "device_dispense") {
        let data = with(&data, |data| add(data, &json!({"extra": 1})));
        assert_eq!(keep(kind, &data), Err("$.data: has the unknown field extra".to_owned()), "{kind}");
    }
}

#[test]
fn an_unknown_field_may_be_nested_as_deep_as_a_store_can_hold() {
    let nested = |levels: usize| (1..levels).fold(json!(1), |inner, _| json!([inner]));
    for (levels, is_kept) in [(31, true), (32, false)] {
        let data = with(&full_dispense(), |data| add(data, &json!({"extra": nested(levels)})));
        let kept = keep("device_dispense", &data);
        assert_eq!(kept.is_ok(), is_kept, "{levels}: {kept:?}");
        assert!(is_kept || kept.unwrap_err().ends_with("is nested more than 32 levels deep"));
    }
}
