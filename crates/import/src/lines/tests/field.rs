//! The table of fields is what lines are read by: the examples have all of them, and each is required, or can be left out, as it says.

use super::*;
use crate::EXAMPLES;

/// The examples by kind, in their order.
fn examples() -> Vec<(RecordKind, Value)> {
    let lines = EXAMPLES.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["kind"].as_str().unwrap().parse().unwrap(), line["data"].clone())).collect()
}

/// Reads a line as an import of pseudonyms does.
fn read(kind: RecordKind, data: &Value) -> Result<Record, LineError> {
    let mut pseudonyms = MockPatientPseudonyms::new();
    pseudonyms.expect_of().return_const(Pseudonym::new("P"));
    pseudonyms.expect_patient().returning(|_| Ok(None));
    let line = json!({"kind": kind.as_str(), "data": data}).to_string();
    parse_line(
        &line,
        &ImportContext {
            now: time("2026-02-03T04:05:06Z"),
            pseudonyms: &pseudonyms,
            drfo_digests: &Digests,
            unknown_fields: UnknownFields::Refuse,
            pseudonymous_lines: PseudonymousLines::Accept,
        },
    )
}

fn all_fields(kind: RecordKind) -> Vec<LineField> {
    line_fields(kind).into_iter().chain(STAMP_FIELDS).collect()
}

#[test]
fn there_is_an_example_of_every_kind_that_an_import_takes() {
    let examples = examples();
    assert_eq!(examples.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), RecordKind::ALL);
    for (kind, data) in &examples {
        assert_eq!(read(*kind, data).map(|record| record.kind()), Ok(*kind));
    }
}

#[test]
fn an_example_has_every_field_of_its_kind_that_can_be_there_at_once() {
    for (kind, data) in examples() {
        let fields = all_fields(kind);
        let data = data.as_object().unwrap();
        for name in data.keys() {
            assert!(fields.iter().any(|field| field.name == name), "{kind}: {name} is in no table");
        }
        for LineField { name, presence, .. } in fields {
            let other = match presence {
                LinePresence::Or(other) => Some(other),
                // Beside a taxpayer number its digest is refused.
                _ if name == "tax_id_digest" => Some("tax_id"),
                _ => None,
            };
            let has_one = data.contains_key(name) || other.is_some_and(|other| data.contains_key(other));
            assert!(has_one, "{kind}: the example lacks {name}");
        }
    }
}

#[test]
fn a_field_can_be_left_out_if_its_table_says_so() {
    for (kind, data) in examples() {
        for LineField { name, presence, .. } in all_fields(kind) {
            if data.get(name).is_none() {
                continue;
            }
            let result = read(kind, &without(&data, name));
            match presence {
                LinePresence::Optional => assert!(result.is_ok(), "{kind} without {name}: {result:?}"),
                LinePresence::Required => {
                    let missing = format!("$.data.{name}: is missing");
                    assert_eq!(result.map_err(|error| error.to_string()), Err(missing), "{kind}");
                }
                LinePresence::Or(other) => {
                    assert!(result.is_err(), "{kind} without {name} and {other}");
                }
            }
        }
    }
}

#[test]
fn one_field_stands_for_another_if_its_table_says_so() {
    for (kind, data) in examples() {
        for LineField { name, kind: holds, presence, .. } in all_fields(kind) {
            let LinePresence::Or(other) = presence else { continue };
            if data.get(other).is_none() {
                continue;
            }
            let value = if matches!(holds, LineFieldKind::Uuid) { upper(70) } else { "text".to_owned() };
            let both = with(&data, |data| add(data, &json!({name: value})));
            assert!(read(kind, &both).is_err(), "{kind} with {name} and {other}");
            assert!(read(kind, &without(&both, other)).is_ok(), "{kind} with {name} for {other}");
        }
    }
}

#[test]
fn a_field_holds_what_its_table_says() {
    for (kind, data) in examples() {
        for LineField { name, kind: holds, .. } in all_fields(kind) {
            let put = |value: &Value| read(kind, &with(&data, |data| data[name] = value.clone()));
            let refused = |values: &[Value]| {
                for value in values {
                    assert!(put(value).is_err(), "{kind}.{name} takes {value}");
                }
            };
            if data.get(name).is_none() {
                continue;
            }
            match holds {
                LineFieldKind::Uuid | LineFieldKind::Day | LineFieldKind::Time => {
                    refused(&[json!("x"), json!(1)]);
                }
                LineFieldKind::Uuids => refused(&[json!(["x"]), json!(upper(1))]),
                LineFieldKind::Text => refused(&[json!(""), json!(1)]),
                LineFieldKind::Boolean => refused(&[json!("true"), json!(1)]),
                LineFieldKind::Number => refused(&[json!("1"), json!(-1)]),
                LineFieldKind::Words(words) => {
                    refused(&[json!("x"), json!(1)]);
                    for word in words() {
                        assert!(put(&json!(word)).is_ok(), "{kind}.{name} refuses {word}");
                    }
                }
                LineFieldKind::Object(fields) => {
                    refused(&[json!("x"), json!({"x": 1})]);
                    let given = data[name].as_object().unwrap();
                    for key in given.keys() {
                        assert!(fields.iter().any(|field| field.name == key), "{kind}.{name}.{key}");
                    }
                    for field in fields.iter().filter(|field| given.contains_key(field.name)) {
                        let result = put(&without(&data[name], field.name));
                        let is_optional = field.presence == LinePresence::Optional;
                        assert_eq!(result.is_ok(), is_optional, "{kind}.{name}.{}", field.name);
                    }
                }
                // The table of the record is the dispense's own; the tests beside this one have its faults.
                LineFieldKind::Dispense(_) => {}
            }
        }
    }
}
